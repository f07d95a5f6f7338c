"""
A saved application: made by one program, and run by another.

What is saved names its classes by their modules. So they are in a module of their
own, `quotes.py`, and not in this one, which is run as a script and is called
`__main__` then.

    python saved_quotes.py save quotes.tas --quote "Eat apples."
    python saved_quotes.py run quotes.tas
    nc localhost 8007

`reactord -f quotes.tas` runs it as well. `.tas` is Python's notation, to be read and
edited; `.tax` is XML, and `.tap` a pickle.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import Any

import quotes

from reactorlib.application.internet import TCPServer
from reactorlib.application.service import (
    Application,
    IService,
    IServiceCollection,
    loadApplication,
)
from reactorlib.persisted import sob
from reactorlib.persisted.error import LoadError


def save(options: argparse.Namespace) -> None:
    """Make an application, and write it into a file."""
    application = Application("quotes")
    factory = quotes.QuoteFactory(quotes.StaticQuoter(options.quote))
    server = TCPServer(options.port, factory, interface="127.0.0.1")
    server.setServiceParent(application)
    persistable = sob.IPersistable(application)
    persistable.setStyle(sob.guessType(options.file))
    persistable.save(filename=options.file)


async def run(options: argparse.Namespace) -> None:
    """Bring the application in a file to life, until a signal ends it."""
    application = loadApplication(options.file, sob.guessType(options.file))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    root: Any = IService(application)
    async with root:
        (server,) = IServiceCollection(application)
        address = server.getHost()
        hint = f"nc localhost {address.port}"
        print(f"Listening on {address.host}:{address.port} - try: {hint}", flush=True)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    saving = commands.add_parser("save", help="write an application into a file")
    saving.add_argument("file", help="its name ends in .tap, .tax or .tas")
    saving.add_argument("--port", type=int, default=8007, help="where it is to listen")
    saving.add_argument("--quote", default="Make haste slowly.", help="what it is to say")
    running = commands.add_parser("run", help="run the application in a file")
    running.add_argument("file")
    given = parser.parse_args()
    try:
        if given.command == "save":
            save(given)
        else:
            asyncio.run(run(given))
    except (LoadError, OSError) as error:
        sys.exit(f"saved_quotes.py: {error}")
