"""The server's half of transfers: listings, downloads and uploads."""

from __future__ import annotations

import logging
import re
from typing import Any

from reactorlib.internet import error as internet_error
from reactorlib.internet.defer import maybeDeferred
from reactorlib.protocols.ftp import _errors as errors
from reactorlib.protocols.ftp import _responses as codes
from reactorlib.protocols.ftp._address import toSegments
from reactorlib.protocols.ftp._control import command
from reactorlib.protocols.ftp._data_connections import DataConnections
from reactorlib.protocols.ftp._dtp import ASCIIConsumerWrapper, LocalLines, printable
from reactorlib.protocols.ftp._shell import _isGlobbingExpression, matching
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["Transfers"]

_log = logging.getLogger("reactorlib.protocols.ftp")

#: The facts of a listing, in the order that `DTP.sendListResponse` takes.
LIST_KEYS = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")

_LS_FLAGS = re.compile(r"^(?:-[A-Za-z]+(?:\s+|$))+")


class Transfers(DataConnections):
    """Sends and receives, through data connections."""

    binary = True

    def _segments(self, path: str) -> list[str]:
        try:
            return toSegments(self.workingDirectory, path)
        except errors.InvalidPath:
            raise errors.FileNotFoundError(path) from None

    @command
    async def ftp_LIST(self, path: str = "") -> Any:
        """Send the lines of `ls -l`. RFC 959 section 4.1.3."""
        # Clients take the server for `ls`, and give it that one's flags.
        segments = self._segments(_LS_FLAGS.sub("", path, count=1))

        async def doing(dtp: Any) -> Any:
            listed = await self._listed(segments, LIST_KEYS)
            self._started(dtp)
            for name, facts in listed:
                dtp.sendListResponse(name, facts)
            return await self._sent(dtp)

        return await self._transfer("LIST", doing)

    @command
    async def ftp_NLST(self, path: str = "") -> Any:
        """Send names alone. RFC 959 section 4.1.3."""
        segments = self._segments(_LS_FLAGS.sub("", path, count=1))

        async def doing(dtp: Any) -> Any:
            try:
                listed = await self._listed(segments, ())
            except errors.FileNotFoundError:
                listed = []  # nothing is not an error here
            self._started(dtp)
            for name, _ in listed:
                dtp.sendLine(printable(name))
            return await self._sent(dtp)

        return await self._transfer("NLST", doing)

    async def _listed(self, segments: list[str], keys: tuple[str, ...]) -> Any:
        if _isGlobbingExpression(segments):
            listed = await maybeDeferred(self.shell.list, segments[:-1], keys)
            return matching(segments[-1], listed)
        return await maybeDeferred(self.shell.list, segments, keys)

    async def _sent(self, dtp: Any) -> Any:
        """Wait until the last byte has left, or cannot."""
        dtp.transport.loseConnection()
        await dtp.gone
        return codes.TXFR_COMPLETE_OK if dtp._failure is None else codes.CNX_CLOSED_TXFR_ABORTED

    @command
    async def ftp_RETR(self, path: str) -> Any:
        """Send a file. RFC 959 section 4.1.3."""
        segments = self._segments(path)
        shown = "/".join(segments)

        async def doing(dtp: Any) -> Any:
            try:
                file = await maybeDeferred(self.shell.openForReading, segments)
            except errors.FTPCmdError as error:
                return error.errorCode, shown
            except Exception:
                report(_log, "an FTP shell could not open a file", Failure())
                return codes.FILE_NOT_FOUND, shown
            if self._offset:
                seek = getattr(file, "seek", None)
                if seek is None:
                    raise errors.CmdNotImplementedForArgError("REST")
                seek(self._offset)
            self._started(dtp)
            try:
                await maybeDeferred(file.send, dtp if self.binary else ASCIIConsumerWrapper(dtp))
            except (ConnectionError, errors.PortConnectionError):
                return codes.CNX_CLOSED_TXFR_ABORTED
            except errors.FTPCmdError as error:
                report(_log, "an FTP file could not be read", Failure())
                raise error
            except Exception:
                report(_log, "an FTP file could not be read", Failure())
                return codes.CNX_CLOSED_TXFR_ABORTED
            return await self._sent(dtp)

        return await self._transfer("RETR", doing)

    @command
    async def ftp_STOR(self, path: str) -> Any:
        """Receive a file. RFC 959 section 4.1.3."""
        offset = self._offset
        if offset:
            return await self._receive("STOR", path, "openForWritingAt", offset)
        return await self._receive("STOR", path, "openForWriting")

    @command
    async def ftp_APPE(self, path: str) -> Any:
        """Receive what is added to a file. RFC 959 section 4.1.3."""
        return await self._receive("APPE", path, "openForAppending")

    async def _receive(self, command: str, path: str, opener: str, *more: Any) -> Any:
        segments = self._segments(path)
        shown = "/".join(segments)

        async def doing(dtp: Any) -> Any:
            opening = getattr(self.shell, opener, None)
            if opening is None:
                raise errors.PermissionDeniedError(shown)
            try:
                file = await maybeDeferred(opening, segments, *more)
            except errors.FTPCmdError as error:
                return error.errorCode, shown
            except Exception:
                report(_log, "an FTP shell could not open a file", Failure())
                return codes.FILE_NOT_FOUND, shown
            try:
                consumer = await maybeDeferred(file.receive)
                ended = dtp.registerConsumer(consumer if self.binary else LocalLines(consumer))
                self._started(dtp)
                try:
                    await ended
                finally:
                    await maybeDeferred(file.close)
            except errors.FTPCmdError as error:
                report(_log, "an FTP file could not be written", Failure())
                raise error
            except Exception as error:
                if getattr(dtp, "isConnected", True) or not _of_connection(error):
                    report(_log, "an FTP file could not be written", Failure())
                return codes.CNX_CLOSED_TXFR_ABORTED
            return codes.TXFR_COMPLETE_OK

        return await self._transfer(command, doing)

    def ftp_REST(self, offset: str) -> Any:
        """Begin the next transfer there. RFC 3659 section 5."""
        if not (offset.isascii() and offset.isdigit()) or len(offset) > 18:
            raise errors.CmdArgSyntaxError(offset)
        self._offset = int(offset)
        return codes.REQ_FILE_ACTN_PENDING_FURTHER_INFO


def _of_connection(error: Exception) -> bool:
    kinds = internet_error.ConnectionLost | internet_error.ConnectionAborted
    return isinstance(error, ConnectionError | kinds)
