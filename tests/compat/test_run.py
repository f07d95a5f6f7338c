"""`python -m reactorlib.compat` runs programs as `python` itself does."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from compat._programs import run

#: Says what it sees, and ends in the way that is asked for.
SEES = """
import os, sys
if "twisted" in sys.argv:
    import twisted.internet.defer
    import reactorlib
    assert twisted.__path__ == reactorlib.__path__
main = sys.modules["__main__"]
print(__name__, sys.argv, repr(sys.path[0]), main.__dict__ is globals())
print({name: str(value) for name, value in sorted(globals().items())
       if name in ("__file__", "__package__", "__cached__", "__doc__", "__annotations__")})
print(__spec__ and (__spec__.name, __spec__.origin), type(__loader__), sorted(vars(main)))

class C:
    pass

import pickle
assert type(pickle.loads(pickle.dumps(C()))) is C

def end(how):
    if how == "raise":
        raise ValueError("the end")
    if how == "chain":
        try:
            end("raise")
        except ValueError as error:
            raise RuntimeError("later") from error
    if how == "exit":
        sys.exit(7)
    if how == "text":
        sys.exit("a reason")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "hook":
        sys.excepthook = lambda kind, error, traceback: print(kind, traceback.tb_lineno)
        end("raise")
    if how == "atexit":
        import atexit
        atexit.register(lambda: print("at the end", sys.modules["__main__"].C is C))

end(sys.argv[-1])
"""

FILES = {
    "program.py": SEES,
    "wrong.py": "x = 1\nif True print(x)\n",
    "pkg/__init__.py": "",
    "pkg/__main__.py": SEES,
    "pkg/mod.py": SEES,
    "pkg/failing/__init__.py": "1 / 0",
    "folder/__main__.py": SEES,
    "empty/x.py": "",
    "latin.py": "# coding: latin-1\nprint(ascii('\u00e9'))\n",
}

COMMANDS = [
    ["program.py"],
    ["./program.py", "a", "--option", "end"],
    ["{here}/link.py", "raise"],
    ["program.py", "raise"],
    ["program.py", "chain"],
    ["program.py", "exit"],
    ["program.py", "text"],
    ["program.py", "interrupt"],
    ["program.py", "hook"],
    ["program.py", "atexit"],
    ["latin.py"],
    ["wrong.py"],
    ["missing.py"],
    ["folder", "raise"],
    ["archive.zip", "x"],
    ["empty"],
    ["-", "x"],
    ["-c", "import sys; print(sys.argv, sys.path[0]); sys.exit(3)", "x", "-m"],
    ["-m", "pkg", "a"],
    ["-m", "pkg.mod", "raise"],
    ["-m", "pkg.mod", "atexit"],
    ["-m", "missing"],
    ["-m", "pkg.missing"],
    ["-m", "missing.deep"],
    ["-m", "pkg.failing"],
    ["-m", "empty.x", "-h"],
]

#: Of tracebacks, what tells of how Python itself runs a module.
OF_RUNPY = re.compile(r'  File "<frozen runpy>".*\n')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("programs")
    for name, text in FILES.items():
        (made / name).parent.mkdir(exist_ok=True, parents=True)
        (made / name).write_text(text, encoding="latin-1")
    (made / "elsewhere").mkdir()
    (made / "elsewhere" / "link.py").symlink_to(made / "program.py")
    (made / "link.py").symlink_to("elsewhere/link.py")
    with zipfile.ZipFile(made / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", SEES)
    return made


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_program_cannot_tell(command: list[str], folder: Path) -> None:
    command = [part.replace("{here}", str(folder)) for part in command]
    code = SEES if command[0] == "-" else ""
    printed, errors, status = run(*command, cwd=folder, code=code)
    assert run("-m", "reactorlib.compat", *command, cwd=folder, code=code) == (
        printed,
        OF_RUNPY.sub("", errors),
        status,
    )


@pytest.mark.parametrize("how", [["program.py"], ["-m", "pkg.mod"], ["folder"]], ids=" ".join)
def test_twisted_is_reactorlib_there(how: list[str], folder: Path) -> None:
    _, errors, status = run("-W", "error", "-m", "reactorlib.compat", *how, "twisted", cwd=folder)
    assert (errors, status) == ("", 0)


def test_with_a_safe_path_nothing_is_put_before_it(folder: Path) -> None:
    """`python -P` says so."""
    code = "import sys; print(sys.path)"
    (folder / "path.py").write_text(code)
    expected = run("-P", "path.py", cwd=folder)
    assert run("-P", "-m", "reactorlib.compat", "path.py", cwd=folder) == expected


def test_twisted_can_run_as_a_module_itself(folder: Path) -> None:
    """`python -m twisted` is a way to start its daemon."""
    printed, errors, status = run("-m", "reactorlib.compat", "-m", "twisted", "--help", cwd=folder)
    assert (errors, status) == ("", 0)
    assert printed == run("-m", "reactorlib", "--help", cwd=folder)[0]


LOOPS = """
import asyncio, sys, unittest
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

def tell(where):
    print(where, type(asyncio.get_running_loop()).__module__.partition(".")[0])

async def main():
    tell("asyncio.run")

asyncio.run(main())
reactor.callWhenRunning(tell, "reactor.run")
reactor.callWhenRunning(reactor.stop)
reactor.run()

class SomeTests(TestCase):
    async def test_loop(self):
        tell("trial")

SomeTests("test_loop").run(unittest.TestResult())
print(sys.argv)
"""


@pytest.mark.parametrize("how", [["loops.py"], ["-m", "loops"]], ids=" ".join)
def test_its_loops_can_be_uvloops(how: list[str], folder: Path) -> None:
    """But for one that asyncio makes without us."""
    pytest.importorskip("uvloop")
    (folder / "loops.py").write_text(LOOPS)
    own = run("-W", "error", "-m", "reactorlib.compat", *how, "a", cwd=folder)
    loops = [f"{where} asyncio" for where in ("asyncio.run", "reactor.run", "trial")]
    assert own[0].splitlines()[:3] == loops
    chosen = {"REACTORLIB_LOOP": "uvloop"}
    fast = run("-W", "error", "-m", "reactorlib.compat", *how, "a", cwd=folder, **chosen)
    changed = own[0].replace("reactor.run asyncio", "reactor.run uvloop")
    changed = changed.replace("trial asyncio", "trial uvloop")
    assert fast == (changed, "", 0)


@pytest.mark.parametrize("wrong", [[], ["-m"], ["-c"], ["--unknown"]], ids=" ".join)
def test_a_wrong_command_line(wrong: list[str], folder: Path) -> None:
    printed, errors, status = run("-m", "reactorlib.compat", *wrong, cwd=folder)
    assert (printed, status) == ("", 2)
    assert "usage: python -m reactorlib.compat" in errors


def test_it_says_how_it_is_used(folder: Path) -> None:
    printed, errors, status = run("-m", "reactorlib.compat", "--help", cwd=folder)
    assert (errors, status) == ("", 0)
    assert printed.startswith("usage: ")
