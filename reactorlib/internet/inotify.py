"""
Being told what happens to files: Linux's inotify.

It needs the extra `watch`: `pip install 'reactorlib[watch]'`.

    def notify(ignored, path, mask):
        print(path, humanReadableMask(mask))

    notifier = INotify()
    notifier.startReading()
    notifier.watch("/some/directory", callbacks=[notify])

The package `asyncinotify` makes the system calls and takes the events apart. Its
file is watched as any other descriptor is, and each time there is something to
read, events are delivered until none is left, or `_AT_ONCE` of them have been.

A `_Watch` is what is known of one watched path; `INotify` knows each by the
number that the kernel gave it (its watch descriptor), and by its path.
"""

from __future__ import annotations

import contextvars
import errno
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from reactorlib.internet._inotify_paths import child_of, children_of, directories_in, key_of, told
from reactorlib.internet.abstract import FileDescriptor
from reactorlib.internet.defer import maybeDeferred
from reactorlib.internet.main import CONNECTION_LOST
from reactorlib.python._report import note, report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    import asyncinotify

__all__ = [
    "IN_ACCESS",
    "IN_ATTRIB",
    "IN_CHANGED",
    "IN_CLOSE",
    "IN_CLOSE_NOWRITE",
    "IN_CLOSE_WRITE",
    "IN_CREATE",
    "IN_DELETE",
    "IN_DELETE_SELF",
    "IN_DONT_FOLLOW",
    "IN_IGNORED",
    "IN_ISDIR",
    "IN_MASK_ADD",
    "IN_MODIFY",
    "IN_MOVED",
    "IN_MOVED_FROM",
    "IN_MOVED_TO",
    "IN_MOVE_SELF",
    "IN_ONESHOT",
    "IN_ONLYDIR",
    "IN_OPEN",
    "IN_Q_OVERFLOW",
    "IN_UNMOUNT",
    "IN_WATCH_MASK",
    "INotify",
    "INotifyError",
    "humanReadableMask",
]

_log = logging.getLogger("reactorlib.internet.inotify")

# inotify(7): what happens to a watched file, or to one in a watched directory.
IN_ACCESS = 0x00000001  #: It was read.
IN_MODIFY = 0x00000002  #: It was written to, or cut.
IN_ATTRIB = 0x00000004  #: Its permissions, times, owner or links have changed.
IN_CLOSE_WRITE = 0x00000008  #: It was closed by one who could write to it.
IN_CLOSE_NOWRITE = 0x00000010  #: It was closed by one who could only read it.
IN_OPEN = 0x00000020  #: It was opened.
IN_MOVED_FROM = 0x00000040  #: It was moved out of the directory.
IN_MOVED_TO = 0x00000080  #: It was moved into the directory.
IN_CREATE = 0x00000100  #: It was made in the directory.
IN_DELETE = 0x00000200  #: It was deleted from the directory.
IN_DELETE_SELF = 0x00000400  #: What is watched was itself deleted.
IN_MOVE_SELF = 0x00000800  #: What is watched was itself moved.
IN_UNMOUNT = 0x00002000  #: Its filesystem was unmounted.
IN_Q_OVERFLOW = 0x00004000  #: There were too many events, and some are lost.
IN_IGNORED = 0x00008000  #: It is not watched any more.

# How to watch.
IN_ONLYDIR = 0x01000000  #: Only if it is a directory.
IN_DONT_FOLLOW = 0x02000000  #: A symbolic link itself, not what it leads to.
IN_MASK_ADD = 0x20000000  #: Add to the events that are watched for already.
IN_ONESHOT = 0x80000000  #: Only until the first event.

IN_ISDIR = 0x40000000  #: Comes with an event: it is about a directory.

IN_CLOSE = IN_CLOSE_WRITE | IN_CLOSE_NOWRITE
IN_MOVED = IN_MOVED_FROM | IN_MOVED_TO
IN_CHANGED = IN_MODIFY | IN_ATTRIB

#: What `watch` watches for unless it is told otherwise.
IN_WATCH_MASK = (
    IN_CHANGED | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_MOVED
)

_FLAG_TO_HUMAN = [
    (IN_ACCESS, "access"),
    (IN_MODIFY, "modify"),
    (IN_ATTRIB, "attrib"),
    (IN_CLOSE_WRITE, "close_write"),
    (IN_CLOSE_NOWRITE, "close_nowrite"),
    (IN_OPEN, "open"),
    (IN_MOVED_FROM, "moved_from"),
    (IN_MOVED_TO, "moved_to"),
    (IN_CREATE, "create"),
    (IN_DELETE, "delete"),
    (IN_DELETE_SELF, "delete_self"),
    (IN_MOVE_SELF, "move_self"),
    (IN_UNMOUNT, "unmount"),
    (IN_Q_OVERFLOW, "queue_overflow"),
    (IN_IGNORED, "ignored"),
    (IN_ONLYDIR, "only_dir"),
    (IN_DONT_FOLLOW, "dont_follow"),
    (IN_MASK_ADD, "mask_add"),
    (IN_ISDIR, "is_dir"),
    (IN_ONESHOT, "one_shot"),
]

#: How many events are delivered before everyone else has a turn: a callback that
#: changes what it watches makes a new event each time.
_AT_ONCE = 500

#: A path that is gone by the time it is to be watched, or never was there.
_GONE = (errno.ENOENT, errno.ENOTDIR)

_Callback = Callable[[Any, Any, int], object]


class INotifyError(Exception):
    """
    A path cannot be watched, or nothing can.

    Attributes:
        errno: the system's number for the reason, or None if it is not the system's.
    """

    def __init__(self, message: str = "", errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


def humanReadableMask(mask: int) -> list[str]:
    """The names of the flags in a mask, as "create" and "is_dir"."""
    return [name for flag, name in _FLAG_TO_HUMAN if flag & mask]


class _Watch:
    """A path that is watched."""

    def __init__(
        self,
        path: Any,
        mask: int,
        autoAdd: bool,
        callbacks: Sequence[_Callback],
        source: asyncinotify.Watch,
    ) -> None:
        #: As callbacks are told of it.
        self.path = path
        self.mask = mask
        self.autoAdd = autoAdd
        self.callbacks = callbacks
        self.source = source
        self._context = contextvars.copy_context()

    def notify(self, path: Any, events: int) -> None:
        for callback in self.callbacks:
            outcome = self._context.run(maybeDeferred, callback, self, path, events)
            outcome.addErrback(_report_callback, callback)


def _report_callback(failure: Failure, callback: object) -> None:
    report(_log, f"an inotify callback, {callback!r}, failed", failure)


class INotify(FileDescriptor):
    """
    Watches files and directories, and calls back with what happens to them.

    Once `startReading` has been called, events are delivered. They stop with
    `loseConnection`, or when the last path that is watched has been deleted; then
    it is closed, and another one is needed.

    A callback is called with an object that says nothing, the path, and a mask of
    `IN_` flags, in the context in which its path was given to `watch`. It may be a
    coroutine function. What it fails with is reported, and ends nothing.

    Args:
        reactor: what watches the file of the events: an `IReactorFDSet` that is
            an `IReactorTime` too. By default the one that `reactor` stands for.

    Raises:
        INotifyError: the system has no inotify, or no more of it for this user.
        ModuleNotFoundError: the package `asyncinotify` is missing.
    """

    def __init__(self, reactor: Any = None) -> None:
        super().__init__(reactor)
        self._source = _open()
        self._fd = self._source.fd
        self._watches: dict[int, _Watch] = {}
        self._descriptors: dict[bytes, int] = {}
        #: What goes on with events that were too many at once.
        self._rest: Any = None
        self.connected = True
        # Nothing is ever written, so `loseConnection` closes at once.
        self._writeDisconnected = True

    def watch(
        self,
        path: Any,
        mask: int = IN_WATCH_MASK,
        autoAdd: bool = False,
        callbacks: Iterable[_Callback] | None = None,
        recursive: bool = False,
    ) -> int:
        """
        Watch a path. One that is watched already stays watched as it is.

        Args:
            path: a `FilePath`, in whose kind callbacks are told of paths; or a text, or
                anything else that is `os.PathLike`, and they are told `pathlib` ones.
            mask: what to watch for; `IN_DELETE_SELF` always is.
            autoAdd: whether to watch directories too that are made in this one, in
                the same way. Of what is in such a directory by the time it is watched
                callbacks are told as if it had been made then, so that an event may
                come twice.
            callbacks: what to call.
            recursive: whether to watch each directory in this one as well, all the
                way down.

        Returns:
            the kernel's number for the watched path.

        Raises:
            INotifyError: it is not there, may not be read, or is one too many for
                this user; or this is closed.
        """
        watching = tuple(callbacks or ())
        known = told(path)
        found = self._watch(known, mask, autoAdd, watching)
        if recursive:
            for directory in directories_in(known):
                self._watch_if_there(directory, mask, autoAdd, watching)
        return found

    def _watch(self, path: Any, mask: int, autoAdd: bool, callbacks: Sequence[_Callback]) -> int:
        key = key_of(path)
        known = self._descriptors.get(key)
        if known is not None:
            return known
        if not self.connected:
            raise INotifyError(f"cannot watch {path!r}: this INotify is closed; make another")
        import asyncinotify

        # Without it nobody would notice that there is nothing to watch any more.
        mask |= IN_DELETE_SELF
        try:
            source = self._source.add_watch(key, asyncinotify.Mask(mask))
        except OSError as exception:
            raise INotifyError(
                f"cannot watch {path!r}: {_reason(exception)}", exception.errno
            ) from exception
        self._watches[source.wd] = _Watch(path, mask, autoAdd, callbacks, source)
        self._descriptors[key] = source.wd
        return source.wd

    def _watch_if_there(
        self, path: Any, mask: int, autoAdd: bool, callbacks: Sequence[_Callback]
    ) -> _Watch | None:
        """Watch a path that was seen a moment ago, and may be gone."""
        try:
            return self._watches[self._watch(path, mask, autoAdd, callbacks)]
        except INotifyError as error:
            if error.errno in _GONE:
                return None
            raise

    def ignore(self, path: Any) -> None:
        """
        Watch a path no more.

        Raises:
            KeyError: it is not watched.
        """
        found = self._isWatched(path)
        if found is None:
            raise KeyError(f"{path!r} is not watched")
        source = self._forget(found).source
        try:
            self._source.rm_watch(source)
        except OSError:
            pass  # it has been deleted, and what the kernel says of it is on the way

    def _isWatched(self, path: Any) -> int | None:
        """The number of a path that is watched."""
        return self._descriptors.get(key_of(told(path)))

    def _forget(self, number: int) -> _Watch:
        watch = self._watches.pop(number)
        for key in [key for key, known in self._descriptors.items() if known == number]:
            del self._descriptors[key]
        return watch

    # -- events ---------------------------------------------------------------

    def fileno(self) -> int:
        """The number of the file that the events come from; -1 once it is closed."""
        return self._fd

    def doRead(self) -> Exception | None:
        """There are events: deliver them."""
        for _ in range(_AT_ONCE):
            if not self.connected:
                return None
            try:
                event = self._source.sync_get()
            except BlockingIOError:
                return None
            except OSError:
                _log.exception("reading inotify events failed")
                return CONNECTION_LOST
            assert event is not None
            self._deliver(event)
        if self._rest is None and self.connected:
            # Some may have been read already, so the file itself may not say so.
            self._rest = self.reactor.callLater(0, self._go_on)
        return None

    def _go_on(self) -> None:
        self._rest = None
        self.doRead()

    def _deliver(self, event: asyncinotify.Event) -> None:
        mask = int(event.mask)
        if mask & IN_Q_OVERFLOW:
            note(_log, "too many inotify events at once: some are lost", level=logging.WARNING)
        source = event.watch
        watch = None if source is None else self._watches.get(source.wd)
        if source is None or watch is None:
            return  # ignored meanwhile
        path = watch.path if event.name is None else child_of(watch.path, str(event.name))
        watch.notify(path, mask)
        if mask & IN_CREATE and mask & IN_ISDIR and watch.autoAdd:
            self._add_new(path, watch)
        over = mask & (IN_DELETE_SELF | IN_IGNORED) or watch.mask & IN_ONESHOT
        if over and self._watches.get(source.wd) is watch:
            self._forget(source.wd)
            if mask & IN_DELETE_SELF and not self._watches:
                self.loseConnection()

    def _add_new(self, path: Any, above: _Watch) -> None:
        """Watch a directory that was made in one that is watched."""
        if not self.connected:
            return
        watch = above._context.run(
            self._watch_if_there, path, above.mask, above.autoAdd, above.callbacks
        )
        if watch is not None:
            # Later: until the waiting events are read, the kernel may run out of
            # room for new ones.
            self.reactor.callLater(0, self._tell_of_contents, watch)

    def _tell_of_contents(self, watch: _Watch) -> None:
        """Tell of what is in a new directory: it may have come before it was watched."""
        for path, is_directory in children_of(watch.path):
            if is_directory:
                watch.notify(path, IN_ISDIR | IN_CREATE)
                self._add_new(path, watch)
            else:
                watch.notify(path, IN_CREATE | IN_CLOSE_WRITE)

    # -- the end --------------------------------------------------------------

    def connectionLost(self, reason: Failure) -> None:
        """It is over: close the file, and forget what was watched."""
        super().connectionLost(reason)
        if self._rest is not None and self._rest.active():
            self._rest.cancel()
        self._rest = None
        self._fd = -1
        self._watches.clear()
        self._descriptors.clear()
        try:
            self._source.__exit__()
        except OSError as exception:
            report(_log, "closing an inotify file failed", Failure(exception))

    def logPrefix(self) -> str:
        """What this is called in logs."""
        return "INotify"


def _open() -> asyncinotify.Inotify:
    try:
        import asyncinotify
    except ModuleNotFoundError as exception:
        exception.add_note("INotify needs this package: pip install 'reactorlib[watch]'")
        raise
    except (AttributeError, RuntimeError) as exception:
        raise INotifyError(f"this system has no inotify: {exception}") from exception
    try:
        source = asyncinotify.Inotify(cache_size=64)
    except OSError as exception:
        raise INotifyError(
            f"cannot make an inotify file: {_reason(exception)}", exception.errno
        ) from exception
    os.set_blocking(source.fd, False)
    return source


def _reason(exception: OSError) -> str:
    """Why the system refuses, and what to do about it."""
    if exception.errno == errno.ENOSPC:
        return "too many paths are watched; see /proc/sys/fs/inotify/max_user_watches"
    if exception.errno == errno.EMFILE:
        return "too many files are open; see /proc/sys/fs/inotify/max_user_instances"
    return exception.strerror or str(exception)
