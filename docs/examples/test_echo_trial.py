"""
Tests of an echo server, as a test case.

    python -m pytest test_echo_trial.py
    python -m unittest test_echo_trial.py
    python -m reactorlib.trial test_echo_trial.py
"""

from __future__ import annotations

from typing import Any

from reactorlib.internet import defer, reactor
from reactorlib.internet.endpoints import TCP4ClientEndpoint
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.testing import AccumulatingProtocol, StringTransport
from reactorlib.trial import unittest


class Echo(Protocol):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.loseConnection()


class EchoTests(unittest.TestCase):
    """What is waited for may be a Deferred or a coroutine, in every step."""

    def setUp(self) -> None:
        port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        self.addCleanup(port.stopListening)  # a Deferred: it is waited for
        self.endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)

    async def test_coroutine(self) -> None:
        client = await self.endpoint.connect(Factory.forProtocol(AccumulatingProtocol))
        client.closedDeferred = defer.Deferred()
        client.transport.write(b"hello")
        await client.closedDeferred
        self.assertEqual(client.data, b"hello")

    @defer.inlineCallbacks
    def test_generator(self) -> Any:
        client = yield self.endpoint.connect(Factory.forProtocol(AccumulatingProtocol))
        client.closedDeferred = defer.Deferred()
        client.transport.write(b"hello")
        yield client.closedDeferred
        self.assertEqual(client.data, b"hello")


class EchoWithoutNetworkTests(unittest.SynchronousTestCase):
    """What needs no loop."""

    def test_echo(self) -> None:
        transport, protocol = StringTransport(), Echo()
        protocol.makeConnection(transport)
        protocol.dataReceived(b"hello")
        self.assertEqual(transport.value(), b"hello")
        self.assertTrue(transport.disconnecting)
