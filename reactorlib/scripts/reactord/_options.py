"""The options of `reactord`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from reactorlib.application.service._service import check_grace
from reactorlib.python import usage
from reactorlib.scripts._twistd_unix import ServerOptions
from reactorlib.scripts.reactord._errors import explain

__all__ = ["ReactordOptions"]


def _seconds(value: str) -> float:
    seconds = float(value)
    check_grace(seconds)
    return seconds


def _count(value: str) -> int:
    count = int(value)
    if not 1 <= count <= 1024:
        raise ValueError(f"{count} workers: from 1 to 1024 there can be")
    return count


class DoctorOptions(usage.Options):
    """`reactord doctor` has no options."""

    synopsis = ""
    longdesc = "Says what reactorlib finds here, and what is wrong with it."


class ReactordOptions(ServerOptions):
    """The options of `reactord`."""

    program = "reactord"
    synopsis = "Usage: reactord [options]"
    longdesc = (
        "Runs an application: that of a command, of a Python file (-y), or of a saved file "
        "(-f). It becomes a daemon, unless -n says otherwise, or it is process 1 or under "
        "systemd."
    )

    optFlags: ClassVar[Any] = [
        ["daemon", None, "become a daemon, even under systemd"],
        ["check", None, "load everything, start nothing"],
        ["json", None, "log in JSON, an object each line"],
        ["traceback", None, "show whole tracebacks, our own code's lines too"],
    ]
    optParameters: ClassVar[Any] = [
        ["file", "f", "reactord.tap", "read the application from a .tap, .tax or .tas file"],
        ["pidfile", "", "reactord.pid", "Name of the pidfile"],
        ["prefix", None, "reactord", "use the given prefix when syslogging"],
        ["grace", None, None, "Seconds for what is in flight to finish at the end.", _seconds],
        ["workers", None, None, "How many processes are to serve.", _count],
    ]

    compData = usage.Completions(multiUse=["allow"])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self["allow"] = []

    def opt_allow(self, name: str) -> None:
        """
        A package, module, class or function that a saved application may name, besides this
        library's services; others it may not, then. Can be given several times.
        """
        if not all(part.isidentifier() for part in name.split(".")):
            raise usage.UsageError(f"--allow {name!r} is no name, as package.module.Class is")
        self["allow"].append(name)

    @property
    def subCommands(self) -> Any:
        """The plugins' subcommands, and `doctor`."""
        rows = [*super().subCommands, ("doctor", None, DoctorOptions, "Say what is here.")]
        return sorted(rows, key=lambda row: str(row[0]))

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read a command line; what a plugin has raised meanwhile is told in a line."""
        try:
            super().parseOptions(options)
        except (usage.UsageError, BrokenPipeError):  # the latter: nobody reads the help
            raise
        except Exception as error:
            print(f"reactord: {explain(error)}", file=sys.stderr)
            raise SystemExit(1) from error

    def postOptions(self) -> None:
        """Stay in the foreground where something else looks after the process."""
        super().postOptions()
        supervised = os.getpid() == 1 or {"NOTIFY_SOCKET", "INVOCATION_ID"} & os.environ.keys()
        if self["nodaemon"] and self["daemon"]:
            raise usage.UsageError("--nodaemon and --daemon contradict each other")
        if supervised and not self["daemon"]:
            self["nodaemon"] = True
        if self["workers"] is not None and self["debug"]:
            raise usage.UsageError("the debugger needs the one process: leave out --workers")
        if self["allow"] and (self.subCommand or self["python"]):
            raise usage.UsageError("--allow is about saved applications: leave it out")
