"""The options of commands that run an application."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, ClassVar, NoReturn

from reactorlib import __version__, plugin
from reactorlib.application import reactors, service
from reactorlib.application.app._profile import AppProfiler
from reactorlib.python import usage
from reactorlib.python.reflect import namedAny
from reactorlib.python.util import spewer

__all__ = ["ReactorSelectionMixin", "ServerOptions"]


class ReactorSelectionMixin:
    """
    Gives an `Options` class `--reactor` and `--help-reactors`.

    The reactor is installed when its name is read, before anything that comes
    later on the command line is looked at.

    Attributes:
        messageOutput: where the list is written.
    """

    messageOutput: Any = sys.stdout
    _getReactorTypes = staticmethod(reactors.getReactorTypes)

    def opt_help_reactors(self) -> NoReturn:
        """Display a list of possibly available reactor names."""
        usable, others = [], []
        for each in sorted(self._getReactorTypes(), key=operator.attrgetter("shortName")):
            try:
                module = import_module(each.moduleName)
                getattr(module, "check", lambda: None)()
            except Exception as error:
                others.append(f"    !{each.shortName:<12} {each.description} ({error})")
            else:
                usable.append(f"    {each.shortName:<12} {each.description}")
        if others:
            usable += ["", "    reactors not available on this platform:", "", *others]
        self.messageOutput.write("\n".join(usable) + "\n")
        raise SystemExit(0)

    def opt_reactor(self: Any, shortName: str) -> None:
        """Which reactor to use (see --help-reactors for a list of possibilities)"""
        hint = "--help-reactors lists those that there are"
        try:
            reactors.installReactor(shortName)
        except reactors.NoSuchReactor as error:
            raise usage.UsageError(f"there is no reactor {shortName!r}; {hint}") from error
        except Exception as error:
            raise usage.UsageError(
                f"the reactor {shortName!r} cannot be used: {error}; {hint}"
            ) from error
        self.opts["reactor"] = shortName

    opt_r = opt_reactor


class ServerOptions(usage.Options, ReactorSelectionMixin):
    """
    The options that there are everywhere; its subcommands are the `IServiceMaker` plugins.

    Args:
        stdout: where `--version` is written; by default standard output.

    Attributes:
        loadedPlugins: by the names of subcommands, what makes the services.
    """

    longdesc = "Reads an application out of a file, or makes one of a plugin, and runs it."

    #: What the command calls itself.
    program = "twistd"

    _profilers = ", ".join(sorted(AppProfiler.profilers, reverse=True))

    optFlags: ClassVar[Any] = [
        ["savestats", None, "save the Stats object rather than the text output of the profiler."],
        ["no_save", "o", "do not save state on shutdown"],
        ["encrypted", "e", "The file is encrypted: ask for the passphrase."],
    ]
    optParameters: ClassVar[Any] = [
        ["logfile", "l", None, "log to a specified file, - for stdout"],
        [
            "logger",
            None,
            None,
            "A fully-qualified name of what makes the observer of the log. It goes before "
            "--logfile and --syslog.",
        ],
        ["profile", "p", None, "Run in profile mode, dumping results to specified file."],
        ["profiler", None, "cprofile", f"Name of the profiler to use ({_profilers})."],
        ["file", "f", "twistd.tap", "read the application from a .tap, .tax or .tas file"],
        ["python", "y", None, "run a Python file that makes an application (implies -o)"],
        ["source", "s", None, "read the application from a .tas file"],
        ["rundir", "d", ".", "Change to a supplied directory before running"],
    ]
    compData = usage.Completions(
        mutuallyExclusive=[("file", "python", "source")],
        optActions={
            "file": usage.CompleteFiles("*.ta[psx]"),
            "python": usage.CompleteFiles("*.(tac|py)"),
            "source": usage.CompleteFiles("*.tas"),
            "rundir": usage.CompleteDirs(),
        },
    )

    _getPlugins = staticmethod(plugin.getPlugins)

    def __init__(self, *args: Any, stdout: Any = None, **kwargs: Any) -> None:
        self._stdout = sys.stdout if stdout is None else stdout
        self.loadedPlugins: dict[str, Any] = {}
        super().__init__(*args, **kwargs)
        self["debug"] = False
        self["spew"] = False

    def opt_version(self) -> NoReturn:
        """Print version information and exit."""
        python = ".".join(map(str, sys.version_info[:3]))
        print(f"{self.program} (reactorlib) {__version__}, Python {python}", file=self._stdout)
        sys.exit()

    def opt_debug(self) -> None:
        """
        Run the application in the Python debugger (implies nodaemon); SIGUSR2 drops
        into it.
        """
        self["debug"] = True

    opt_b = opt_debug

    def opt_spew(self) -> None:
        """Print the file, line and name of each function that is called. Very verbose."""
        self["spew"] = True
        sys.settrace(spewer)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read a command line; with nothing on it, show the help."""
        super().parseOptions(sys.argv[1:] or ["--help"] if options is None else options)

    def postOptions(self) -> None:
        """What is made anew each time is not saved; the log's observer can be imported."""
        if self.subCommand or self["python"]:
            self["no_save"] = True
        if isinstance(self["logger"], str):
            name = self["logger"]
            try:
                self["logger"] = namedAny(name)
            except Exception as error:
                raise usage.UsageError(
                    f"Logger '{name}' could not be imported: {' '.join(str(error).split())}"
                ) from error

    @property
    def subCommands(self) -> Iterator[tuple[str, None, Callable[[], Any], str]]:
        """The subcommands by their names, one for each `IServiceMaker` plugin."""
        found: dict[str, Any] = {}
        for maker in self._getPlugins(service.IServiceMaker):
            found.setdefault(maker.tapname, maker)
        self.loadedPlugins = found
        for name, maker in sorted(found.items()):
            yield name, None, _options_of(maker), maker.description


def _options_of(maker: Any) -> Callable[[], Any]:
    """Makes a plugin's options, which is imported then."""
    return lambda: maker.options()
