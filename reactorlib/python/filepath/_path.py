"""A path in the file system."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import stat
import sys
from typing import IO, Any, AnyStr, cast, overload

from zope.interface import implementer

from reactorlib.python.filepath._abstract import AbstractFilePath, IFilePath, below
from reactorlib.python.filepath._model import (
    FileMode,
    InsecurePath,
    LinkError,
    OtherAnyStr,
    Permissions,
)

__all__ = ["FilePath"]

# How much is copied at a time: enough to make the calls few.
_CHUNK = 1 << 16


def _as_text(path: str | bytes, encoding: str | None = None) -> str:
    if isinstance(path, str):
        return path
    return os.fsdecode(path) if encoding is None else path.decode(encoding)


def _as_bytes(path: str | bytes, encoding: str | None = None) -> bytes:
    if isinstance(path, bytes):
        return path
    return os.fsencode(path) if encoding is None else path.encode(encoding)


def as_type_of(pattern: AnyStr, path: str | bytes, encoding: str | None = None) -> AnyStr:
    """`path` in the type, text or bytes, of `pattern`; by default in the system's encoding."""
    if isinstance(pattern, bytes):
        return _as_bytes(path, encoding)
    return _as_text(path, encoding)


@implementer(IFilePath)
class FilePath(AbstractFilePath[AnyStr]):
    """
    A file or directory of the file system, or the place where one could be.

    What `os.stat` says is asked once and kept, until `changed()` or `restat()`.
    Paths made from this one have the type, text or bytes, of what is added.

    Args:
        path: made absolute now.
        alwaysCreate: see `requireCreate`.

    Attributes:
        path: the absolute path.
    """

    path: AnyStr
    _statinfo: os.stat_result | None = None

    def __init__(self, path: AnyStr, alwaysCreate: bool = False) -> None:
        self.path = os.path.abspath(path)
        self.alwaysCreate = alwaysCreate

    def __fspath__(self) -> AnyStr:
        return self.path

    def __getstate__(self) -> dict[str, object]:
        state = self.__dict__.copy()
        state.pop("_statinfo", None)  # may be out of date by then
        return state

    def __repr__(self) -> str:
        return f"FilePath({self.path!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FilePath):
            return NotImplemented
        return type(self.path) is type(other.path) and self.path == other.path

    __hash__ = AbstractFilePath.__hash__

    def __lt__(self, other: Any) -> bool:
        return bool(self.path < other.path) if isinstance(other, FilePath) else NotImplemented

    def __le__(self, other: Any) -> bool:
        return bool(self.path <= other.path) if isinstance(other, FilePath) else NotImplemented

    def __gt__(self, other: Any) -> bool:
        return bool(self.path > other.path) if isinstance(other, FilePath) else NotImplemented

    def __ge__(self, other: Any) -> bool:
        return bool(self.path >= other.path) if isinstance(other, FilePath) else NotImplemented

    # Text and bytes.

    @property
    def sep(self) -> AnyStr:
        """What separates segments."""
        return self._like(os.sep)

    @overload
    def _like(self, path: str | bytes) -> AnyStr: ...
    @overload
    def _like(self, path: str | bytes, pattern: OtherAnyStr) -> OtherAnyStr: ...
    def _like(self, path: Any, pattern: Any = None) -> Any:
        """`path` in the type of `pattern`, or of this path."""
        return as_type_of(self.path if pattern is None else pattern, path)

    def _asBytesPath(self, encoding: str | None = None) -> bytes:
        return _as_bytes(self.path, encoding)

    def _asTextPath(self, encoding: str | None = None) -> str:
        return _as_text(self.path, encoding)

    def asBytesMode(self, encoding: str | None = None) -> FilePath[bytes]:
        """This path in bytes; itself, if it is. `encoding` is the file system's by default."""
        if isinstance(self.path, bytes):
            return self
        return self.clonePath(self._asBytesPath(encoding))

    def asTextMode(self, encoding: str | None = None) -> FilePath[str]:
        """This path in text; itself, if it is. `encoding` is the file system's by default."""
        if isinstance(self.path, str):
            return self
        return self.clonePath(self._asTextPath(encoding))

    # Other paths.

    def clonePath(self, path: OtherAnyStr, alwaysCreate: bool = False) -> FilePath[OtherAnyStr]:
        """
        A new path of this kind: what all methods here make paths with.

        Override it in a subclass whose paths make paths of the same class.
        """
        return FilePath(path, alwaysCreate)

    def child(self, path: OtherAnyStr) -> FilePath[OtherAnyStr]:
        """
        The path of that name in this directory.

        Args:
            path: one name.

        Raises:
            InsecurePath: it has a separator in it, or leads elsewhere.
        """
        separator = self._like(os.sep, path)
        normal = os.path.normpath(path)
        if separator in normal:
            raise InsecurePath(f"{path!r} has a directory separator in it")
        return self._below(path, normal)

    def preauthChild(self, path: OtherAnyStr) -> FilePath[OtherAnyStr]:
        """
        The path below this directory that a relative path names.

        Raises:
            InsecurePath: it leads elsewhere.
        """
        return self._below(path, os.path.normpath(path))

    def _below(self, path: OtherAnyStr, normal: OtherAnyStr) -> FilePath[OtherAnyStr]:
        if sys.platform == "win32" and (
            self._like(":", path) in normal or os.path.isreserved(normal)  # type: ignore[unreachable,unused-ignore]
        ):
            raise InsecurePath(f"{path!r} names a drive, a stream or a device")
        outer = self._like(self.path, path)
        inner = os.path.abspath(os.path.join(outer, normal))
        return self.clonePath(below(outer, inner, self._like(os.sep, path)))

    def childSearchPreauth(self, *paths: OtherAnyStr) -> FilePath[OtherAnyStr] | None:
        """
        The first of several paths, relative to this one, that is there; None if none is.

        The paths are trusted: they are not kept from leading elsewhere.
        """
        for path in paths:
            joined = os.path.join(self._like(self.path, path), path)
            if os.path.exists(joined):
                return self.clonePath(joined)
        return None

    def siblingExtensionSearch(self, *exts: OtherAnyStr) -> FilePath[OtherAnyStr] | None:
        """
        The first path with this name and one of several extensions that is there.

        Args:
            exts: extensions, with their dot; an empty one for this path itself,
                "*" for any.

        Returns:
            the path, or None.
        """
        for ext in exts:
            own = self._like(self.path, ext)
            if not ext:
                if self.exists():
                    return self.clonePath(own)
            elif _as_text(ext) == "*":
                directory, name = os.path.split(own)
                for found in os.listdir(directory):
                    if found.startswith(name + self._like(".", ext)):
                        return self.clonePath(os.path.join(directory, found))
            elif os.path.exists(own + ext):
                return self.clonePath(own + ext)
        return None

    def siblingExtension(self, ext: OtherAnyStr) -> FilePath[OtherAnyStr]:
        """The path with `ext`, dot included, added to its name."""
        return self.clonePath(self._like(self.path, ext) + ext)

    def realpath(self) -> FilePath[AnyStr]:
        """
        The path with all links followed.

        Raises:
            LinkError: they lead round in a circle.
        """
        real = os.path.realpath(self.path)
        if os.path.islink(real):
            raise LinkError(f"the link {self.path!r} leads to itself")
        return self.clonePath(real)

    def basename(self) -> AnyStr:
        """The last segment."""
        return os.path.basename(self.path)

    def dirname(self) -> AnyStr:
        """All but the last segment."""
        return os.path.dirname(self.path)

    def parent(self) -> FilePath[AnyStr]:
        """The directory that it is in; the root is in itself."""
        return self.clonePath(self.dirname())

    def splitext(self) -> tuple[AnyStr, AnyStr]:
        """The path without its extension, and the extension."""
        return os.path.splitext(self.path)

    def temporarySibling(self, extension: OtherAnyStr | None = None) -> FilePath[OtherAnyStr]:
        """
        A path in the same directory that nobody else has.

        Args:
            extension: what its name ends with.
        """
        ext: Any = self._like("") if extension is None else extension
        name = self._like(secrets.token_hex(12), ext) + self._like(self.basename(), ext) + ext
        sibling: FilePath[Any] = cast("FilePath[Any]", self.sibling(name))
        sibling.requireCreate()
        return sibling

    def globChildren(self, pattern: OtherAnyStr) -> list[FilePath[OtherAnyStr]]:
        """The paths below this one that a shell pattern matches."""
        own = self._like(self.path, pattern)
        found = glob.glob(pattern, root_dir=own)
        return [self.clonePath(os.path.join(own, name)) for name in found]

    def listdir(self) -> list[AnyStr]:
        """The names in this directory."""
        return os.listdir(self.path)

    # What is there.

    def restat(self, reraise: bool = True) -> None:
        """
        Ask the system anew.

        Args:
            reraise: if false, a path that cannot be asked about is as one that is
                not there.
        """
        try:
            self._statinfo = os.stat(self.path)
        except OSError:
            self._statinfo = None
            if reraise:
                raise

    def changed(self) -> None:
        """Forget what the system said: something has changed the file."""
        self._statinfo = None

    def _stat(self) -> os.stat_result:
        if self._statinfo is None:
            self.restat()
        assert self._statinfo is not None
        return self._statinfo

    def _mode(self) -> int:
        """The mode with its type bits; 0 if it is not there."""
        if self._statinfo is None:
            self.restat(False)
        return 0 if self._statinfo is None else self._statinfo.st_mode

    def _identity(self) -> object:
        found = self._stat()
        return found.st_dev, found.st_ino

    def _posix_stat(self) -> os.stat_result:
        if sys.platform == "win32":
            raise NotImplementedError("Windows has no such number")
        return self._stat()

    def exists(self) -> bool:
        """Whether it is there; a link, whether what it leads to is."""
        return self._mode() != 0 or self._statinfo is not None

    def isdir(self) -> bool:
        """Whether it is a directory, or a link to one."""
        return stat.S_ISDIR(self._mode())

    def isfile(self) -> bool:
        """Whether it is a regular file, or a link to one."""
        return stat.S_ISREG(self._mode())

    def isBlockDevice(self) -> bool:
        """Whether it is a block device, or a link to one."""
        return stat.S_ISBLK(self._mode())

    def isSocket(self) -> bool:
        """Whether it is a socket, or a link to one."""
        return stat.S_ISSOCK(self._mode())

    def islink(self) -> bool:
        """Whether it is a symbolic link. Never kept."""
        return os.path.islink(self.path)

    def isabs(self) -> bool:
        """Whether the path is absolute: always."""
        return os.path.isabs(self.path)

    def getsize(self) -> int:
        """The size in bytes."""
        return self._stat().st_size

    def getModificationTime(self) -> float:
        """When the content last changed, in seconds since the epoch."""
        return float(self._stat().st_mtime)

    def getStatusChangeTime(self) -> float:
        """When owner, rights, names or content last changed, in seconds since the epoch."""
        return float(self._stat().st_ctime)

    def getAccessTime(self) -> float:
        """When it was last read, in seconds since the epoch."""
        return float(self._stat().st_atime)

    def getInodeNumber(self) -> int:
        """The file's number in its file system."""
        return self._posix_stat().st_ino

    def getDevice(self) -> int:
        """The number of the device that it is on."""
        return self._posix_stat().st_dev

    def getNumberOfHardLinks(self) -> int:
        """How many names it has."""
        return self._posix_stat().st_nlink

    def getUserID(self) -> int:
        """The number of the user whose it is."""
        return self._posix_stat().st_uid

    def getGroupID(self) -> int:
        """The number of the group whose it is."""
        return self._posix_stat().st_gid

    def getPermissions(self) -> Permissions:
        """Who may do what with it."""
        return Permissions(stat.S_IMODE(self._stat().st_mode))

    def chmod(self, mode: int) -> None:
        """Set the permission bits."""
        os.chmod(self.path, mode)
        self.changed()

    # Changes.

    def requireCreate(self, val: bool = True) -> None:
        """Say whether `open` has to make the file, and fails if there is one."""
        self.alwaysCreate = val

    def create(self) -> IO[bytes]:
        """
        Make the file and open it to read and write.

        Raises:
            FileExistsError: there is one, or a link.
        """
        flags = os.O_EXCL | os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self.path, flags), "w+b")

    def open(self, mode: FileMode = "r") -> IO[bytes]:
        """
        Open the file, in binary.

        Args:
            mode: as of the function `open`; "b" adds nothing. After
                `requireCreate` it is always as `create`.
        """
        if self.alwaysCreate:
            if "a" in mode:
                raise ValueError("a file that has to be made cannot be appended to")
            return self.create()
        return cast("IO[bytes]", open(self.path, mode.replace("b", "") + "b"))

    def setContent(self, content: bytes, ext: str | bytes = ".new") -> None:
        """
        Replace the file by one with this content: at once, so that nobody sees half of it.

        Args:
            content: all that is to be in it.
            ext: what the name of the new file ends with until it is whole.
        """
        new: FilePath[Any] = self.temporarySibling(ext)
        try:
            with new.open("w") as file:
                file.write(content)
            os.replace(new.path, self.path)
        except BaseException:
            try:
                os.remove(new.path)
            except OSError:
                pass
            raise
        self.changed()

    def touch(self) -> None:
        """Make the file if it is not there, and set its times to now."""
        try:
            self.open("a").close()
        except OSError:
            pass
        os.utime(self.path, None)
        self.changed()

    def createDirectory(self) -> None:
        """Make a directory here."""
        os.mkdir(self.path)
        self.changed()

    def makedirs(self, ignoreExistingDirectory: bool = False) -> None:
        """
        Make a directory here, and those that it is in.

        Args:
            ignoreExistingDirectory: whether it may be there already.
        """
        try:
            os.makedirs(self.path)
        except OSError as error:
            there = error.errno == errno.EEXIST and os.path.isdir(self.path)
            if not (there and ignoreExistingDirectory):
                raise
        self.changed()

    def remove(self) -> None:
        """Remove the file or link, or the directory with all that is in it."""
        if self.isdir() and not self.islink():
            for child in self.children():
                child.remove()
            os.rmdir(self.path)
        else:
            os.remove(self.path)
        self.changed()

    def linkTo(self, linkFilePath: FilePath[AnyStr]) -> None:
        """Make a symbolic link there that leads here."""
        os.symlink(self.path, linkFilePath.path)

    def copyTo(self, destination: FilePath[OtherAnyStr], followLinks: bool = True) -> None:
        """
        Copy a file, or a directory with all that is in it.

        Args:
            destination: where the copy is to be; a file there is overwritten,
                into a directory there all is copied.
            followLinks: whether to copy what links lead to rather than the links.

        Raises:
            NotImplementedError: it is neither file nor directory.
        """
        if self.islink() and not followLinks:
            os.symlink(os.readlink(self.path), self._like(destination.path))
        elif self.isdir():
            if not destination.exists():
                destination.createDirectory()
            for child in self.children():
                into = destination.child(child._like(child.basename(), destination.path))
                child.copyTo(into, followLinks)
            destination.changed()
        elif self.isfile():
            with destination.open("w") as writing, self.open() as reading:
                while chunk := reading.read(_CHUNK):
                    writing.write(chunk)
            destination.changed()
        elif not self.exists():
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
        else:
            raise NotImplementedError(f"{self.path!r} is neither a file nor a directory")

    def moveTo(self, destination: FilePath[OtherAnyStr], followLinks: bool = True) -> None:
        """
        Move a file or directory: at once within a file system, else by copying.

        Args:
            destination: its new path.
            followLinks: as of `copyTo`, when it is copied.

        Raises:
            OSError, NotImplementedError: as of `copyTo`; nothing has been moved then,
                and nothing is left of a copy that was begun.
        """
        try:
            os.rename(self.path, destination.path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Copied beside its place first, so that it is there whole or not at all.
            copy = destination.temporarySibling()
            try:
                self.copyTo(copy, followLinks)
                os.rename(copy.path, destination.path)
            except BaseException:
                copy.changed()
                with contextlib.suppress(OSError):
                    copy.remove()
                raise
            self.remove()
        self.changed()
        destination.changed()
