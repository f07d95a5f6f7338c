"""
A database in a folder: a file for each key.

    db = dirdbm.open("users.dirdbm")
    db[b"paul"] = b"joined 1962"

It is for hundreds of things rather than for millions. A value is written as a file
of its own beside the old one, which it then replaces: whoever reads, or opens the
database after a crash, finds one or the other whole. The names of files are those
that Twisted gives them: the key in base64, with `-` for `/` and `_` for line ends.

A `Shelf` keeps any objects that can be pickled. It reads none that somebody other
than its owner can have written.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import os
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Self

from reactorlib.persisted import _pickling, styles
from reactorlib.persisted._names import Allow
from reactorlib.persisted._trust import read_trusted
from reactorlib.persisted.error import LoadError

__all__ = ["DirDBM", "Shelf", "open"]

#: How names of files end that are being written; what ends so was never finished.
_NEW = b".new"
#: The same, of Twisted: finished, and to take the place of the file without this ending.
_REPLACEMENT = b".rpl"


class DirDBM:
    """
    Bytes by keys of bytes.

    A key is not empty, and at most of some 180 bytes: its file's name has to be one.

    Args:
        name: the folder, which is made if it is not there.

    Attributes:
        dname: the folder, as bytes.

    Raises:
        OSError: the folder cannot be made or read.
    """

    #: Before the umask.
    _mode = 0o666

    def __init__(self, name: bytes | str | os.PathLike[str] | os.PathLike[bytes]) -> None:
        self.dname = os.path.abspath(os.fsencode(name))
        try:
            os.mkdir(self.dname, self._mode | (self._mode & 0o444) >> 2)
        except FileExistsError:
            self._recover()

    def _recover(self) -> None:
        """Finish or undo what a crash has left half done."""
        for name in os.listdir(self.dname):
            path = os.path.join(self.dname, name)
            if name.endswith(_NEW):
                os.unlink(path)
            elif name.endswith(_REPLACEMENT):
                if os.path.exists(path.removesuffix(_REPLACEMENT)):
                    os.unlink(path)
                else:
                    os.replace(path, path.removesuffix(_REPLACEMENT))

    def _encode(self, key: bytes) -> bytes:
        return base64.encodebytes(key).replace(b"\n", b"_").replace(b"/", b"-")

    def _decode(self, name: bytes) -> bytes | None:
        """The key of a file; None for what is no file of the database."""
        try:
            key = base64.b64decode(name.replace(b"_", b"").replace(b"-", b"/"), validate=True)
        except binascii.Error:
            return None
        return key if self._encode(key) == name else None

    def _path(self, key: bytes) -> bytes:
        if not isinstance(key, bytes):
            raise TypeError(f"keys are bytes, and not {type(key).__name__}: {key!r}")
        if not key:
            raise ValueError("the key is empty")
        return os.path.join(self.dname, self._encode(key))

    # -- what a value is in a file --------------------------------------------

    def _dump(self, value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise TypeError(f"values are bytes, and not {type(value).__name__}: {value!r}")
        return value

    def _load(self, path: bytes) -> Any:
        with builtins.open(path, "rb") as file:
            return file.read()

    # -- one ------------------------------------------------------------------

    def __setitem__(self, key: bytes, value: Any) -> None:
        """
        Set the value of a key; the old one is there until the new one is whole.

        Raises:
            TypeError: the key is no bytes, or the value cannot be kept.
            ValueError: the key is empty.
            OSError: the file cannot be written; the old value is there.
        """
        path, data = self._path(key), self._dump(value)
        # Under a name of its own: several threads or processes may be at it.
        temporary = os.path.join(self.dname, secrets.token_hex(16).encode() + _NEW)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        handle = os.open(temporary, flags, self._mode)
        try:
            with builtins.open(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def __getitem__(self, key: bytes) -> Any:
        """The value of a key; KeyError if there is none."""
        path = self._path(key)
        try:
            return self._load(path)
        except FileNotFoundError:
            raise KeyError(key) from None

    def __delitem__(self, key: bytes) -> None:
        """Remove a key and its value; KeyError if there is none."""
        path = self._path(key)
        try:
            os.unlink(path)
        except FileNotFoundError:
            raise KeyError(key) from None

    def __contains__(self, key: bytes) -> bool:
        return os.path.isfile(self._path(key))

    def has_key(self, key: bytes) -> bool:
        """Whether there is a value for a key."""
        return key in self

    def get(self, key: bytes, default: Any = None) -> Any:
        """The value of a key, or `default` if there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: bytes, value: Any) -> Any:
        """The value of a key, which is set to `value` if there is none."""
        if key not in self:
            self[key] = value
        return self[key]

    def getModificationTime(self, key: bytes) -> float:
        """When the value of a key was set, in seconds since 1970; KeyError if there is none."""
        path = self._path(key)
        try:
            return os.path.getmtime(path)
        except FileNotFoundError:
            raise KeyError(key) from None

    # -- all ------------------------------------------------------------------

    def keys(self) -> list[bytes]:
        """The keys, in no order."""
        decoded = (self._decode(name) for name in os.listdir(self.dname))
        return [key for key in decoded if key is not None]

    def values(self) -> list[Any]:
        """The values, in no order."""
        return [value for _, value in self.items()]

    def items(self) -> list[tuple[bytes, Any]]:
        """Pairs of keys and values, in no order."""
        return [(key, self[key]) for key in self.keys()]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def update(self, other: Mapping[bytes, Any]) -> None:
        """Set the values of all the keys of another mapping."""
        for key, value in other.items():
            self[key] = value

    def clear(self) -> None:
        """Remove all keys."""
        for key in self.keys():
            del self[key]

    def copyTo(self, path: bytes | str) -> Self:
        """
        Copy all into another folder, in which nothing else is left.

        Returns:
            the database there.
        """
        other = self._other(path)
        if os.path.samefile(other.dname, self.dname):
            raise ValueError("a database cannot be copied to where it is")
        other.clear()
        for key in self.keys():
            other[key] = self[key]
        return other

    def _other(self, path: bytes | str) -> Self:
        """A database elsewhere that is like this one."""
        return type(self)(path)

    def close(self) -> None:
        """Nothing is open between two calls: this is for programs that close any database."""


class Shelf(DirDBM):
    """
    Objects by keys of bytes. They are pickled into files for their owner only.

    Args:
        name: the folder, which is made if it is not there.
        allow: what the pickles may name; see `reactorlib.persisted.sob.load`.
    """

    _mode = 0o600

    def __init__(
        self, name: bytes | str | os.PathLike[str] | os.PathLike[bytes], allow: Allow = None
    ) -> None:
        self._allow = allow
        super().__init__(name)

    def _other(self, path: bytes | str) -> Self:
        other = super()._other(path)
        # Not an argument: a subclass may take others.
        other._allow = self._allow
        return other

    def _dump(self, value: Any) -> bytes:
        return _pickling.dumps(value)

    def _load(self, path: bytes) -> Any:
        """As `sob.load` does, whose errors it raises."""
        filename = os.fsdecode(path)
        try:
            with styles.loading():
                return _pickling.loads(read_trusted(filename), self._allow)
        except LoadError as error:
            error.filename = filename
            raise


def open(file: bytes | str, flag: str | None = None, mode: int | None = None) -> DirDBM:
    """
    Open a database, as `dbm.open` does.

    Args:
        file: the folder.
        flag, mode: not looked at.
    """
    return DirDBM(file)
