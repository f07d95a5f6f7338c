"""
A certificate in files that change, as those of Let's Encrypt do every few weeks.

The files are looked at when a connection comes, at most once in `interval`. No
timer, thread or watch is needed for that, and what nobody connects to costs
nothing.
"""

from __future__ import annotations

import logging
import math
import os
import ssl
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from reactorlib.internet._tls._options import CertificateOptions, NameCallback
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["ReloadingOptions"]

#: Those that there are, for `look_again`.
_known: weakref.WeakSet[ReloadingOptions] = weakref.WeakSet()


def look_again() -> None:
    """Look at all files anew when the next connection comes, however soon."""
    for options in list(_known):
        options._next = -math.inf


_log = logging.getLogger("reactorlib.internet.ssl")

#: What tells that a file is another, or was written to; None if there is no file.
_Stamp = tuple[tuple[int, int, int] | None, ...]


class ReloadingOptions:
    """
    The settings of a server (or a client) that follow the files of its certificate.

    New connections are made with what is in the files; those that stand are left
    alone. If the files are no good, as halfway through an exchange, the last good
    certificate is kept and the error is reported, once for each state of the files.

    Args:
        privateKeyFileName: the path of the private key, in PEM.
        certificateFileName: the path of the certificate, and of what certifies it, in
            PEM.
        interval: how many seconds to rely on the files being as they were.
        seconds: the clock: what `time.monotonic` is.
        options: more arguments for `CertificateOptions`.

    Raises:
        OSError: (`ssl.SSLError` is one) the files are no good to begin with.
    """

    def __init__(
        self,
        privateKeyFileName: str | os.PathLike[str],
        certificateFileName: str | os.PathLike[str],
        *,
        interval: float = 1.0,
        seconds: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        self.privateKeyFileName = privateKeyFileName
        self.certificateFileName = certificateFileName
        self._interval = interval
        self._seconds = seconds
        self._arguments = options
        self._stamp = self._look()
        self._options = self._read()
        self._next = seconds() + interval
        _known.add(self)

    def getContext(self, isClient: bool = False) -> ssl.SSLContext:
        """The settings as an `ssl.SSLContext`: the same one while the files are."""
        return self._settings_for(isClient)[0]

    def _settings_for(
        self, is_client: bool, protocols: Iterable[bytes] = (), on_name: NameCallback | None = None
    ) -> tuple[ssl.SSLContext, str | None]:
        now = self._seconds()
        if now >= self._next:
            self._next = now + self._interval
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                self._reload()
        return self._options._settings_for(is_client, protocols, on_name)

    def _reload(self) -> None:
        try:
            self._options = self._read()
        except (OSError, ValueError):
            message = (
                f"{os.fspath(self.certificateFileName)} or {os.fspath(self.privateKeyFileName)} "
                "has changed and is no good; the certificate from before is kept"
            )
            report(_log, message, Failure())

    def _look(self) -> _Stamp:
        stamps: list[tuple[int, int, int] | None] = []
        for name in (self.privateKeyFileName, self.certificateFileName):
            try:
                status = os.stat(name)
            except OSError:
                stamps.append(None)
            else:
                stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(stamps)

    def _read(self) -> CertificateOptions:
        with open(self.privateKeyFileName, "rb") as file:
            key = file.read()
        with open(self.certificateFileName, "rb") as file:
            certificate = file.read()
        options = CertificateOptions(key, certificate, **self._arguments)
        options.getContext()  # whether it can be used shows only here
        return options
