"""What descriptors return when they are done; and installing a reactor."""

from __future__ import annotations

import sys
from typing import Any

import reactorlib.internet
from reactorlib.internet import _current
from reactorlib.internet.error import ConnectionDone, ConnectionLost, ReactorAlreadyInstalledError

__all__ = ["CONNECTION_DONE", "CONNECTION_LOST", "installReactor"]

#: What `doRead` and `doWrite` return after an orderly end ...
CONNECTION_DONE = ConnectionDone("Connection done")

#: ... and after any other.
CONNECTION_LOST = ConnectionLost("Connection lost")

_MODULE = "reactorlib.internet.reactor"

#: What that is called too, where this library stands in for Twisted.
_ALIAS = "twisted.internet.reactor"


def installReactor(reactor: Any) -> None:
    """
    Let `reactor` be what `reactorlib.internet.reactor` stands for.

    Nothing has to be installed: every loop has its reactor. A reactor of this
    library's that is installed is the process's own, which `reactor.run()` runs;
    any object else, as a stand-in in a test, takes the place of the module, for
    which it has to come before the first import of that.

    Raises:
        ReactorAlreadyInstalledError: it comes too late.
    """
    if hasattr(reactor, "_for_threads"):
        _current.install(reactor)
        return
    names = [_MODULE]
    if sys.modules.get("twisted.internet") is reactorlib.internet:
        names.append(_ALIAS)  # which programs delete to install another
    if all(name in sys.modules for name in names):
        raise ReactorAlreadyInstalledError(
            "something has imported the reactor already; install another before that"
        )
    for name in names:
        sys.modules[name] = reactor
    reactorlib.internet.reactor = reactor  # as an import does
