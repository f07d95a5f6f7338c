"""
A chat: whatever one says, all hear.

It shows a protocol of lines, and a factory as the place for what connections
share. `ChatFactory` knows who is here, what was said lately and whom to tell; it
does not know that those it tells are at the ends of TCP connections, which is
why web_chat.py can add a web page to the same chat.

    python chat.py
    nc localhost 8023       (in two terminals)
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.protocol import Factory, connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.python.failure import Failure


class Chatter(LineReceiver):
    """Somebody who talks lines of UTF-8 over a connection."""

    # nc ends a line with LF, telnet with CR LF: cut at LF, and drop a CR.
    delimiter = b"\n"
    # Who sends more without a line's end is hung up on, as LineReceiver does.
    MAX_LENGTH = 1000

    factory: ChatFactory
    name = ""  # until we have been told

    def connectionMade(self) -> None:
        """Ask who it is."""
        self.hear("What is your name?")

    def lineReceived(self, line: bytes) -> None:
        """The first line is the name; the others are for all."""
        text = line.decode(errors="replace").removesuffix("\r")
        if self.name:
            self.factory.say(self.name, text)
            return
        problem = self.factory.problem_with(text)
        if problem:
            self.hear(f"{problem} What is your name?")
            return
        self.name = text
        self.hear(f"Welcome, {text}! Here now: {', '.join(self.factory.names) or 'nobody else'}.")
        self.factory.join(text, self.hear)

    def hear(self, line: str) -> None:
        """Tell this one."""
        self.sendLine(line.encode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Gone, for whatever reason."""
        if self.name:
            self.factory.leave(self.name, self.hear)


class ChatFactory(Factory[Chatter]):
    """
    The chat.

    Attributes:
        names: who is here.
        said: the last lines, for those who come late.
        audience: whom to tell: called with each new line.
    """

    protocol = Chatter

    def __init__(self) -> None:
        self.names: list[str] = []
        self.said: deque[str] = deque(maxlen=100)
        self.audience: set[Callable[[str], object]] = set()

    def problem_with(self, name: str) -> str | None:
        """Why nobody can have that name here; None if it will do."""
        if not name.isalnum() or len(name) > 20:
            return "A name is 1 to 20 letters and digits."
        if name in self.names:
            return f"{name} is here already."
        return None

    def join(self, name: str, hear: Callable[[str], object]) -> None:
        """Somebody comes."""
        self.announce(f"* {name} joined")
        self.names.append(name)
        self.audience.add(hear)

    def leave(self, name: str, hear: Callable[[str], object]) -> None:
        """Somebody goes."""
        self.names.remove(name)
        self.audience.discard(hear)
        self.announce(f"* {name} left")

    def say(self, name: str, text: str) -> None:
        """Somebody says something."""
        # What a terminal would take for a command is not passed on.
        text = "".join(character for character in text if character.isprintable()).strip()
        if text:
            self.announce(f"<{name}> {text}")

    def announce(self, line: str) -> None:
        """Tell everybody."""
        self.said.append(line)
        for hear in list(self.audience):
            hear(line)


def start(options: argparse.Namespace) -> None:
    """Open the chat."""
    port = reactor.listenTCP(options.port, ChatFactory(), interface=options.interface)
    three_ways.announce(port, "nc localhost {port}")


if __name__ == "__main__":
    three_ways.run(start, three_ways.parser(__doc__, port=8023))
