"""
The server's half of the control connection: RFC 959, with RFC 2428, 2640 and 3659.

Commands are done one after another. While one is being done, those that follow
wait in a short queue; only ABOR is heard at once.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from zope.interface import implementer

from reactorlib.cred import error as cred_error
from reactorlib.cred.credentials import Anonymous, UsernamePassword
from reactorlib.internet import reactor as _reactor
from reactorlib.internet.defer import Deferred, ensureDeferred, fail, maybeDeferred
from reactorlib.internet.error import CannotListenError
from reactorlib.internet.interfaces import IConnector, IListeningPort, IProtocol
from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.protocols.ftp import _errors as errors
from reactorlib.protocols.ftp import _responses as codes
from reactorlib.protocols.ftp._address import (
    decodeExtendedAddress,
    decodeHostPort,
    encodeHostPort,
    plain_host,
    same_host,
    toSegments,
)
from reactorlib.protocols.ftp._dtp import ASCIIConsumerWrapper, DTPFactory, LocalLines, printable
from reactorlib.protocols.ftp._shell import IFTPShell, _isGlobbingExpression, matching
from reactorlib.protocols.policies import LimitTotalConnectionsFactory, TimeoutMixin
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["FTP", "FTPFactory", "FTPOverflowProtocol"]

_log = logging.getLogger("reactorlib.protocols.ftp")

#: The facts of a listing, in the order that `DTP.sendListResponse` takes.
LIST_KEYS = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")

# RFC 959 section 4.1.3: a client announces ABOR by telnet's "interrupt process" and "synch".
_TELNET = re.compile(rb"(?:\xff[\xf0-\xfe])+")
_LS_FLAGS = re.compile(r"(?:-[A-Za-z]+(?:\s+|$))+")
# How many commands may wait: more than any client sends ahead.
_MAX_QUEUE = 64
# Ports below are those of services, which no client receives data at.
_FIRST_USER_PORT = 1024

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _command(
    method: Callable[_P, Coroutine[Any, Any, _T]],
) -> Callable[_P, Deferred[_T]]:
    """A command that a coroutine function does: calling it gives a Deferred."""

    @functools.wraps(method)
    def command(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return ensureDeferred(method(*args, **kwargs))

    return command


@implementer(IProtocol)
class FTP(LineReceiver, TimeoutMixin):
    """
    One client's control connection.

    A command is a method `ftp_NAME`, called with its argument if there is one.
    It returns the key of a reply, a tuple of that and what goes into the text,
    None for no reply, or a Deferred or coroutine with one of these; it fails with
    an `FTPCmdError`.

    Attributes:
        portal: where people log in.
        shell: what the user may do: an `IFTPShell`; None before the login.
        workingDirectory: the names that lead there.
        binary: whether files go as they are, rather than line by line.
        dtpTimeout: for how many seconds a data connection is waited for.
        transferTimeout: after how many seconds without progress a transfer is
            aborted.
        maxLoginFailures: at how many the connection is closed. RFC 2577 section 5.
        passivePortRange: which ports to listen at in passive mode.
        listenFactory: what listens, called as `reactor.listenTCP`.
    """

    UNAUTH, INAUTH, AUTHED, RENAMING = range(4)

    PUBLIC_COMMANDS = ["FEAT", "QUIT"]  # noqa: RUF012
    FEATURES = [  # noqa: RUF012
        "FEAT",
        "MDTM",
        "PASV",
        "SIZE",
        "TYPE A;I",
        "EPRT",
        "EPSV",
        "REST STREAM",
        "UTF8",
    ]

    # RFC 959 has no limit; names of files are up to 4096 bytes long.
    MAX_LENGTH = 8192

    disconnected = False
    portal: Any = None
    shell: Any = None
    dtpFactory: DTPFactory | None = None
    dtpInstance: Any = None
    dtpPort: Any = None
    dtpTimeout: float = 10
    transferTimeout: float | None = 600
    maxLoginFailures = 5
    passivePortRange: Any = range(1)
    binary = True
    logout: Callable[[], Any] | None = None
    # Any name of a file comes and goes as it is: RFC 2640 section 2.2.
    _encoding = "utf-8"
    _epsv_all = False
    _user: str | None = None
    _idle: float | None = None

    def __init__(self) -> None:
        self.state = self.UNAUTH
        self.workingDirectory: list[str] = []
        self._busy = False
        self._pumping = False
        self._queue: deque[bytes] = deque()
        self._failures = 0
        self._offset = 0
        self._cannot_open = False
        self._rename_from: list[str] = []

    def listenFactory(self, port: int, factory: Any, **kwargs: Any) -> Any:
        """Listen; as `reactor.listenTCP`."""
        return _reactor.listenTCP(port, factory, **kwargs)

    # The conversation.

    def connectionMade(self) -> None:
        """Greet."""
        self.setTimeout(self.timeOut)
        self.reply(codes.WELCOME_MSG, self.factory.welcomeMessage)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The client is gone: so are its transfer and its login."""
        self.disconnected = True
        self._queue.clear()
        self._abort_transfer()
        self.cleanupDTP()
        self.setTimeout(None)
        logout, self.logout, self.shell = self.logout, None, None
        if logout is not None:
            maybeDeferred(logout).addErrback(
                lambda failure: report(_log, "logging out of FTP failed", failure)
            )
        self.transport = None

    def timeoutConnection(self) -> None:
        """Nothing was said for too long."""
        self.reply(codes.SVC_NOT_AVAIL_CLOSING_CTRL_CNX)
        self.transport.loseConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        """No command is that long."""
        self.reply(codes.SYNTAX_ERR, "command line too long")
        self.transport.loseConnection()

    def reply(self, key: str, *args: Any) -> None:
        """
        Send a reply.

        Args:
            key: which, of `RESPONSE`.
            args: what goes into its text.
        """
        text = codes.RESPONSE[key]
        if isinstance(text, list):
            first, last = text
            for line in (first, *(f" {name}" for name in args), last):
                self.sendLine(line)
        else:
            self.sendLine(text % args)

    def sendLine(self, line: Any) -> None:
        """Send a line; one that has line ends in it does not become several."""
        if self.transport is not None:
            self.transport.write(printable(line) + self.delimiter)

    def lineReceived(self, line: bytes) -> None:
        """A command came in."""
        self.resetTimeout()
        found = _TELNET.match(line)
        if found is not None:
            line = line[found.end() :]
        if self._busy and line.strip().upper() == b"ABOR":
            self._abort_transfer()
        self._queue.append(line)
        if len(self._queue) == _MAX_QUEUE:
            self.pauseProducing()
        self._pump()

    def _pump(self) -> None:
        """Do what waits, until something takes time."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._queue and not self._busy:
                self._do(self._queue.popleft())
        finally:
            self._pumping = False
        if self.paused and not self._busy and self.transport is not None:
            self.resumeProducing()

    def _do(self, line: bytes) -> None:
        name, space, argument = line.decode(self._encoding, "surrogateescape").partition(" ")
        self._busy = True
        d: Deferred[Any] = maybeDeferred(
            self.processCommand, name.upper(), *([argument] if space else [])
        )
        d.addCallbacks(self._succeeded, self._failed)
        d.addErrback(lambda failure: report(_log, "an FTP reply could not be made", failure))
        d.addCallback(self._next)

    def _succeeded(self, answer: Any) -> None:
        if isinstance(answer, tuple):
            self.reply(*answer)
        elif answer is not None:
            self.reply(answer)

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, errors.FTPCmdError):
            self.sendLine(failure.value.response())
        else:
            report(_log, "an FTP command failed", failure)
            self.reply(codes.REQ_ACTN_NOT_TAKEN, "internal server error")

    def _next(self, _: object) -> None:
        self._busy = False
        self.resetTimeout()
        self._pump()

    def processCommand(self, cmd: str, *params: str) -> Any:
        """
        Do a command, if it is its turn.

        Args:
            cmd: its name.
            params: its argument, if there is one.
        """
        cmd = cmd.upper()
        if cmd not in self.PUBLIC_COMMANDS:
            if self.state == self.UNAUTH and cmd != "USER":
                if cmd == "PASS":
                    return codes.BAD_CMD_SEQ, "USER required before PASS"
                return codes.NOT_LOGGED_IN
            if self.state == self.INAUTH and cmd not in ("PASS", "USER"):
                return codes.BAD_CMD_SEQ, "PASS required after USER"
            if self.state == self.RENAMING and cmd != "RNTO":
                self.state = self.AUTHED
                return codes.BAD_CMD_SEQ, "RNTO required after RNFR"
        method = getattr(self, f"ftp_{cmd}", None) if cmd.isalpha() else None
        if method is None:
            return fail(errors.CmdNotImplementedError(cmd))
        try:
            inspect.signature(method).bind(*params)
        except TypeError:
            if params:
                return fail(errors.CmdArgSyntaxError(params[0]))
            return fail(errors.CmdSyntaxError(f"{cmd} requires an argument."))
        return method(*params)

    # Logging in.

    def ftp_USER(self, username: str) -> Any:
        """Say who it is. RFC 959 section 4.1.1."""
        if not username:
            return fail(errors.CmdSyntaxError("USER requires an argument."))
        self._leave()
        self._user = username
        self.state = self.INAUTH
        if self.factory.allowAnonymous and username == self.factory.userAnonymous:
            return codes.GUEST_NAME_OK_NEED_EMAIL
        return codes.USR_NAME_OK_NEED_PASS, username

    def _leave(self) -> None:
        """Whoever was logged in is no more."""
        logout, self.logout, self.shell = self.logout, None, None
        if logout is not None:
            logout()

    @_command
    async def ftp_PASS(self, password: str) -> Any:
        """Say the password. RFC 959 section 4.1.1."""
        if self.state != self.INAUTH or self._user is None:
            raise errors.BadCmdSequenceError("USER required before PASS")
        user, self._user = self._user, None
        self.state = self.UNAUTH
        anonymous = self.factory.allowAnonymous and user == self.factory.userAnonymous
        who: Any = Anonymous() if anonymous else UsernamePassword(user, password)  # type: ignore[arg-type]
        try:
            _, avatar, logout = await self.portal.login(who, None, IFTPShell)
        except (cred_error.LoginFailed, cred_error.Unauthorized):
            self._failures += 1
            if self._failures >= self.maxLoginFailures:
                self.reply(codes.AUTH_FAILURE)
                self.transport.loseConnection()
                return None
            raise errors.AuthorizationError() from None
        if self.disconnected:
            logout()
            return None
        self.shell, self.logout = avatar, logout
        self.workingDirectory = []
        self.state = self.AUTHED
        return codes.GUEST_LOGGED_IN_PROCEED if anonymous else codes.USR_LOGGED_IN_PROCEED

    def ftp_QUIT(self) -> None:
        """Hang up."""
        self.reply(codes.GOODBYE_MSG)
        self.transport.loseConnection()
        self.disconnected = True

    # The data connection.

    def getDTPPort(self, factory: Any, interface: str = "") -> Any:
        """
        Listen at a port of `passivePortRange`.

        Raises:
            CannotListenError: all are in use.
        """
        for number in self.passivePortRange:
            try:
                return self.listenFactory(number, factory, interface=interface)
            except CannotListenError:
                continue
        raise CannotListenError(
            interface,
            self.passivePortRange,
            OSError(f"no port of {self.passivePortRange!r} is free"),
        )

    def _new_factory(self) -> DTPFactory:
        self.cleanupDTP()
        self.dtpFactory = factory = DTPFactory(self, self.transport.getPeer().host)
        factory.setTimeout(self.dtpTimeout)
        return factory

    async def _passive(self, interface: str, reply: Callable[[int], None]) -> None:
        """Listen, say where, and wait until the client is there."""
        factory = self._new_factory()
        self.dtpPort = self.getDTPPort(factory, interface)
        reply(self.dtpPort.getHost().port)
        try:
            await factory.deferred
        except errors.PortConnectionError:
            # PASV has its reply; the command that needs the connection is told.
            self._cannot_open = True
        self._stop_listening()

    async def _active(self, host: str, port: int) -> str:
        """Connect to where the client says, if that is the client."""
        # RFC 2577 section 3: no third host, no service of the client's.
        if not same_host(host, self.transport.getPeer().host) or port < _FIRST_USER_PORT:
            raise errors.CmdNotImplementedForArgError(f"{host} {port}")
        factory = self._new_factory()
        self.dtpPort = _reactor.connectTCP(host, port, factory)
        try:
            await factory.deferred
        except errors.PortConnectionError:
            self.cleanupDTP()
            return codes.CANT_OPEN_DATA_CNX
        return codes.ENTERING_PORT_MODE

    def _not_after_epsv_all(self, command: str) -> None:
        if self._epsv_all:
            raise errors.BadCmdSequenceError(f"may not send {command} after EPSV ALL")

    @_command
    async def ftp_PASV(self) -> None:
        """Listen at an IPv4 address. RFC 959 section 4.1.2."""
        self._not_after_epsv_all("PASV")
        host = plain_host(self.transport.getHost().host)
        if ":" in host:
            raise errors.PASVIPv6NotImplementedError()
        await self._passive(
            host, lambda port: self.reply(codes.ENTERING_PASV_MODE, encodeHostPort(host, port))
        )

    @_command
    async def ftp_EPSV(self, protocol: str = "") -> Any:
        """Listen, for IPv4 or IPv6. RFC 2428 section 3."""
        if protocol.upper() == "ALL":
            self._epsv_all = True
            return codes.EPSV_ALL_OK
        if protocol:
            self._check_network(protocol)
        return await self._passive(
            self._both_families(), lambda port: self.reply(codes.ENTERING_EPSV_MODE, port)
        )

    def _both_families(self) -> str:
        import socket

        return "::" if socket.has_dualstack_ipv6() else plain_host(self.transport.getHost().host)

    def _check_network(self, protocol: str) -> None:
        if not (protocol.isascii() and protocol.isdigit()):
            raise errors.CmdArgSyntaxError(protocol)
        if protocol not in ("1", "2"):
            raise errors.UnsupportedNetworkProtocolError("1,2")

    @_command
    async def ftp_PORT(self, address: str) -> str:
        """Connect to the client's IPv4 address. RFC 959 section 4.1.2."""
        self._not_after_epsv_all("PORT")
        try:
            host, port = decodeHostPort(address)
        except ValueError:
            raise errors.CmdArgSyntaxError(address) from None
        return await self._active(host, port)

    @_command
    async def ftp_EPRT(self, extendedAddress: str) -> str:
        """Connect to the client, by IPv4 or IPv6. RFC 2428 section 2."""
        self._not_after_epsv_all("EPRT")
        try:
            protocol, host, port = decodeExtendedAddress(extendedAddress)
        except ValueError:
            raise errors.CmdArgSyntaxError(extendedAddress) from None
        self._check_network(protocol)
        return await self._active(host, port)

    def _stop_listening(self) -> None:
        port, self.dtpPort = self.dtpPort, None
        if IListeningPort.providedBy(port):
            maybeDeferred(port.stopListening)
        elif IConnector.providedBy(port):
            port.disconnect()

    def cleanupDTP(self) -> None:
        """Be done with the data connection, or with waiting for it."""
        self._stop_listening()
        abort = getattr(self.dtpInstance, "abort", None)
        if abort is not None:
            abort()
        factory, self.dtpFactory, self.dtpInstance = self.dtpFactory, None, None
        self._cannot_open = False
        if factory is not None:
            factory.stopFactory()

    def _abort_transfer(self) -> None:
        abort = getattr(self.dtpInstance, "abort", None)
        if abort is not None:
            abort()
        elif self.dtpFactory is not None:
            self.dtpFactory.timeoutFactory()

    def ftp_ABOR(self) -> str:
        """End the transfer; what it said itself came before. RFC 959 section 4.1.3."""
        self.cleanupDTP()
        return codes.CLOSING_DATA_CNX

    async def _transfer(self, command: str, doing: Callable[[Any], Any]) -> Any:
        """
        Use the data connection for a command, and close it.

        Args:
            command: its name.
            doing: called with the connection; a coroutine function that returns
                the reply.
        """
        dtp = self.dtpInstance
        if dtp is None:
            if self._cannot_open:
                self.cleanupDTP()
                return codes.CANT_OPEN_DATA_CNX
            raise errors.BadCmdSequenceError(f"PORT, PASV, EPRT, or EPSV required before {command}")
        self._idle = self.setTimeout(None)
        try:
            return await doing(dtp)
        finally:
            if getattr(dtp, "isConnected", False):
                dtp.transport.loseConnection()
            if self.dtpInstance is dtp:
                self._forget_connection()
            self._offset = 0
            if not self.disconnected:
                self.setTimeout(self._idle)

    def _forget_connection(self) -> None:
        """The connection closes by itself, once what was written has left."""
        connector, self.dtpPort = self.dtpPort, None
        if IListeningPort.providedBy(connector):
            maybeDeferred(connector.stopListening)
        factory, self.dtpFactory, self.dtpInstance = self.dtpFactory, None, None
        if factory is not None:
            factory.stopFactory()

    def _started(self, dtp: Any) -> None:
        open_already = getattr(dtp, "isConnected", False)
        self.reply(
            codes.DATA_CNX_ALREADY_OPEN_START_XFR
            if open_already
            else codes.FILE_STATUS_OK_OPEN_DATA_CNX
        )

    # Transfers.

    def _segments(self, path: str) -> list[str]:
        try:
            return toSegments(self.workingDirectory, path)
        except errors.InvalidPath:
            raise errors.FileNotFoundError(path) from None

    @_command
    async def ftp_LIST(self, path: str = "") -> Any:
        """Send the lines of `ls -l`. RFC 959 section 4.1.3."""
        # Clients take the server for `ls`, and give it that one's flags.
        segments = self._segments(_LS_FLAGS.sub("", path, count=1))

        async def doing(dtp: Any) -> Any:
            listed = await self._listed(segments, LIST_KEYS)
            self._started(dtp)
            for name, facts in listed:
                dtp.sendListResponse(name, facts)
            return await self._sent(dtp)

        return await self._transfer("LIST", doing)

    @_command
    async def ftp_NLST(self, path: str = "") -> Any:
        """Send names alone. RFC 959 section 4.1.3."""
        segments = self._segments(_LS_FLAGS.sub("", path, count=1))

        async def doing(dtp: Any) -> Any:
            try:
                listed = await self._listed(segments, ())
            except errors.FileNotFoundError:
                listed = []  # nothing is not an error here
            self._started(dtp)
            for name, _ in listed:
                dtp.sendLine(printable(name))
            return await self._sent(dtp)

        return await self._transfer("NLST", doing)

    async def _listed(self, segments: list[str], keys: tuple[str, ...]) -> Any:
        if _isGlobbingExpression(segments):
            listed = await maybeDeferred(self.shell.list, segments[:-1], keys)
            return matching(segments[-1], listed)
        return await maybeDeferred(self.shell.list, segments, keys)

    async def _sent(self, dtp: Any) -> Any:
        """Wait until the last byte has left, or cannot."""
        dtp.transport.loseConnection()
        await dtp.gone
        return codes.TXFR_COMPLETE_OK if dtp._failure is None else codes.CNX_CLOSED_TXFR_ABORTED

    @_command
    async def ftp_RETR(self, path: str) -> Any:
        """Send a file. RFC 959 section 4.1.3."""
        segments = self._segments(path)
        shown = "/".join(segments)

        async def doing(dtp: Any) -> Any:
            try:
                file = await maybeDeferred(self.shell.openForReading, segments)
            except errors.FTPCmdError as error:
                return error.errorCode, shown
            except Exception:
                report(_log, "an FTP shell could not open a file", Failure())
                return codes.FILE_NOT_FOUND, shown
            if self._offset:
                seek = getattr(file, "seek", None)
                if seek is None:
                    raise errors.CmdNotImplementedForArgError("REST")
                seek(self._offset)
            self._started(dtp)
            try:
                await maybeDeferred(file.send, dtp if self.binary else ASCIIConsumerWrapper(dtp))
            except (ConnectionError, errors.PortConnectionError):
                return codes.CNX_CLOSED_TXFR_ABORTED
            except errors.FTPCmdError as error:
                report(_log, "an FTP file could not be read", Failure())
                raise error
            except Exception:
                report(_log, "an FTP file could not be read", Failure())
                return codes.CNX_CLOSED_TXFR_ABORTED
            return await self._sent(dtp)

        return await self._transfer("RETR", doing)

    @_command
    async def ftp_STOR(self, path: str) -> Any:
        """Receive a file. RFC 959 section 4.1.3."""
        offset = self._offset
        if offset:
            return await self._receive("STOR", path, "openForWritingAt", offset)
        return await self._receive("STOR", path, "openForWriting")

    @_command
    async def ftp_APPE(self, path: str) -> Any:
        """Receive what is added to a file. RFC 959 section 4.1.3."""
        return await self._receive("APPE", path, "openForAppending")

    async def _receive(self, command: str, path: str, opener: str, *more: Any) -> Any:
        segments = self._segments(path)
        shown = "/".join(segments)

        async def doing(dtp: Any) -> Any:
            opening = getattr(self.shell, opener, None)
            if opening is None:
                raise errors.PermissionDeniedError(shown)
            try:
                file = await maybeDeferred(opening, segments, *more)
            except errors.FTPCmdError as error:
                return error.errorCode, shown
            except Exception:
                report(_log, "an FTP shell could not open a file", Failure())
                return codes.FILE_NOT_FOUND, shown
            try:
                consumer = await maybeDeferred(file.receive)
                ended = dtp.registerConsumer(consumer if self.binary else LocalLines(consumer))
                self._started(dtp)
                try:
                    await ended
                finally:
                    await maybeDeferred(file.close)
            except errors.FTPCmdError as error:
                report(_log, "an FTP file could not be written", Failure())
                raise error
            except Exception as error:
                if getattr(dtp, "isConnected", True) or not _of_connection(error):
                    report(_log, "an FTP file could not be written", Failure())
                return codes.CNX_CLOSED_TXFR_ABORTED
            return codes.TXFR_COMPLETE_OK

        return await self._transfer(command, doing)

    def ftp_REST(self, offset: str) -> Any:
        """Begin the next transfer there. RFC 3659 section 5."""
        if not (offset.isascii() and offset.isdigit()) or len(offset) > 18:
            raise errors.CmdArgSyntaxError(offset)
        self._offset = int(offset)
        return codes.REQ_FILE_ACTN_PENDING_FURTHER_INFO

    # Files and directories.

    def ftp_PWD(self) -> Any:
        """Say the working directory. RFC 959 section 4.1.3, appendix II."""
        path = "/" + "/".join(self.workingDirectory)
        return codes.PWD_REPLY, path.replace('"', '""')

    @_command
    async def ftp_CWD(self, path: str) -> Any:
        """Go to a directory."""
        segments = self._segments(path)
        await maybeDeferred(self.shell.access, segments)
        self.workingDirectory = segments
        return codes.REQ_FILE_ACTN_COMPLETED_OK

    def ftp_CDUP(self) -> Any:
        """Go to the directory above."""
        return self.ftp_CWD("..")

    @_command
    async def ftp_MKD(self, path: str) -> Any:
        """Make a directory."""
        await maybeDeferred(self.shell.makeDirectory, self._segments(path))
        return codes.MKD_REPLY, path.replace('"', '""')

    @_command
    async def ftp_RMD(self, path: str) -> Any:
        """Remove a directory."""
        await maybeDeferred(self.shell.removeDirectory, self._segments(path))
        return codes.REQ_FILE_ACTN_COMPLETED_OK

    @_command
    async def ftp_DELE(self, path: str) -> Any:
        """Remove a file."""
        await maybeDeferred(self.shell.removeFile, self._segments(path))
        return codes.REQ_FILE_ACTN_COMPLETED_OK

    def ftp_RNFR(self, fromName: str) -> Any:
        """Say what is to be renamed."""
        self._rename_from = self._segments(fromName)
        self.state = self.RENAMING
        return codes.REQ_FILE_ACTN_PENDING_FURTHER_INFO

    @_command
    async def ftp_RNTO(self, toName: str) -> Any:
        """Rename it."""
        if self.state != self.RENAMING:
            raise errors.BadCmdSequenceError("RNFR required before RNTO")
        self.state = self.AUTHED
        await maybeDeferred(self.shell.rename, self._rename_from, self._segments(toName))
        return codes.REQ_FILE_ACTN_COMPLETED_OK

    @_command
    async def ftp_SIZE(self, path: str) -> Any:
        """Say how large a file is, in bytes. RFC 3659 section 4."""
        segments = self._segments(path)
        size, directory = await maybeDeferred(self.shell.stat, segments, ("size", "directory"))
        if directory:
            raise errors.IsADirectoryError(segments)
        return codes.FILE_STATUS, str(size)

    @_command
    async def ftp_MDTM(self, path: str) -> Any:
        """Say when a file changed, in UTC. RFC 3659 section 3."""
        (modified,) = await maybeDeferred(self.shell.stat, self._segments(path), ("modified",))
        return codes.FILE_STATUS, time.strftime("%Y%m%d%H%M%S", time.gmtime(modified))

    # What files are.

    def ftp_TYPE(self, type: str) -> Any:
        """Say how files go. RFC 959 section 3.1.1."""
        method = getattr(self, f"type_{type[:1].upper()}", None) if type else None
        return self.type_UNKNOWN(type) if method is None else method(type[1:].strip())

    def type_A(self, code: str) -> Any:
        """In lines."""
        if code.upper() not in ("", "N"):
            return fail(errors.CmdArgSyntaxError(code))
        self.binary = False
        return codes.TYPE_SET_OK, f"A{code}"

    def type_I(self, code: str) -> Any:
        """In bytes."""
        if code:
            return fail(errors.CmdArgSyntaxError(code))
        self.binary = True
        return codes.TYPE_SET_OK, "I"

    def type_UNKNOWN(self, code: str) -> Any:
        """In a way that there is not."""
        return fail(errors.CmdNotImplementedForArgError(code))

    def ftp_STRU(self, structure: str) -> Any:
        """Say that files are bytes. RFC 959 section 3.1.2."""
        if structure.upper() == "F":
            return codes.CMD_OK
        return fail(errors.CmdNotImplementedForArgError(structure))

    def ftp_MODE(self, mode: str) -> Any:
        """Say that they go as a stream. RFC 959 section 3.4."""
        if mode.upper() == "S":
            return codes.CMD_OK
        return fail(errors.CmdNotImplementedForArgError(mode))

    def ftp_SYST(self) -> str:
        """Say what listings look like."""
        return codes.NAME_SYS_TYPE

    def ftp_FEAT(self) -> Any:
        """Say what there is beyond RFC 959. RFC 2389 section 3."""
        return codes.FEAT_OK, *self.FEATURES

    def ftp_OPTS(self, option: str) -> Any:
        """Choose; UTF-8 is all there is to choose. RFC 2389 section 4."""
        if option.upper().split() in (["UTF8", "ON"], ["UTF8"]):
            return codes.CMD_OK
        return codes.OPTS_NOT_IMPLEMENTED, option

    def ftp_ALLO(self, size: str = "") -> str:
        """Nothing is set aside for files."""
        return codes.CMD_NOT_IMPLMNTD_SUPERFLUOUS

    def ftp_NOOP(self) -> str:
        """Do nothing."""
        return codes.CMD_OK


def _of_connection(error: Exception) -> bool:
    from reactorlib.internet import error as internet

    return isinstance(error, ConnectionError | internet.ConnectionLost | internet.ConnectionAborted)


class FTPOverflowProtocol(LineReceiver):
    """Says that there are too many, and hangs up."""

    def connectionMade(self) -> None:
        """Say so."""
        text = codes.RESPONSE[codes.TOO_MANY_CONNECTIONS]
        assert isinstance(text, str)
        self.sendLine(text.encode())
        self.transport.loseConnection()


class FTPFactory(LimitTotalConnectionsFactory):
    """
    Serves FTP.

    Args:
        portal: where people log in, to get an `IFTPShell`.
        userAnonymous: the name that needs no password.

    Attributes:
        allowAnonymous: whether there is such a name.
        timeOut: after how many idle seconds a client is told to go; None for
            never.
        welcomeMessage: the greeting.
        passivePortRange: which ports to listen at in passive mode, as a firewall
            lets through.
        connectionLimit: how many clients there may be at a time.
    """

    protocol = FTP
    overflowProtocol = FTPOverflowProtocol
    allowAnonymous = True
    timeOut: float | None = 600
    welcomeMessage = "reactorlib FTP server"
    passivePortRange: Any = range(1)

    def __init__(self, portal: Any = None, userAnonymous: str = "anonymous") -> None:
        self.portal = portal
        self.userAnonymous = userAnonymous

    def buildProtocol(self, addr: Any) -> Any:
        """An `FTP`, in a wrapper that counts connections."""
        wrapper = super().buildProtocol(addr)
        if wrapper is not None:
            inner = wrapper.wrappedProtocol
            inner.portal = self.portal
            inner.timeOut = self.timeOut
            inner.passivePortRange = self.passivePortRange
        return wrapper
