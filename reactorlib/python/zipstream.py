"""
Archives unpacked piece by piece, so that something else can be done in between.

    for left in unzipIterChunky("archive.zip", "folder"):
        print(left, "pieces left")
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import IO, Self

from reactorlib.python.filepath import FilePath

__all__ = [
    "DIR_BIT",
    "ChunkingZipFile",
    "DeflatedZipFileEntry",
    "ZipFileEntry",
    "countFileChunks",
    "countZipFileChunks",
    "unzipIterChunky",
]

#: What MS-DOS sets in the attributes of a folder: of `ZipInfo.external_attr`.
DIR_BIT = 16


class _FileEntry:
    """
    What is in one file of an archive: a file to read bytes from.

    `ChunkingZipFile.readfile` makes them.

    Args:
        chunkingZipFile: the archive.
        length: how many bytes it has when it is unpacked.
        source: where they come from.
    """

    def __init__(
        self, chunkingZipFile: ChunkingZipFile, length: int, source: IO[bytes] | None = None
    ) -> None:
        self.chunkingZipFile = chunkingZipFile
        self.length = length
        self.closed = False
        self._source = source
        self._told = 0

    def isatty(self) -> bool:
        """Whether it is a terminal: never."""
        return False

    def _open(self) -> IO[bytes]:
        if self.closed or self._source is None:
            raise ValueError("this file of an archive is not open")
        return self._source

    def _count(self, data: bytes) -> bytes:
        self._told += len(data)
        return data

    def read(self, n: int | None = None) -> bytes:
        """
        The next `n` bytes, or all that are left.

        Raises:
            zipfile.BadZipFile: the archive is damaged.
        """
        return self._count(self._open().read(-1 if n is None else n))

    def readline(self) -> bytes:
        """The next line, with its end; empty bytes after the last."""
        return self._count(self._open().readline())

    def readlines(self) -> list[bytes]:
        """All lines that are left."""
        return list(self)

    def tell(self) -> int:
        """How many bytes have been read."""
        return self._told

    def close(self) -> None:
        """Close it, and not the archive."""
        self.closed = True
        if self._source is not None:
            self._source.close()

    def __iter__(self) -> Self:
        return self

    xreadlines = __iter__

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    next = __next__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class ZipFileEntry(_FileEntry):
    """A file that is in the archive as it is."""


class DeflatedZipFileEntry(_FileEntry):
    """A file that is in the archive in fewer bytes."""


class ChunkingZipFile(zipfile.ZipFile):
    """An archive whose files can be read piece by piece: `readfile`."""

    def readfile(self, name: str) -> ZipFileEntry | DeflatedZipFileEntry:
        """
        Open a file of the archive.

        Raises:
            KeyError: there is none of that name.
            RuntimeError: the archive is closed, or open to be written; or the file
                is encrypted, and there is no password.
            zipfile.BadZipFile: the archive is damaged, or packs the file in a way
                that is not known.
        """
        if self.mode != "r":
            raise RuntimeError('readfile() needs an archive that is open in the mode "r"')
        if self.fp is None:
            raise RuntimeError("the archive is closed")
        info = self.getinfo(name)
        try:
            source = self.open(info)
        except NotImplementedError as cause:
            raise zipfile.BadZipFile(f"{name!r} cannot be unpacked: {cause}") from cause
        stored = info.compress_type == zipfile.ZIP_STORED
        return (ZipFileEntry if stored else DeflatedZipFileEntry)(self, info.file_size, source)


def countFileChunks(zipinfo: zipfile.ZipInfo, chunksize: int) -> int:
    """
    In how many pieces a file is unpacked; an empty one is one.

    Args:
        zipinfo: what the archive says of it: a `ZipInfo`.
        chunksize: the size of a piece, in bytes.
    """
    return max(1, -(-zipinfo.file_size // chunksize))


def countZipFileChunks(filename: str, chunksize: int) -> int:
    """In how many pieces of `chunksize` bytes an archive is unpacked."""
    with ChunkingZipFile(filename) as archive:
        return sum(countFileChunks(info, chunksize) for info in archive.infolist())


def unzipIterChunky(
    filename: str, directory: str = ".", overwrite: bool | int = 0, chunksize: int = 4096
) -> Iterator[int]:
    """
    Unpack an archive, a piece with each step of the iteration.

    Args:
        filename: the archive.
        directory: the folder to unpack it in; made if it is not there.
        overwrite: whether files are replaced that are there already; else they
            stay, and are passed over.
        chunksize: the size of a piece, in bytes.

    Returns:
        an iterator over how many pieces are left.

    Raises:
        InsecurePath: a file would be outside of the folder. Nothing is unpacked.
        zipfile.BadZipFile: the archive is damaged.
    """
    folder = FilePath(directory)
    with ChunkingZipFile(filename) as archive:
        # All before the first: an archive that lies is not to be unpacked by half.
        entries = [(info, folder.preauthChild(info.filename)) for info in archive.infolist()]
        left = sum(countFileChunks(info, chunksize) for info, _ in entries)
        folder.makedirs(ignoreExistingDirectory=True)
        for info, path in entries:
            chunks = countFileChunks(info, chunksize)
            if info.is_dir() or info.external_attr & DIR_BIT:
                path.makedirs(ignoreExistingDirectory=True)
                yield left - chunks
            elif path.exists() and not overwrite:
                yield left - chunks
            else:
                path.parent().makedirs(ignoreExistingDirectory=True)
                for done in _unpack(archive.readfile(info.filename), path.path, chunksize):
                    yield left - done
            left -= chunks


def _unpack(entry: _FileEntry, path: str, chunksize: int) -> Iterator[int]:
    """Write a file; how many pieces of it there are, after each."""
    with entry, open(path, "wb") as file:
        done = 0
        while True:
            data = entry.read(chunksize)
            if not data and entry.tell() < entry.length:
                raise zipfile.BadZipFile(
                    f"{path!r}: the archive has {entry.tell()} of its {entry.length} bytes"
                )
            file.write(data)
            done += 1
            yield done
            if entry.tell() >= entry.length:
                return
