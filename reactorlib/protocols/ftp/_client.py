"""The client's half: commands one after another, each with the Deferred of its reply."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet import reactor as _reactor
from reactorlib.internet.defer import Deferred, DeferredList, FirstError
from reactorlib.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.protocols.ftp._address import (
    decodeExtendedAddress,
    decodeHostPort,
    encodeHostPort,
    parsePWDResponse,
    plain_host,
    same_host,
)
from reactorlib.protocols.ftp._errors import (
    BadResponse,
    CommandFailed,
    ConnectionLost,
    UnexpectedData,
    UnexpectedResponse,
)
from reactorlib.protocols.ftp._shell import IFinishableConsumer
from reactorlib.python.failure import Failure

__all__ = [
    "FTPClient",
    "FTPClientBasic",
    "FTPCommand",
    "FTPDataPortFactory",
    "ProtocolWrapper",
    "SenderProtocol",
]

_REPLY = re.compile(r"(\d{3})([ -])")
# A reply is some lines long; a welcome or a directory's message may be some hundreds.
_MAX_REPLY_LINES = 10_000


class FTPCommand:
    """
    A command that waits its turn.

    Args:
        text: the line; "PASV" and "PORT" alone stand for a data connection.
        public: whether it may be logged: a password may not.

    Attributes:
        deferred: the reply, as a list of lines.
    """

    def __init__(self, text: Any = None, public: int = 0) -> None:
        self.text = text
        self.public = public
        self.deferred: Deferred[Any] = Deferred()
        self.ready = 1
        self.transferDeferred: Any = None
        self.protocol: Any = None

    def fail(self, failure: Any) -> None:
        """It will not be done."""
        if not self.deferred.called:
            self.deferred.errback(failure)


class ProtocolWrapper(Protocol):
    """
    Tells a Deferred when a protocol's connection is gone.

    Args:
        original: the protocol.
        deferred: fires then; fails if the connection broke.
    """

    def __init__(self, original: Any, deferred: Deferred[Any]) -> None:
        self.original = original
        self.deferred = deferred

    def makeConnection(self, transport: Any) -> None:
        """Pass it on."""
        self.original.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        self.original.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass it on, and say so."""
        self.original.connectionLost(reason)
        _tell(self.deferred, reason)


def _tell(deferred: Deferred[Any], reason: Failure) -> None:
    if deferred.called:
        return
    if reason.check(error.ConnectionDone):
        deferred.callback(None)
    else:
        deferred.errback(reason)


@implementer(IFinishableConsumer)
class SenderProtocol(Protocol):
    """
    The data connection of an upload: a consumer, of which `finish` says the end.

    Attributes:
        connectedDeferred: fires with this when the connection is there.
        deferred: fires when it is gone.
    """

    def __init__(self) -> None:
        self.connectedDeferred: Deferred[Any] = Deferred()
        self.deferred: Deferred[Any] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """A server does not send here."""
        raise UnexpectedData("the server sent something while it was sent a file")

    def makeConnection(self, transport: Any) -> None:
        """The connection is there."""
        super().makeConnection(transport)
        if not self.connectedDeferred.called:
            self.connectedDeferred.callback(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        _tell(self.deferred, reason)

    def write(self, data: bytes) -> None:
        """Send."""
        self.transport.write(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have the transport ask that producer for more."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.transport.unregisterProducer()

    def finish(self) -> None:
        """The file is all there."""
        self.transport.loseConnection()


class FTPDataPortFactory(ServerFactory[Any]):
    """
    Takes one data connection, at the client.

    Attributes:
        protocol: the protocol itself.
        port: where it listens.
        peerHost: whose connection it has to be.
    """

    noisy = False
    protocol: Any = None
    port: Any = None
    peerHost: str | None = None

    def buildProtocol(self, addr: Any) -> Any:
        """The protocol, once."""
        if self.peerHost is not None and not same_host(addr.host, self.peerHost):
            return None
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.factory = self
            self.port.stopListening()
        return protocol


class _PassiveConnectionFactory(ClientFactory[Any]):
    """Makes one data connection to the server."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> Any:
        self._protocol.factory = self
        return self._protocol

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        if not self._protocol.deferred.called:
            self._protocol.deferred.errback(reason)


class FTPClientBasic(LineReceiver):
    """
    Sends commands and reads replies; it knows no command itself but the login.

    Attributes:
        greeting: the lines that the server began with; None before.
    """

    debug = False
    _encoding = "latin-1"

    def __init__(self) -> None:
        self.actionQueue: list[FTPCommand] = []
        self.greeting: list[str] | None = None
        self.response: list[str] = []
        self.nextDeferred: Deferred[Any] | None = Deferred()
        self.nextDeferred.addCallbacks(self._greeted, self.fail)
        self._code: str | None = None  # of the reply of several lines that has begun
        self._telling = False
        self._failed = False

    def _greeted(self, greeting: list[str]) -> None:
        self.greeting = greeting

    def fail(self, error: Any) -> Any:
        """Something is wrong with the connection itself: nothing that was asked for comes."""
        self._fail(error)

    def _fail(self, error: Any) -> Any:
        if self._failed:
            return error
        self._failed = True
        waiting, self.nextDeferred = self.nextDeferred, None
        lost = Failure(ConnectionLost("the FTP connection is lost", error))
        if waiting is not None and not waiting.called:
            waiting.errback(lost)
        while (command := self.popCommandQueue()) is not None:
            command.fail(Failure(ConnectionLost("the FTP connection is lost", error)))
        return error

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Nothing that was asked for comes."""
        self._fail(reason)

    def sendLine(self, line: Any) -> None:
        """Send a line of text; None sends nothing."""
        if line is not None:
            self.transport.write(line.encode(self._encoding) + self.delimiter)

    def sendNextCommand(self) -> None:
        """Send the command whose turn it is."""
        command = self.popCommandQueue()
        if command is None:
            self.nextDeferred = None
            return
        self.nextDeferred = command.deferred
        if command.text == "PORT":
            self.generatePortCommand(command)
        self.sendLine(command.text)

    def generatePortCommand(self, portCmd: FTPCommand) -> None:
        """Listen, and say where in the command. See `FTPClient`."""
        raise NotImplementedError("FTPClientBasic makes no data connections")

    def queueCommand(self, ftpCommand: FTPCommand) -> None:
        """
        Send a command when those before it have their replies.

        Raises:
            ValueError: there is a line end in it.
        """
        if "\r" in ftpCommand.text or "\n" in ftpCommand.text:
            raise ValueError("an FTP command is one line")
        if self._failed:
            ftpCommand.fail(Failure(ConnectionLost("the FTP connection is lost")))
            return
        self.actionQueue.append(ftpCommand)
        if self.nextDeferred is None and self.transport is not None and not self._telling:
            self.sendNextCommand()

    def queueStringCommand(self, command: str, public: int = 1) -> Deferred[list[str]]:
        """
        Send a line when its turn comes.

        Returns:
            a Deferred with the lines of the reply. It fails with `CommandFailed`
            if the server says no, `BadResponse` if it makes no sense, and
            `ConnectionLost`.

        Raises:
            ValueError: there is a line end in it.
        """
        queued = FTPCommand(command, public)
        self.queueCommand(queued)
        return queued.deferred

    def popCommandQueue(self) -> FTPCommand | None:
        """Take the command whose turn it is off the queue; None if there is none."""
        return self.actionQueue.pop(0) if self.actionQueue else None

    def queueLogin(self, username: str, password: str | None) -> None:
        """
        Log in, when it is this one's turn.

        Args:
            username: the name.
            password: sent only if the server asks for it; None for none at all.
        """
        user = self.queueStringCommand(f"USER {username}", public=0)
        user.addErrback(self.fail)
        if password is None:
            return
        command = FTPCommand(f"PASS {password}", public=0)
        self.queueCommand(command)
        command.deferred.addErrback(self.fail)

        def answered(response: Any) -> None:
            # RFC 959 section 5.4: 230 says that no password is needed.
            if response and response[-1].startswith("230") and command in self.actionQueue:
                self.actionQueue.remove(command)

        user.addCallback(answered)

    def lineReceived(self, line: bytes) -> None:
        """Read a line of a reply. RFC 959 section 4.2."""
        text = line.decode(self._encoding)
        self.response.append(text)
        if len(self.response) > _MAX_REPLY_LINES:
            self.fail(BadResponse(self.response[:10]))
            return
        found = _REPLY.match(text)
        if self._code is not None:
            if found is None or found[1] != self._code or found[2] != " ":
                return
        elif found is None:
            return
        elif found[2] == "-":
            self._code = found[1]
            return
        self._code = None
        code = text[:3]
        if code[0] == "1":
            return  # there is another reply to come
        response, self.response = self.response, []
        asked, self.nextDeferred = self.nextDeferred, None
        if asked is None:
            self.fail(UnexpectedResponse(response))
            return
        # What is told may queue commands, or take some back: the next one is sent after that.
        self._telling = True
        try:
            if asked.called:
                pass
            elif code[0] in "23":
                asked.callback(response)
            elif code[0] in "45":
                asked.errback(Failure(CommandFailed(response)))
            else:
                asked.errback(Failure(BadResponse(response)))
        finally:
            self._telling = False
        self._go_on()

    def _go_on(self) -> None:
        if self.nextDeferred is None and not self._failed:
            self.sendNextCommand()


def _unwrap(failure: Failure) -> Any:
    if isinstance(failure.value, FirstError):
        return failure.value.subFailure
    return failure


class FTPClient(FTPClientBasic):
    """
    Transfers and changes files.

    Each method returns a Deferred, which fails with `CommandFailed` if the
    server says no, and with `ConnectionLost`. Paths are text.

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
        opener = FTPCommand(self._opening_command(), public=1)
        undo: list[Callable[[], Any]] = []

        def opened(response: list[str]) -> None:
            if self.passive:
                host, port = self._where(response[-1])
                connector = self.connectFactory(host, port, _PassiveConnectionFactory(protocol))
                if connector is not None:
                    undo.append(connector.disconnect)

        def give_up(failure: Failure) -> Failure:
            # What would have used the connection is not sent.
            for command in queue:
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
