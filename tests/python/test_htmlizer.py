"""Python source as HTML."""

from __future__ import annotations

import html
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import reactorlib
from reactorlib.python import htmlizer


def page(source: str, smaller: bool = True, encoding: str = "utf-8") -> str:
    out = io.BytesIO()
    writer = htmlizer.SmallerHTMLWriter if smaller else htmlizer.HTMLWriter
    htmlizer.filter(io.BytesIO(source.encode(encoding)), out, writer)
    return out.getvalue().decode(encoding)


def short(source: str) -> str:
    """The page with `kind:word` for spans."""
    text = page(source).removeprefix("<pre>").removesuffix("</pre>\n")
    return html.unescape(
        re.sub(r'<span class="py-src-(\w+)">(.*?)</span>', r"\1:\2", text, flags=re.S)
    )


def test_every_token_has_a_span() -> None:
    assert page("foo\n", smaller=False) == (
        '<pre><span class="py-src-variable">foo</span><span class="py-src-newline">\n'
        '</span><span class="py-src-endmarker"></span></pre>\n'
    )
    assert page("", smaller=False) == '<pre><span class="py-src-endmarker"></span></pre>\n'


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("x = 0x10 # c <&>\n", "variable:x = number:0x10 comment:# c <&>\n"),
        ("class X(Y): pass\n", "variable:class identifier:X(parameter:Y): variable:pass\n"),
        (
            "def f(a, *b, c=(d, e), **g: h) -> i: j(k)\n",
            "variable:def identifier:f(parameter:a, *parameter:b, parameter:c=(variable:d, "
            "variable:e), **parameter:g: variable:h) -> variable:i: variable:j(variable:k)\n",
        ),
        (
            "def f(\n  a,\n  b): c\n",
            "variable:def identifier:f(\n  parameter:a,\n  parameter:b): variable:c\n",
        ),
        ("f'{a}<' 'b'\n", "string:f'{a}<' string:'b'\n"),
        ("f'''{a\n} {{ {f'{b}'}'''\n", "string:f'''{a\n} {{ {f'{b}'}'''\n"),
        ("a + \\\n  b\n", "variable:a + \\\n  variable:b\n"),
        ("if a:\n    b", "variable:if variable:a:\n    variable:b\n"),
    ],
)  # fmt: skip
def test_kinds_of_words(source: str, shown: str) -> None:
    assert short(source) == shown


SOURCES = sorted(Path(reactorlib.__file__).parent.glob("python/*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
@pytest.mark.parametrize("smaller", [True, False])
def test_no_letter_is_lost(path: Path, smaller: bool) -> None:
    source = path.read_text()
    text = re.sub("<[^>]*>", "", page(source, smaller))
    assert html.unescape(text) == source + "\n"


def test_a_source_has_its_encoding() -> None:
    source = "# coding: latin-1\nx = 'ä'\n"
    assert "&#x27;ä&#x27;" in page(source, encoding="latin-1")


@pytest.mark.parametrize("source", ["x = (1,\n", "'''a\n"])
def test_what_is_no_python(source: str) -> None:
    with pytest.raises((SyntaxError, tokenize.TokenError)):
        page(source)


def test_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("foo\n")
    command = [sys.executable, "-m", "reactorlib.python.htmlizer"]
    done = subprocess.run([*command, str(tmp_path / "x.py")], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode() == page("foo\n", smaller=False)
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 1
    assert b"usage: " in done.stderr
