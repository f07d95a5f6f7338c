"""
The server's half of the control connection: RFC 959 sections 4 and 5, RFC 2577.

Commands are done one after another. While one is being done, those that follow
wait in a short queue; only ABOR is heard at once.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from reactorlib.cred import error as cred_error
from reactorlib.cred.credentials import Anonymous, UsernamePassword
from reactorlib.internet.defer import Deferred, ensureDeferred, fail, maybeDeferred
from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.protocols.ftp import _errors as errors
from reactorlib.protocols.ftp import _responses as codes
from reactorlib.protocols.ftp._dtp import printable
from reactorlib.protocols.ftp._interfaces import IFTPShell
from reactorlib.protocols.policies import TimeoutMixin
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["Control", "command"]

_log = logging.getLogger("reactorlib.protocols.ftp")

# RFC 959 section 4.1.3: a client announces ABOR by telnet's "interrupt process" and "synch".
_TELNET = re.compile(rb"(?:\xff[\xf0-\xfe])+")
# How many commands may wait: more than any client sends ahead.
_MAX_QUEUE = 64
# How long the last replies may take to leave when a client is told to go, in seconds: enough for
# any that reads them.
_FAREWELL = 10.0

_P = ParamSpec("_P")
_T = TypeVar("_T")


def command(
    method: Callable[_P, Coroutine[Any, Any, _T]],
) -> Callable[_P, Deferred[_T]]:
    """A command that a coroutine function does: calling it gives a Deferred."""

    @functools.wraps(method)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return ensureDeferred(method(*args, **kwargs))

    return called


def _ignore(failure: Failure) -> None:
    """The connection is lost, of which others are told."""


class Control(LineReceiver, TimeoutMixin):
    """Reads commands, does each in its turn, and answers; and lets people log in."""

    UNAUTH, INAUTH, AUTHED, RENAMING = range(4)

    PUBLIC_COMMANDS = ["FEAT", "QUIT"]  # noqa: RUF012

    # RFC 959 has no limit; names of files are up to 4096 bytes long.
    MAX_LENGTH = 8192

    disconnected = False
    portal: Any = None
    shell: Any = None
    maxLoginFailures = 5
    logout: Callable[[], Any] | None = None
    # Any name of a file comes and goes as it is: RFC 2640 section 2.2.
    _encoding = "utf-8"
    _user: str | None = None

    def __init__(self) -> None:
        self.state = self.UNAUTH
        self.workingDirectory: list[str] = []
        self._busy = False
        self._pumping = False
        self._queue: deque[bytes] = deque()
        self._failures = 0
        self._farewell: Any = None
        self._choked = False  # the client does not read what it is told

    def _abort_transfer(self) -> None:
        """Break off what goes through the data connection."""
        raise NotImplementedError

    def cleanupDTP(self) -> None:
        """Be done with the data connection, or with waiting for it."""
        raise NotImplementedError

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
        farewell, self._farewell = self._farewell, None
        if farewell is not None and farewell.active():
            farewell.cancel()
        logout, self.logout, self.shell = self.logout, None, None
        if logout is not None:
            maybeDeferred(logout).addErrback(
                lambda failure: report(_log, "logging out of FTP failed", failure)
            )
        self.transport = None

    def timeoutConnection(self) -> None:
        """Nothing was said for too long: say so, and hang up whether it is read or not."""
        if self._farewell is not None:
            return
        self.reply(codes.SVC_NOT_AVAIL_CLOSING_CTRL_CNX)
        # What waits could not be answered any more.
        self._queue.clear()
        self._farewell = self.callLater(_FAREWELL, self._hang_up)
        self.transport.loseConnection()

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()

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

    def dataReceived(self, data: bytes) -> None:
        """Commands come in: no more of them as long as the client does not read the replies."""
        super().dataReceived(data)
        drain = getattr(self.transport, "drain", None)
        if drain is None or self._choked:
            return
        room = drain()
        if not room.called:
            self._choked = True
            self.pauseProducing()
        room.addCallbacks(self._has_room, _ignore)

    def _has_room(self, _: object) -> None:
        if self._choked:
            self._choked = False
            if len(self._queue) < _MAX_QUEUE and self.transport is not None:
                self.resumeProducing()

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
        if self.paused and not (self._busy or self._choked) and self.transport is not None:
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

    @command
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
