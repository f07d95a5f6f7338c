"""Boxes: what is sent, and the ways of sending it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from reactorlib.protocols.amp._wire import serialize

if TYPE_CHECKING:
    from reactorlib.protocols.amp._protocol import BinaryBoxProtocol

__all__ = [
    "ANSWER",
    "ASK",
    "COMMAND",
    "ERROR",
    "ERROR_CODE",
    "ERROR_DESCRIPTION",
    "AmpBox",
    "Box",
    "QuitBox",
    "empty_box",
]

COMMAND = b"_command"
ASK = b"_ask"
ANSWER = b"_answer"
ERROR = b"_error"
ERROR_CODE = b"_error_code"
ERROR_DESCRIPTION = b"_error_description"


class AmpBox(dict[bytes, bytes]):
    """
    Bytes by bytes.

    Keys that are given by keyword, or as text, are encoded in ASCII.
    """

    __slots__: list[str] = []

    def __init__(self, *args: Any, **kwargs: bytes) -> None:
        if not (args or kwargs):
            return
        super().__init__(*args, **kwargs)
        text: list[Any] = [key for key in self if type(key) is not bytes]
        for key in text:
            self[key.encode("ascii")] = self.pop(key)

    def copy(self) -> Self:
        """Another box of this kind, with the same in it."""
        box = self.__class__.__new__(self.__class__)
        box.update(self)
        return box

    def serialize(self) -> bytes:
        """
        The bytes of it.

        Raises:
            TypeError: a key or value is text.
            TooLong: a key has more than 255 bytes, or a value more than 65535.
        """
        return serialize(self)

    def _sendTo(self, proto: BinaryBoxProtocol) -> None:
        proto.sendBox(self)

    def __repr__(self) -> str:
        return f"AmpBox({dict.__repr__(self)})"


#: Makes an `AmpBox` in a quarter of the time: without a call of `__init__`.
empty_box: Callable[[], AmpBox] = partial(AmpBox.__new__, AmpBox)

#: Another name of `AmpBox`.
Box = AmpBox


class QuitBox(AmpBox):
    """A box after which the connection is closed."""

    __slots__: list[str] = []

    def __repr__(self) -> str:
        return f"QuitBox(**{super().__repr__()})"

    def _sendTo(self, proto: BinaryBoxProtocol) -> None:
        super()._sendTo(proto)
        proto.transport.loseConnection()


class _SwitchBox(AmpBox):
    """A box after which the connection speaks another protocol."""

    __slots__ = ["innerProto"]

    def __init__(self, innerProto: Any, **kwargs: bytes) -> None:
        super().__init__(**kwargs)
        self.innerProto = innerProto

    def __repr__(self) -> str:
        return f"_SwitchBox({self.innerProto!r}, **{super().__repr__()})"

    def _sendTo(self, proto: BinaryBoxProtocol) -> None:
        super()._sendTo(proto)
        proto._lockForSwitch()
        proto._switchTo(self.innerProto)
