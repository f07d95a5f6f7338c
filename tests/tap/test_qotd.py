"""A quote of the day, RFC 865: the quotes by themselves, and over a socket."""

from __future__ import annotations

import ast
import asyncio
import inspect
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from reactorlib.python.usage import UsageError
from reactorlib.tap import _quoters, qotd

from ._programs import make, run, running


def test_the_quotes_know_no_framework() -> None:
    tree = ast.parse(inspect.getsource(_quoters))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert all(str(name).partition(".")[0] in sys.stdlib_module_names for name in names)


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("one\n%\ntwo\nlines\n", {"one", "two\nlines"}),
        ("only", {"only"}),
        ("%\n%\none\n%\n\n%\n", {"one"}),
        ("50 % off\n%\n", {"50 % off"}),
        ("ü\n%\n", {"ü"}),
    ],
)
def test_fortunes(tmp_path: Path, text: str, quotes: set[str]) -> None:
    path = tmp_path / "fortunes"
    path.write_text(text, encoding="utf-8")
    quoter = _quoters.FortuneQuoter([str(path)])
    assert {quoter.getQuote() for _ in range(100)} == quotes


async def test_the_default_quote() -> None:
    async with running(qotd, "--port", "tcp:0:interface=127.0.0.1") as where:
        reader, writer = await asyncio.open_connection(*where)
        assert await reader.read() == b"An apple a day keeps the doctor away.\r\n"
        writer.close()


async def test_quotes_from_a_file_that_changes(tmp_path: Path, caplog: Any) -> None:
    path = tmp_path / "fortunes"
    path.write_text("two\nlines\n%\n")
    async with running(qotd, "-p", "tcp:0:interface=127.0.0.1", "-f", str(path)) as where:
        for text, quote in [("two\nlines", b"two\r\nlines\r\n"), ("new", b"new\r\n"), ("", b"")]:
            path.write_text(text)
            reader, writer = await asyncio.open_connection(*where)
            assert await reader.read() == quote
            writer.close()
    assert "there is no quote: there is no quote in" in caplog.text


@pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
async def test_nc_gets_a_quote() -> None:
    async with running(qotd, "-p", "tcp:0:interface=127.0.0.1", "-s", "Be brief.") as (host, port):
        assert await run("nc", host, str(port)) == (0, b"Be brief.\r\n")


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("%\n%\n")
    for argv, why in [
        (["--file", "/no/such"], "/no/such cannot be read: No such file"),
        (["--file", str(empty)], "there is no quote in"),
        (["--port", "nowhere:1"], "cannot listen at 'nowhere:1'"),
        (["--port", "99999"], "cannot listen at '99999'"),
    ]:
        with pytest.raises(UsageError, match=why):
            make(qotd, *argv)


def test_it_can_be_saved() -> None:
    saved = pickle.loads(pickle.dumps(make(qotd, "--static", "Save.")))
    assert saved.factory.quoter.getQuote() == "Save."
