"""Archives as folders: `ZipArchive`, and `ZipPath` for what is in one."""

from __future__ import annotations

import errno
import functools
import os
import time
from typing import IO, Any, AnyStr, Generic, Literal, TypeVar, cast

from zope.interface import implementer

from reactorlib.python.filepath import (
    AbstractFilePath,
    FilePath,
    IFilePath,
    OtherAnyStr,
    UnlistableError,
)
from reactorlib.python.filepath._path import as_type_of
from reactorlib.python.zipstream import ChunkingZipFile

__all__ = ["ZipArchive", "ZipPath"]

#: What separates names in an archive, whatever the system.
ZIP_PATH_SEP = "/"

_ZipStr = TypeVar("_ZipStr", str, bytes)
_ArchiveStr = TypeVar("_ArchiveStr", str, bytes)


class _NotInArchive(FileNotFoundError, KeyError):
    """Our caller asks for a file that is not in the archive."""

    __str__ = OSError.__str__


@functools.total_ordering
@implementer(IFilePath)
class ZipPath(AbstractFilePath[_ZipStr], Generic[_ZipStr, _ArchiveStr]):
    """
    A file or folder in an archive, or the place where one could be. It is only read.

    A name like ".." means nothing in an archive, and can be that of a file.

    Args:
        archive: the archive.
        pathInArchive: the names that lead there, with slashes between them.

    Attributes:
        archive: the archive.
        pathInArchive: as given.
        path: the path of the archive's file and, behind it, `pathInArchive`: no
            path of the file system.
    """

    archive: ZipArchive[_ArchiveStr]
    pathInArchive: _ZipStr

    def __init__(self, archive: ZipArchive[_ArchiveStr], pathInArchive: _ZipStr) -> None:
        self.archive = archive
        self.pathInArchive = pathInArchive
        names = pathInArchive.split(as_type_of(pathInArchive, ZIP_PATH_SEP))
        self.path = os.path.join(as_type_of(pathInArchive, archive._file.path), *names)

    # Where it is.

    @property
    def sep(self) -> _ZipStr:
        """What separates names."""
        return as_type_of(self.path, ZIP_PATH_SEP)

    @property
    def _name(self) -> str:
        """The name by which the archive knows it."""
        return os.fsdecode(self.pathInArchive)

    def _key(self) -> tuple[Any, Any, Any]:
        # The archive itself, which has no names in it, comes before all that is in it.
        archive = os.fsdecode(self.archive._file.path)
        return type(self.path).__name__, archive, self.pathInArchive

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, ZipPath) else NotImplemented

    def __lt__(self, other: Any) -> bool:
        return self._key() < other._key() if isinstance(other, ZipPath) else NotImplemented

    __hash__ = AbstractFilePath.__hash__

    def __repr__(self) -> str:
        names = self._name.split(ZIP_PATH_SEP)
        return f"ZipPath({os.path.join(os.fsdecode(self.archive._file.path), *names)!r})"

    def parent(self) -> ZipPath[_ZipStr, _ArchiveStr] | ZipArchive[_ZipStr]:
        """The folder that it is in, or the archive."""
        folder = self.pathInArchive.rpartition(self.sep)[0]
        if folder:
            return ZipPath(self.archive, folder)
        return self.archive._in_type_of(self.path)

    def child(self, path: OtherAnyStr) -> ZipPath[OtherAnyStr, _ArchiveStr]:
        """
        The path of that name below this one.

        Args:
            path: one name.
        """
        own = as_type_of(path, self.pathInArchive)
        return ZipPath(
            self.archive, as_type_of(path, ZIP_PATH_SEP).join([own, path] if own else [path])
        )

    def sibling(self, path: OtherAnyStr) -> ZipPath[OtherAnyStr, _ArchiveStr]:
        """The path of that name in the same folder."""
        folder = self.pathInArchive.rpartition(self.sep)[0]
        return ZipPath(self.archive, folder).child(path)

    def basename(self) -> _ZipStr:
        """The last name."""
        return self.pathInArchive.rpartition(self.sep)[2]

    def dirname(self) -> _ZipStr:
        """The path of the folder that it is in."""
        return self.parent().path

    def splitext(self) -> tuple[_ZipStr, _ZipStr]:
        """The path without its extension, and the extension."""
        return os.path.splitext(self.path)

    # What is there.

    def exists(self) -> bool:
        """Whether it is in the archive."""
        return self.isdir() or self.isfile()

    def isdir(self) -> bool:
        """Whether it is a folder, or something is in it."""
        return self._name in self.archive._folders

    def isfile(self) -> bool:
        """Whether it is a file."""
        return self._name in self.archive.zipfile.NameToInfo

    def islink(self) -> bool:
        """Whether it is a symbolic link: none is known."""
        return False

    def listdir(self) -> list[_ZipStr]:
        """
        The names in this folder.

        Raises:
            UnlistableError: it is no folder, or not there.
        """
        if not self.isdir():
            number = errno.ENOTDIR if self.isfile() else errno.ENOENT
            raise UnlistableError(OSError(number, os.strerror(number), self.path))
        return [as_type_of(self.path, name) for name in self.archive._folders[self._name]]

    def _info(self) -> Any:
        try:
            return self.archive.zipfile.getinfo(self._name)
        except KeyError:
            number = errno.EISDIR if self.isdir() else errno.ENOENT
            raise _NotInArchive(number, os.strerror(number), self.path) from None

    def open(self, mode: Literal["r", "w"] = "r") -> IO[bytes]:  # type: ignore[override]
        """
        Open it to read.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: another mode was asked for.
        """
        if mode.replace("b", "") != "r":
            raise ValueError("what is in an archive can only be read")
        self._info()
        return cast("IO[bytes]", self.archive.zipfile.readfile(self._name))

    def changed(self) -> None:
        """Nothing: the archive is read when it is opened."""

    def getsize(self) -> int:
        """
        The size of the file, in bytes.

        Raises:
            FileNotFoundError: there is no such file.
        """
        return int(self._info().file_size)

    def getModificationTime(self) -> float:
        """
        When the file was last changed before it was put in, in seconds since the epoch.

        Raises:
            FileNotFoundError: there is no such file.
        """
        # Archives have the local time, and do not say of where.
        return time.mktime((*self._info().date_time, 0, 0, -1))

    def getStatusChangeTime(self) -> float:
        """The same as `getModificationTime`."""
        return self.getModificationTime()

    def getAccessTime(self) -> float:
        """When the archive was last read, in seconds since the epoch."""
        return self.archive.getAccessTime()


class ZipArchive(ZipPath[AnyStr, AnyStr], Generic[AnyStr]):
    """
    An archive, as the folder of what is in it. It is only read.

    Args:
        archivePathname: the archive's file.

    Attributes:
        path: as given.
        zipfile: the open `ChunkingZipFile`.

    Raises:
        zipfile.BadZipFile: it is no archive.
    """

    @property
    def archive(self) -> ZipArchive[AnyStr]:  # type: ignore[override]
        """Itself."""
        return self

    def __init__(self, archivePathname: AnyStr) -> None:
        self.path = archivePathname
        self.pathInArchive = as_type_of(archivePathname, "")
        self._file: FilePath[AnyStr] = FilePath(archivePathname)
        self.zipfile = ChunkingZipFile(os.fsdecode(archivePathname))
        # The names in each folder, in the order of the archive.
        self._folders: dict[str, dict[str, None]] = {"": {}}
        for name in self.zipfile.namelist():
            is_folder = name.endswith(ZIP_PATH_SEP)
            names = name.removesuffix(ZIP_PATH_SEP).split(ZIP_PATH_SEP)
            for depth in range(len(names)):
                inside = self._folders.setdefault(ZIP_PATH_SEP.join(names[:depth]), {})
                inside[names[depth]] = None
            if is_folder:
                self._folders.setdefault(ZIP_PATH_SEP.join(names), {})

    def _in_type_of(self, pattern: OtherAnyStr) -> ZipArchive[OtherAnyStr]:
        """This archive, with paths in the type, text or bytes, of `pattern`."""
        if type(pattern) is type(self.path):
            return self
        made: Any = ZipArchive.__new__(ZipArchive)
        made.__dict__.update(self.__dict__)
        made.path = as_type_of(pattern, self.path)
        made.pathInArchive = pattern[:0]
        return cast("ZipArchive[OtherAnyStr]", made)

    def __repr__(self) -> str:
        return f"ZipArchive({os.fsdecode(self._file.path)!r})"

    def child(self, path: OtherAnyStr) -> ZipPath[OtherAnyStr, AnyStr]:
        """The path of that name in the archive."""
        return ZipPath(self, path)

    def parent(self) -> ZipArchive[AnyStr]:
        """Itself: it is the root."""
        return self

    def dirname(self) -> AnyStr:
        """Its own path."""
        return self.path

    def exists(self) -> bool:
        """Whether the archive's file is there still."""
        self._file.changed()
        return self._file.exists()

    def getsize(self) -> int:
        """The size of the archive's file, in bytes."""
        self._file.changed()
        return self._file.getsize()

    def getAccessTime(self) -> float:
        """When the archive's file was last read, in seconds since the epoch."""
        self._file.changed()
        return self._file.getAccessTime()

    def getModificationTime(self) -> float:
        """When the archive's file was last changed, in seconds since the epoch."""
        self._file.changed()
        return self._file.getModificationTime()

    def getStatusChangeTime(self) -> float:
        """When what the system keeps about the archive's file was, in seconds since the epoch."""
        self._file.changed()
        return self._file.getStatusChangeTime()
