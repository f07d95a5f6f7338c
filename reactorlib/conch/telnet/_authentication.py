"""Name and password, before anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactorlib.conch.telnet._constants import ECHO
from reactorlib.conch.telnet._errors import NegotiationError
from reactorlib.conch.telnet._interfaces import ITelnetProtocol
from reactorlib.conch.telnet._protocols import StatefulTelnetProtocol
from reactorlib.cred.credentials import UsernamePassword
from reactorlib.cred.error import LoginFailed, UnhandledCredentials
from reactorlib.internet.defer import Deferred, maybeDeferred, succeed
from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols.policies import TimeoutMixin
from reactorlib.python.failure import Failure

__all__ = ["AuthenticatingTelnetProtocol"]

# How many seconds a client may take to acknowledge that the echo is its own again.
_ACKNOWLEDGE = 2.0


class AuthenticatingTelnetProtocol(StatefulTelnetProtocol, TimeoutMixin):
    """
    Asks for a name and a password, and gives its place to the avatar.

    The avatar, an `ITelnetProtocol`, becomes the protocol of the transport. What the
    user typed ahead is the first that it receives. It is logged out when the
    connection is lost.

    Args:
        portal: where people log in.

    Attributes:
        portal: as above.
        username: the name that was typed in.
        protocol: the avatar; None before there is one.
        loginTimeout: for how many seconds in all somebody may be about to log in.
        failureDelay: for how many seconds a wrong password is not answered.
        maxLoginFailures: at how many the connection is closed.
    """

    state = "User"
    protocol: Any = None
    # OpenSSH has two minutes, and three attempts; login(1) waits for some seconds.
    loginTimeout: float = 120
    failureDelay: float = 2
    maxLoginFailures = 3
    # A name, or a password; and what may be typed while they are looked at.
    MAX_LENGTH = 1024
    _MAX_AHEAD = 16384

    _failures = 0
    _waiting = False
    _gone = False
    _echo: Deferred[Any] | None = None
    _login: Deferred[Any] | None = None
    _delay: Any = None
    _timer: Any = None

    def __init__(self, portal: Any) -> None:
        self.portal = portal
        self.username = b""
        self._ahead = bytearray()

    def connectionMade(self) -> None:
        """Ask for the name."""
        self.setTimeout(self.loginTimeout)
        self.transport.write(b"Username: ")

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The connection is gone: so is the login that was under way."""
        self._gone = True
        self.setTimeout(None)
        for call in (self._delay, self._timer):
            if call is not None and call.active():
                call.cancel()
        if self._login is not None:
            self._login.cancel()
        super().connectionLost(reason)

    def timeoutConnection(self) -> None:
        """It takes too long."""
        self.transport.write(b"\nLogin timed out\n")
        self.transport.loseConnection()

    def enableLocal(self, option: bytes) -> bool:
        """ECHO: while the password is typed in, it is ours, and we show nothing."""
        return option == ECHO

    def dataReceived(self, data: bytes) -> Any:
        """Text came in."""
        if not self._waiting:
            return super().dataReceived(data)
        self._ahead += data
        if len(self._ahead) > self._MAX_AHEAD:
            self._log.warn("{count} bytes came ahead of a login", count=len(self._ahead))
            self._ahead.clear()
            self.transport.loseConnection()
        return None

    def telnet_User(self, line: bytes) -> str:
        """The name came in."""
        self.username = line
        # Nothing depends on the client's answer.
        self._echo = self.transport.will(ECHO).addErrback(lambda _: None)
        self.transport.write(b"Password: ")
        return "Password"

    def telnet_Password(self, line: bytes) -> None:
        """The password came in: log in."""
        username = self.username
        self.state = "Done"
        self._wait()
        d = self.portal.login(UsernamePassword(username, line), None, ITelnetProtocol)
        self._login = d
        d.addCallbacks(self._show_keys, lambda why: self._log_in_failed(why, username))

    def telnet_Done(self, line: bytes) -> None:
        """Nothing is expected."""

    def _wait(self) -> None:
        """Keep what comes from here on, until it is known whose it is."""
        self._waiting = True
        self.paused = True  # so that no line is delivered; the transport goes on

    def _go_on(self) -> bytes:
        """What has come since `_wait`."""
        self._waiting = self.paused = False
        ahead = self.clearLineBuffer() + self._ahead
        self._ahead.clear()
        return ahead

    def _show_keys(self, ial: Any) -> None:
        """Let the client show keys again, and then let the avatar begin."""
        _, protocol, logout = ial
        self._login = None
        if self._gone or self.transport.disconnecting:
            maybeDeferred(logout).addErrback(self._logout_failed)
            return

        def begin(lost: bool) -> None:
            if lost or self._gone or self.transport.disconnecting:
                maybeDeferred(logout).addErrback(self._logout_failed)
            else:
                self._begin(protocol, logout)

        self._echo_off().addCallback(begin).addErrback(self._failed_to_begin)

    def _echo_off(self) -> Deferred[bool]:
        """
        Stop echoing.

        Returns:
            a Deferred that fires when the client has agreed, or at once with one that
            does not negotiate. Should that one still answer, it is the protocol of then
            that says whether it wants to echo. It says whether the connection was lost.
        """
        if self._echo is None or not self._echo.called:
            return succeed(False)

        def over(result: Any) -> bool:
            timer, self._timer = self._timer, None
            if timer is not None and timer.active():
                timer.cancel()
            return isinstance(result, Failure) and not result.check(NegotiationError)

        d: Deferred[Any] = self.transport.wont(ECHO)
        if not d.called:
            self._timer = self.callLater(_ACKNOWLEDGE, self._not_acknowledged)
        return d.addBoth(over)

    def _not_acknowledged(self) -> None:
        """The client does not answer WONT, as telnetlib3 does not; it cannot refuse, either."""
        side = self.transport.getOptionState(ECHO).us
        if side.negotiating:
            side.settle("no").callback(True)

    def _begin(self, protocol: Any, logout: Callable[[], Any]) -> None:
        self.setTimeout(None)
        self.state = "Command"
        self.protocol = protocol
        transport = self.transport

        def log_out() -> None:
            maybeDeferred(logout).addErrback(self._logout_failed)

        transport._when_lost.append(log_out)
        ahead = self._go_on()
        transport.protocol = protocol
        protocol.makeConnection(transport)
        if ahead and transport.protocol is not None:
            transport.protocol.dataReceived(ahead)

    def _failed_to_begin(self, failure: Failure) -> None:
        self._log.failure("the protocol of a telnet login failed to begin", failure=failure)
        self.transport.loseConnection()

    def _logout_failed(self, failure: Failure) -> None:
        self._log.failure("logging out of telnet failed", failure=failure)

    def _log_in_failed(self, failure: Failure, username: bytes) -> None:
        self._login = None
        if self._gone:
            return
        if failure.check(UnhandledCredentials) or not failure.check(LoginFailed):
            self._log.failure("a telnet login could not be looked at", failure=failure)
        else:
            self._log.info(
                "telnet login failed for {username} from {peer}",
                username=username,
                peer=self.transport.getPeer(),
            )
        self._failures += 1
        self._delay = self.callLater(self.failureDelay, self._ask_again)

    def _ask_again(self) -> None:
        self._delay = None
        if self.transport.disconnecting:
            return
        self._echo_off()
        self.transport.write(b"\nAuthentication failed\n")
        if self._failures >= self.maxLoginFailures:
            self.transport.loseConnection()
            return
        self.transport.write(b"Username: ")
        self.state = "User"
        ahead = self._go_on()
        if ahead:
            self.dataReceived(ahead)
