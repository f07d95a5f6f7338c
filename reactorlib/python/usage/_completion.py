"""
What a shell may offer at a place in a command line.

The shell calls the command itself, with all words that are there and, as the
last two, `--_shell-completion` and `SHELL:INDEX`: the word that is being typed,
counted from the command's name, which is 1. The answer is code for that shell.
Without the colon and the index, the answer is what makes the shell ask.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reactorlib.python.usage._completers import CompleteFiles, Completer

__all__ = [
    "Metadata",
    "Place",
    "command_name",
    "complete",
    "expand",
    "identifier",
    "locate",
    "offers",
]

SHELLS = ("bash", "fish", "zsh")


def complete(options: Any, words: Sequence[str], command: str) -> str:
    """
    The answer to a shell.

    Args:
        options: the command's `Options`.
        words: the command line, without the command's name.
        command: the name.

    Raises:
        ValueError: what `compData` says is wrong; or the last word is.
    """
    shell, colon, index = words[-1].partition(":")
    if shell not in SHELLS:
        raise ValueError(f"there is no completion for {shell!r}, but for {', '.join(SHELLS)}")
    code = importlib.import_module(f"reactorlib.python.usage._{shell}")
    if not colon:
        return str(code.setup(command))
    typed = list(words[:-2])
    # The name is 1, and is not among the words.
    at = int(index) - 2
    typed += [""] * (at + 1 - len(typed))
    return str(code.answer(options, typed, at, command))


class Metadata:
    """
    What is known of a command's options: declared, and in `compData` of all base classes.

    Attributes:
        names: the long names, sorted.
        letters: the letters, by long name.

    Raises:
        ValueError: `compData` names an option that is not there, or something
            comes after an argument that is repeated.
    """

    def __init__(self, options: Any) -> None:
        self.options = options
        self.names = sorted(set(options.synonyms.values()))
        self.letters: dict[str, list[str]] = {name: [] for name in self.names}
        for alias, name in options.synonyms.items():
            if alias != name:
                self.letters[name].append(alias)
        self.descriptions: dict[str, str] = {}
        self.actions: dict[str, Any] = {}
        self.multiple: set[str] = set()
        self.exclusive: list[Sequence[str]] = []
        self.extra: list[Completer] = []
        for cls in reversed(type(options).__mro__):
            data = vars(cls).get("compData")
            if data is not None:
                self.descriptions.update(data.descriptions)
                self.actions.update(data.optActions)
                self.multiple.update(data.multiUse)
                self.exclusive.extend(tuple(group) for group in data.mutuallyExclusive)
                self.extra = list(data.extraActions) or self.extra
        self._check()

    def _check(self) -> None:
        named: list[tuple[str, Iterable[str]]] = [
            ("descriptions", self.descriptions),
            ("optActions", self.actions),
            ("multiUse", self.multiple),
            ("mutuallyExclusive", [name for group in self.exclusive for name in group]),
        ]
        for where, names in named:
            for name in names:
                if name not in self.letters:
                    raise ValueError(f"{where} of compData names {name!r}, which is no option")
        if any(action._repeat for action in self.extra[:-1]):
            raise ValueError("in extraActions of compData, only the last one can be repeated")

    def takes_value(self, name: str) -> bool:
        """Whether an option has an argument."""
        return name in self.options._takes_value

    def description(self, name: str) -> str:
        """A text for an option."""
        return self.descriptions.get(name) or self.options.docs[name].strip() or name

    def completer(self, name: str) -> Completer:
        """What is offered for an option's argument; files, if nothing is said."""
        action = self.actions.get(name)
        if action is None:
            return _AnyFile()
        made: Completer = action() if callable(action) else action
        return made

    def spellings(self, name: str) -> list[str]:
        """How an option is written, the letters first."""
        aliases = sorted([*self.letters[name], name], key=lambda alias: (len(alias) > 1, alias))
        return [f"--{alias}" if len(alias) > 1 else f"-{alias}" for alias in aliases]

    def excluded(self, name: str) -> set[str]:
        """The options that may not be given beside one; itself, unless it may be given again."""
        others = set() if name in self.multiple else {name}
        for group in self.exclusive:
            if name in group:
                others.update(group)
        return others

    def resolve(self, alias: str) -> str | None:
        """The long name of an option, as it is written or the beginning of it."""
        if alias in self.options.synonyms:
            return str(self.options.synonyms[alias])
        found = {name for name in self.names if name.startswith(alias)}
        return found.pop() if len(found) == 1 else None

    def commands(self) -> list[tuple[str, str | None, Any, str]]:
        """The subcommands: name, short name, `Options` class, description."""
        rows = self.options._sub_commands()
        return [(name, short, parser, doc or name) for name, short, parser, doc in rows]


class _AnyFile(CompleteFiles):
    """What is offered where nothing is said."""

    def _description(self, name: str) -> str:
        return self._descr or name

    def _action(self, name: str) -> str:
        return "_files"


@dataclass
class Place:
    """
    Where in a command line something is typed.

    Attributes:
        known: of the command or subcommand.
        start: how many words there are before those of the subcommand; 0 for
            the command itself.
        given: the options of it that are there.
        wanting: the option whose argument comes next, or None.
        arguments: how many other arguments of it are there.
        only_arguments: whether no option may follow.
    """

    known: Metadata
    start: int = 0
    given: set[str] = field(default_factory=set)
    wanting: str | None = None
    arguments: int = 0
    only_arguments: bool = False


def locate(options: Any, words: Sequence[str]) -> Place:
    """Where one is after some words; what is wrong with them is passed over."""
    place = Place(Metadata(options))
    for number, word in enumerate(words, 1):
        if place.wanting is not None:
            place.wanting = None
        elif place.only_arguments or not word.startswith("-") or word == "-":
            inner = _enter(place, word)
            if inner is None:
                place.arguments += 1
            else:
                place = Place(Metadata(inner), number)
        elif word == "--":
            place.only_arguments = True
        elif word.startswith("--"):
            _take_long(place, word[2:])
        else:
            _take_letters(place, word[1:])
    return place


def _enter(place: Place, word: str) -> Any:
    """The `Options` of a subcommand, if that is what the word is."""
    if place.arguments == 0:
        for name, short, parser, _ in place.known.commands():
            if word in (name, short):
                inner = parser()
                inner.parent = place.known.options
                return inner
    return None


def _take_long(place: Place, text: str) -> None:
    alias, equals, _ = text.partition("=")
    name = place.known.resolve(alias)
    if name is not None:
        place.given.add(name)
        if place.known.takes_value(name) and not equals:
            place.wanting = name


def _take_letters(place: Place, letters: str) -> None:
    for index, letter in enumerate(letters):
        name = place.known.options.synonyms.get(letter)
        if name is None:
            return
        place.given.add(name)
        if place.known.takes_value(name):
            if index == len(letters) - 1:
                place.wanting = name
            return


def offers(options: Any, words: Sequence[str], at: int) -> tuple[Mapping[str, str], Completer, str]:
    """
    What is offered at a place.

    Returns:
        words with their descriptions; what is offered besides; and what that is
        to begin with: the word that is typed, or its part after the equals sign.
    """
    place = locate(options, words[:at])
    known, typed = place.known, words[at]
    if place.wanting is not None:
        return {}, known.completer(place.wanting), typed
    if typed.startswith("-") and not place.only_arguments:
        alias, equals, value = typed.removeprefix("--").partition("=")
        name = known.resolve(alias)
        if typed.startswith("--") and equals and name is not None:
            return {}, known.completer(name), value
        gone = {other for name in place.given for other in known.excluded(name)}
        spelled = {
            spelling: known.description(name)
            for name in known.names
            if name not in gone
            for spelling in known.spellings(name)
        }
        return _beginning_with(typed, spelled), Completer(), typed
    if place.arguments == 0 and known.commands():
        commands = {name: doc for name, _, _, doc in known.commands()}
        return _beginning_with(typed, commands), Completer(), typed
    return {}, _argument(known.extra, place.arguments), typed


def _beginning_with(typed: str, words: Mapping[str, str]) -> dict[str, str]:
    return {word: doc for word, doc in words.items() if word.startswith(typed)}


def _argument(extra: Sequence[Completer], index: int) -> Completer:
    """What is offered for an argument that is no option's."""
    if index < len(extra):
        return extra[index]
    if extra and extra[-1]._repeat:
        return extra[-1]
    return Completer()


def expand(completer: Any, typed: str) -> list[str] | None:
    """The words that a completer offers, if it is known here and not by the shell."""
    if completer._kind == "words":
        return [item for item in completer._items if item.startswith(typed)]
    if completer._kind == "list":
        before, comma, last = typed.rpartition(",")
        there = before.split(",")
        return [
            f"{before}{comma}{item}"
            for item in completer._items
            if item.startswith(last) and item not in there
        ]
    if completer._kind == "interfaces":
        return [name for name in _interfaces() if name.startswith(typed)]
    return None


def _interfaces() -> list[str]:
    import socket

    if sys.platform == "win32":
        return []
    return [name for _, name in socket.if_nameindex()]


def command_name() -> str:
    """The name of this program."""
    return os.path.basename(sys.argv[0])


def identifier(command: str) -> str:
    """The command's name in the name of a shell's function."""
    return "".join(letter if letter.isalnum() else "_" for letter in command)
