"""`TLSEngine`: two of them talk to each other, and the tests are the wire."""

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from reactorlib._sansio.tls import TLSEngine

CA = trustme.CA()
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


def server_context(version: ssl.TLSVersion = VERSIONS[-1]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    CA.issue_cert("example.com", "127.0.0.1").configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    CA.configure_trust(context)
    return context


SERVERS = {version: server_context(version) for version in VERSIONS}
CLIENT = client_context()

Cut = Callable[[bytes], Iterator[bytes]]


def pieces_of(size: int) -> Cut:
    return lambda data: (data[i : i + size] for i in range(0, len(data), size))


class Pair:
    """A client and a server, what each has received, and the wire between them."""

    def __init__(
        self,
        version: ssl.TLSVersion = VERSIONS[-1],
        *,
        client: ssl.SSLContext = CLIENT,
        server: ssl.SSLContext | None = None,
        name: str | None = "example.com",
        cut: Cut = lambda data: iter([data]),
        session: ssl.SSLSession | None = None,
    ) -> None:
        self.client = TLSEngine(client, server_hostname=name, session=session)
        self.server = TLSEngine(server or SERVERS[version], server_side=True)
        self.cut = cut
        self.received = {self.client: b"", self.server: b""}

    def run(self) -> "Pair":
        """Carry everything to and fro, until both are silent."""
        moved = True
        while moved:
            moved = False
            for source, target in ((self.client, self.server), (self.server, self.client)):
                while data := source.take():
                    moved = True
                    for piece in self.cut(data):
                        self.received[target] += target.receive(piece)
        return self


def shaken(**kwargs: Any) -> Pair:
    pair = Pair(**kwargs).run()
    assert pair.client.handshake_done
    assert pair.server.handshake_done
    return pair


def take_all(engine: TLSEngine) -> bytes:
    return b"".join(iter(engine.take, b""))


# -- bytes -------------------------------------------------------------------------


@versions
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100, 1000, 100000])
def test_cutting_makes_no_difference(version: ssl.TLSVersion, size: int) -> None:
    pair = Pair(version, cut=pieces_of(size))
    pair.client.write(b"question")
    pair.server.write(b"answer" * 5000)
    pair.client.close()
    pair.run()
    pair.server.close()
    pair.run()
    assert pair.received == {pair.server: b"question", pair.client: b"answer" * 5000}
    for engine in (pair.client, pair.server):
        assert engine.handshake_done
        assert engine.finished
        assert engine.peer_closed
        assert engine.notified
        assert engine.error is None


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(VERSIONS),
    st.lists(st.tuples(st.booleans(), st.integers(0, 70000), st.booleans()), max_size=8),
    st.lists(st.integers(0, 9000), max_size=50),
)
def test_any_conversation_arrives(
    version: ssl.TLSVersion, writes: list[tuple[bool, int, bool]], sizes: list[int]
) -> None:
    """Whatever is written, before or after the handshake, and however it is cut."""

    def cut(data: bytes) -> Iterator[bytes]:
        for size in sizes:
            yield data[:size]
            data = data[size:]
        yield data

    pair = Pair(version, cut=cut)
    sent = {pair.client: b"", pair.server: b""}
    for number, (from_client, size, run) in enumerate(writes):
        source, target = (pair.client, pair.server) if from_client else (pair.server, pair.client)
        data = bytes([number]) * size
        source.write(data)
        sent[target] += data
        if run:
            pair.run()
    pair.client.close()
    pair.server.close()
    pair.run()
    assert pair.received == sent
    assert pair.client.peer_closed
    assert pair.server.peer_closed
    assert pair.client.error is pair.server.error is None


def test_what_is_written_before_the_handshake_waits() -> None:
    pair = Pair()
    pair.client.write(b"abc")
    pair.client.write(b"de")
    assert pair.client.waiting == 5
    assert b"abc" not in take_all(pair.client)
    assert pair.client.waiting == 5
    pair = Pair()
    pair.client.write(b"abc")
    pair.run()
    assert pair.client.waiting == 0
    assert pair.received[pair.server] == b"abc"


def test_small_writes_share_a_record() -> None:
    pair = shaken()
    for _ in range(1000):
        pair.client.write(b"x")
    ciphertext = pair.client.take()
    assert len(ciphertext) < 1100
    assert pair.client.take() == b""
    assert pair.server.receive(ciphertext) == b"x" * 1000


def test_a_large_write_leaves_in_pieces() -> None:
    pair = shaken()
    data = bytes(range(256)) * 4000
    pair.client.write(data)
    pieces = list(iter(pair.client.take, b""))
    assert max(map(len, pieces)) < 66000
    assert b"".join(map(pair.server.receive, pieces)) == data


def test_what_is_written_between_pieces_follows() -> None:
    pair = shaken()
    pair.client.write(b"a" * 200000)
    first = pair.client.take()
    pair.client.write(b"b" * 70000)
    pair.client.write(b"c")
    assert pair.client.waiting == 200000 - 65536 + 70001
    rest = take_all(pair.client)
    assert pair.server.receive(first + rest) == b"a" * 200000 + b"b" * 70000 + b"c"


def test_nothing_written_is_nothing_sent() -> None:
    pair = shaken()
    pair.client.write(b"")
    assert pair.client.take() == b""


def test_bytes_like_objects_can_be_written() -> None:
    pair = shaken()
    pair.client.write(memoryview(b"view"))  # type: ignore[arg-type]
    pair.client.write(bytearray(b"array"))  # type: ignore[arg-type]
    pair.run()
    assert pair.received[pair.server] == b"viewarray"


class Reluctant:
    """An ssl object that at first wants to read, then writes a little at a time."""

    def __init__(self, wrapped: ssl.SSLObject) -> None:
        self.wrapped = wrapped
        self.offered: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.offered.append(bytes(data))
        if len(self.offered) < 3:
            raise ssl.SSLWantReadError
        return self.wrapped.write(data[:40000])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 70000)), max_size=6),
    st.integers(1, 20000),
)
def test_sealing_is_writing_and_taking(writes: list[tuple[bool, int]], size: int) -> None:
    pair = shaken()
    sent = b"".join(bytes([number]) * size for number, (_, size) in enumerate(writes))
    ciphertext = b""
    for number, (seal, length) in enumerate(writes):
        if seal:
            ciphertext += pair.client.seal(bytes([number]) * length)
        else:
            pair.client.write(bytes([number]) * length)
    if all(seal for seal, _ in writes):
        assert pair.client.waiting <= sum(max(0, length - 65536) for _, length in writes)
    pair.client.close()
    ciphertext += take_all(pair.client)
    assert b"".join(map(pair.server.receive, pieces_of(size)(ciphertext))) == sent
    assert pair.server.peer_closed
    assert pair.client.seal(b"late") == b""


def test_what_is_sealed_before_the_handshake_waits() -> None:
    pair = Pair()
    assert pair.server.seal(b"early") == b""
    assert pair.server.waiting == 5
    pair.run()
    assert pair.received[pair.client] == b"early"


def test_a_record_that_began_in_an_earlier_read_is_longer_than_its_end() -> None:
    for end in (1, 20, 100, 8000, 16000):
        pair = shaken()
        record = pair.client.seal(b"x" * 16000)
        assert pair.server.receive(record[:-end]) == b""
        assert pair.server.receive(record[-end:]) == b"x" * 16000


@pytest.mark.parametrize("sealed", [True, False])
def test_what_openssl_cannot_send_now_is_offered_again(sealed: bool) -> None:
    """As in a renegotiation of TLS 1.2: then it wants the very same bytes."""
    pair = shaken()
    reluctant = Reluctant(pair.client.ssl_object)
    pair.client.ssl_object = reluctant  # type: ignore[assignment]
    if sealed:
        assert pair.client.seal(b"a" * 30000) == b""
    else:
        pair.client.write(b"a" * 30000)
        assert pair.client.take() == b""
    pair.client.write(b"b" * 50000)
    pair.client.close()
    assert pair.client.take() == b""
    assert not pair.client.notified
    assert reluctant.offered[0] == b"a" * 30000
    assert reluctant.offered[1].startswith(reluctant.offered[0])
    assert pair.client.waiting == 80000
    pair.run()
    assert pair.client.waiting == 0
    assert pair.received[pair.server] == b"a" * 30000 + b"b" * 50000
    assert pair.server.peer_closed


# -- the end -----------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 1, 5, 100, -1])
def test_what_precedes_is_looked_at_first_and_later(cut: int) -> None:
    client = TLSEngine(CLIENT, server_hostname="example.com")
    server = TLSEngine(SERVERS[VERSIONS[-1]], server_side=True)
    hello = client.take()
    server.precede(hello[:cut])
    assert not server.take()
    assert server.receive(hello[cut:]) == b""
    client.receive(server.take())
    assert client.handshake_done


@versions
def test_each_side_closes_for_itself(version: ssl.TLSVersion) -> None:
    """RFC 8446 section 6.1: who has closed still reads."""
    pair = shaken(version=version)
    pair.client.write(b"last words")
    pair.client.close()
    pair.client.write(b"dropped")
    pair.run()
    assert pair.received[pair.server] == b"last words"
    assert pair.server.finished
    assert pair.server.peer_closed
    assert pair.client.notified
    assert not pair.client.finished
    pair.server.write(b"an answer")
    pair.run()
    assert pair.received[pair.client] == b"an answer"
    pair.server.close()
    pair.run()
    assert pair.client.peer_closed
    assert pair.client.error is pair.server.error is None


@versions
def test_data_on_its_way_when_this_side_closes_is_received(version: ssl.TLSVersion) -> None:
    pair = shaken(version=version)
    pair.server.write(b"on its way" * 5000)
    late = take_all(pair.server)
    pair.client.close()
    take_all(pair.client)
    assert pair.client.receive(late[:20000]) + pair.client.receive(late[20000:]) == (
        b"on its way" * 5000
    )
    assert pair.client.error is None


def test_close_before_the_handshake_lets_what_is_written_through() -> None:
    pair = Pair()
    pair.client.write(b"quick")
    pair.client.close()
    pair.run()
    assert pair.received[pair.server] == b"quick"
    assert pair.server.peer_closed


def test_what_follows_a_close_notify_is_dropped() -> None:
    pair = shaken()
    pair.client.close()
    notify = take_all(pair.client)
    assert pair.server.receive(notify + b"whatever") == b""
    assert pair.server.receive(b"more") == b""
    assert pair.server.peer_closed
    assert pair.server.error is None


@versions
def test_a_truncated_stream_is_an_error(version: ssl.TLSVersion) -> None:
    pair = shaken(version=version)
    pair.client.write(b"half a")
    pair.run()
    pair.server.eof()
    assert pair.received[pair.server] == b"half a"
    assert pair.server.finished
    assert not pair.server.peer_closed
    assert isinstance(pair.server.error, ssl.SSLEOFError)
    assert "without a close_notify" in str(pair.server.error)


def test_the_transport_may_end_after_the_peer_has_closed() -> None:
    pair = shaken()
    pair.client.close()
    pair.run()
    pair.server.eof()
    assert pair.server.error is None


def test_an_end_during_the_handshake_says_so() -> None:
    pair = Pair()
    pair.server.receive(pair.client.take()[:50])
    pair.server.eof()
    assert isinstance(pair.server.error, ssl.SSLEOFError)
    assert "during the TLS handshake" in str(pair.server.error)
    assert not pair.server.handshake_done


# -- errors ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["other.example.com", "127.0.0.2"])
def test_the_wrong_server_is_refused_and_told(name: str) -> None:
    pair = Pair(name=name).run()
    assert isinstance(pair.client.error, ssl.SSLCertVerificationError)
    assert pair.client.finished
    assert not pair.client.handshake_done
    assert isinstance(pair.server.error, ssl.SSLError)
    assert "ALERT" in str(pair.server.error)


def test_nothing_is_sent_after_an_error() -> None:
    pair = Pair(name="other.example.com")
    pair.client.write(b"secret")
    pair.run()
    pair.client.write(b"another")
    assert pair.client.seal(b"and another") == b""
    pair.client.close()
    assert pair.client.waiting == 0
    assert pair.client.take() == b""
    assert pair.received[pair.server] == b""


@pytest.mark.parametrize("cut", [1, 7, 100000])
def test_plaintext_before_an_error_is_delivered(cut: int) -> None:
    pair = shaken()
    pair.client.write(b"good")
    wire = take_all(pair.client) + b"\x17\x03\x03\x00\x20" + bytes(32)
    received = b"".join(map(pair.server.receive, pieces_of(cut)(wire)))
    assert received == b"good"
    assert pair.server.finished
    assert pair.server.error is not None
    assert not pair.server.peer_closed
    assert "ALERT" in str(reported_to_client(pair))


def reported_to_client(pair: Pair) -> ssl.SSLError | None:
    pair.client.receive(take_all(pair.server))
    return pair.client.error


def test_a_missing_client_certificate_is_told_after_the_handshake() -> None:
    """In TLS 1.3 a client is done before the server has seen its certificate."""
    server = server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    CA.configure_trust(server)
    pair = Pair(server=server).run()
    assert pair.client.handshake_done
    assert not pair.server.handshake_done
    assert "CERTIFICATE_REQUIRED" in str(pair.client.error)


@settings(max_examples=200, deadline=None)
@given(st.booleans(), st.binary(max_size=300), st.integers(1, 50))
def test_garbage_is_an_error_or_not_enough(server_side: bool, garbage: bytes, cut: int) -> None:
    engine = TLSEngine(
        SERVERS[VERSIONS[-1]] if server_side else CLIENT,
        server_side=server_side,
        server_hostname="example.com",
    )
    for piece in pieces_of(cut)(garbage):
        assert engine.receive(piece) == b""
        take_all(engine)
    assert not engine.handshake_done
    assert engine.finished == (engine.error is not None)
    if not engine.finished:
        engine.eof()
    assert isinstance(engine.error, ssl.SSLError)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(VERSIONS), st.integers(0, 10000), st.integers(1, 255))
def test_a_changed_byte_never_changes_what_arrives(
    version: ssl.TLSVersion, place: int, change: int
) -> None:
    """Wherever it is, in the handshake or after: what arrives is right, or cut off."""
    count = 0

    def spoil(data: bytes) -> Iterator[bytes]:
        nonlocal count
        here = place - count
        count += len(data)
        if 0 <= here < len(data):
            changed = bytearray(data)
            changed[here] ^= change
            data = bytes(changed)
        yield data

    pair = Pair(version, cut=spoil)
    pair.client.write(b"a question" * 100)
    pair.server.write(b"an answer" * 500)
    pair.run()
    assert (b"a question" * 100).startswith(pair.received[pair.server])
    assert (b"an answer" * 500).startswith(pair.received[pair.client])


# -- what is agreed on -------------------------------------------------------------


def test_a_client_has_to_say_whom_it_wants() -> None:
    """`ssl` itself would check nothing then."""
    with pytest.raises(ValueError, match="needs the server's"):
        TLSEngine(CLIENT)
    with pytest.raises(ValueError, match="needs the server's"):
        TLSEngine(CLIENT, server_hostname="")


def test_a_client_that_does_not_check_need_not() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert shaken(client=context, name=None).client.peer_certificate


def test_names_are_sent_and_addresses_are_not() -> None:
    asked: list[str | None] = []
    context = server_context()
    context.sni_callback = lambda _, name, __: asked.append(name)
    shaken(server=context, name="example.com")
    shaken(server=context, name="127.0.0.1")
    assert asked == ["example.com", None]


def test_peer_certificates() -> None:
    pair = Pair()
    assert pair.client.peer_certificate is None
    pair.run()
    der = pair.client.peer_certificate
    assert der is not None
    assert "example.com" not in repr(der[:20])
    assert b"example.com" in der
    assert pair.server.peer_certificate is None


def test_application_protocols() -> None:
    client, server = client_context(), server_context()
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])
    pair = shaken(client=client, server=server)
    assert pair.client.selected_protocol == pair.server.selected_protocol == "http/1.1"
    assert shaken().client.selected_protocol is None


@versions
def test_a_session_can_be_resumed(version: ssl.TLSVersion) -> None:
    first = shaken(version=version)
    again = shaken(version=version, session=first.client.ssl_object.session)
    assert again.client.ssl_object.session_reused
