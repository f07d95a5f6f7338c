"""Strings that are framed by their length in a binary prefix."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache

from reactorlib.internet.protocol import Protocol
from reactorlib.protocols.basic._own import make_own
from reactorlib.protocols.basic._pausing import _PauseableMixin

__all__ = [
    "Int8StringReceiver",
    "Int16StringReceiver",
    "Int32StringReceiver",
    "IntNStringReceiver",
    "StringTooLongError",
]

_struct = lru_cache(maxsize=32)(struct.Struct)


class StringTooLongError(AssertionError):
    """The string to be sent is longer than its prefix can say."""


class IntNStringReceiver(Protocol, _PauseableMixin):
    """
    Sends and receives strings, each after its length.

    A subclass sets `structFormat` and `prefixLength`, for good.

    Attributes:
        MAX_LENGTH: how many bytes a received string may have. Once bytes have come,
            what changes it is to be set on the instance, not on the class.
        structFormat: how the length is packed, in the terms of `struct`.
        prefixLength: the size of the packed length, in bytes.
    """

    # As in Twisted.
    MAX_LENGTH = 99999
    structFormat: str
    prefixLength: int
    # `__data` from `__start` on, then `__more`, has come and was not delivered. Less
    # than `__missing` bytes in `__more` complete no string. Strings are cut off
    # `__data` without moving what is left, and `__more` is joined to it only when that
    # completes a string, so that the cost is linear however the stream is cut.
    __data = b""
    __start = 0
    __more: bytearray | None = None
    __missing = 0
    __busy = False
    __broken = False
    __replaced = False
    # The prefix, once the first bytes have come.
    __unpack: Callable[..., tuple[int]] | None = None
    __prefix_size = 0

    @property
    def recvd(self) -> bytes:
        """
        What has come in and was not delivered: a copy.

        It may be set: strings are then received from that, as if it had come in.
        """
        data = self.__data[self.__start :]
        return data + self.__more if self.__more else data

    @recvd.setter
    def recvd(self, data: bytes) -> None:
        self.__data = data
        self.__start = 0
        self.__more = None
        self.__missing = 0
        self.__broken = False
        self.__replaced = True

    def _give_back(self) -> bytes:
        """What has come and was not delivered: it is the transport's when TLS begins."""
        data = self.recvd
        self.recvd = b""
        return data

    def stringReceived(self, string: bytes) -> None:
        """A string came in, without its prefix. For subclasses."""
        raise NotImplementedError("an IntNStringReceiver needs a stringReceived()")

    def lengthLimitExceeded(self, length: int) -> None:
        """
        A string of `length` bytes is coming, over `MAX_LENGTH`. Hangs up, unless overridden.

        `recvd` begins with its prefix. To go on, raise `MAX_LENGTH` or set `recvd`
        before this returns; otherwise all that the peer sends is dropped.
        """
        self.transport.loseConnection()

    def sendString(self, string: bytes) -> None:
        """
        Send `string` after its length.

        Raises:
            StringTooLongError: the prefix cannot say its length.
        """
        if len(string) >= 2 ** (8 * self.prefixLength):
            raise StringTooLongError(
                f"a string of {len(string)} bytes is too long for a prefix of "
                f"{self.prefixLength} bytes"
            )
        self.transport.write(_struct(self.structFormat).pack(len(string)) + string)

    def dataReceived(self, data: bytes) -> None:
        """
        Deliver the strings that `data` completes.

        It may be called while it delivers, with bytes that follow all others.
        """
        unpack = self.__unpack
        if unpack is None:
            unpack = self.__begin()
        if self.__broken:
            return
        if kept := self.__data:
            start = self.__start
            if self.__more or len(kept) - start > len(data):
                more = self.__more
                if more is None:
                    more = self.__more = bytearray()
                more += data
                if len(more) < self.__missing:
                    return
            else:
                # Copying the older bytes is paid for by the new ones, which are as many.
                self.__data = kept[start:] + data
                self.__start = self.__missing = 0
        else:
            if not (self.__busy or self.paused):
                # As a peer does that waits for answers: one string, and nothing else.
                begin = self.__prefix_size
                if (
                    len(data) >= begin
                    and (length := unpack(data)[0]) == len(data) - begin
                    and length <= self.MAX_LENGTH
                ):
                    self.__busy = True
                    try:
                        self.stringReceived(data[begin:])
                    finally:
                        self.__busy = False
                    if not self.__data:
                        return
                    data = self.recvd  # has come, or been set, meanwhile
            self.__data = data
            self.__start = 0
            self.__more = None
            self.__missing = 0
        if self.__busy:
            return
        self.__busy = True
        try:
            self.__deliver(unpack)
        finally:
            self.__busy = False

    def __begin(self) -> Callable[..., tuple[int]]:
        prefix = _struct(self.structFormat)
        self.__prefix_size = prefix.size
        unpack = self.__unpack = prefix.unpack_from
        # As `make_own` does for the others.
        self.__data = self.__data
        self.__busy = self.__busy
        self.__broken = self.__broken
        make_own(self, "paused", "MAX_LENGTH")
        return unpack

    def __deliver(self, unpack: Callable[..., tuple[int]]) -> None:
        prefix_size = self.__prefix_size
        while not self.paused:
            data = self.__data
            size = len(data)
            # Up to there, a whole prefix follows.
            last = size - prefix_size
            start = self.__start
            if start <= last:
                while True:
                    (length,) = unpack(data, start)
                    begin = start + prefix_size
                    end = begin + length
                    if end > last or length > self.MAX_LENGTH:
                        break
                    self.__start = start = end
                    self.stringReceived(data[begin:end])
                    # What replaces the buffer begins at 0.
                    if self.__start is not end or self.paused:
                        break
                if self.__start is not start or self.paused:
                    continue
                if length > self.MAX_LENGTH:
                    if self.__too_long(length):
                        return
                    continue
                if end <= size:
                    self.__start = end
                    self.stringReceived(data[begin:end])
                    continue
                missing = end - size
            elif start == size and not self.__more:
                self.__data = b""
                return
            else:
                missing = start - last
            if not self.__join(missing):
                return

    def __too_long(self, length: int) -> bool:
        """Report it, and say whether that was the end."""
        self.__replaced = False
        self.lengthLimitExceeded(length)
        self.__broken = not self.__replaced and length > self.MAX_LENGTH
        return self.__broken

    def __join(self, missing: int) -> bool:
        """Let `__more` follow what is left of `__data`, if it has as much as is missing."""
        if self.__start:
            self.__data = self.__data[self.__start :]
            self.__start = 0
        more = self.__more
        if not more or (self.__data and len(more) < missing):
            self.__missing = missing
            return False
        self.__data += more
        more.clear()
        self.__missing = 0
        return True


class Int32StringReceiver(IntNStringReceiver):
    """Sends and receives strings after their length in four bytes, the highest first."""

    structFormat = "!I"
    prefixLength = struct.calcsize(structFormat)


class Int16StringReceiver(IntNStringReceiver):
    """Sends and receives strings after their length in two bytes, the higher first."""

    structFormat = "!H"
    prefixLength = struct.calcsize(structFormat)


class Int8StringReceiver(IntNStringReceiver):
    """Sends and receives strings after their length in one byte."""

    structFormat = "!B"
    prefixLength = struct.calcsize(structFormat)
