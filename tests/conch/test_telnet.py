"""Negotiations, commands and logins, without a network."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject

from reactorlib.conch import telnet
from reactorlib.conch.telnet import (
    DO,
    DONT,
    ECHO,
    IAC,
    LINEMODE,
    NAWS,
    SB,
    SE,
    SGA,
    WILL,
    WONT,
    TelnetBootstrapProtocol,
    TelnetProtocol,
    TelnetTransport,
)
from reactorlib.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from reactorlib.cred.portal import IRealm, Portal
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ConnectionDone
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import StringTransport
from reactorlib.logger import capturedLogs
from reactorlib.python.failure import Failure

OPTION = b"\x42"


class Wanting(TelnetProtocol):
    """Wants some options, and remembers what it is told."""

    def __init__(self, wants: bytes = OPTION) -> None:
        self.wants = wants
        self.told: list[tuple[str, bytes]] = []
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def enableLocal(self, option: bytes) -> bool:
        self.told.append(("+local", option))
        return option in self.wants

    def enableRemote(self, option: bytes) -> bool:
        self.told.append(("+remote", option))
        return option in self.wants

    def disableLocal(self, option: bytes) -> None:
        self.told.append(("-local", option))

    def disableRemote(self, option: bytes) -> None:
        self.told.append(("-remote", option))


class Side:
    """One side of a connection, whose bytes are handed over by hand."""

    def __init__(self, make: Any = Wanting) -> None:
        self.wire = StringTransport()
        self.telnet = TelnetTransport(make)
        self.telnet.makeConnection(self.wire)

    @property
    def protocol(self) -> Any:
        return self.telnet.protocol

    def sent(self) -> bytes:
        data = self.wire.value()
        self.wire.clear()
        return data

    def state(self, option: bytes = OPTION) -> tuple[str, str]:
        state = self.telnet.getOptionState(option)
        return state.us.state, state.him.state


def outcome(d: Deferred[Any]) -> list[Any]:
    got: list[Any] = []
    d.addBoth(lambda result: got.append(result.type if isinstance(result, Failure) else result))
    return got


@pytest.mark.parametrize(
    ("ask", "sends", "answer", "state", "told"),
    [
        ("do", DO, WILL, ("no", "yes"), "+remote"),
        ("will", WILL, DO, ("yes", "no"), "+local"),
    ],
)
def test_an_option_is_turned_on_and_off(
    ask: str, sends: bytes, answer: bytes, state: tuple[str, str], told: str
) -> None:
    side = Side()
    d = outcome(getattr(side.telnet, ask)(OPTION))
    assert side.sent() == IAC + sends + OPTION
    assert d == []
    side.telnet.dataReceived(IAC + answer + OPTION)
    assert d == [True]
    assert side.state() == state
    assert outcome(getattr(side.telnet, ask)(OPTION)) == [telnet.AlreadyEnabled]

    off = {"do": "dont", "will": "wont"}[ask]
    d = outcome(getattr(side.telnet, off)(OPTION))
    no = bytes([answer[0] + 1])
    side.telnet.dataReceived(IAC + no + OPTION)
    assert d == [True]
    assert side.state() == ("no", "no")
    assert outcome(getattr(side.telnet, off)(OPTION)) == [telnet.AlreadyDisabled]
    assert [what for what, _ in side.protocol.told] == [told, told.replace("+", "-")]
    # Nothing is answered that is an answer.
    assert side.sent() == IAC + bytes([sends[0] + 1]) + OPTION


@pytest.mark.parametrize(("ask", "answer"), [("do", WONT), ("will", DONT)])
def test_a_refusal(ask: str, answer: bytes) -> None:
    side = Side()
    d = outcome(getattr(side.telnet, ask)(OPTION))
    assert outcome(getattr(side.telnet, ask)(OPTION)) == [telnet.AlreadyNegotiating]
    side.telnet.dataReceived(IAC + answer + OPTION)
    assert d == [telnet.OptionRefused]
    assert side.protocol.told == []


def test_what_was_asked_for_and_then_not_wanted_is_taken_back() -> None:
    side = Side(lambda: Wanting(b""))
    d = outcome(side.telnet.do(OPTION))
    side.sent()
    side.telnet.dataReceived(IAC + WILL + OPTION)
    assert d == [telnet.OptionRefused]
    assert side.sent() == IAC + DONT + OPTION
    assert side.state() == ("no", "no")
    side.telnet.dataReceived(IAC + WONT + OPTION)
    assert side.sent() == b""


def test_an_answer_that_is_against_the_rules() -> None:
    """RFC 1143 section 7: "Error: DONT answered by WILL. him=NO"."""
    side = Side()
    side.telnet.dataReceived(IAC + WILL + OPTION)
    d = outcome(side.telnet.dont(OPTION))
    side.sent()
    side.telnet.dataReceived(IAC + WILL + OPTION)
    assert d == [telnet.NegotiationError]
    assert side.state() == ("no", "no")
    assert side.sent() == b""


def test_who_asked_may_stop_waiting() -> None:
    side = Side()
    d = side.telnet.do(OPTION)
    d.addErrback(lambda _: None)
    d.cancel()
    side.telnet.dataReceived(IAC + WILL + OPTION)
    assert side.state() == ("no", "yes")


def test_a_lost_connection_answers_no_more() -> None:
    side = Side()
    waiting = [outcome(side.telnet.do(b"\x01")), outcome(side.telnet.will(b"\x02"))]
    side.telnet.connectionLost(Failure(ConnectionDone()))
    assert waiting == [[ConnectionDone], [ConnectionDone]]


@pytest.mark.parametrize("seed", range(30))
def test_both_sides_agree_in_the_end(seed: int) -> None:
    """RFC 1143: whatever is asked by whom and however messages cross, no endless loop."""
    rng = random.Random(seed)
    sides = Side(), Side()
    wires = [b"", b""]
    asked = 0
    for _ in range(200):
        who = rng.randrange(2)
        if rng.random() < 0.3:
            ask = rng.choice(["do", "dont", "will", "wont"])
            asked += 1
            getattr(sides[who].telnet, ask)(OPTION).addErrback(lambda _: None)
        else:
            size = rng.randrange(len(wires[who]) + 1)
            data, wires[who] = wires[who][:size], wires[who][size:]
            sides[who].telnet.dataReceived(data)
        for i in range(2):
            wires[1 - i] += sides[i].sent()
    for _ in range(10):
        for i in range(2):
            data, wires[i] = wires[i], b""
            sides[i].telnet.dataReceived(data)
            wires[1 - i] += sides[i].sent()
    assert wires == [b"", b""]
    first, second = sides
    assert first.state() == second.state()[::-1]


def test_a_peer_that_asks_without_end_is_hung_up_on() -> None:
    """Each request is answered, so the answers must not pile up without a limit."""
    side = Side()
    limit = side.telnet._MAX_REQUESTS
    with capturedLogs() as events:
        for _ in range(5):
            side.telnet.dataReceived((IAC + WILL + b"\x99") * (limit // 2))
    assert side.wire.disconnecting
    assert len(side.sent()) == 3 * limit
    assert len(events) == 1


def test_too_long_a_subnegotiation_is_hung_up_on() -> None:
    side = Side()
    with capturedLogs() as events:
        side.telnet.dataReceived(b"before" + IAC + SB + b"\x12" + bytes(5000))
        side.telnet.dataReceived(IAC + SE + b"after")
    assert side.wire.disconnecting
    assert side.protocol.data == b"before"
    assert len(events) == 1


def test_commands_and_subnegotiations_go_to_the_maps() -> None:
    side = Side()
    seen: list[Any] = []
    side.telnet.commandMap[telnet.AYT] = seen.append
    side.telnet.negotiationMap[b"\x12"] = seen.append
    side.telnet.dataReceived(IAC + telnet.AYT + IAC + SB + b"\x12ab" + IAC + SE)
    assert seen == [None, [b"a", b"b"]]
    side.protocol.unhandledCommand = lambda *args: seen.append(args)
    side.protocol.unhandledSubnegotiation = lambda *args: seen.append(args)
    side.telnet.dataReceived(IAC + telnet.NOP + IAC + SB + b"\x13" + IAC + SE + IAC + SB + IAC + SE)
    assert seen[2:] == [(telnet.NOP, None), (b"\x13", [])]


def test_what_is_written_is_text() -> None:
    side = Side()
    side.telnet.write(b"a\n\xff")
    side.telnet.writeSequence([b"b\r", b"\nc"])
    assert side.sent() == b"a\r\n\xff\xffb\r\nc"


def test_the_interfaces_hold() -> None:
    verifyObject(telnet.ITelnetProtocol, TelnetProtocol())
    verifyObject(telnet.ITelnetTransport, TelnetTransport(TelnetProtocol))
    verifyClass(telnet.ITelnetProtocol, TelnetBootstrapProtocol)


def test_an_error_says_which_option() -> None:
    assert str(telnet.OptionRefused(b"\x01")) == (
        "reactorlib.conch.telnet._errors.OptionRefused:b'\\x01'"
    )


# -- for a screen --------------------------------------------------------------


class Drawing(Wanting):
    size: Any = None

    def terminalSize(self, width: int, height: int) -> None:
        self.size = width, height


def test_a_screen_is_asked_for() -> None:
    side = Side(lambda: TelnetBootstrapProtocol(Drawing))
    asked = IAC + DO + LINEMODE + IAC + DO + NAWS + IAC + WILL + SGA + IAC + WILL + ECHO
    assert side.sent() == asked
    side.telnet.dataReceived(
        IAC + WILL + LINEMODE + IAC + WILL + NAWS + IAC + DO + SGA + IAC + DO + ECHO
    )
    # RFC 1184 section 2.2: neither EDIT nor TRAPSIG.
    assert side.sent() == IAC + SB + LINEMODE + b"\x01\x00" + IAC + SE
    drawing = side.protocol.protocol
    side.telnet.dataReceived(IAC + SB + NAWS + b"\0\x50\0\x18" + IAC + SE)
    assert drawing.size == (80, 24)
    # RFC 1073: zero is for what is not known; and 255 has to be doubled.
    side.telnet.dataReceived(IAC + SB + NAWS + b"\0\0\0\x18" + IAC + SE)
    assert drawing.size == (80, 24)
    side.telnet.dataReceived(IAC + SB + NAWS + b"\0\xff\xff\0\x18" + IAC + SE)
    assert drawing.size == (255, 24)
    with capturedLogs() as events:
        side.telnet.dataReceived(IAC + SB + NAWS + b"\0" + IAC + SE)
    assert len(events) == 1

    side.telnet.dataReceived(b"x" + IAC + telnet.IP + IAC + telnet.EC + IAC + telnet.LINEMODE_EOF)
    assert drawing.data == b"x\x03\x7f\x04"
    side.telnet.dataReceived(IAC + telnet.AYT)
    assert side.sent() == b"\r\n[yes]\r\n"

    slc = telnet.LINEMODE_SLC + telnet.LINEMODE_SLC_IP + telnet.LINEMODE_SLC_VALUE + b"\x03"
    side.telnet.dataReceived(IAC + SB + LINEMODE + slc + IAC + SE)
    assert side.protocol.specialCharacters == {telnet.LINEMODE_SLC_IP: (b"\x02", b"\x03")}
    side.telnet.dataReceived(IAC + SB + LINEMODE + IAC + SE)

    side.protocol.write(b"out\n")
    assert side.sent() == b"out\r\n"
    side.telnet.connectionLost(Failure(ConnectionDone()))


# -- logins --------------------------------------------------------------------


@implementer(IRealm)
class Realm:
    def __init__(self) -> None:
        self.avatars: list[Any] = []
        self.logouts = 0
        self.wait: Deferred[Any] | None = None

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        assert interfaces == (telnet.ITelnetProtocol,)
        avatar = Wanting()
        self.avatars.append(avatar)
        answer = telnet.ITelnetProtocol, avatar, self.log_out
        return answer if self.wait is None else self.wait.addCallback(lambda _: answer)

    def log_out(self) -> None:
        self.logouts += 1


class Login(Side):
    def __init__(self) -> None:
        self.realm = Realm()
        self.clock = Clock()
        portal = Portal(self.realm, [InMemoryUsernamePasswordDatabaseDontUse(alice=b"wonder")])

        def make() -> Any:
            made = telnet.AuthenticatingTelnetProtocol(portal)
            made.callLater = self.clock.callLater  # type: ignore[assignment,method-assign]
            return made

        super().__init__(make)
        assert self.sent() == b"Username: "

    def line(self, text: bytes) -> None:
        self.telnet.dataReceived(text)


@pytest.mark.parametrize("end", [b"\r\n", b"\r\0", b"\n"])
def test_a_login(end: bytes) -> None:
    side = Login()
    side.line(b"alice" + end)
    assert side.sent() == IAC + WILL + ECHO + b"Password: "
    side.line(IAC + DO + ECHO)
    side.line(b"wonder" + end)
    assert side.sent() == IAC + WONT + ECHO
    # Until the client has agreed, what is typed waits.
    side.line(b"typed ahead")
    [avatar] = side.realm.avatars
    assert avatar.transport is None
    side.line(IAC + DONT + ECHO)
    assert side.protocol is avatar
    assert avatar.transport is side.telnet
    assert avatar.data == b"typed ahead"
    assert not side.clock.getDelayedCalls()
    side.telnet.connectionLost(Failure(ConnectionDone()))
    assert side.realm.logouts == 1


def test_a_login_of_somebody_who_does_not_negotiate() -> None:
    """All at once, as a script does it."""
    side = Login()
    side.line(b"alice\r\nwonder\r\nfirst\r\nsecond")
    [avatar] = side.realm.avatars
    assert side.protocol is avatar
    assert avatar.data == b"first\nsecond"
    side.sent()
    # Should it be said later that we may echo, it is the avatar that says no.
    side.line(IAC + DO + ECHO)
    assert side.sent() == IAC + WONT + ECHO


def test_a_client_that_does_not_acknowledge() -> None:
    """It cannot refuse to show keys again, and is not waited for without end."""
    side = Login()
    side.line(b"alice\r\n" + IAC + DO + ECHO)
    side.line(b"wonder\r\nhello")
    [avatar] = side.realm.avatars
    assert avatar.transport is None
    side.clock.advance(2)
    assert avatar.data == b"hello"
    assert side.state(ECHO) == ("no", "no")
    assert not side.clock.getDelayedCalls()
    # Nor is it asked in vain to hide the next password.
    side = Login()
    side.line(b"alice\r\n" + IAC + DO + ECHO + b"wrong\r\n")
    side.clock.advance(2)
    side.clock.advance(2)
    side.sent()
    side.line(b"alice\r\n")
    assert side.sent() == IAC + WILL + ECHO + b"Password: "
    side.telnet.connectionLost(Failure(ConnectionDone()))
    assert not side.clock.getDelayedCalls()


def test_a_connection_lost_before_the_avatar_begins() -> None:
    side = Login()
    side.line(b"alice\r\n" + IAC + DO + ECHO)
    side.line(b"wonder\r\n")
    side.telnet.connectionLost(Failure(ConnectionDone()))
    [avatar] = side.realm.avatars
    assert avatar.transport is None
    assert side.realm.logouts == 1
    assert not side.clock.getDelayedCalls()


def test_wrong_passwords_take_time_and_are_counted() -> None:
    side = Login()
    for attempt in itertools.count(1):
        side.line(b"alice\r\n" + IAC + DO + ECHO + b"wrong\r\n")
        side.line(IAC + DONT + ECHO)
        assert b"failed" not in side.sent()
        side.clock.advance(2)
        sent = side.sent()
        assert sent.startswith((b"\r\nAuthentication failed\r\n", IAC + WONT + ECHO))
        if attempt == 3:
            break
        assert sent.endswith(b"Username: ")
        assert not side.wire.disconnecting
    assert side.wire.disconnecting
    assert side.realm.avatars == []
    side.telnet.connectionLost(Failure(ConnectionDone()))
    assert not side.clock.getDelayedCalls()


def test_what_is_typed_during_the_delay_comes_after_it() -> None:
    side = Login()
    side.line(b"alice\r\nwrong\r\nalice\r\nwon")
    side.line(b"der\r\n")
    assert side.realm.avatars == []
    side.clock.advance(2)
    assert len(side.realm.avatars) == 1


def test_a_login_has_a_limit_in_time() -> None:
    side = Login()
    for _ in range(119):
        side.clock.advance(1)
        side.line(b"a")
    assert not side.wire.disconnecting
    side.clock.advance(1)
    assert side.wire.disconnecting
    assert side.sent() == b"\r\nLogin timed out\r\n"


def test_a_login_has_a_limit_in_bytes() -> None:
    side = Login()
    side.line(b"x" * 2000)
    assert side.wire.disconnecting
    side = Login()
    side.line(b"alice\r\nwrong\r\n")
    for _ in range(17):
        side.line(b"x" * 1000)
    assert side.wire.disconnecting


def test_a_connection_lost_during_a_login() -> None:
    side = Login()
    cancelled: list[Any] = []
    side.realm.wait = Deferred(cancelled.append)
    side.line(b"alice\r\nwonder\r\n")
    side.telnet.connectionLost(Failure(ConnectionDone()))
    assert cancelled == [side.realm.wait]
    assert not side.clock.getDelayedCalls()


def test_an_avatar_that_comes_too_late_is_logged_out() -> None:
    side = Login()
    side.line(b"alice\r\n" + IAC + DO + ECHO)
    side.line(b"wonder\r\n")
    side.wire.loseConnection()
    side.line(IAC + DONT + ECHO)
    assert side.realm.logouts == 1
    assert side.realm.avatars[0].transport is None


def test_a_state_may_be_returned_or_set() -> None:
    class Talk(telnet.StatefulTelnetProtocol):
        state = "First"

        def telnet_First(self, line: bytes) -> str:
            return "Second"

        def telnet_Second(self, line: bytes) -> str:
            self.state = "Third"
            return "First"

        def telnet_Third(self, line: bytes) -> None:
            self.setRawMode()

        def rawDataReceived(self, data: bytes) -> None:
            self.raw = data

    side = Side(Talk)
    side.telnet.dataReceived(b"1\r\n")
    assert side.protocol.state == "Second"
    with capturedLogs() as events:
        side.telnet.dataReceived(b"2\r\n")
    assert side.protocol.state == "Third"
    assert len(events) == 1
    side.telnet.dataReceived(b"3\r\n")
    side.telnet.dataReceived(b"\r\0raw")
    assert side.protocol.raw == b"\rraw"
