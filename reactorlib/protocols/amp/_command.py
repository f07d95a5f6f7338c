"""
Commands: what can be asked, and how its answer looks.

A command is a class, and an instance of it one question. The class is read once, when
it is made: its errors by code and by class, and the names of its arguments in Python.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from reactorlib.internet.defer import Deferred
from reactorlib.internet.main import CONNECTION_LOST
from reactorlib.protocols.amp._arguments import (
    Arguments,
    Plan,
    objects_to_strings,
    plan,
    strings_to_objects,
)
from reactorlib.protocols.amp._box import AmpBox, _SwitchBox, empty_box
from reactorlib.protocols.amp._errors import (
    InvalidSignature,
    RemoteAmpError,
    UnknownRemoteError,
)
from reactorlib.protocols.amp._names import python_name
from reactorlib.python.failure import Failure

__all__ = ["Command", "ProtocolSwitchCommand"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Pending(threading.local):
    """What has been decorated in this thread, and belongs to a class that is not made yet."""

    def __init__(self) -> None:
        self.responders: list[tuple[Any, Any]] = []


pending = _Pending()


def _accumulated(command: type, name: str) -> dict[type[BaseException], bytes]:
    """The errors of a class and of all that it derives from; mappings, or pairs."""
    found: dict[type[BaseException], bytes] = {}
    for ancestor in reversed(command.__mro__):
        found.update(vars(ancestor).get(name, ()))
    return found


def _check(what: str, name: object) -> None:
    if not isinstance(name, bytes):
        raise TypeError(f"{what} names must be byte strings, got: {name!r}")


class _CommandMeta(type):
    """Reads what a command declares, and finds mistakes in it."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        if "commandName" not in attrs:
            attrs["commandName"] = name.encode("ascii")
        self: Any = super().__new__(cls, name, bases, attrs)
        _check("Command", self.commandName)
        for argument, _ in self.arguments:
            _check("Argument", argument)
        for argument, _ in self.response:
            _check("Response", argument)
        # Those of the commands that it derives from are its own too.
        self.errors = _accumulated(self, "errors")
        self.fatalErrors = _accumulated(self, "fatalErrors")
        for code in self.errors.values():
            _check("Error", code)
        for code in self.fatalErrors.values():
            _check("Fatal error", code)
        self.allErrors = {**self.errors, **self.fatalErrors}
        self.reverseErrors = {code: error for error, code in self.allErrors.items()}
        self._read_arguments()
        return self

    def _read_arguments(self: Any) -> None:
        self._known = {python_name(argument) for argument, _ in self.arguments}
        self._needed = [
            (argument, python_name(argument))
            for argument, kind in self.arguments
            if not getattr(kind, "optional", False)
        ]
        self._argument_plan = plan(self.arguments)
        self._response_plan = plan(self.response)

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in ("arguments", "response"):
            cls._read_arguments()


class Command(metaclass=_CommandMeta):
    """
    What can be asked of a peer. Subclasses declare it; an instance is one question.

    Attributes:
        commandName: its name on the wire, bytes; by default that of the class.
        arguments: names, bytes, and kinds of what goes with the question.
        response: the same, for the answer.
        errors: the exceptions that a responder may raise, each with a code, bytes,
            that the peer knows it by.
        fatalErrors: the same, for those that end the connection.
        commandType, responseType: the classes of boxes for question and answer.
        requiresAnswer: whether the peer is to answer at all.
    """

    commandName: ClassVar[bytes]
    arguments: ClassVar[Arguments] = []
    response: ClassVar[Arguments] = []
    errors: ClassVar[Any] = {}
    fatalErrors: ClassVar[Any] = {}
    allErrors: ClassVar[dict[type[BaseException], bytes]]
    reverseErrors: ClassVar[dict[bytes, Any]]
    commandType: ClassVar[Callable[[], AmpBox]] = AmpBox
    responseType: ClassVar[Callable[[], AmpBox]] = AmpBox
    requiresAnswer = True
    _known: ClassVar[set[str]]
    _needed: ClassVar[list[tuple[bytes, str]]]
    _argument_plan: ClassVar[Plan | None]
    _response_plan: ClassVar[Plan | None]

    def __init__(self, **kw: Any) -> None:
        """
        Ask with these arguments.

        Raises:
            InvalidSignature: one is missing.
        """
        self.structured = kw
        for _, name in self._needed:
            if name not in kw:
                forgotten = [a.decode("ascii") for a, n in self._needed if n not in kw]
                command = self.commandName.decode("ascii", "backslashreplace")
                raise InvalidSignature(f"forgot {', '.join(forgotten)} for {command}")

    @classmethod
    def makeResponse(cls, objects: dict[str, Any], proto: Any) -> AmpBox:
        """The box of an answer."""
        box = cls.responseType
        return objects_to_strings(
            objects,
            cls.response,
            empty_box() if box is AmpBox else box(),
            proto,
            cls._response_plan,
        )

    @classmethod
    def makeArguments(cls, objects: dict[str, Any], proto: Any) -> AmpBox:
        """
        The box of a question.

        Raises:
            InvalidSignature: an argument is not the command's.
        """
        for name in objects:
            if name not in cls._known:
                raise InvalidSignature(f"{name} is not a valid argument")
        box = cls.commandType
        return objects_to_strings(
            objects,
            cls.arguments,
            empty_box() if box is AmpBox else box(),
            proto,
            cls._argument_plan,
        )

    @classmethod
    def parseResponse(cls, box: AmpBox, protocol: Any) -> dict[str, Any]:
        """What an answer says, by Python names."""
        return strings_to_objects(box, cls.response, protocol, cls._response_plan)

    @classmethod
    def parseArguments(cls, box: AmpBox, protocol: Any) -> dict[str, Any]:
        """What a question says, by Python names."""
        return strings_to_objects(box, cls.arguments, protocol, cls._argument_plan)

    @classmethod
    def responder(cls, methodfunc: _Function) -> _Function:
        """
        Decorate the method of a `CommandLocator` that answers this command.

        It is called with the arguments by name, and returns a dictionary of what is
        in the answer, or a Deferred with it; it may be a coroutine function.
        """
        pending.responders.append((cls, methodfunc))
        return methodfunc

    def _doCommand(self, proto: Any) -> Deferred[Any] | None:
        """Ask it. See `BoxDispatcher.callRemote`."""
        answer: Deferred[Any] | None = proto._sendBoxCommand(
            self.commandName, self.makeArguments(self.structured, proto), self.requiresAnswer
        )
        if answer is not None:
            answer.addCallbacks(lambda box: self.parseResponse(box, proto), self._declared)
        return answer

    def _declared(self, failure: Failure) -> Failure:
        """The exception that the command declares for the peer's error."""
        failure.trap(RemoteAmpError)
        error: Any = failure.value
        kind = self.reverseErrors.get(error.errorCode, UnknownRemoteError)
        return Failure(kind(error.description))


class ProtocolSwitchCommand(Command):
    """
    A command after which the connection speaks another protocol.

    Its responder returns the protocol to go on with. Until the answer is there, no
    other box can be sent.
    """

    def __init__(self, _protoToSwitchToFactory: Any, **kw: Any) -> None:
        """
        Args:
            _protoToSwitchToFactory: a client factory. It builds what this side goes on
                with; if the peer refuses, its `clientConnectionFailed` is called.
            kw: the arguments of the command.
        """
        self.protoToSwitchToFactory = _protoToSwitchToFactory
        super().__init__(**kw)

    @classmethod
    def makeResponse(cls, innerProto: Any, proto: Any) -> AmpBox:
        """A box after which `innerProto` has the connection."""
        return _SwitchBox(innerProto)

    def _doCommand(self, proto: Any) -> Deferred[Any] | None:
        answer = super()._doCommand(proto)
        proto._lockForSwitch()

        def switch(result: Any) -> Any:
            inner = self.protoToSwitchToFactory.buildProtocol(proto.transport.getPeer())
            proto._switchTo(inner, self.protoToSwitchToFactory)
            return result

        def stay(failure: Failure) -> Failure:
            proto._unlockFromSwitch()
            self.protoToSwitchToFactory.clientConnectionFailed(None, Failure(CONNECTION_LOST))
            return failure

        return None if answer is None else answer.addCallbacks(switch, stay)
