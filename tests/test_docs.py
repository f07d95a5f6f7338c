"""
The code in the pages of the documentation: it is Python, what it imports is there, and it runs.

A block is run if every name in it is its own, built in, or one of `GIVEN`, with
which the reader is to supply what a page takes for granted. What would run for
ever is stopped.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import shutil
import subprocess
import symtable
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    page for folder in ("", "howto", "porting") for page in ROOT.glob(f"docs/{folder}/*.md")
)

#: What a page takes for granted, and the statement that gives it.
GIVEN = {
    "asyncio": "import asyncio",
    "hashlib": "import hashlib",
    "os": "import os",
    "ssl": "from reactorlib.internet import ssl",
    "sys": "import sys",
    "task": "from reactorlib.internet import task",
    "threading": "import threading",
    "reactor": "from reactorlib.internet import reactor",
    "Deferred": "from reactorlib.internet.defer import Deferred",
    "DeferredQueue": "from reactorlib.internet.defer import DeferredQueue",
    "deferToThread": "from reactorlib.internet.threads import deferToThread",
    "CONNECTION_DONE": "from reactorlib.internet.main import CONNECTION_DONE",
    "FileDescriptor": "from reactorlib.internet.abstract import FileDescriptor",
    "DatagramProtocol": "from reactorlib.internet.protocol import DatagramProtocol",
    "Factory": "from reactorlib.internet.protocol import Factory",
    "ProcessProtocol": "from reactorlib.internet.protocol import ProcessProtocol",
    "Protocol": "from reactorlib.internet.protocol import Protocol",
    "LineReceiver": "from reactorlib.protocols.basic import LineReceiver",
    "StandardIO": "from reactorlib.internet.stdio import StandardIO",
    "TCP4ClientEndpoint": "from reactorlib.internet.endpoints import TCP4ClientEndpoint",
    "ThreadPool": "from reactorlib.python.threadpool import ThreadPool",
    "factory": "from reactorlib.internet.protocol import Factory as F, Protocol as P\n"
    "factory = F.forProtocol(P)",
    "stop": "import asyncio\nstop = asyncio.Event()\nstop.set()",
    "read_rows": "read_rows = len",
    "render": "render = str",
    "log_it": "log_it = print",
    "report": "report = print",
    "implementer": "from zope.interface import implementer",
    "IHandshakeListener": "from reactorlib.internet.interfaces import IHandshakeListener",
}

#: Runs a block, however it is written, and sees it end.
HARNESS = """
import ast, asyncio, sys
from inspect import CO_COROUTINE
from reactorlib.internet import error, reactor

source = sys.stdin.read()
sys.argv = ["program", "argument"]
code = compile(source, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
names = {"__name__": "__main__"}
ran = []

def end():
    try:
        reactor.stop()
    except error.ReactorNotRunning:
        pass  # the loop is not the reactor's, or ends already

if code.co_flags & CO_COROUTINE:
    async def main():
        async with reactor:
            await eval(code, names)
    asyncio.run(main())
else:
    reactor.addSystemEventTrigger("after", "shutdown", ran.append, True)
    reactor.callLater(0.3, end)
    exec(code, names)
    if not ran and "asyncio.run(" not in source:
        reactor.run()
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of Python in a page."""

    page: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def tree(self) -> ast.Module:
        source = compile(
            self.code, str(self), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        assert isinstance(source, ast.Module)
        return source

    def wanted(self) -> set[str]:
        """The names that it uses and does not make."""
        inside = "async def block():\n" + textwrap.indent(self.code, "    ", lambda _: True)
        return set(_free(symtable.symtable(inside, str(self), "exec"))) - {"block"}

    def program(self) -> str:
        """What to run: ports are any that are free, since tests run side by side."""
        given = [GIVEN[name] for name in sorted(self.wanted() & GIVEN.keys())]
        code = re.sub(r"(\.listen\w+\()\d+", r"\g<1>0", self.code)
        return "\n".join([*given, code])


def _free(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_global() and not hasattr(builtins, symbol.get_name()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _free(inner)


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in re.finditer(r"^```python[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page.relative_to(ROOT / "docs").as_posix(), line, found[1])


BLOCKS = [block for page in PAGES for block in blocks(page)]

#: Complete, and yet not to be run here: it needs a file, a name or a program of the reader's.
LEFT_OUT = {"in-asyncio.md": "routes=...", "watching-files.md": "/srv/incoming"}


def runs(block: Block) -> bool:
    if any(mark in block.code for mark in LEFT_OUT.values()) or ".pem" in block.code:
        return False
    return block.wanted() <= GIVEN.keys() and not re.search(r"example\.com|239\.255", block.code)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_python_and_imports_what_is_there(block: Block) -> None:
    for node in ast.walk(block.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("reactorlib"):
                    importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reactorlib"):
            try:
                module = importlib.import_module(node.module or "")
            except ModuleNotFoundError as exception:
                if (exception.name or "").startswith("reactorlib"):
                    raise
                continue  # an extra that is not installed
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


#: Names that mean the same in every page, and what has their attributes.
WELL_KNOWN = {
    "reactor": "reactorlib.internet.asyncioreactor.AsyncioSelectorReactor",
    "ssl": "reactorlib.internet.ssl",
    "task": "reactorlib.internet.task",
}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_uses_what_is_there(block: Block) -> None:
    for node in ast.walk(block.tree):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        path = WELL_KNOWN.get(node.value.id)
        if path is None or "standard library's ssl" in block.code:
            continue
        where, _, name = path.rpartition(".")
        try:
            known: object = importlib.import_module(path)
        except ModuleNotFoundError:
            known = getattr(importlib.import_module(where), name)
        assert hasattr(known, node.attr), f"{block}: {node.value.id} has no {node.attr}"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("block", [block for block in BLOCKS if runs(block)], ids=str)
def test_a_block_that_is_complete_runs(block: Block, tmp_path: Path) -> None:
    if '"bc"' in block.code and shutil.which("bc") is None:
        pytest.skip("there is no bc")
    (tmp_path / "file").touch()
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", HARNESS],
        input=block.program(),
        capture_output=True,
        text=True,
        timeout=20,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_blocks_are_found_and_run_at_all() -> None:
    assert len(BLOCKS) > 40
    assert sum(map(runs, BLOCKS)) > 10
