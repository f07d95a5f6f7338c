"""
Published packages, unmodified, pass their own tests on this library.

Their sources are looked for in the folder that `PUBLISHED_PACKAGES` names; `packages.txt`
says which they are, and the extra `packages` has what they need. They are run in processes of
their own. `docs/porting/packages.md` counts what passes, and says why the rest does not.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
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

#: Starts the server for the tests of txredisapi, which they expect at this port, and tells those
#: that use its UNIX socket where that is: not where every system has the same one.
WITH_REDIS = """
import os
import subprocess

socket = os.environ["REDIS_SOCKET"]

def pytest_sessionstart(session):
    where = ["--port", "6379", "--unixsocket", socket]
    session.config.server = subprocess.Popen(
        ["redis-server", *where, "--save", "", "--dir", os.path.dirname(socket)],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in session.config.server.stdout:
        if "ready to accept connections" in line.lower():
            return
    raise RuntimeError("redis-server ended")

def pytest_pycollect_makemodule(module_path, parent):
    if module_path.name == "test_unix_connection.py":
        from tests import test_unix_connection

        test_unix_connection.redis_sock = socket
        del test_unix_connection.TestUnixConnectionMethods.skip

def pytest_unconfigure(config):
    config.server.kill()
    config.server.wait()
"""

#: Of pytest-twisted's tests, those that cannot pass; and those with Hypothesis, most of which
#: fail on Twisted too, by what that has become.
NOT_HERE = (
    "hypothesis",
    "test_wrong_reactor and not test_wrong_reactor_with",
    "test_pytest_from_reactor_thread",
    "test_addSystemEventTrigger and shutdown-True",
)


def needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: it is in the extra 'packages'")


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages' sources are unpacked, with a folder `site` that has the alias."""
    folder = os.environ.get("PUBLISHED_PACKAGES")
    if folder is None:
        pytest.skip("PUBLISHED_PACKAGES does not say where the packages' sources are")
    here = tmp_path_factory.mktemp("packages")
    for archive in Path(folder).glob("*.tar.gz"):
        with tarfile.open(archive) as unpacked:
            unpacked.extractall(here, filter="data")
    (here / "site").mkdir()
    (here / "site" / "sitecustomize.py").write_text(ALIAS)
    (here / "site" / "patient.py").write_text(PATIENT)
    (here / "site" / "with_redis.py").write_text(WITH_REDIS)
    return here


def source_of(sources: Path, name: str) -> Path:
    """The folder of a package's source, in the version that `packages.txt` names."""
    wanted = (Path(__file__).parent / "packages.txt").read_text()
    version = re.search(rf"^{name}==(.*)$", wanted, re.MULTILINE)
    assert version is not None
    folder = sources / f"{name.replace('-', '_')}-{version[1]}"
    if not folder.is_dir():
        pytest.skip(f"the source of {name} {version[1]} is not in PUBLISHED_PACKAGES")
    return folder


def run_tests(
    sources: Path,
    package: Path,
    where: Path,
    loop: str,
    *options: str,
    inside: tuple[str, ...] = (),
    **environ: str,
) -> tuple[int, str]:
    """
    Run the tests in a folder; how many have passed, and what pytest says.

    Some send a signal and give a program a second to end. Those that fail are run once more,
    by themselves: beside other work a machine may have been too slow.

    `inside` is what starts the program given behind it, in surroundings of its own.
    """
    folders = [str(sources / "site"), str(ROOT), str(package)]
    path = os.pathsep.join([*folders, *filter(None, [os.environ.get("PYTHONPATH")])])
    pytest_there = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    passed, said = 0, ""
    tests = ["."]
    for _ in range(2):
        done = subprocess.run(
            [*inside, *pytest_there, "-p", "no:asyncio", *options, *tests],
            cwd=where,
            capture_output=True,
            text=True,
            timeout=800,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": path,
                "REACTORLIB_LOOP": loop,
                **environ,
            },
        )
        said += done.stdout[-3000:] + done.stderr[-3000:]
        count = re.search(r"(\d+) passed", done.stdout)
        passed += int(count[1]) if count else 0
        if done.returncode == 0:
            return passed, said
        tests = re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
        if not tests:
            break
    return 0, said


@pytest.fixture(scope="session")
def network_of_its_own() -> tuple[str, ...]:
    """What starts a program where nobody else has a port."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("there is no unshare, or no ip, to make a network for the tests alone")
    up = ("sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    for unshare in (("unshare", "-n"), ("unshare", "-rn")):
        if subprocess.run([*unshare, *up, "true"], capture_output=True).returncode == 0:
            return (*unshare, *up)
    pytest.skip("the system does not let a test have a network of its own")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for the name of a UNIX socket."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_crochet(sources: Path, loop: str) -> None:
    needs("wrapt")
    package = source_of(sources, "crochet")
    # Its tests of types want a mypy of their own time.
    ignored = ["--ignore", "crochet/tests/test_mypy.py"]
    passed, said = run_tests(sources, package, package, loop, *ignored)
    assert passed >= 96, said


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_pytest_twisted(sources: Path, loop: str) -> None:
    needs("greenlet", "decorator")
    package = source_of(sources, "pytest-twisted")
    left_out = " and ".join(f"not ({name})" for name in NOT_HERE)
    options = ["-p", "patient", "-k", left_out]
    testing = package / "testing"
    passed, said = run_tests(sources, package / "src", testing, loop, *options)
    assert passed >= 47, said


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_txredisapi(
    sources: Path, network_of_its_own: tuple[str, ...], short_path: Path, loop: str
) -> None:
    needs("OpenSSL")
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server")
    package = source_of(sources, "txredisapi")
    # It calls reactor.iterate() in a loop that runs, and leaves the server busy.
    left_out = "--deselect=tests/test_scripting.py::TestScripting::test_script_kill"
    passed, said = run_tests(
        sources,
        package,
        package,
        loop,
        "-p",
        "with_redis",
        left_out,
        inside=network_of_its_own,
        REDIS_SOCKET=str(short_path / "redis"),
    )
    assert passed >= 180, said
