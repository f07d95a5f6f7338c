"""The log of a program that runs an application."""

from __future__ import annotations

import sys
from typing import Any

from reactorlib import __version__, logger
from reactorlib.internet._current import current_reactor
from reactorlib.logger import ILogObserver, LegacyLogObserverWrapper, Logger
from reactorlib.python import log as legacy
from reactorlib.python.logfile import LogFile

__all__ = ["AppLogger"]


class AppLogger:
    """
    Begins and ends a program's log.

    The observer is the first of these that there is: what `--logger` makes; the
    application's component `ILogObserver`; its component
    `reactorlib.python.log.ILogObserver`; one that writes to `--logfile`.

    Args:
        options: a mapping with the options "logger" and "logfile", if they are given.

    Attributes:
        name: what the program calls itself.
    """

    name = "twistd"

    _observer: Any = None

    def __init__(self, options: Any) -> None:
        self._logfilename: str = options.get("logfile", "") or ""
        self._observerFactory: Any = options.get("logger") or None
        self._log = Logger("reactorlib.application.app")

    def start(self, application: Any) -> None:
        """
        Begin: what is logged goes to the observer from now on.

        Args:
            application: may have an observer as its component.
        """
        self._observer = _as_observer(self._choose(application))
        logger.globalLogBeginner.beginLoggingTo([self._observer])
        self._initialLog()

    def _choose(self, application: Any) -> Any:
        if self._observerFactory is not None:
            return self._observerFactory()
        for interface in (ILogObserver, legacy.ILogObserver):
            observer = application.getComponent(interface, None)
            if observer is not None:
                return observer if interface is ILogObserver else _legacy(observer)
        return self._getLogObserver()

    def _initialLog(self) -> None:
        reactor = current_reactor()
        self._log.info(
            "{program} {version} ({python} {python_version}) starting up.",
            program=self.name,
            version=__version__,
            python=sys.executable,
            python_version=".".join(map(str, sys.version_info[:3])),
        )
        self._log.info(
            "reactor class: {reactor_class}.",
            reactor_class=f"{type(reactor).__module__}.{type(reactor).__qualname__}",
        )

    def _getLogObserver(self) -> Any:
        """What writes to the log file, or to standard output."""
        if self._logfilename in ("", "-"):
            return logger.textFileLogObserver(sys.stdout)
        # `rotate` and `reopen` are for signals, and the file is the observer's to write.
        file: Any = LogFile.fromFullPath(self._logfilename)
        return logger.textFileLogObserver(file)

    def stop(self) -> None:
        """End: nothing is given to the observer any more."""
        self._log.info("Server Shut Down.")
        if self._observer is not None:
            logger.globalLogPublisher.removeObserver(self._observer)
            self._observer = None


def _legacy(observer: Any) -> Any:
    return LegacyLogObserverWrapper(observer)


def _as_observer(observer: Any) -> Any:
    """An observer of today's kind; one that does not say what it is, is of the old kind."""
    return observer if ILogObserver.providedBy(observer) else _legacy(observer)
