"""
Files that take a passphrase.

    MAGIC  ln r p  salt(16)  nonce(12)  AES-256-GCM(contents) with its tag(16)

The key is made of the passphrase by scrypt (RFC 7914) with N = 2**ln, r and p, one
byte each. All that stands before the encrypted part is authenticated with it
(RFC 5116 section 2.1), so that whoever has no passphrase can neither read nor
change the file.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from reactorlib.persisted.error import DamagedFile, PassphraseNeeded, WrongPassphrase

__all__ = ["decrypt", "encrypt", "is_encrypted"]

_MAGIC = b"reactorlib encrypted 1\n"
_SALT, _NONCE, _TAG = 16, 12, 16
_HEADER = len(_MAGIC) + 3 + _SALT + _NONCE

#: OWASP's password storage cheat sheet: N=2**17, r=8, p=1, that is 128 MiB for a moment.
_COST, _BLOCK, _PARALLEL = 17, 8, 1
#: In bytes: what a file may have its reader use.
_MAX_MEMORY = 1 << 30
#: What p may be at most: it multiplies the time.
_MAX_PARALLEL = 16


def is_encrypted(data: bytes) -> bool:
    """Whether this is what `encrypt` makes."""
    return data.startswith(_MAGIC)


def encrypt(data: bytes, passphrase: str | bytes) -> bytes:
    """
    Encrypt, for whoever has the passphrase.

    Raises:
        ValueError: the passphrase is empty.
        ImportError: `cryptography` is not installed.
    """
    if not passphrase:
        raise ValueError("the passphrase is empty")
    header = _MAGIC + bytes((_COST, _BLOCK, _PARALLEL)) + secrets.token_bytes(_SALT + _NONCE)
    return header + bytes(_cipher(header, passphrase).encrypt(header[-_NONCE:], data, header))


def decrypt(data: bytes, passphrase: str | bytes | None) -> bytes:
    """
    Get back what was encrypted.

    Raises:
        PassphraseNeeded: there is none.
        WrongPassphrase: it is another one, or the file was changed.
        DamagedFile: it is cut off, or not what `encrypt` makes.
        ImportError: `cryptography` is not installed.
    """
    if not is_encrypted(data):
        raise DamagedFile("is not encrypted, and a passphrase was given")
    if not passphrase:
        raise PassphraseNeeded("is encrypted: it takes a passphrase")
    if len(data) < _HEADER + _TAG:
        raise DamagedFile("is cut off")
    header = data[:_HEADER]
    cost, block, parallel = header[len(_MAGIC) : len(_MAGIC) + 3]
    if not (
        0 < cost < 32
        and block > 0
        and 0 < parallel <= _MAX_PARALLEL
        and 128 * block << cost <= _MAX_MEMORY
    ):
        raise DamagedFile("asks for more memory or time than a passphrase takes")
    cipher = _cipher(header, passphrase)
    from cryptography.exceptions import InvalidTag

    try:
        return bytes(cipher.decrypt(header[-_NONCE:], data[_HEADER:], header))
    except InvalidTag:
        raise WrongPassphrase(
            "the passphrase is wrong, or the file was changed since it was saved"
        ) from None


def _cipher(header: bytes, passphrase: str | bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as cause:
        raise ImportError(
            "encrypted files take the package cryptography: pip install reactorlib[tls]"
        ) from cause
    if isinstance(passphrase, str):
        passphrase = passphrase.encode()
    cost, block, parallel = header[len(_MAGIC) : len(_MAGIC) + 3]
    key = hashlib.scrypt(
        passphrase,
        salt=header[-_NONCE - _SALT : -_NONCE],
        n=1 << cost,
        r=block,
        p=parallel,
        maxmem=2 * _MAX_MEMORY - 1,
        dklen=32,
    )
    return AESGCM(key)
