"""What services, and collections of them, are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zope.interface import Attribute, Interface

__all__ = ["IService", "IServiceCollection"]


class IService(Interface):
    """Something that starts and stops, and has a place in a tree."""

    name = Attribute("What it is called in its parent, a string; None for no name.")
    running = Attribute("Whether it has been started, and not stopped since.")
    parent = Attribute("The collection that it is in; None for none.")

    def setName(name: str) -> None:
        """Give it a name; RuntimeError if it has a parent already."""

    def setServiceParent(parent: Any) -> None:
        """Put it into a collection; one that runs starts it."""

    def disownServiceParent() -> Any:
        """
        Take it out of its collection; one that runs stops it.

        Returns:
            None, or a Deferred that fires when it has stopped.
        """

    def privilegedStartService() -> Any:
        """Do what needs rights that are given up before `startService`."""

    def startService() -> Any:
        """
        Begin to work.

        Returns:
            None, or a Deferred or coroutine: it has started when that is done.
        """

    def stopService() -> Any:
        """
        End all work.

        Returns:
            None, or a Deferred or coroutine: it has stopped when that is done.
        """


class IServiceCollection(Interface):
    """Services that start and stop together."""

    def getServiceNamed(name: str) -> Any:
        """The service of that name; KeyError if there is none."""

    def __iter__() -> Iterator[Any]:
        """The services, in the order in which they were added."""

    def addService(service: Any) -> None:
        """Take a service in. Programs call its `setServiceParent` instead."""

    def removeService(service: Any) -> Any:
        """Let a service go. Programs call its `disownServiceParent` instead."""
