"""
`mktap`: saves an application, made by one of the plugins, for `reactord` to run.

    mktap qotd --port 8007        writes qotd.tap
    mktap --type=xml qotd         writes qotd.tax
    mktap --append=qotd.tap ftp   adds a service to an application

The commands are the plugins that make services: those that `reactord` has, too. The
file is written whole, or not at all; what goes wrong is told in one line, and ends
with status 1, or 2 where the command line is wrong.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence
from typing import Any, ClassVar

from reactorlib.application._blame import in_one_line
from reactorlib.application._passphrase import ask, ask_twice
from reactorlib.application.service import (
    Application,
    IProcess,
    IService,
    IServiceMaker,
    loadApplication,
)
from reactorlib.persisted import sob
from reactorlib.persisted._encryption import is_encrypted
from reactorlib.persisted.error import LoadError, SaveError
from reactorlib.plugin import getPlugins
from reactorlib.python import usage
from reactorlib.scripts import _users
from reactorlib.scripts._entry import enter

__all__ = ["MktapOptions", "main", "run"]

_ENDINGS = {"pickle": "tap", "xml": "tax", "source": "tas"}


def _style(text: str) -> str:
    if text not in _ENDINGS:
        raise ValueError(f"{text!r} is none of {', '.join(map(repr, _ENDINGS))}")
    return text


class MktapOptions(usage.Options):
    """The options of `mktap`; its commands are the plugins."""

    synopsis = "Usage: mktap [options] <command> [command options]"
    longdesc = (
        "Saves an application in a file, with a service that the command makes. "
        "'reactord -f' runs it. "
        "For the options of a command: mktap <command> --help"
    )

    optFlags: ClassVar = [
        ["xml", "x", "The same as --type=xml"],
        ["source", "s", "The same as --type=source"],
        ["encrypted", "e", "Encrypt the file; asks for a passphrase"],
        ["progress", "p", "Name the plugins as they are found"],
        ["debug", "d", "Show debugging information, and the whole of an error"],
    ]
    optParameters: ClassVar = [
        ["uid", "u", None, "The user to run as; by default the one who starts it", _users.user],
        ["gid", "g", None, "The group to run as; by default that of who starts it", _users.group],
        ["append", "a", None, "A saved application to add the service to, and not a new one"],
        ["type", "t", None, "'pickle' (.tap), 'xml' (.tax) or 'source' (.tas)", _style],
        ["appname", "n", None, "What the process is to be called"],
        ["output", "o", None, "The file to write; by default it is named after the command"],
    ]

    def __init__(self) -> None:
        super().__init__()
        #: The plugins, by their commands.
        self.makers: dict[str, Any] = {}

    @property
    def subCommands(self) -> list[tuple[str, None, Any, str]]:
        """The commands, in the order of their names."""
        if not self.makers:
            for maker in getPlugins(IServiceMaker):
                if self["progress"]:
                    print(f"found {maker.tapname}", file=sys.stderr)
                self.makers.setdefault(maker.tapname, maker)  # ours come last, and give way
        return [
            (name, None, lambda maker=maker: maker.options(), maker.description)
            for name, maker in sorted(self.makers.items())
        ]

    def postOptions(self) -> None:
        """Check what goes together."""
        styles = {name for name in ("xml", "source") if self[name]}
        if self["type"] is not None:
            styles.add(self["type"])
        if len(styles) > 1:
            raise usage.UsageError(f"there is one type of file, and not {len(styles)}")
        self["type"] = styles.pop() if styles else None
        if self.subCommand is None:
            raise usage.UsageError("a command is missing: which service is to be made?")
        if self["append"] is not None and self["output"] is not None:
            raise usage.UsageError("--append says which file is written: there is no --output then")


class _Failed(Exception):
    """Why no file was written, in one line."""


def run() -> None:
    """Do what the command line says, and exit; modules in the working directory can be imported."""
    enter(lambda: sys.exit(main()))


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Do what a command line says.

    Args:
        arguments: its words, without the program's name; by default this program's.

    Returns:
        the status to exit with: 0 if the file was written, 2 if the command line is
        wrong, 1 if anything else is.
    """
    options = MktapOptions()
    if not (sys.argv[1:] if arguments is None else arguments):
        print(options)
        return 2
    try:
        try:
            options.parseOptions(arguments)
        except usage.UsageError as error:
            command = f" {options.subCommand}" if options.subCommand else ""
            print(f"mktap{command}: {_line(error)} (see mktap{command} --help)", file=sys.stderr)
            return 2
        except BrokenPipeError:  # nobody reads the help
            raise
        except Exception as error:  # a plugin's, when it is loaded
            raise _Failed(in_one_line(error)) from error
        if options["debug"]:
            logging.basicConfig(level=logging.DEBUG)
        _make(options)
    except (_Failed, SaveError, LoadError) as error:
        if options["debug"]:
            traceback.print_exc()
        print(f"mktap: {_line(error)}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print("mktap: interrupted; nothing was written", file=sys.stderr)
        return 1
    return 0


def _make(options: MktapOptions) -> None:
    """Make the service, and write the file."""
    command = str(options.subCommand)
    try:
        service = options.makers[command].makeService(options.subOptions)
    except usage.UsageError as error:
        raise _Failed(f"{command}: {_line(error)}") from error
    except Exception as error:
        raise _Failed(f"{command}: {in_one_line(error)}") from error
    if not IService.providedBy(service):
        raise _Failed(f"{command}: its makeService() has returned no service, but {service!r}")
    passphrase: str | None = None
    if options["append"] is None:
        application: Any = Application(command)
        style = options["type"] or "pickle"
    else:
        application, style, passphrase = _saved(options)
    process = IProcess(application)
    for name in ("uid", "gid"):
        if options[name] is not None:
            setattr(process, name, options[name])
    if options["appname"] is not None:
        process.processName = options["appname"]
    try:
        service.setServiceParent(application)
    except RuntimeError as error:
        raise _Failed(f"{command}: {_line(error)}") from error
    if options["encrypted"] and passphrase is None:
        passphrase = ask_twice()
    ending = ("e" if passphrase is not None else "") + _ENDINGS[style]
    filename = options["append"] or options["output"] or f"{command}.{ending}"
    persistable: Any = sob.IPersistable(application)
    persistable.setStyle(style)
    print(f"Saving {command} application to {filename}...")
    try:
        persistable.save(filename=filename, passphrase=passphrase)
    except ImportError as error:
        raise _Failed(_line(error)) from error
    except OSError as error:
        raise _Failed(f"{filename}: {error.strerror}") from error
    print("Saved.")


def _saved(options: MktapOptions) -> tuple[Any, str, str | None]:
    """The application to add to, its style from now on, and its passphrase."""
    filename: str = options["append"]
    try:
        kind = sob.guessType(filename)
    except KeyError:
        kind = "pickle"
    if kind == "python":
        raise _Failed(f"{filename}: is a program, and no saved application: change it yourself")
    passphrase = None
    try:
        with open(filename, "rb") as file:
            if is_encrypted(file.read(64)):
                passphrase = ask(f"Passphrase of {filename}: ")
        application = loadApplication(filename, kind, passphrase)
    except OSError as error:
        raise _Failed(f"{filename}: {error.strerror}") from error
    if IService(application, None) is None or sob.IPersistable(application, None) is None:
        raise _Failed(f"{filename}: is no application, but {type(application).__name__}")
    style = options["type"] or kind
    if style != kind:
        raise _Failed(f"{filename}: is of the type {kind!r}, and stays so: leave the type out")
    return application, style, passphrase


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
