"""The text of --help."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["commands_text", "docMakeChunks", "one_line"]

# Below that, descriptions would be a word to the line.
_NARROWEST = 20


def one_line(doc: str | None) -> str:
    """A docstring's first paragraph, or all of another text, in one line."""
    if not doc:
        return ""
    return " ".join(inspect.cleandoc(doc).split("\n\n", 1)[0].split())


def docMakeChunks(optList: Iterable[Mapping[str, Any]], width: int = 80) -> list[str]:
    """
    The descriptions of options, below each other.

    Args:
        optList: for each option a dictionary with `long`, `short`, `doc`,
            `optType` ("flag" or "parameter") and `default`; None or not there
            where there is none.
        width: how wide it may be, in characters.

    Returns:
        the text of each, its line end included.
    """
    left: list[tuple[str, str]] = []
    for option in optList:
        short, long = option.get("short"), option.get("long")
        takes = option.get("optType") == "parameter"
        name = f"-{short}" if short else "  "
        if long:
            name += f"{', ' if short else '  '}--{long}{'=' if takes else ''}"
        elif takes:
            name += "="
        doc = " ".join((option.get("doc") or "").split())
        default = option.get("default")
        if takes and default is not None:
            doc = f"{doc} [default: {default}]".lstrip()
        left.append((f"  {name}", doc))
    column = max((len(name) for name, _ in left), default=0) + 2
    chunks: list[str] = []
    for name, doc in left:
        lines = textwrap.wrap(doc, max(width - column, _NARROWEST)) or [""]
        chunks.append(
            f"{name:<{column}}{lines[0]}".rstrip()
            + "".join(f"\n{'':<{column}}{line}" for line in lines[1:])
            + "\n"
        )
    return chunks


def commands_text(commands: Iterable[Any], width: int) -> str:
    """The descriptions of subcommands."""
    rows = [(name, " ".join((doc or "").split())) for name, _, _, doc in commands]
    column = max((len(name) for name, _ in rows), default=0) + 8
    lines = ["Commands:"]
    for name, doc in rows:
        wrapped = textwrap.wrap(doc, max(width - column, _NARROWEST)) or [""]
        lines.append(f"    {name:<{column - 4}}{wrapped[0]}".rstrip())
        lines += [f"{'':<{column}}{line}" for line in wrapped[1:]]
    return "\n".join(lines) + "\n"
