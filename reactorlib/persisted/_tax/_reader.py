"""Reading XML as trees, in two steps: as elements, which have lines, and as nodes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from reactorlib.persisted._names import Allow
from reactorlib.persisted._tax._names import NAMED, SINGLE, VERSION
from reactorlib.persisted.aot import (
    Copyreg,
    Deref,
    Instance,
    InstanceMethod,
    Ref,
    unjellyFromAOT,
)
from reactorlib.persisted.error import DamagedFile

__all__ = ["loads"]

#: How deep elements may be within each other: what is written is limited to less by
#: Python's own limit of recursion.
_MAX_DEPTH = 2000

_SINGLES = {tag: value for value, tag in SINGLE.items()}


def loads(data: bytes, allow: Allow = None) -> Any:
    """
    Read an object from XML.

    Args:
        data: the file.
        allow: what it may name; see `sob.load`.

    Raises:
        LoadError: it is damaged, or names what is gone or may not be named.
    """
    root = _Reader().read(data)
    if root.tag != "application":
        raise root.wrong("the outermost element is <application>")
    if root.attributes.get("version") != VERSION:
        raise root.wrong(f'is not of version "{VERSION}", the only one there is')
    root.known("version")
    (child,) = root.parts(1)
    try:
        tree = _tree(child)
    except RecursionError as cause:
        raise DamagedFile("is nested too deeply") from cause
    return unjellyFromAOT(tree, allow)


@dataclass(slots=True)
class _Element:
    tag: str
    attributes: dict[str, str]
    line: int
    children: list[_Element] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def wrong(self, what: str) -> DamagedFile:
        return DamagedFile(f"line {self.line}: <{self.tag}>: {what}")

    def get(self, name: str) -> str:
        """An attribute that it has to have."""
        try:
            return self.attributes[name]
        except KeyError:
            raise self.wrong(f"takes an attribute {name}") from None

    def known(self, *names: str) -> None:
        """Raise if it has other attributes than these."""
        for name in self.attributes:
            if name not in (*names, "id"):
                raise self.wrong(f"takes no attribute {name!r}")

    def parts(self, count: int | None = None) -> list[_Element]:
        """The elements in it, of which there are `count`, and no text."""
        if "".join(self.text).strip():
            raise self.wrong("takes elements, and no text")
        if count is not None and len(self.children) != count:
            raise self.wrong(f"takes {count} elements in it, and has {len(self.children)}")
        return self.children

    def content(self) -> str:
        """The text in it."""
        if self.children:
            raise self.wrong("takes text, and no elements")
        return "".join(self.text)


class _Reader:
    """Makes elements of a file."""

    def __init__(self) -> None:
        self._open: list[_Element] = []
        self._root: _Element | None = None
        parser = expat.ParserCreate("utf-8")  # whatever it says itself
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ProcessingInstructionHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        self._parser = parser

    def read(self, data: bytes) -> _Element:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as cause:
            text = expat.errors.messages.get(cause.code, "cannot be parsed")
            if cause.code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]:
                text = "is cut off, or is empty"
            raise DamagedFile(f"line {cause.lineno}: is not well-formed XML: {text}") from None
        assert self._root is not None
        return self._root

    def _refuse(self, *what: object) -> None:
        raise DamagedFile(
            f"line {self._parser.CurrentLineNumber}: declares a document type, entities or "
            "processing instructions: refused, a .tax file has none"
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        element = _Element(tag, attributes, self._parser.CurrentLineNumber)
        if len(self._open) >= _MAX_DEPTH:
            raise element.wrong(f"is more than {_MAX_DEPTH} elements deep")
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)

    def _end(self, tag: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].text.append(text)


def _tree(element: _Element) -> Any:
    """What an element says, as a tree."""
    read = _READERS.get(element.tag)
    if read is None:
        raise element.wrong("there is no such element")
    value = read(element)
    if "id" in element.attributes:
        return Ref(_whole(element, "id"), value)
    return value


def _whole(element: _Element, name: str) -> int:
    text = element.get(name)
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise element.wrong(f"{name} is a number")
    return int(text)


def _all(element: _Element) -> list[Any]:
    element.known()
    return [_tree(part) for part in element.parts()]


def _single(element: _Element) -> Any:
    element.known()
    element.parts(0)
    return _SINGLES[element.tag]


def _number(element: _Element) -> Any:
    element.known()
    kind = {"int": int, "float": float, "complex": complex}[element.tag]
    try:
        return kind(element.content())
    except ValueError:
        raise element.wrong("there is no such number in it") from None


def _str(element: _Element) -> str:
    element.known("escaped")
    text = element.content()
    if "escaped" not in element.attributes:
        return text
    try:
        return text.encode("ascii").decode("unicode_escape")
    except UnicodeError:
        raise element.wrong("is not as between quotes in Python") from None


def _bytes(element: _Element) -> bytes:
    element.known()
    try:
        return base64.b64decode("".join(element.content().split()), validate=True)
    except (binascii.Error, ValueError):
        raise element.wrong("is not in base64") from None


def _dict(element: _Element) -> dict[Any, Any]:
    element.known()
    found = {}
    for item in element.parts():
        if item.tag != "item":
            raise item.wrong("a <dict> has <item>s")
        item.known()
        key, value = (_tree(part) for part in item.parts(2))
        try:
            found[key] = value
        except TypeError:
            raise item.wrong("its first part cannot be a key") from None
    return found


def _slice(element: _Element) -> slice:
    element.known()
    start, stop, step = (_tree(part) for part in element.parts(3))
    return slice(start, stop, step)


def _named(element: _Element) -> Any:
    element.known("name")
    element.parts(0)
    return NAMED[element.tag](element.get("name"))


def _method(element: _Element) -> InstanceMethod:
    element.known("name", "class")
    (owner,) = element.parts(1)
    return InstanceMethod(element.get("name"), element.get("class"), _tree(owner))


def _instance(element: _Element) -> Instance:
    element.known("class")
    name, parts = element.get("class"), element.parts()
    if not parts:
        return Instance(name)
    if parts[0].tag == "state":
        (state,) = element.parts(1)
        state.known()
        return Instance(name, _tree(state.parts(1)[0]))
    attributes = {}
    for part in parts:
        if part.tag != "attribute":
            raise part.wrong("an <instance> has <attribute>s, or one <state>")
        part.known("name")
        if part.get("name") in attributes:
            raise part.wrong(f"there are two of the name {part.get('name')!r}")
        attributes[part.get("name")] = _tree(part.parts(1)[0])
    return Instance(name, attributes)


def _build(element: _Element) -> Copyreg:
    element.known("by")
    parts: dict[str, _Element] = {}
    for part in element.parts():
        if part.tag not in ("with", "then", "items", "pairs") or part.tag in parts:
            raise part.wrong("a <build> has one <with>, <then>, <items>, <pairs>")
        parts[part.tag] = part
    if "with" not in parts:
        raise element.wrong("has no <with>")
    built = Copyreg(element.get("by"), tuple(_all(parts["with"])))
    if "then" in parts:
        parts["then"].known()
        built.then = _tree(parts["then"].parts(1)[0])
    if "items" in parts:
        built.items = _all(parts["items"])
    if "pairs" in parts:
        built.pairs = _all(parts["pairs"])
    return built


def _reference(element: _Element) -> Deref:
    element.known("to")
    element.parts(0)
    return Deref(_whole(element, "to"))


_READERS: dict[str, Callable[[_Element], Any]] = {
    **dict.fromkeys(_SINGLES, _single),
    **dict.fromkeys(NAMED, _named),
    "build": _build,
    "bytes": _bytes,
    "complex": _number,
    "dict": _dict,
    "float": _number,
    "instance": _instance,
    "int": _number,
    "list": _all,
    "method": _method,
    "reference": _reference,
    "slice": _slice,
    "str": _str,
    "tuple": lambda element: tuple(_all(element)),
}
