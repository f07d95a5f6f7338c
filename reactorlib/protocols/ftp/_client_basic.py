"""The client's control connection: commands, and each the Deferred of its reply."""

from __future__ import annotations

import re
from typing import Any

from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.protocols.ftp._errors import (
    BadResponse,
    CommandFailed,
    ConnectionLost,
    UnexpectedResponse,
)
from reactorlib.python.failure import Failure

__all__ = ["FTPClientBasic", "FTPCommand"]

_REPLY = re.compile(r"(\d{3})([ -])")
# A reply is some lines long; a welcome or a directory's message may be some hundreds.
_MAX_REPLY_LINES = 10_000


class FTPCommand:
    """
    A command that waits its turn.

    Args:
        text: the line; "PASV" and "PORT" alone stand for a data connection.
        public: whether it may be logged: a password may not.

    Attributes:
        deferred: the reply, as a list of lines.
    """

    def __init__(self, text: Any = None, public: int = 0) -> None:
        self.text = text
        self.public = public
        self.deferred: Deferred[Any] = Deferred()
        self.ready = 1
        self.transferDeferred: Any = None
        self.protocol: Any = None

    def fail(self, failure: Any) -> None:
        """It will not be done."""
        if not self.deferred.called:
            self.deferred.errback(failure)


class FTPClientBasic(LineReceiver):
    """
    Sends commands and reads replies; it knows no command itself but the login.

    Attributes:
        greeting: the lines that the server began with; None before.
    """

    debug = False
    _encoding = "latin-1"

    def __init__(self) -> None:
        self.actionQueue: list[FTPCommand] = []
        self.greeting: list[str] | None = None
        self.response: list[str] = []
        self.nextDeferred: Deferred[Any] | None = Deferred()
        self.nextDeferred.addCallbacks(self._greeted, self.fail)
        self._code: str | None = None  # of the reply of several lines that has begun
        self._telling = False
        self._failed = False

    def _greeted(self, greeting: list[str]) -> None:
        self.greeting = greeting

    def fail(self, error: Any) -> Any:
        """Something is wrong with the connection itself: nothing that was asked for comes."""
        self._fail(error)

    def _fail(self, error: Any) -> Any:
        if self._failed:
            return error
        self._failed = True
        waiting, self.nextDeferred = self.nextDeferred, None
        lost = Failure(ConnectionLost("the FTP connection is lost", error))
        if waiting is not None and not waiting.called:
            waiting.errback(lost)
        while (command := self.popCommandQueue()) is not None:
            command.fail(Failure(ConnectionLost("the FTP connection is lost", error)))
        return error

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Nothing that was asked for comes."""
        self._fail(reason)

    def sendLine(self, line: Any) -> None:
        """Send a line of text; None sends nothing."""
        if line is not None:
            self.transport.write(line.encode(self._encoding) + self.delimiter)

    def sendNextCommand(self) -> None:
        """Send the command whose turn it is; one that cannot be sent fails, and is passed over."""
        while (command := self.popCommandQueue()) is not None:
            self.nextDeferred = command.deferred
            try:
                if command.text == "PORT":
                    self.generatePortCommand(command)
                self.sendLine(command.text)
            except Exception:
                failure = Failure()
            else:
                return
            self.nextDeferred = None
            # Whoever is told may queue commands: they are sent when all were told.
            telling, self._telling = self._telling, True
            try:
                command.fail(failure)
            finally:
                self._telling = telling
        self.nextDeferred = None

    def generatePortCommand(self, portCmd: FTPCommand) -> None:
        """Listen, and say where in the command. See `FTPClient`."""
        raise NotImplementedError("FTPClientBasic makes no data connections")

    def _check(self, *texts: str) -> None:
        """
        See that commands can be sent, before anything of them is.

        Raises:
            ValueError: one cannot.
        """
        for text in texts:
            if "\r" in text or "\n" in text:
                raise ValueError("an FTP command is one line")
            try:
                text.encode(self._encoding)
            except UnicodeEncodeError:
                sendable = False
            else:
                sendable = True
            if not sendable:
                # Neither the text nor the error with the text in it: it may be a password.
                raise ValueError(
                    f"what follows {text.partition(' ')[0]} is not all in {self._encoding}, as FTP "
                    "commands are sent: what the server takes for UTF-8 is to be given as "
                    'text.encode().decode("latin-1")'
                )

    def queueCommand(self, ftpCommand: FTPCommand) -> None:
        """
        Send a command when those before it have their replies.

        Raises:
            ValueError: there is a line end in it, or a character that is not in
                Latin-1.
        """
        self._check(ftpCommand.text)
        if self._failed:
            ftpCommand.fail(Failure(ConnectionLost("the FTP connection is lost")))
            return
        self.actionQueue.append(ftpCommand)
        if self.nextDeferred is None and self.transport is not None and not self._telling:
            self.sendNextCommand()

    def queueStringCommand(self, command: str, public: int = 1) -> Deferred[list[str]]:
        """
        Send a line when its turn comes.

        Returns:
            a Deferred with the lines of the reply. It fails with `CommandFailed`
            if the server says no, `BadResponse` if it makes no sense, and
            `ConnectionLost`.

        Raises:
            ValueError: there is a line end in it, or a character that is not in
                Latin-1.
        """
        queued = FTPCommand(command, public)
        self.queueCommand(queued)
        return queued.deferred

    def popCommandQueue(self) -> FTPCommand | None:
        """Take the command whose turn it is off the queue; None if there is none."""
        return self.actionQueue.pop(0) if self.actionQueue else None

    def queueLogin(self, username: str, password: str | None) -> None:
        """
        Log in, when it is this one's turn.

        Args:
            username: the name.
            password: sent only if the server asks for it; None for none at all.

        Raises:
            ValueError: there is a line end in one, or a character that is not in
                Latin-1.
        """
        self._check(f"USER {username}", f"PASS {password}")
        user = self.queueStringCommand(f"USER {username}", public=0)
        user.addErrback(self.fail)
        if password is None:
            return
        command = FTPCommand(f"PASS {password}", public=0)
        self.queueCommand(command)
        command.deferred.addErrback(self.fail)

        def answered(response: Any) -> None:
            # RFC 959 section 5.4: 230 says that no password is needed.
            if response and response[-1].startswith("230") and command in self.actionQueue:
                self.actionQueue.remove(command)

        user.addCallback(answered)

    def lineReceived(self, line: bytes) -> None:
        """Read a line of a reply. RFC 959 section 4.2."""
        text = line.decode(self._encoding)
        self.response.append(text)
        if len(self.response) > _MAX_REPLY_LINES:
            self.fail(BadResponse(self.response[:10]))
            return
        found = _REPLY.match(text)
        if self._code is not None:
            if found is None or found[1] != self._code or found[2] != " ":
                return
        elif found is None:
            return
        elif found[2] == "-":
            self._code = found[1]
            return
        self._code = None
        code = text[:3]
        if code[0] == "1":
            return  # there is another reply to come
        response, self.response = self.response, []
        asked, self.nextDeferred = self.nextDeferred, None
        if asked is None:
            self.fail(UnexpectedResponse(response))
            return
        # What is told may queue commands, or take some back: the next one is sent after that.
        self._telling = True
        try:
            if asked.called:
                pass
            elif code[0] in "23":
                asked.callback(response)
            elif code[0] in "45":
                asked.errback(Failure(CommandFailed(response)))
            else:
                asked.errback(Failure(BadResponse(response)))
        finally:
            self._telling = False
        self._go_on()

    def _go_on(self) -> None:
        if self.nextDeferred is None and not self._failed:
            self.sendNextCommand()
