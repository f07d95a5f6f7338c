"""Who was given an event, as text."""

from __future__ import annotations

from typing import Any

from reactorlib.logger._interfaces import LogTrace

__all__ = ["formatTrace"]


def formatTrace(trace: LogTrace) -> str:
    """The way of an event, from `log_trace`: who gave it to whom, as a tree."""

    def shown(observer: Any) -> str:
        name = getattr(observer, "name", None)
        return str(observer) if name is None else f"{observer} ({name})"

    lines: list[str] = []
    depth: list[Any] = []
    for giver, taker in trace:
        if giver in depth:
            del depth[depth.index(giver) + 1 :]
        else:
            depth.append(giver)
            if len(depth) == 1:
                lines.append(shown(giver))
        lines.append("  " * len(depth) + "-> " + shown(taker))
    return "".join(line + "\n" for line in lines)
