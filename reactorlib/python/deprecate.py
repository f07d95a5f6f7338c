"""
What is still there, but not to be used any more.

    @deprecated(Version("mypackage", 2, 0, 0), replacement="mypackage.better")
    def worse(): ...

Each use is a `DeprecationWarning` in the file and line of whoever uses it.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, ParamSpec, TypeVar, cast

from reactorlib.python.reflect import fullyQualifiedName
from reactorlib.python.versions import getVersionString

__all__ = [
    "DEPRECATION_WARNING_FORMAT",
    "deprecated",
    "deprecatedKeywordParameter",
    "deprecatedModuleAttribute",
    "deprecatedProperty",
    "getDeprecationWarningString",
    "getWarningMethod",
    "setWarningMethod",
    "warnAboutFunction",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_F = TypeVar("_F", bound=Callable[..., Any])

#: What a warning says: a `%`-format with the keys `fqpn` (the name) and `version`.
DEPRECATION_WARNING_FORMAT = "%(fqpn)s was deprecated in %(version)s"

_warning_method: Callable[..., Any] = warnings.warn


def getWarningMethod() -> Callable[..., Any]:
    """What tells of the use of something deprecated: `warnings.warn`, as a rule."""
    return _warning_method


def setWarningMethod(newMethod: Callable[..., Any]) -> None:
    """Set what tells of it: called with a message, and `category` and `stacklevel` by name."""
    global _warning_method
    _warning_method = newMethod


def _warn(message: str) -> None:
    # From here to whoever called what called this.
    _warning_method(message, category=DeprecationWarning, stacklevel=3)


# -- texts --------------------------------------------------------------------


def _named(replacement: str | Callable[..., object] | None) -> str:
    if callable(replacement):
        replacement = fullyQualifiedName(replacement)
    return f"; please use {replacement} instead" if replacement else ""


def _getDeprecationWarningString(
    fqpn: str,
    version: Any,
    format: str | None = None,
    replacement: str | Callable[..., object] | None = None,
) -> str:
    format = DEPRECATION_WARNING_FORMAT if format is None else format
    return format % {"fqpn": fqpn, "version": getVersionString(version)} + _named(replacement)


def getDeprecationWarningString(
    callableThing: Callable[..., object],
    version: Any,
    format: str | None = None,
    replacement: str | Callable[..., object] | None = None,
) -> str:
    """
    What a warning of something deprecated says.

    Args:
        callableThing: what is deprecated.
        version: the `Version` in which it was.
        format: by default `DEPRECATION_WARNING_FORMAT`.
        replacement: what to use in its place: a name, or the thing.
    """
    return _getDeprecationWarningString(
        _fullyQualifiedName(callableThing), version, format, replacement
    )


def _getDeprecationDocstring(
    version: Any, replacement: str | Callable[..., object] | None = None
) -> str:
    return f"Deprecated in {getVersionString(version)}{_named(replacement)}."


def _appendToDocstring(thing: Any, text: str) -> None:
    doc = inspect.getdoc(thing) if thing.__doc__ else None
    if not doc:
        thing.__doc__ = text
    else:
        opening = "\n" if len(thing.__doc__.splitlines()) > 1 else ""
        thing.__doc__ = f"{opening}{doc}\n\n{text}\n"


_fullyQualifiedName = fullyQualifiedName


# -- functions, classes, properties -------------------------------------------


def deprecated(
    version: Any, replacement: str | Callable[..., object] | None = None
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """
    Decorate a function, method or class that is deprecated.

    Its docstring says so, and each call warns; a class warns when an instance of
    it is made. `deprecatedVersion` is the version.

    Args:
        version: the `Version` in which it was deprecated.
        replacement: what to use in its place: a name, or the thing.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        message = getDeprecationWarningString(function, version, None, replacement)
        if isinstance(function, type):
            result: Any = _deprecated_class(function, message)
        else:

            @functools.wraps(function)
            def result(*args: _P.args, **kwargs: _P.kwargs) -> _R:
                _warn(message)
                return function(*args, **kwargs)

        _appendToDocstring(result, _getDeprecationDocstring(version, replacement))
        result.deprecatedVersion = version
        return cast(Callable[_P, _R], result)

    return decorate


def _deprecated_class(cls: Any, message: str) -> Any:
    """The class itself, which tells when an instance of it is made, but not one of a subclass."""
    original = cls.__init__

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if type(self) is cls:
            _warn(message)
        if original is not object.__init__:
            original(self, *args, **kwargs)
        elif cls.__new__ is object.__new__ and (args or kwargs):
            # What `object` would say if its own were still the class's.
            raise TypeError(f"{type(self).__name__}() takes no arguments")

    cls.__init__ = __init__
    return cls


class _DeprecatedProperty(property):
    """A property that tells of each use."""

    deprecatedVersion: Any
    warning = ""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        if instance is not None:
            _warn(self.warning)
        return super().__get__(instance, owner)

    def __set__(self, instance: Any, value: Any) -> None:
        _warn(self.warning)
        super().__set__(instance, value)

    def __delete__(self, instance: Any) -> None:
        _warn(self.warning)
        super().__delete__(instance)

    def _like(self, made: property) -> property:
        other = cast(_DeprecatedProperty, made)
        other.warning, other.deprecatedVersion = self.warning, self.deprecatedVersion
        other.__doc__ = self.__doc__
        return other

    def getter(self, fget: Callable[[Any], Any]) -> property:
        return self._like(super().getter(fget))

    def setter(self, fset: Callable[[Any, Any], None]) -> property:
        return self._like(super().setter(fset))

    def deleter(self, fdel: Callable[[Any], None]) -> property:
        return self._like(super().deleter(fdel))


def deprecatedProperty(
    version: Any, replacement: str | Callable[..., object] | None = None
) -> Callable[[Callable[[Any], Any]], property]:
    """
    Decorate the getter of a property that is deprecated, in place of `property`.

    Its setter is added by `@name.setter`, and warns too.

    Args:
        version: the `Version` in which it was deprecated.
        replacement: what to use in its place: a name, or the thing.
    """

    def decorate(function: Callable[[Any], Any]) -> property:
        made = _DeprecatedProperty(function)
        made.warning = getDeprecationWarningString(function, version, None, replacement)
        made.deprecatedVersion = version
        _appendToDocstring(made, _getDeprecationDocstring(version, replacement))
        return made

    return decorate


# -- arguments ----------------------------------------------------------------


def _passedSignature(
    signature: inspect.Signature, positional: Sequence[Any], keyword: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by the names of the parameters, without defaults."""
    return dict(signature.bind(*positional, **keyword).arguments)


def _mutuallyExclusiveArguments(argumentPairs: Iterable[Sequence[str]]) -> Callable[[_F], _F]:
    """Decorate a function of which two arguments may not be given together."""

    def decorate(function: _F) -> _F:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            given = _passedSignature(signature, args, kwargs)
            for first, second in argumentPairs:
                if first in given and second in given:
                    name = _fullyQualifiedName(function)
                    raise TypeError(
                        f"The {first!r} and {second!r} arguments to {name} are mutually exclusive."
                    )
            return function(*args, **kwargs)

        return cast(_F, wrapped)

    return decorate


def deprecatedKeywordParameter(
    version: Any, name: str, replacement: str | None = None
) -> Callable[[_F], _F]:
    """
    Decorate a function of which one parameter is deprecated.

    A call warns that gives it a value, by name or by position.

    Args:
        version: the `Version` in which it was deprecated.
        name: the parameter's name.
        replacement: what to use in its place.
    """

    def decorate(function: _F) -> _F:
        subject = f"The {name!r} parameter to {_fullyQualifiedName(function)}"
        message = _getDeprecationWarningString(subject, version, None, replacement)
        place = _position_of(name, function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if name in kwargs or (place is not None and len(args) > place):
                _warn(message)
            return function(*args, **kwargs)

        text = f"The {name!r} parameter was deprecated in {getVersionString(version)}"
        _appendToDocstring(wrapped, f"{text}{_named(replacement)}.")
        return cast(_F, wrapped)

    return decorate


def _position_of(name: str, function: Callable[..., Any]) -> int | None:
    """Where among the positional arguments one is; None if it has only a name."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    for index, parameter in enumerate(inspect.signature(function).parameters.values()):
        if parameter.name == name:
            return index if parameter.kind in kinds else None
    raise ValueError(f"{_fullyQualifiedName(function)} has no parameter {name!r}")


# -- what a module has --------------------------------------------------------


class _DeprecatingModule(ModuleType):
    """The class of a module some of whose attributes are deprecated."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        messages = super().__getattribute__("__dict__")["__deprecated_attributes__"]
        if name in messages and not _is_import(sys._getframe(1).f_code.co_filename):
            _warn(messages[name])
        return value


def _is_import(filename: str) -> bool:
    """Whether it is Python's import that asks: `from package import module` asks twice."""
    return filename.startswith("<frozen importlib")


def deprecatedModuleAttribute(version: Any, message: str, moduleName: str, name: str) -> None:
    """
    Declare that an attribute of a module is deprecated: getting it warns.

    From now on every attribute of the module takes longer to get. Inside the
    module its names are as they were.

    Args:
        version: the `Version` in which it was deprecated.
        message: what to say of it besides.
        moduleName: the module's name; it has to be imported, or be imported just
            now.
        name: the attribute's name. It may come later.
    """
    module = sys.modules[moduleName]
    messages = vars(module).setdefault("__deprecated_attributes__", {})
    messages[name] = _getDeprecationWarningString(
        f"{moduleName}.{name}", version, f"{DEPRECATION_WARNING_FORMAT}: {message}"
    )
    if not isinstance(module, _DeprecatingModule):
        module.__class__ = _DeprecatingModule


def warnAboutFunction(offender: Any, warningString: str) -> None:
    """
    Warn of how a function is written: in its file, in its last line.

    Args:
        offender: the function.
        warningString: what is wrong.
    """
    module = sys.modules[offender.__module__]
    # Later versions of Python have None for code that is in no line.
    starts: Iterator[tuple[int, int | None]] = dis.findlinestarts(offender.__code__)
    lines = [line for _, line in starts if line is not None]
    warnings.warn_explicit(
        warningString,
        category=DeprecationWarning,
        filename=inspect.getabsfile(module),
        lineno=max(lines),
        module=module.__name__,
        registry=offender.__globals__.setdefault("__warningregistry__", {}),
        module_globals=None,
    )
