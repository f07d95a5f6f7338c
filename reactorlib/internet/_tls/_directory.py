"""
A directory of certificates, for a server that has several names.

It holds keys and certificates in PEM, in files and directories of any name and in
any order. Which key belongs to which certificate, what certifies it, and which
hosts it is for, they say themselves.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from reactorlib.internet._tls._options import CertificateOptions, NameCallback
from reactorlib.internet._tls._sni import SNIOptions, pattern
from reactorlib.python._report import note, report
from reactorlib.python.failure import Failure

__all__ = ["DirectoryOptions", "SNIConnectionCreator", "autoReloadingDirectoryOfPEMs"]

_log = logging.getLogger("reactorlib.internet.ssl")

_SUFFIXES = (".pem", ".crt", ".cert", ".key")
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)

#: No chain is longer; a loop of certificates that certify each other is.
_LONGEST_CHAIN = 16

_Stamp = frozenset[tuple[str, int, int, int]]


class DirectoryOptions(SNIOptions):
    """
    The settings of a server with a directory of certificates.

    A client that asks for a host name is shown the certificate for that name, and
    refused if there is none. One that asks for no name is shown the certificate in
    the first file. New, changed and removed files count from the next connection
    on. Needs the package cryptography (`pip install 'reactorlib[tls]'`).

    Args:
        path: the directory. Its files, and those of directories in it, count if
            their names end in .pem, .crt, .cert or .key.
        interval: how many seconds to rely on the files being as they were. A name
            without a certificate is a reason to look again at once.
        seconds: the clock: what `time.monotonic` is.
        options: more arguments for the `CertificateOptions` of each.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        interval: float = 1.0,
        seconds: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        self._path = Path(path)
        self._interval = interval
        self._seconds = seconds
        self._arguments = options
        self._stamp: _Stamp | None = None
        self._next = seconds()
        self._refresh()

    def _settings_for(
        self, is_client: bool, protocols: Iterable[bytes] = (), on_name: NameCallback | None = None
    ) -> tuple[ssl.SSLContext, str | None]:
        if self._seconds() >= self._next:
            self._refresh()
        return super()._settings_for(is_client, protocols, on_name)

    def _chosen(
        self,
        protocols: tuple[bytes, ...],
        connection: ssl.SSLObject,
        name: str | None,
        context: ssl.SSLContext,
    ) -> int | None:
        if self._missing(name):
            note(
                _log,
                "no server certificate for name %r",
                name and name.encode("ascii"),
                level=logging.WARNING,
            )
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        return super()._chosen(protocols, connection, name, context)

    def _missing(self, name: str | None) -> bool:
        """Whether there is no certificate for a name, not even if one looks again."""
        if name is None:
            return self._refuses
        if self._find(name) is None:
            self._refresh()
        return self._find(name) is None

    def lookup(self, name: bytes | None) -> ssl.SSLContext | None:
        """The context with the certificate for a name, or for none; None if there is none."""
        text = None if name is None else name.decode("ascii", "replace")
        if self._missing(text):
            note(_log, "no server certificate for name %r", name, level=logging.WARNING)
            return None
        settings = self._default if text is None else self._find(text)
        context: ssl.SSLContext = settings.getContext()
        return context

    # -- the files ------------------------------------------------------------

    def _refresh(self) -> None:
        self._next = self._seconds() + self._interval
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        names, first = self._read()
        super().__init__(names, first)

    def _files(self) -> Iterator[Path]:
        for folder, folders, files in os.walk(self._path):
            folders.sort()
            for name in sorted(files):
                if name.lower().endswith(_SUFFIXES):
                    yield Path(folder, name)

    def _look(self) -> _Stamp:
        stamps = set()
        for file in self._files():
            try:
                status = file.stat()
            except OSError:
                continue
            stamps.add((str(file), status.st_mtime_ns, status.st_size, status.st_ino))
        return frozenset(stamps)

    def _read(self) -> tuple[dict[str, CertificateOptions], CertificateOptions | None]:
        """The settings for each name, and those of the first file."""
        from reactorlib.internet._tls import _crypto

        keys: dict[bytes, tuple[bytes, Path]] = {}
        certificates: list[tuple[Any, Path]] = []
        for file in self._files():
            try:
                for match in _BLOCK.finditer(file.read_bytes()):
                    pem, label = match[0], match[1]
                    if label.endswith(b"PRIVATE KEY"):
                        public = _crypto.dump_public_key(_crypto.load_key(pem, True, None))
                        keys[public] = pem, file
                    elif label == b"CERTIFICATE":
                        certificates.append((_crypto.load_certificate(pem, True), file))
            except (OSError, ValueError, TypeError):
                report(_log, f"{file} is no good; its certificates are left out", Failure())
        chosen: dict[str, tuple[Any, CertificateOptions]] = {}
        first: CertificateOptions | None = None
        used = set()
        for certificate, file in certificates:
            public = _crypto.dump_public_key(certificate.public_key())
            if public not in keys:
                continue  # it certifies others
            used.add(public)
            chain = _chain(certificate, [each for each, _ in certificates], _crypto.has_issued)
            pems = b"\n".join(_crypto.dump_certificate(each, True) for each in chain)
            settings = CertificateOptions(keys[public][0], pems, **self._arguments)
            try:
                settings.getContext()
            except (OSError, ValueError):
                report(_log, f"the certificate in {file} cannot be used", Failure())
                continue
            first = first or settings
            for name in _crypto.host_names(certificate):
                try:
                    pattern(name)
                except ValueError:
                    continue  # a common name need not be a host's
                other = chosen.get(name)
                # Of two for the same name it is the newer one.
                if other is None or _crypto.valid_from(other[0]) < _crypto.valid_from(certificate):
                    chosen[name] = certificate, settings
        for public, (_, file) in keys.items():
            if public not in used:
                note(_log, "unused private key at %s", file, level=logging.WARNING)
        return {name: settings for name, (_, settings) in chosen.items()}, first


def _chain(
    certificate: Any, others: list[Any], has_issued: Callable[[Any, Any], bool]
) -> list[Any]:
    """A certificate, then what certifies it, up to but without a root."""
    chain = [certificate]
    while len(chain) < _LONGEST_CHAIN:
        last = chain[-1]
        for other in others:
            if other.subject != other.issuer and other not in chain and has_issued(other, last):
                chain.append(other)
                break
        else:
            break
    return chain


def autoReloadingDirectoryOfPEMs(
    path: Any,
) -> Callable[[bytes | None], ssl.SSLContext | None]:
    """
    What finds a certificate in a directory by host name.

    Args:
        path: the directory, as a path or a FilePath; see `DirectoryOptions`.

    Returns:
        a function that is called with a host name, or None for a client that asks
        for none, and returns an `ssl.SSLContext`, or None if there is no
        certificate for that.
    """
    return DirectoryOptions(getattr(path, "path", path)).lookup


class SNIConnectionCreator:
    """
    The settings of a server that looks its certificates up by host name.

    Args:
        contextLookup: what finds them, such as `autoReloadingDirectoryOfPEMs(path)`.
    """

    def __init__(self, contextLookup: Callable[[bytes | None], ssl.SSLContext | None]) -> None:
        owner = getattr(contextLookup, "__self__", None)
        if isinstance(owner, DirectoryOptions):
            self._options: Any = owner
        else:
            self._options = CertificateOptions(
                contextForServerName=functools.partial(_looked_up, contextLookup)
            )

    def getContext(self) -> ssl.SSLContext:
        """The settings as an `ssl.SSLContext`, for servers."""
        return self._settings_for(False)[0]

    def _settings_for(
        self, is_client: bool, protocols: Iterable[bytes] = (), on_name: NameCallback | None = None
    ) -> tuple[ssl.SSLContext, str | None]:
        settings: tuple[ssl.SSLContext, str | None] = self._options._settings_for(
            is_client, protocols, on_name
        )
        return settings


def _looked_up(
    lookup: Callable[[bytes | None], ssl.SSLContext | None], name: bytes | None
) -> ssl.SSLContext | None:
    found = lookup(name)
    if found is None:
        note(_log, "no server certificate for name %r", name, level=logging.WARNING)
    return found
