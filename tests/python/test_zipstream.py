"""Archives unpacked piece by piece."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from reactorlib.python import zipstream
from reactorlib.python.filepath import InsecurePath

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
CONTENT = b"one\ntwo\n\nthree"


def packed(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


@pytest.mark.parametrize("method", METHODS)
def test_a_file_is_read_in_pieces(tmp_path: Path, method: int) -> None:
    name = packed(tmp_path / "a.zip", {"x": CONTENT}, method)
    with zipstream.ChunkingZipFile(name) as archive:
        with archive.readfile("x") as entry:
            assert (entry.read(2), entry.tell()) == (b"on", 2)
            assert (entry.readline(), entry.tell()) == (b"e\n", 4)
            assert entry.next() == b"two\n"
            assert entry.xreadlines() is iter(entry) is entry
            assert entry.readlines() == [b"\n", b"three"]
            assert (entry.read(), entry.tell()) == (b"", len(CONTENT))
            assert not entry.isatty()
            assert not entry.closed
        assert entry.closed
        with pytest.raises(ValueError, match="not open"):
            entry.read()
        # Two at a time do not mix.
        first, second = archive.readfile("x"), archive.readfile("x")
        assert (first.read(3), second.read(), first.read()) == (CONTENT[:3], CONTENT, CONTENT[3:])
    kind = (
        zipstream.ZipFileEntry if method == zipfile.ZIP_STORED else zipstream.DeflatedZipFileEntry
    )
    assert isinstance(first, kind)


def test_archives_that_cannot_be_read(tmp_path: Path) -> None:
    name = packed(tmp_path / "a.zip", {"x": CONTENT, "y": CONTENT})
    new = zipstream.ChunkingZipFile(tmp_path / "new.zip", "w")
    with new, pytest.raises(RuntimeError, match="mode"):
        new.readfile("x")
    archive = zipstream.ChunkingZipFile(name)
    with pytest.raises(KeyError, match="z"):
        archive.readfile("z")
    archive.close()
    with pytest.raises(RuntimeError, match="closed"):
        archive.readfile("x")


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    packed(path, {"x": CONTENT, "y": CONTENT}, zipfile.ZIP_STORED)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"PK\3\4", b"XXXX", 1))
    with zipstream.ChunkingZipFile(path) as archive:
        with pytest.raises(zipfile.BadZipFile):
            archive.readfile("x")
        assert archive.readfile("y").read() == CONTENT
    path.write_bytes(whole.replace(b"one", b"two", 1))
    with zipstream.ChunkingZipFile(path) as archive, pytest.raises(zipfile.BadZipFile, match="CRC"):
        archive.readfile("x").read()


def test_an_unknown_way_of_packing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        info = zipfile.ZipInfo("x")
        made.writestr(info, "data")
        info.compress_type = 1234
    archive = zipstream.ChunkingZipFile(tmp_path / "a.zip")
    with archive, pytest.raises(zipfile.BadZipFile, match="'x' cannot be unpacked"):
        archive.readfile("x")


FILES = {"a/b.txt": b"hello" * 100, "c.txt": b"", "empty/": b"", "d": bytes(range(200))}


def test_pieces_are_counted(tmp_path: Path) -> None:
    name = packed(tmp_path / "a.zip", FILES)
    assert zipstream.countZipFileChunks(name, 100) == 5 + 1 + 1 + 2
    with zipfile.ZipFile(name) as archive:
        assert [zipstream.countFileChunks(i, 99) for i in archive.infolist()] == [6, 1, 1, 3]


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    name = packed(tmp_path / "a.zip", FILES)
    into = tmp_path / "into"
    steps = zipstream.unzipIterChunky(name, str(into), chunksize=100)
    assert next(steps) == 8
    assert (into / "a" / "b.txt").exists()
    assert list(steps) == [7, 6, 5, 4, 3, 2, 1, 0]
    assert {str(p.relative_to(into)): p.read_bytes() for p in into.rglob("*") if p.is_file()} == {
        name: content for name, content in FILES.items() if not name.endswith("/")
    }
    assert (into / "empty").is_dir()


@pytest.mark.parametrize("method", METHODS)
def test_an_archive_with_less_than_it_says_is_damaged(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    packed(path, {"x": CONTENT}, method)
    data = bytearray(path.read_bytes())
    # In its directory, four bytes for how long the file is.
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    steps = zipstream.unzipIterChunky(str(path), str(tmp_path / "into"), chunksize=4)
    with pytest.raises(zipfile.BadZipFile, match="14 of its 100 bytes"):
        list(itertools.islice(steps, 100))


def test_files_that_are_there_stay_or_are_replaced(tmp_path: Path) -> None:
    name = packed(tmp_path / "a.zip", {"x": b"12345678", "y": b"1"})
    (tmp_path / "x").write_bytes(b"old")
    assert list(zipstream.unzipIterChunky(name, str(tmp_path), chunksize=4)) == [1, 0]
    assert (tmp_path / "x").read_bytes() == b"old"
    assert list(zipstream.unzipIterChunky(name, str(tmp_path), 1, 4)) == [2, 1, 0]
    assert (tmp_path / "x").read_bytes() == b"12345678"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil-of-an-archive"])
def test_nothing_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / "a.zip", {"good": b"", name: b"bad"})
    with pytest.raises(InsecurePath):
        list(zipstream.unzipIterChunky(archive, str(tmp_path / "into")))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip"]


@pytest.mark.skipif(shutil.which("zip") is None, reason="the program zip is not installed")
def test_an_archive_of_another_program(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(10_000) + b"a" * 10_000
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(content)
    subprocess.run(["zip", "-qr", "a.zip", "folder"], cwd=tmp_path, check=True)
    *_, left = zipstream.unzipIterChunky(str(tmp_path / "a.zip"), str(tmp_path / "into"))
    assert left == 0
    assert (tmp_path / "into" / "folder" / "file").read_bytes() == content
