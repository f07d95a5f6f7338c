"""The options of a command, declared in a class, and read off a command line."""

from __future__ import annotations

import getopt
import inspect
import os
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from reactorlib import __version__
from reactorlib.python.usage._completers import FLAG
from reactorlib.python.usage._help import commands_text, docMakeChunks, one_line

__all__ = ["CoerceParameter", "Options", "UsageError", "error", "flagFunction", "portCoerce"]


class UsageError(Exception):
    """The command line is wrong; the text says how, to whoever typed it."""


#: The same, under its old name.
error = UsageError


class CoerceParameter:
    """
    Turns the text of a parameter into a value.

    Args:
        options: where the value goes.
        coerce: what makes it of the text, or raises ValueError; None to leave it.
    """

    def __init__(self, options: Any, coerce: Any) -> None:
        self.options = options
        self.coerce = (lambda value: value) if coerce is None else coerce
        self.doc = getattr(self.coerce, "coerceDoc", "")

    def dispatch(self, parameterName: str, value: str) -> None:
        """
        Take the text.

        Raises:
            UsageError: it does not make a value.
        """
        if value is None:
            raise UsageError(f"Parameter '{parameterName}' requires an argument.")
        try:
            value = self.coerce(value)
        except ValueError as why:
            raise UsageError(f"Parameter type enforcement failed: {why}") from why
        self.options.opts[parameterName] = value


def flagFunction(method: Callable[..., Any], name: str | None = None) -> bool:
    """
    Whether a method `opt_...` takes no argument.

    Raises:
        UsageError: it takes more than one.
    """
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(p.kind in positional for p in inspect.signature(method).parameters.values())
    if count > 1:
        raise UsageError(f"Invalid Option function for {name or method.__name__}")
    return count == 0


def portCoerce(value: str) -> int:
    """
    A port's number of its text.

    Raises:
        ValueError: it is none.
    """
    number = int(value)
    if not 0 <= number <= 65535:
        raise ValueError(f"Port number not in range: {value}")
    return number


portCoerce.coerceDoc = "Must be an int between 0 and 65535."  # type: ignore[attr-defined]


class Options(dict[str, Any]):
    """
    What a command line may say: a dictionary of what it said.

    A subclass declares
        optFlags: lists of a long name, a letter or None, and a description. The
            value is 1 if the flag was given, else 0.
        optParameters: lists of a long name, a letter or None, a default, a
            description, and what makes a value of the text.
        subCommands: lists of a name, a short one or None, an `Options` class,
            and a description. What follows the name is for that class.
    what stands last may be left out; those of base classes count too. A method
    `opt_some_name(self)` is called for the flag `--some-name`, and
    `opt_some_name(self, value)` for a parameter; `opt_n = opt_some_name` gives it
    a letter. Arguments that are no options go to `parseArgs`.

    Attributes:
        opts: the values: this object.
        defaults: what they were in the beginning.
        parent: the `Options` whose subcommand this is, or None.
        subCommand: the name of the subcommand given, or None.
        subOptions: its `Options`, once there is one.
        defaultSubCommand: which one it is if none is given.
        synopsis: the first line of the help.
        longdesc: what stands below the options in the help.
        compData: what is known for completion: a `Completions`.
    """

    subCommand: str | None = None
    defaultSubCommand: str | None = None
    parent: Any = None
    completionData: Any = None
    # Where the answer to a shell is written; None for standard output.
    _shellCompFile: Any = None
    subOptions: Any

    def __init__(self) -> None:
        super().__init__()
        self.opts = self
        self.defaults: dict[str, Any] = {}
        self.docs: dict[str, str] = {}
        self.synonyms: dict[str, str] = {}
        self.longOpt: list[str] = []
        self.shortOpt = ""
        self._dispatch: dict[str, Any] = {}
        self._takes_value: set[str] = set()
        self._gather_flags()
        self._gather_parameters()
        self._gather_handlers()

    # By identity, as what it says may change.
    __hash__ = object.__hash__  # type: ignore[assignment]

    # What was declared.

    def _declared(self, attribute: str, length: int) -> Iterator[tuple[Any, ...]]:
        for cls in reversed(type(self).__mro__):
            for row in vars(cls).get(attribute, ()):
                if len(row) > length:
                    raise ValueError(f"{row!r} in {attribute} has more than {length} items")
                yield (*row, *[None] * (length - len(row)))

    def _add(self, name: str, letter: str | None, doc: str | None, takes_value: bool) -> None:
        if takes_value:
            self._takes_value.add(name)
        else:
            self._takes_value.discard(name)
        self.docs[name] = one_line(doc)
        for alias in filter(None, (name, letter)):
            self.synonyms[alias] = name
        self._spell()

    def _spell(self) -> None:
        """What `getopt` has to know."""
        self.longOpt = []
        self.shortOpt = ""
        for alias, name in self.synonyms.items():
            takes = name in self._takes_value
            if len(alias) == 1:
                self.shortOpt += alias + (":" if takes else "")
            else:
                self.longOpt.append(alias + ("=" if takes else ""))

    def _gather_flags(self) -> None:
        for long, letter, doc in self._declared("optFlags", 3):
            self.opts[long] = self.defaults[long] = 0
            self._dispatch[long] = self._set_flag
            self._add(long, letter, doc, False)

    def _gather_parameters(self) -> None:
        for long, letter, default, doc, coerce in self._declared("optParameters", 5):
            taker = CoerceParameter(self, coerce)
            self.opts[long] = self.defaults[long] = default
            self._dispatch[long] = taker.dispatch
            self._add(long, letter, f"{one_line(doc)} {taker.doc}".strip(), True)

    def _gather_handlers(self) -> None:
        aliases: dict[Any, list[str]] = {}
        for attribute in dir(type(self)):
            if not attribute.startswith("opt_") or attribute == "opt_":
                continue
            method = getattr(type(self), attribute)
            if isinstance(method, (types.FunctionType, types.MethodType)):
                aliases.setdefault(method, []).append(attribute[4:])
        for names in aliases.values():
            # The longest is the name, and the others are others for it.
            name, *others = sorted(names, key=lambda alias: (-len(alias), alias))
            method = getattr(self, f"opt_{name}")
            takes_value = not flagFunction(method, name)
            name = name.replace("_", "-")
            if takes_value:
                self._dispatch[name] = lambda _, value, method=method: method(value)
            else:
                self._dispatch[name] = lambda _, value, method=method: method()
            for alias in others:
                self.synonyms[alias.replace("_", "-")] = name
            self._add(name, None, method.__doc__ or self.docs.get(name), takes_value)

    def _set_flag(self, name: str, value: object = None) -> None:
        self.opts[name] = 1

    # Reading.

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Read a command line.

        Args:
            options: its words, without the program's name; by default this
                program's own.

        Raises:
            UsageError: it is wrong.
            SystemExit: a shell asked what can be typed, and was told.
        """
        words = sys.argv[1:] if options is None else list(options)
        if words[-2:-1] == [FLAG] and self.parent is None:
            self._complete(words)
        try:
            given, args = getopt.getopt(words, self.shortOpt, self.longOpt)
        except getopt.GetoptError as why:
            raise UsageError(str(why)) from why
        for option, value in given:
            name = self.synonyms[option.lstrip("-")]
            self._dispatch[name](name, value)
        if getattr(self, "subCommands", None) and (args or self.defaultSubCommand is not None):
            self._parse_sub_command(*(args or [str(self.defaultSubCommand)]))
        else:
            try:
                inspect.signature(self.parseArgs).bind(*args)
            except TypeError:
                raise UsageError("Wrong number of arguments.") from None
            self.parseArgs(*args)
        self.postOptions()

    def _complete(self, words: Sequence[str]) -> NoReturn:
        """Answer a shell that asks what can be typed."""
        from reactorlib.python.compat import ioType
        from reactorlib.python.usage._completion import command_name, complete

        code = complete(self, words, command_name())
        file: Any = sys.stdout if self._shellCompFile is None else self._shellCompFile
        file.write(code.encode() if ioType(file) is bytes else code)
        file.flush()
        sys.exit(0)

    def _parse_sub_command(self, command: str, *rest: str) -> None:
        for name, short, parser, _ in self._sub_commands():
            if command in (name, short):
                self.subCommand = name
                self.subOptions = parser()
                self.subOptions.parent = self
                self.subOptions.parseOptions(rest)
                return
        raise UsageError(f"Unknown command: {command}")

    def _sub_commands(self) -> list[tuple[Any, ...]]:
        # They may be made when they are asked for: a property will do.
        return [tuple(row) for row in getattr(self, "subCommands", None) or ()]

    def parseArgs(self) -> None:
        """
        Take the arguments that are no options. For subclasses.

        It has as many arguments as there may be on the command line.
        """

    def postOptions(self) -> None:
        """All was read: check it. For subclasses."""

    def opt_version(self) -> NoReturn:
        """Display the version and exit."""
        print("reactorlib version:", __version__)
        sys.exit(0)

    def opt_help(self) -> NoReturn:
        """Display this help and exit."""
        print(self)
        sys.exit(0)

    # The help.

    def __str__(self) -> str:
        return f"{self.getSynopsis()}\n{self.getUsage(width=None)}"

    def getSynopsis(self) -> str:
        """The first line of the help: how the command is called."""
        own = " [options]" if self.longOpt else ""
        if self.parent is None:
            default = f"Usage: {os.path.basename(sys.argv[0])}{own}"
        else:
            default = own.strip()
        synopsis: str = getattr(self, "synopsis", default).rstrip()
        if self.parent is not None:
            synopsis = " ".join((self.parent.getSynopsis(), self.parent.subCommand, synopsis))
        return synopsis

    def getUsage(self, width: int | None = None) -> str:
        """
        The help, without its first line.

        Args:
            width: how wide it may be, in characters; by default that of the
                terminal, as the environment has it.
        """
        if width is None:
            columns = os.environ.get("COLUMNS", "")
            width = int(columns) if columns.isdigit() and int(columns) else 80
        letters: dict[str, str] = {}
        for alias, name in self.synonyms.items():
            if len(alias) == 1 and alias != name:
                letters[name] = alias
        rows = [
            {
                "long": name if len(name) > 1 else None,
                "short": letters.get(name) if len(name) > 1 else name,
                "doc": self.docs[name],
                "optType": "parameter" if name in self._takes_value else "flag",
                "default": self.defaults.get(name),
            }
            for name in sorted(set(self.synonyms.values()))
        ]
        text = "Options:\n" + "".join(docMakeChunks(rows, width))
        described = getattr(self, "longdesc", None)
        if described is None:
            described = getattr(sys.modules.get("__main__"), "__doc__", None)
        if described:
            paragraphs = inspect.cleandoc(described).split("\n\n")
            wrapped = (textwrap.fill(" ".join(part.split()), width) for part in paragraphs)
            text += "\n" + "\n\n".join(wrapped) + "\n"
        commands = self._sub_commands()
        if commands:
            text += commands_text(commands, width)
        return text
