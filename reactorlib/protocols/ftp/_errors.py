"""What goes wrong, on either side."""

from __future__ import annotations

import errno
from typing import Any

from reactorlib.internet import defer
from reactorlib.internet.defer import Deferred
from reactorlib.protocols.ftp import _responses as codes

__all__ = [
    "AnonUserDeniedError",
    "AuthorizationError",
    "BadCmdSequenceError",
    "BadResponse",
    "CmdArgSyntaxError",
    "CmdNotImplementedError",
    "CmdNotImplementedForArgError",
    "CmdSyntaxError",
    "CommandFailed",
    "ConnectionLost",
    "FTPCmdError",
    "FTPError",
    "FileExistsError",
    "FileNotFoundError",
    "InvalidPath",
    "IsADirectoryError",
    "IsNotADirectoryError",
    "PASVIPv6NotImplementedError",
    "PermissionDeniedError",
    "PortConnectionError",
    "UnexpectedData",
    "UnexpectedResponse",
    "UnsupportedNetworkProtocolError",
    "errnoToFailure",
]


class InvalidPath(Exception):
    """A path leads above the root."""


class FTPCmdError(Exception):
    """
    A command fails in a way that has a reply of its own.

    Args:
        msg: what the reply is about; segments of a path are joined.

    Attributes:
        errorCode: which reply, a key of `RESPONSE`.
    """

    errorCode = codes.REQ_ACTN_NOT_TAKEN

    def __init__(self, *msg: Any) -> None:
        super().__init__(*msg)
        self.errorMessage = msg

    def response(self) -> str:
        """The text of the reply, code included."""
        template = codes.RESPONSE[self.errorCode]
        assert isinstance(template, str)
        parts = tuple(
            "/".join(part) if isinstance(part, list | tuple) else str(part)
            for part in self.errorMessage
        )
        return template % parts[: template.count("%s")]


class FileNotFoundError(FTPCmdError):
    """There is no such file or directory."""

    errorCode = codes.FILE_NOT_FOUND


class PermissionDeniedError(FTPCmdError):
    """The user may not do that."""

    errorCode = codes.PERMISSION_DENIED


class AnonUserDeniedError(FTPCmdError):
    """Somebody without a name may not change anything."""

    errorCode = codes.ANON_USER_DENIED


class IsNotADirectoryError(FTPCmdError):
    """It is a file, and a directory is needed."""

    errorCode = codes.IS_NOT_A_DIR


class IsADirectoryError(FTPCmdError):
    """It is a directory, and a file is needed."""

    errorCode = codes.IS_A_DIR


class FileExistsError(FTPCmdError):
    """There is one already."""

    errorCode = codes.FILE_EXISTS


class CmdSyntaxError(FTPCmdError):
    """The command has no argument, or one too many."""

    errorCode = codes.SYNTAX_ERR


class CmdArgSyntaxError(FTPCmdError):
    """The argument has the wrong form."""

    errorCode = codes.SYNTAX_ERR_IN_ARGS


class CmdNotImplementedError(FTPCmdError):
    """There is no such command."""

    errorCode = codes.CMD_NOT_IMPLMNTD


class CmdNotImplementedForArgError(FTPCmdError):
    """The command exists, and not with that argument."""

    errorCode = codes.CMD_NOT_IMPLMNTD_FOR_PARAM


class PASVIPv6NotImplementedError(FTPCmdError):
    """PASV cannot name an IPv6 address."""

    errorCode = codes.PASV_IPV6_NOT_IMPLEMENTED


class UnsupportedNetworkProtocolError(FTPCmdError):
    """It is neither IPv4 nor IPv6."""

    errorCode = codes.UNSUPPORTED_NETWORK_PROTOCOL


class BadCmdSequenceError(FTPCmdError):
    """Another command has to come first."""

    errorCode = codes.BAD_CMD_SEQ


class AuthorizationError(FTPCmdError):
    """Name or password is wrong."""

    errorCode = codes.AUTH_FAILURE


class PortConnectionError(Exception):
    """There is no data connection: it failed, or came too late."""


class FTPError(Exception):
    """Something that a client cannot go on with."""


class ConnectionLost(FTPError):
    """The connection is gone, and with it what was asked for."""


class CommandFailed(FTPError):
    """The server said no. The first argument is the list of the lines that it sent."""


class BadResponse(FTPError):
    """The server sent what is no reply. The first argument is the list of the lines."""


class UnexpectedResponse(FTPError):
    """The server replied, and nothing had been asked."""


class UnexpectedData(FTPError):
    """The server sent something on a connection that is there to send to it."""


_BY_ERRNO: dict[int, type[FTPCmdError]] = {
    errno.ENOENT: FileNotFoundError,
    errno.ELOOP: FileNotFoundError,
    errno.ENAMETOOLONG: FileNotFoundError,
    errno.EACCES: PermissionDeniedError,
    errno.EPERM: PermissionDeniedError,
    errno.EROFS: PermissionDeniedError,
    errno.ENOTDIR: IsNotADirectoryError,
    errno.EEXIST: FileExistsError,
    errno.ENOTEMPTY: FileExistsError,
    errno.EISDIR: IsADirectoryError,
}


def errnoToFailure(e: int | None, path: Any) -> Deferred[Any]:
    """
    A Deferred that fails with what the system's error number means here.

    Args:
        e: the number; for others than those of files, the exception being
            handled is what it fails with.
        path: of which file.
    """
    kind = _BY_ERRNO.get(-1 if e is None else e)
    return defer.fail() if kind is None else defer.fail(kind(path))


def error_for(error: OSError, path: Any) -> Exception:
    """What the system's error means here; itself, if it is none about files."""
    kind = _BY_ERRNO.get(-1 if error.errno is None else error.errno)
    return error if kind is None else kind(path)
