"""A protocol whose state says how many bytes it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactorlib.internet.protocol import Protocol

__all__ = ["StatefulProtocol"]

#: What takes the bytes and returns the next state, or None for the same; and how many.
State = tuple[Callable[[bytes], Any], int]


class StatefulProtocol(Protocol):
    """
    Receives as many bytes at a time as its state asks for.

    A state is a function and a number of bytes. When so many have come the
    function is called with them, and returns the next state, or None to stay in
    this one. Once the transport is disconnecting nothing is delivered.
    """

    # What has come: `__data` from `__start` on, then `__more`, joined only when that is
    # enough for the state, so that the cost is linear.
    __state: State | None = None
    __data = b""
    __start = 0
    __more: bytearray | None = None
    __busy = False

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, and begin with the first state."""
        super().makeConnection(transport)
        if self.__state is None:
            self.__state = self.getInitialState()

    def getInitialState(self) -> State:
        """The first state. For subclasses."""
        raise NotImplementedError("a StatefulProtocol needs a getInitialState()")

    def _give_back(self) -> bytes:
        """What has come and was not delivered: it is the transport's when TLS begins."""
        data = self.__data[self.__start :] + (self.__more or b"")
        self.__data = b""
        self.__start = 0
        self.__more = None
        return data

    def dataReceived(self, data: bytes) -> None:
        """
        Deliver what the state waits for.

        It may be called while it delivers, with bytes that follow all others.

        Raises:
            RuntimeError: a state that asks for no bytes stays as it is, which
                would go on for ever.
        """
        if self.__data:
            if self.__more is None:
                self.__more = bytearray()
            self.__more += data
        else:
            self.__data = data
            self.__start = 0
        if self.__busy:
            return
        self.__busy = True
        try:
            if self.__state is None:
                self.__state = self.getInitialState()
            while not ((transport := self.transport) is not None and transport.disconnecting):
                function, size = self.__state
                if not self.__has(size):
                    return
                start = self.__start
                self.__start = end = start + size
                state = function(self.__data[start:end])
                if state is not None:
                    self.__state = state
                elif not size:
                    raise RuntimeError(
                        f"{function!r} waits for no bytes and returned no other state"
                    )
            self._give_back()
        finally:
            self.__busy = False

    def __has(self, size: int) -> bool:
        """Whether so many bytes have come; then `__data` has them."""
        available = len(self.__data) - self.__start
        if available >= size:
            return True
        more = self.__more
        if more and available + len(more) >= size:
            self.__data = self.__data[self.__start :] + more
            self.__start = 0
            more.clear()
            return True
        if self.__start:
            self.__data = self.__data[self.__start :]
            self.__start = 0
        if not self.__data and more:
            self.__data = bytes(more)
            more.clear()
        return False
