"""
What a user may do with files: the avatars of FTP.

Every path is a sequence of names from the root of the shell. Nothing leads out
of that, neither ".." nor a symbolic link. The file system is asked in threads.
"""

from __future__ import annotations

import fnmatch
import functools
import grp
import os
import pwd
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from zope.interface import implementer

from reactorlib.internet.defer import Deferred, fail
from reactorlib.protocols.ftp._errors import (
    AnonUserDeniedError,
    FileNotFoundError,
    IsADirectoryError,
    IsNotADirectoryError,
    PermissionDeniedError,
    error_for,
)
from reactorlib.protocols.ftp._files import _FileReader, _FileWriter, off_loop
from reactorlib.protocols.ftp._interfaces import IFTPShell
from reactorlib.python.filepath import FilePath, InsecurePath, Permissions

__all__ = ["FTPAnonymousShell", "FTPShell", "_isGlobbingExpression", "matching"]

# What a name means where a method is called `list`.
_Facts = list[Any]
_Listed = list[tuple[str, _Facts]]

_GLOB = re.compile(r"[*?]|\[.*\]")

_S = TypeVar("_S")
_P = ParamSpec("_P")
_T = TypeVar("_T")
_Path = Sequence[str]


def _blocking(
    method: Callable[Concatenate[_S, _Path, _P], _T],
) -> Callable[Concatenate[_S, _Path, _P], Deferred[_T]]:
    """A method that waits for the file system: calling it gives a Deferred."""

    def translated(self: _S, path: _Path, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(self, path, *args, **kwargs)
        except OSError as error:
            raise error_for(error, path) from error

    @functools.wraps(method)
    def call(self: _S, path: _Path, /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return off_loop(translated, self, path, *args, **kwargs)

    return call


def _opening(
    method: Callable[Concatenate[_S, _Path, _P], Any],
) -> Callable[Concatenate[_S, _Path, _P], Deferred[Any]]:
    """The same, for what opens a file: one that nobody waits for any more is closed."""
    begin = _blocking(method)

    @functools.wraps(method)
    def call(self: _S, path: _Path, /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[Any]:
        wanted: Deferred[Any] = Deferred()

        def opened(file: Any) -> None:
            if wanted.called:
                off_loop(file.fObj.close)
            else:
                wanted.callback(file)

        def failed(failure: Any) -> None:
            if not wanted.called:
                wanted.errback(failure)

        begin(self, path, *args, **kwargs).addCallbacks(opened, failed)
        return wanted

    return call


def _isGlobbingExpression(segments: Sequence[str] | None = None) -> bool:
    """Whether the last name is a shell pattern."""
    return bool(segments) and _GLOB.search(segments[-1]) is not None  # type: ignore[index]


@implementer(IFTPShell)
class FTPAnonymousShell:
    """
    A directory that can be read, and not changed.

    Args:
        filesystemRoot: the directory, a `FilePath`.
    """

    def __init__(self, filesystemRoot: FilePath[str]) -> None:
        self.filesystemRoot = filesystemRoot

    def _path(self, path: Sequence[str]) -> FilePath[str]:
        """
        The file of that name.

        Raises:
            FileNotFoundError: it would be outside.
        """
        try:
            found = self.filesystemRoot.descendant(path)
        except (InsecurePath, ValueError):
            raise FileNotFoundError(path) from None
        root = os.path.realpath(self.filesystemRoot.path)
        real = os.path.realpath(found.path)
        if real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
            raise FileNotFoundError(path)
        return self.filesystemRoot.clonePath(found.path)

    def makeDirectory(self, path: Sequence[str]) -> Deferred[None]:
        """Fails with `AnonUserDeniedError`."""
        return fail(AnonUserDeniedError())

    def removeDirectory(self, path: Sequence[str]) -> Deferred[None]:
        """Fails with `AnonUserDeniedError`."""
        return fail(AnonUserDeniedError())

    def removeFile(self, path: Sequence[str]) -> Deferred[None]:
        """Fails with `AnonUserDeniedError`."""
        return fail(AnonUserDeniedError())

    def rename(self, fromPath: Sequence[str], toPath: Sequence[str]) -> Deferred[None]:
        """Fails with `AnonUserDeniedError`."""
        return fail(AnonUserDeniedError())

    def receive(self, path: Sequence[str]) -> Deferred[Any]:
        """Fails with `AnonUserDeniedError`."""
        return fail(AnonUserDeniedError())

    def openForWriting(self, path: Sequence[str]) -> Deferred[Any]:
        """Fails with `PermissionDeniedError`."""
        return fail(PermissionDeniedError(path))

    @_opening
    def openForReading(self, path: Sequence[str]) -> Any:
        """A Deferred with an `IReadFile`."""
        found = self._path(path)
        if found.isdir():
            raise IsADirectoryError(path)
        if found.exists() and not found.isfile():
            raise PermissionDeniedError(path)
        return _FileReader(found.open("r"))

    @_blocking
    def access(self, path: Sequence[str]) -> None:
        """A Deferred that fires if it is a directory that can be listed."""
        found = self._path(path)
        if not found.exists():
            raise FileNotFoundError(path)
        if not found.isdir():
            raise IsNotADirectoryError(path)
        if not os.access(found.path, os.R_OK | os.X_OK):
            raise PermissionDeniedError(path)

    @_blocking
    def stat(self, path: Sequence[str], keys: Iterable[str] = ()) -> _Facts:
        """A Deferred with the facts asked for."""
        found = self._path(path)
        if not (found.isdir() or found.isfile()):
            raise FileNotFoundError(path)
        return self._stat_node(found, keys)

    @_blocking
    def list(self, path: Sequence[str], keys: Iterable[str] = ()) -> _Listed:
        """A Deferred with a name and the facts asked for, for each file."""
        keys = [*keys]
        found = self._path(path)
        if found.isdir():
            names = found.listdir()
            children = [found.child(name) for name in names]
        elif found.isfile():
            names = ["/".join(found.segmentsFrom(self.filesystemRoot))]
            children = [found]
        else:
            raise FileNotFoundError(path)
        listed: _Listed = []
        for name, child in zip(names, children, strict=True):
            try:
                listed.append((name, self._stat_node(child, keys) if keys else []))
            except OSError:
                continue  # gone meanwhile, or a link to nowhere
        return listed

    def _stat_node(self, found: FilePath[str], keys: Iterable[str]) -> _Facts:
        found.restat()
        return [getattr(self, f"_stat_{key}")(found) for key in keys]

    def _stat_size(self, found: FilePath[str]) -> int:
        return found.getsize()

    def _stat_permissions(self, found: FilePath[str]) -> Permissions:
        return found.getPermissions()

    def _stat_hardlinks(self, found: FilePath[str]) -> int:
        try:
            return found.getNumberOfHardLinks()
        except NotImplementedError:
            return 0

    def _stat_modified(self, found: FilePath[str]) -> float:
        return found.getModificationTime()

    def _stat_owner(self, found: FilePath[str]) -> str:
        try:
            number = found.getUserID()
        except NotImplementedError:
            return "0"
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return str(number)

    def _stat_group(self, found: FilePath[str]) -> str:
        try:
            number = found.getGroupID()
        except NotImplementedError:
            return "0"
        try:
            return grp.getgrgid(number).gr_name
        except KeyError:
            return str(number)

    def _stat_directory(self, found: FilePath[str]) -> bool:
        return found.isdir()


class FTPShell(FTPAnonymousShell):
    """
    A directory that can be read and changed.

    Args:
        filesystemRoot: the directory, a `FilePath`. It cannot itself be removed
            or renamed.
    """

    def _change(self, path: Sequence[str]) -> FilePath[str]:
        found = self._path(path)
        if found == self.filesystemRoot:
            raise PermissionDeniedError(path)
        return found

    @_blocking
    def makeDirectory(self, path: Sequence[str]) -> None:
        """A Deferred that fires when the directory is there, and those that it is in."""
        self._path(path).makedirs()

    @_blocking
    def removeDirectory(self, path: Sequence[str]) -> None:
        """A Deferred that fires when the empty directory is gone."""
        os.rmdir(self._change(path).path)

    @_blocking
    def removeFile(self, path: Sequence[str]) -> None:
        """A Deferred that fires when the file is gone."""
        found = self._change(path)
        if found.isdir() and not found.islink():
            raise IsADirectoryError(path)
        os.remove(found.path)

    @_blocking
    def rename(self, fromPath: Sequence[str], toPath: Sequence[str]) -> None:
        """A Deferred that fires when the file or directory has its new name."""
        self._change(fromPath).moveTo(self._change(toPath))

    @_opening
    def openForWriting(self, path: Sequence[str]) -> Any:
        """A Deferred with an `IWriteFile`; what was in the file is gone."""
        return self._open_to_write(path, "w", None)

    @_opening
    def openForAppending(self, path: Sequence[str]) -> Any:
        """A Deferred with an `IWriteFile` that adds to the end."""
        return self._open_to_write(path, "a", None)

    @_opening
    def openForWritingAt(self, path: Sequence[str], offset: int) -> Any:
        """A Deferred with an `IWriteFile` that goes on at an offset, in bytes."""
        return self._open_to_write(path, "r+", offset)

    def _open_to_write(self, path: Sequence[str], mode: Any, offset: int | None) -> Any:
        found = self._path(path)
        if found.isdir():
            raise IsADirectoryError(path)
        if found.exists() and not found.isfile():
            raise PermissionDeniedError(path)
        file = found.open(mode)
        if offset is not None:
            file.truncate(offset)
            file.seek(offset)
        return _FileWriter(file)


def matching(pattern: str, listed: Iterable[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    """Those of a listing whose name a shell pattern matches."""
    return [entry for entry in listed if fnmatch.fnmatchcase(_text(entry[0]), pattern)]


def _text(name: Any) -> str:
    return os.fsdecode(name)
