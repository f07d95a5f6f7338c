"""Files that a reactor watches: sockets, pipes, terminals, by their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Interface

from reactorlib.internet.interfaces._streams import ILoggingContext

if TYPE_CHECKING:
    from reactorlib.python.failure import Failure


class IFileDescriptor(ILoggingContext):
    """Something with a file that the operating system knows by a number."""

    def fileno() -> int:
        """The number, always the same; -1 once there is no file any more."""

    def connectionLost(reason: Failure) -> None:
        """The file is of no more use, for this reason: nobody watches it any more."""


class IReadDescriptor(IFileDescriptor):
    """A file to read from."""

    def doRead() -> Failure | Exception | None:
        """
        There is something to read, or its end.

        Returns:
            None; or why the file is of no more use, as `CONNECTION_DONE`.
        """


class IWriteDescriptor(IFileDescriptor):
    """A file to write to."""

    def doWrite() -> Failure | Exception | None:
        """
        There is room to write.

        Returns:
            None; or why the file is of no more use, as `CONNECTION_LOST`.
        """


class IReadWriteDescriptor(IReadDescriptor, IWriteDescriptor):
    """A file to read from and to write to."""


class IHalfCloseableDescriptor(Interface):
    """A file of which one direction can end before the other."""

    def writeConnectionLost(reason: Failure) -> None:
        """Nothing more can be written."""

    def readConnectionLost(reason: Failure) -> None:
        """Nothing more will come."""


class IReactorFDSet(Interface):
    """A reactor that watches files."""

    def addReader(reader: IReadDescriptor) -> None:
        """Call `reader.doRead` whenever there is something to read, until it is removed."""

    def addWriter(writer: IWriteDescriptor) -> None:
        """Call `writer.doWrite` whenever there is room to write, until it is removed."""

    def removeReader(reader: IReadDescriptor) -> None:
        """Call its `doRead` no more. It does nothing for one that is not there."""

    def removeWriter(writer: IWriteDescriptor) -> None:
        """Call its `doWrite` no more. It does nothing for one that is not there."""

    def removeAll() -> list[IReadDescriptor | IWriteDescriptor]:
        """Remove all, and return them, each once."""

    def getReaders() -> list[IReadDescriptor]:
        """Those that are watched for something to read."""

    def getWriters() -> list[IWriteDescriptor]:
        """Those that are watched for room to write."""


class IReactorWin32Events(Interface):
    """
    A reactor that watches Windows' events.

    It is for programs that ask for it, or have a reactor of that kind to test with: asyncio's
    loops wait for no such events, and no reactor here provides this.
    """

    def addEvent(event: Any, fd: Any, action: str) -> None:
        """
        Call a method whenever an event is set.

        Args:
            event: its handle.
            fd: an `IFileDescriptor`-like object, which is also told of the loss.
            action: the name of the method of `fd`.
        """

    def removeEvent(event: Any) -> None:
        """Watch an event no more."""
