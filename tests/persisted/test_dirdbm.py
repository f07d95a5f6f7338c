"""Databases in folders."""

from __future__ import annotations

import datetime
import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactorlib.persisted import dirdbm
from reactorlib.persisted.dirdbm import DirDBM, Shelf
from reactorlib.persisted.error import DamagedFile, FileNotTrusted, NameRefused, SaveError

ITEMS = {
    b"abc": b"foo",
    b"/lalal": b"\0\1",
    b"\0\n": b"",
    b"\xff": b"x" * 100_000,
    b"k" * 150: b"k",
}


@pytest.fixture(params=[DirDBM, Shelf])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> DirDBM:
    made: DirDBM = request.param(str(tmp_path / "db"))
    return made


def test_what_is_set_is_there(db: DirDBM) -> None:
    db.update(ITEMS)
    assert dict(db.items()) == ITEMS
    assert set(db.keys()) == set(db) == set(ITEMS)
    assert sorted(db.values()) == sorted(ITEMS.values())
    assert len(db) == len(ITEMS)
    again = type(db)(db.dname)
    for key, value in ITEMS.items():
        assert again[key] == value
        assert key in again
        assert again.has_key(key)
        assert again.get(key) == value
        assert again.setdefault(key, b"other") == value
        del again[key]
        assert key not in db
    assert (len(db), db.keys()) == (0, [])
    db.close()


def test_what_is_not_set_is_not_there(db: DirDBM) -> None:
    for use in (db.__getitem__, db.__delitem__, db.getModificationTime):
        with pytest.raises(KeyError) as caught:
            use(b"k")
        assert caught.value.args == (b"k",)
    assert (db.get(b"k"), db.get(b"k", 5)) == (None, 5)
    assert not db.has_key(b"k")
    assert db.setdefault(b"k", b"v") == b"v"
    assert db[b"k"] == b"v"


def test_a_value_replaces_another(db: DirDBM) -> None:
    before = time.time()
    for value in (b"long" * 9, b"short"):
        db[b"k"] = value
        assert db[b"k"] == value
    assert os.listdir(db.dname) == [b"aw==_"]
    assert abs(db.getModificationTime(b"k") - before) < 60


@pytest.mark.parametrize("key", [2, "k", None, bytearray(b"k")])
def test_keys_are_bytes(db: DirDBM, key: Any) -> None:
    for use in (db.__getitem__, db.__delitem__, db.__contains__, db.has_key, db.get):
        with pytest.raises(TypeError, match="keys are bytes"):
            use(key)
    with pytest.raises(TypeError, match="keys are bytes"):
        db[key] = b"v"


def test_a_key_is_not_empty_and_not_too_long(db: DirDBM) -> None:
    with pytest.raises(ValueError, match="empty"):
        db[b""] = b"v"
    with pytest.raises(OSError, match="too long"):
        db[b"k" * 200] = b"v"
    assert os.listdir(db.dname) == []


def test_values_are_bytes_except_in_a_shelf(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="values are bytes"):
        dirdbm.open(str(tmp_path / "db"))[b"k"] = "v"
    shelf = Shelf(tmp_path / "shelf")
    shelf[b"k"] = (None, 12, {"a": [1.5]})
    assert shelf[b"k"] == (None, 12, {"a": [1.5]})
    with pytest.raises(SaveError):
        shelf[b"k"] = lambda: 0
    assert shelf[b"k"][1] == 12
    assert os.listdir(shelf.dname) == [b"aw==_"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.dictionaries(st.binary(min_size=1, max_size=100), st.binary(), max_size=5))
def test_any_keys_and_values(tmp_path: Path, items: dict[bytes, bytes]) -> None:
    db = DirDBM(str(tmp_path / "any"))
    db.clear()
    db.update(items)
    assert dict(db.items()) == items


def test_copies_are_of_all_and_nothing_else(db: DirDBM, tmp_path: Path) -> None:
    db.update(ITEMS)
    type(db)(str(tmp_path / "other"))[b"old"] = b"v"
    other = db.copyTo(str(tmp_path / "other"))
    assert type(other) is type(db)
    assert dict(other.items()) == ITEMS
    other.clear()
    assert len(db) == len(ITEMS)
    with pytest.raises(ValueError, match="where it is"):
        db.copyTo(db.dname)
    assert len(db) == len(ITEMS)


def test_a_copy_of_a_shelf_refuses_what_the_shelf_refuses(tmp_path: Path) -> None:
    strict = Shelf(tmp_path / "shelf", allow=[])
    strict[b"plain"] = [1, 2]
    copy = strict.copyTo(str(tmp_path / "copy"))
    assert copy[b"plain"] == [1, 2]
    for shelf in (strict, copy):
        shelf[b"named"] = datetime.timedelta(1)
        with pytest.raises(NameRefused):
            shelf[b"named"]


def test_a_crash_leaves_old_or_new_whole(tmp_path: Path) -> None:
    """What Twisted leaves of a crash is mended as it does that itself."""
    db = DirDBM(str(tmp_path))
    names = [db._encode(key).decode() for key in (b"a", b"b")]
    (tmp_path / f"{names[0]}.rpl").write_bytes(b"finished")
    (tmp_path / names[1]).write_bytes(b"right")
    (tmp_path / f"{names[1]}.rpl").write_bytes(b"wrong")
    (tmp_path / "aa.new").write_bytes(b"half")
    (tmp_path / "README").write_bytes(b"no key of ours")
    assert dict(DirDBM(str(tmp_path)).items()) == {b"a": b"finished", b"b": b"right"}
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "README"])


def test_a_failed_write_leaves_the_old_value(db: DirDBM, monkeypatch: pytest.MonkeyPatch) -> None:
    db[b"k"] = b"old"

    def fail(*args: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        db[b"k"] = b"new"
    assert db[b"k"] == b"old"
    assert len(os.listdir(db.dname)) == 1


def test_several_threads_write_one_key(db: DirDBM) -> None:
    def write(value: bytes) -> None:
        for _ in range(50):
            db[b"k"] = value * 1000

    threads = [threading.Thread(target=write, args=(value,)) for value in (b"a", b"b")]
    db[b"k"] = b"a" * 1000
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert db[b"k"] in (b"a" * 1000, b"b" * 1000)
    for thread in threads:
        thread.join()
    assert len(os.listdir(db.dname)) == 1


def test_a_shelf_is_its_owners_and_reads_nothing_else(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf")
    shelf[b"k"] = 1
    (name,) = os.listdir(tmp_path / "shelf")
    path = tmp_path / "shelf" / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "shelf").stat().st_mode) == 0o700
    path.chmod(0o666)
    with pytest.raises(FileNotTrusted, match=str(path)):
        shelf[b"k"]
    path.chmod(0o600)
    path.write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(NameRefused, match=r"os\.system"):
        Shelf(tmp_path / "shelf", allow=set())[b"k"]
    path.write_bytes(b"\x80")
    with pytest.raises(DamagedFile, match=str(path)):
        shelf[b"k"]


def test_twisted_and_this_read_each_others(tmp_path: Path) -> None:
    theirs = pytest.importorskip("twisted.persisted.dirdbm")
    for ours_class, their_class in ((DirDBM, theirs.DirDBM), (Shelf, theirs.Shelf)):
        name = str(tmp_path / their_class.__name__)
        their = their_class(name)
        ours = ours_class(name)
        for key, value in ITEMS.items():
            their[key] = value
            assert ours[key] == value
            ours[key] = value + b"!"
            assert their[key] == value + b"!"
        assert sorted(their.keys()) == sorted(ours.keys())
