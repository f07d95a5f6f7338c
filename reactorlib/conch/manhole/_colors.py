"""Python in colours, on a terminal."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Iterator

__all__ = ["lastColorizedLine"]

_NORMAL = b"\x1b[0m"
_KEYWORD = b"\x1b[1;34m"
_NAME = b"\x1b[1;36m"
_STRING = b"\x1b[32m"
_NUMBER = b"\x1b[36m"
_OPERATOR = b"\x1b[35m"
_COMMENT = b"\x1b[2m"

#: What is not text of the program.
_LAYOUT = {
    tokenize.NEWLINE,
    tokenize.NL,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ERRORTOKEN,
}
_BY_TYPE = {
    tokenize.STRING: _STRING,
    tokenize.NUMBER: _NUMBER,
    tokenize.OP: _OPERATOR,
    tokenize.COMMENT: _COMMENT,
    # The parts of f-strings, which have tokens of their own from Python 3.12 on.
    **{
        getattr(tokenize, name): _STRING
        for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
        if hasattr(tokenize, name)
    },
}

_Position = tuple[int, int]


def lastColorizedLine(source: str | bytes) -> bytes:
    """
    The last line of a Python program, as far as it has been typed, in colours.

    Args:
        source: the program; bytes are UTF-8.

    Returns:
        the line in UTF-8, with the control sequences of a VT100.
    """
    if isinstance(source, bytes):
        source = source.decode("utf-8", "replace")
    line = source.rpartition("\n")[2]
    row = source.count("\n") + 1
    parts: list[bytes] = []
    done = 0
    for (first, begin), (last, end), color in _colored(source):
        start = begin if first == row else 0
        stop = end if last == row else len(line)
        if last < row or first > row or start < done:
            continue
        parts.append(line[done:start].encode("utf-8"))
        if stop > start:
            parts.append(color + line[start:stop].encode("utf-8") + _NORMAL)
        done = stop
    parts.append(line[done:].encode("utf-8"))
    return b"".join(parts)


def _colored(source: str) -> Iterator[tuple[_Position, _Position, bytes]]:
    """From where to where something has a colour, and which; rows count from 1."""
    defined = False
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in _LAYOUT:
                continue
            color = _BY_TYPE.get(token.type)
            if token.type == tokenize.NAME:
                if keyword.iskeyword(token.string):
                    color = _KEYWORD
                elif defined:
                    color = _NAME
            defined = token.string in ("def", "class")
            if color is not None:
                yield token.start, token.end, color
    except tokenize.TokenError as why:
        message, position = why.args
        if "string" in message:
            # One in triple quotes has not ended yet.
            row, column = position
            yield (row, max(column, 0)), (source.count("\n") + 2, 0), _STRING
    except SyntaxError:
        pass  # the rest is not Python, or not yet
