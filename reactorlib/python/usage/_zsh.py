"""Completion in zsh, by its function `_arguments`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from reactorlib.python.usage._completers import FLAG, ZSH
from reactorlib.python.usage._completion import Metadata, identifier, locate

__all__ = ["answer", "setup"]


def setup(command: str) -> str:
    """What makes zsh ask: to be evaluated, or kept as a file in its `fpath`."""
    function = f"_{identifier(command)}"
    return f"""\
#compdef {command}
{function}() {{
    eval "$("${{(@Q)words[1]}}" "${{(@Q)words[2,-1]}}" {FLAG} zsh:$CURRENT 2>/dev/null)"
}}
if [[ "$funcstack[1]" == "{function}" ]]; then
    {function} "$@"
else
    compdef {function} {shlex.quote(command)}
fi
"""


def answer(options: Any, words: Sequence[str], at: int, command: str) -> str:
    """The code for a place in a command line."""
    place = locate(options, words[:at])
    lines = [f"#compdef {command}"]
    if place.start:
        # The subcommand takes the place of the command.
        lines.append(
            f'words=("${{(@)words[{place.start + 1},-1]}}"); (( CURRENT -= {place.start} ))'
        )
    commands = place.known.commands()
    specs = ["*::subcmd:->subcmd"] if commands else []
    specs += _argument_specs(place.known)
    for name in place.known.names:
        specs += _option_specs(place.known, name)
    quoted = " \\\n".join(shlex.quote(spec) for spec in specs)
    lines.append(f"_arguments -s -A '-*' \\\n{quoted} \\\n&& return 0")
    if commands:
        lines += [
            "local _zsh_subcmds_array",
            "_zsh_subcmds_array=(",
            *(shlex.quote(f"{_escaped(name)}:{doc}") for name, _, _, doc in commands),
            ")",
            '_describe "sub-command" _zsh_subcmds_array',
        ]
    return "\n".join(lines) + "\n"


def _argument_specs(known: Metadata) -> list[str]:
    return [action._shellCode("", ZSH) for action in known.extra]


def _option_specs(known: Metadata, name: str) -> list[str]:
    """How `_arguments` is told of an option, once for each way to write it."""
    spellings = known.spellings(name)
    excluded = known.excluded(name)
    others = {other for n in excluded if n != name for other in known.spellings(n)}
    if name in excluded:
        others.update(spellings)
    if name in known.multiple:
        others.clear()
    description = known.description(name).replace("\\", "\\\\")
    description = description.replace("[", r"\[").replace("]", r"\]")
    specs = []
    for spelling in spellings:
        beside = " ".join(sorted(others - {spelling}))
        spec = f"({beside})" if beside else ""
        if name in known.multiple:
            spec += "*"
        spec += spelling
        if known.takes_value(name):
            if spelling.startswith("--"):
                spec += "="
            spec += f"[{description}]{known.completer(name)._shellCode(name, ZSH)}"
        else:
            spec += f"[{description}]"
        specs.append(spec)
    return specs


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", r"\:")
