"""Commands to bytes, and lines of an answer to values. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "DEFAULT_PORT",
    "ENDINGS",
    "ITEMS",
    "MAX_COUNT",
    "MAX_EXPIRY",
    "MAX_FLAGS",
    "MAX_LENGTH",
    "MIN_EXPIRY",
    "ClientError",
    "Kind",
    "NoSuchCommand",
    "ServerError",
    "ValueHeader",
    "check_key",
    "check_number",
    "retrieval",
    "storage",
    "token_of",
    "value_header",
]

DEFAULT_PORT = 11211

#: protocol.txt, "Storage commands": flags are of 32 bits.
MAX_FLAGS = 2**32 - 1
#: memcached keeps these in a signed number of 32 bits. Of others it takes those 32 bits,
#: or does not understand the command.
MIN_EXPIRY, MAX_EXPIRY = -(2**31), 2**31 - 1
#: protocol.txt, "Increment/Decrement": a number of 64 bits. So is an identifier.
MAX_COUNT = 2**64 - 1
_CAS_DIGITS = 20
#: What memcached can read the length of: a signed number of 32 bits, and the end of the line.
MAX_LENGTH = 2**31 - 3


class NoSuchCommand(Exception):
    """The server does not know the command."""


class ClientError(Exception):
    """A command has wrong arguments; the server says so, or we before we send it."""


class ServerError(Exception):
    """The server could not do what it was told."""


class Kind(Enum):
    """What sort of command it is: that decides which answers it can have."""

    RETRIEVE = "get"
    STORE = "set"
    COUNT = "incr"
    DELETE = "delete"
    STATS = "stats"
    VERSION = "version"
    FLUSH = "flush_all"


#: The answers that end a command well. A number ends one that counts.
ENDINGS: dict[Kind, frozenset[str]] = {
    Kind.RETRIEVE: frozenset({"END"}),
    Kind.STORE: frozenset({"STORED", "NOT_STORED", "EXISTS", "NOT_FOUND"}),
    Kind.COUNT: frozenset({"NOT_FOUND"}),
    Kind.DELETE: frozenset({"DELETED", "NOT_FOUND"}),
    Kind.STATS: frozenset({"END", "RESET", "OK"}),
    Kind.VERSION: frozenset({"VERSION"}),
    Kind.FLUSH: frozenset({"OK"}),
}

#: Lines before the end of an answer.
ITEMS: dict[Kind, frozenset[str]] = {
    Kind.RETRIEVE: frozenset({"VALUE"}),
    Kind.STATS: frozenset({"STAT", "ITEM", "PREFIX"}),
}

# protocol.txt, "Keys": no control characters or whitespace.
_FORBIDDEN = re.compile(rb"[\x00-\x20\x7f]")
_ANSWER = re.compile(rb"[A-Z_]+")
_VALUE = re.compile(rb"([^ ]+) ([0-9]{1,20}) ([0-9]{1,20})(?: ([0-9]{1,20}))? *")


@dataclass(frozen=True, slots=True)
class ValueHeader:
    """What stands before a value: `length` is in bytes, `cas` empty unless asked for."""

    key: bytes
    flags: int
    length: int
    cas: bytes


def check_key(key: object, limit: int) -> bytes:
    """
    Return `key` if it may be one.

    Raises:
        ClientError: it is not bytes, too long, or has bytes in it that would
            end the key, and so become another command.
    """
    if not isinstance(key, bytes):
        raise ClientError(f"Invalid type for key: {type(key)}, expecting bytes")
    if len(key) > limit:
        raise ClientError(f"Key too long: {len(key)} bytes, {limit} are allowed")
    if not key:
        raise ClientError("A key cannot be empty")
    if _FORBIDDEN.search(key):
        raise ClientError("A key cannot have whitespace or control characters in it")
    return key


def check_number(value: object, name: str, least: int, most: int) -> int:
    """
    Return `value` if it is a whole number from `least` to `most`.

    Raises:
        ClientError: it is not. A server that cannot read a number of a command drops
            the line alone, and takes the value that follows for its next command.
    """
    if not isinstance(value, int):
        raise ClientError(f"Invalid type for {name}: {type(value)}, expecting int")
    if not least <= value <= most:
        raise ClientError(f"Invalid {name}: it is not from {least} to {most}")
    return value


def storage(
    command: bytes, key: bytes, value: object, flags: object, expire: object, cas: object
) -> bytes:
    """
    The bytes of a command that stores something.

    Args:
        cas: the identifier of the value to replace; empty for none.

    Raises:
        ClientError: something has the wrong type, or is not what a server can read.
    """
    if not isinstance(value, bytes):
        raise ClientError(f"Invalid type for value: {type(value)}, expecting bytes")
    if len(value) > MAX_LENGTH:
        raise ClientError(f"Value too long: {len(value)} bytes, {MAX_LENGTH} can be told")
    if not isinstance(cas, bytes) or (cas and not cas.isdigit()):
        raise ClientError(f"Invalid identifier: {cas!r}, expecting digits in bytes")
    # protocol.txt, "Storage commands": it is of 64 bits.
    if len(cas) > _CAS_DIGITS or int(cas or b"0") > MAX_COUNT:
        raise ClientError(f"Invalid identifier: {cas[:40]!r} is over {MAX_COUNT}")
    head = b"%s %s %d %d %d" % (
        command,
        key,
        check_number(flags, "flags", 0, MAX_FLAGS),
        check_number(expire, "expireTime", MIN_EXPIRY, MAX_EXPIRY),
        len(value),
    )
    if cas:
        head += b" " + cas
    return b"%s\r\n%s\r\n" % (head, value)


def retrieval(keys: Iterable[bytes], with_cas: bool) -> bytes:
    """The bytes of a command that asks for values."""
    return b"%s %s\r\n" % (b"gets" if with_cas else b"get", b" ".join(keys))


def token_of(line: bytes) -> tuple[str, bytes]:
    """
    Cut a line of an answer into its first word and the rest.

    A number is the rest, after an empty word.

    Raises:
        ValueError: it is no line of an answer.
    """
    if line.rstrip(b" ").isdigit():
        return "", line.rstrip(b" ")
    # Old servers wrote these with a space.
    if line in (b"NOT STORED", b"NOT FOUND"):
        line = line.replace(b" ", b"_")
    word, _, rest = line.partition(b" ")
    if not _ANSWER.fullmatch(word):
        raise ValueError(f"the server sent what is no answer: {line[:80]!r}")
    return word.decode("ascii"), rest


def value_header(rest: bytes, limit: int) -> ValueHeader:
    """
    Read what follows the word VALUE.

    Raises:
        ValueError: it is malformed, or the value would be longer than `limit` bytes.
    """
    match = _VALUE.fullmatch(rest)
    if match is None:
        raise ValueError(f"the server sent a malformed VALUE: {rest[:80]!r}")
    length = int(match[3])
    if length > limit:
        raise ValueError(f"the server sends a value of {length} bytes, {limit} are allowed")
    return ValueHeader(match[1], int(match[2]), length, match[4] or b"")
