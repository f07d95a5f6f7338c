"""A server for finger, RFC 1288: says who somebody is. As it stands, it refuses to."""

from __future__ import annotations

import re

from reactorlib.protocols.basic import LineReceiver

__all__ = ["Finger"]


class Finger(LineReceiver):
    """
    Answers one query, and hangs up.

    Subclasses say what they know in `getUser` and `getDomain`. They write to the
    transport and call its `loseConnection`.

    Attributes:
        MAX_LENGTH: how many bytes a query may have.
    """

    # Two names of the longest kind, and some room: RFC 1288 sets no limit.
    MAX_LENGTH = 1024

    def lineReceived(self, line: bytes) -> None:
        """A query came in. RFC 1288 section 2.3: /W asks for a longer answer."""
        words = line.split()
        slash_w = bool(words) and words[0].upper() == b"/W"
        if slash_w:
            del words[0]
        if not words:
            self.getDomain(slash_w)
            return
        # RFC 1288 section 2.3: of several hosts, the last one is asked first.
        user, at, host = words[0].rpartition(b"@")
        if at:
            self.forwardQuery(slash_w, user, host)
        else:
            self.getUser(slash_w, words[0])

    def forwardQuery(self, slash_w: bool, user: bytes, host: bytes) -> None:
        """Asked to ask another host. RFC 1288 section 3.2.1: this should be refused."""
        self.__refuse(b"Finger forwarding service denied\n")

    def getDomain(self, slash_w: bool) -> None:
        """Asked who is there. Refuses, unless overridden."""
        self.__refuse(b"Finger online list denied\n")

    def getUser(self, slash_w: bool, user: bytes) -> None:
        """Asked for somebody. There is nobody, unless overridden."""
        # RFC 1288 section 3.3: nothing that a terminal would obey.
        shown = re.sub(rb"[^ -~]", b"?", user)
        self.__refuse(b"Login: %s\nNo such user\n" % shown)

    def __refuse(self, text: bytes) -> None:
        self.transport.write(text)
        self.transport.loseConnection()
