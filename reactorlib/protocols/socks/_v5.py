"""SOCKS 5."""

from __future__ import annotations

import errno
import logging as _logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from reactorlib.cred.error import UnauthorizedLogin
from reactorlib.internet.defer import CancelledError
from reactorlib.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
    UnknownHostError,
)
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.protocols.socks._ends import SOCKSv4Incoming, SOCKSv4Outgoing
from reactorlib.protocols.socks._tunnel import Authorize, Refused, Tunnel, UnknownCommand, ask
from reactorlib.protocols.socks._wire import InvalidRequest, Reader5, UnknownAddressType, reply5

__all__ = ["CheckLogin", "SOCKSv5", "SOCKSv5Factory", "ServingFactory"]

_log = _logging.getLogger("reactorlib.protocols.socks")

_P = TypeVar("_P", bound=Protocol)

CheckLogin = Callable[[bytes, bytes], "bool | Awaitable[bool]"]

_NO_LOGIN, _PASSWORD, _NO_METHOD = 0, 2, 0xFF
_GRANTED, _FAILED = 0, 1

#: What to reply.  RFC 1928 section 6.
_CODES: list[tuple[type[BaseException], int]] = [
    (Refused, 2),
    (NoRouteError, 3),
    (DNSLookupError, 4),
    (UnknownHostError, 4),
    (TimeoutError, 4),
    (TCPTimedOutError, 4),
    (CancelledError, 4),
    (UnicodeError, 4),
    (ConnectionRefusedError, 5),
    (UnknownCommand, 7),
    (UnknownAddressType, 8),
]


def code(error: BaseException) -> int:
    """The reply for an error."""
    reason = getattr(error, "osError", None)
    number = getattr(reason, "errno", reason)
    if number in (errno.EHOSTUNREACH, errno.ETIMEDOUT):
        return 4
    if number == errno.ENETUNREACH:
        return 3
    return next((code for kind, code in _CODES if isinstance(error, kind)), _FAILED)


class SOCKSv5(Tunnel):
    """
    A server of SOCKS 5 (RFC 1928): CONNECT and BIND, to IPv4 and IPv6 addresses and
    names, without a login or with a name and a password (RFC 1929).
    """

    def __init__(self, logging: str | None = None, reactor: Any = None) -> None:
        super().__init__(logging, reactor)
        self._reader = Reader5()
        self._step: Callable[[], bool] = self._greeted

    @property
    def _buffered(self) -> Reader5:
        return self._reader

    def checkLogin(self, name: bytes, password: bytes) -> Any:
        """
        Whether they are right; the factory's `checkLogin` decides.

        Returns:
            whether; or a Deferred, or a coroutine, for that. Failing with
            `UnauthorizedLogin` says no, too.
        """
        return self.factory.checkLogin(name, password)

    def _advance(self) -> None:
        try:
            while not (self._busy or self._closed) and self._step():
                pass
        except InvalidRequest as error:
            if self._step == self._requested:
                self._failed(error)
            else:
                self._close()

    # Each step says whether there was something to be read.

    def _greeted(self) -> bool:
        methods = self._reader.next_greeting()
        if methods is None:
            return False
        checks = getattr(getattr(self, "factory", None), "checkLogin", None) is not None
        method = _PASSWORD if checks else _NO_LOGIN
        if method not in methods:
            self.transport.write(bytes([5, _NO_METHOD]))
            self._close()
            return False
        self._step = self._logged_in if checks else self._requested
        self.transport.write(bytes([5, method]))
        return True

    def _logged_in(self) -> bool:
        login = self._reader.next_login()
        if login is None:
            return False
        self._start(self._check(*login))
        return True

    async def _check(self, name: bytes, password: bytes) -> None:
        try:
            right = await ask(self.checkLogin(name, password))
        except UnauthorizedLogin:
            right = False
        except Exception:
            _log.exception("a login could not be checked")
            right = False
        if self._closed:
            return
        self.transport.write(b"\1\0" if right else b"\1\1")
        if not right:
            self._close()
            return
        self._user = name
        self._step = self._requested
        self._busy = False
        self._clock.callLater(0, self._advance)

    def _requested(self) -> bool:
        request = self._reader.next_request()
        if request is None:
            return False
        self._start(self._serve(request))
        return True

    def _connected(self, end: SOCKSv4Outgoing, host: str, port: int) -> None:
        here = end.transport.getHost()
        super()._connected(end, here.host, here.port)

    def _succeeded(self, host: str, port: int) -> None:
        self.transport.write(reply5(_GRANTED, host, port))

    def _accept_reply(self, end: SOCKSv4Incoming) -> None:
        peer = end.transport.getPeer()
        self._succeeded(peer.host, peer.port)

    def _failed(self, error: BaseException) -> None:
        self.transport.write(reply5(code(error)))
        self._close()


class ServingFactory(Factory[_P]):
    """
    What factories have that serve SOCKS 5.

    Args:
        log: the path of a file to which all that is passed on is added; None for none.
        checkLogin: called with the client's name and password, says whether they are
            right: True or False, or a Deferred or a coroutine for it. None asks for
            no login.
        authorize: called as `SOCKSv5.authorize` is, in its place; None allows all.
        reactor: what connects and listens; None for the one that runs.
    """

    def __init__(
        self,
        log: str | None = None,
        checkLogin: CheckLogin | None = None,
        authorize: Authorize | None = None,
        reactor: Any = None,
    ) -> None:
        self.logging = log
        self.checkLogin = checkLogin
        self.authorize = authorize
        self.reactor = reactor


class SOCKSv5Factory(ServingFactory[SOCKSv5]):
    """
    Serves SOCKS 5.

    Args:
        log: the path of a file to which all that is passed on is added; None for none.
        checkLogin: called with the client's name and password, says whether they are
            right: True or False, or a Deferred or a coroutine for it. None asks for
            no login.
        authorize: called as `SOCKSv5.authorize` is, in its place; None allows all.
        reactor: what connects and listens; None for the one that runs.
    """

    protocol = SOCKSv5

    def buildProtocol(self, addr: Any) -> SOCKSv5:
        """The client's end."""
        protocol = self.protocol(self.logging, self.reactor)
        protocol.factory = self
        return protocol
