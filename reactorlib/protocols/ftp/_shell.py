"""
What a user may do with files: the avatars of FTP.

Every path is a sequence of names from the root of the shell. Nothing leads out
of that, neither ".." nor a symbolic link.
"""

from __future__ import annotations

import fnmatch
import grp
import os
import pwd
import re
from collections.abc import Iterable, Sequence
from typing import Any

from zope.interface import Interface, implementer

from reactorlib.internet.defer import Deferred, fail, succeed
from reactorlib.internet.interfaces import IConsumer
from reactorlib.protocols.ftp._errors import (
    AnonUserDeniedError,
    FileNotFoundError,
    IsADirectoryError,
    IsNotADirectoryError,
    PermissionDeniedError,
    errnoToFailure,
)
from reactorlib.python.filepath import FilePath, InsecurePath, Permissions

__all__ = [
    "FTPAnonymousShell",
    "FTPShell",
    "FileConsumer",
    "IFTPShell",
    "IFinishableConsumer",
    "IReadFile",
    "IWriteFile",
    "_FileReader",
    "_FileWriter",
    "_isGlobbingExpression",
]

# How much of a file is read at a time: as much as a socket takes at once.
_CHUNK = 1 << 16

# What a name means where a method is called `list`.
_Facts = list[Any]

_GLOB = re.compile(r"[*?]|\[.*\]")


class IFTPShell(Interface):
    """
    A user's view of files.

    Paths are sequences of names, text, from the user's root. Each method
    returns a Deferred, or is a coroutine; it fails with an `FTPCmdError`.

    What is optional: `openForAppending(path)`, and `openForWritingAt(path,
    offset)`, both as `openForWriting`, for APPE and for resuming an upload.
    """

    def makeDirectory(path: Any) -> Any:
        """Make a directory, and those that it is in."""

    def removeDirectory(path: Any) -> Any:
        """Remove an empty directory."""

    def removeFile(path: Any) -> Any:
        """Remove a file."""

    def rename(fromPath: Any, toPath: Any) -> Any:
        """Move a file or directory."""

    def access(path: Any) -> Any:
        """Fail unless it is a directory that can be listed."""

    def stat(path: Any, keys: Any = ()) -> Any:
        """
        Facts about a file, in the order of the keys.

        The keys are `size`, `directory`, `permissions`, `hardlinks`, `modified`,
        `owner` and `group`: bytes, a bool, `filepath.Permissions`, a number,
        seconds since the epoch, text, text.
        """

    def list(path: Any, keys: Any = ()) -> Any:
        """What is in a directory, or a file alone: pairs of a name and what `stat` gives."""

    def openForReading(path: Any) -> Any:
        """An `IReadFile`."""

    def openForWriting(path: Any) -> Any:
        """An `IWriteFile`, empty at first."""


class IReadFile(Interface):
    """
    A file to be read once.

    If it has a method `seek(offset)`, downloads can be resumed.
    """

    def send(consumer: Any) -> Any:
        """Write all of it to a consumer. A Deferred that fires when that is done."""


class IWriteFile(Interface):
    """A file to be written once."""

    def receive() -> Any:
        """A Deferred with the `IConsumer` that takes what is to be in it."""

    def close() -> Any:
        """Called when all is there. A Deferred that fires when it is safe."""


class IFinishableConsumer(IConsumer):
    """A consumer that is told of the end."""

    def finish() -> Any:
        """There is nothing more."""


def _isGlobbingExpression(segments: Sequence[str] | None = None) -> bool:
    """Whether the last name is a shell pattern."""
    return bool(segments) and _GLOB.search(segments[-1]) is not None  # type: ignore[index]


@implementer(IReadFile)
class _FileReader:
    """
    Reads a file of the system, as the consumer asks for more.

    It is the pull producer of that consumer.
    """

    def __init__(self, fObj: Any) -> None:
        self.fObj = fObj
        self._consumer: Any = None
        self._done: Deferred[None] | None = None

    def seek(self, offset: int) -> None:
        """Begin there."""
        self.fObj.seek(offset)

    def send(self, consumer: Any) -> Deferred[None]:
        if self._done is not None:
            raise RuntimeError("a file is sent once")
        done: Deferred[None] = Deferred(lambda _: self._finish(None))
        self._done = done
        self._consumer = consumer
        consumer.registerProducer(self, False)
        return done

    def resumeProducing(self) -> None:
        if self._consumer is None:
            return
        try:
            chunk = self.fObj.read(_CHUNK)
        except OSError as error:
            self._finish(error)
            return
        if chunk:
            self._consumer.write(chunk)
        else:
            self._finish(None)

    def stopProducing(self) -> None:
        """The consumer takes no more."""
        if self._consumer is not None:
            self._consumer = None
            self._end(ConnectionError("the data connection was closed"))

    def _finish(self, error: Exception | None) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.unregisterProducer()
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        self.fObj.close()
        assert self._done is not None
        if not self._done.called:
            if error is None:
                self._done.callback(None)
            else:
                self._done.errback(error)


@implementer(IConsumer)
class FileConsumer:
    """
    Writes what it is given into a file, and closes that at the end.

    Args:
        fObj: the file.
    """

    producer: Any = None

    def __init__(self, fObj: Any) -> None:
        self.fObj = fObj

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Writing begins."""
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Nothing more comes: the file is closed."""
        self.producer = None
        self.fObj.close()

    def write(self, bytes: Any) -> None:
        """Write."""
        self.fObj.write(bytes)


@implementer(IWriteFile)
class _FileWriter:
    """Writes a file of the system."""

    def __init__(self, fObj: Any) -> None:
        self.fObj = fObj
        self._received = False

    def receive(self) -> Deferred[Any]:
        if self._received:
            raise RuntimeError("a file is received once")
        self._received = True
        return succeed(FileConsumer(self.fObj))

    def close(self) -> Deferred[None]:
        if not self.fObj.closed:
            self.fObj.close()
        return succeed(None)


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

    def openForReading(self, path: Sequence[str]) -> Deferred[Any]:
        """A Deferred with an `IReadFile`."""
        try:
            found = self._path(path)
            if found.isdir():
                return fail(IsADirectoryError(path))
            if found.exists() and not found.isfile():
                return fail(PermissionDeniedError(path))
            return succeed(_FileReader(found.open("r")))
        except OSError as error:
            return errnoToFailure(error.errno, path)
        except FileNotFoundError as error:
            return fail(error)

    def access(self, path: Sequence[str]) -> Deferred[None]:
        """A Deferred that fires if it is a directory that can be listed."""
        try:
            found = self._path(path)
        except FileNotFoundError as error:
            return fail(error)
        if not found.exists():
            return fail(FileNotFoundError(path))
        if not found.isdir():
            return fail(IsNotADirectoryError(path))
        if not os.access(found.path, os.R_OK | os.X_OK):
            return fail(PermissionDeniedError(path))
        return succeed(None)

    def stat(self, path: Sequence[str], keys: Iterable[str] = ()) -> Deferred[list[Any]]:
        """A Deferred with the facts asked for."""
        try:
            found = self._path(path)
            if not (found.isdir() or found.isfile()):
                return fail(FileNotFoundError(path))
            return succeed(self._stat_node(found, keys))
        except OSError as error:
            return errnoToFailure(error.errno, path)
        except (AttributeError, FileNotFoundError) as error:
            return fail(error)

    def list(
        self, path: Sequence[str], keys: Iterable[str] = ()
    ) -> Deferred[list[tuple[str, list[Any]]]]:
        """A Deferred with a name and the facts asked for, for each file."""
        keys = list(keys)
        try:
            found = self._path(path)
            if found.isdir():
                names = found.listdir()
                children = [found.child(name) for name in names]
            elif found.isfile():
                names = ["/".join(found.segmentsFrom(self.filesystemRoot))]
                children = [found]
            else:
                return fail(FileNotFoundError(path))
            listed: list[tuple[str, list[Any]]] = []
            for name, child in zip(names, children, strict=True):
                try:
                    listed.append((name, self._stat_node(child, keys) if keys else []))
                except OSError:
                    continue  # gone meanwhile, or a link to nowhere
            return succeed(listed)
        except OSError as error:
            return errnoToFailure(error.errno, path)
        except (AttributeError, FileNotFoundError) as error:
            return fail(error)

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

    def makeDirectory(self, path: Sequence[str]) -> Deferred[None]:
        """A Deferred that fires when the directory is there, and those that it is in."""
        try:
            self._path(path).makedirs()
        except OSError as error:
            return errnoToFailure(error.errno, path)
        except FileNotFoundError as error:
            return fail(error)
        return succeed(None)

    def removeDirectory(self, path: Sequence[str]) -> Deferred[None]:
        """A Deferred that fires when the empty directory is gone."""
        try:
            os.rmdir(self._change(path).path)
        except OSError as error:
            return errnoToFailure(error.errno, path)
        except (FileNotFoundError, PermissionDeniedError) as error:
            return fail(error)
        return succeed(None)

    def removeFile(self, path: Sequence[str]) -> Deferred[None]:
        """A Deferred that fires when the file is gone."""
        try:
            found = self._change(path)
            if found.isdir() and not found.islink():
                return fail(IsADirectoryError(path))
            os.remove(found.path)
        except OSError as error:
            return errnoToFailure(error.errno, path)
        except (FileNotFoundError, PermissionDeniedError) as error:
            return fail(error)
        return succeed(None)

    def rename(self, fromPath: Sequence[str], toPath: Sequence[str]) -> Deferred[None]:
        """A Deferred that fires when the file or directory has its new name."""
        try:
            self._change(fromPath).moveTo(self._change(toPath))
        except OSError as error:
            return errnoToFailure(error.errno, fromPath)
        except (FileNotFoundError, PermissionDeniedError) as error:
            return fail(error)
        return succeed(None)

    def openForWriting(self, path: Sequence[str]) -> Deferred[Any]:
        """A Deferred with an `IWriteFile`; what was in the file is gone."""
        return self._open_to_write(path, "w", None)

    def openForAppending(self, path: Sequence[str]) -> Deferred[Any]:
        """A Deferred with an `IWriteFile` that adds to the end."""
        return self._open_to_write(path, "a", None)

    def openForWritingAt(self, path: Sequence[str], offset: int) -> Deferred[Any]:
        """A Deferred with an `IWriteFile` that goes on at an offset, in bytes."""
        return self._open_to_write(path, "r+", offset)

    def _open_to_write(self, path: Sequence[str], mode: Any, offset: int | None) -> Deferred[Any]:
        try:
            found = self._path(path)
            if found.isdir():
                return fail(IsADirectoryError(path))
            if found.exists() and not found.isfile():
                return fail(PermissionDeniedError(path))
            file = found.open(mode)
            if offset is not None:
                file.truncate(offset)
                file.seek(offset)
            return succeed(_FileWriter(file))
        except OSError as error:
            return errnoToFailure(error.errno, path)
        except FileNotFoundError as error:
            return fail(error)


def matching(pattern: str, listed: Iterable[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    """Those of a listing whose name a shell pattern matches."""
    return [entry for entry in listed if fnmatch.fnmatchcase(_text(entry[0]), pattern)]


def _text(name: Any) -> str:
    return os.fsdecode(name)
