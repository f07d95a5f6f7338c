"""
Published packages, unmodified, pass their own tests on this library.

Their source is fetched with pip; what they need is in the extra `packages`.
`docs/porting/packages.md` counts what passes, and says why the rest does not.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from compat._programs import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: In the environment of every process of the tests: as a `.pth` file does it.
ALIAS = "import reactorlib.compat; reactorlib.compat.install_as_twisted()\n"

#: Gives the programs that pytest-twisted's tests start more time than 15 seconds each.
PATIENT = """
def pytest_collection_finish(session):
    for item in session.items:
        item.module.timeout = 120
"""

#: Of pytest-twisted's tests, those that cannot pass.
NOT_HERE = (
    "test_wrong_reactor",
    "test_pytest_from_reactor_thread",
    "test_addSystemEventTrigger[before-shutdown-True]",
    "test_addSystemEventTrigger[during-shutdown-True]",
    "test_addSystemEventTrigger[after-shutdown-True]",
)


def needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: it is in the extra 'packages'")


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages' sources are unpacked, with a folder `site` that has the alias."""
    here = tmp_path_factory.mktemp("packages")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    wanted = ["crochet==2.1.1", "pytest-twisted==1.14.3"]
    try:
        fetched = subprocess.run(
            [*pip, "--no-deps", "--no-binary", ":all:", "--dest", str(here), *wanted],
            capture_output=True,
            text=True,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package index does not answer")
    if fetched.returncode:
        pytest.skip(f"pip cannot fetch the packages: {fetched.stderr.strip()[-300:]}")
    for archive in here.glob("*.tar.gz"):
        with tarfile.open(archive) as unpacked:
            unpacked.extractall(here, filter="data")
    (here / "site").mkdir()
    (here / "site" / "sitecustomize.py").write_text(ALIAS)
    (here / "site" / "patient.py").write_text(PATIENT)
    return here


def run_tests(
    sources: Path, package: Path, where: Path, loop: str, *options: str
) -> tuple[int, str]:
    """Run the tests in a folder; how many have passed, and what pytest says."""
    folders = [str(sources / "site"), str(ROOT), str(package)]
    path = os.pathsep.join([*folders, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."],
        cwd=where,
        capture_output=True,
        text=True,
        timeout=800,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, "REACTORLIB_LOOP": loop},
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    said = done.stdout[-3000:] + done.stderr[-3000:]
    return int(passed[1]) if passed and done.returncode == 0 else 0, said


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_crochet(sources: Path, loop: str) -> None:
    needs("wrapt")
    package = sources / "crochet-2.1.1"
    # Its tests of types want a mypy of their own time.
    options = ["-p", "no:asyncio", "--ignore", "crochet/tests/test_mypy.py"]
    passed, said = run_tests(sources, package, package, loop, *options)
    assert passed >= 96, said


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_pytest_twisted(sources: Path, loop: str) -> None:
    needs("greenlet", "decorator")
    package = sources / "pytest_twisted-1.14.3"
    left_out = [f"--deselect=testing/test_basic.py::{name}" for name in NOT_HERE]
    # Three more fail on Twisted too, by what Hypothesis has become.
    options = ["-p", "no:asyncio", "-p", "patient", "-k", "not hypothesis", *left_out]
    testing = package / "testing"
    passed, said = run_tests(sources, package / "src", testing, loop, *options)
    assert passed >= 40, said
