r"""
Descriptions of endpoints, taken apart.

    description = kind *( ":" argument )
    argument    = [ name "=" ] value

A backslash makes the character after it an ordinary one: `\:`, `\=`, `\\`. Only
the first `=` of an argument divides it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Argument",
    "BadArgument",
    "Description",
    "DescriptionError",
    "_parse",
    "as_text",
    "call",
    "quoteStringArgument",
    "take_apart",
]


class DescriptionError(ValueError):
    """
    The description of an endpoint is no good; a note shows where.

    Attributes:
        description: the whole of it.
        position: where in it, in characters from the start.
        reason: what is wrong there; the text of the error.
    """

    def __init__(self, description: str, position: int, reason: str) -> None:
        super().__init__(description, position, reason)
        self.description = description
        self.position = position
        self.reason = reason
        self.add_note(f"  {description}\n  {' ' * position}^")

    def __str__(self) -> str:
        return self.reason


class UnknownKind(DescriptionError):
    """There is no such kind of endpoint."""

    def __init__(self, description: str, kind: str, known: Iterable[str]) -> None:
        super().__init__(description, 0, f"Unknown endpoint type: '{kind}'")
        self.add_note(f"There are: {', '.join(sorted(known))}.")


class BadArgument(ValueError):
    """An argument of a description is no good, says the parser of its kind."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class Argument:
    """What stands between two colons."""

    name: str | None
    value: str
    position: int
    #: Where the value begins.
    value_position: int


@dataclass(frozen=True, slots=True)
class Description:
    """The description of an endpoint."""

    text: str
    kind: str
    arguments: tuple[Argument, ...]


def as_text(description: str | bytes) -> str:
    """
    A description in text.

    Raises:
        ValueError: it is neither text nor UTF-8.
    """
    if isinstance(description, bytes):
        return description.decode("utf-8")
    if not isinstance(description, str):
        raise TypeError(f"the description of an endpoint is text, not {description!r}")
    return description


def quoteStringArgument(argument: str) -> str:
    """
    Quote a value that is to stand in the description of an endpoint.

    Args:
        argument: anything, such as a path.

    Returns:
        the same with backslashes where colons and backslashes need them.
    """
    return argument.replace("\\", "\\\\").replace(":", "\\:")


def take_apart(text: str) -> Description:
    """
    Take a description apart.

    Raises:
        DescriptionError: it ends in a backslash that quotes nothing, or has no kind.
    """
    parts: list[Argument] = []
    name: str | None = None
    value: list[str] = []
    begin = value_begin = at = 0
    end = len(text)
    while True:
        if at >= end or text[at] == ":":
            parts.append(Argument(name, "".join(value), begin, value_begin))
            if at >= end:
                break
            name, value = None, []
            begin = value_begin = at + 1
        elif text[at] == "\\":
            if at + 1 >= end:
                raise DescriptionError(text, at, "a backslash at the end quotes nothing")
            at += 1
            value.append(text[at])
        elif text[at] == "=" and name is None and parts:
            name, value = "".join(value), []
            value_begin = at + 1
        else:
            value.append(text[at])
        at += 1
    first, *rest = parts
    if not first.value:
        raise DescriptionError(text, 0, "a description begins with a kind, such as tcp:")
    if len(rest) == 1 and rest[0].name is None and not rest[0].value:
        rest = []  # "stdio:" has no arguments
    return Description(text, first.value, tuple(rest))


def _parse(description: str) -> tuple[list[str], dict[str, str]]:
    """A description's kind and arguments without a name, and the arguments with one."""
    taken = take_apart(description)
    unnamed = [each.value for each in taken.arguments if each.name is None]
    named = {each.name: each.value for each in taken.arguments if each.name is not None}
    return [taken.kind, *unnamed], named


def call(
    parse: Callable[..., Any], reactor: Any, description: Description, skip_named: bool = False
) -> Any:
    """
    Have the parser of a kind make the endpoint.

    Args:
        parse: what takes the arguments, as a parser's `parseStreamServer` does.
        skip_named: whether an argument without a name is for the first parameter
            that is not given by name; or else for the next.

    Raises:
        DescriptionError: an argument is unknown, missing, given twice or no good.
    """
    assigned = _assign(parse, description, skip_named)
    args = [each.value for name, each in assigned.items() if name.isdigit()]
    kwargs = {name: each.value for name, each in assigned.items() if not name.isdigit()}
    try:
        return parse(reactor, *args, **kwargs)
    except BadArgument as bad:
        found = assigned.get(bad.name)
        position = len(description.text) if found is None else found.value_position
        raise DescriptionError(description.text, position, str(bad)) from bad.__cause__


def _assign(
    parse: Callable[..., Any], description: Description, skip_named: bool
) -> dict[str, Argument]:
    """Each argument by the name of its parameter; or by its number, where any may follow."""

    def wrong(position: int, reason: str) -> DescriptionError:
        return DescriptionError(description.text, position, f"{description.kind}: {reason}")

    parameters = [*inspect.signature(parse).parameters.values()]
    if parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        del parameters[0]  # the reactor
    free = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    named = {each.name for each in parameters if each.kind in _NAMED}
    any_more = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    any_named = any(each.kind is each.VAR_KEYWORD for each in parameters)
    if skip_named:
        given = {each.name for each in description.arguments}
        free = [name for name in free if name not in given]
    most = len(free)
    assigned: dict[str, Argument] = {}
    for argument in description.arguments:
        at = argument.position
        if argument.name is not None:
            name = argument.name
            if name not in named and not (any_named and name.isidentifier()):
                known = ", ".join(sorted(named)) or "none"
                raise wrong(at, f"has no argument {name!r}; it has: {known}")
        elif free:
            name = free.pop(0)
        elif any_more:
            name = str(len(assigned))
        else:
            raise wrong(at, f"takes no more than {most} argument{'s' * (most != 1)} without a name")
        if name in assigned:
            raise wrong(at, f"is given its {name!r} twice")
        assigned[name] = argument
    for each in parameters:
        if each.kind in _NAMED and each.default is each.empty and each.name not in assigned:
            raise wrong(len(description.text), f"needs an argument {each.name!r}")
    return assigned


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
