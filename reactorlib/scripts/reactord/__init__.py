"""
`reactord`: runs an application, in the foreground or as a daemon.

It is `twistd`, as its users know it, and what is wanted of a server today. Who owns
what:

    ReactordOptions    what the command line says
    ReactordRunner     the order of things, from the pid file to the pid file; it is
                       `UnixApplicationRunner`'s, but that services start inside the
                       running loop, where a coroutine may wait for anything
    ReactordLogger     where the log goes, and its file, to be opened again
    Notifier           what the service manager is told
    Supervisor         with --workers, the processes

States: preparing (no loop exists; errors are the terminal's to show) -> starting (the
loop runs, services start) -> serving -> stopping (services have their time of grace)
-> over. Only with `serving` does the first process of a daemon exit with 0, and the
service manager hear READY. A failure before it undoes what was started, is told in
one line, and ends with status 1. A signal while starting cancels the start.
"""

from __future__ import annotations

from reactorlib.scripts.reactord._command import run, runApp
from reactorlib.scripts.reactord._log import ReactordLogger
from reactorlib.scripts.reactord._options import ReactordOptions
from reactorlib.scripts.reactord._runner import ReactordRunner

__all__ = ["ReactordLogger", "ReactordOptions", "ReactordRunner", "run", "runApp"]
