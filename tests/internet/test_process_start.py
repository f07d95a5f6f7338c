"""How processes are started: arguments, descriptors, signals, users, and what is refused."""

from __future__ import annotations

import errno
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.internet import process, reactor
from reactorlib.internet.process import _command, _start
from reactorlib.internet.process._file_actions import _getFileActions

from ._process import LIST_FDS, SH, Told, nothing_stays_open, python, soon

pytestmark = pytest.mark.timeout(30)

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")

#: What makes each of the three ways to start a program the one that is used, and
#: the name of the function that goes that way.
WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "popen": ({"childFDs": {0: "w", 1: "r", 2: "r"}}, "_popen"),
    "popen in a folder": ({"path": "/"}, "_popen"),
    "spawn": ({"childFDs": {0: "w", 1: "r", 2: "r", 3: "w"}}, "_spawn"),
    "spawn on a terminal": ({"usePTY": True}, "_spawn"),
    "fork": ({"childFDs": {0: "w", 1: "r", 2: "r", 3: "w"}, "path": "/"}, "_fork"),
    "fork on a terminal": ({"usePTY": True, "path": "/"}, "_fork"),
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Arguments of `spawnProcess` that have the process started in one of the ways."""
    how, function = WAYS[request.param]
    used: list[str] = []

    def noted(name: str, original: Callable[..., int]) -> Callable[..., int]:
        def call(*args: Any, **kw: Any) -> int:
            used.append(name)
            return original(*args, **kw)

        return call

    for name in ("_popen", "_spawn", "_fork"):
        monkeypatch.setattr(_start, name, noted(name, getattr(_start, name)))
    yield how
    assert used
    assert used[0] == function


async def output(executable: Any, args: Any, **how: Any) -> bytes:
    """What a program writes. Its other input is closed."""
    told = Told()
    how.setdefault("env", None)
    transport = reactor.spawnProcess(told, executable, args, **how)
    if not how.get("usePTY"):
        transport.closeStdin()
        transport.closeChildFD(3)
    await soon(told.ended)
    return told.out.replace(b"\r\n", b"\n") + told.err


# -- arguments ----------------------------------------------------------------


async def test_arguments_of_every_kind(way: dict[str, Any]) -> None:
    args = ["sh", "-c", 'printf "%s|" "$0" "$@"', b'"\\a b', "\N{SNOWMAN}", b"\xff", "", "x\ty"]
    found = await output(SH, args, **way)
    assert found.split(b"|")[:-1] == [
        b'"\\a b',
        "\N{SNOWMAN}".encode(),
        b"\xff",
        b"",
        b"x\ty",
    ]


async def test_the_first_argument_is_the_name_that_it_runs_by(way: dict[str, Any]) -> None:
    assert await output(b"/bin/sh", [b"-another", b"-c", b"echo $0"], **way) == b"-another\n"


async def test_without_arguments_that_is_its_path() -> None:
    assert await output("/usr/bin/id", [], childFDs={1: "r"}) != b""
    told = Told()
    transport = reactor.spawnProcess(told, "/bin/cat")
    transport.write(b"x")
    transport.closeStdin()
    await soon(told.ended)
    assert told.out == b"x"


async def test_a_path_object(tmp_path: Path) -> None:
    assert (await output(Path(SH), ["sh", "-c", "pwd"], path=tmp_path)).strip() == bytes(tmp_path)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, b""),
        ({"A": "b", b"C": b"\xff", "D": ""}, b"A=b\nC=\xff\nD=\n"),
        ({"A": "one\ntwo"}, b"A=one\ntwo\n"),
    ],
)
async def test_the_environment_is_what_is_given(
    env: Any, expected: bytes, way: dict[str, Any]
) -> None:
    assert await output("/usr/bin/env", ["env"], env=env, **way) == expected


async def test_the_environment_is_empty_unless_given() -> None:
    told = Told()
    reactor.spawnProcess(told, "/usr/bin/env", ["env"])
    await soon(told.ended)
    assert told.out == b""


async def test_no_environment_means_ours(
    way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REACTORLIB_TEST", "inherited")
    assert b"\nREACTORLIB_TEST=inherited\n" in b"\n" + await output("/usr/bin/env", ["env"], **way)


async def test_the_folder(tmp_path: Path) -> None:
    for path in (str(tmp_path), bytes(tmp_path)):
        assert (await output(SH, ["sh", "-c", "pwd"], path=path)).strip() == bytes(tmp_path)
    for none in (None, ""):
        assert (await output(SH, ["sh", "-c", "pwd -P"], path=none)).strip() == os.getcwdb()


async def test_a_relative_executable_is_found_in_that_folder(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho from the script")
    script.chmod(0o700)
    assert await output("./script", ["script"], path=tmp_path) == b"from the script\n"


async def test_a_name_is_looked_for_in_our_own_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "found").write_text(f"#!/bin/sh\necho {folder.name}")
    (first / "found").chmod(0o600)  # which is none to be run
    (second / "found").chmod(0o700)
    (first / "here").mkdir()
    monkeypatch.setenv("PATH", f"{first}{os.pathsep}{second}")
    for how in ({}, {"path": "/"}, {"usePTY": True}):
        assert await output("found", ["found"], env={"PATH": str(first)}, **how) == b"second\n"
    with pytest.raises(FileNotFoundError, match="no such program in this process's PATH: 'here'"):
        reactor.spawnProcess(Told(), "here")


# -- what cannot be started ---------------------------------------------------


async def test_what_is_not_there_is_said_at_once(way: dict[str, Any]) -> None:
    told = Told()
    with nothing_stays_open():
        with pytest.raises(FileNotFoundError) as caught:
            reactor.spawnProcess(told, "/no/such/program", ["program"], **way)
        del caught
    assert told.events == []


async def test_what_may_not_be_run(way: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with nothing_stays_open(), pytest.raises(PermissionError):
        reactor.spawnProcess(Told(), str(tmp_path / "file"), ["file"], **way)


async def test_what_is_no_program(way: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("echo no interpreter is named")
    (tmp_path / "file").chmod(0o700)
    with nothing_stays_open(), pytest.raises(OSError, match="Exec format error") as caught:
        reactor.spawnProcess(Told(), str(tmp_path / "file"), ["file"], **way)
    assert caught.value.errno == errno.ENOEXEC


async def test_a_folder_that_is_not_there() -> None:
    with nothing_stays_open(), pytest.raises(FileNotFoundError, match="/no/such/folder"):
        reactor.spawnProcess(Told(), SH, path="/no/such/folder")


async def test_a_terminal_that_was_given_is_left_alone_if_nothing_starts() -> None:
    master, slave = os.openpty()
    with nothing_stays_open():
        for path in (None, "/"):
            with pytest.raises(FileNotFoundError):
                reactor.spawnProcess(Told(), "/no/such", usePTY=(master, slave, ""), path=path)
    os.close(master)
    os.close(slave)


async def test_no_room_for_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = os.pipe
    made: list[int] = []

    def limited() -> Any:
        if len(made) == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        made.append(1)
        return pipe()

    with nothing_stays_open():
        monkeypatch.setattr(os, "pipe", limited)
        with pytest.raises(OSError, match="Too many open files"):
            reactor.spawnProcess(Told(), SH)


@pytest.mark.parametrize(
    ("arguments", "exception", "message"),
    [
        ({"executable": "/bin/\0sh"}, ValueError, "the executable contains a NUL"),
        ({"executable": ""}, ValueError, "the executable has no name"),
        ({"executable": 7}, TypeError, "the executable has to be str or bytes, not 7"),
        ({"args": ["sh", b"\0"]}, ValueError, "argument 1 contains a NUL"),
        ({"args": "sh -c true"}, TypeError, "a sequence of str or bytes"),
        ({"args": ["sh", 5]}, TypeError, "argument 1 has to be str or bytes, not 5"),
        ({"env": {"A": "b\0"}}, ValueError, "the environment variable 'A' contains a NUL"),
        ({"env": {"A=": "b"}}, ValueError, "cannot be called 'A='"),
        ({"env": {"": "b"}}, ValueError, "cannot be called ''"),
        ({"env": {"A": 1}}, TypeError, "the environment variable 'A' has to be str or bytes"),
        ({"path": "/\0"}, ValueError, "the path contains a NUL"),
        ({"uid": "root"}, TypeError, "uid is a number, not 'root'"),
        ({"gid": True}, TypeError, "gid is a number, not True"),
        ({"uid": -1}, ValueError, "a number from 0, not -1"),
        ({"childFDs": {-1: "r"}}, ValueError, "a number from 0, not -1"),
        ({"childFDs": {"0": "r"}}, ValueError, "a number from 0, not '0'"),
        ({"childFDs": {0: "x"}}, TypeError, "can be 'r'"),
        ({"childFDs": {0: None}}, TypeError, "can be 'r'"),
        ({"childFDs": {3: 4095}}, OSError, "3 is to be this process's 4095, which is not open"),
    ],
)
async def test_arguments_that_cannot_be_right(
    arguments: dict[str, Any], exception: type[Exception], message: str
) -> None:
    arguments = {"executable": SH, **arguments}
    with nothing_stays_open(), pytest.raises(exception, match=message):
        reactor.spawnProcess(Told(), **arguments)


# -- descriptors --------------------------------------------------------------


def _listing(text: bytes) -> dict[int, int]:
    return {int(fd): int(inode) for fd, inode in (line.split(b"=") for line in text.split())}


@pytest.fixture(params=[True, False])
def can_close_from(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without what Python has from 3.13 on."""
    if not request.param:
        monkeypatch.setattr(_start, "_CLOSEFROM", None)
    elif _start._CLOSEFROM is None:
        pytest.skip("this Python has no POSIX_SPAWN_CLOSEFROM")


@pytest.mark.usefixtures("can_close_from")
@pytest.mark.parametrize("path", [None, "/"])
@pytest.mark.parametrize(
    "fds",
    [
        {1: "r"},
        {1: "r", 2: "r"},
        {0: "w", 1: "r", 2: "r"},
        {0: "w", 1: "r", 2: "r", 3: "w", 4: "r", 5: "w"},
        {1: "r", 40: "w"},
        {1: "r", 300: "two", 301: "one"},
        {0: "w", 1: "r", 2: "r", "one": "one"},
        {0: "one", 1: "r", 2: "two"},
        {0: "one", 1: "r", 2: "one", 3: "one"},
        {1: "r", 3: "two", 4: "one", "two": "one", "one": "two"},  # they change places
    ],
    ids=repr,
)
async def test_a_program_has_the_descriptors_of_the_map_and_no_others(
    fds: dict[Any, Any], path: str | None
) -> None:
    ours = {name: os.open("/dev/null", os.O_RDWR) for name in ("one", "two")}
    os.close(ours["one"])
    ours["one"], spare = os.pipe()
    stray = os.dup(spare)
    os.set_inheritable(stray, True)
    try:
        wanted = {ours.get(child, child): ours.get(to, to) for child, to in fds.items()}
        executable, args = python(LIST_FDS)
        told = Told()
        reactor.spawnProcess(told, executable, args, env=None, path=path, childFDs=wanted)
        for child, to in wanted.items():
            if to == "w":
                told.transport.closeChildFD(child)
        await soon(told.ended)
        found = _listing(told.out)
        assert found.keys() == wanted.keys()
        for child, to in wanted.items():
            if isinstance(to, int):
                assert found[child] == os.fstat(to).st_ino
        for fd in ours.values():
            assert not os.get_inheritable(fd)
    finally:
        for fd in (*ours.values(), spare, stray):
            os.close(fd)


@pytest.mark.usefixtures("can_close_from")
async def test_on_a_terminal_there_are_three() -> None:
    reading, stray = os.pipe()
    os.set_inheritable(stray, True)
    executable, args = python(LIST_FDS)
    for path in (None, "/"):
        found = _listing(await output(executable, args, usePTY=True, path=path))
        assert found.keys() == {0, 1, 2}
        assert len(set(found.values())) == 1
    os.close(reading)
    os.close(stray)


def alone(program: str) -> bytes:
    """
    What a program of its own prints, which may spoil its process.

    It has `run(**how)`, which runs `script` and returns what it writes, and has
    been used once: later there may be nothing to import from.
    """
    whole = f"""
import os, sys
sys.path[:] = {sys.path!r}
from reactorlib.internet import reactor
from reactorlib.internet.protocol import ProcessProtocol
class Gather(ProcessProtocol):
    def __init__(self):
        self.data = {{1: b"", 2: b""}}
    def childDataReceived(self, fd, data):
        self.data[fd] += data
    def processEnded(self, reason):
        reactor.stop()
def run(**how):
    gather = Gather()
    transport = reactor.spawnProcess(gather, "/bin/sh", ["sh", "-c", script], **how)
    transport.write(b"in\\n")
    transport.closeStdin()
    reactor.run()
    return gather.data
script = "true"
run(), run(usePTY=True)
answers = []
def say(*words):
    answers.append(" ".join(map(str, words)))
{program}
os.write(out, "\\n".join(answers).encode())
os._exit(0)
"""
    reading, writing = os.pipe()
    with open(reading, "rb") as answers:
        try:
            done = subprocess.run(
                [sys.executable, "-c", f"out = {writing}\n{whole}"],
                pass_fds=[writing],
                check=False,
                timeout=20,
            )
        finally:
            os.close(writing)
        assert done.returncode == 0
        return answers.read()


def test_standard_descriptors_of_ours_may_be_closed() -> None:
    """A daemon has none, and so its pipes get these numbers."""
    program = """
script = "cat; echo err >&2"
for fd in range(3):
    os.close(fd)
for fds in (None, {0: "w", 1: "r", 2: "r", 5: "w"}):
    for path in (None, "/"):
        say(run(childFDs=fds, path=path))
"""
    expected = {1: b"in\n", 2: b"err\n"}
    assert alone(program).decode().splitlines() == [str(expected)] * 4


def _follow(actions: list[tuple[Any, ...]], open_: dict[int, tuple[Any, bool]]) -> dict[int, Any]:
    """What a child has after `posix_spawn` has done this; see its manual page."""
    table = dict(open_)
    for what, *numbers in actions:
        if what == "close":
            table.pop(numbers[0])
        else:
            source, target = numbers
            table[target] = (table[source][0], False)
    return {fd: file for fd, (file, closes) in table.items() if not closes}


@given(
    closing=st.dictionaries(st.integers(0, 7), st.booleans(), min_size=1),
    data=st.data(),
)
def test_the_steps_lead_to_the_map(closing: dict[int, bool], data: st.DataObject) -> None:
    wanted = data.draw(st.dictionaries(st.integers(0, 9), st.sampled_from(sorted(closing))))
    actions = _getFileActions(closing.items(), wanted, "close", "dup2")  # type: ignore[arg-type]
    before = {fd: (f"file {fd}", closes) for fd, closes in closing.items()}
    assert _follow(actions, before) == {child: f"file {ours}" for child, ours in wanted.items()}


@pytest.mark.parametrize(
    ("state", "wanted", "steps"),
    [
        ([], {}, []),
        ([(5, False)], {}, [("close", 5)]),
        ([(5, True)], {}, []),
        ([(5, False)], {5: 5}, []),
        ([(5, True)], {5: 5}, [("dup2", 5, 0), ("dup2", 0, 5), ("close", 0)]),
        ([(5, True)], {6: 5}, [("dup2", 5, 6)]),
    ],
)
def test_steps(state: Any, wanted: Any, steps: Any) -> None:
    """No more of them than it takes."""
    assert _getFileActions(state, wanted, "close", "dup2") == steps  # type: ignore[arg-type]


# -- signals ------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGUSR1, signal.SIGHUP])
async def test_signals_that_we_ignore_are_ignored_no_longer(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        for how in ({}, {"path": "/"}, {"usePTY": True}, {"usePTY": True, "path": "/"}):
            told = Told()
            reactor.spawnProcess(
                told, SH, ["sh", "-c", f"kill -{number.value} $$; echo survived"], **how
            )
            reason: Any = await soon(told.ended)
            assert reason.signal == number
            assert b"survived" not in told.out
    finally:
        signal.signal(number, before)


async def test_a_handler_of_ours_is_not_theirs() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        told = Told()
        reactor.spawnProcess(told, SH, ["sh", "-c", "kill -USR1 $$; echo survived"])
        reason: Any = await soon(told.ended)
        assert reason.signal == signal.SIGUSR1
    finally:
        signal.signal(signal.SIGUSR1, before)


# -- users --------------------------------------------------------------------

ID = 'echo "$(id -u) $(id -g) $(id -G)"'


@as_root
@pytest.mark.parametrize("fds", [None, {1: "r", 5: "w"}, "pty"], ids=repr)
async def test_another_user_and_group(fds: Any) -> None:
    how = {"usePTY": True} if fds == "pty" else {"childFDs": fds}
    nobody = pwd.getpwnam("nobody")
    theirs = set(os.getgrouplist("nobody", os.getgid()))
    user, group, *groups = map(
        int, (await output(SH, ["sh", "-c", ID], uid=nobody.pw_uid, **how)).split()
    )
    assert (user, group) == (nobody.pw_uid, os.getgid())
    assert set(groups) == theirs
    user, group, *_ = map(int, (await output(SH, ["sh", "-c", ID], gid=12345, **how)).split())
    assert (user, group) == (0, 12345)
    found = await output(SH, ["sh", "-c", ID], uid=12345, gid=54321, **how)
    assert found == b"12345 54321 54321\n"  # who has no name is in no other group


async def test_becoming_who_we_are_takes_no_privileges() -> None:
    assert _command.check_command(SH, [], {}, None, os.getuid(), os.getgid()).identity is None
    found = await output(SH, ["sh", "-c", ID], uid=os.getuid(), gid=os.getgid())
    assert found.split()[0] == str(os.getuid()).encode()


@as_root
def test_privileges_may_have_been_put_off() -> None:
    """As `twistd --euid` does: the process is root's, but acts as somebody else."""
    program = """
script = 'echo "$(id -u) $(id -g) $(id -G)"'
os.setegid(1)
os.seteuid(1)
for how in ({}, {"childFDs": {0: "w", 1: "r", 5: "w"}}, {"usePTY": True}):
    say(run(uid=2, gid=3, **how)[1].split()[-3:-1], os.geteuid())
"""
    assert alone(program).decode().splitlines() == ["[b'2', b'3'] 1"] * 3


@as_root
def test_who_may_not_become_somebody_else_is_told() -> None:
    program = """
os.setuid(1)
for how in ({}, {"childFDs": {0: "w", 1: "r", 5: "w"}}, {"usePTY": True}):
    try:
        run(uid=2, **how)
    except PermissionError as error:
        say("refused")
"""
    assert alone(program).decode().splitlines() == ["refused"] * 3


# -- elsewhere ----------------------------------------------------------------


@pytest.mark.parametrize("path", [None, "/"])
async def test_a_terminal_whose_name_leads_nowhere(
    path: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of another container, say."""

    def nowhere(fd: int) -> str:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(os, "ttyname", nowhere)
    found = await output(SH, ["sh", "-c", "tty; ps -o tty= -p $$"], usePTY=True, path=path)
    name, controlling = found.split()
    assert name == b"/dev/" + controlling


def test_the_signals_that_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system has them, or else as Python has."""
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        found = _start._ignored_signals()
        assert found >= {signal.SIGUSR1, signal.SIGPIPE}
        assert signal.SIGTERM not in found
        monkeypatch.setattr(_start, "_in_mask", {}.__getitem__)  # which fails
        assert _start._ignored_signals() == found
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("how", [{"childFDs": {1: "r", 5: "w"}}, {"usePTY": True}], ids=repr)
async def test_a_system_whose_posix_spawn_is_not_known(
    how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_start, "_CAN_SPAWN", False)
    assert await output(SH, ["sh", "-c", "echo works"], **how) == b"works\n"


def test_names() -> None:
    used: Callable[..., object] = process.reapAllProcesses
    assert used() is None
    assert process.ProcessExitedAlready.__name__ == "ProcessExitedAlready"
