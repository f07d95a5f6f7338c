"""Commands, over real sockets and with Twisted's AMP at the other end."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.internet import reactor
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from reactorlib.internet.error import ConnectionClosed
from reactorlib.internet.protocol import ClientFactory, Factory, Protocol
from reactorlib.internet.ssl import DN, Certificate, KeyPair, PrivateCertificate
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols import amp

pytestmark = pytest.mark.timeout(60)

PEER = Path(__file__).with_name("_peer.py")


async def soon(awaitable: Any) -> Any:
    async with asyncio.timeout(20):
        return await awaitable


class Sum(amp.Command):
    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
    response = [(b"total", amp.Integer())]


class Divide(amp.Command):
    arguments = [(b"numerator", amp.Float()), (b"denominator", amp.Float())]
    response = [(b"result", amp.Float())]
    errors = {ZeroDivisionError: b"ZERO_DIVISION"}


class Echo(amp.Command):
    arguments = [
        (b"text", amp.Unicode()),
        (b"flag", amp.Boolean()),
        (b"numbers", amp.ListOf(amp.Integer())),
        (b"rows", amp.AmpList([(b"x", amp.Integer()), (b"y", amp.String(optional=True))])),
        (b"price", amp.Decimal()),
        (b"when", amp.DateTime()),
        (b"left-out", amp.String(optional=True)),
    ]
    response = arguments


class Fatal(amp.Command):
    fatalErrors = {LookupError: b"LOST"}


class Broken(amp.Command):
    response = [(b"total", amp.Integer())]


class Silent(amp.Command):
    arguments = [(b"word", amp.String())]
    requiresAnswer = False


class Never(amp.Command):
    pass


class Unknown(amp.Command):
    pass


class Take(amp.Command):
    arguments = [(b"file", amp.Descriptor())]
    response = [(b"data", amp.String())]


class Switch(amp.ProtocolSwitchCommand):
    arguments = [(b"name", amp.String())]
    errors = {KeyError: b"NO_SUCH"}


WHAT: dict[str, Any] = {
    "text": "\N{SNOWMAN}",
    "flag": True,
    "numbers": [1, -2, 3],
    "rows": [{"x": 1, "y": b"z"}, {"x": 2, "y": None}],
    "price": decimal.Decimal("3.50"),
    "when": datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC),
    "left_out": None,
}


class Calculator(amp.AMP):
    def __init__(self) -> None:
        super().__init__()
        self.lost: Deferred[Any] = Deferred()
        self.words: list[bytes] = []
        self.certificate: Any = None
        self.authorities: Any = None

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        self.lost.callback((reason,))

    @Sum.responder
    def sum(self, a: int, b: int) -> dict[str, int]:
        return {"total": a + b}

    @Divide.responder
    async def divide(self, numerator: float, denominator: float) -> dict[str, float]:
        await asyncio.sleep(0)
        return {"result": numerator / denominator}

    @Echo.responder
    def echo(self, **what: Any) -> dict[str, Any]:
        return what

    @Fatal.responder
    def fatal(self) -> dict[str, Any]:
        raise LookupError("gone")

    @Broken.responder
    def broken(self) -> dict[str, Any]:
        return {}

    @Silent.responder
    def silent(self, word: bytes) -> dict[str, Any]:
        self.words.append(word)
        return {}

    @Never.responder
    def never(self) -> Deferred[Any]:
        return Deferred()

    @Take.responder
    def take(self, file: int) -> dict[str, bytes]:
        with open(file, "rb") as opened:
            return {"data": opened.read()}

    @Switch.responder
    def switch(self, name: bytes) -> Protocol:
        return {b"echo": EchoBytes}[name]()

    @amp.StartTLS.responder
    def secure(self) -> dict[str, Any]:
        return {
            "tls_localCertificate": self.certificate,
            "tls_verifyAuthorities": self.authorities,
        }

    def amp_HELLO(self, box: amp.Box) -> amp.Box:
        return amp.Box(hello=box[b"hello"])


class EchoBytes(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


Start = Callable[[], Calculator]


@asynccontextmanager
async def connected(
    client: Start = Calculator, server: Start = Calculator, unix: str = ""
) -> AsyncIterator[tuple[Calculator, Calculator]]:
    """A client and a server, over a real socket."""
    made: Deferred[Calculator] = Deferred()

    class Serving(Factory[Calculator]):
        def buildProtocol(self, addr: Any) -> Calculator:
            protocol = server()
            made.callback(protocol)
            return protocol

    port: Any
    if unix:
        port = reactor.listenUNIX(unix, Serving())
        where: Any = UNIXClientEndpoint(reactor, unix)
    else:
        port = reactor.listenTCP(0, Serving(), interface="127.0.0.1")
        where = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    near = await soon(connectProtocol(where, client()))
    far = await soon(made)
    try:
        yield near, far
    finally:
        for side in (near, far):
            if side.transport is not None:
                side.transport.loseConnection()
            await soon(side.lost)
        await port.stopListening()


def certificate(name: str) -> PrivateCertificate:
    made: PrivateCertificate = KeyPair.generate().selfSignedCert(1, commonName=name)
    return made


# -- asking and answering -----------------------------------------------------


async def test_both_sides_ask_and_answer() -> None:
    async with connected() as (near, far):
        for side in (near, far):
            assert await soon(side.callRemote(Sum, a=13, b=81)) == {"total": 94}
            assert await soon(side.callRemote(Divide, numerator=1.0, denominator=4.0)) == {
                "result": 0.25
            }
            assert await soon(side.callRemote(Echo, **WHAT)) == WHAT
            answer = side.callRemoteString(b"hello", hello=b"world")
            assert (await soon(answer))[b"hello"] == b"world"


async def test_many_at_once_are_answered_each_with_its_own() -> None:
    async with connected() as (near, _):
        asked = [near.callRemote(Sum, a=number, b=number) for number in range(500)]
        answers = await soon(asyncio.gather(*asked))
        assert answers == [{"total": 2 * number} for number in range(500)]


async def test_errors_that_the_command_declares() -> None:
    async with connected() as (near, _):
        with pytest.raises(ZeroDivisionError):
            await soon(near.callRemote(Divide, numerator=1.0, denominator=0.0))
        assert await soon(near.callRemote(Sum, a=1, b=1)) == {"total": 2}  # it goes on
        with pytest.raises(LookupError, match="gone"):
            await soon(near.callRemote(Fatal))
        await soon(near.lost)


async def test_errors_that_it_does_not_declare(errors: Any) -> None:
    """The peer is told nothing of it, and the connection ends."""
    async with connected() as (near, _):
        with pytest.raises(amp.UnknownRemoteError, match="Unknown Error"):
            await soon(near.callRemote(Broken))
        await soon(near.lost)
    (error,) = errors.take()
    assert isinstance(error, amp.BadLocalReturn)


async def test_the_old_name_of_locateResponder_still_serves() -> None:
    class Old(Calculator):
        def lookupFunction(self, name: bytes) -> Any:
            return super().lookupFunction(Sum.commandName if name == b"old" else name)

    async with connected(server=Old) as (near, _):
        with pytest.warns(PendingDeprecationWarning, match="Override locateResponder") as warned:
            answer = await soon(near.callRemoteString(b"old", a=b"1", b=b"2"))
        assert answer[b"total"] == b"3"
        assert warned[0].filename == __file__
        with pytest.warns(PendingDeprecationWarning, match="Call locateResponder"):
            assert near.lookupFunction(Sum.commandName) is not None
        with pytest.warns(PendingDeprecationWarning):
            assert near.lookupFunction(b"nothing") is None


async def test_commands_that_nobody_knows() -> None:
    async with connected() as (near, _):
        with pytest.raises(amp.UnhandledCommand):
            await soon(near.callRemote(Unknown))
        with pytest.raises(amp.InvalidSignature, match="forgot b for Sum"):
            await soon(near.callRemote(Sum, a=1))
        assert await soon(near.callRemote(Sum, a=1, b=1)) == {"total": 2}


async def test_no_answer_is_wanted() -> None:
    async with connected() as (near, far):
        assert near.callRemote(Silent, word=b"psst") is None
        await soon(near.callRemote(Sum, a=1, b=1))
        assert far.words == [b"psst"]


async def test_what_was_asked_fails_with_the_connection() -> None:
    async with connected() as (near, far):
        asked = near.callRemote(Never)
        await soon(near.callRemote(Sum, a=1, b=1))
        far.transport.loseConnection()
        with pytest.raises(ConnectionClosed):
            await soon(asked)
        with pytest.raises(ConnectionClosed):
            await soon(near.callRemote(Sum, a=1, b=1))


async def test_a_failure_that_is_left_ends_the_connection(errors: Any) -> None:
    async with connected() as (near, _):
        near.callRemote(Sum, a=1, b=1).addCallback(lambda _: 1 // 0)
        await soon(near.lost)
    assert [type(error) for error in errors.take()] == [ZeroDivisionError]


@pytest.mark.parametrize("handled", ["no", "before", "while", "awaited before", "awaited while"])
async def test_a_failure_after_a_wait_is_nobodys_either(handled: str, errors: Any) -> None:
    """A callback waits for something else when the answer has come, and then fails."""
    waited: Deferred[None] = Deferred()
    begun = asyncio.Event()

    def wait(_: object) -> Deferred[None]:
        begun.set()
        return waited

    async def wait_for(asked: Any) -> None:
        with pytest.raises(ZeroDivisionError):
            await asked

    seen: list[Any] = []
    waiting = None
    async with connected() as (near, _):
        asked = near.callRemote(Sum, a=1, b=1).addCallback(wait)
        if handled == "before":
            asked.addErrback(seen.append)
        elif handled == "awaited before":
            waiting = asyncio.create_task(wait_for(asked))
        await soon(begun.wait())
        if handled == "while":
            asked.addErrback(seen.append)
        elif handled == "awaited while":
            waiting = asyncio.create_task(wait_for(asked))
            await asyncio.sleep(0)
        waited.errback(ZeroDivisionError())
        if waiting is not None:
            await soon(waiting)
        if handled == "no":
            await soon(near.lost)
            assert [type(error) for error in errors.take()] == [ZeroDivisionError]
        else:
            assert await soon(near.callRemote(Sum, a=2, b=2)) == {"total": 4}
            assert len(seen) == (waiting is None)


async def test_a_question_may_be_given_up() -> None:
    async with connected() as (near, _):
        asked = near.callRemote(Sum, a=1, b=1)
        asked.cancel()
        with pytest.raises(CancelledError):
            await asked
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await near.callRemote(Never)
        assert await soon(near.callRemote(Sum, a=2, b=2)) == {"total": 4}


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (b"\1\0", amp.TooLong),
        (b"\0\1a\0\1b\0\0", amp.NoEmptyBoxes),
        (b"\0\7_answer\0\x0299\0\0", amp.MalformedAmpBox),
    ],
)
async def test_a_peer_that_talks_nonsense(wire: bytes, error: Any, errors: Any) -> None:
    async with connected() as (near, far):
        near.transport.write(wire)
        (reason,) = await soon(far.lost)
        await soon(near.lost)
        told = [type(each) for each in errors.take()]
        # A key that is too long is the peer's fault alone, and is not reported.
        assert told == ([] if error is amp.TooLong else [error])
        assert reason.check(ConnectionClosed, error)


async def test_another_protocol_takes_over() -> None:
    class Hears(Protocol):
        def __init__(self) -> None:
            self.heard: Deferred[bytes] = Deferred()
            self.lost: Deferred[None] = Deferred()

        def connectionMade(self) -> None:
            assert self.transport is not None
            self.transport.write(b"hello")

        def dataReceived(self, data: bytes) -> None:
            self.heard.callback(data)

        def connectionLost(self, reason: Any = None) -> None:
            self.lost.callback(None)

    class Once(ClientFactory[Hears]):
        failed = False

        def __init__(self) -> None:
            self.hears = Hears()

        def buildProtocol(self, addr: Any) -> Hears:
            return self.hears

        def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
            self.failed = True

    async with connected() as (near, _):
        refused = Once()
        with pytest.raises(KeyError):
            await soon(near.callRemote(Switch, refused, name=b"nothing"))
        assert refused.failed
        once = Once()
        await soon(near.callRemote(Switch, once, name=b"echo"))
        assert await soon(once.hears.heard) == b"hello"
        with pytest.raises(amp.ProtocolSwitched):
            near.callRemote(Sum, a=1, b=1)
    await soon(once.hears.lost)


async def test_descriptors_over_a_unix_socket(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"inside")
    async with connected(unix=str(tmp_path / "socket")) as (near, _):
        with open(tmp_path / "file", "rb") as file:
            asked = near.callRemote(Take, file=file.fileno())
        assert await soon(asked) == {"data": b"inside"}


async def test_tls_with_certificates() -> None:
    ours, theirs = certificate("near.test"), certificate("far.test")

    def server() -> Calculator:
        protocol = Calculator()
        protocol.certificate = theirs
        protocol.authorities = [Certificate(ours.original)]
        return protocol

    async with connected(server=server) as (near, far):
        await soon(
            near.callRemote(
                amp.StartTLS,
                tls_localCertificate=ours,
                tls_verifyAuthorities=[Certificate(theirs.original)],
            )
        )
        assert await soon(near.callRemote(Sum, a=1, b=1)) == {"total": 2}
        assert await soon(far.callRemote(Sum, a=1, b=1)) == {"total": 2}
        assert near.peerCertificate.getSubject() == DN(commonName="far.test")
        assert far.peerCertificate.getSubject() == DN(commonName="near.test")
        with pytest.raises(amp.OnlyOneTLS):
            near.callRemote(amp.StartTLS)


class NoTLS(Calculator):
    """Refuses TLS, if it answers at all."""

    answers = True

    @amp.StartTLS.responder
    def no(self) -> Any:
        if not self.answers:
            return Deferred()
        raise amp.RemoteAmpError(b"NO_TLS", "no TLS here", False)


class SilentOnTLS(NoTLS):
    answers = False


@pytest.mark.parametrize("server", [NoTLS, SilentOnTLS])
async def test_without_the_tls_that_was_asked_for_nothing_is_sent(server: Start) -> None:
    """What waited for TLS fails with the connection, and what is asked later."""
    async with connected(server=server) as (near, far):
        asked = near.callRemote(amp.StartTLS)
        waiting = near.callRemote(Sum, a=1, b=1)
        near.callRemote(Silent, word=b"secret")
        if server is SilentOnTLS:
            asked.cancel()
        with pytest.raises((amp.UnknownRemoteError, CancelledError)):
            await soon(asked)
        with pytest.raises(ConnectionClosed):
            await soon(waiting)
        with pytest.raises(ConnectionClosed):
            await soon(near.callRemote(Sum, a=1, b=1))
        await soon(near.lost)
        assert far.words == []


async def test_tls_that_cannot_begin_ends_the_connection() -> None:
    class Unusable:
        def options(self, *authorities: Any) -> Any:
            raise LookupError("no key")

    async with connected() as (near, _):
        asked = near.callRemote(amp.StartTLS, tls_localCertificate=Unusable())
        waiting = near.callRemote(Sum, a=1, b=1)
        with pytest.raises(LookupError):
            await soon(asked)
        with pytest.raises(ConnectionClosed):
            await soon(waiting)


@pytest.mark.parametrize("with_certificates", [True, False])
async def test_tls_is_not_asked_for_twice(with_certificates: bool) -> None:
    """The second question is not sent, and the connection goes on."""
    ours = certificate("near.test") if with_certificates else None
    async with connected() as (near, _):
        first = near.callRemote(amp.StartTLS, tls_localCertificate=ours)
        waiting = near.callRemote(Sum, a=1, b=1)
        with pytest.raises(amp.OnlyOneTLS, match="the answer is not there"):
            near.callRemote(amp.StartTLS)
        await soon(first)
        assert await soon(waiting) == {"total": 2}
        with pytest.raises(amp.OnlyOneTLS):
            near.callRemote(amp.StartTLS)
        assert await soon(near.callRemote(Sum, a=1, b=2)) == {"total": 3}


async def test_tls_without_certificates() -> None:
    async with connected() as (near, _):
        await soon(near.callRemote(amp.StartTLS))
        assert await soon(near.callRemote(Sum, a=1, b=1)) == {"total": 2}
        assert near.peerCertificate is None


def test_interfaces_and_repr() -> None:
    protocol = amp.AMP()
    verifyObject(amp.IBoxSender, protocol)
    verifyObject(amp.IBoxReceiver, protocol)
    verifyObject(amp.IResponderLocator, protocol)
    assert repr(protocol).startswith("<AMP at 0x")
    transport = StringTransport()
    protocol.makeConnection(transport)
    protocol.callRemote(Silent, word=b"x")
    assert transport.value() == b"\0\x08_command\0\x06Silent\0\x04word\0\x01x\0\0"


def test_responders_are_found_by_where_they_stand() -> None:
    """One that has lost its name, those without any, and what a class derives from."""

    class Base(amp.CommandLocator):
        @Sum.responder
        def answer(self, a: int, b: int) -> dict[str, int]:
            return {"total": a + b}

        del answer
        Never.responder(lambda self: {})

        Silent.responder(lambda self, word: {})

    class Derived(Base):
        @Never.responder
        def never(self) -> dict[str, Any]:
            raise LookupError

    for locator in (Base(), Derived()):
        for command in (Sum, Never, Silent):
            assert locator.locateResponder(command.commandName) is not None
        assert locator.locateResponder(b"Unknown") is None
    assert amp.CommandLocator().locateResponder(b"Sum") is None


@pytest.mark.parametrize(
    "attributes",
    [
        {"arguments": [("text", amp.String())]},
        {"response": [("text", amp.String())]},
        {"errors": {KeyError: "text"}},
        {"commandName": "text"},
    ],
)
def test_names_are_bytes(attributes: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="names must be byte strings"):
        type("Wrong", (amp.Command,), attributes)


# -- with Twisted -------------------------------------------------------------

with_twisted = pytest.mark.skipif(
    importlib.util.find_spec("twisted") is None, reason="Twisted, the peer, is not installed"
)


@asynccontextmanager
async def peer(role: str, port: int, pem: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PEER), role, str(port), str(pem), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@with_twisted
async def test_twisted_answers(tmp_path: Path) -> None:
    own = certificate("amp.test")
    pem = tmp_path / "pem"
    pem.write_bytes(own.dumpPEM())
    async with peer("server", 0, pem) as process:
        assert process.stdout is not None
        port = int(await soon(process.stdout.readline()))
        where = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        near = await soon(connectProtocol(where, Calculator()))
        assert await soon(near.callRemote(Echo, **WHAT)) == WHAT
        with pytest.raises(ZeroDivisionError):
            await soon(near.callRemote(Divide, numerator=1.0, denominator=0.0))
        with pytest.raises(amp.UnhandledCommand):
            await soon(near.callRemote(Unknown))
        await soon(
            near.callRemote(
                amp.StartTLS,
                tls_localCertificate=own,
                tls_verifyAuthorities=[Certificate(own.original)],
            )
        )
        assert await soon(near.callRemote(Sum, a=1, b=2)) == {"total": 3}
        near.transport.loseConnection()
        await soon(near.lost)


@with_twisted
async def test_twisted_asks(tmp_path: Path) -> None:
    own = certificate("amp.test")
    pem = tmp_path / "pem"
    pem.write_bytes(own.dumpPEM())
    served: list[Calculator] = []

    class Serving(Factory[Calculator]):
        def buildProtocol(self, addr: Any) -> Calculator:
            served.append(Calculator())
            served[0].certificate = own
            served[0].authorities = [Certificate(own.original)]
            return served[0]

    port: Any = reactor.listenTCP(0, Serving(), interface="127.0.0.1")
    async with peer("client", port.getHost().port, pem) as process:
        assert process.stdout is not None
        assert (await soon(process.stdout.read())).decode() == f"all is well{os.linesep}"
    await soon(served[0].lost)
    await port.stopListening()
