"""A command line that is run as a process, and started again when it ends."""

from __future__ import annotations

import math

from reactorlib.python import usage
from reactorlib.runner.procmon import ProcessMonitor

__all__ = ["Options", "makeService"]


def _seconds(value: str) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{value!r} is no time: seconds, 0 or more")
    return number


_seconds.coerceDoc = ""  # type: ignore[attr-defined]


class Options(usage.Options):
    """How a process is watched, and its command line."""

    synopsis = "[procmon options] commandline"

    optParameters = [  # noqa: RUF012
        [
            "threshold",
            "t",
            1,
            "How long a process has to live before the death is considered instant, in seconds.",
            _seconds,
        ],
        [
            "killtime",
            "k",
            5,
            "How long a process being killed has to get its affairs in order before it gets "
            "killed with an unmaskable signal.",
            _seconds,
        ],
        [
            "minrestartdelay",
            "m",
            1,
            "The minimum time (in seconds) to wait before attempting to restart a process",
            _seconds,
        ],
        [
            "maxrestartdelay",
            "M",
            3600,
            "The maximum time (in seconds) to wait before attempting to restart a process",
            _seconds,
        ],
    ]

    longdesc = """\
Runs a process, logs what it writes, and starts it again when it ends.

A process that ends instantly (see --threshold) is not started again at once, but after
--minrestartdelay, and each time it ends instantly again, after twice as long, up to
--maxrestartdelay. Having run for longer, it begins anew.

For example: reactord procmon sleep 10"""

    def parseArgs(self, *args: str) -> None:
        """What is to be run, and its arguments."""
        self["args"] = list(args)

    def postOptions(self) -> None:
        """See that there is something to run."""
        if not self.get("args"):
            raise usage.UsageError("Please specify a process commandline")
        if self["minrestartdelay"] > self["maxrestartdelay"]:
            raise usage.UsageError(
                f"--minrestartdelay is {self['minrestartdelay']:g} s, and --maxrestartdelay "
                f"less: {self['maxrestartdelay']:g} s"
            )


def makeService(config: Options) -> ProcessMonitor:
    """
    What runs that process, in the environment that the monitor has.

    Args:
        config: what the command line has said.
    """
    monitor = ProcessMonitor()
    monitor.threshold = config["threshold"]
    monitor.killTime = config["killtime"]
    monitor.minRestartDelay = config["minrestartdelay"]
    monitor.maxRestartDelay = config["maxrestartdelay"]
    monitor.addProcess(" ".join(config["args"]), config["args"], env=None)
    return monitor
