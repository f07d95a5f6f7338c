"""Text: wrapped, split, and found in files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

__all__ = [
    "endsInNewline",
    "greedyWrap",
    "isMultiline",
    "removeLeadingBlanks",
    "removeLeadingTrailingBlanks",
    "splitQuoted",
    "strFile",
    "stringyString",
    "wordWrap",
]

# How much of a file is read at a time, in characters or bytes.
_CHUNK = 1 << 14


def isMultiline(s: str) -> bool:
    """Whether there is a line end in it."""
    return "\n" in s


def endsInNewline(s: str) -> bool:
    """Whether its last line has an end."""
    return s.endswith("\n")


def greedyWrap(inString: str, width: int = 80) -> list[str]:
    """
    Break text into lines of words.

    Args:
        inString: the text. An empty line ends a paragraph; other line ends are as
            good as spaces.
        width: how long a line may be; only a longer word makes it longer.

    Returns:
        the lines. Of several paragraphs, each has an empty line after it.
    """
    lines: list[str] = []
    paragraphs = inString.split("\n\n")
    for paragraph in paragraphs:
        lines += textwrap.wrap(
            " ".join(paragraph.split()), width, break_long_words=False, break_on_hyphens=False
        )
        if len(paragraphs) > 1:
            lines.append("")
    return lines


wordWrap = greedyWrap


def removeLeadingBlanks(lines: Iterable[str]) -> list[str]:
    """The lines without those at the beginning that are empty."""
    kept: list[str] = []
    for line in lines:
        if kept or line.strip():
            kept.append(line)
    return kept


def removeLeadingTrailingBlanks(s: str) -> str:
    """The text without empty lines at its beginning and end; its last line has an end."""
    lines = removeLeadingBlanks(s.split("\n"))
    lines = removeLeadingBlanks(reversed(lines))
    return "\n".join(reversed(lines)) + "\n"


def splitQuoted(s: str) -> list[str]:
    """
    The words of a text; what is in quotes, single or double, is one word.

    A quote in the middle of a word is a letter, and a quote that is not closed
    ends with the text.
    """
    words: list[str] = []
    quote = ""
    inside: list[str] = []
    for word in s.split():
        if quote:
            if word.endswith(quote):
                inside.append(word[:-1])
                words.append(" ".join(inside))
                quote = ""
            else:
                inside.append(word)
        elif word[0] in "\"'":
            if len(word) > 1 and word.endswith(word[0]):
                words.append(word[1:-1])
            else:
                quote, inside = word[0], [word[1:]]
        else:
            words.append(word)
    if quote:
        words.append(" ".join(inside))
    return words


def strFile(p: Any, f: Any, caseSensitive: bool = True) -> bool:
    """
    Whether a text occurs in a file.

    Args:
        p: the text, or bytes.
        f: the file, open to read what `p` is.
        caseSensitive: whether capital letters differ from others.
    """
    wanted = p if caseSensitive else p.lower()
    kept = p[:0]
    while True:
        if wanted in kept:
            return True
        # A beginning of it can be at the end of what was read.
        kept = kept[max(0, len(kept) - len(p) + 1) :]
        chunk = f.read(_CHUNK)
        if not chunk:
            return False
        kept += chunk if caseSensitive else chunk.lower()


def stringyString(object: Any, indentation: str = "") -> str:
    """
    Text of lists, tuples and dictionaries, each item in a line of its own.

    Args:
        object: what it is of. What is in it is rendered by `str`.
        indentation: what each line begins with.
    """
    inner = indentation + " "
    if isinstance(object, dict):
        opening, closing = "{", "}"
        parts = []
        for key, value in object.items():
            below = stringyString(value, indentation + "   ").rstrip()
            separator = ":\n" if isMultiline(below) else ": "
            parts.append(
                f"{inner}{key}{separator}{below if isMultiline(below) else below.lstrip()}"
            )
    elif isinstance(object, (list, tuple)):
        opening, closing = ("[", "]") if isinstance(object, list) else ("(", ")")
        parts = [f"{stringyString(item, inner).rstrip()}," for item in object]
    else:
        lines = [f"{indentation}{line}" for line in str(object).split("\n")]
        return "\n".join(lines) + ("\n" if len(lines) > 1 else "")
    if not parts:
        return f"{indentation}{opening}{closing}"
    # The bracket takes the place of the space that the first item is indented by.
    text = f"{indentation}{opening}" + "\n".join(parts)[len(inner) :] + closing
    return text + "\n" if isMultiline(text) else text
