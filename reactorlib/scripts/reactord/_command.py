"""The command."""

from __future__ import annotations

from reactorlib.application import app
from reactorlib.application._doctor import examine
from reactorlib.scripts._entry import enter
from reactorlib.scripts.reactord._options import ReactordOptions
from reactorlib.scripts.reactord._runner import ReactordRunner

__all__ = ["run", "runApp"]


def runApp(config: ReactordOptions) -> None:
    """
    Run what the options say, until the end; a signal that ended it ends the process.

    Raises:
        SystemExit: it could not start; or `--check` or `doctor` have looked.
    """
    if config.subCommand == "doctor":
        raise SystemExit(examine())
    runner = ReactordRunner(config)
    runner.run()
    if runner._exitSignal is not None:
        app._exitWithSignal(runner._exitSignal)


def run() -> None:
    """Run what the command line says; modules in the working directory can be imported."""
    enter(lambda: app.run(runApp, ReactordOptions))
