"""What is said of an error."""

from __future__ import annotations

from reactorlib.application._blame import in_one_line
from reactorlib.application._workers import StartFailed
from reactorlib.persisted.error import NameRefused
from reactorlib.python.usage import UsageError

__all__ = ["NoApplication", "explain"]


class NoApplication(Exception):
    """What a file calls `application` is none."""


def explain(error: BaseException) -> str:
    """An error in one line, for whoever has called the program."""
    if isinstance(error, (NoApplication, StartFailed, UsageError)):
        return " ".join(str(error).split())
    text = in_one_line(error)
    if isinstance(error, NameRefused):
        return f"{text}: if that is right, say --allow {error.name}"
    return text
