"""
Hashes of passwords, to keep in place of the passwords.

They are made slow on purpose: call these in a thread, as the checkers do. A
hash is a string that says how it was made, in the PHC format
(`$scrypt$ln=15,r=8,p=3$salt$hash`), so that old ones stay good when the way
changes.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import re
import secrets

from reactorlib.cred._compare import same_secret

__all__ = ["hashPassword", "storedHash", "verifyPassword"]

# OWASP's password storage cheat sheet: N=2**15, r=8, p=3, that is 32 MiB.
_COST, _BLOCK, _PARALLEL = 15, 8, 3
_SALT_BYTES = 16
_HASH_BYTES = 32
# What a stored hash may ask for: a login is not to take all memory there is.
_MAX_MEMORY = 1 << 30

_SCRYPT = re.compile(
    rb"\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)


def hashPassword(password: bytes | str, scheme: str = "scrypt", cost: int = _COST) -> bytes:
    """
    Hash a password, with a salt of its own.

    Args:
        password: the password; text is encoded in UTF-8.
        scheme: "scrypt", or "argon2" where `argon2-cffi` is installed.
        cost: for scrypt, the logarithm of how much work it is: one more doubles
            time and memory.

    Returns:
        what to keep: printable, and free of colons and white space.

    Raises:
        ValueError: the scheme or cost is not known.
        ImportError: argon2 is asked for and not installed.
    """
    password = _encoded(password)
    if scheme == "scrypt":
        salt = secrets.token_bytes(_SALT_BYTES)
        hashed = _scrypt(password, salt, cost, _BLOCK, _PARALLEL, _HASH_BYTES)
        return b"$scrypt$ln=%d,r=%d,p=%d$%s$%s" % (
            cost,
            _BLOCK,
            _PARALLEL,
            base64.b64encode(salt).rstrip(b"="),
            base64.b64encode(hashed).rstrip(b"="),
        )
    if scheme == "argon2":
        import argon2

        return argon2.PasswordHasher().hash(password).encode("ascii")
    raise ValueError(f"there are the schemes 'scrypt' and 'argon2', and not {scheme!r}")


def verifyPassword(password: bytes | str, stored: bytes | str | None) -> bool:
    """
    Whether a hash is that of a password.

    Args:
        password: the password; text is encoded in UTF-8.
        stored: what `hashPassword` returned; None for one that does not exist,
            which takes as long and is never right.

    Raises:
        ValueError: it is no such hash.
        ImportError: it is of argon2, which is not installed.
    """
    password = _encoded(password)
    if stored is None:
        verifyPassword(password, _nobody())
        return False
    stored = _encoded(stored)
    if stored.startswith(b"$argon2"):
        return _verify_argon2(password, stored)
    found = _SCRYPT.fullmatch(stored)
    if found is None:
        raise ValueError("a stored password is not in the form $scrypt$... or $argon2...")
    cost, block, parallel = (int(number) for number in found.groups()[:3])
    salt, hashed = (_unpadded(part) for part in found.groups()[3:])
    return same_secret(_scrypt(password, salt, cost, block, parallel, len(hashed)), hashed)


def storedHash(username: bytes, password: bytes, stored: bytes) -> bytes:
    """The `hash` of a `FilePasswordDB` whose file has what `hashPassword` returns."""
    return stored if verifyPassword(password, stored) else b""


def _verify_argon2(password: bytes, stored: bytes) -> bool:
    import argon2

    try:
        return argon2.PasswordHasher().verify(stored, password)
    except argon2.exceptions.VerifyMismatchError:
        return False
    except argon2.exceptions.InvalidHashError as cause:
        raise ValueError("a stored password is not in the form $argon2...") from cause


@functools.cache
def _nobody() -> bytes:
    """The hash of a password that nobody has."""
    return hashPassword(secrets.token_bytes(16))


def _encoded(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _unpadded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as cause:
        raise ValueError("a stored password is not in base64") from cause


def _scrypt(
    password: bytes, salt: bytes, cost: int, block: int, parallel: int, length: int
) -> bytes:
    # RFC 7914 section 6: how much memory it takes.
    memory = 128 * block * ((1 << cost) + parallel + 2)
    if not cost or memory > _MAX_MEMORY:
        raise ValueError(f"the cost of scrypt has to be from 1 to what fits in {_MAX_MEMORY} bytes")
    return hashlib.scrypt(
        password,
        salt=salt,
        n=1 << cost,
        r=block,
        p=parallel,
        maxmem=memory + (1 << 20),
        dklen=length,
    )
