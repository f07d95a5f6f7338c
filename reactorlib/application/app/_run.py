"""Running an application: the steps, and the reactor's run."""

from __future__ import annotations

import os
import pdb
import signal
import sys
from collections.abc import Callable
from typing import Any

from reactorlib.application import service
from reactorlib.application.app._log import AppLogger
from reactorlib.application.app._profile import AppProfiler
from reactorlib.application.app._saved import getApplication, getPassphrase
from reactorlib.internet.interfaces import _ISupportsExitSignalCapturing
from reactorlib.python import usage

__all__ = ["ApplicationRunner", "_exitWithSignal", "fixPdb", "run", "runReactorWithLogging"]


def fixPdb() -> None:
    """Give pdb's prompt the command `stop`, which stops the reactor and goes on."""

    def do_stop(self: Any, argument: str) -> Any:
        from reactorlib.internet import reactor

        self.clear_all_breaks()
        self.set_continue()
        reactor.callLater(0, reactor.stop)
        return 1

    def help_stop(self: Any) -> None:
        print("stop - continue, and stop the reactor; the program ends in an orderly way.")

    pdb.Pdb.do_stop = do_stop  # type: ignore[attr-defined]
    pdb.Pdb.help_stop = help_stop  # type: ignore[attr-defined]


def runReactorWithLogging(
    config: Any, oldstdout: Any, oldstderr: Any, profiler: Any = None, reactor: Any = None
) -> None:
    """
    Run a reactor, under the profiler or the debugger if the options say so.

    Args:
        config: a mapping with "profile" and "debug".
        oldstdout, oldstderr: for the debugger, what standard output and error
            were before the log took them.
        profiler: what runs it where "profile" is set: an `AppProfiler`.
        reactor: which one; None for the process's own.
    """
    if reactor is None:
        from reactorlib.internet import reactor
    if config["profile"] and profiler is not None:
        profiler.run(reactor)
    elif config["debug"]:
        sys.stdout, sys.stderr = oldstdout, oldstderr
        fixPdb()
        signal.signal(signal.SIGUSR2, lambda *_: pdb.set_trace())
        pdb.runcall(reactor.run)
    else:
        reactor.run()


class ApplicationRunner:
    """
    Runs the application that the options say, in steps.

    A subclass says in `preApplication` what comes before there is an application,
    and in `postApplication` how it is started and the reactor run.

    Args:
        config: the options, parsed: a `ServerOptions`.

    Attributes:
        profilerFactory, loggerFactory: called with the options, make `profiler` and
            `logger`.
        application: from the second step on.
    """

    profilerFactory: Any = AppProfiler
    loggerFactory: Any = AppLogger

    #: The signal that has ended the run, or None.
    _exitSignal: int | None = None

    def __init__(self, config: Any) -> None:
        self.config = config
        self.profiler = self.profilerFactory(config)
        self.logger = self.loggerFactory(config)

    def run(self) -> None:
        """Make or load the application, and run it until the end."""
        self.preApplication()
        self.application = self.createOrGetApplication()
        self.logger.start(self.application)
        self.postApplication()
        self.logger.stop()

    def startReactor(self, reactor: Any, oldstdout: Any, oldstderr: Any) -> None:
        """
        Run the reactor until it stops.

        Args:
            reactor: which one; None for the process's own.
            oldstdout, oldstderr: as for `runReactorWithLogging`.
        """
        if reactor is None:
            from reactorlib.internet import reactor
        runReactorWithLogging(self.config, oldstdout, oldstderr, self.profiler, reactor)
        if _ISupportsExitSignalCapturing.providedBy(reactor):
            self._exitSignal = reactor._exitSignal
        else:
            self._exitSignal = None

    def preApplication(self) -> None:
        """What comes before there is an application. For subclasses."""
        raise NotImplementedError

    def postApplication(self) -> None:
        """Start the application and run the reactor. For subclasses."""
        raise NotImplementedError

    def createOrGetApplication(self) -> Any:
        """
        The application: the service of the subcommand, or what is in the file.

        Raises:
            Exception: the plugin or the file has raised it.
        """
        if self.config.subCommand:
            maker = self.config.loadedPlugins[self.config.subCommand]
            made = maker.makeService(self.config.subOptions)
            application = service.Application(maker.tapname)
            made.setServiceParent(application)
            return application
        return getApplication(self.config, getPassphrase(self.config["encrypted"]))


def run(runApp: Callable[[Any], object], ServerOptions: Callable[[], Any]) -> None:
    """
    Read the command line, and run what it says.

    Args:
        runApp: called with the options.
        ServerOptions: makes them.

    Raises:
        SystemExit: the command line is wrong: with status 1, and a line that says
            how on standard error.
    """
    config = ServerOptions()
    try:
        config.parseOptions()
    except usage.UsageError as error:
        program = getattr(config, "program", os.path.basename(sys.argv[0]))
        sub = config.subCommand
        called = f"{program} {sub}" if sub else program
        text = " ".join(str(error).split())
        print(f"{called}: {text} ({called} --help shows what there is)", file=sys.stderr)
        raise SystemExit(1) from None
    runApp(config)


def _exitWithSignal(sig: int) -> None:
    """End the process by a signal, so that whoever waits for it sees which."""
    signal.signal(sig, signal.SIG_DFL)
    os.kill(os.getpid(), sig)
