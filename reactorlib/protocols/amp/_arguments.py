"""The kinds of arguments that commands have."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable, Sequence
from typing import Any

from zope.interface import implementer

from reactorlib.protocols.amp._box import AmpBox, empty_box
from reactorlib.protocols.amp._errors import MalformedAmpBox, TooLong
from reactorlib.protocols.amp._interfaces import IArgumentType
from reactorlib.protocols.amp._names import python_name
from reactorlib.protocols.amp._wire import MAX_VALUE_LENGTH, BoxReader

__all__ = [
    "AmpList",
    "Argument",
    "Boolean",
    "DateTime",
    "Decimal",
    "Descriptor",
    "FixedOffset",
    "Float",
    "Integer",
    "ListOf",
    "Path",
    "Plan",
    "String",
    "Unicode",
    "objects_to_strings",
    "plan",
    "strings_to_objects",
    "utc",
]

Arguments = Sequence[tuple[bytes, Any]]

#: For each argument its name on the wire and in Python, and how it is read and written; None
#: where bytes stay as they are.
Plan = list[tuple[bytes, str, Callable[[bytes], Any] | None, Callable[[Any], bytes] | None]]


def plan(arglist: Arguments) -> Plan | None:
    """How to read and write these arguments in short; None if one has a way of its own."""
    steps: Plan = []
    for name, kind in arglist:
        if not isinstance(kind, Argument) or not kind._usual or kind.optional:
            return None
        if type(kind) is String:
            steps.append((name, python_name(name), None, None))
        else:
            steps.append((name, python_name(name), kind.fromString, kind.toString))
    # Without any, what a responder returns would not be looked at.
    return steps or None


def strings_to_objects(
    strings: AmpBox, arglist: Arguments, proto: Any, steps: Plan | None = None
) -> dict[str, Any]:
    """What is in a box, by Python names. Fast with the `plan` of the arguments."""
    objects: dict[str, Any] = {}
    if steps is not None:
        for name, python, read, _ in steps:
            string = strings[name]
            objects[python] = string if read is None else read(string)
        return objects
    left = strings.copy()
    for name, kind in arglist:
        kind.fromBox(name, left, objects, proto)
    return objects


def objects_to_strings(
    objects: dict[str, Any],
    arglist: Arguments,
    strings: AmpBox,
    proto: Any,
    steps: Plan | None = None,
) -> AmpBox:
    """A box with what is given by Python names. Fast with the `plan` of the arguments."""
    if steps is not None:
        for name, python, _, write in steps:
            value = objects[python]
            strings[name] = value if write is None else write(value)
        return strings
    left = objects.copy()
    for name, kind in arglist:
        kind.toBox(name, strings, left, proto)
    return strings


@implementer(IArgumentType)
class Argument:
    """
    One kind of argument. A subclass has `toString` and `fromString`, or those that
    take the protocol too.

    Args:
        optional: whether it may be left out; it is None then.
    """

    optional = False
    _usual = True  # whether these methods are as they are here: one calls no other then

    def __init_subclass__(cls) -> None:
        names = ("retrieve", "fromBox", "toBox", "fromStringProto", "toStringProto")
        cls._usual = all(getattr(cls, name) is getattr(Argument, name) for name in names)

    def __init__(self, optional: bool = False) -> None:
        self.optional = optional

    def retrieve(self, d: Any, name: Any, proto: Any) -> Any:
        """Take the value out of a dictionary; None if it is optional and not there."""
        return d.pop(name, None) if self.optional else d.pop(name)

    def fromBox(self, name: bytes, strings: AmpBox, objects: dict[str, Any], proto: Any) -> None:
        """Take it out of a box; see `IArgumentType`."""
        if self._usual and not self.optional:
            objects[python_name(name)] = self.fromString(strings.pop(name))
            return
        string = self.retrieve(strings, name, proto)
        if string is None and self.optional:
            objects[python_name(name)] = None
        else:
            objects[python_name(name)] = self.fromStringProto(string, proto)

    def toBox(self, name: bytes, strings: AmpBox, objects: dict[str, Any], proto: Any) -> None:
        """Put it into a box; see `IArgumentType`."""
        if self._usual and not self.optional:
            strings[name] = self.toString(objects.pop(python_name(name)))
            return
        value = self.retrieve(objects, python_name(name), proto)
        if value is not None or not self.optional:
            strings[name] = self.toStringProto(value, proto)

    def fromStringProto(self, inString: bytes, proto: Any) -> Any:
        """The value of bytes that a protocol has received."""
        return self.fromString(inString)

    def toStringProto(self, inObject: Any, proto: Any) -> bytes:
        """The bytes of a value that a protocol is to send."""
        return self.toString(inObject)

    def fromString(self, inString: bytes) -> Any:
        """The value of bytes. For subclasses."""
        raise NotImplementedError(f"{type(self).__name__} needs a fromString()")

    def toString(self, inObject: Any) -> bytes:
        """The bytes of a value. For subclasses."""
        raise NotImplementedError(f"{type(self).__name__} needs a toString()")


class Integer(Argument):
    """A whole number, in decimal digits."""

    fromString = int  # type: ignore[assignment]  # it takes bytes

    def toString(self, inObject: Any) -> bytes:
        """Its digits."""
        return b"%d" % inObject


class String(Argument):
    """Bytes, as they are."""

    def fromString(self, inString: bytes) -> bytes:
        """The same."""
        return inString

    def toString(self, inObject: bytes) -> bytes:
        """The same."""
        return inObject


class Float(Argument):
    """A floating-point number; the digits give back the same number."""

    fromString = float  # type: ignore[assignment]  # it takes bytes

    def toString(self, inObject: Any) -> bytes:
        """Its digits."""
        if not isinstance(inObject, float):
            raise ValueError(f"Bad float value: {inObject!r}")
        return str(inObject).encode("ascii")


class Boolean(Argument):
    """True or False, in these words."""

    def fromString(self, inString: bytes) -> bool:
        """Which it is; TypeError if neither."""
        if inString == b"True":
            return True
        if inString == b"False":
            return False
        raise TypeError(f"Bad boolean value: {inString!r}")

    def toString(self, inObject: Any) -> bytes:
        """The word."""
        return b"True" if inObject else b"False"


class Unicode(String):
    """Text, in UTF-8."""

    def fromString(self, inString: bytes) -> str:  # type: ignore[override]
        """The text; UnicodeDecodeError if it is none."""
        return inString.decode("utf-8")

    def toString(self, inObject: str) -> bytes:  # type: ignore[override]
        """Its bytes."""
        return inObject.encode("utf-8")


class Path(Unicode):
    """A `FilePath`, by its text."""

    def fromString(self, inString: bytes) -> Any:
        """The path."""
        from reactorlib.python.filepath import FilePath

        return FilePath(super().fromString(inString))

    def toString(self, inObject: Any) -> bytes:
        """The bytes of its text."""
        return super().toString(inObject.asTextMode().path)


class ListOf(Argument):
    """
    Several values of one kind, each after its length in two bytes.

    Args:
        elementType: what each of them is, an `Argument`.
        optional: whether the list may be left out.
    """

    def __init__(self, elementType: Argument, optional: bool = False) -> None:
        self.elementType = elementType
        super().__init__(optional)

    def fromStringProto(self, inString: bytes, proto: Any) -> list[Any]:
        """The values; `MalformedAmpBox` if the last one is cut off."""
        values = []
        start, end = 0, len(inString)
        while start < end:
            begin = start + 2
            start = begin + int.from_bytes(inString[start:begin], "big")
            if begin > end or start > end:
                raise MalformedAmpBox("an element of a list is longer than the list")
            values.append(self.elementType.fromStringProto(inString[begin:start], proto))
        return values

    def toStringProto(self, inObject: Any, proto: Any) -> bytes:
        """The bytes of all of them."""
        parts: list[bytes] = []
        for each in inObject:
            string = self.elementType.toStringProto(each, proto)
            if len(string) > MAX_VALUE_LENGTH:
                raise TooLong(False, True, string, b"an element of a list")
            parts += (len(string).to_bytes(2, "big"), string)
        return b"".join(parts)


class AmpList(Argument):
    """
    Several dictionaries, each with the same arguments.

    Args:
        subargs: these arguments, as those of a command: names and kinds.
        optional: whether the list may be left out.
    """

    def __init__(self, subargs: Arguments, optional: bool = False) -> None:
        for name, _ in subargs:
            if not isinstance(name, bytes):
                raise TypeError(f"AmpList should be defined with byte names, got: {name!r}")
        self.subargs = subargs
        super().__init__(optional)

    def fromStringProto(self, inString: bytes, proto: Any) -> list[dict[str, Any]]:
        """The dictionaries; `MalformedAmpBox` if the last one is cut off."""
        reader = BoxReader(empty_box)
        reader.feed(inString)
        boxes = iter(reader.next_box, None)
        found = [strings_to_objects(box, self.subargs, proto) for box in boxes]
        if reader.unfinished:
            raise MalformedAmpBox("the last element of a list is cut off")
        return found

    def toStringProto(self, inObject: Any, proto: Any) -> bytes:
        """The bytes of all of them."""
        return b"".join(
            objects_to_strings(objects, self.subargs, AmpBox(), proto).serialize()
            for objects in inObject
        )


class Descriptor(Integer):
    """A file descriptor; over a UNIX socket only, which carries a duplicate of it."""

    def fromStringProto(self, inString: bytes, proto: Any) -> int:
        """The descriptor that came with the box; it is the responder's to close."""
        descriptor: int = proto._getDescriptor(int(inString))
        return descriptor

    def toStringProto(self, inObject: int, proto: Any) -> bytes:
        """Send it, and say which one it is."""
        return self.toString(proto._sendFileDescriptor(inObject))


class Decimal(Argument):
    """A `decimal.Decimal`, its digits and its exponent kept."""

    def fromString(self, inString: bytes) -> decimal.Decimal:
        """The number."""
        return decimal.Decimal(inString.decode("ascii"))

    def toString(self, inObject: Any) -> bytes:
        """Its digits."""
        if not isinstance(inObject, decimal.Decimal):
            raise ValueError("amp.Decimal can only encode instances of decimal.Decimal")
        return str(inObject).encode("ascii")


class FixedOffset(datetime.tzinfo):
    """
    A time zone by its distance from UTC.

    Args:
        distance: how far it is ahead.
    """

    def __init__(self, distance: datetime.timedelta) -> None:
        self._zone = datetime.timezone(distance)

    def __reduce__(self) -> Any:
        return FixedOffset, (self.utcoffset(None),)

    @classmethod
    def fromSignHoursMinutes(cls, sign: str, hours: int, minutes: int) -> FixedOffset:
        """The zone that is so far from UTC; ValueError unless the sign is "+" or "-"."""
        if sign not in ("+", "-"):
            raise ValueError(f"invalid sign for timezone {sign!r}")
        distance = datetime.timedelta(hours=hours, minutes=minutes)
        return cls(-distance if sign == "-" else distance)

    def utcoffset(self, dt: datetime.datetime | None) -> datetime.timedelta:
        """How far it is ahead of UTC."""
        return self._zone.utcoffset(None)

    def dst(self, dt: datetime.datetime | None) -> datetime.timedelta:
        """There is no summer time."""
        return datetime.timedelta(0)

    def tzname(self, dt: datetime.datetime | None) -> str:
        """As in `+01:00`."""
        return self._zone.tzname(None).removeprefix("UTC") or "+00:00"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FixedOffset):
            return self._zone == other._zone
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._zone)


#: The time zone of what is kept in UTC.
utc = FixedOffset(datetime.timedelta(0))


_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})([-+])(\d\d):(\d\d)")


class DateTime(Argument):
    """A moment, with its distance from UTC: `2012-01-23T12:34:56.054321-01:23`."""

    def fromString(self, inString: bytes | str) -> datetime.datetime:
        """The moment; ValueError if it is in another form."""
        text = inString.decode("ascii", "replace") if isinstance(inString, bytes) else inString
        found = _DATE.fullmatch(text)
        if found is None:
            raise ValueError(f"invalid date format {inString!r}")
        *numbers, sign, hours, minutes = found.groups()
        zone = FixedOffset.fromSignHoursMinutes(sign, int(hours), int(minutes))
        year, month, day, hour, minute, second, micro = map(int, numbers)
        return datetime.datetime(year, month, day, hour, minute, second, micro, zone)

    def toString(self, inObject: datetime.datetime) -> bytes:
        """Its text; ValueError if it does not know its distance from UTC."""
        distance = inObject.utcoffset()
        if distance is None:
            raise ValueError("amp.DateTime cannot handle naive datetime instances")
        minutes = int(distance.total_seconds() // 60)
        sign = "+" if minutes > 0 else "-"  # UTC is -00:00, as in Twisted
        hours, minutes = divmod(abs(minutes), 60)
        moment = inObject.replace(tzinfo=None).isoformat(timespec="microseconds")
        return f"{moment}{sign}{hours:02}:{minutes:02}".encode("ascii")
