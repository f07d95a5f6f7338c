"""`mktap`: saved applications from plugins."""

from __future__ import annotations

import importlib
import io
import os
import pty
import re
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactorlib.application.service import (
    IProcess,
    IServiceCollection,
    ServiceMaker,
    loadApplication,
)
from reactorlib.persisted import _encryption, sob
from reactorlib.scripts import mktap

QUOTES = '''
"""The quote of the day."""
from reactorlib.application.internet import TCPServer
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.python import usage


class QOTD(Protocol):
    def connectionMade(self):
        self.transport.write(self.factory.quote.encode())
        self.transport.loseConnection()


class QOTDFactory(Factory):
    protocol = QOTD

    def __init__(self, quote):
        self.quote = quote


class Options(usage.Options):
    optParameters = [
        ["port", "p", 8007, "Port number", usage.portCoerce],
        ["static", "s", "An apple a day", "A quote"],
    ]


def makeService(config):
    if config["static"] == "lambda":
        config["static"] = lambda: 0
    if config["static"] == "usage":
        raise usage.UsageError("no such\\nquote")
    if config["static"] == "nothing":
        return None
    service = TCPServer(config["port"], QOTDFactory(config["static"]), interface="127.0.0.1")
    if config["static"] == "named":
        service.setName("quotes")
    if config["static"] == "broken":
        service.no_such_thing
    return service
'''

PLUGIN = """
from reactorlib.application.service import ServiceMaker

quotes = ServiceMaker("Quotes", "quotes_of_tests", "Serves a quote of the day.", "quotes")
"""

Out = Callable[[], tuple[str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and a plugin `quotes`; a broken one, `bad`, too."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "quotes_of_tests.py").write_text(QUOTES)
    (modules / "bad_of_tests.py").write_text("import reactorlib\n\n1 / 0\n")
    for name in ("quotes_of_tests", "bad_of_tests"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(modules)
    importlib.invalidate_caches()
    makers = [
        ServiceMaker("Quotes", "quotes_of_tests", "Serves a quote of the day.", "quotes"),
        ServiceMaker("Bad", "bad_of_tests", "Cannot be imported.", "bad"),
    ]
    monkeypatch.setattr(mktap, "getPlugins", lambda interface: iter(makers))
    monkeypatch.setattr(_encryption, "_COST", 6)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def services(filename: str, style: str, passphrase: str | None = None) -> list[Any]:
    return list(IServiceCollection(loadApplication(filename, style, passphrase)))


@pytest.mark.parametrize(
    ("words", "filename", "style"),
    [
        ([], "quotes.tap", "pickle"),
        (["--type=pickle"], "quotes.tap", "pickle"),
        (["-x"], "quotes.tax", "xml"),
        (["--xml", "-t", "xml"], "quotes.tax", "xml"),
        (["-t", "xml"], "quotes.tax", "xml"),
        (["-s"], "quotes.tas", "source"),
        (["--source"], "quotes.tas", "source"),
        (["-o", "other"], "other", "pickle"),
    ],
)
def test_an_application_is_saved(
    folder: Path,
    words: list[str],
    filename: str,
    style: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert mktap.main([*words, "quotes", "--port", "8008", "-s", "Eat apples"]) == 0
    assert capsys.readouterr() == (f"Saving quotes application to {filename}...\nSaved.\n", "")
    assert os.listdir() == [filename]
    assert stat.S_IMODE(os.stat(filename).st_mode) == 0o600
    (service,) = services(filename, style)
    assert service.args[0] == 8008
    assert service.args[1].quote == "Eat apples"


def test_as_whom_it_runs(folder: Path) -> None:
    assert mktap.main(["quotes"]) == 0
    process = IProcess(loadApplication("quotes.tap", "pickle"))
    assert (process.uid, process.gid, process.processName) == (None, None, None)
    assert mktap.main(["-u", "5", "--gid=6", "-n", "quoted", "quotes"]) == 0
    process = IProcess(loadApplication("quotes.tap", "pickle"))
    assert (process.uid, process.gid, process.processName) == (5, 6, "quoted")
    assert mktap.main(["-u", "root", "--gid=root", "quotes"]) == 0
    process = IProcess(loadApplication("quotes.tap", "pickle"))
    assert (process.uid, process.gid) == (0, 0)


@pytest.mark.parametrize(
    ("flag", "filename", "style"),
    [
        ("-tpickle", "quotes.tap", "pickle"),
        ("-x", "quotes.tax", "xml"),
        ("-s", "quotes.tas", "source"),
    ],
)
def test_a_service_is_added_to_an_application(
    folder: Path, flag: str, filename: str, style: str
) -> None:
    assert mktap.main([flag, "-u", "5", "quotes", "-p1"]) == 0
    assert mktap.main(["-a", filename, "--gid=7", "quotes", "-p2"]) == 0
    assert [service.args[0] for service in services(filename, style)] == [1, 2]
    application = loadApplication(filename, style)
    assert (IProcess(application).uid, IProcess(application).gid) == (5, 7)
    assert os.listdir() == [filename]


def test_an_encrypted_application(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("sesame\n"))
    assert mktap.main(["--encrypted", "quotes"]) == 0
    assert os.listdir() == ["quotes.etap"]
    assert len(services("quotes.etap", "pickle", "sesame")) == 1
    monkeypatch.setattr(sys, "stdin", io.StringIO("sesame\n"))
    assert mktap.main(["--append=quotes.etap", "quotes"]) == 0
    assert len(services("quotes.etap", "pickle", "sesame")) == 2
    capsys.readouterr()
    for answer, why in [
        ("simsim\n", "quotes.etap: the passphrase is wrong"),
        ("", "no passphrase was given"),
    ]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        assert mktap.main(["--append=quotes.etap", "quotes"]) == 1
        assert why in capsys.readouterr().err
    assert len(services("quotes.etap", "pickle", "sesame")) == 2


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["quotes", "-p", "x"], 2, "mktap quotes: Parameter type enforcement failed: .* --help"),
        (["quotes", "--frobnicate"], 2, "mktap quotes: option --frobnicate not recognized"),
        (["quotes", "left", "over"], 2, "mktap quotes: Wrong number of arguments"),
        (["--frobnicate"], 2, "mktap: option --frobnicate not recognized"),
        (["nonesuch"], 2, "mktap: Unknown command: nonesuch"),
        (["-x"], 2, "mktap: a command is missing"),
        (["-t", "json", "quotes"], 2, "'json' is none of 'pickle', 'xml', 'source'"),
        (["-x", "-s", "quotes"], 2, "there is one type of file, and not 2"),
        (["-a", "x", "-o", "y", "quotes"], 2, "there is no --output then"),
        (["-u", "no_such_user", "quotes"], 2, "there is no user 'no_such_user'"),
        (["-g", "no_such_group", "quotes"], 2, "there is no group 'no_such_group'"),
        (["quotes", "-s", "usage"], 1, "mktap: quotes: no such quote$"),
        (["quotes", "-s", "nothing"], 1, "makeService.. has returned no service, but None"),
        (["quotes", "-s", "broken"], 1, r"quotes_of_tests.py:39: AttributeError: .*no_such_thing"),
        (["quotes", "-s", "lambda"], 1, "mktap: quotes: cannot be pickled: "),
        (["-x", "quotes", "-s", "lambda"], 1, r"\.services\[0\]\.args\[1\]\.quote is a lambda"),
        (["bad"], 1, r"mktap: .*bad_of_tests.py:3: ZeroDivisionError: division by zero"),
        (["-a", "none.tap", "quotes"], 1, "mktap: none.tap: No such file or directory"),
        (["-o", "no/such/folder", "quotes"], 1, "no/such/folder: No such file or directory"),
        (["-a", "it.tac", "quotes"], 1, "it.tac: is a program"),
        (["-a", "it.tap", "quotes"], 1, "it.tap: is cut off, or is no pickle"),
        (["-a", "list.tap", "quotes"], 1, "list.tap: is no application, but list"),
        (["-a", "good.tax", "-s", "quotes"], 1, "good.tax: is of the type 'xml', and stays so"),
        (["-a", "open.tap", "quotes"], 1, "open.tap: refused: everybody can write it"),
        (["-a", "named.tap", "quotes", "-snamed"], 1, "two services with same name 'quotes'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_nothing_is_written(
    folder: Path, words: list[str], status: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "it.tac").write_text("application = 1\n")
    (folder / "it.tap").write_text("hello")
    (folder / "it.tap").chmod(0o600)
    sob.Persistent([1], "list").save()
    assert mktap.main(["-x", "-o", "good.tax", "quotes"]) == 0
    assert mktap.main(["-o", "open.tap", "quotes"]) == 0
    assert mktap.main(["-o", "named.tap", "quotes", "-snamed"]) == 0
    (folder / "open.tap").chmod(0o666)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    assert mktap.main(words) == status
    out, err = capsys.readouterr()
    assert err.count("\n") == 1, err
    assert re.search(why, err), err
    assert "Saved" not in out
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_help_names_options_and_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mktap.main([]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    for text in ("Usage: mktap [options] <command>", "--encrypted", "quotes", "Serves a quote of"):
        assert text in out
    for words in (["--help"], ["quotes", "--help"]):
        with pytest.raises(SystemExit) as caught:
            mktap.main(words)
        assert caught.value.code == 0
    assert "--static=" in capsys.readouterr().out
    assert os.listdir() == []


def test_progress_names_the_plugins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mktap.main(["--progress", "quotes"]) == 0
    assert capsys.readouterr().err == "found quotes\nfound bad\n"


# -- as a program -------------------------------------------------------------

RUN = [sys.executable, "-c", "from reactorlib.scripts.mktap import run; run()"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a plugin, dropped in, in which the program is started."""
    folder = tmp_path / "project"
    (folder / "reactorlib" / "plugins").mkdir(parents=True)
    (folder / "quotes_of_tests.py").write_text(QUOTES)
    (folder / "reactorlib" / "plugins" / "quotes_plugin.py").write_text(PLUGIN)
    return folder


def environment(*folders: Path) -> dict[str, str]:
    import reactorlib

    path = [*folders, Path(reactorlib.__file__).parents[1]]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}


def test_the_program_finds_plugins_on_the_path(project: Path) -> None:
    done = subprocess.run(
        [*RUN, "--source", "quotes", "--port=0"],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == ""
    assert done.stdout == "Saving quotes application to quotes.tas...\nSaved.\n"
    assert done.returncode == 0
    said = textwrap.dedent(
        """\
        import asyncio
        from reactorlib.application.service import IService, loadApplication

        async def main():
            async with IService(loadApplication("quotes.tas", "source")) as root:
                port = list(root)[0].getHost().port
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                print((await reader.read()).decode())
                writer.close()

        asyncio.run(main())
        """
    )
    served = subprocess.run(
        [sys.executable, "-c", said],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (served.stdout, served.stderr) == ("An apple a day\n", "")


def test_a_passphrase_is_asked_for_twice_without_being_shown(project: Path) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [*RUN, "-e", "quotes"],
        cwd=project,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shown = b""
        for answer in (b"sesame", b"simsim", b"sesame", b"sesame"):
            while not shown.endswith((b"Encryption passphrase: ", b"The same again: ")):
                shown += os.read(ours, 1000)
            os.write(ours, answer + b"\n")
            shown += b"|"
        while b"Saved." not in shown:
            shown += os.read(ours, 1000)
        assert done.wait(30) == 0
    finally:
        done.kill()
        done.wait()
        os.close(ours)
    assert b"sesame" not in shown
    assert shown.count(b"They are not the same.") == 1
    assert (project / "quotes.etap").exists()
