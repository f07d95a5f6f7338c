"""
What differed between versions of Python, under one name.

New code has little use for it, beside `nativeString`, `networkString`,
`iterbytes`, `ioType`, `cmp` and `comparable`.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from types import FrameType, TracebackType
from typing import Any, NoReturn, TypeVar

from reactorlib.python.deprecate import deprecated
from reactorlib.python.reflect import namedAny
from reactorlib.python.versions import Version

__all__ = [
    "bytesEnviron",
    "cmp",
    "comparable",
    "currentframe",
    "execfile",
    "intToBytes",
    "ioType",
    "items",
    "iterbytes",
    "iteritems",
    "itervalues",
    "lazyByteSlice",
    "nativeString",
    "networkString",
    "reraise",
]

_T = TypeVar("_T")
_SINCE = Version("Twisted", 21, 2, 0)
_PYPY = sys.implementation.name == "pypy"


class _InstanceType:
    """The class of what had none, in Python 2."""


_InstanceType.__name__ = _InstanceType.__qualname__ = "InstanceType"

#: Each deprecated name, where it is, and what to do. They are looked up when they are asked for.
_GONE = {
    "FileType": ("io.IOBase", "Obsolete alias for io.IOBase"),
    "InstanceType": (f"{__name__}._InstanceType", "Old-style classes don't exist in Python 3"),
    "NativeStringIO": ("io.StringIO", "Use io.StringIO directly"),
    "Sequence": ("collections.abc.Sequence", "Use collections.abc.Sequence directly"),
    "StringType": ("builtins.str", "Obsolete alias for str builtin type"),
    "cookielib": ("http.cookiejar", "Use http.cookiejar directly"),
    "escape": ("html.escape", "Use html.escape directly"),
    "frozenset": ("builtins.frozenset", "Obsolete alias for frozenset builtin type"),
    "intern": ("sys.intern", "Use sys.intern() directly"),
    "range": ("builtins.range", "Obsolete alias for range() builtin"),
    "raw_input": ("builtins.input", "Obsolete alias for input() builtin"),
    "reduce": ("functools.reduce", "Use functools.reduce() directly"),
    "set": ("builtins.set", "Obsolete alias for set builtin type"),
    "unichr": ("builtins.chr", "Obsolete alias for chr() builtin"),
    "unicode": ("builtins.str", "Obsolete alias for str builtin type"),
    "urllib_parse": ("urllib.parse", "Import urllib.parse directly"),
    "urlquote": ("urllib.parse.quote", "Use urllib.parse.quote() directly"),
    "urlunquote": ("urllib.parse.unquote", "Use urllib.parse.unquote() directly"),
    "xrange": ("builtins.range", "Obsolete alias for range() builtin"),
}


def __getattr__(name: str) -> Any:
    try:
        place, message = _GONE[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    warnings.warn(
        f"{__name__}.{name} was deprecated in Twisted 21.2.0: {message}",
        DeprecationWarning,
        stacklevel=2,
    )
    return namedAny(place)


def cmp(a: Any, b: Any) -> int:
    """-1, 0 or 1, as `a` is smaller than `b`, equal, or greater."""
    if a < b:
        return -1
    return 0 if a == b else 1


def comparable(klass: type[_T]) -> type[_T]:
    """
    Decorate a class that has a method `__cmp__`: its instances can be compared.

    The method returns a number below, equal to or above 0, or NotImplemented.
    """

    def __eq__(self: Any, other: object) -> bool:
        order: Any = self.__cmp__(other)
        return order if order is NotImplemented else order == 0

    def __ne__(self: Any, other: object) -> bool:
        order: Any = self.__cmp__(other)
        return order if order is NotImplemented else order != 0

    def __lt__(self: Any, other: object) -> bool:
        order: Any = self.__cmp__(other)
        return order if order is NotImplemented else order < 0

    def __le__(self: Any, other: object) -> bool:
        order: Any = self.__cmp__(other)
        return order if order is NotImplemented else order <= 0

    def __gt__(self: Any, other: object) -> bool:
        order: Any = self.__cmp__(other)
        return order if order is NotImplemented else order > 0

    def __ge__(self: Any, other: object) -> bool:
        order: Any = self.__cmp__(other)
        return order if order is NotImplemented else order >= 0

    for method in (__eq__, __ne__, __lt__, __le__, __gt__, __ge__):
        setattr(klass, method.__name__, method)
    return klass


def ioType(fileIshObject: Any, default: Any = str) -> Any:
    """
    What a file gives and takes: `str` or `bytes`.

    Args:
        fileIshObject: the file, or something like one.
        default: the answer where that cannot be told.
    """
    if isinstance(fileIshObject, io.TextIOBase):
        return str
    if isinstance(fileIshObject, io.IOBase):
        return bytes
    encoding = getattr(fileIshObject, "encoding", None)
    if isinstance(fileIshObject, (codecs.StreamReader, codecs.StreamReaderWriter)):
        return str if encoding else bytes
    return default


def currentframe(n: int = 0) -> FrameType | None:
    """The frame of the caller, or of the one `n` calls before it; None if there are not so many."""
    try:
        return sys._getframe(n + 1)
    except ValueError:
        return None


def nativeString(s: str | bytes) -> str:
    """
    `s` as `str`.

    Raises:
        UnicodeError: there is more than ASCII in it.
        TypeError: it is neither bytes nor text.
    """
    if isinstance(s, bytes):
        return s.decode("ascii")
    if isinstance(s, str):
        s.encode("ascii")
        return s
    raise TypeError(f"{s!r} is neither bytes nor str")


def networkString(s: str) -> bytes:
    """
    `s` as bytes.

    Raises:
        UnicodeError: there is more than ASCII in it.
        TypeError: it is not text.
    """
    if not isinstance(s, str):
        raise TypeError(f"networkString takes a str, not {s!r}")
    return s.encode("ascii")


def iterbytes(originalBytes: bytes) -> Iterator[bytes]:
    """The single bytes, as bytes."""
    for index in range(len(originalBytes)):
        yield originalBytes[index : index + 1]


def lazyByteSlice(object: Any, offset: int = 0, size: int | None = None) -> memoryview:
    """A view of `size` bytes from `offset` on, or of all; nothing is copied."""
    view = memoryview(object)
    return view[offset:] if size is None else view[offset : offset + size]


def execfile(
    filename: str | bytes, globals: dict[str, Any], locals: Mapping[str, Any] | None = None
) -> None:
    """Run a Python file in namespaces; `locals` are the `globals` if they are not given."""
    with open(filename, "rb") as file:
        code = compile(file.read(), filename, "exec", dont_inherit=True)
    exec(code, globals, globals if locals is None else locals)  # noqa: S102


@deprecated(_SINCE, "raise exception.with_traceback(traceback)")
def reraise(exception: BaseException, traceback: TracebackType | None) -> NoReturn:
    """Raise an exception, with a traceback of another place or, for None, a new one."""
    raise exception.with_traceback(traceback)


@deprecated(_SINCE, "b'%d'")
def intToBytes(i: int) -> bytes:
    """The decimal digits of a number."""
    return b"%d" % i


@deprecated(_SINCE, "list(d.items())")
def items(d: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """The pairs of a dictionary, in a list."""
    return list(d.items())


@deprecated(_SINCE, "d.items()")
def iteritems(d: Mapping[Any, Any]) -> Any:
    """The pairs of a dictionary."""
    return d.items()


@deprecated(_SINCE, "d.values()")
def itervalues(d: Mapping[Any, Any]) -> Any:
    """The values of a dictionary."""
    return d.values()


@deprecated(_SINCE, "os.environb")
def bytesEnviron() -> dict[bytes, bytes]:
    """The environment's variables as bytes. Not on Windows."""
    return dict(os.environb)
