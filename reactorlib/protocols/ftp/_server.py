"""The server: what its commands do with files, and the factory."""

from __future__ import annotations

import time
from typing import Any

from zope.interface import implementer

from reactorlib.internet.defer import fail, maybeDeferred
from reactorlib.internet.interfaces import IProtocol
from reactorlib.protocols.basic import LineReceiver
from reactorlib.protocols.ftp import _errors as errors
from reactorlib.protocols.ftp import _responses as codes
from reactorlib.protocols.ftp._control import command
from reactorlib.protocols.ftp._transfers import Transfers
from reactorlib.protocols.policies import LimitTotalConnectionsFactory

__all__ = ["FTP", "FTPFactory", "FTPOverflowProtocol"]


@implementer(IProtocol)
class FTP(Transfers):
    """
    One client's control connection.

    A command is a method `ftp_NAME`, called with its argument if there is one.
    It returns the key of a reply, a tuple of that and what goes into the text,
    None for no reply, or a Deferred or coroutine with one of these; it fails with
    an `FTPCmdError`.

    Attributes:
        portal: where people log in.
        shell: what the user may do: an `IFTPShell`; None before the login.
        workingDirectory: the names that lead there.
        binary: whether files go as they are, rather than line by line.
        dtpTimeout: for how many seconds a data connection is waited for.
        transferTimeout: after how many seconds without progress a transfer is
            aborted.
        maxLoginFailures: at how many the connection is closed. RFC 2577 section 5.
        passivePortRange: which ports to listen at in passive mode.
        listenFactory: what listens, called as `reactor.listenTCP`.
    """

    FEATURES = [  # noqa: RUF012
        "FEAT",
        "MDTM",
        "PASV",
        "SIZE",
        "TYPE A;I",
        "EPRT",
        "EPSV",
        "REST STREAM",
        "UTF8",
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rename_from: list[str] = []

    # Files and directories.

    def ftp_PWD(self) -> Any:
        """Say the working directory. RFC 959 section 4.1.3, appendix II."""
        path = "/" + "/".join(self.workingDirectory)
        return codes.PWD_REPLY, path.replace('"', '""')

    @command
    async def ftp_CWD(self, path: str) -> Any:
        """Go to a directory."""
        segments = self._segments(path)
        await maybeDeferred(self.shell.access, segments)
        self.workingDirectory = segments
        return codes.REQ_FILE_ACTN_COMPLETED_OK

    def ftp_CDUP(self) -> Any:
        """Go to the directory above."""
        return self.ftp_CWD("..")

    @command
    async def ftp_MKD(self, path: str) -> Any:
        """Make a directory."""
        await maybeDeferred(self.shell.makeDirectory, self._segments(path))
        return codes.MKD_REPLY, path.replace('"', '""')

    @command
    async def ftp_RMD(self, path: str) -> Any:
        """Remove a directory."""
        await maybeDeferred(self.shell.removeDirectory, self._segments(path))
        return codes.REQ_FILE_ACTN_COMPLETED_OK

    @command
    async def ftp_DELE(self, path: str) -> Any:
        """Remove a file."""
        await maybeDeferred(self.shell.removeFile, self._segments(path))
        return codes.REQ_FILE_ACTN_COMPLETED_OK

    def ftp_RNFR(self, fromName: str) -> Any:
        """Say what is to be renamed."""
        self._rename_from = self._segments(fromName)
        self.state = self.RENAMING
        return codes.REQ_FILE_ACTN_PENDING_FURTHER_INFO

    @command
    async def ftp_RNTO(self, toName: str) -> Any:
        """Rename it."""
        if self.state != self.RENAMING:
            raise errors.BadCmdSequenceError("RNFR required before RNTO")
        self.state = self.AUTHED
        await maybeDeferred(self.shell.rename, self._rename_from, self._segments(toName))
        return codes.REQ_FILE_ACTN_COMPLETED_OK

    @command
    async def ftp_SIZE(self, path: str) -> Any:
        """Say how large a file is, in bytes. RFC 3659 section 4."""
        segments = self._segments(path)
        size, directory = await maybeDeferred(self.shell.stat, segments, ("size", "directory"))
        if directory:
            raise errors.IsADirectoryError(segments)
        return codes.FILE_STATUS, str(size)

    @command
    async def ftp_MDTM(self, path: str) -> Any:
        """Say when a file changed, in UTC. RFC 3659 section 3."""
        (modified,) = await maybeDeferred(self.shell.stat, self._segments(path), ("modified",))
        return codes.FILE_STATUS, time.strftime("%Y%m%d%H%M%S", time.gmtime(modified))

    # What files are.

    def ftp_TYPE(self, type: str) -> Any:
        """Say how files go. RFC 959 section 3.1.1."""
        method = getattr(self, f"type_{type[:1].upper()}", None) if type else None
        return self.type_UNKNOWN(type) if method is None else method(type[1:].strip())

    def type_A(self, code: str) -> Any:
        """In lines."""
        if code.upper() not in ("", "N"):
            return fail(errors.CmdArgSyntaxError(code))
        self.binary = False
        return codes.TYPE_SET_OK, f"A{code}"

    def type_I(self, code: str) -> Any:
        """In bytes."""
        if code:
            return fail(errors.CmdArgSyntaxError(code))
        self.binary = True
        return codes.TYPE_SET_OK, "I"

    def type_UNKNOWN(self, code: str) -> Any:
        """In a way that there is not."""
        return fail(errors.CmdNotImplementedForArgError(code))

    def ftp_STRU(self, structure: str) -> Any:
        """Say that files are bytes. RFC 959 section 3.1.2."""
        if structure.upper() == "F":
            return codes.CMD_OK
        return fail(errors.CmdNotImplementedForArgError(structure))

    def ftp_MODE(self, mode: str) -> Any:
        """Say that they go as a stream. RFC 959 section 3.4."""
        if mode.upper() == "S":
            return codes.CMD_OK
        return fail(errors.CmdNotImplementedForArgError(mode))

    def ftp_SYST(self) -> str:
        """Say what listings look like."""
        return codes.NAME_SYS_TYPE

    def ftp_FEAT(self) -> Any:
        """Say what there is beyond RFC 959. RFC 2389 section 3."""
        return codes.FEAT_OK, *self.FEATURES

    def ftp_OPTS(self, option: str) -> Any:
        """Choose; UTF-8 is all there is to choose. RFC 2389 section 4."""
        if option.upper().split() in (["UTF8", "ON"], ["UTF8"]):
            return codes.CMD_OK
        return codes.OPTS_NOT_IMPLEMENTED, option

    def ftp_ALLO(self, size: str = "") -> str:
        """Nothing is set aside for files."""
        return codes.CMD_NOT_IMPLMNTD_SUPERFLUOUS

    def ftp_NOOP(self) -> str:
        """Do nothing."""
        return codes.CMD_OK


class FTPOverflowProtocol(LineReceiver):
    """Says that there are too many, and hangs up."""

    def connectionMade(self) -> None:
        """Say so."""
        text = codes.RESPONSE[codes.TOO_MANY_CONNECTIONS]
        assert isinstance(text, str)
        self.sendLine(text.encode())
        self.transport.loseConnection()


class FTPFactory(LimitTotalConnectionsFactory):
    """
    Serves FTP.

    Args:
        portal: where people log in, to get an `IFTPShell`.
        userAnonymous: the name that needs no password.

    Attributes:
        allowAnonymous: whether there is such a name.
        timeOut: after how many idle seconds a client is told to go; None for
            never.
        welcomeMessage: the greeting.
        passivePortRange: which ports to listen at in passive mode, as a firewall
            lets through.
        connectionLimit: how many clients there may be at a time.
    """

    protocol = FTP
    overflowProtocol = FTPOverflowProtocol
    allowAnonymous = True
    timeOut: float | None = 600
    welcomeMessage = "reactorlib FTP server"
    passivePortRange: Any = range(1)

    def __init__(self, portal: Any = None, userAnonymous: str = "anonymous") -> None:
        self.portal = portal
        self.userAnonymous = userAnonymous

    def buildProtocol(self, addr: Any) -> Any:
        """An `FTP`, in a wrapper that counts connections."""
        wrapper = super().buildProtocol(addr)
        if wrapper is not None:
            inner = wrapper.wrappedProtocol
            inner.portal = self.portal
            inner.timeOut = self.timeOut
            inner.passivePortRange = self.passivePortRange
        return wrapper
