"""What makes a service of a command line, named before it is imported."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from zope.interface import Attribute, Interface, implementer

from reactorlib.plugin import GROUP, LISTED, IPlugin
from reactorlib.python.components import registerAdapter

__all__ = ["IServiceMaker", "ServiceMaker"]


class IServiceMaker(Interface):
    """
    A subcommand of the daemon.

    Packages bring theirs as entry points of the group `reactorlib.services`: the
    name is that of the subcommand, and the object either provides this or is a
    module with `Options` and `makeService`.
    """

    tapname = Attribute("The name of the subcommand, a string.")
    description = Attribute("What it does, in a line for the user.")
    options = Attribute("Makes the `usage.Options` of its command line.")

    def makeService(options: Any) -> Any:
        """
        Make the service.

        Args:
            options: what `options()` made, with the user's command line in it.
        """


IServiceMaker.setTaggedValue(GROUP, "reactorlib.services")
IServiceMaker.setTaggedValue(LISTED, {"tapname": "name", "description": "summary"})


def _from_module(module: Any, attribute: str) -> Any:
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        raise AttributeError(
            f"{module.__name__} makes no service: it has no {attribute}", name=attribute, obj=module
        ) from error


@implementer(IPlugin, IServiceMaker)
class ServiceMaker:
    """
    A subcommand of the daemon that a module has, which is imported when it is used.

    Args:
        name: what it is called for people.
        module: the full name of a module with `Options`, a class, and
            `makeService(options)`.
        description: what it does, in a line for the user.
        tapname: the name of the subcommand.
    """

    def __init__(self, name: str, module: str, description: str, tapname: str) -> None:
        self.name = name
        self.module = module
        self.description = description
        self.tapname = tapname

    @property
    def options(self) -> Any:
        """The module's `Options`."""
        return _from_module(import_module(self.module), "Options")

    @property
    def makeService(self) -> Any:
        """The module's `makeService`."""
        return _from_module(import_module(self.module), "makeService")

    def __repr__(self) -> str:
        return f"<ServiceMaker {self.tapname!r} in {self.module}>"


def _of_module(module: ModuleType) -> ServiceMaker:
    """A module that makes services, as an entry point may name it."""
    name = module.__name__
    description = (module.__doc__ or "").strip().partition("\n")[0]
    return ServiceMaker(name, name, description, name.rpartition(".")[2])


registerAdapter(_of_module, ModuleType, IServiceMaker)
