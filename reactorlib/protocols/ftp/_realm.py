"""Whose files are whose."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.cred import checkers
from reactorlib.cred.error import UnauthorizedLogin
from reactorlib.cred.portal import IRealm
from reactorlib.protocols.ftp._interfaces import IFTPShell
from reactorlib.protocols.ftp._shell import FTPAnonymousShell, FTPShell
from reactorlib.python.filepath import FilePath, InsecurePath

__all__ = ["BaseFTPRealm", "FTPRealm", "SystemFTPRealm"]


def _nothing() -> None:
    """Logging out does nothing."""


@implementer(IRealm)
class BaseFTPRealm:
    """
    Gives everybody the shell of a directory of their own. Say which in a subclass.

    Args:
        anonymousRoot: the directory of those without a name: a path.
    """

    def __init__(self, anonymousRoot: Any) -> None:
        self.anonymousRoot = FilePath(os.fspath(anonymousRoot))

    def getHomeDirectory(self, avatarId: Any) -> FilePath[Any]:
        """
        The directory of somebody. For subclasses.

        Raises:
            UnauthorizedLogin: they have none.
        """
        raise NotImplementedError(f"{self.__class__.__name__} needs a getHomeDirectory()")

    def requestAvatar(
        self, avatarId: Any, mind: Any, *interfaces: Any
    ) -> tuple[Any, Any, Callable[[], Any]]:
        """An `IFTPShell`."""
        if IFTPShell not in interfaces:
            raise NotImplementedError(f"{self.__class__.__name__} has IFTPShell to offer only")
        avatar: FTPAnonymousShell
        if avatarId is checkers.ANONYMOUS:
            avatar = FTPAnonymousShell(self.anonymousRoot)
        else:
            avatar = FTPShell(self.getHomeDirectory(avatarId))
        return IFTPShell, avatar, getattr(avatar, "logout", _nothing)


class FTPRealm(BaseFTPRealm):
    """
    Gives each user the directory of their name.

    Args:
        anonymousRoot: the directory of those without a name.
        userHome: where the directories of the others are.
    """

    def __init__(self, anonymousRoot: Any, userHome: Any = "/home") -> None:
        super().__init__(anonymousRoot)
        self.userHome = FilePath(os.fspath(userHome))

    def getHomeDirectory(self, avatarId: Any) -> FilePath[Any]:
        """The directory of that name."""
        try:
            home = self.userHome.child(os.fsdecode(avatarId))
        except (InsecurePath, ValueError):
            raise UnauthorizedLogin() from None
        if home == self.userHome:
            raise UnauthorizedLogin()
        return home


class SystemFTPRealm(BaseFTPRealm):
    """Gives each user of the system their home directory, with the rights of this process."""

    def getHomeDirectory(self, avatarId: Any) -> FilePath[Any]:
        """The home of that user."""
        try:
            return FilePath(pwd.getpwnam(os.fsdecode(avatarId)).pw_dir)
        except (KeyError, ValueError):
            raise UnauthorizedLogin() from None
