"""Being told what happens to files: each test does something to a real one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import inotify, reactor
from reactorlib.internet.defer import Deferred, DeferredQueue
from reactorlib.internet.inotify import (
    IN_ACCESS,
    IN_ATTRIB,
    IN_CHANGED,
    IN_CLOSE,
    IN_CLOSE_NOWRITE,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_ONESHOT,
    IN_ONLYDIR,
    IN_OPEN,
    IN_WATCH_MASK,
    INotify,
    INotifyError,
    humanReadableMask,
)

pytest.importorskip("asyncinotify", reason="needs the extra `watch`")
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's"),
    pytest.mark.timeout(10),
]

variable: ContextVar[str] = ContextVar("variable", default="nothing")


class Boom(Exception):
    pass


class Seen:
    """What callbacks are told, as (path, mask), in order."""

    def __init__(self) -> None:
        self._queue: DeferredQueue[tuple[Any, int]] = DeferredQueue()

    def __call__(self, ignored: object, path: Any, mask: int) -> None:
        self._queue.put((path, mask))

    async def next(self) -> tuple[Any, int]:
        return await self._queue.get()

    async def until(self, mask: int, path: object) -> list[tuple[Any, int]]:
        """All that is told up to that event, and it."""
        told = [await self.next()]
        while told[-1][0] != path or told[-1][1] & mask != mask:
            told.append(await self.next())
        return told

    @property
    def waiting(self) -> list[tuple[Any, int]]:
        return list(self._queue.pending)


@pytest.fixture
async def notifier() -> Any:
    made = INotify()
    made.startReading()
    yield made
    made.loseConnection()
    assert reactor.getReaders() == []


@pytest.fixture
def seen() -> Seen:
    return Seen()


# -- events -------------------------------------------------------------------


def read(path: Path) -> None:
    path.read_bytes()


def write(path: Path) -> None:
    path.write_bytes(b"new")


def change_times(path: Path) -> None:
    path.touch()


def delete(path: Path) -> None:
    path.unlink()


def move_away(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")


def move_here(path: Path) -> None:
    other = path.parent.parent / "other"
    other.write_bytes(b"")
    other.rename(path)


@pytest.mark.parametrize(
    ("act", "events"),
    [
        (read, [IN_OPEN, IN_ACCESS, IN_CLOSE_NOWRITE]),
        (write, [IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE]),
        (change_times, [IN_ATTRIB]),
        (delete, [IN_DELETE]),
        (move_away, [IN_MOVED_FROM]),
        (move_here, [IN_MOVED_TO]),
    ],
)
async def test_what_happens_to_a_file_in_a_watched_directory(
    notifier: INotify, seen: Seen, tmp_path: Path, act: Any, events: list[int]
) -> None:
    """inotify(7), "inotify events"."""
    directory = tmp_path / "watched"
    directory.mkdir()
    file = directory / "file"
    file.write_bytes(b"old")
    for event in events:
        notifier.watch(directory, event, callbacks=[seen])
        act(file)
        assert await seen.next() == (file, event)
        notifier.ignore(directory)
        file.write_bytes(b"old")


async def test_events_come_in_order(notifier: INotify, seen: Seen, tmp_path: Path) -> None:
    notifier.watch(tmp_path, IN_WATCH_MASK | IN_CLOSE | IN_OPEN, callbacks=[seen])
    file = tmp_path / "file"
    write(file)
    file.unlink()
    told = await seen.until(IN_DELETE, file)
    expected = [IN_CREATE, IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE, IN_DELETE]
    assert told == [(file, mask) for mask in expected]


async def test_a_directory_is_said_to_be_one(notifier: INotify, seen: Seen, tmp_path: Path) -> None:
    notifier.watch(tmp_path, IN_CREATE, callbacks=[seen])
    (tmp_path / "below").mkdir()
    assert await seen.next() == (tmp_path / "below", IN_CREATE | IN_ISDIR)


async def test_a_watched_file_that_is_moved(notifier: INotify, seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    notifier.watch(file, callbacks=[seen])
    file.rename(tmp_path / "elsewhere")
    assert await seen.next() == (file, IN_MOVE_SELF)


async def test_every_callback_is_called_in_the_context_of_its_watch(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    called: list[str] = []
    done: Deferred[None] = Deferred()

    def one(*_: object) -> None:
        called.append("one " + variable.get())

    async def two(*_: object) -> None:
        await asyncio.sleep(0)
        called.append("two " + variable.get())
        done.callback(None)

    variable.set("of watch")
    notifier.watch(tmp_path, IN_CREATE, callbacks=iter([one, two]))
    variable.set("elsewhere")
    (tmp_path / "file").touch()
    await done
    assert called == ["one of watch", "two of watch"]


async def test_an_error_in_a_callback_is_reported_and_ends_nothing(
    notifier: INotify, seen: Seen, tmp_path: Path, errors: Any
) -> None:
    def fails(*_: object) -> None:
        raise Boom

    notifier.watch(tmp_path, IN_CREATE, callbacks=[fails, seen])
    for name in "ab":
        (tmp_path / name).touch()
        assert await seen.next() == (tmp_path / name, IN_CREATE)
    assert [type(error) for error in errors.take()] == [Boom, Boom]


@pytest.mark.parametrize("count", [520, 1500])
async def test_many_events_at_once(
    notifier: INotify, seen: Seen, tmp_path: Path, count: int
) -> None:
    """More than are delivered in one turn; the smaller number is read in one go."""
    notifier.watch(tmp_path, IN_CREATE, callbacks=[seen])
    names = [f"{number:04}" for number in range(count)]
    for name in names:
        (tmp_path / name).touch()
    assert [(await seen.next())[0].name for _ in names] == names


async def test_a_callback_that_makes_events_does_not_keep_others_from_their_turn(
    notifier: INotify, tmp_path: Path
) -> None:
    made = 0
    file = tmp_path / "log"

    def log(*_: object) -> None:
        nonlocal made
        made += 1
        if made < 20_000:
            file.write_bytes(b"another event")

    notifier.watch(tmp_path, IN_MODIFY, callbacks=[log])
    log()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < made < 20_000
    made = 20_000


# -- paths --------------------------------------------------------------------


class FilePath:
    """What `inotify` wants of a FilePath."""

    def __init__(self, path: str | bytes) -> None:
        self.path = path

    def asBytesMode(self) -> FilePath:
        return FilePath(os.fsencode(self.path))

    def child(self, name: bytes) -> FilePath:
        assert isinstance(self.path, bytes)
        return FilePath(os.path.join(self.path, name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FilePath) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


class WithPath:
    def __init__(self, path: str) -> None:
        self.path = path


@pytest.mark.parametrize(
    "kind", [str, os.fsencode, Path, lambda path: WithPath(str(path))], ids=lambda kind: ""
)
async def test_a_path_may_be_written_in_any_way(
    notifier: INotify, seen: Seen, tmp_path: Path, kind: Callable[[Path], Any]
) -> None:
    notifier.watch(kind(tmp_path), IN_CREATE, callbacks=[seen])
    (tmp_path / "file").touch()
    assert await seen.next() == (tmp_path / "file", IN_CREATE)


async def test_who_gives_a_FilePath_gets_FilePaths(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    """They hold bytes, as in Twisted."""
    (tmp_path / "before").mkdir()
    notifier.watch(FilePath(str(tmp_path)), IN_CREATE, True, [seen], recursive=True)
    for name in ("file", "before/file"):
        (tmp_path / name).touch()
        assert await seen.next() == (FilePath(os.fsencode(tmp_path / name)), IN_CREATE)
    notifier.ignore(FilePath(os.fsencode(tmp_path)))
    notifier.ignore(FilePath(str(tmp_path / "before")))


async def test_a_name_that_is_no_text(notifier: INotify, seen: Seen, tmp_path: Path) -> None:
    notifier.watch(tmp_path, IN_CREATE, callbacks=[seen])
    name = os.fsdecode(b"\xff\xfe name")
    (tmp_path / name).touch()
    assert await seen.next() == (tmp_path / name, IN_CREATE)


async def test_a_relative_path(
    notifier: INotify, seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("below").mkdir()
    number = notifier.watch("below", IN_CREATE, callbacks=[seen])
    Path("below/file").touch()
    assert await seen.next() == (Path("below/file"), IN_CREATE)
    assert notifier.watch("./below/../below") == notifier.watch(tmp_path / "below") == number
    notifier.ignore(tmp_path / "below")


@pytest.mark.parametrize("thing", [5, None, object()])
async def test_what_is_no_path_is_refused(notifier: INotify, thing: object) -> None:
    with pytest.raises(TypeError):
        notifier.watch(thing)


# -- watching and ignoring ----------------------------------------------------


async def test_ignoring_ends_the_events_of_that_path_only(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for directory in (one, two):
        directory.mkdir()
        notifier.watch(directory, IN_CREATE, callbacks=[seen])
    (one / "unseen").touch()
    notifier.ignore(one)
    (one / "unseen too").touch()
    (two / "seen").touch()
    assert await seen.next() == (two / "seen", IN_CREATE)
    with pytest.raises(KeyError, match="not watched"):
        notifier.ignore(one)
    notifier.watch(one, IN_CREATE, callbacks=[seen])
    (one / "again").touch()
    assert await seen.next() == (one / "again", IN_CREATE)


async def test_watching_twice_changes_nothing(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    number = notifier.watch(tmp_path, IN_CREATE, callbacks=[seen])
    assert notifier.watch(tmp_path, IN_DELETE, callbacks=[seen, seen]) == number
    (tmp_path / "file").touch()
    (tmp_path / "file").unlink()
    (tmp_path / "other").touch()
    assert [(await seen.next())[1] for _ in range(2)] == [IN_CREATE, IN_CREATE]


@pytest.mark.parametrize("flags", [0, IN_ONLYDIR], ids=["missing", "no directory"])
async def test_what_cannot_be_watched_raises_at_once(
    notifier: INotify, tmp_path: Path, flags: int
) -> None:
    path = tmp_path / "file"
    if flags:
        path.touch()
    with pytest.raises(INotifyError, match=r"file.*(No such file|Not a directory)") as refused:
        notifier.watch(path, IN_WATCH_MASK | flags)
    assert isinstance(refused.value.__cause__, OSError)
    assert refused.value.errno == refused.value.__cause__.errno


async def test_watching_once(notifier: INotify, seen: Seen, tmp_path: Path) -> None:
    notifier.watch(tmp_path, IN_CREATE | IN_ONESHOT, callbacks=[seen])
    (tmp_path / "one").touch()
    (tmp_path / "two").touch()
    assert await seen.next() == (tmp_path / "one", IN_CREATE)
    await asyncio.sleep(0)
    assert seen.waiting == []
    notifier.watch(tmp_path, IN_CREATE, callbacks=[seen])
    (tmp_path / "three").touch()
    await seen.until(IN_CREATE, tmp_path / "three")


# -- whole trees --------------------------------------------------------------


async def test_recursive_watches_every_directory_below(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    below = tmp_path / "a" / "b" / "c"
    below.mkdir(parents=True)
    (tmp_path / "file").touch()
    (below / "around").symlink_to(tmp_path)
    notifier.watch(tmp_path, IN_CREATE, callbacks=[seen], recursive=True)
    for directory in (tmp_path, *list(below.parents)[:2], below):
        (directory / "new").touch()
        assert await seen.next() == (directory / "new", IN_CREATE)
    notifier.watch(tmp_path, IN_CREATE, recursive=True)


async def test_recursive_watches_a_file_too(notifier: INotify, seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    notifier.watch(file, IN_ATTRIB, callbacks=[seen], recursive=True)
    file.touch()
    assert await seen.next() == (file, IN_ATTRIB)


async def test_autoAdd_watches_new_directories(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    """Also those, and files in them, that were there before they could be watched."""
    notifier.watch(tmp_path, IN_CREATE, autoAdd=True, callbacks=[seen])
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    files = {tmp_path / "a" / "early", deep / "early"}
    for file in files:
        file.touch()
    expected = {tmp_path / "a", deep, *files}
    told: set[Path] = set()
    while told < expected:
        told.add((await seen.next())[0])
    (deep / "late").touch()
    await seen.until(IN_CREATE, deep / "late")
    assert told == expected


async def test_without_autoAdd_new_directories_are_not_watched(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    notifier.watch(tmp_path, IN_CREATE, callbacks=[seen])
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "unseen").touch()
    (tmp_path / "seen").touch()
    assert [(await seen.next())[0].name for _ in range(2)] == ["below", "seen"]


async def test_a_new_directory_that_is_gone_again(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    notifier.watch(tmp_path, IN_CREATE, autoAdd=True, callbacks=[seen])
    (tmp_path / "below").mkdir()
    (tmp_path / "below").rmdir()
    (tmp_path / "file").touch()
    await seen.until(IN_CREATE, tmp_path / "file")


# -- the end ------------------------------------------------------------------


async def test_it_closes_when_the_last_watched_path_is_deleted(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for directory in (one, two):
        directory.mkdir()
        notifier.watch(directory, 0, callbacks=[seen])
    one.rmdir()
    await seen.until(IN_DELETE_SELF, one)
    assert notifier.connected
    two.rmdir()
    await seen.until(IN_DELETE_SELF, two)
    await asyncio.sleep(0)
    assert not notifier.connected
    assert notifier.fileno() == -1
    with pytest.raises(INotifyError, match="closed; make another"):
        notifier.watch(tmp_path)


async def test_a_callback_may_watch_what_comes_in_place_of_a_deleted_file(
    notifier: INotify, tmp_path: Path
) -> None:
    """As with a log file that is rotated."""
    file = tmp_path / "log"
    file.touch()
    done: Deferred[None] = Deferred()

    def rotated(_: object, path: Path, mask: int) -> None:
        file.touch()
        notifier.ignore(path)
        notifier.watch(path, IN_MODIFY, callbacks=[lambda *_: done.callback(None)])

    notifier.watch(file, IN_DELETE_SELF, callbacks=[rotated])
    file.unlink()
    while not file.exists():
        await asyncio.sleep(0)
    write_once = os.open(file, os.O_WRONLY)
    os.write(write_once, b"new")
    os.close(write_once)
    await done


async def test_closing_in_a_callback_ends_the_events(
    notifier: INotify, seen: Seen, tmp_path: Path
) -> None:
    def close(*_: object) -> None:
        notifier.loseConnection()

    notifier.watch(tmp_path, IN_CREATE, callbacks=[seen, close])
    for name in "abc":
        (tmp_path / name).touch()
    await seen.next()
    await asyncio.sleep(0)
    assert seen.waiting == []
    notifier.loseConnection()


async def test_the_end_of_the_reactor_closes_it(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with reactor:
        notifier = INotify()
        notifier.startReading()
        notifier.watch(tmp_path)
        assert len(os.listdir("/proc/self/fd")) > before
    assert not notifier.connected
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_file_closed_behind_its_back_is_reported(errors: Any) -> None:
    notifier = INotify()
    os.close(notifier.fileno())
    notifier.loseConnection()
    assert [type(error) for error in errors.take()] == [OSError]


async def test_events_wait_until_reading_starts(seen: Seen, tmp_path: Path) -> None:
    notifier = INotify()
    notifier.watch(tmp_path, IN_CREATE, callbacks=[seen])
    (tmp_path / "early").touch()
    await asyncio.sleep(0)
    assert seen.waiting == []
    notifier.startReading()
    assert await seen.next() == (tmp_path / "early", IN_CREATE)
    notifier.stopReading()
    (tmp_path / "later").touch()
    await asyncio.sleep(0)
    assert seen.waiting == []
    notifier.resumeProducing()
    assert await seen.next() == (tmp_path / "later", IN_CREATE)
    notifier.loseConnection()


def test_one_that_is_made_before_there_is_a_loop(loop_factory: Any, tmp_path: Path) -> None:
    told: list[Path] = []

    def stop(_: object, path: Path, mask: int) -> None:
        told.append(path)
        reactor.stop()

    notifier = INotify()
    notifier.startReading()
    notifier.watch(tmp_path, IN_CREATE, callbacks=[stop])
    (tmp_path / "file").touch()
    reactor.run(installSignalHandlers=False, loop_factory=loop_factory)
    assert told == [tmp_path / "file"]
    assert not notifier.connected


# -- names, and what is missing -----------------------------------------------


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (0, []),
        (IN_CREATE | IN_ISDIR, ["create", "is_dir"]),
        (IN_CLOSE, ["close_write", "close_nowrite"]),
        (IN_MOVED | IN_CHANGED, ["modify", "attrib", "moved_from", "moved_to"]),
        (IN_ONESHOT, ["one_shot"]),
    ],
)
def test_a_mask_can_be_read(mask: int, names: list[str]) -> None:
    assert humanReadableMask(mask) == names


def test_the_flags_are_those_of_the_system() -> None:
    import asyncinotify

    for flag, name in inotify._FLAG_TO_HUMAN:
        theirs = {"queue_overflow": "Q_OVERFLOW", "is_dir": "ISDIR", "only_dir": "ONLYDIR"}
        spelling = theirs.get(name, name.upper().replace("ONE_SHOT", "ONESHOT"))
        assert flag == asyncinotify.Mask[spelling]


@contextlib.contextmanager
def missing(name: str) -> Iterator[None]:
    there, sys.modules[name] = sys.modules.get(name), None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if there is not None:
            sys.modules[name] = there


async def test_without_the_package_it_says_what_to_install() -> None:
    with missing("asyncinotify"), pytest.raises(ModuleNotFoundError) as refused:
        INotify()
    assert "reactorlib[watch]" in refused.value.__notes__[0]


def test_importing_it_does_not_need_the_package() -> None:
    program = "import sys; sys.modules['asyncinotify'] = None; import reactorlib.internet.inotify"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
