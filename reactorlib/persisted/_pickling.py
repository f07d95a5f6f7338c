"""The style `pickle`: `.tap` files."""

from __future__ import annotations

import io
import pickle
from typing import Any

import reactorlib.persisted.styles  # noqa: F401  # by which modules can be pickled
from reactorlib.persisted._names import Allow, Finder
from reactorlib.persisted.error import DamagedFile, LoadError, SaveError

__all__ = ["dumps", "loads"]

#: Not the newest: every Python that this runs on reads it.
_PROTOCOL = 4


def dumps(obj: Any) -> bytes:
    """
    Pickle.

    Raises:
        SaveError: something in it cannot be pickled.
    """
    file = io.BytesIO()
    try:
        pickle.Pickler(file, _PROTOCOL).dump(obj)
    except RecursionError as cause:
        raise SaveError("cannot be pickled: it is nested too deeply") from cause
    except Exception as cause:
        raise SaveError(f"cannot be pickled: {_one_line(cause)}") from cause
    return file.getvalue()


def loads(data: bytes, allow: Allow = None) -> Any:
    """
    Unpickle what is trusted, whose names can be limited.

    Raises:
        LoadError: it is damaged, or names what is gone or may not be named.
    """
    _check(data)
    file = io.BytesIO(data)
    try:
        loaded = _Unpickler(file, Finder(allow)).load()
    except LoadError:
        raise
    except Exception as cause:
        # Bytes that are no pickle raise next to anything; so do the objects' own
        # methods.
        raise DamagedFile(f"cannot be unpickled: {_one_line(cause)}") from cause
    if file.read(1):
        raise DamagedFile("is damaged: there is something after the end of the pickle")
    return loaded


def _check(data: bytes) -> None:
    """
    Raise DamagedFile if a pickle is cut off, or asks for memory that it cannot need.

    A memo with a number from damaged bytes is an array of that size to the unpickler:
    gigabytes, and minutes.
    """
    import pickletools

    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(data):
                raise DamagedFile("is damaged: it numbers more objects than it has bytes")
    except LoadError:
        raise
    except Exception as cause:
        raise DamagedFile(f"is cut off, or is no pickle: {_one_line(cause)}") from cause


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, finder: Finder) -> None:
        super().__init__(file)
        self._finder = finder

    def find_class(self, module: str, name: str) -> Any:
        # Pickles of Python 2 call these modules something else.
        module = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module)
        return self._finder.find(module, name)


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
