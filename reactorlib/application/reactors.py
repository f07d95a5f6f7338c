"""
Choosing a reactor by name, as `--reactor` does.

All of ours are one reactor, over loops of different kinds. Other packages bring
theirs as plugins that provide `IReactorInstaller`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from zope.interface import Attribute, implementer

from reactorlib.plugin import GROUP, IPlugin, getPlugins

__all__ = ["IReactorInstaller", "NoSuchReactor", "Reactor", "getReactorTypes", "installReactor"]


class IReactorInstaller(IPlugin):
    """
    A reactor that can be chosen.

    Packages bring theirs as entry points of the group `reactorlib.reactors`, or as
    drop-ins.
    """

    shortName = Attribute("The name that the user chooses it by, a string.")
    description = Attribute("What it is, in a line for the user.")

    def install() -> None:
        """Let it be the process's own; nothing may have used another one before."""


IReactorInstaller.setTaggedValue(GROUP, "reactorlib.reactors")


class NoSuchReactor(KeyError):
    """No reactor has that name."""


@implementer(IReactorInstaller)
class Reactor:
    """
    A reactor that a module installs.

    Args:
        shortName: the name that the user chooses it by.
        moduleName: the full name of a module with a function `install()`.
        description: what it is, in a line for the user.
    """

    def __init__(self, shortName: str, moduleName: str, description: str) -> None:
        self.shortName = shortName
        self.moduleName = moduleName
        self.description = description

    def install(self) -> None:
        """Import the module, and have it install the reactor."""
        import_module(self.moduleName).install()


_OWN = (
    Reactor("asyncio", "reactorlib.internet.asyncioreactor", "asyncio based reactor"),
    Reactor("uvloop", "reactorlib.internet.uvloopreactor", "uvloop based reactor, which is faster"),
    Reactor("default", "reactorlib.internet.default", "A reasonable default: asyncio."),
    # For command lines that have been there for long.
    Reactor("epoll", "reactorlib.internet.epollreactor", "The default, by an old name."),
    Reactor("poll", "reactorlib.internet.pollreactor", "The default, by an old name."),
    Reactor("select", "reactorlib.internet.selectreactor", "The default, by an old name."),
)


def getReactorTypes() -> Iterator[Any]:
    """All reactors that can be chosen, each an `IReactorInstaller`."""
    return iter([*_OWN, *getPlugins(IReactorInstaller)])


def installReactor(shortName: str) -> Any:
    """
    Install the reactor of that name.

    Returns:
        the reactor.

    Raises:
        NoSuchReactor: there is none.
        ImportError: it cannot be used here.
        ReactorAlreadyInstalledError: another is in use.
    """
    for installer in getReactorTypes():
        if installer.shortName == shortName:
            installer.install()
            from reactorlib.internet import reactor

            return reactor
    raise NoSuchReactor(shortName)
