"""Text: wrapped, split, and found in files."""

from __future__ import annotations

import io
from typing import Any

import pytest

from reactorlib.python import text


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ("", []),
        ("a b  c\nd e f g", ["a b c d e", "f g"]),
        ("one\n\ntwo", ["one", "", "two", ""]),
        ("averyverylongword a-b c-dd", ["averyverylongword", "a-b c-dd"]),
    ],
)
def test_words_are_wrapped(given: str, lines: list[str]) -> None:
    assert text.greedyWrap(given, 10) == lines


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", []),
        ("a  b", ["a", "b"]),
        ('the "hairy monkey" likes pie', ["the", "hairy monkey", "likes", "pie"]),
        ("a 'b c' ''", ["a", "b c", ""]),
        ("it's a\"b", ["it's", 'a"b']),
        ('"it\'s so"', ["it's so"]),
        ('a "b c', ["a", "b c"]),
    ],
)
def test_quoted_words(given: str, words: list[str]) -> None:
    assert text.splitQuoted(given) == words


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("wanted", "there"), [("needle", True), ("edle hay", True), ("needles", False), ("h", True)]
)
def test_text_in_files(
    wanted: str, there: bool, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_CHUNK", size)
    assert text.strFile(wanted, io.StringIO("a haystack, a needle hay")) is there
    assert text.strFile(wanted.encode(), io.BytesIO(b"a haystack, a needle hay")) is there
    assert text.strFile(wanted.upper(), io.StringIO("a haystack, a needle hay"), False) is there


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (5, "5"),
        ([], "[]"),
        (("a",), "(a,)"),
        ([1, [2, 3]], "[1,\n [2,\n  3,],]\n"),
        ({"a": [1, 2], "b": 2}, "{a:\n   [1,\n    2,]\n b: 2}\n"),
    ],
)
def test_nested_values(value: Any, shown: str) -> None:
    assert text.stringyString(value) == shown


def test_lines() -> None:
    assert text.isMultiline("a\nb")
    assert not text.isMultiline("a")
    assert text.endsInNewline("a\n")
    assert not text.endsInNewline("a\nb")
    assert text.removeLeadingBlanks(["", " ", "a", ""]) == ["a", ""]
    assert text.removeLeadingTrailingBlanks("\n\n  a\n\nb\n\n") == "  a\n\nb\n"
