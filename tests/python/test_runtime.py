"""What system this is, and what others would be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reactorlib.python.runtime import (
    Platform,
    platform,
    platformType,
    seconds,
    shortPythonVersion,
)


@pytest.mark.parametrize(
    ("name", "type"), [("posix", "posix"), ("nt", "win32"), ("java", "java"), ("amiga", None)]
)
def test_type(name: str, type: str | None) -> None:
    other = Platform(name)
    assert other.getType() == type
    assert other.isKnown() is (type is not None)
    assert other.isWindows() is (type == "win32")


@pytest.mark.parametrize(
    ("name", "linux", "mac"), [("linux", True, False), ("darwin", False, True), ("win32", 0, 0)]
)
def test_system(name: str, linux: bool, mac: bool) -> None:
    other = Platform(None, name)
    assert (other.isLinux(), other.isMacOSX()) == (linux, mac)
    if not linux:
        assert not other.supportsINotify()
        assert not other.isDocker()


def test_this_one() -> None:
    assert platform.getType() == platformType
    assert platform.isLinux() == sys.platform.startswith("linux")
    assert platform.supportsThreads()
    assert shortPythonVersion() == sys.version.split()[0].rstrip("+")
    assert seconds() > 1_700_000_000
    assert not platform.isVista()


@pytest.mark.parametrize(
    ("groups", "docker"),
    [
        ("1:x:/docker/1f\n", True),
        ("2:a:/\n1:x:/system\n", False),
        ("nonsense\n", False),
        ("", False),
    ],
)
def test_docker(tmp_path: Path, groups: str, docker: bool) -> None:
    (tmp_path / "cgroup").write_text(groups)
    assert Platform(None, "linux").isDocker(str(tmp_path / "cgroup")) is docker


def test_no_control_groups(tmp_path: Path) -> None:
    assert not Platform(None, "linux").isDocker(str(tmp_path / "none"))


def test_nt_is_deprecated() -> None:
    with pytest.deprecated_call(match="isWindows"):
        assert platform.isWinNT() == platform.isWindows()
