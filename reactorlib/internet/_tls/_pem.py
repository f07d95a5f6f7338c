"""
Keys and certificates from memory into an `ssl.SSLContext`.

`ssl` loads them from files only. A file that is in memory (Linux), or one that
only its owner can read and that is gone at once, serves it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from typing import Any, NoReturn

from reactorlib.internet._tls._certificates import Certificate, own_certificate
from reactorlib.internet._tls._keys import KeyPair
from reactorlib.internet._tls._versions import FILETYPE_PEM

__all__ = ["certificate_pem", "key_pem", "load_pair", "refuse_passphrase"]


def certificate_pem(certificate: Any) -> bytes:
    """A certificate, in any of the forms that `Certificate` takes or PEM, as PEM."""
    if isinstance(certificate, str):
        certificate = certificate.encode()
    if isinstance(certificate, bytes) and b"-----BEGIN" in certificate:
        return certificate
    return Certificate(certificate).dump(FILETYPE_PEM)


def key_pem(key: Any) -> bytes:
    """A private key, in any of the forms that `KeyPair` takes, a KeyPair or PEM, as PEM."""
    if isinstance(key, str):
        key = key.encode()
    if isinstance(key, bytes):
        return key if b"-----BEGIN" in key else KeyPair.load(key).dump(FILETYPE_PEM)
    return (key if isinstance(key, KeyPair) else KeyPair(key)).dump(FILETYPE_PEM)


def load_pair(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """
    Have `context` show a certificate.

    Args:
        chain: PEM: the certificate, then those that certify it.
        key: PEM: its private key.

    Raises:
        ssl.SSLError: they are none, or do not belong together.
        ValueError: the key is encrypted.
    """
    with _file(chain) as chain_file, _file(key) as key_file:
        context.load_cert_chain(chain_file, key_file, refuse_passphrase)
    own_certificate[context] = chain


def refuse_passphrase() -> NoReturn:
    """Be asked for the passphrase of a key. (`ssl` would ask at the terminal, and wait.)"""
    raise ValueError(
        "the private key is encrypted: decrypt it with KeyPair.load(data, format, passphrase), or "
        "use an ssl.SSLContext with load_cert_chain(..., password=...)"
    )


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[str]:
    """The name of a file with `data` in it, which nobody else can read."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with open(os.memfd_create("pem"), "wb") as file:
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "pem")
            with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            yield name
