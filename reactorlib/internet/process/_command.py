"""What is to be started: the arguments of `spawnProcess`, checked before anything happens."""

from __future__ import annotations

import errno
import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Command", "Identity", "check_command", "check_fds"]

Text = bytes | str


@dataclass(frozen=True, slots=True)
class Identity:
    """The user, the group and the supplementary groups that a program runs with."""

    uid: int | None
    gid: int
    groups: list[int] | None


@dataclass(frozen=True, slots=True)
class Command:
    """A program, its arguments, and what it starts with."""

    executable: bytes
    args: list[bytes]
    env: dict[bytes, bytes] | None
    path: bytes | None
    identity: Identity | None

    @property
    def here_as_us(self) -> bool:
        """Whether it runs in our folder, as our user."""
        return self.path is None and self.identity is None


def check_command(
    executable: Any, args: Any, env: Any, path: Any, uid: int | None, gid: int | None
) -> Command:
    """
    The command that these arguments of `spawnProcess` describe.

    Raises:
        FileNotFoundError: the executable is a mere name, and not in the PATH.
        ValueError, TypeError: one of them cannot be right.
    """
    program = _bytes("the executable", executable)
    if not program:
        raise ValueError("the executable has no name: pass the path of a program")
    return Command(
        program if b"/" in program else _found(program),
        _arguments(args) or [program],
        _environment(env),
        None if not path else _bytes("the path", path),
        _identity(uid, gid),
    )


def _bytes(what: str, value: Any) -> bytes:
    try:
        raw = os.fsencode(value)
    except TypeError:
        raise TypeError(f"{what} has to be str or bytes, not {value!r}") from None
    if b"\0" in raw:
        raise ValueError(f"{what} contains a NUL, at which the system would cut it: {value!r}")
    return raw


def _arguments(args: Sequence[Text]) -> list[bytes]:
    if isinstance(args, (bytes, str)):
        raise TypeError(
            f"the arguments are a sequence of str or bytes, the program's name first, not {args!r}"
        )
    return [_bytes(f"argument {number}", arg) for number, arg in enumerate(args)]


def _environment(env: Mapping[Text, Text] | None) -> dict[bytes, bytes] | None:
    if env is None:
        return None
    variables = {}
    for name, value in env.items():
        raw = _bytes("the name of an environment variable", name)
        if not raw or b"=" in raw:
            raise ValueError(f"an environment variable cannot be called {name!r}")
        variables[raw] = _bytes(f"the environment variable {name!r}", value)
    return variables


def _found(name: bytes) -> bytes:
    """The path of the program `name`, as this process would find it."""
    for folder in os.get_exec_path():
        path = os.path.join(os.fsencode(folder), name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(
        errno.ENOENT, "no such program in this process's PATH", os.fsdecode(name)
    )


def _identity(uid: int | None, gid: int | None) -> Identity | None:
    """
    Whom to run as; None for as ourselves.

    Who is asked for a user keeps the group, and gets that user's supplementary
    groups: those of the user before would be privileges of somebody else's.
    """
    ids = {"uid": uid, "gid": gid}
    for name, value in ids.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise TypeError(f"{name} is a number, not {value!r}; `pwd` and `grp` know the numbers")
        if value is not None and value < 0:
            raise ValueError(f"{name} is a number from 0, not {value}")
    if uid in (None, os.getuid()) and os.geteuid() == os.getuid():
        uid = None
    if uid is None and gid in (None, os.getgid()) and os.getegid() == os.getgid():
        return None
    group = os.getegid() if gid is None else gid
    if uid is None:
        return Identity(None, group, None)
    try:
        groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, group)
    except KeyError:
        groups = [group]  # a user without a name is in no other group
    return Identity(uid, group, groups)


def check_fds(fds: Mapping[Any, Any]) -> None:
    """
    See whether `childFDs` can be had.

    Raises:
        ValueError, TypeError: it is not such a map.
        OSError: it names a descriptor of ours that is not open.
    """
    for child, target in fds.items():
        if isinstance(child, bool) or not isinstance(child, int) or child < 0:
            raise ValueError(f"childFDs: a descriptor is a number from 0, not {child!r}")
        if target in ("r", "w"):
            continue
        if isinstance(target, bool) or not isinstance(target, int):
            raise TypeError(
                f"childFDs: {child} can be 'r' (we read), 'w' (we write) or the number "
                f"of an open descriptor of this process, not {target!r}"
            )
        try:
            os.fstat(target)
        except OSError as exception:
            raise OSError(
                exception.errno,
                f"childFDs: {child} is to be this process's {target}, which is not open",
            ) from exception
