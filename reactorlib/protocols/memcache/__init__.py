"""
A client of memcached, in its text protocol (`protocol.txt` of memcached).

`MemCacheProtocol` sends commands as they are given, without waiting for the
answers to earlier ones; answers come in the order of the commands.
"""

from __future__ import annotations

from reactorlib.protocols.memcache._client import MemCacheProtocol
from reactorlib.protocols.memcache._wire import (
    DEFAULT_PORT,
    ClientError,
    NoSuchCommand,
    ServerError,
)

__all__ = ["DEFAULT_PORT", "ClientError", "MemCacheProtocol", "NoSuchCommand", "ServerError"]
