"""Writing trees as XML."""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from reactorlib.persisted._tax._names import NAMED, SINGLE, VERSION
from reactorlib.persisted.aot import (
    Copyreg,
    Deref,
    Instance,
    InstanceMethod,
    NoStateObj,
    Ref,
    jellyToAOT,
)
from reactorlib.persisted.error import SaveError

__all__ = ["dumps"]

#: What XML cannot hold, or would change: most controls, lone surrogates, carriage returns.
_UNFIT = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TAGS = {node: tag for tag, node in NAMED.items()}


def dumps(obj: Any) -> bytes:
    """
    Write an object as XML.

    Raises:
        SaveError: there is something in it that cannot be saved; it says where.
    """
    lines = ['<?xml version="1.0" encoding="utf-8"?>', f'<application version="{VERSION}">']
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
        return f"<{SINGLE[ao]}/>"
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
