"""Small things that many programs need."""

from __future__ import annotations

import errno
import itertools
import os
import pty
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reactorlib.python import util

ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")


# Containers.


@pytest.mark.parametrize(("preserve", "keys"), [(1, ["Foo", b"Bar", 1]), (0, ["foo", b"bar", 1])])
def test_keys_without_case(preserve: int, keys: list[Any]) -> None:
    made = util.InsensitiveDict({"Foo": 1, b"Bar": 2, 1: 3}, preserve=preserve)
    assert made.keys() == list(made.iterkeys()) == list(made) == keys
    assert (made["FOO"], made[b"bar"], made[1]) == (1, 2, 3)
    assert "fOO" in made
    assert made.has_key(b"BAR")
    assert made.get("none", 5) == 5
    assert made.values() == list(made.itervalues()) == [1, 2, 3]
    assert made.items() == list(made.iteritems()) == list(zip(keys, [1, 2, 3], strict=True))
    assert made.copy() == made == {"foo": 1, b"BAR": 2, 1: 3}
    assert made != {"foo": 1}
    assert eval(repr(made), {"InsensitiveDict": util.InsensitiveDict}) == made
    assert made.setdefault("FOO", 9) == 1
    del made["FoO"]
    assert made.pop(b"BAR") == 2
    assert len(made) == 1


def test_a_key_that_is_set_again_has_its_new_case() -> None:
    made = util.InsensitiveDict({"Foo": 1})
    made["FOO"] = 2
    assert made.items() == [("FOO", 2)]


def test_the_last_lines() -> None:
    log = util.LineLog(3)
    assert log.str() == b""
    for line in (b"a", b"b", b"c", b"d"):
        log.append(line)
    assert log.str() == b"b\nc\nd"
    assert (log[0], log[-1], log[1:]) == (b"b", b"d", [b"c", b"d"])
    log.clear()
    assert log[:] == []


def test_intervals_are_merged() -> None:
    differences = iter(util.IntervalDifferential([7, 11, 13]))
    assert list(itertools.islice(differences, 6)) == [
        (7, 0), (4, 1), (2, 2), (1, 0), (7, 0), (1, 1)
    ]  # fmt: skip
    # 22 is the last instant.
    differences.addInterval(2)
    assert list(itertools.islice(differences, 4)) == [(2, 3), (2, 2), (0, 3), (2, 0)]
    for interval in (7, 11, 2):
        differences.removeInterval(interval)
    assert next(differences) == (11, 0)
    differences.removeInterval(13)
    assert next(differences) == (60, None)
    with pytest.raises(ValueError, match="no interval of 13"):
        differences.removeInterval(13)


class Shown(util.FancyStrMixin):
    showAttributes = ("a", ("b", lambda value: value.upper()), ("c", "see", "%.1f"))
    a, b, c = "x", "y", 2.345


class Named(util.FancyStrMixin):
    fancybasename = "Other"


class Pair(util.FancyEqMixin):
    compareAttributes = ("a", "b")

    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b


class Derived(Pair): ...


class Unrelated(util.FancyEqMixin):
    compareAttributes = ("a", "b")
    a, b = 1, 2


class Alone(util.FancyEqMixin): ...


def test_attributes_are_shown() -> None:
    assert str(Shown()) == repr(Shown()) == "<Shown a='x' b=Y see=2.3>"
    assert str(Named()) == "<Other>"


def test_attributes_are_compared() -> None:
    assert Pair(1, 2) == Pair(1, 2) == Derived(1, 2)
    assert Pair(1, 2) != Pair(1, 3)
    assert Pair(1, 2) != Unrelated()
    one = Alone()
    assert one == one
    assert one != Alone()


# Sequences, texts, calls.


def test_sequences() -> None:
    assert util.uniquify(["a", 1, "a", 2, 1]) == ["a", 1, 2]
    given = [1, 2]
    assert util.padTo(4, given, 0) == [1, 2, 0, 0]
    assert util.padTo(2, given) == given
    assert util.padTo(2, given) is not given
    with pytest.raises(ValueError, match="more than 1"):
        util.padTo(1, given)


@pytest.mark.parametrize(
    ("name", "label"), [("", ""), ("f", "F"), ("fooBarBaz", "Foo Bar Baz"), ("getURL", "Get URL")]
)
def test_labels(name: str, label: str) -> None:
    assert util.nameToLabel(name) == label


def test_a_progress_bar() -> None:
    bar = util.makeStatBar(12, 100)
    assert [bar(at) for at in (0, 1, 50, 99)] == [
        "[>---------]", "", "[=====>----]", "[=========>]"
    ]  # fmt: skip
    assert bar(99) == ""
    assert bar(99, force=True) == "[=========>]"


def test_a_line_of_output(capsys: pytest.CaptureFixture[str]) -> None:
    util.println("a", 1)
    assert capsys.readouterr().out == "a 1\n"


def test_calls_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    class Thing:
        def method(self) -> None:
            util.spewer(sys._getframe(), "call", None)

    def function() -> None:
        util.spewer(sys._getframe(), "call", None)

    thing = Thing()
    thing.method()
    function()
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"method method of {__name__}.Thing at {id(thing)}"
    assert second.startswith(f"function function in {__file__}, line ")


def test_whether_a_call_raises() -> None:
    assert util.raises(ZeroDivisionError, divmod, 1, 0)
    assert not util.raises(ZeroDivisionError, divmod, 0, 1)
    with pytest.raises(ZeroDivisionError):
        util.raises(TypeError, divmod, 1, 0)


def test_interrupted_calls_are_made_again() -> None:
    outcomes: Iterator[int] = iter([errno.EINTR, errno.EINTR, 0, errno.EBADF])

    def call(x: int) -> int:
        if number := next(outcomes):
            raise OSError(number, "")
        return x

    assert util.untilConcludes(call, 3) == 3
    with pytest.raises(OSError, match="Errno 9"):
        util.untilConcludes(call, 3)


def test_warnings_are_suppressed() -> None:
    def call() -> int:
        warnings.warn("not this", stacklevel=1)
        return 3

    suppressed = [(("ignore", ".*this"), {"category": UserWarning})]
    assert util.runWithWarningsSuppressed(suppressed, call) == 3
    with pytest.warns(UserWarning, match="not this"):
        call()


def test_a_function_looks_like_another() -> None:
    def first() -> None:
        """The first."""

    def second() -> int:
        return 2

    first.mark = 1  # type: ignore[attr-defined]
    merged = util.mergeFunctionMetadata(first, second)
    assert merged() == 2
    assert (merged.__name__, merged.__doc__, merged.mark) == (  # type: ignore[attr-defined]
        "first", "The first.", 1
    )  # fmt: skip


# Paths.


def test_siblings() -> None:
    assert util.sibpath("/a/b.py", "c.txt") == "/a/c.txt"
    assert util.sibpath(b"/a/b.py", b"c.txt") == b"/a/c.txt"
    assert util.sibpath(Path("/a/b.py"), "c.txt") == "/a/c.txt"


def test_the_nearest_folder_with_everything(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "conf").write_text("")
    (inner / "conf").write_text("")
    (tmp_path / "data").mkdir()
    assert util.searchupwards(str(inner), ["conf"], ["data"]) == f"{tmp_path}{os.sep}"
    assert util.searchupwards(str(inner), ["conf"]) == f"{inner}{os.sep}"
    assert util.searchupwards(str(inner), ["no such file at all"]) is None


@pytest.mark.parametrize("function", [util.getPluginDirs, util.addPluginDir])
def test_folders_of_plugins(function: Any) -> None:
    before = sys.path[:]
    with pytest.warns(DeprecationWarning, match="is deprecated since Twisted 12.2"):
        function()
    sys.path[:] = before


def test_an_ordered_dictionary_is_pythons() -> None:
    from collections import OrderedDict

    with pytest.warns(DeprecationWarning, match="Use collections.OrderedDict"):
        assert util.OrderedDict is OrderedDict
    with pytest.raises(AttributeError, match="nothing"):
        util.nothing  # noqa: B018


# Passwords.

ASK = "from reactorlib.python.util import getPassword; print('got', getPassword(%s))"


@pytest.mark.parametrize(
    ("given", "password"), [(b"secret\n", b"secret"), (b"end", b"end"), (b" a \nb", b" a ")]
)
def test_a_password_from_standard_input(given: bytes, password: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK % ""], input=given, stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == b"got " + password + b"\n"


def test_no_password() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK % ""], stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.returncode == 1
    assert b"EOFError: standard input ended" in done.stderr


def test_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK % "forceTTY=True"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
    )
    assert b"RuntimeError: there is no terminal" in done.stderr


def test_a_password_at_a_terminal() -> None:
    """It is not shown, and asked for until both are the same."""
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = "confirm=True, prompt='one? ', confirmPrompt='two? '"
        os.execv(sys.executable, [sys.executable, "-c", ASK % arguments])
    shown = b""
    answers = [b"a\n", b"b\n", b"secret\n", b"secret\n"]
    try:
        while True:
            shown += os.read(terminal, 1000)
            if shown.count(b"? ") > 4 - len(answers):
                os.write(terminal, answers.pop(0))
    except OSError:
        pass  # the end, on Linux
    finally:
        os.close(terminal)
        assert os.waitpid(pid, 0)[1] == 0
    lines = shown.replace(b"\r", b"").split(b"\n")
    assert lines == [
        b"one? ", b"two? ", b"Passwords don't match.", b"one? ", b"two? ", b"got secret", b""
    ]  # fmt: skip


# Users.


def test_numbers_of_users_and_groups() -> None:
    import grp
    import pwd

    user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(os.getgid())
    assert util.uidFromString("100") == util.gidFromString("100") == 100
    assert util.uidFromString(user.pw_name) == user.pw_uid
    assert util.gidFromString(group.gr_name) == group.gr_gid
    for function in (util.uidFromString, util.gidFromString):
        with pytest.raises(KeyError):
            function("no such name")


def test_one_is_somebody_already() -> None:
    uid, euid = os.getuid(), os.geteuid()
    with pytest.warns(UserWarning, match=f"setuid {uid} but uid is already {uid}"):
        util.switchUID(uid, None)
    with pytest.warns(UserWarning, match=f"seteuid {euid} but euid is already {euid}"):
        util.switchUID(euid, None, euid=True)


def test_a_user_needs_a_group() -> None:
    with pytest.raises(TypeError, match="a group has to be given"):
        util.initgroups(os.getuid(), None)  # type: ignore[arg-type]


def as_root(code: str) -> str:
    """What a program prints; it becomes somebody else."""
    done = subprocess.run(
        [sys.executable, "-c", f"import os\nfrom reactorlib.python import util\n{code}"],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout.strip()


@ROOT
@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ("65534, 65534", "(65534, 65534, 65534) (65534, 65534, 65534) [65534]"),
        ("65534, 65534, True", "(0, 65534, 0) (0, 65534, 0) [65534]"),
        ("54321, 54321", "(54321, 54321, 54321) (54321, 54321, 54321) [54321]"),
    ],
)
def test_root_becomes_somebody_else(arguments: str, ids: str) -> None:
    shown = as_root(
        f"util.switchUID({arguments}); print(os.getresuid(), os.getresgid(), os.getgroups())"
    )
    assert shown == ids


@ROOT
def test_root_calls_as_somebody_else() -> None:
    shown = as_root(
        "def f(x): return os.geteuid(), os.getegid(), x\n"
        "print(util.runAsEffectiveUser(1, 2, f, 3), os.geteuid(), os.getegid())\n"
        "os.setegid(5); os.seteuid(5)\n"
        "print(util.runAsEffectiveUser(1, 2, f, x=3), os.geteuid(), os.getegid())"
    )
    assert shown.splitlines() == ["(1, 2, 3) 0 0", "(1, 2, 3) 5 5"]
