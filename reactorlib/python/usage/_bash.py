"""Completion in bash, by its command `compgen`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from reactorlib.python.usage._completers import FLAG
from reactorlib.python.usage._completion import expand, identifier, offers

__all__ = ["answer", "setup"]

#: What bash knows itself: arguments of `compgen`.
_KNOWN = {"directories": "-d", "users": "-u", "groups": "-g", "hosts": "-A hostname"}


def setup(command: str) -> str:
    """What makes bash ask: to be evaluated."""
    function = f"_{identifier(command)}_completion"
    return f"""\
{function}() {{
    local IFS=$'\\n'
    COMPREPLY=()
    eval "$("${{COMP_WORDS[0]}}" "${{COMP_WORDS[@]:1}}" {FLAG} \\
        "bash:$((COMP_CWORD + 1))" 2>/dev/null)"
}}
complete -F {function} {shlex.quote(command)}
"""


def answer(options: Any, words: Sequence[str], at: int, command: str) -> str:
    """The code for a place in a command line: it sets COMPREPLY."""
    words, at = _joined(words, at)
    found, completer, typed = offers(options, words, at)
    special: Any = completer
    known = expand(special, typed)
    replies = [*found, *(known or [])]
    if replies:
        return f"COMPREPLY=({' '.join(map(shlex.quote, replies))})\n"
    current = shlex.quote(typed)
    if special._kind == "files":
        pattern = shlex.quote(f"!{special._pattern}")
        return (
            f"COMPREPLY=($(compgen -f -X {pattern} -- {current}; compgen -d -- {current}))\n"
            "compopt -o filenames 2>/dev/null\n"
        )
    if special._kind == "user@host":
        user, sign, host = typed.rpartition("@")
        prefix = shlex.quote(user + sign)
        return f"COMPREPLY=($(compgen -A hostname -P {prefix} -- {shlex.quote(host)}))\n"
    if special._kind in _KNOWN:
        names = "compopt -o filenames 2>/dev/null\n" if special._kind == "directories" else ""
        return f"COMPREPLY=($(compgen {_KNOWN[special._kind]} -- {current}))\n{names}"
    return ""


def _joined(words: Sequence[str], at: int) -> tuple[list[str], int]:
    """
    The words without the cuts that bash makes at each equals sign: of `--name=value`.

    What is offered is then the value alone.
    """
    joined: list[str] = []
    index = 0
    place = at
    while index < len(words):
        word = words[index]
        if word.startswith("--") and words[index + 1 : index + 2] == ["="]:
            # The value is not there yet where the equals sign is what is typed.
            parts = 2 if at == index + 1 else 3
            if index <= at < index + parts and at != index:
                place = len(joined)
                word = "".join(words[index : at + 1])
                parts = at - index + 1
            else:
                word = "".join(words[index : index + parts])
            index += parts
        else:
            if index == at:
                place = len(joined)
            index += 1
        joined.append(word)
    return joined, place
