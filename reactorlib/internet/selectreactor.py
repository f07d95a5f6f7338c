"""
The reactor, under the name that Twisted has for one that waits with select.

What a reactor waits with is the business of its loop here: this is the reactor of
`asyncioreactor`, for programs that ask for it by that name.
"""

from __future__ import annotations

from reactorlib.internet import asyncioreactor
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor as SelectReactor

__all__ = ["SelectReactor", "install"]


def install() -> None:
    """
    Let there be a reactor for the whole process, as `asyncioreactor.install()` does.

    Raises:
        ReactorAlreadyInstalledError: there is one, which runs or has been asked for something.
    """
    asyncioreactor.install()
