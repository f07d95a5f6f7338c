"""Log files that are rotated, and the system's log."""

from __future__ import annotations

import logging
import os
import stat
import syslog as system_log
import threading
from pathlib import Path
from typing import Any

import pytest

from reactorlib.python import syslog
from reactorlib.python.logfile import BaseLogFile, DailyLogFile, LogFile, LogReader


def test_it_is_put_aside_when_it_is_full(tmp_path: Path) -> None:
    log = LogFile("a.log", str(tmp_path), rotateLength=10, maxRotatedFiles=2)
    for n in range(4):
        log.write(f"{n}" * 10 + "\n")
    log.close()
    assert log.listLogs() == [1, 2]
    kept = [(tmp_path / name).read_text()[0] for name in ("a.log", "a.log.1", "a.log.2")]
    assert kept == ["3", "2", "1"]
    with pytest.raises(ValueError, match=r"a\.log\.3"):
        log.getLog(3)
    reader = log.getLog(1)
    assert reader.readLines() == ["2222222222\n"]
    reader.close()


def test_rotation_loses_no_line(tmp_path: Path) -> None:
    """Whoever writes meanwhile: each line is there once, and whole."""
    log = LogFile("a.log", str(tmp_path), rotateLength=500)
    barrier = threading.Barrier(4)

    def work(name: int) -> None:
        barrier.wait(10)
        for n in range(200):
            log.write(f"{name} {n}\n")
            if n % 50 == 0:
                log.rotate()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    log.close()
    lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
    assert sorted(lines) == sorted(f"{name} {n}" for name in range(4) for n in range(200))
    assert len(log.listLogs()) > 10


def test_text_and_bytes_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"old")
    log = LogFile.fromFullPath(str(path))
    assert log.size == 3
    log.write("\xe9")
    log.write(b"\xff")
    assert log.size == 6
    log.close()
    assert path.read_bytes() == b"old\xc3\xa9\xff"
    with pytest.raises(ValueError, match="closed"):
        log.write("x")


def test_where_it_cannot_be_renamed_writing_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile("a.log", str(tmp_path), rotateLength=3)
    log.write("abc")

    def refuse(*args: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "rename", refuse)
    log.write("def")
    log.close()
    assert (tmp_path / "a.log").read_text() == "abcdef"


def test_where_no_new_file_can_be_opened_the_old_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile("a.log", str(tmp_path), rotateLength=3)
    log.write("abc")

    def refuse(self: Any) -> None:
        raise OSError("no descriptor is free")

    with monkeypatch.context() as patched:
        patched.setattr(BaseLogFile, "_openFile", refuse)
        log.write("def")
    log.close()
    assert (tmp_path / "a.log").read_text() == "abcdef"
    assert log.listLogs() == []


def test_permissions_stay(tmp_path: Path) -> None:
    log = LogFile("a.log", str(tmp_path), defaultMode=0o600)
    log.write("x")
    log.rotate()
    log.close()
    for name in ("a.log", "a.log.1"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_reopen_after_another_program_moved_it(tmp_path: Path) -> None:
    log = LogFile("a.log", str(tmp_path))
    log.write("one")
    (tmp_path / "a.log").rename(tmp_path / "moved")
    log.reopen()
    log.write("two")
    log.close()
    assert (tmp_path / "moved").read_text() == "one"
    assert (tmp_path / "a.log").read_text() == "two"


class Days(DailyLogFile):
    today = (2027, 1, 31)

    def toDate(self, *args: float) -> Any:
        return super().toDate(*args) if args else self.today


def test_it_is_put_aside_when_the_day_is_over(tmp_path: Path) -> None:
    log = Days("a.log", str(tmp_path))
    log.write("one\n")
    log.today = (2027, 2, 1)
    log.write("two\n")
    log.write("three\n")
    log.close()
    assert (tmp_path / "a.log.2027_1_31").read_text() == "one\n"
    reader = LogReader(str(tmp_path / "a.log"))
    assert reader.readLines(1) == ["two\n"]
    assert reader.readLines() == ["three\n"]
    assert reader.readLines() == []
    reader.close()


def test_a_day_that_is_there_already_stays(tmp_path: Path) -> None:
    (tmp_path / "a.log.2027_1_31").write_text("before\n")
    log = Days("a.log", str(tmp_path))
    log.write("one\n")
    log.today = (2027, 2, 1)
    log.write("two\n")
    log.close()
    assert (tmp_path / "a.log.2027_1_31").read_text() == "before\n"
    assert (tmp_path / "a.log").read_text() == "one\ntwo\n"


class Recorded(syslog.SyslogObserver):
    def __init__(self) -> None:
        self.sent: list[tuple[int, str]] = []
        super().__init__("test")

    def openlog(self, *args: Any) -> None:
        self.opened = args

    def syslog(self, *args: Any) -> None:
        self.sent.append(args)


def test_lines_go_to_the_systems_log() -> None:
    observer = Recorded()
    assert observer.opened == ("test", 0, system_log.LOG_USER)
    observer.emit({"message": ("a\nb\n",), "isError": 0, "system": "s"})
    observer.emit({"message": ("c",), "isError": 1, "system": "-"})
    observer.emit(
        {
            "message": ("d",),
            "isError": 1,
            "system": "-",
            "syslogPriority": system_log.LOG_DEBUG,
            "syslogFacility": system_log.LOG_CRON,
        }
    )
    observer.emit({"message": (), "isError": 0, "system": "-"})
    assert observer.sent == [
        (system_log.LOG_INFO, "[s] a"),
        (system_log.LOG_INFO, "[s] \tb"),
        (system_log.LOG_ALERT, "[-] c"),
        (system_log.LOG_DEBUG | system_log.LOG_CRON, "[-] d"),
    ]


def test_what_cannot_be_rotated_goes_on_and_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = LogFile("log", str(tmp_path), rotateLength=4, maxRotatedFiles=1)
    in_the_way = tmp_path / "log.1"
    in_the_way.mkdir()  # no file to be removed
    # The report goes to the file, too.
    handler = logging.StreamHandler(log)
    logger = logging.getLogger("reactorlib.python.logfile")
    logger.addHandler(handler)
    try:
        for text in ("one\n", "two\n", "three\n"):
            log.write(text)
    finally:
        logger.removeHandler(handler)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line for line in lines if line in ("one", "two", "three")] == ["one", "two", "three"]
    (record,) = caplog.records
    assert "cannot be rotated" in record.getMessage()
    assert record.getMessage() in lines
    in_the_way.rmdir()
    log.write("four\n")
    log.close()
    assert (tmp_path / "log").read_text() == "four\n"
    assert in_the_way.read_text().splitlines() == lines
