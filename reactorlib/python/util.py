"""Small things that many programs need: users, paths, passwords, containers, texts."""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from collections import OrderedDict as _OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

from reactorlib.python._containers import InsensitiveDict, IntervalDifferential, LineLog
from reactorlib.python._fancy import FancyEqMixin, FancyStrMixin
from reactorlib.python._search import addPluginDir, getPluginDirs, searchupwards, sibpath

if sys.platform == "win32":
    _initgroups = _setgroups = None
else:
    from os import initgroups as _initgroups
    from os import setgroups

__all__ = [
    "FancyEqMixin",
    "FancyStrMixin",
    "InsensitiveDict",
    "IntervalDifferential",
    "LineLog",
    "addPluginDir",
    "getPassword",
    "getPluginDirs",
    "gidFromString",
    "initgroups",
    "makeStatBar",
    "mergeFunctionMetadata",
    "nameToLabel",
    "padTo",
    "println",
    "raises",
    "runAsEffectiveUser",
    "runWithWarningsSuppressed",
    "searchupwards",
    "sibpath",
    "spewer",
    "switchUID",
    "uidFromString",
    "uniquify",
    "untilConcludes",
]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def __getattr__(name: str) -> Any:
    if name == "OrderedDict":
        warnings.warn(
            f"{__name__}.OrderedDict was deprecated in Twisted 15.5.0: "
            "Use collections.OrderedDict instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return _OrderedDict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# -- users --------------------------------------------------------------------


def uidFromString(uidString: str) -> int:
    """
    A user's number, of the number's text or the user's name.

    Raises:
        KeyError: there is no such user.
        ValueError: it is a name, and this system has none.
    """
    try:
        return int(uidString)
    except ValueError:
        if sys.platform == "win32":
            raise
    import pwd

    return pwd.getpwnam(uidString)[2]


def gidFromString(gidString: str) -> int:
    """
    A group's number, of the number's text or the group's name.

    Raises:
        KeyError: there is no such group.
        ValueError: it is a name, and this system has none.
    """
    try:
        return int(gidString)
    except ValueError:
        if sys.platform == "win32":
            raise
    import grp

    return grp.getgrnam(gidString)[2]


def initgroups(uid: int | str, primaryGid: int) -> None:
    """
    Take on the groups that a user is in, and no others.

    Args:
        uid: the user's number or name.
        primaryGid: the group that is to be among them in any case.

    Raises:
        KeyError: there is no user of that number.
        TypeError: there is no group.
    """
    if primaryGid is None:
        raise TypeError("to take on a user's groups, a group has to be given")
    if sys.platform == "win32":
        raise NotImplementedError("Windows has no such groups")
    if isinstance(uid, int):
        import pwd

        try:
            uid = pwd.getpwuid(uid).pw_name
        except KeyError:
            # A user without an entry is in no other group.
            setgroups([primaryGid])
            return
    _initgroups(uid, primaryGid)


def switchUID(uid: int | None, gid: int | None, euid: bool = False) -> None:
    """
    Become another user: the groups first, then the user.

    It warns if this is the user already.

    Args:
        uid: the user's number; None to stay what one is.
        gid: the group's number; with a user it has to be given.
        euid: whether only the effective numbers are changed, so that the process
            can change back.
    """
    if sys.platform == "win32":
        raise NotImplementedError("Windows has no such users")
    if euid:
        set_uid, get_uid, set_gid = os.seteuid, os.geteuid, os.setegid
    else:
        set_uid, get_uid, set_gid = os.setuid, os.getuid, os.setgid
    if gid is not None:
        set_gid(gid)
    if uid is None:
        return
    if uid == get_uid():
        kind = "euid" if euid else "uid"
        warnings.warn(
            f"tried to drop privileges and set{kind} {uid} but {kind} is already {uid}; "
            "should we be root? Continuing.",
            stacklevel=1,
        )
        return
    initgroups(uid, gid)  # type: ignore[arg-type]
    set_uid(uid)


def runAsEffectiveUser(
    euid: int, egid: int, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
) -> _T:
    """
    Call a function as another user, by the effective user and group.

    Between two users other than root, root is taken on in between.

    Args:
        euid, egid: the numbers of the user and the group.
        function: what to call, with the arguments that follow.
    """
    own_uid, own_gid = os.geteuid(), os.getegid()
    if (own_uid, own_gid) == (euid, egid):
        return function(*args, **kwargs)
    _become(own_uid, own_gid, euid, egid)
    try:
        return function(*args, **kwargs)
    finally:
        _become(euid, egid, own_uid, own_gid)


def _become(uid: int, gid: int, new_uid: int, new_gid: int) -> None:
    """Change the effective user and group: the group as root."""
    if uid != 0 and (uid, gid) != (new_uid, new_gid):
        os.seteuid(0)
        uid = 0
    if gid != new_gid:
        os.setegid(new_gid)
    if uid != new_uid:
        os.seteuid(new_uid)


def getPassword(
    prompt: str = "Password: ",
    confirm: bool | int = 0,
    forceTTY: bool | int = 0,
    confirmPrompt: str = "Confirm password: ",
    mismatchMessage: str = "Passwords don't match.",
) -> str:
    """
    Ask for a password: at the terminal, without showing it; else a line of standard input.

    Args:
        prompt: the question.
        confirm: whether to ask twice, until both are the same. Only at a terminal.
        forceTTY: whether to ask at the terminal also where standard input is
            something else.
        confirmPrompt: the question when asked the second time.
        mismatchMessage: what to say when they differ.

    Raises:
        RuntimeError: `forceTTY` is set, and there is no terminal.
        EOFError: standard input has ended.
    """
    import getpass

    if not sys.stdin.isatty():
        if not forceTTY:
            line = sys.stdin.readline()
            if not line:
                raise EOFError("standard input ended where a password was to be read")
            return line.removesuffix("\n")
        if sys.platform != "win32":
            try:
                # getpass asks there, and would fall back to standard input.
                open("/dev/tty", "r+b", buffering=0).close()
            except OSError as cause:
                raise RuntimeError("there is no terminal to ask for a password at") from cause
    while True:
        password = getpass.getpass(prompt)
        if not confirm or getpass.getpass(confirmPrompt) == password:
            return password
        sys.stderr.write(mismatchMessage + "\n")


# -- sequences, texts ---------------------------------------------------------


def uniquify(lst: Iterable[_T]) -> list[_T]:
    """The items without those that were there before, in the same order."""
    return list(dict.fromkeys(lst))


def padTo(n: int, seq: Sequence[Any], default: Any = None) -> list[Any]:
    """
    A list of `n` items: those of `seq`, and `default` for the rest.

    Raises:
        ValueError: there are more already.
    """
    if len(seq) > n:
        raise ValueError(f"there are {len(seq)} items, which is more than {n}")
    return [*seq, *[default] * (n - len(seq))]


def nameToLabel(mname: str) -> str:
    """A name of Python's as words with capital letters: of "fooBar" makes "Foo Bar"."""
    words = re.sub(r"(?<!^)(?<![A-Z])(?=[A-Z])", " ", mname)
    return words[:1].upper() + words[1:]


def println(*a: object) -> None:
    """Write the texts of some objects, with spaces between them, as a line of output."""
    sys.stdout.write(" ".join(map(str, a)) + "\n")


def makeStatBar(
    width: int,
    maxPosition: int,
    doneChar: str = "=",
    undoneChar: str = "-",
    currentChar: str = ">",
) -> Callable[..., str]:
    """
    Make what draws a progress bar.

    Args:
        width: how wide the bar is, in characters, with its brackets.
        maxPosition: the position at which all is done.
        doneChar, undoneChar, currentChar: what it consists of.

    Returns:
        a function of the position, and of whether the bar is wanted in any case:
        it returns the bar, or an empty text if the bar is as it was before.
    """
    before = ""
    inside = width - 2

    def statBar(position: float, force: bool | int = 0) -> str:
        nonlocal before
        done = min(inside, int(position / maxPosition * inside))
        rest = max(0, inside - done - 1)
        bar = f"[{doneChar * done}{currentChar}{undoneChar * rest}]"
        if bar == before and not force:
            return ""
        before = bar
        return bar

    return statBar


# -- calls --------------------------------------------------------------------


def raises(
    exception: type[BaseException], f: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs
) -> bool:
    """Whether a call raises the exception. Others go through."""
    try:
        f(*args, **kwargs)
    except exception:
        return True
    return False


def untilConcludes(f: Callable[_P, _T], *a: _P.args, **kw: _P.kwargs) -> _T:
    """Call a function again until no signal interrupts it, and return what it returned."""
    while True:
        try:
            return f(*a, **kw)
        except OSError as error:
            if errno.EINTR not in (error.errno, *error.args):
                raise


def runWithWarningsSuppressed(
    suppressedWarnings: Iterable[tuple[Sequence[Any], dict[str, Any]]],
    f: Callable[_P, _T],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _T:
    """
    Call a function while some warnings are suppressed, and return what it returned.

    Args:
        suppressedWarnings: the positional and the named arguments, in pairs, of
            `warnings.filterwarnings`.
        f: what to call, with the arguments that follow.
    """
    with warnings.catch_warnings():
        for positional, named in suppressedWarnings:
            warnings.filterwarnings(*positional, **named)
        return f(*args, **kwargs)


def mergeFunctionMetadata(f: Callable[..., Any], g: Callable[_P, _T]) -> Callable[_P, _T]:
    """Give the second function the name, module, docstring and attributes of the first."""
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        try:
            setattr(g, name, getattr(f, name))
        except (AttributeError, TypeError):
            pass
    g.__dict__.update(f.__dict__)
    return g


def spewer(frame: Any, s: str, ignored: object) -> None:
    """Print every call of a function or method: for `sys.settrace`."""
    from reactorlib.python.reflect import qual

    if "self" in frame.f_locals:
        instance = frame.f_locals["self"]
        name = qual(getattr(instance, "__class__", type(instance)))
        print(f"method {frame.f_code.co_name} of {name} at {id(instance)}")
    else:
        place = f"{frame.f_code.co_filename}, line {frame.f_lineno}"
        print(f"function {frame.f_code.co_name} in {place}")
