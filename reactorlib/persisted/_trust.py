"""
Reading what nobody else can have written.

Loading a saved object calls what the file names. So its owner must be this
process's user, or root, nobody else may be able to write it, and nobody else may be
able to put another in its place: none of the folders above it may be one that
others can write. A folder such as /tmp, in which only the owner of a file can
replace it, will do; so will one that the owner's own private group can write, as
some systems set up new folders.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from reactorlib.persisted.error import DamagedFile, FileNotTrusted

__all__ = ["check_trusted", "read_trusted"]

#: In bytes. A state of a program that is larger than this belongs into a database.
MAX_SIZE = 1 << 28


def read_trusted(filename: str, limit: int = MAX_SIZE) -> bytes:
    """
    Read a file that nobody else can have written.

    Raises:
        OSError: it is not there, or not to be read.
        FileNotTrusted: somebody else can write it, or put another in its place.
        DamagedFile: it is no file, or of more than `limit` bytes.
    """
    # A pipe is opened without waiting for whoever is to write, and then refused.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(filename, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise DamagedFile("is not a regular file", filename)
        check_trusted(filename, status)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise DamagedFile(f"is larger than {limit} bytes", filename)
    return data


def check_trusted(filename: str, status: os.stat_result) -> None:
    """Raise FileNotTrusted if others can write a file, whose status is given, or replace it."""
    if not hasattr(os, "getuid"):
        return
    if status.st_uid not in (os.geteuid(), 0):
        raise FileNotTrusted(
            f"refused: it belongs to {_user(status.st_uid)}, and this runs as "
            f"{_user(os.geteuid())}, who loads only what is their own or root's",
            filename,
        )
    others = _others(status, is_folder=False)
    if others:
        raise FileNotTrusted(
            f"refused: {others} can write it, and so may have changed it: chmod go-w {filename}",
            filename,
        )
    for folder in _folders(filename):
        _check_folder(filename, folder, os.stat(folder))


def _check_folder(filename: str, folder: str, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise FileNotTrusted(
            f"refused: its folder {folder} belongs to {_user(status.st_uid)}, "
            "who can put another file in its place",
            filename,
        )
    others = _others(status, is_folder=True)
    if others:
        raise FileNotTrusted(
            f"refused: {others} can write its folder {folder}, and put another file "
            f"in its place: chmod go-w {folder}",
            filename,
        )


def _folders(filename: str) -> Iterator[str]:
    """All folders that decide which file a name means, links in it and in what it stands for."""
    seen: set[str] = set()
    for path in (os.path.abspath(filename), os.path.realpath(filename)):
        folder = os.path.dirname(path)
        while folder not in seen:
            seen.add(folder)
            yield folder
            folder = os.path.dirname(folder)


def _others(status: os.stat_result, is_folder: bool) -> str | None:
    """Who else can write, in words; None for nobody."""
    if is_folder and status.st_mode & stat.S_ISVTX:
        return None
    if status.st_mode & stat.S_IWOTH:
        return "everybody"
    if status.st_mode & stat.S_IWGRP and not (is_folder and _is_private_group(status)):
        return "its group"
    return None


def _is_private_group(status: os.stat_result) -> bool:
    """Whether the group of a folder is that of its owner, of the same name, and of nobody else."""
    import grp
    import pwd

    if status.st_gid == 0:
        return False
    try:
        owner = pwd.getpwuid(status.st_uid)
        group = grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return (
        owner.pw_gid == group.gr_gid
        and owner.pw_name == group.gr_name
        and set(group.gr_mem) <= {owner.pw_name}
    )


def _user(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
