"""Imports point down: the floors of the architecture, read from the sources."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reactorlib

ROOT = Path(reactorlib.__file__).parent

#: From the ground up. A package may import from its own floor only itself.
FLOORS: list[set[str]] = [
    {"python"},
    {"logger"},
    {"plugin"},
    {"_sansio"},
    {"internet"},
    {"cred", "enterprise"},
    {"protocols"},
    {"persisted"},
    {"application"},
    {"web", "names", "mail", "words", "conch", "spread", "news", "pair", "lore", "runner"},
    {"trial", "compat", "test"},
    {"plugins", "scripts", "tap"},
]

#: What stands above its package: nothing but tests imports it, and it may use everything.
ABOVE = {"internet.testing": "test", "trial.__main__": "scripts"}

#: What is in `python` by its name, and stands on `logger` all the same.
FACES_OF_LOGGER = {"python/log.py", "python/syslog.py"}

#: What the core may import from outside: the standard library, and this.
CORE_DEPENDENCIES = {"zope"}

#: What a single file may import besides, and only when it is used: from an extra.
EXTRAS = {
    "cred/passwords.py": {"argon2"},
    "conch/manhole/_prompt.py": {"prompt_toolkit", "pygments"},
    "internet/_tls/_crypto.py": {"cryptography"},
    "internet/inotify.py": {"asyncinotify"},
    "compat/_run.py": {"uvloop"},
    "internet/uvloopreactor.py": {"uvloop"},
    "persisted/_encryption.py": {"cryptography"},
    "scripts/trial.py": {"uvloop"},
    "trial/reporter.py": {"subunit"},
    "python/shortcut.py": {"pythoncom", "win32com"},
    "python/url.py": {"hyperlink"},
}


def package_of(name: str) -> str:
    """What a dotted name counts as a part of."""
    two = ".".join(name.split(".")[1:3])
    return ABOVE.get(two, name.split(".")[1])


def floor_of(package: str) -> int:
    for number, packages in enumerate(FLOORS):
        if package in packages:
            return number
    raise LookupError(f"reactorlib.{package} stands on no floor: add it to FLOORS")


def typing_only(tree: ast.Module) -> set[ast.AST]:
    """What stands under `if TYPE_CHECKING:`, and so is never imported."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of every import in a file that can run."""
    tree = ast.parse(path.read_text())
    skipped = typing_only(tree)
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides its floor"
            assert node.module is not None
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


SOURCES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    inside = path.relative_to(ROOT).parts
    if len(inside) == 1:
        own, own_floor = "", len(FLOORS)
    else:
        own = package_of(".".join(("reactorlib", *path.relative_to(ROOT).with_suffix("").parts)))
        own_floor = floor_of(own)
    if path.relative_to(ROOT).as_posix() in FACES_OF_LOGGER:
        own_floor = floor_of("logger") + 1
    for line, name in imports(path):
        parts = name.split(".")
        where = f"{path}:{line}"
        if parts[0] == "reactorlib":
            if len(parts) > 1 and package_of(name) not in (own, "__version__"):
                assert floor_of(package_of(name)) < own_floor, f"{where} imports {name} from above"
        elif parts[0] not in sys.stdlib_module_names:
            allowed = CORE_DEPENDENCIES | EXTRAS.get(path.relative_to(ROOT).as_posix(), set())
            assert parts[0] in allowed, f"{where} imports {name}"


def test_the_floors_are_checked_at_all() -> None:
    """The reader of imports sees what it is there to see."""
    found = {name for path in SOURCES for _, name in imports(path)}
    assert "reactorlib.python.failure.Failure" in found
    assert "reactorlib.internet.defer.Deferred" in found
