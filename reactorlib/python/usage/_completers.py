"""What a shell may offer for an argument."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = [
    "CompleteDirs",
    "CompleteFiles",
    "CompleteGroups",
    "CompleteHostnames",
    "CompleteList",
    "CompleteMultiList",
    "CompleteNetInterfaces",
    "CompleteUserAtHost",
    "CompleteUsernames",
    "Completer",
    "Completions",
]

ZSH = "zsh"

#: The last but one word of a command line by which a shell asks what can be typed.
FLAG = "--_shell-completion"


class Completions:
    """
    What is known for completion, beyond the options themselves: `Options.compData`.

    Args:
        descriptions: a text by option, in place of its own.
        multiUse: options that may be given more than once.
        mutuallyExclusive: sets of options of which one may be given.
        optActions: a `Completer` by option, for its argument.
        extraActions: a `Completer` for each other argument, in order.
    """

    def __init__(
        self,
        descriptions: Mapping[str, str] = {},
        multiUse: Iterable[str] = [],
        mutuallyExclusive: Iterable[Iterable[str]] = [],
        optActions: Mapping[str, Any] = {},
        extraActions: Iterable[Any] = [],
    ) -> None:
        self.descriptions = descriptions
        self.multiUse = multiUse
        self.mutuallyExclusive = mutuallyExclusive
        self.optActions = optActions
        self.extraActions = extraActions


class Completer:
    """
    An argument that nothing can be offered for.

    Args:
        descr: what the argument is; by default the option's name.
        repeat: whether any number of arguments from here on is the same.
    """

    _descr: str | None = None
    #: What is offered, in words that every shell's code has something for.
    _kind = "nothing"

    def __init__(self, descr: str | None = None, repeat: bool = False) -> None:
        if descr is not None:
            self._descr = descr
        self._repeat = repeat

    def _description(self, name: str) -> str:
        return self._descr if self._descr is not None else name

    def _action(self, name: str) -> str:
        """What zsh does: the third part of a specification of its `_arguments`."""
        return ""

    def _shell_code(self, name: str, shell: str) -> str:
        """
        What to tell the shell.

        Raises:
            NotImplementedError: it is none that is known.
        """
        if shell != ZSH:
            raise NotImplementedError(f"there is no completion for the shell {shell!r}")
        description = self._description(name).replace(":", "\\:")
        return f"{'*' if self._repeat else ''}:{description}:{self._action(name)}"

    def _shellCode(self, optName: str, shellType: str) -> str:
        return self._shell_code(optName, shellType)


def _words(items: Sequence[str]) -> str:
    """Words as they stand in a specification of `_arguments`."""
    return " ".join(shlex.quote(item).replace(":", "\\:") for item in items)


class CompleteFiles(Completer):
    """
    A file.

    Args:
        globPattern: what its name looks like.
    """

    _kind = "files"

    def __init__(self, globPattern: str = "*", **kw: Any) -> None:
        super().__init__(**kw)
        self._pattern = globPattern

    def _description(self, name: str) -> str:
        return f"{super()._description(name)} ({self._pattern})"

    def _action(self, name: str) -> str:
        return f'_files -g "{self._pattern}"'


class CompleteDirs(Completer):
    """A directory."""

    _kind = "directories"

    def _action(self, name: str) -> str:
        return "_directories"


class CompleteList(Completer):
    """
    One of several words.

    Args:
        items: the words.
    """

    _kind = "words"

    def __init__(self, items: Sequence[str] | None, **kw: Any) -> None:
        super().__init__(**kw)
        self._items = list(items or ())

    def _action(self, name: str) -> str:
        return f"({_words(self._items)})"


class CompleteMultiList(CompleteList):
    """Some of several words, with commas between them."""

    _kind = "list"

    def _action(self, name: str) -> str:
        return f"_values -s , '{self._description(name)}' {_words(self._items)}"


class CompleteUsernames(Completer):
    """A user of the system."""

    _kind = "users"

    def _action(self, name: str) -> str:
        return "_users"


class CompleteGroups(Completer):
    """A group of the system."""

    _kind = "groups"
    _descr = "group"

    def _action(self, name: str) -> str:
        return "_groups"


class CompleteHostnames(Completer):
    """A host."""

    _kind = "hosts"

    def _action(self, name: str) -> str:
        return "_hosts"


class CompleteUserAtHost(Completer):
    """A host, or `user@host`."""

    _kind = "user@host"
    _descr = "host | user@host"

    def _action(self, name: str) -> str:
        return "_user_at_host"


class CompleteNetInterfaces(Completer):
    """A network interface."""

    _kind = "interfaces"

    def _action(self, name: str) -> str:
        return "_net_interfaces"
