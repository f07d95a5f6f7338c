"""As whom a program runs."""

from __future__ import annotations

from zope.interface import Attribute, Interface, implementer

__all__ = ["IProcess", "Process"]


class IProcess(Interface):
    """What a program wants of the process that it runs in."""

    processName = Attribute("What it is to be called; None for no matter.")
    uid = Attribute("The user to run as, a number; None for the one that started it.")
    gid = Attribute("The group to run as, a number; None for the one that started it.")


@implementer(IProcess)
class Process:
    """
    As whom a program runs.

    Args:
        uid, gid: numbers of a user and a group; None for those that started the
            process.
    """

    processName: str | None = None

    def __init__(self, uid: int | None = None, gid: int | None = None) -> None:
        self.uid = uid
        self.gid = gid
