"""`python -m reactorlib.compat rewrite`: what it changes, what it leaves, and what it says."""

from __future__ import annotations

import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compat._programs import run
from reactorlib.compat._rewriting import main, rewrite

#: Programs, and what becomes of them.
CHANGED = [
    ("from twisted.internet import defer", "from reactorlib.internet import defer"),
    ("from  twisted . internet import defer as d", "from  reactorlib . internet import defer as d"),
    (
        "from \\\n  twisted.internet \\\n import defer",
        "from \\\n  reactorlib.internet \\\n import defer",
    ),
    (
        "x = 1; from twisted.python.log import msg, err",
        "x = 1; from reactorlib.python.log import msg, err",
    ),
    ("if 1:\n\tfrom twisted.internet.defer import (\n\t\tDeferred,  # twisted.x\n)", None),
    ("from twisted.internet.defer import *", "from reactorlib.internet.defer import *"),
    ("from twisted.internet import reactor", "from reactorlib.internet import reactor"),
    (
        "import twisted.internet.defer as twisted_defer",
        "import reactorlib.internet.defer as twisted_defer",
    ),
    (
        "import os, twisted.internet.defer as d, sys",
        "import os, reactorlib.internet.defer as d, sys",
    ),
    (
        "é = 'twisted'; import twisted.internet as i",
        "é = 'twisted'; import reactorlib.internet as i",
    ),
    (
        "import twisted.internet.defer\n"
        "d = twisted.internet.defer.Deferred().addBoth(twisted.python)",
        None,
    ),
    ("import twisted\nprint(twisted, twisted.internet)", None),
    (
        "import twisted.internet.interfaces\n"
        "@implementer(twisted.internet.interfaces.IProtocol)\nclass A: pass",
        None,
    ),
    (
        "def f():\n    import twisted.python.log\n"
        "    return lambda: [twisted.python.log for x in y]",
        None,
    ),
    (
        "import twisted.internet.protocol\n"
        "class A(twisted.internet.protocol.Protocol): x = twisted.internet",
        None,
    ),
    (
        "import twisted.internet\n"
        "def f(a: twisted.internet = twisted.internet) -> twisted.internet: pass",
        None,
    ),
    ("import twisted.internet.reactor\ntwisted.internet.reactor.run()", None),
    (
        "'''twisted.internet'''\n# twisted.internet.defer\nfrom twisted.internet import task",
        "'''twisted.internet'''\n# twisted.internet.defer\nfrom reactorlib.internet import task",
    ),
    (
        "from twisted.internet import defer\r\nx = 1\r\n",
        "from reactorlib.internet import defer\r\nx = 1\r\n",
    ),
]

#: Programs that keep their words, with the lines and the words of what is said of them.
UNTOUCHED: list[tuple[str, list[tuple[int, str]]]] = [
    ("from twisted.nowhere import x", [(1, "twisted.nowhere")]),
    (
        "\nfrom twisted.internet.defer import (Deferred,\n   Nothing)",
        [(2, "twisted.internet.defer.Nothing")],
    ),
    ("import twisted.nowhere.x as y", [(1, "twisted.nowhere")]),
    (
        "import twisted\nif twisted.__version__ > '22': pass",
        [(1, "import twisted"), (2, "twisted.__version__")],
    ),
    (
        "def f():\n  global twisted\n  import twisted.internet\ndef g(): return twisted.internet",
        [(3, "otherwise")],
    ),
    ("from twisted import version", [(1, "twisted.version")]),
    ("try:\n    import twisted\nexcept ImportError:\n    twisted = None", [(2, "otherwise")]),
    ("x = 'twisted.internet.defer.Deferred'", [(1, "in a string: twisted.internet.defer.Def")]),
    ("x = b'twisted.web'", [(1, "in a string: twisted.web")]),
    ("from .twisted.internet import defer", []),
    ("from twisted_tools import twisted", []),
    ("import twistedtools.x", []),
    ("twisted = 1\nprint(twisted.internet)", []),
    ("def f(twisted): return twisted.internet", []),
    ("x.twisted.internet", []),
    ("'a twisted. mind'", []),
]


def rewritten(program: str) -> tuple[str, list[tuple[int, str]]]:
    changed, left = rewrite(program.encode(), "utf-8")
    return changed.decode(), [(each.line, each.reason) for each in left]


@pytest.mark.parametrize(("program", "expected"), CHANGED)
def test_names_are_changed(program: str, expected: str | None) -> None:
    """Where nothing else is expected, every `twisted` is a name, but for those in comments."""
    if expected is None:
        expected = program.replace("twisted", "reactorlib").replace("# reactorlib", "# twisted")
    assert rewritten(program) == (expected, [])


@pytest.mark.parametrize(("program", "said"), UNTOUCHED)
def test_names_are_left_and_told_of(program: str, said: list[tuple[int, str]]) -> None:
    changed, left = rewritten(program)
    assert changed == program
    assert len(left) == len(said)
    for (line, reason), (expected_line, words) in zip(left, said, strict=True):
        assert line == expected_line
        assert words in reason


def test_what_is_here_is_changed_beside_what_is_not() -> None:
    program = (
        "import twisted.internet.defer, twisted.nowhere.server\n"
        "twisted.nowhere.server.Site(twisted.internet.defer.Deferred())\n"
        "from twisted.internet import task\n"
        "def f(twisted):\n    return twisted.internet\n"
    )
    changed, left = rewritten(program)
    assert changed == (
        "import reactorlib.internet.defer, twisted.nowhere.server\n"
        "twisted.nowhere.server.Site(reactorlib.internet.defer.Deferred())\n"
        "from reactorlib.internet import task\n"
        "def f(twisted):\n    return twisted.internet\n"
    )
    assert [line for line, _ in left] == [1, 2]


def test_names_in_f_strings_are_changed_or_told_of() -> None:
    """Before Python 3.12 the tree does not always say where they are."""
    program = "import twisted.internet.defer\nprint(f'{twisted.internet.defer.Deferred}')\n"
    changed, left = rewritten(program)
    assert ("reactorlib.internet.defer.Deferred" in changed) != bool(left)
    compile(changed, "program", "exec")


@given(st.text(alphabet="\t\r\n \\éx;#'\"twistedfromimport.internet", max_size=60))
def test_the_rest_of_a_file_is_kept(noise: str) -> None:
    """However odd a program, what is not one of the words stays as it was."""
    program = f"{noise}\nfrom twisted.internet import defer\n"
    try:
        changed, _ = rewrite(program.encode(), "utf-8")
    except ValueError:
        return
    assert changed.replace(b"reactorlib", b"twisted") == program.encode()


@pytest.mark.parametrize(
    "source",
    [
        b"# coding: latin-1\nx = '\xe9'; from twisted.internet import defer\n",
        b"\xef\xbb\xbffrom twisted.internet import defer\nx = '\xc3\xa9'\n",
        b"from twisted.internet import defer\r\n\x0cx = 1",
    ],
)
def test_encodings_marks_and_ends_of_lines_are_kept(source: bytes, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_bytes(source)
    assert main(["--write", str(file)]) == 0
    assert file.read_bytes() == source.replace(b"twisted", b"reactorlib")


# -- trees ------------------------------------------------------------------------

SERVER = """
#!/usr/bin/env python
import sys

import twisted.internet.protocol
from twisted.internet import endpoints, reactor, task
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer
import twisted.internet.interfaces


class Shout(LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line.upper())
        self.transport.loseConnection()


@implementer(twisted.internet.interfaces.IProtocolFactory)
class ShoutFactory(twisted.internet.protocol.Factory):
    protocol = Shout


class Ask(LineReceiver):
    def connectionMade(self):
        self.sendLine(b"hello from twisted")

    def lineReceived(self, line):
        print(line.decode())

    def connectionLost(self, reason):
        reactor.stop()


async def main():
    port = await endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(
        ShoutFactory()
    )
    await endpoints.connectProtocol(
        endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Ask()
    )


reactor.callWhenRunning(lambda: __import__("twisted_or_not").start(main()))
reactor.run()
print(sorted(name for name in sys.modules if name == "twisted"))
"""

HELPER = "from twisted.internet.defer import ensureDeferred as start\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / ".hidden").mkdir(parents=True)
    (folder / "env").mkdir()
    (folder / "env" / "pyvenv.cfg").touch()
    (folder / "server.py").write_text(SERVER.lstrip())
    (folder / "server.py").chmod(0o755)
    (folder / "twisted_or_not.py").write_text(HELPER)
    for name in (".hidden/x.py", "env/x.py", "notes.txt"):
        (folder / name).write_text(HELPER)
    return folder


def test_a_rewritten_program_runs(tree: Path) -> None:
    printed, errors, status = run("-m", "reactorlib.compat", "rewrite", "--write", ".", cwd=tree)
    assert (printed, errors, status) == ("", "", 0)
    for name in (".hidden/x.py", "env/x.py", "notes.txt"):
        assert (tree / name).read_text() == HELPER
    assert stat.S_IMODE((tree / "server.py").stat().st_mode) == 0o755
    printed, errors, status = run("-W", "error", "server.py", cwd=tree)
    assert (printed, errors, status) == ("HELLO FROM TWISTED\n[]\n", "", 0)
    # And there is nothing left to do.
    assert run("-m", "reactorlib.compat", "rewrite", ".", cwd=tree) == ("", "", 0)


def test_the_diff_is_what_writing_does(tree: Path) -> None:
    printed, errors, status = run("-m", "reactorlib.compat", "rewrite", ".", cwd=tree)
    assert (errors, status) == ("", 0)
    assert (tree / "twisted_or_not.py").read_text() == HELPER
    lines = printed.splitlines()
    assert "-import twisted.internet.protocol" in lines
    assert "+import reactorlib.internet.protocol" in lines
    subprocess.run(["patch", "-p0", "-s"], input=printed.encode(), cwd=tree, check=True)
    patched = {file.name: file.read_bytes() for file in tree.glob("*.py")}
    for file in tree.glob("*.py"):
        file.write_text(SERVER.lstrip() if file.name == "server.py" else HELPER)
    assert main(["--write", str(tree)]) == 0
    assert {file.name: file.read_bytes() for file in tree.glob("*.py")} == patched


def test_what_is_left_is_listed_and_tells_in_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins = tmp_path / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "mine.py").write_text("x = 1\n")
    (tmp_path / "old.py").write_text("import twisted\nprint 'Python 2'\n")
    (tmp_path / "web.py").write_text("x = 1\nfrom twisted.nowhere import server\n")
    assert main([str(tmp_path)]) == 1
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert f"{plugins / 'mine.py'}:1: move it to a folder reactorlib/plugins" in errors
    assert f"{tmp_path / 'old.py'}: it cannot be parsed as Python 3" in errors
    assert f"{tmp_path / 'web.py'}:2: there is no twisted.nowhere here" in errors
    assert "docs/porting/names.md" in errors


def test_what_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other files are done all the same."""
    file = tmp_path / "file.py"
    file.write_text(HELPER)
    assert main(["--write", str(tmp_path / "missing"), str(file)]) == 2
    assert "missing: there is no such file or folder" in capsys.readouterr().err
    assert file.read_text() == HELPER.replace("twisted", "reactorlib")
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2


def test_modules_that_are_not_installed_are_still_modules() -> None:
    """What a module needs may be missing here and be there where the program runs."""
    code = """
        import sys
        sys.modules["cryptography"] = None
        from reactorlib.compat._rewriting import rewrite
        print(rewrite(b"from twisted.internet.ssl import CertificateOptions", "utf-8"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.stdout == "(b'from reactorlib.internet.ssl import CertificateOptions', [])\n"
