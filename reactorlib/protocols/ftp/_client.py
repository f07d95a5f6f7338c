"""The client: transfers, files and directories."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from reactorlib.internet import reactor as _reactor
from reactorlib.internet.defer import Deferred, DeferredList, FirstError
from reactorlib.protocols.ftp._address import (
    decodeExtendedAddress,
    decodeHostPort,
    encodeHostPort,
    parsePWDResponse,
    plain_host,
)
from reactorlib.protocols.ftp._client_basic import FTPClientBasic, FTPCommand
from reactorlib.protocols.ftp._client_data import (
    FTPDataPortFactory,
    PassiveConnectionFactory,
    ProtocolWrapper,
    SenderProtocol,
)
from reactorlib.protocols.ftp._errors import CommandFailed
from reactorlib.python.failure import Failure

__all__ = ["FTPClient"]


def _unwrap(failure: Failure) -> Any:
    if isinstance(failure.value, FirstError):
        return failure.value.subFailure
    return failure


class FTPClient(FTPClientBasic):
    """
    Transfers and changes files.

    Each method returns a Deferred, which fails with `CommandFailed` if the
    server says no, with `ConnectionLost`, and in active mode with
    `CannotListenError`. Paths are text, sent as Latin-1; with a character that
    is not in it, or a carriage return, a method raises ValueError and sends
    nothing.

    Args:
        username, password: of the login, which begins with the connection.
        passive: whether the data connections go to the server, rather than from
            there to us.
        trustPasvAddr: whether to connect to whatever host the server names,
            rather than to the server.
    """

    def __init__(
        self,
        username: str = "anonymous",
        password: str | None = "anonymous@",  # noqa: S107
        passive: int = 1,
        trustPasvAddr: bool = False,
    ) -> None:
        super().__init__()
        self.queueLogin(username, password)
        self.passive = passive
        self._trustPasvAddr = trustPasvAddr

    def connectFactory(self, host: str, port: int, factory: Any) -> Any:
        """Connect, as `reactor.connectTCP`."""
        return _reactor.connectTCP(host, port, factory)

    def fail(self, error: Any) -> Any:
        """Something is wrong with the connection itself: hang up."""
        if self.transport is not None:
            self.transport.loseConnection()
        self._fail(error)

    def queueLogin(self, username: str, password: str | None) -> None:
        """Log in, and have files go as they are."""
        super().queueLogin(username, password)
        self.queueStringCommand("TYPE I", public=0).addErrback(self.fail)

    # Data connections.

    def receiveFromConnection(self, commands: Iterable[str], protocol: Any) -> Deferred[Any]:
        """
        Send commands, and give what comes of them to a protocol.

        Returns:
            a Deferred that fires when all has come and the server says so.
            Cancelling it closes the data connection.
        """
        return self._open_data(commands, ProtocolWrapper(protocol, Deferred()))

    def sendToConnection(self, commands: Iterable[str]) -> tuple[Deferred[Any], Deferred[Any]]:
        """
        Send commands, and then what they are about.

        Returns:
            two Deferreds: one with an `IFinishableConsumer`, and one that fires
            when the server has got all.
        """
        sender = SenderProtocol()
        done = self._open_data(commands, sender)

        def failed(failure: Failure) -> Failure:
            if not sender.connectedDeferred.called:
                sender.connectedDeferred.errback(failure)
            return failure

        done.addErrback(failed)
        return sender.connectedDeferred, done

    def _open_data(self, commands: Iterable[str], protocol: Any) -> Deferred[Any]:
        queue = [FTPCommand(text, public=1) for text in commands]
        self._check(*(command.text for command in queue))
        opener = FTPCommand(self._opening_command(), public=1)
        undo: list[Callable[[], Any]] = []

        def opened(response: list[str]) -> None:
            if self.passive:
                host, port = self._where(response[-1])
                connector = self.connectFactory(host, port, PassiveConnectionFactory(protocol))
                if connector is not None:
                    undo.append(connector.disconnect)

        def give_up(failure: Failure) -> Failure:
            # What would have used the connection is not sent, nor what would have opened it.
            for command in (opener, *queue):
                if command in self.actionQueue:
                    self.actionQueue.remove(command)
            for close in undo:
                close()
            port = getattr(opener, "port", None)
            if port is not None:
                port.stopListening()
            if protocol.transport is not None and protocol.transport is not self.transport:
                protocol.transport.loseConnection()
            return failure

        opener.protocol = protocol
        opener.transferDeferred = protocol.deferred
        opener.deferred.addCallback(opened)
        parts = [opener.deferred, *(command.deferred for command in queue), protocol.deferred]
        done: Deferred[Any] = DeferredList(parts, fireOnOneErrback=True, consumeErrors=True)
        done.addErrback(_unwrap)
        done.addErrback(give_up)
        self.queueCommand(opener)
        if not done.called:
            for command in queue:
                self.queueCommand(command)
        return done

    def _opening_command(self) -> str:
        if not self.passive:
            return "PORT"
        # RFC 2428 section 3: PASV cannot name an IPv6 address.
        peer = None if self.transport is None else getattr(self.transport.getPeer(), "host", None)
        return "EPSV" if peer is not None and ":" in plain_host(peer) else "PASV"

    def _where(self, reply: str) -> tuple[str, int]:
        if reply.startswith("229"):
            _, _, port = decodeExtendedAddress(reply[reply.find("(") + 1 : reply.rfind(")")])
            return self.transport.getPeer().host, port
        host, port = decodeHostPort(reply[4:])
        # A server behind address translation names one that leads nowhere; a wicked one, a third.
        return (host if self._trustPasvAddr else self.transport.getPeer().host), port

    def generatePortCommand(self, portCmd: Any) -> None:
        """Listen where the server can reach us, and say where in the command."""
        factory = FTPDataPortFactory()
        factory.protocol = portCmd.protocol
        factory.peerHost = self.transport.getPeer().host
        host = plain_host(self.transport.getHost().host)
        factory.port = portCmd.port = _reactor.listenTCP(0, factory, interface=host)
        number = factory.port.getHost().port
        if ":" in host:
            portCmd.text = f"EPRT |2|{host}|{number}|"
        else:
            portCmd.text = f"PORT {encodeHostPort(host, number)}"

    # Files.

    def escapePath(self, path: str) -> str:
        """A path as it goes into a command: a line feed in it is sent as NUL."""
        return path.replace("\n", "\0")

    def retrieveFile(self, path: str, protocol: Any, offset: int = 0) -> Deferred[Any]:
        """
        Download a file.

        Args:
            path: which.
            protocol: gets what is in it by `dataReceived`.
            offset: from where on, in bytes.
        """
        commands = [f"REST {offset}"] if offset else []
        return self.receiveFromConnection([*commands, f"RETR {self.escapePath(path)}"], protocol)

    retr = retrieveFile

    def storeFile(self, path: str, offset: int = 0) -> tuple[Deferred[Any], Deferred[Any]]:
        """
        Upload a file.

        Args:
            path: its name there.
            offset: where in it to begin, in bytes.

        Returns:
            two Deferreds: one with the `IFinishableConsumer` to write to, and
            one that fires when the server has got all.
        """
        commands = [f"REST {offset}"] if offset else []
        return self.sendToConnection([*commands, f"STOR {self.escapePath(path)}"])

    stor = storeFile

    def rename(self, pathFrom: str, pathTo: str) -> Deferred[tuple[Any, Any]]:
        """Rename a file. The Deferred has the two replies."""
        done: Deferred[tuple[Any, Any]] = Deferred()
        first = FTPCommand(f"RNFR {self.escapePath(pathFrom)}", public=1)
        second = FTPCommand(f"RNTO {self.escapePath(pathTo)}", public=1)
        replies: list[Any] = []

        def refused(failure: Failure) -> None:
            if second in self.actionQueue:
                self.actionQueue.remove(second)
            if not done.called:
                done.errback(failure)

        first.deferred.addCallbacks(replies.append, refused)
        second.deferred.addCallbacks(
            lambda reply: None if done.called else done.callback((replies[0], reply)), refused
        )
        self._check(first.text, second.text)
        self.queueCommand(first)
        self.queueCommand(second)
        return done

    def list(self, path: str | None, protocol: Any) -> Deferred[Any]:
        """List a directory, as `ls -l` does: see `FTPFileListProtocol`."""
        return self._listing("LIST", path, protocol)

    def nlst(self, path: str | None, protocol: Any) -> Deferred[Any]:
        """List the names in a directory."""
        return self._listing("NLST", path, protocol)

    def _listing(self, command: str, path: str | None, protocol: Any) -> Deferred[Any]:
        text = f"{command} {self.escapePath(path)}" if path else command
        return self.receiveFromConnection([text], protocol)

    def cwd(self, path: str) -> Deferred[Any]:
        """Go to a directory."""
        return self.queueStringCommand(f"CWD {self.escapePath(path)}")

    def cdup(self) -> Deferred[Any]:
        """Go to the directory above."""
        return self.queueStringCommand("CDUP")

    def pwd(self) -> Deferred[Any]:
        """Ask for the working directory. The Deferred has the reply: see `parsePWDResponse`."""
        return self.queueStringCommand("PWD")

    def getDirectory(self) -> Deferred[str]:
        """Ask for the working directory. The Deferred has its path."""

        def read(reply: Any) -> str:
            path = parsePWDResponse(reply[0])
            if path is None:
                raise CommandFailed(reply)
            return path

        return self.pwd().addCallback(read)

    def makeDirectory(self, path: str) -> Deferred[Any]:
        """Make a directory."""
        return self.queueStringCommand(f"MKD {self.escapePath(path)}")

    def removeDirectory(self, path: str) -> Deferred[Any]:
        """Remove a directory."""
        return self.queueStringCommand(f"RMD {self.escapePath(path)}")

    def removeFile(self, path: str) -> Deferred[Any]:
        """Remove a file."""
        return self.queueStringCommand(f"DELE {self.escapePath(path)}")

    def quit(self) -> Deferred[Any]:
        """Have the server hang up."""
        return self.queueStringCommand("QUIT")
