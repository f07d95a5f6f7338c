"""Places to connect to, by address: TCP, TLS, UNIX sockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reactorlib.internet import error
from reactorlib.internet._resolvers import find_addresses
from reactorlib.internet.abstract import isIPv6Address
from reactorlib.internet.address import IPv6Address
from reactorlib.internet.defer import Deferred, fail
from reactorlib.internet.endpoints._attempt import _WrappingFactory
from reactorlib.internet.endpoints._client import ClientEndpoint
from reactorlib.internet.endpoints._race import Race
from reactorlib.internet.tcp import check_port
from reactorlib.python.failure import Failure

__all__ = [
    "SSL4ClientEndpoint",
    "TCP4ClientEndpoint",
    "TCP6ClientEndpoint",
    "UNIXClientEndpoint",
    "check_wanted_port",
    "local_binding",
]


def local_binding(given: Any) -> Any:
    """
    Where to connect from, as `connectTCP` takes it.

    Args:
        given: None, a `makeBinding`, an address, or an address and a port.
    """
    if isinstance(given, (str, bytes)):
        given = (given, 0)
    if isinstance(given, tuple):
        host, port = given
        return host.decode("ascii") if isinstance(host, bytes) else host, port
    return given


def check_wanted_port(port: object) -> None:
    """
    Check a port that a resolver is to be given, which may be text: a number, or a service.

    The system takes numbers that are too high, and less 65536 they are other ports.

    Raises:
        TypeError, ValueError: it is no port, or out of range.
    """
    if isinstance(port, (str, bytes)):
        try:
            port = int(port)
        except ValueError:
            return
    check_port(port)


class _Client(ClientEndpoint):
    """Somewhere that the reactor connects to by itself. Subclasses say how, in `_begin`."""

    _reactor: Any

    def _begin(self, factory: Any) -> object:
        """Have the reactor connect `factory`; it is looked up only now."""
        raise NotImplementedError

    def _connect(self, protocolFactory: Any) -> Deferred[Any]:
        attempt = _WrappingFactory(protocolFactory)
        try:
            self._begin(attempt)
        except Exception:
            attempt.settle(Failure())
        return attempt._onConnection


class _TCPClient(ClientEndpoint):
    """What both versions of IP have."""

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        timeout: float | None = 30,
        bindAddress: Any = None,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._timeout = timeout
        self._bindAddress = local_binding(bindAddress)


class TCP4ClientEndpoint(_TCPClient, _Client):
    """
    A TCP port of another host, on IPv4.

    Args:
        reactor: the reactor to connect with.
        host: the name or address of the host.
        port: the port's number.
        timeout: seconds after which an attempt fails.
        bindAddress: the local address to connect from, or address and port, or a
            `makeBinding`.
    """

    def _begin(self, factory: Any) -> object:
        return self._reactor.connectTCP(
            self._host,
            self._port,
            factory,
            timeout=self._timeout,
            bindAddress=self._bindAddress,
        )


class TCP6ClientEndpoint(_TCPClient):
    """
    A TCP port of another host, on IPv6: of the host's addresses, the first that answers.

    Args:
        reactor: the reactor to connect with.
        host: the name or address of the host.
        port: the port's number.
        timeout: seconds after which an attempt fails.
        bindAddress: the local address to connect from, or address and port, or a
            `makeBinding`.
    """

    def _connect(self, protocolFactory: Any) -> Deferred[Any]:
        try:
            check_wanted_port(self._port)
        except (TypeError, ValueError):
            return fail()

        def attempt(address: Any) -> Deferred[Any]:
            endpoint = TCP4ClientEndpoint(
                self._reactor, address.host, address.port, self._timeout, self._bindAddress
            )
            return endpoint._connect(protocolFactory)

        return Race(
            self._reactor, f"{self._host}:{self._port}", self._destination(), attempt
        ).begin(self._found)

    def _destination(self) -> IPv6Address:
        return IPv6Address("TCP", self._host, self._port)

    def _found(self) -> Deferred[list[Any]]:
        if isIPv6Address(self._host.partition("%")[0]):
            found: Deferred[list[Any]] = Deferred()
            found.callback([self._destination()])
            return found
        return find_addresses(
            self._reactor.nameResolver, self._host, self._port, addressTypes=[IPv6Address]
        ).addCallback(self._check)

    def _check(self, addresses: Sequence[Any]) -> list[Any]:
        if not addresses:
            raise error.DNSLookupError(f"no IPv6 address for {self._host}")
        return list(addresses)


class SSL4ClientEndpoint(_Client):
    """
    A TCP port of another host, with TLS.

    Args:
        reactor: the reactor to connect with.
        host: the name or address of the host.
        port: the port's number.
        sslContextFactory: the TLS settings, in any form that `reactorlib.internet.ssl` knows.
        timeout: seconds after which an attempt fails.
        bindAddress: the local address to connect from, or address and port, or a
            `makeBinding`.
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        sslContextFactory: Any,
        timeout: float | None = 30,
        bindAddress: Any = None,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._sslContextFactory = sslContextFactory
        self._timeout = timeout
        self._bindAddress = local_binding(bindAddress)

    def _begin(self, factory: Any) -> object:
        return self._reactor.connectSSL(
            self._host,
            self._port,
            factory,
            contextFactory=self._sslContextFactory,
            timeout=self._timeout,
            bindAddress=self._bindAddress,
        )


class UNIXClientEndpoint(_Client):
    """
    A UNIX socket that somebody listens at.

    Args:
        reactor: the reactor to connect with.
        path: its path.
        timeout: seconds after which an attempt fails.
        checkPID: whether to look at the lock file beside it first.
    """

    def __init__(
        self, reactor: Any, path: Any, timeout: float | None = 30, checkPID: bool = False
    ) -> None:
        self._reactor = reactor
        self._path = path
        self._timeout = timeout
        self._checkPID = checkPID

    def _begin(self, factory: Any) -> object:
        return self._reactor.connectUNIX(
            self._path, factory, timeout=self._timeout, checkPID=self._checkPID
        )
