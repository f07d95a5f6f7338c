"""Questions and their answers, over anything that sends boxes."""

from __future__ import annotations

import logging
from typing import Any

from zope.interface import implementer

from reactorlib.internet.defer import Deferred, fail, maybeDeferred
from reactorlib.internet.error import ConnectionClosed, ConnectionLost
from reactorlib.protocols.amp._box import (
    ANSWER,
    ASK,
    COMMAND,
    ERROR,
    ERROR_CODE,
    ERROR_DESCRIPTION,
    AmpBox,
    QuitBox,
)
from reactorlib.protocols.amp._errors import (
    PROTOCOL_ERRORS,
    UNHANDLED_ERROR_CODE,
    UNKNOWN_ERROR_CODE,
    MalformedAmpBox,
    NoEmptyBoxes,
    ProtocolSwitched,
    RemoteAmpError,
    UnhandledCommand,
)
from reactorlib.protocols.amp._interfaces import IBoxReceiver
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["BoxDispatcher"]

_log = logging.getLogger("reactorlib.protocols.amp")


@implementer(IBoxReceiver)
class BoxDispatcher:
    """
    Asks commands, and has those that the peer asks answered.

    Args:
        locator: an `IResponderLocator`, which knows what answers.

    Attributes:
        boxSender: what boxes are sent with; None while there is no connection.
    """

    _failAllReason: Failure | None = None
    _counter = 0
    boxSender: Any = None

    def __init__(self, locator: Any) -> None:
        self._outstandingRequests: dict[bytes, Deferred[Any]] = {}
        self.locator = locator

    def startReceivingBoxes(self, boxSender: Any) -> None:
        """There is a connection."""
        self.boxSender = boxSender

    def stopReceivingBoxes(self, reason: Failure) -> None:
        """The connection is gone: everything that was asked fails with `reason`."""
        self.failAllOutgoing(reason)

    def failAllOutgoing(self, reason: Failure) -> None:
        """Fail what has been asked and not answered, and whatever is asked from now on."""
        self._failAllReason = reason
        outstanding, self._outstandingRequests = self._outstandingRequests, {}
        for question in outstanding.values():
            if not question.called:
                question.errback(reason)

    def _nextTag(self) -> bytes:
        """What an answer will be known by."""
        self._counter += 1
        return b"%x" % (self._counter,)

    def _sendBoxCommand(
        self, command: bytes, box: AmpBox, requiresAnswer: bool = True
    ) -> Deferred[Any] | None:
        """
        Ask.

        Returns:
            a Deferred with the box that answers; None if no answer is wanted.

        Raises:
            ProtocolSwitched: another protocol is spoken by now.
        """
        if self._failAllReason is not None:
            return fail(self._failAllReason) if requiresAnswer else None
        box[COMMAND] = command
        if not requiresAnswer:
            box._sendTo(self.boxSender)
            return None
        tag = self._nextTag()
        box[ASK] = tag
        box._sendTo(self.boxSender)
        question: Deferred[Any] = Deferred()
        self._outstandingRequests[tag] = question
        return question

    def callRemoteString(
        self, command: bytes, requiresAnswer: bool = True, **kw: bytes
    ) -> Deferred[AmpBox] | None:
        """
        Ask a command by its name, with bytes for arguments.

        Returns:
            a Deferred that fires with the box of the answer; None if no answer is
            wanted.
        """
        return self._sendBoxCommand(command, AmpBox(kw), requiresAnswer)

    def callRemote(self, commandType: Any, *a: Any, **kw: Any) -> Any:
        """
        Ask a command.

        Args:
            commandType: the `Command`.
            a, kw: its arguments, by name.

        Returns:
            a Deferred that fires with a dictionary of what the answer says. It fails
            with an exception that the command declares, `UnknownRemoteError` for any
            other, `UnhandledCommand` if the peer does not know the command,
            `InvalidSignature` if the arguments are not those of the command, and the
            reason of the loss when the connection is lost. Cancelling it does not take
            the question back: an answer is dropped. None if the command wants no answer.

        Raises:
            ProtocolSwitched: another protocol is spoken by now, or about to be.
            OnlyOneTLS: TLS has been started before.
            TooLong: an argument is too long.
        """
        try:
            command = commandType(*a, **kw)
        except Exception:
            return fail()
        return command._doCommand(self)

    def unhandledError(self, failure: Failure) -> Any:
        """An error that nobody has handled: hand it to whatever sends the boxes."""
        return self.boxSender.unhandledError(failure)

    # -- what comes in --------------------------------------------------------

    def ampBoxReceived(self, box: AmpBox) -> None:
        """
        A box came in: a question, an answer or an error.

        Raises:
            NoEmptyBoxes: it is none of these.
        """
        if ANSWER in box:
            self._answerReceived(box)
        elif ERROR in box:
            self._errorReceived(box)
        elif COMMAND in box:
            self._commandReceived(box)
        else:
            raise NoEmptyBoxes(box)

    def _question(self, tag: bytes) -> Deferred[Any]:
        try:
            return self._outstandingRequests.pop(tag)
        except KeyError:
            raise MalformedAmpBox(f"an answer to {tag!r}, which was not asked") from None

    def _answerReceived(self, box: AmpBox) -> None:
        question = self._question(box[ANSWER])
        if not question.called:  # else nobody waits any more
            question.callback(box)
            self._look_after(question)

    def _errorReceived(self, box: AmpBox) -> None:
        question = self._question(box[ERROR])
        if question.called:
            return
        code = box.get(ERROR_CODE, UNKNOWN_ERROR_CODE)
        description: Any = box.get(ERROR_DESCRIPTION, b"")
        if isinstance(description, bytes):
            description = description.decode("utf-8", "replace")
        kind: Any = PROTOCOL_ERRORS.get(code, RemoteAmpError)
        question.errback(Failure(kind(code, description)))
        self._look_after(question)

    def _look_after(self, question: Deferred[Any]) -> None:
        """An error that is left when everyone has had the answer ends the connection."""
        if question.paused:
            # A callback waits for something. What is added until then comes first.
            question.addErrback(self._come_back, question)
        elif isinstance(question.result, Failure):
            question.addErrback(self._left, question)

    def _come_back(self, failure: Failure, question: Deferred[Any]) -> Failure:
        question.addErrback(self._left, question)
        return failure

    def _left(self, failure: Failure, question: Deferred[Any]) -> Any:
        # What was awaited stays in place, and counts as handled.
        return failure if question._note is failure else self.unhandledError(failure)

    def _commandReceived(self, box: AmpBox) -> None:
        answered = self.dispatchCommand(box)
        if ASK in box:
            tag = box[ASK]

            def answer(result: AmpBox) -> None:
                result[ANSWER] = tag
                self._safeEmit(result)

            def refuse(failure: Failure) -> None:
                self._safeEmit(_error_box(failure, tag))

            answered.addCallbacks(answer, refuse)
        answered.addErrback(self.unhandledError)

    def _safeEmit(self, box: AmpBox) -> None:
        """Send an answer, if there is still anyone to send it to."""
        try:
            box._sendTo(self.boxSender)
        except (ProtocolSwitched, ConnectionLost):
            pass

    def dispatchCommand(self, box: AmpBox) -> Deferred[AmpBox]:
        """
        Have a command answered.

        Returns:
            a Deferred with the box of the answer. It fails with `RemoteAmpError` if
            nothing answers such a command.
        """
        name = box[COMMAND]
        responder = self.locator.locateResponder(name)
        if responder is None:
            shown = name.decode("utf-8", "backslashreplace")
            return fail(
                RemoteAmpError(
                    UNHANDLED_ERROR_CODE,
                    f"Unhandled Command: {shown!r}",
                    False,
                    local=Failure(UnhandledCommand()),
                )
            )
        return maybeDeferred(responder, box)


def _error_box(failure: Failure, tag: bytes) -> AmpBox:
    """What the peer is told of an error."""
    box: AmpBox
    if failure.check(RemoteAmpError):
        error: Any = failure.value
        code, description = error.errorCode, error.description
        if isinstance(description, str):
            description = description.encode("utf-8", "replace")
        box = QuitBox() if error.fatal else AmpBox()
    else:
        # What it says may be none of the peer's business.
        report(_log, "a responder failed with an error that its command does not declare", failure)
        code, description = UNKNOWN_ERROR_CODE, b"Unknown Error"
        box = QuitBox()
    box[ERROR] = tag
    box[ERROR_CODE] = code
    box[ERROR_DESCRIPTION] = description
    return box


def unhandled(failure: Failure, transport: Any) -> None:
    """Report an error that nobody has handled, unless it is the loss itself; end the connection."""
    if not failure.check(ConnectionClosed):
        report(_log, "an error in AMP was handled by nobody; the connection is closed", failure)
    if transport is not None:
        transport.loseConnection()
