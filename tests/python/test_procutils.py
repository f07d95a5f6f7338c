"""Where programs are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reactorlib.python.procutils import which


def program(path: Path) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    path.chmod(0o755)
    return str(path)


def test_a_program_is_found_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = program(tmp_path / "one" / "tool"), program(tmp_path / "two" / "tool")
    (tmp_path / "three" / "tool").mkdir(parents=True)
    (tmp_path / "four").mkdir()
    (tmp_path / "four" / "tool").write_text("not to be run")
    folders = [str(tmp_path / name) for name in ("one", "nowhere", "two", "three", "four")]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    assert which("tool") == [first, second]
    assert which("tool", os.R_OK) == [first, second, str(tmp_path / "four" / "tool")]
    assert which("other") == []


def test_extensions_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bat, exe = program(tmp_path / "tool.BAT"), program(tmp_path / "tool.EXE")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PATHEXT", os.pathsep.join([".EXE", ".BAT"]))
    assert which("tool") == [exe, bat]
    assert which("tool.BAT") == [bat]


def test_without_a_path_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert which("sh") == []


def test_it_agrees_with_the_standard_library() -> None:
    assert which("sh")[0] == shutil.which("sh")
