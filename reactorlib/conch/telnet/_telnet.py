"""
The telnet protocol: what comes in is text, commands and negotiations of options.

Options are negotiated as RFC 1143 has it, with a queue of one: a request about an option
is refused while another waits for the peer's answer. So both sides agree about each option
in the end, and no answer is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactorlib.conch.telnet import _errors as errors
from reactorlib.conch.telnet._constants import DO, DONT, IAC, WILL, WONT
from reactorlib.conch.telnet._wire import (
    Command,
    SubnegotiationTooLong,
    TelnetDecoder,
    Text,
    subnegotiation,
)
from reactorlib.internet.defer import Deferred, fail
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.logger import Logger

__all__ = ["Telnet"]


class _Side:
    """
    Whether one of the two performs an option.

    Attributes:
        state: "yes" or "no".
        negotiating: whether the peer has been asked and has not answered.
        onResult: the Deferred of who asked.
    """

    __slots__ = ("negotiating", "onResult", "state")

    def __init__(self) -> None:
        self.state = "no"
        self.negotiating = False
        self.onResult: Deferred[bool] | None = None

    def settle(self, state: str) -> Deferred[bool]:
        """The peer has answered."""
        d, self.onResult = self.onResult, None
        self.negotiating = False
        self.state = state
        return Deferred() if d is None else d


class _OptionState:
    """
    What is agreed about an option.

    Attributes:
        us, him: whether we, or the peer, perform it.
    """

    __slots__ = ("him", "us")

    def __init__(self) -> None:
        self.us = _Side()
        self.him = _Side()


class Telnet(Protocol):
    """
    Speaks telnet. `TelnetTransport` is for protocols that should not know of it.

    Attributes:
        commandMap: what is called for each command, with its option, or None for
            those that have none. Those that negotiate options are there.
        negotiationMap: what is called for a subnegotiation about each option, with
            what it says, byte by byte.
        options: what is agreed about each option of which there was talk.
    """

    #: Bytes of a subnegotiation, the option included; more than any known one needs.
    _MAX_SUBNEGOTIATION_LENGTH = 4096
    #: Changes of options that a peer may ask for in one connection. Each is answered, and
    #: whoever asks without reading the answers would have them kept here.
    _MAX_REQUESTS = 10_000

    _log = Logger(namespace="reactorlib.conch.telnet")
    _requests = 0
    _given_up = False

    def __init__(self) -> None:
        self.options: dict[bytes, _OptionState] = {}
        self.negotiationMap: dict[bytes, Callable[[list[bytes]], Any]] = {}
        self.commandMap: dict[bytes, Callable[[Any], Any]] = {
            WILL: self.telnet_WILL,
            WONT: self.telnet_WONT,
            DO: self.telnet_DO,
            DONT: self.telnet_DONT,
        }
        self._decoder = TelnetDecoder(self._MAX_SUBNEGOTIATION_LENGTH)

    @property
    def commands(self) -> list[bytes]:
        """What has come of the subnegotiation that is under way, byte by byte."""
        return _split(bytes(self._decoder.subnegotiation))

    # What is asked of the peer.

    def getOptionState(self, opt: bytes) -> _OptionState:
        """What is agreed about an option."""
        state = self.options.get(opt)
        if state is None:
            state = self.options[opt] = _OptionState()
        return state

    def do(self, option: bytes) -> Deferred[bool]:
        """Ask the peer to perform an option; see `ITelnetTransport`."""
        state = self.getOptionState(option)
        return self._ask(state, state.him, "yes", DO, option)

    def dont(self, option: bytes) -> Deferred[bool]:
        """Ask the peer to perform an option no longer; see `ITelnetTransport`."""
        state = self.getOptionState(option)
        return self._ask(state, state.him, "no", DONT, option)

    def will(self, option: bytes) -> Deferred[bool]:
        """Offer to perform an option; see `ITelnetTransport`."""
        state = self.getOptionState(option)
        return self._ask(state, state.us, "yes", WILL, option)

    def wont(self, option: bytes) -> Deferred[bool]:
        """Say that an option is no longer performed; see `ITelnetTransport`."""
        state = self.getOptionState(option)
        return self._ask(state, state.us, "no", WONT, option)

    def _ask(
        self, state: _OptionState, side: _Side, wanted: str, command: bytes, option: bytes
    ) -> Deferred[bool]:
        if state.us.negotiating or state.him.negotiating:
            return fail(errors.AlreadyNegotiating(option))
        if side.state == wanted:
            already = errors.AlreadyEnabled if wanted == "yes" else errors.AlreadyDisabled
            return fail(already(option))
        side.negotiating = True
        d: Deferred[bool] = Deferred()
        side.onResult = d
        self._write(IAC + command + option)
        return d

    def requestNegotiation(self, about: bytes, data: bytes) -> None:
        """Send a subnegotiation about an option; see `ITelnetTransport`."""
        self._write(subnegotiation(about, data))

    def _write(self, data: bytes) -> None:
        self.transport.write(data)

    # What the peer says.

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in: text, commands, or parts of either."""
        if self._given_up:
            return
        decoder = self._decoder
        decoder.feed(data)
        parts: list[bytes] = []
        while not self._given_up:
            try:
                event = decoder.next_event()
            except SubnegotiationTooLong as why:
                self._deliver(parts)
                self._give_up(
                    "a telnet subnegotiation longer than {limit} bytes came from {peer}", why.limit
                )
                return
            if isinstance(event, Text):
                parts.append(event.data)
                continue
            self._deliver(parts)
            if event is None:
                return
            if isinstance(event, Command):
                self.commandReceived(event.command, event.option)
            elif event.data:
                self.negotiate(_split(event.data))

    def _deliver(self, parts: list[bytes]) -> None:
        if parts:
            data = b"".join(parts)
            parts.clear()
            self.applicationDataReceived(data)

    def _give_up(self, why: str, limit: int) -> None:
        """The peer asks for too much: hang up, and hear no more."""
        self._given_up = True
        self._log.warn(why + ": hanging up", limit=limit, peer=self._peer())
        self.transport.loseConnection()

    def _peer(self) -> Any:
        return self.transport.getPeer()

    def applicationDataReceived(self, data: bytes) -> None:
        """Text came in, cut anywhere, newlines as LF. For subclasses."""

    def commandReceived(self, command: bytes, argument: bytes | None) -> None:
        """A command came in: call what `commandMap` has for it, or `unhandledCommand`."""
        handle = self.commandMap.get(command)
        if handle is None:
            self.unhandledCommand(command, argument)
        else:
            handle(argument)

    def unhandledCommand(self, command: bytes, argument: bytes | None) -> None:
        """A command came that nothing handles. For subclasses."""

    def negotiate(self, data: list[bytes]) -> None:
        """A subnegotiation came: call what `negotiationMap` has for it."""
        command, rest = data[0], data[1:]
        handle = self.negotiationMap.get(command)
        if handle is None:
            self.unhandledSubnegotiation(command, rest)
        else:
            handle(rest)

    def unhandledSubnegotiation(self, command: bytes, data: list[bytes]) -> None:
        """A subnegotiation came that nothing handles. For subclasses."""

    # Negotiation: RFC 1143 section 7.

    def telnet_WILL(self, option: bytes) -> None:
        """The peer would perform an option, or agrees to."""
        self._on(self.getOptionState(option).him, option, self.enableRemote, self.disableRemote, DO)

    def telnet_WONT(self, option: bytes) -> None:
        """The peer does not perform an option, or stops to."""
        self._off(self.getOptionState(option).him, option, self.disableRemote, DONT)

    def telnet_DO(self, option: bytes) -> None:
        """The peer would have us perform an option, or agrees to it."""
        self._on(self.getOptionState(option).us, option, self.enableLocal, self.disableLocal, WILL)

    def telnet_DONT(self, option: bytes) -> None:
        """The peer would not have us perform an option."""
        self._off(self.getOptionState(option).us, option, self.disableLocal, WONT)

    def _on(
        self,
        side: _Side,
        option: bytes,
        enable: Callable[[bytes], Any],
        disable: Callable[[bytes], Any],
        yes: bytes,
    ) -> None:
        """WILL or DO came in; `yes` is the answer that agrees."""
        # WILL and WONT, DO and DONT follow each other.
        no = bytes([yes[0] + 1])
        if side.state == "yes":
            if side.negotiating:
                # It cannot be refused to turn an option off. "Error: DONT answered by WILL."
                d = side.settle("no")
                disable(option)
                d.errback(errors.NegotiationError(option))
            return
        if not side.negotiating:
            if self._may_ask():
                agreed = enable(option)
                if agreed:
                    side.state = "yes"
                self._write(IAC + (yes if agreed else no) + option)
            return
        asked = side.settle("yes")
        if enable(option):
            asked.callback(True)
        else:
            # We asked for what we do not want: an error of the protocol's, and not the peer's.
            side.state = "no"
            self._write(IAC + no + option)
            asked.errback(errors.OptionRefused(option))

    def _off(
        self, side: _Side, option: bytes, disable: Callable[[bytes], Any], answer: bytes
    ) -> None:
        """WONT or DONT came in; `answer` is what acknowledges it."""
        if side.state == "no":
            if side.negotiating:
                side.settle("no").errback(errors.OptionRefused(option))
        elif side.negotiating:
            d = side.settle("no")
            disable(option)
            d.callback(True)
        elif self._may_ask():
            side.state = "no"
            disable(option)
            self._write(IAC + answer + option)

    def _may_ask(self) -> bool:
        self._requests += 1
        if self._requests > self._MAX_REQUESTS:
            self._give_up(
                "more than {limit} telnet negotiations came from {peer}", self._MAX_REQUESTS
            )
            return False
        return True

    def enableLocal(self, option: bytes) -> Any:
        """Begin to perform an option. None is known here."""
        return False

    def enableRemote(self, option: bytes) -> Any:
        """Whether the peer may perform an option. None is known here."""
        return False

    def disableLocal(self, option: bytes) -> None:
        """Stop to perform an option. For those who enable any."""
        raise NotImplementedError(
            f"{self.__class__.__name__} enables {option!r} locally, and has no disableLocal()"
        )

    def disableRemote(self, option: bytes) -> None:
        """The peer stops to perform an option. For those who enable any."""
        raise NotImplementedError(
            f"{self.__class__.__name__} enables {option!r} remotely, and has no disableRemote()"
        )

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The connection is gone: nothing will be answered."""
        for state in list(self.options.values()):
            for side in (state.us, state.him):
                if side.onResult is not None:
                    side.settle(side.state).errback(reason)


def _split(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]
