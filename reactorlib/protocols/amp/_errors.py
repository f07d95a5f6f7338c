"""What goes wrong: here, at the peer, or in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactorlib.python.failure import Failure

__all__ = [
    "PROTOCOL_ERRORS",
    "UNHANDLED_ERROR_CODE",
    "UNKNOWN_ERROR_CODE",
    "AmpError",
    "BadLocalReturn",
    "IncompatibleVersions",
    "InvalidSignature",
    "MalformedAmpBox",
    "NoEmptyBoxes",
    "OnlyOneTLS",
    "ProtocolSwitched",
    "RemoteAmpError",
    "TooLong",
    "UnhandledCommand",
    "UnknownRemoteError",
]

#: The code of an error that the command does not declare.
UNKNOWN_ERROR_CODE = b"UNKNOWN"
#: The code of the answer to a command that nobody handles.
UNHANDLED_ERROR_CODE = b"UNHANDLED"


class AmpError(Exception):
    """The base of the errors here."""


class ProtocolSwitched(Exception):
    """The connection speaks another protocol by now: no boxes go over it."""


class OnlyOneTLS(AmpError):
    """TLS is there already, and cannot be started twice."""


class NoEmptyBoxes(AmpError):
    """The peer sent a box that is no question, no answer and no error."""


class InvalidSignature(AmpError):
    """The caller left out an argument, or gave one that the command does not have."""


class BadLocalReturn(AmpError):
    """A responder returned what is no answer to its command."""


class MalformedAmpBox(AmpError):
    """The peer sent what is no box."""


class IncompatibleVersions(AmpError):
    """The peer speaks another version."""


class UnhandledCommand(AmpError):
    """The peer does not know the command."""


#: The errors of the protocol itself, by their codes.
PROTOCOL_ERRORS = {UNHANDLED_ERROR_CODE: UnhandledCommand}


class TooLong(AmpError):
    """
    A key or value is too long.

    Args:
        isKey: whether it is a key.
        isLocal: whether this side wanted to send it, rather than the peer.
        value: it, if it is at hand.
        keyName: for a value, its key.
    """

    def __init__(self, isKey: bool, isLocal: bool, value: Any, keyName: bytes | None = None):
        super().__init__()
        self.isKey = isKey
        self.isLocal = isLocal
        self.value = value
        self.keyName = keyName

    def __str__(self) -> str:
        what = "key" if self.isKey else f"value of {self.keyName!r}"
        whose = "to be sent" if self.isLocal else "that the peer sends"
        size = "" if self.value is None else f": {len(self.value)} bytes"
        return f"the {what} {whose} is too long{size}"

    def __repr__(self) -> str:
        name = "" if self.isKey else f" {self.keyName!r}"
        size = "" if self.value is None else f" {len(self.value)}"
        return (
            f"<TooLong {'local' if self.isLocal else 'remote'} "
            f"{'key' if self.isKey else 'value'}{name}{size}>"
        )


class RemoteAmpError(AmpError):
    """
    An error that goes to the peer, or has come from it.

    Args:
        errorCode: what the peer knows it by, bytes.
        description: what to tell people.
        fatal: whether the connection is to end with it.
        local: the Failure here that it was made from, if it was made here.
    """

    def __init__(
        self,
        errorCode: bytes,
        description: Any,
        fatal: bool = False,
        local: Failure | None = None,
    ) -> None:
        shown = description
        if isinstance(shown, bytes):
            shown = shown.decode("utf-8", "backslashreplace")
        code = errorCode.decode("utf-8", "backslashreplace")
        message = f"Code<{code}>{' (local)' if local else ''}: {shown}"
        if local:
            message += f"\n{local.getBriefTraceback()}"
        super().__init__(message)
        self.local = local
        self.errorCode = errorCode
        self.description = description
        self.fatal = fatal


class UnknownRemoteError(RemoteAmpError):
    """The peer had an error that the command does not declare."""

    def __init__(self, description: Any) -> None:
        super().__init__(UNKNOWN_ERROR_CODE, description)
