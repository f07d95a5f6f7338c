"""The list of Twisted's names, against an installed Twisted."""

from __future__ import annotations

import importlib.util
import pkgutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from compat._programs import ROOT
from reactorlib.compat import API_VERSION

FOLDER = ROOT / "docs" / "porting"
PAGE = (FOLDER / "names.md").read_text()


def twisted_folder() -> Path:
    """Where the Twisted is that the page is about."""
    if importlib.util.find_spec("twisted") is None or version("twisted") != API_VERSION:
        pytest.skip(f"Twisted {API_VERSION} is not installed")
    spec = importlib.util.find_spec("twisted")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def test_it_is_about_the_release_that_is_followed() -> None:
    assert f"Every public name of Twisted {API_VERSION}, " in PAGE


def test_it_is_up_to_date() -> None:
    """`python docs/porting/_generate.py` writes it anew."""
    twisted_folder()
    made_by = f"Python {sys.version_info.major}.{sys.version_info.minor} on {sys.platform.title()}"
    if made_by not in " ".join(PAGE.split()):
        pytest.skip("it was made with another Python")
    done = subprocess.run(
        [sys.executable, FOLDER / "_generate.py", "--check"],
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("\n", "", 0)


def test_it_has_every_public_module() -> None:
    """Found by their files; nothing of Twisted's is imported in this process."""
    folder = twisted_folder()
    found = 0
    for module in pkgutil.iter_modules([str(folder / "internet")]):
        if not module.name.startswith("_") and module.name != "test":
            assert f"`twisted.internet.{module.name}`" in PAGE
            found += 1
    for package in pkgutil.iter_modules([str(folder)]):
        if not package.name.startswith("_") and package.name != "test":
            assert f"`twisted.{package.name}" in PAGE
            found += 1
    assert found > 50


@pytest.mark.parametrize(
    ("module", "line", "name"),
    [
        ("twisted.internet.defer", "Present: ", "`inlineCallbacks`"),
        ("twisted.protocols.basic", "Present: ", "`LineReceiver`"),
        ("twisted.plugin", "Present: ", "`getPlugins`"),
    ],
)
def test_what_is_here_is_said_to_be(module: str, line: str, name: str) -> None:
    section = PAGE.partition(f"### `{module}`\n")[2].partition("\n#")[0]
    assert any(each.startswith(line) and name in each for each in section.splitlines())
