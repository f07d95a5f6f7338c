"""Arguments go into boxes and out of them in short where they may, and in their own way else."""

from __future__ import annotations

from typing import Any

import pytest

from reactorlib.internet.defer import Deferred
from reactorlib.protocols import amp


class Shouted(amp.String):
    """Bytes that are in capitals on the wire."""

    def toString(self, inObject: bytes) -> bytes:
        return inObject.upper()

    def fromString(self, inString: bytes) -> bytes:
        return inString.lower()


class Twofold(amp.Argument):
    """One argument that takes two places in a box."""

    def fromBox(self, name: bytes, strings: Any, objects: dict[str, Any], proto: Any) -> None:
        objects[name.decode()] = (strings.pop(name + b"1"), strings.pop(name + b"2"))

    def toBox(self, name: bytes, strings: Any, objects: dict[str, Any], proto: Any) -> None:
        strings[name + b"1"], strings[name + b"2"] = objects.pop(name.decode())


class Numbered(amp.Integer):
    """A number that the protocol has its say in."""

    def toStringProto(self, inObject: int, proto: Any) -> bytes:
        return self.toString(inObject + proto.offset)

    def fromStringProto(self, inString: bytes, proto: Any) -> int:
        return int(inString) - int(proto.offset)


class Proto:
    offset = 10


ONE: tuple[bytes, Any] = (b"one", amp.Integer())


@pytest.mark.parametrize(
    ("argument", "value", "box"),
    [
        (amp.Integer(), 7, {b"x-y": b"7"}),
        (amp.String(), b"a", {b"x-y": b"a"}),
        (Shouted(), b"a", {b"x-y": b"A"}),
        (amp.Unicode(), "\u00e9", {b"x-y": b"\xc3\xa9"}),
        (Numbered(), 7, {b"x-y": b"17"}),
        (amp.Integer(optional=True), 7, {b"x-y": b"7"}),
        (amp.Integer(optional=True), None, {}),
    ],
)
def test_there_and_back(argument: Any, value: Any, box: dict[bytes, bytes]) -> None:
    class Ask(amp.Command):
        arguments = [ONE, (b"x-y", argument)]
        response = [(b"x-y", argument), ONE]

    wire = Ask.makeArguments({"one": 1, "x_y": value}, Proto())
    assert wire == {b"one": b"1", **box}
    assert type(wire) is amp.AmpBox
    before = wire.copy()
    assert Ask.parseArguments(wire, Proto()) == {"one": 1, "x_y": value}
    assert wire == before  # it is the caller's
    objects = {"one": 1, "x_y": value, "other": 2}
    assert Ask.makeResponse(objects, Proto()) == wire
    assert objects == {"one": 1, "x_y": value, "other": 2}
    assert Ask.parseResponse(wire, Proto()) == {"one": 1, "x_y": value}


def test_an_argument_may_have_a_way_of_its_own() -> None:
    class Ask(amp.Command):
        arguments = [ONE, (b"pair", Twofold())]

    wire = Ask.makeArguments({"one": 1, "pair": (b"a", b"b")}, None)
    assert wire == {b"one": b"1", b"pair1": b"a", b"pair2": b"b"}
    assert Ask.parseArguments(wire, None) == {"one": 1, "pair": (b"a", b"b")}


@pytest.mark.parametrize("missing", [b"one", b"x"])
def test_what_is_missing_is_named(missing: bytes) -> None:
    class Ask(amp.Command):
        arguments = [ONE, (b"x", amp.String())]
        response = arguments

    wire = amp.AmpBox({b"one": b"1", b"x": b""})
    del wire[missing]
    for parse in Ask.parseArguments, Ask.parseResponse:
        with pytest.raises(KeyError, match=missing.decode()):
            parse(wire, None)
    with pytest.raises(KeyError, match=missing.decode()):
        Ask.makeResponse({"one": 1} if missing == b"x" else {"x": b""}, None)


def test_arguments_may_be_set_later() -> None:
    class Ask(amp.Command):
        arguments = [ONE]
        response = [ONE]

    class Box(amp.AmpBox):
        __slots__: list[str] = []

    command: Any = Ask
    command.arguments = [(b"two", amp.String())]
    command.response = [(b"three", amp.Boolean())]
    command.responseType = Box
    assert Ask.makeArguments({"two": b"2"}, None) == {b"two": b"2"}
    assert Ask.makeResponse({"three": True}, None) == {b"three": b"True"}
    assert type(Ask.makeResponse({"three": True}, None)) is Box
    with pytest.raises(amp.InvalidSignature, match="two"):
        Ask()
    with pytest.raises(amp.InvalidSignature, match="one"):
        Ask.makeArguments({"one": 1}, None)


@pytest.mark.parametrize("response", [[], [ONE]])
def test_what_is_no_answer_is_refused(response: Any) -> None:
    class Ask(amp.Command):
        pass

    command: Any = Ask
    command.response = response

    class Locator(amp.CommandLocator):
        @Ask.responder
        def ask(self) -> Any:
            return None

    respond = Locator().locateResponder(b"Ask")
    assert respond is not None
    failed: list[Any] = []
    answer: Deferred[Any] = respond(amp.AmpBox())
    answer.addErrback(failed.append)
    assert failed[0].check(amp.BadLocalReturn)
