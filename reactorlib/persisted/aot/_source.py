"""
Trees in Python's notation: the style `source`.

Python's own parser reads it, which makes a syntax tree and runs nothing. Of that
tree only what a saved object consists of is taken; the first thing that is
anything else is named, with its line.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import IO, Any, cast

from reactorlib.persisted._names import Allow
from reactorlib.persisted.aot._jelly import jellyToAOT
from reactorlib.persisted.aot._nodes import (
    Class,
    Copyreg,
    Deref,
    Function,
    Global,
    Instance,
    InstanceMethod,
    Module,
    Ref,
    getSource,
)
from reactorlib.persisted.aot._unjelly import unjellyFromAOT
from reactorlib.persisted.error import DamagedFile, NotData, SaveError

__all__ = ["jellyToSource", "loads", "unjellyFromSource"]


def jellyToSource(obj: Any, file: IO[bytes] | None = None) -> str | None:
    """
    Write an object in Python's notation.

    Args:
        obj: the object.
        file: where to write it to, in UTF-8.

    Returns:
        what it would be written as, if there is no file.

    Raises:
        SaveError: there is something in it that cannot be saved; it says where.
    """
    try:
        source = getSource(jellyToAOT(obj))
    except RecursionError as cause:
        raise SaveError("it is nested too deeply to be saved") from cause
    if file is None:
        return source
    file.write(source.encode())
    return None


def unjellyFromSource(stringOrFile: str | bytes | IO[Any], allow: Allow = None) -> Any:
    """
    Read an object in Python's notation, which is parsed, and never run.

    Args:
        stringOrFile: the text, or an open file with it.
        allow: what it may name; see `sob.load`.

    Raises:
        NotData: there is code in it; it says where.
        LoadError: it is damaged, or names what is gone or may not be named.
    """
    text = stringOrFile if isinstance(stringOrFile, str | bytes) else stringOrFile.read()
    return unjellyFromAOT(_parse(text), allow)


def loads(data: bytes, allow: Allow = None) -> Any:
    """As `unjellyFromSource`."""
    return unjellyFromSource(data, allow)


def _parse(text: str | bytes) -> Any:
    """The tree that a text says."""
    try:
        body = ast.parse(text).body
    except SyntaxError as cause:
        where = "" if cause.lineno is None else f"line {cause.lineno}: "
        raise DamagedFile(f"{where}is not in Python's notation: {cause.msg}") from cause
    except ValueError as cause:
        raise DamagedFile(f"is not in Python's notation: {cause}") from cause
    except (RecursionError, MemoryError) as cause:
        raise DamagedFile("is nested too deeply") from cause
    if not body:
        raise DamagedFile("is empty")
    first = body[0]
    if not (
        isinstance(first, ast.Assign)
        and len(first.targets) == 1
        and isinstance(first.targets[0], ast.Name)
        and first.targets[0].id == "app"
    ):
        raise _not_data(first)
    if len(body) > 1:
        raise _not_data(body[1])
    try:
        return _value(first.value)
    except RecursionError as cause:
        raise DamagedFile("is nested too deeply") from cause


def _not_data(node: ast.AST) -> NotData:
    line = getattr(node, "lineno", 1)
    text = " ".join(ast.unparse(node).split())
    if len(text) > 60:
        text = text[:57] + "..."
    return NotData(f"line {line}: {text!r} is code, and a .tas file holds data: nothing was run")


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.Dict):
        return _dict(node)
    if isinstance(node, ast.Name) and node.id == "Ellipsis":
        return ...
    if isinstance(node, ast.UnaryOp | ast.BinOp):
        return _number(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        return _call(node, *_CALLS[node.func.id])
    raise _not_data(node)


def _dict(node: ast.Dict) -> dict[Any, Any]:
    found = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:  # **another
            raise _not_data(node)
        try:
            found[_value(key)] = _value(value)
        except TypeError as cause:
            raise DamagedFile(f"line {key.lineno}: has something as a key that is none") from cause
    return found


def _number(node: ast.expr) -> complex:
    """A number with a sign, or a complex one."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        real, imaginary = _number(node.left), _number(node.right)
        if not isinstance(real, complex) and isinstance(imaginary, complex):
            return real + imaginary if isinstance(node.op, ast.Add) else real - imaginary
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, complex):
        return cast("complex", node.value)
    raise _not_data(node)


def _call(
    node: ast.Call, make: Callable[..., Any], kinds: tuple[type, ...], more: int, names: set[str]
) -> Any:
    """A node from what looks like a call of its class."""
    args = node.args
    wanted = len(kinds)
    if not wanted <= len(args) <= wanted + more:
        raise _not_data(node)
    values = [_value(arg) for arg in args]
    named: dict[str, Any] = {}
    for word in node.keywords:
        if word.arg is None or (names and word.arg not in names) or word.arg in named:
            raise _not_data(node)
        named[word.arg] = _value(word.value)
    if named and make is not Instance and make is not Copyreg:
        raise _not_data(node)
    if named and make is Instance and len(values) > 1:
        raise _not_data(node)
    for kind, value in zip(kinds, values, strict=False):
        if kind is not object and type(value) is not kind:
            raise DamagedFile(
                f"line {node.lineno}: {ast.unparse(node.func)}() takes a {kind.__name__} here"
            )
    try:
        if make is Instance and named:
            return Instance(values[0], named)
        return make(*values, **named)
    except (TypeError, ValueError) as cause:
        raise DamagedFile(f"line {node.lineno}: {cause}") from cause


#: By name: what it makes, the types of its arguments, how many more there may be, and
#: which names of arguments; no names are all.
_CALLS: dict[str, tuple[Callable[..., Any], tuple[type, ...], int, set[str]]] = {
    "Class": (Class, (str,), 0, set()),
    "Copyreg": (Copyreg, (str, object), 0, {"then", "items", "pairs"}),
    "Deref": (Deref, (int,), 0, set()),
    "Function": (Function, (str,), 0, set()),
    "Global": (Global, (str,), 0, set()),
    "Instance": (Instance, (str,), 1, set()),
    "InstanceMethod": (InstanceMethod, (str, str, object), 0, set()),
    "Module": (Module, (str,), 0, set()),
    "Ref": (Ref, (int, object), 0, set()),
    "complex": (complex, (str,), 0, set()),
    "float": (float, (str,), 0, set()),
    "slice": (slice, (object, object, object), 0, set()),
}
