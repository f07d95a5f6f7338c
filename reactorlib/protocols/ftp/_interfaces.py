"""What the server wants of a user's files: shells, and files to read and to write."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface

from reactorlib.internet.interfaces import IConsumer

__all__ = ["IFTPShell", "IFinishableConsumer", "IReadFile", "IWriteFile"]


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
