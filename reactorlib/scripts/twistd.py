"""
The daemon under the names of Twisted's `twistd`, for programs that build on them.

The command itself is `reactord`; see `reactorlib.scripts.reactord`.
"""

from __future__ import annotations

from typing import Any

from reactorlib.application import app
from reactorlib.scripts._entry import enter
from reactorlib.scripts._twistd_unix import ServerOptions, UnixApplicationRunner

__all__ = ["ServerOptions", "run", "runApp"]

_SomeApplicationRunner: Any = UnixApplicationRunner


def runApp(config: Any) -> None:
    """
    Run what the options say, until the end; a signal that ended it ends the process.

    Args:
        config: the options: a `ServerOptions`, parsed.
    """
    runner = _SomeApplicationRunner(config)
    runner.run()
    if runner._exitSignal is not None:
        app._exitWithSignal(runner._exitSignal)


def run() -> None:
    """Run what the command line says; modules in the working directory can be imported."""
    enter(lambda: app.run(runApp, ServerOptions))
