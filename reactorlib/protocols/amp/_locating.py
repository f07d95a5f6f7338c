"""Finding what answers a command."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import MethodType
from typing import Any, ClassVar

from zope.interface import implementer

from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.protocols.amp._box import AmpBox
from reactorlib.protocols.amp._command import pending
from reactorlib.protocols.amp._errors import BadLocalReturn, RemoteAmpError
from reactorlib.protocols.amp._interfaces import IResponderLocator
from reactorlib.python.failure import Failure

__all__ = ["CommandLocator", "SimpleStringLocator"]

Responder = Callable[[AmpBox], Deferred[AmpBox]]


class _LocatorMeta(type):
    """Collects the methods of a class, and of those it derives from, that respond to commands."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        own: dict[bytes, tuple[Any, Any]] = {}
        values = {id(value) for value in attrs.values()}
        # By what they are called, those that have lost their name to another are found as well.
        inside = f"{attrs.get('__qualname__', name)}."
        for each in list(pending.responders):
            command, function = each
            if id(function) in values or getattr(function, "__qualname__", "").startswith(inside):
                own[command.commandName] = each
                pending.responders.remove(each)
        self: Any = super().__new__(cls, name, bases, attrs)
        dispatch: dict[bytes, tuple[Any, Any]] = {}
        for ancestor in reversed(self.__mro__[1:]):
            dispatch.update(vars(ancestor).get("_commandDispatch", {}))
        self._commandDispatch = dispatch | own
        named = [each for each in self.__mro__ if "lookupFunction" in vars(each)]
        self._has_own_lookup = len(named) > 1  # and not that of CommandLocator alone
        return self


@implementer(IResponderLocator)
class CommandLocator(metaclass=_LocatorMeta):
    """
    Something whose methods answer commands: those decorated with `Command.responder`.
    """

    _commandDispatch: ClassVar[dict[bytes, tuple[Any, Any]]]
    #: Whether a subclass has a `lookupFunction`.
    _has_own_lookup: ClassVar[bool]

    def locateResponder(self, name: bytes) -> Responder | None:
        """What answers the command of that name; None if no method does."""
        if self._has_own_lookup:
            _warn_of(type(self).lookupFunction)
            return self.lookupFunction(name)
        return self._method_for(name)

    def lookupFunction(self, name: bytes) -> Responder | None:
        """Deprecated: `locateResponder`."""
        if not self._has_own_lookup:  # else this is what overrides it
            warnings.warn(
                "Call locateResponder, not lookupFunction.", PendingDeprecationWarning, stacklevel=2
            )
        return self._method_for(name)

    def _method_for(self, name: bytes) -> Responder | None:
        found = self._commandDispatch.get(name)
        if found is None:
            return None
        command, function = found
        return self._wrapWithSerialization(MethodType(function, self), command)

    def _wrapWithSerialization(self, aCallable: Callable[..., Any], command: Any) -> Responder:
        """Box in, box out, around a method that takes and returns Python objects."""

        def respond(box: AmpBox) -> Deferred[AmpBox]:
            arguments = command.parseArguments(box, self)

            def known(failure: Failure) -> Failure:
                kind = failure.trap(*command.allErrors)
                code = command.allErrors[kind]
                text = str(failure.value)
                fatal = kind in command.fatalErrors
                return Failure(RemoteAmpError(code, text, fatal, local=failure))

            def answer(objects: Any) -> AmpBox:
                try:
                    box: AmpBox = command.makeResponse(objects, self)
                except Exception as error:
                    raise BadLocalReturn(
                        f"{aCallable!r} returned {objects!r}, which is no answer to "
                        f"{command.__name__}: {error!r}"
                    ) from error
                return box

            return maybeDeferred(aCallable, **arguments).addCallback(answer).addErrback(known)

        return respond


def _warn_of(override: Any) -> None:
    """Say where a `lookupFunction` stands that should have the other name."""
    code = override.__code__
    warnings.warn_explicit(
        "Override locateResponder, not lookupFunction.",
        PendingDeprecationWarning,
        code.co_filename,
        code.co_firstlineno,
        registry=override.__globals__.setdefault("__warningregistry__", {}),
    )


@implementer(IResponderLocator)
class SimpleStringLocator:
    """Something with methods for commands by name: `amp_COMMAND(box)`, which returns a box."""

    baseDispatchPrefix: str | bytes = b"amp_"

    def locateResponder(self, name: bytes) -> Any:
        """The method for the command of that name; None if there is none."""
        prefix = self.baseDispatchPrefix
        if isinstance(prefix, bytes):
            prefix = prefix.decode("ascii")
        return getattr(self, prefix + name.upper().decode("ascii", "backslashreplace"), None)
