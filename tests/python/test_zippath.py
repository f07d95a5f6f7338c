"""Archives as folders."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from reactorlib.python.filepath import IFilePath, UnlistableError
from reactorlib.python.zippath import ZipArchive, ZipPath

MADE = (2020, 2, 3, 4, 5, 6)


@pytest.fixture(params=["text", "bytes"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in ("one", "a/two", "a/b/three", "empty/", ".."):
            made.writestr(zipfile.ZipInfo(name, MADE), name)
    opened: Any = ZipArchive(str(path) if request.param == "text" else bytes(path))
    yield opened
    opened.zipfile.close()


def test_what_is_there(archive: Any) -> None:
    assert verifyObject(IFilePath, archive)
    assert verifyObject(IFilePath, archive.child("a"))
    assert {os.fsdecode(name) for name in archive.listdir()} == {"one", "a", "empty", ".."}
    assert archive.child("a").listdir() == ["two", "b"]
    assert archive.child(b"a").listdir() == [b"two", b"b"]
    assert archive.child("empty").listdir() == []
    for name, is_file, is_folder in [
        ("one", True, False), ("a", False, True), ("empty", False, True), ("x", False, False)
    ]:  # fmt: skip
        path = archive.child(name)
        assert (path.isfile(), path.isdir()) == (is_file, is_folder)
        assert path.exists() == (is_file or is_folder)
        assert not path.islink()
    assert archive.isdir()
    assert archive.exists()


def test_files_are_read(archive: Any) -> None:
    three = archive.child("a").child(b"b").child("three")
    assert three.getContent() == b"a/b/three"
    assert three.getsize() == len("a/b/three")
    with three.open() as file:
        assert file.read(1) == b"a"
    made = time.mktime((*MADE, 0, 0, -1))
    assert three.getModificationTime() == three.getStatusChangeTime() == made
    assert three.getmtime() == int(made)
    found = os.stat(archive.path)
    assert three.getAccessTime() == archive.getAccessTime() == found.st_atime
    assert archive.getModificationTime() == found.st_mtime
    assert archive.getStatusChangeTime() == found.st_ctime
    assert archive.getsize() == found.st_size
    archive.changed()


def test_what_cannot_be_read(archive: Any) -> None:
    for call in ("open", "getsize", "getModificationTime"):
        with pytest.raises(FileNotFoundError, match="No such file"):
            getattr(archive.child("x"), call)()
        with pytest.raises(KeyError, match="Is a directory"):
            getattr(archive.child("a"), call)()
    with pytest.raises(ValueError, match="only be read"):
        archive.child("one").open("w")
    for name, error in [("one", NotADirectoryError), ("x", FileNotFoundError)]:
        with pytest.raises(UnlistableError) as caught:
            list(archive.child(name).children())
        assert isinstance(caught.value.__cause__, UnlistableError | error)


def test_ways(archive: Any) -> None:
    two = archive.child("a").child("two")
    assert two.basename() == "two"
    assert two.parent() == archive.child("a")
    assert two.parent().parent() == archive.child("x").parent()
    assert archive.parent() is archive
    assert two.sibling("b") == archive.descendant(["a", "b"])
    assert archive.child("one").sibling(b"a") == archive.child(b"a")
    assert two.segmentsFrom(archive.child("x").parent()) == ["a", "two"]
    assert archive.child("x.txt").splitext()[1] == ".txt"
    assert two.dirname() == os.path.join(os.fsdecode(archive.path), "a")
    assert archive.child("..").getContent() == b".."
    assert two.sep == "/"
    walked = {os.fsdecode(path.path)[len(archive.path) :] for path in archive.walk()}
    assert walked == {"", "/one", "/a", "/a/two", "/a/b", "/a/b/three", "/empty", "/.."}


def test_paths_are_compared(archive: Any) -> None:
    assert archive.child("a") == archive.child("a")
    assert archive.child("a") != archive.child(b"a")
    assert archive.child("a") < archive.child("b")
    assert archive.child("b") >= archive.child("a")
    assert archive.child("a") != "a"
    assert len({archive.child("a"), archive.child("a")}) == 1
    with pytest.raises(TypeError):
        assert archive.child("a") < 1


def test_texts(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.fsdecode(archive.path)
    assert repr(archive) == f"ZipArchive({path!r})"
    assert repr(archive.child("a").child(b"..")) == f"ZipPath({path + '/a/..'!r})"
    monkeypatch.chdir(os.path.dirname(path))
    relative = ZipArchive("a.zip")
    relative.zipfile.close()
    assert relative.path == "a.zip"
    assert repr(relative) == f"ZipArchive({path!r})"
    assert repr(ZipPath(relative, "a")) == f"ZipPath({path + '/a'!r})"


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("not one")
    with pytest.raises(zipfile.BadZipFile):
        ZipArchive(str(tmp_path / "x"))
    with pytest.raises(FileNotFoundError):
        ZipArchive(str(tmp_path / "y"))
