"""
The style `xml`: `.tax` files.

    <?xml version="1.0" encoding="utf-8"?>
    <application version="1">
      <instance class="quotes.Quotes">
        <attribute name="quotes"><list><str>Eat apples.</str></list></attribute>
        <attribute name="shown"><int>3</int></attribute>
      </instance>
    </application>

There is one element for each kind of value; those that are no literals are the
nodes of `reactorlib.persisted.aot`:

    <none/> <true/> <false/> <ellipsis/> <int> <float> <complex>
    <str>          text; with escaped="yes" as between quotes in Python
    <bytes>        in base64
    <list> <tuple> <slice>
    <dict>         of <item>s, each with key and value
    <instance>     class=; <attribute name=>s, or one <state>
    <class> <function> <global> <module>   name=
    <method>       name=, class=; of the object in it
    <build>        by=; <with> arguments, <then> state, <items>, <pairs>
    <reference>    to=, the id= that any other element may have

There is no document type, and there are no entities but XML's own five: a file that
declares some is refused before it can do anything with them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from reactorlib.persisted._names import Allow
from reactorlib.persisted.aot import (
    Class,
    Copyreg,
    Deref,
    Function,
    Global,
    Instance,
    InstanceMethod,
    Module,
    NoStateObj,
    Ref,
    jellyToAOT,
    unjellyFromAOT,
)
from reactorlib.persisted.error import DamagedFile, SaveError

__all__ = ["dumps", "loads"]

_VERSION = "1"

#: How deep elements may be within each other: what is written is limited to less by
#: Python's own limit of recursion.
_MAX_DEPTH = 2000

#: What XML cannot hold, or would change: most controls, lone surrogates, carriage returns.
_UNFIT = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_NAMED: dict[str, Callable[[str], Any]] = {
    "class": Class,
    "function": Function,
    "global": Global,
    "module": Module,
}
_TAGS: dict[type, str] = {
    Class: "class",
    Function: "function",
    Global: "global",
    Module: "module",
}


# -- writing ------------------------------------------------------------------


def dumps(obj: Any) -> bytes:
    """
    Write an object as XML.

    Raises:
        SaveError: there is something in it that cannot be saved; it says where.
    """
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f'<application version="{_VERSION}">']
    try:
        _write(jellyToAOT(obj), lines, "  ", "")
    except RecursionError as cause:
        raise SaveError("it is nested too deeply to be saved") from cause
    lines.append("</application>")
    return "\n".join([*lines, ""]).encode()


def _write(ao: Any, lines: list[str], indent: str, id: str) -> None:
    """Add the lines of one value."""
    kind = type(ao)
    if kind is Ref:
        number = "" if ao.refnum is None else f' id="{ao.refnum}"'
        _write(ao.obj, lines, indent, number)
    elif kind is Deref:
        lines.append(f'{indent}<reference to="{ao.refnum}"/>')
    elif kind in _TAGS:
        lines.append(f"{indent}<{_TAGS[kind]}{id} name={_attribute(ao.name)}/>")
    elif kind is Instance:
        _write_instance(ao, lines, indent, id)
    elif kind is InstanceMethod:
        names = f"name={_attribute(ao.name)} class={_attribute(ao.klass)}"
        _write_all("method", f"{id} {names}", [ao.instance], lines, indent)
    elif kind is Copyreg:
        _write_build(ao, lines, indent, id)
    elif kind in (list, tuple):
        _write_all(kind.__name__, id, ao, lines, indent)
    elif kind is slice:
        _write_all("slice", id, [ao.start, ao.stop, ao.step], lines, indent)
    elif kind is dict:
        lines.append(f"{indent}<dict{id}>")
        for pair in ao.items():
            _write_all("item", "", pair, lines, indent + "  ")
        lines.append(f"{indent}</dict>")
    else:
        lines.append(indent + _literal(ao))


def _write_all(tag: str, attributes: str, parts: Any, lines: list[str], indent: str) -> None:
    if not parts:
        lines.append(f"{indent}<{tag}{attributes}/>")
        return
    lines.append(f"{indent}<{tag}{attributes}>")
    for part in parts:
        _write(part, lines, indent + "  ", "")
    lines.append(f"{indent}</{tag}>")


def _write_instance(ao: Instance, lines: list[str], indent: str, id: str) -> None:
    opening = f"{indent}<instance{id} class={_attribute(ao.klass)}"
    state = ao.state
    if state is NoStateObj:
        lines.append(opening + "/>")
        return
    lines.append(opening + ">")
    if type(state) is dict and state and all(_is_attribute(key) for key in state):
        for name, value in state.items():
            label = f" name={_attribute(name)}"
            _write_all("attribute", label, [value], lines, indent + "  ")
    else:
        _write_all("state", "", [state], lines, indent + "  ")
    lines.append(f"{indent}</instance>")


def _write_build(ao: Copyreg, lines: list[str], indent: str, id: str) -> None:
    inner = indent + "  "
    lines.append(f"{indent}<build{id} by={_attribute(ao.loadfunc)}>")
    _write_all("with", "", ao.state, lines, inner)
    if ao.then is not NoStateObj:
        _write_all("then", "", [ao.then], lines, inner)
    if ao.items is not None:
        _write_all("items", "", ao.items, lines, inner)
    if ao.pairs is not None:
        _write_all("pairs", "", ao.pairs, lines, inner)
    lines.append(f"{indent}</build>")


def _is_attribute(key: Any) -> bool:
    return type(key) is str and key.isidentifier()


def _literal(ao: Any) -> str:
    if ao is None or ao is Ellipsis or type(ao) is bool:
        return f"<{_SINGLE[ao]}/>"
    if type(ao) is bytes:
        return f"<bytes>{base64.b64encode(ao).decode('ascii')}</bytes>"
    if type(ao) is str:
        if _UNFIT.search(ao):
            text = ao.encode("unicode_escape").decode("ascii")
            return f'<str escaped="yes">{escape(text)}</str>'
        return f"<str>{escape(ao)}</str>"
    return f"<{type(ao).__name__}>{ao!r}</{type(ao).__name__}>"


def _attribute(text: str) -> str:
    return quoteattr(text)


_SINGLE: dict[Any, str] = {None: "none", True: "true", False: "false", Ellipsis: "ellipsis"}
_SINGLES: dict[str, Any] = {tag: value for value, tag in _SINGLE.items()}


# -- reading ------------------------------------------------------------------


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
    if root.attributes.get("version") != _VERSION:
        raise root.wrong(f'is not of version "{_VERSION}", the only one there is')
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
    return _NAMED[element.tag](element.get("name"))


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
    **dict.fromkeys(_NAMED, _named),
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
