"""A lock that processes share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reactorlib.python.lockfile import FilesystemLock, isLocked


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


#: Takes the lock, says so, and then does what a line on standard input says.
OTHER_PROCESS = """
import sys
from reactorlib.python.lockfile import FilesystemLock
lock = FilesystemLock(sys.argv[1])
print(lock.lock(), lock.clean, flush=True)
for line in sys.stdin:
    if line.strip() == "unlock":
        lock.unlock()
        print("unlocked", flush=True)
"""


class OtherProcess:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid
        self.took = self.answer()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def unlock(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("unlock\n")
        self.process.stdin.flush()
        assert self.answer() == "unlocked"

    def die(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def other_process(path: str) -> Iterator[OtherProcess]:
    command = [sys.executable, "-c", OTHER_PROCESS, path]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield OtherProcess(process)
        finally:
            process.kill()


def dead_process() -> int:
    """The id of a process that there was."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


# -- in one process -----------------------------------------------------------


def test_a_lock_is_taken_and_given_back(path: str) -> None:
    lock = FilesystemLock(path)
    assert not lock.locked
    assert lock.lock()
    assert lock.locked
    assert lock.clean
    assert os.readlink(path) == str(os.getpid())
    lock.unlock()
    assert not lock.locked
    assert not os.path.lexists(path)


def test_only_one_holds_it(path: str) -> None:
    first, second = FilesystemLock(path), FilesystemLock(path)
    assert first.lock()
    assert not second.lock()
    assert not second.locked
    assert not first.lock()
    first.unlock()
    assert second.lock()


def test_isLocked_looks_and_takes_nothing(path: str) -> None:
    assert not isLocked(path)
    lock = FilesystemLock(path)
    lock.lock()
    assert isLocked(path)
    assert lock.locked
    lock.unlock()
    assert not isLocked(path)


def test_the_lock_of_a_dead_process_is_taken_over(path: str) -> None:
    os.symlink(str(dead_process()), path)
    assert not isLocked(path)
    lock = FilesystemLock(path)
    assert lock.lock()
    assert lock.clean is False
    assert os.readlink(path) == str(os.getpid())
    assert os.listdir(os.path.dirname(path)) == ["lock"]


def test_what_nobody_holds_cannot_be_given_back(path: str) -> None:
    with pytest.raises(ValueError, match="held by process None"):
        FilesystemLock(path).unlock()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        FilesystemLock(str(tmp_path / "none" / "lock")).lock()


def test_a_link_to_something_else_is_no_lock(path: str) -> None:
    os.symlink("elsewhere", path)
    for attempt in (FilesystemLock(path).lock, FilesystemLock(path).unlock, lambda: isLocked(path)):
        with pytest.raises(ValueError, match="elsewhere"):
            attempt()
    assert os.readlink(path) == "elsewhere"


# -- in two processes ---------------------------------------------------------


def test_what_another_process_holds_is_not_ours(path: str) -> None:
    with other_process(path) as other:
        assert other.took == "True True"
        assert isLocked(path)
        lock = FilesystemLock(path)
        assert not lock.lock()
        with pytest.raises(ValueError, match=str(other.pid)):
            lock.unlock()
        other.unlock()
        assert lock.lock()
        assert lock.clean


def test_what_another_process_left_when_it_died_is_taken_over(path: str) -> None:
    with other_process(path) as other:
        other.die()
        assert os.readlink(path) == str(other.pid)
        lock = FilesystemLock(path)
        assert lock.lock()
        assert lock.clean is False


def test_another_process_does_not_get_what_we_hold(path: str) -> None:
    lock = FilesystemLock(path)
    lock.lock()
    with other_process(path) as other:
        assert other.took == "False None"
    assert os.readlink(path) == str(os.getpid())
    lock.unlock()
    with other_process(path) as other:
        assert other.took == "True True"
