"""A port forwarder: connections to a port are passed on to another host."""

from __future__ import annotations

from typing import Any

from reactorlib.protocols.portforward import ProxyFactory
from reactorlib.python import usage
from reactorlib.tap._common import listen

__all__ = ["Options", "makeService"]


class Options(usage.Options):
    """Where from, and where to."""

    synopsis = "[options]"
    longdesc = "Passes each connection to a port on to a port of another host."

    optParameters = [  # noqa: RUF012
        ["port", "p", "tcp:6666", "The port to listen at: a number or an endpoint."],
        ["host", "h", "localhost", "The host to connect to."],
        ["dest_port", "d", 6665, "The port to connect to.", usage.portCoerce],
    ]

    compData = usage.Completions(optActions={"host": usage.CompleteHostnames()})


def makeService(config: Any) -> Any:
    """
    What passes connections on.

    Args:
        config: what the command line has said.

    Raises:
        UsageError: the port to listen at is none.
    """
    return listen(config["port"], ProxyFactory(config["host"], int(config["dest_port"])))
