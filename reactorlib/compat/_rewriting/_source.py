"""
One file: where in it `twisted` is a name to change.

The places are read from the syntax tree, so that strings and comments stay as they
are, and nothing but that one word is replaced. The name `twisted` in an expression is
looked up as Python does it: it counts only where it is what an import has bound.
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reactorlib.compat._rewriting._known import has_module, missing

__all__ = ["Left", "Unreadable", "rewrite"]

OLD = b"twisted"
NEW = b"reactorlib"

_FROM = re.compile(rb"from(?:[ \t\f]|\\\r?\n)+(?=twisted\b)")
_WORD = re.compile(rb"twisted\b")
_IN_A_STRING = re.compile(r"\btwisted(?:\.[A-Za-z_]\w*)+")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Unreadable(ValueError):
    """The file is no Python that this interpreter understands."""


@dataclass(frozen=True, slots=True, order=True)
class Left:
    """
    Something in a file that is left as it is.

    Attributes:
        line: where, from 1.
        reason: what it is, and why.
    """

    line: int
    reason: str


@dataclass(slots=True)
class _Scope:
    """Where names are bound: the module, or a class, function or comprehension."""

    parent: _Scope | None
    is_class: bool = False
    #: `import twisted.x`, without `as`, in this scope: the dotted name, and where.
    imports: list[tuple[str, ast.alias]] = field(default_factory=list)
    #: Something else is called `twisted` here.
    shadowed: bool = False
    uses: list[tuple[str, ast.Name]] = field(default_factory=list)

    def owner(self) -> _Scope | None:
        """The scope whose `twisted` a name in this one means; None if it is no import's."""
        scope: _Scope | None = self
        while scope is not None:
            visible = scope is self or not scope.is_class
            if visible and scope.shadowed:
                return None
            if visible and scope.imports:
                return scope
            scope = scope.parent
        return None


def rewrite(source: bytes, encoding: str) -> tuple[bytes, list[Left]]:
    """
    Change a program's imports, and what it uses by their names.

    Args:
        source: the text of a file.
        encoding: its encoding.

    Returns:
        the text with the changes, and what is left.

    Raises:
        Unreadable: it cannot be parsed.
    """
    try:
        text = source.decode(encoding)
        tree = ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Unreadable(f"it cannot be parsed as Python 3: {error}") from error
    return _Rewriter(text, encoding).run(tree)


class _Rewriter:
    def __init__(self, text: str, encoding: str) -> None:
        self._encoding = encoding
        # As the tokenizer counts lines, and in the bytes that the tree's columns are of.
        lines = io.StringIO(text, newline="").readlines()
        self._lines = [line.encode() for line in lines]
        self._mark = len("\ufeff".encode()) if text.startswith("\ufeff") else 0
        self._places: set[tuple[int, int]] = set()
        self._left: set[Left] = set()
        self._scopes: list[_Scope] = []

    def run(self, tree: ast.Module) -> tuple[bytes, list[Left]]:
        self._visit_all(tree.body, self._scope(None))
        used: dict[int, list[tuple[str, ast.Name]]] = {}
        for scope in self._scopes:
            owner = scope.owner()
            if owner is not None:
                used.setdefault(id(owner), []).extend(scope.uses)
        for scope in self._scopes:
            if scope.imports and not scope.shadowed:
                self._rename(scope.imports, used.get(id(scope), []))
            else:
                for name, alias in scope.imports:
                    self._leave(alias, f"import {name}: the name twisted is bound otherwise too")
        self._strings(tree)
        return self._changed(), sorted(self._left)

    # -- reading ------------------------------------------------------------------

    def _scope(self, parent: _Scope | None, is_class: bool = False) -> _Scope:
        scope = _Scope(parent, is_class)
        self._scopes.append(scope)
        return scope

    def _visit_all(self, nodes: list[ast.AST] | list[ast.stmt], scope: _Scope) -> None:
        # With a stack of its own: programs nest expressions more deeply than Python calls.
        waiting: list[tuple[ast.AST, _Scope]] = [(node, scope) for node in reversed(nodes)]
        while waiting:
            node, scope = waiting.pop()
            waiting += reversed(list(self._visit(node, scope)))

    def _visit(self, node: ast.AST, scope: _Scope) -> Iterator[tuple[ast.AST, _Scope]]:
        """Take down what a node says, and tell which to visit next, in which scopes."""
        inner = scope
        outside: set[int] = set()
        if isinstance(node, ast.Import):
            self._import(node, scope)
        elif isinstance(node, ast.ImportFrom):
            self._import_from(node, scope)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            if "twisted" in node.names:
                scope.shadowed = self._scopes[0].shadowed = True
        elif isinstance(node, ast.Attribute):
            dotted = _dotted(node)
            if dotted is not None and dotted[1].id == "twisted":
                scope.uses.append(dotted)
                return
        elif isinstance(node, ast.Name) and node.id == "twisted":
            if isinstance(node.ctx, ast.Load):
                scope.uses.append(("", node))
            else:
                scope.shadowed = True
        elif isinstance(node, _SCOPES):
            if getattr(node, "name", None) == "twisted":
                scope.shadowed = True
            inner = self._scope(scope, isinstance(node, ast.ClassDef))
            outside = _evaluated_outside(node)
        elif isinstance(node, ast.arg) and node.arg == "twisted":
            scope.shadowed = True
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            scope.shadowed |= node.name == "twisted"
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.arguments):
                # The arguments' names are the function's; the defaults are not.
                for each in ast.walk(child):
                    if isinstance(each, ast.arg) and each.arg == "twisted":
                        inner.shadowed = True
                for part in ast.iter_child_nodes(child):
                    if isinstance(part, ast.arg):
                        if part.annotation is not None:
                            yield part.annotation, scope
                    else:
                        yield part, scope
            else:
                yield child, scope if id(child) in outside else inner

    def _import(self, node: ast.Import, scope: _Scope) -> None:
        for alias in node.names:
            first, _, path = alias.name.partition(".")
            if first != "twisted":
                scope.shadowed |= alias.asname == "twisted" or first == alias.name == "twisted"
            elif alias.asname is None:
                scope.imports.append((alias.name, alias))
            else:
                scope.shadowed |= alias.asname == "twisted"
                self._take_or_leave(alias, f"import {alias.name}", [path])

    def _import_from(self, node: ast.ImportFrom, scope: _Scope) -> None:
        scope.shadowed |= any((each.asname or each.name) == "twisted" for each in node.names)
        first, _, path = (node.module or "").partition(".")
        if node.level or first != "twisted":
            return
        line = self._lines[node.lineno - 1]
        rest = b"".join([line[self._column(node) :], *self._lines[node.lineno : node.end_lineno]])
        found = _FROM.match(rest)
        if found is None:
            return
        # The word may be in a later line, after a backslash.
        before = rest[: found.end()]
        row = node.lineno + before.count(b"\n")
        column = (
            self._column(node) + len(before)
            if row == node.lineno
            else len(before) - before.rindex(b"\n") - 1
        )
        wanted = [".".join(filter(None, [path, each.name])) for each in node.names]
        if any(each.name == "*" for each in node.names):
            wanted = [path]
        lacks = self._lacking(wanted)
        if lacks:
            for name in lacks:
                self._leave(node, f"there is no {name} here: {_cut(ast.unparse(node))}")
        else:
            self._places.add((row, column))

    def _column(self, node: ast.AST) -> int:
        column: int = node.col_offset  # type: ignore[attr-defined]  # statements have one
        return column + (self._mark if node.lineno == 1 else 0)  # type: ignore[attr-defined]

    # -- deciding -----------------------------------------------------------------

    def _lacking(self, paths: list[str]) -> list[str]:
        found = (f"twisted.{path}" if path == "" else missing(path) for path in paths if path)
        return list(dict.fromkeys(name for name in found if name is not None))

    def _take_or_leave(self, alias: ast.alias, statement: str, paths: list[str]) -> bool:
        lacks = self._lacking(paths)
        for name in lacks:
            self._leave(alias, f"there is no {name} here: {statement}")
        return not lacks and self._take(alias, statement)

    def _rename(
        self, imports: list[tuple[str, ast.alias]], uses: list[tuple[str, ast.Name]]
    ) -> None:
        """
        One binding of `twisted`: what is here gets the other name, the rest stays.

        `import twisted` alone can mean both, so it changes only if nothing stays.
        """
        staying = [(path, name) for path, name in uses if path and missing(path)]
        renamed = False
        bare = []
        for dotted, alias in imports:
            path = dotted.partition(".")[2]
            if path:
                renamed |= self._take_or_leave(alias, f"import {dotted}", [path])
            else:
                bare.append(alias)
        for alias in bare:
            if staying:
                self._leave(alias, "import twisted: what is left of its uses needs it")
            else:
                renamed |= self._take(alias, "import twisted")
        for path, name in uses:
            lacks = missing(path) if path else None
            if lacks:
                self._leave(name, f"there is no {lacks} here: twisted.{path}")
            elif not renamed:
                self._leave(name, f"no import of it is renamed: {_join('twisted', path)}")
            elif not path and staying:
                self._leave(name, "the name twisted alone, which is still needed")
            else:
                self._take(name, _join("twisted", path))

    def _take(self, node: ast.alias | ast.Name, what: str) -> bool:
        column = self._column(node)
        if _WORD.match(self._lines[node.lineno - 1], column):
            self._places.add((node.lineno, column))
            return True
        # Before 3.12, Python does not say where in an f-string something is.
        self._leave(node, f"in an f-string: {what}")
        return False

    def _leave(self, node: ast.AST, reason: str) -> None:
        self._left.add(Left(node.lineno, reason))  # type: ignore[attr-defined]

    def _strings(self, tree: ast.Module) -> None:
        """Tell of names in strings, but for those that document."""
        documenting = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in documenting:
                value = node.value
                if isinstance(value, bytes):
                    value = value.decode("latin-1")
                if isinstance(value, str):
                    for found in dict.fromkeys(_IN_A_STRING.findall(value)):
                        self._leave(node, f"in a string: {found}")

    # -- writing ------------------------------------------------------------------

    def _changed(self) -> bytes:
        lines = list(self._lines)
        for row, column in sorted(self._places, reverse=True):
            line = lines[row - 1]
            lines[row - 1] = line[:column] + NEW + line[column + len(OLD) :]
        return b"".join(lines).decode().encode(self._encoding)


def _dotted(node: ast.Attribute) -> tuple[str, ast.Name] | None:
    """The path after the first name of `name.a.b`, and that name; None if it is none."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name):
        return None
    parts.reverse()
    if not isinstance(node.ctx, ast.Load) and not has_module(".".join(parts[:-1])):
        return ".".join(parts[:-1]), inner
    # What comes after the first thing in a module is that thing's own affair.
    cut = len(parts)
    while cut > 1 and not has_module(".".join(parts[: cut - 1])):
        cut -= 1
    return ".".join(parts[:cut]), inner


def _evaluated_outside(node: ast.AST) -> set[int]:
    """Of a scope's parts, those that Python evaluates in the scope around it."""
    parts: list[ast.AST] = list(getattr(node, "decorator_list", []))
    if isinstance(node, ast.ClassDef):
        parts += [*node.bases, *node.keywords]
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
        parts.append(node.returns)
    return {id(part) for part in parts}


def _join(first: str, path: str) -> str:
    return f"{first}.{path}" if path else first


def _cut(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
