"""Completion in fish, by what a command substitution prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reactorlib.python.usage._completers import FLAG
from reactorlib.python.usage._completion import expand, identifier, offers

__all__ = ["answer", "setup"]

#: What fish knows itself: its functions.
_KNOWN = {
    "directories": "__fish_complete_directories",
    "users": "__fish_complete_users",
    "groups": "__fish_complete_groups",
    "hosts": "__fish_print_hostnames",
    "user@host": "__fish_complete_user_at_hosts",
}


def setup(command: str) -> str:
    """What makes fish ask: to be sourced, or kept as a file of its `completions`."""
    function = f"__{identifier(command)}_completion"
    return f"""\
function {function}
    set -l words (commandline -cpo)
    set -l current (commandline -ct)
    set -l index (math (count $words) + 1)
    $words[1] $words[2..] "$current" {FLAG} fish:$index 2>/dev/null | source
end
complete -c {_quoted(command)} -f -a '({function})'
"""


def answer(options: Any, words: Sequence[str], at: int, command: str) -> str:
    """The code for a place in a command line: it prints what is offered."""
    found, completer, typed = offers(options, words, at)
    special: Any = completer
    # What comes before the value, fish has to be told again.
    before = words[at].removesuffix(typed)
    lines = [f"{word}\t{doc}" for word, doc in found.items()]
    lines += [f"{before}{word}" for word in expand(special, typed) or []]
    if lines:
        return f"printf '%s\\n' {' '.join(map(_quoted, lines))}\n"
    if special._kind == "files":
        code = f"__fish_complete_path {_quoted(typed)}"
        if special._pattern != "*":
            # Folders too: what is wanted may be in them.
            code = (
                f"for path in ({code}); set -l file (string split \\t -- $path)[1]; "
                f"if string match -q -- {_quoted(special._pattern)} $file; "
                "or string match -q -- '*/' $file; echo $path; end; end"
            )
    elif special._kind == "directories":
        code = f"__fish_complete_directories {_quoted(typed)}"
    elif special._kind in _KNOWN:
        code = _KNOWN[special._kind]
    else:
        return ""
    if before:
        return f"for found in ({code}); echo {_quoted(before)}$found; end\n"
    return code + "\n"


def _quoted(text: str) -> str:
    """A text as fish reads it as one word."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
