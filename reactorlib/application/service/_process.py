"""As whom a program runs."""

from __future__ import annotations

import os

from zope.interface import Attribute, Interface, implementer

__all__ = ["IProcess", "Process"]


class IProcess(Interface):
    """What a program wants of the process that it runs in."""

    processName = Attribute("What it is to be called; None for no matter.")
    uid = Attribute("The user to run as, a number.")
    gid = Attribute("The group to run as, a number.")


@implementer(IProcess)
class Process:
    """
    As whom a program runs.

    Args:
        uid, gid: numbers of a user and a group; None for those of this process.
    """

    processName: str | None = None

    def __init__(self, uid: int | None = None, gid: int | None = None) -> None:
        self.uid = os.getuid() if uid is None else uid
        self.gid = os.getgid() if gid is None else gid
