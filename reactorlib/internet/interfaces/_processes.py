"""Processes: starting one, talking with it, and hearing of its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

from reactorlib.internet.interfaces._streams import ITransport

if TYPE_CHECKING:
    from reactorlib.python.failure import Failure


class IReactorProcess(Interface):
    """Other programs, as processes."""

    def spawnProcess(
        processProtocol: Any,
        executable: bytes | str,
        args: Sequence[bytes | str] = (),
        env: Mapping[Any, Any] | None = {},
        path: bytes | str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: Any = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> IProcessTransport:
        """
        Start a program, at once.

        Args:
            processProtocol: who is told what it writes, and how it ends.
            executable: the program's path. A name without a slash is looked for
                along this process's own PATH.
            args: its arguments, by custom the program's name first.
            env: its environment; None for this process's own. It is empty
                unless given.
            path: the folder that it starts in; None for the current one.
            uid: the number of the user to run it as, with that user's
                supplementary groups.
            gid: the number of the group to run it as.
            usePTY: whether it gets a terminal of its own for its input and
                output; or such a terminal, as `(master, slave, ttyname)`.
            childFDs: what its file descriptors are: "w" for a pipe that we
                write and it reads, "r" for one that it writes and we read, and
                a number for that descriptor of this process. Others are
                closed. By default 0 is "w", 1 and 2 are "r".

        Raises:
            OSError: it could not be started: there is no such program or
                folder, it may not be run, or the system has no room for it.
            ValueError: an argument cannot be right.
        """


class IProcessTransport(ITransport):
    """A process, as its protocol sees it."""

    pid: int | None = Attribute(
        "The number of the process, from before `makeConnection` until it has ended; then None."
    )

    def closeStdin() -> None:
        """Close its input once everything written has left."""

    def closeStdout() -> None:
        """Read its output no more, and close our end of it."""

    def closeStderr() -> None:
        """Read its error output no more, and close our end of it."""

    def closeChildFD(descriptor: int) -> None:
        """Close our end of what is `descriptor` to the process, once everything has left."""

    def writeToChild(childFD: int, data: bytes) -> None:
        """
        Write to one of its descriptors.

        Raises:
            KeyError: that descriptor was not given to it as one to read from.
        """

    def loseConnection() -> None:
        """Close its input, output and error output. It is not told to end otherwise."""

    def signalProcess(signalID: str | int) -> None:
        """
        Send it a signal.

        Args:
            signalID: "KILL", "TERM", "INT", or the rest of another signal's
                name; or a number.

        Raises:
            ProcessExitedAlready: it has ended.
            OSError: it may not be signalled by us.
        """


class IProcessProtocol(Interface):
    """Who is told of what a process does."""

    def makeConnection(process: IProcessTransport) -> None:
        """Take the transport; called once, when the process has been started."""

    def childDataReceived(childFD: int, data: bytes) -> None:
        """The process has written to its descriptor `childFD`."""

    def childConnectionLost(childFD: int) -> None:
        """What is `childFD` to the process is closed, at its end or at ours."""

    def processExited(reason: Failure) -> None:
        """
        The process has ended. What it has written may still be on its way.

        Args:
            reason: holds `ProcessDone` or `ProcessTerminated`.
        """

    def processEnded(reason: Failure) -> None:
        """
        The process has ended, and everything that connected us is closed: called
        once, last.

        Args:
            reason: as for `processExited`.
        """
