"""FilePath: what stays inside, what is kept, what is replaced at once, what is moved and copied."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from reactorlib.python.filepath import (
    RWX,
    FilePath,
    IFilePath,
    InsecurePath,
    LinkError,
    Permissions,
    UnlistableError,
)


@pytest.fixture
def root(tmp_path: Path) -> FilePath[str]:
    """A directory with a file and a directory with a file."""
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b").write_bytes(b"22")
    return FilePath(str(tmp_path))


def tree(path: FilePath[str]) -> dict[str, bytes | None]:
    """All that is in a directory: the content of files, None for directories."""
    return {
        os.path.relpath(p.path, path.path): None if p.isdir() else p.getContent()
        for p in path.walk()
    }


def test_provides_the_interface(root: FilePath[str]) -> None:
    assert verifyObject(IFilePath, root)


@pytest.mark.parametrize("name", ["..", "/etc", "../..", "d/b", "d/../..", "/", "./../x"])
def test_a_child_is_one_name(root: FilePath[str], name: str) -> None:
    with pytest.raises(InsecurePath):
        root.child(name)
    with pytest.raises(InsecurePath):
        root.child(name.encode())


@pytest.mark.parametrize("path", ["..", "/etc/passwd", "d/../../x", "d/../..", "../{}x"])
def test_what_was_authorised_does_not_lead_out(root: FilePath[str], path: str) -> None:
    with pytest.raises(InsecurePath):
        # "../{}x" is a directory beside ours whose name begins with ours.
        root.preauthChild(path.format(root.basename()))


def test_relative_paths_below_are_fine(root: FilePath[str]) -> None:
    assert root.preauthChild("d/./x/../b") == root.child("d").child("b")
    assert root.descendant(["d", "b"]).segmentsFrom(root) == ["d", "b"]
    assert root.preauthChild("") == root
    assert FilePath("/").preauthChild("etc/passwd").path == "/etc/passwd"


@given(st.text(alphabet="./\\a~\u20ac", max_size=12))
def test_no_relative_path_leads_out(path: str) -> None:
    base = FilePath("/srv/x")
    for reach in (base.child, base.preauthChild):
        try:
            found = reach(path)
        except InsecurePath:
            continue
        assert os.path.normpath(found.path) == found.path
        assert found.path == "/srv/x" or found.path.startswith("/srv/x/")


def test_segments_need_an_ancestor(root: FilePath[str]) -> None:
    for other in (root, root.sibling("other")):
        with pytest.raises(ValueError, match="not below"):
            root.segmentsFrom(other)  # type: ignore[arg-type]


def test_the_type_is_that_of_what_was_added(root: FilePath[str]) -> None:
    assert isinstance(root.child(b"a").path, bytes)
    assert isinstance(root.asBytesMode().child("a").path, str)
    assert isinstance(root.child("a").siblingExtension(b".x").path, bytes)
    assert root.asBytesMode() != root
    assert root.asBytesMode().asTextMode() == root
    assert root.asTextMode() is root


def test_is_a_path_to_the_system(root: FilePath[str]) -> None:
    assert os.fspath(root) == root.path
    assert Path(root) == Path(root.path)


def test_what_the_system_said_is_kept(root: FilePath[str]) -> None:
    a = root.child("a")
    assert (a.exists(), a.getsize(), a.isfile(), a.isdir()) == (True, 1, True, False)
    Path(a.path).write_bytes(b"333")
    assert a.getsize() == 1
    a.changed()
    assert a.getsize() == 3
    os.remove(a.path)
    assert a.exists()
    a.restat(reraise=False)
    assert not a.exists()
    with pytest.raises(FileNotFoundError):
        a.getsize()


def test_what_was_kept_is_not_pickled(root: FilePath[str]) -> None:
    a = root.child("a")
    assert a.exists()
    copy = pickle.loads(pickle.dumps(a))
    os.remove(a.path)
    assert copy == a
    assert not copy.exists()


def test_content_is_replaced_at_once(root: FilePath[str]) -> None:
    a = root.child("a")
    with a.open() as old:
        a.setContent(b"new")
        assert old.read() == b"1"
    assert a.getContent() == b"new"
    assert sorted(root.listdir()) == ["a", "d"]


def test_content_that_cannot_be_written_leaves_nothing(root: FilePath[str]) -> None:
    with pytest.raises(TypeError):
        root.child("a").setContent("text")  # type: ignore[arg-type]
    assert sorted(root.listdir()) == ["a", "d"]
    assert root.child("a").getContent() == b"1"


def test_create_takes_no_file_that_is_there(root: FilePath[str]) -> None:
    a = root.child("a")
    with pytest.raises(FileExistsError):
        a.create()
    os.symlink("nowhere", root.child("l").path)
    with pytest.raises(FileExistsError):
        root.child("l").create()
    a.requireCreate()
    with pytest.raises(FileExistsError):
        a.open("w")
    with pytest.raises(ValueError, match="appended"):
        a.open("a")


def test_copy_and_move(root: FilePath[str]) -> None:
    wanted = tree(root)
    copy = root.temporarySibling()
    root.copyTo(copy)
    assert tree(copy) == wanted
    moved = copy.sibling(copy.basename() + "-moved")
    copy.moveTo(moved)  # type: ignore[arg-type]
    assert tree(moved) == wanted  # type: ignore[arg-type]
    assert not copy.exists()
    moved.remove()  # type: ignore[attr-defined]
    assert not os.path.exists(moved.path)


def test_move_to_another_device(root: FilePath[str], monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = tree(root.child("d"))
    rename = os.rename
    refused = [OSError(errno.EXDEV, "another device")]

    def once(source: str, destination: str) -> None:
        if refused:
            raise refused.pop()
        rename(source, destination)

    monkeypatch.setattr(os, "rename", once)
    root.child("d").moveTo(root.child("e"))
    assert tree(root.child("e")) == wanted
    assert sorted(root.listdir()) == ["a", "e"]


@pytest.mark.parametrize("what", ["a folder that cannot be copied", "a file without a place"])
def test_a_move_to_another_device_that_fails_leaves_nothing_behind(
    what: str, root: FilePath[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "a folder that cannot be copied":
        os.mkfifo(root.child("d").child("fifo").path)
        source, error = root.child("d"), NotImplementedError
    else:
        source, error = root.child("a"), OSError  # type: ignore[assignment]  # another class
    before = sorted(root.listdir()), sorted(source.parent().child("d").listdir())

    def refuse(source: str, destination: str) -> None:
        raise OSError(errno.EXDEV, "another device")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(error):
        source.moveTo(root.child("e"))
    assert (sorted(root.listdir()), sorted(root.child("d").listdir())) == before


def test_links_are_copied_or_followed(root: FilePath[str]) -> None:
    root.child("a").linkTo(root.child("d").child("l"))
    root.child("d").copyTo(root.child("followed"))
    root.child("d").copyTo(root.child("links"), followLinks=False)
    assert not root.child("followed").child("l").islink()
    assert root.child("links").child("l").islink()


def test_removing_spares_what_links_lead_to(root: FilePath[str]) -> None:
    root.child("d").linkTo(root.child("l"))
    root.child("l").remove()
    assert root.child("d").child("b").exists()


def test_walking_in_circles(root: FilePath[str]) -> None:
    os.symlink("..", root.child("d").child("up").path)
    with pytest.raises(LinkError):
        list(root.walk())
    seen = [p.basename() for p in root.walk(descend=lambda p: not p.islink())]
    assert sorted(seen[1:]) == ["a", "b", "d", "up"]


def test_a_deep_tree_is_walked_without_recursion(root: FilePath[str]) -> None:
    here = os.open(root.path, os.O_RDONLY)
    path = root
    try:
        for _ in range(300):
            os.mkdir("x", dir_fd=here)
            below = os.open("x", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
            path = path.child("x")
    finally:
        os.close(here)
    assert sum(1 for _ in root.walk()) == 304
    root.child("x").remove()


def test_a_link_to_itself(root: FilePath[str]) -> None:
    os.symlink("me", root.child("me").path)
    with pytest.raises(LinkError):
        root.child("me").realpath()


def test_what_cannot_be_listed(root: FilePath[str]) -> None:
    for name, number in (("a", errno.ENOTDIR), ("nothing", errno.ENOENT)):
        with pytest.raises(UnlistableError) as caught:
            root.child(name).children()
        assert caught.value.errno == number
        assert caught.value.originalException.filename == root.child(name).path


def test_globbing_takes_its_own_path_literally(root: FilePath[str]) -> None:
    odd = root.child("[x]*")
    odd.createDirectory()
    odd.child("1.txt").touch()
    assert [p.basename() for p in odd.globChildren("*.txt")] == ["1.txt"]


def test_extensions(root: FilePath[str]) -> None:
    f = root.child("f")
    assert f.siblingExtensionSearch(".x", ".y", "*", "") is None
    f.siblingExtension(".y").touch()
    for wanted in ((".x", ".y"), ("*",)):
        found = f.siblingExtensionSearch(*wanted)
        assert found is not None
        assert found.splitext() == (f.path, ".y")


def test_directories(root: FilePath[str]) -> None:
    new = root.preauthChild("x/y/z")
    new.makedirs()
    new.makedirs(ignoreExistingDirectory=True)
    with pytest.raises(FileExistsError):
        new.makedirs()
    with pytest.raises(FileExistsError):
        root.child("a").makedirs(ignoreExistingDirectory=True)
    assert [p.path for p in new.parents()][:3] == [
        root.preauthChild("x/y").path,
        root.child("x").path,
        root.path,
    ]


def test_permissions(root: FilePath[str]) -> None:
    root.child("a").chmod(0o750)
    assert root.child("a").getPermissions() == Permissions(0o750)
    assert str(Permissions(0o751)) == "rwxr-x--x"
    assert Permissions(0o7).other == RWX(True, True, True)
    assert hash(Permissions(0o7)) == hash(Permissions(0o7))
    assert Permissions(0o7) != 7


def test_order_and_identity() -> None:
    a, b = FilePath("/a"), FilePath("/b")
    assert a < b <= b
    assert b > a >= a
    assert len({a, FilePath("/x/../a"), b}) == 2
    assert {a: 1}[FilePath("/a")] == 1
    assert a != "/a"
    with pytest.raises(TypeError):
        a < "/b"  # noqa: B015
