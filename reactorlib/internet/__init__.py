"""The parts that touch the outside: reactor, transports, Deferreds, endpoints."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor

    # To a type checker `reactor` is a reactor, as it is to `async with` and to
    # everyone else; that it is a module is how it gets to be one everywhere.
    reactor: AsyncioSelectorReactor
