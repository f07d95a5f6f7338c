"""
What commands that run an application consist of: options, a log, a profiler, a run.

`reactorlib.scripts.reactord` puts them together; others can.
"""

from __future__ import annotations

from reactorlib.application.app._log import AppLogger
from reactorlib.application.app._options import ReactorSelectionMixin, ServerOptions
from reactorlib.application.app._profile import AppProfiler, CProfileRunner, ProfileRunner
from reactorlib.application.app._run import (
    ApplicationRunner,
    _exitWithSignal,
    fixPdb,
    run,
    runReactorWithLogging,
)
from reactorlib.application.app._saved import (
    convertStyle,
    getApplication,
    getPassphrase,
    getSavePassphrase,
    startApplication,
)
from reactorlib.application.reactors import NoSuchReactor, installReactor

__all__ = [
    "AppLogger",
    "AppProfiler",
    "ApplicationRunner",
    "CProfileRunner",
    "NoSuchReactor",
    "ProfileRunner",
    "ReactorSelectionMixin",
    "ServerOptions",
    "_exitWithSignal",
    "convertStyle",
    "fixPdb",
    "getApplication",
    "getPassphrase",
    "getSavePassphrase",
    "installReactor",
    "run",
    "runReactorWithLogging",
    "startApplication",
]
