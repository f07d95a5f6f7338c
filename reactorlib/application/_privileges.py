"""Users and groups: by name or number, and becoming one."""

from __future__ import annotations

import grp
import os
import pwd
import warnings

__all__ = ["gidFromString", "switchUID", "uidFromString"]


def uidFromString(uidString: str) -> int:
    """
    The number of a user, given that or a name.

    Raises:
        ValueError: there is no user of that name.
    """
    try:
        return int(uidString)
    except ValueError:
        pass
    try:
        return pwd.getpwnam(uidString).pw_uid
    except KeyError:
        raise ValueError(f"there is no user {uidString!r}") from None


def gidFromString(gidString: str) -> int:
    """
    The number of a group, given that or a name.

    Raises:
        ValueError: there is no group of that name.
    """
    try:
        return int(gidString)
    except ValueError:
        pass
    try:
        return grp.getgrnam(gidString)[2]
    except KeyError:
        raise ValueError(f"there is no group {gidString!r}") from None


def _init_groups(uid: int, gid: int) -> None:
    """Have the groups that the user is in, and that one, and no others."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        os.setgroups([gid])  # a number that is no user's is in no groups
    else:
        os.initgroups(name, gid)


def switchUID(uid: int | None, gid: int | None, euid: bool = False) -> None:
    """
    Become another user and group.

    Args:
        uid, gid: their numbers; None leaves that as it is.
        euid: become so in effect only, with the right to turn back.

    Raises:
        OSError: the process may not.
    """
    if gid is not None:
        (os.setegid if euid else os.setgid)(gid)
    if uid is None:
        return
    if uid == (os.geteuid() if euid else os.getuid()):
        what = "euid" if euid else "uid"
        warnings.warn(
            f"tried to drop privileges and set{what} {uid} but {what} is already {uid}; "
            "should we be root? Continuing.",
            stacklevel=2,
        )
        return
    _init_groups(uid, os.getegid() if gid is None else gid)
    (os.seteuid if euid else os.setuid)(uid)
