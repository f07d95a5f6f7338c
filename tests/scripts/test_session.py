"""The session of the old guide to getting started, with the commands as a shell runs them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts._reactord import LIMIT, ended, environment

QUOTE = "An apple a day keeps the doctor away."

#: The heart of the application, which knows nothing of any framework.
QUOTERS = """
from random import choice

class StaticQuoter:
    def __init__(self, quote):
        self.quote = quote

    def getQuote(self):
        return self.quote

class FortuneQuoter:
    def __init__(self, filenames):
        self.filenames = filenames

    def getQuote(self):
        with open(choice(self.filenames)) as file:
            return choice(file.read().split("\\n%\\n"))
"""

PROTOCOL = """
from reactorlib.internet.protocol import Factory, Protocol

class QOTD(Protocol):
    def connectionMade(self):
        self.transport.write(self.factory.quoter.getQuote().encode() + b"\\r\\n")
        self.transport.loseConnection()

class QOTDFactory(Factory):
    protocol = QOTD

    def __init__(self, quoter):
        self.quoter = quoter
"""

BUILDER = """
from TwistedQuotes import quoteproto, quoters
from reactorlib.application import internet
from reactorlib.python import usage

class Options(usage.Options):
    optParameters = [
        ["port", "p", 8007, "Port number to listen on for QOTD protocol."],
        ["static", "s", "An apple a day keeps the doctor away.", "A static quote to display."],
        ["file", "f", None, "A fortune-format text file to read quotes from."],
    ]

def makeService(config):
    if config["file"]:
        quoter = quoters.FortuneQuoter([config["file"]])
    else:
        quoter = quoters.StaticQuoter(config["static"])
    factory = quoteproto.QOTDFactory(quoter)
    return internet.TCPServer(int(config["port"]), factory)
"""

PLUGIN = """
from reactorlib.application.service import ServiceMaker

quotes = ServiceMaker(
    "Quote of the Day TAP Builder",
    "TwistedQuotes.quotetap",
    "Example of a TAP builder module.",
    "quotes",
)
"""

TAC = """
from TwistedQuotes import quotetap
from reactorlib.application import service

application = service.Application("quotes")
config = quotetap.Options()
config.parseOptions(["--port", "{port}"])
quotetap.makeService(config).setServiceParent(application)
"""


class Session:
    """A folder with the guide's files in it, and a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in {
            "stuff/TwistedQuotes/__init__.py": "",
            "stuff/TwistedQuotes/quoters.py": QUOTERS,
            "stuff/TwistedQuotes/quoteproto.py": PROTOCOL,
            "stuff/TwistedQuotes/quotetap.py": BUILDER,
            "stuff/reactorlib/plugins/quotes_dropin.py": PLUGIN,
            "fortunes": "Never put off\n%\nUntil tomorrow",
        }.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.work = folder / "work"
        self.work.mkdir()
        self.path = os.pathsep.join([str(self._scripts()), os.environ["PATH"]])
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def _scripts(self) -> Path:
        """The folder of the console scripts: the installed ones, or made as pip makes them."""
        installed = Path(sys.executable).parent
        if (installed / "reactord").exists() and (installed / "mktap").exists():
            return installed
        made = self.folder / "bin"
        made.mkdir()
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
        for name, entry in project["project"]["scripts"].items():
            module, _, function = entry.partition(":")
            script = made / name
            script.write_text(
                f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\n"
                f"sys.exit({function}())\n"
            )
            script.chmod(0o755)
        return made

    def shell(self, line: str, fails: bool = False) -> str:
        """What a line prints."""
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.work,
            env=environment(PYTHONPATH=str(self.folder / "stuff"), PATH=self.path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stdout
        return done.stdout

    def ask(self) -> str:
        """What the server says, to `nc` where there is one."""
        if shutil.which("nc"):
            return self.shell(f"nc -w 10 127.0.0.1 {self.port}")
        with (
            socket.create_connection(("127.0.0.1", self.port), LIMIT) as connection,
            connection.makefile() as answer,
        ):
            return answer.read()

    def run_and_ask(self, command: str) -> str:
        """Run the daemon, ask it, and end it as the guide does."""
        assert self.shell(command) == ""
        descriptor = os.pidfd_open(int((self.work / "reactord.pid").read_text()))
        try:
            answer = self.ask()
            self.shell("kill `cat reactord.pid`")
            assert ended(descriptor), "it has not ended"
        finally:
            os.close(descriptor)
        assert not (self.work / "reactord.pid").exists()
        log = (self.work / "reactord.log").read_text()
        assert "Traceback" not in log
        assert "Server Shut Down" in log
        return answer


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


@pytest.mark.parametrize("kind", ["pickle", "xml", "source"])
def test_a_saved_application(session: Session, kind: str) -> None:
    ending = {"pickle": "tap", "xml": "tax", "source": "tas"}[kind]
    said = session.shell(f"mktap --type={kind} quotes --port {session.port}")
    assert said == f"Saving quotes application to quotes.{ending}...\nSaved.\n"
    assert session.run_and_ask(f"reactord -f quotes.{ending}") == f"{QUOTE}\n"
    # Its state has been saved at the end, and goes on from there.
    again = f"reactord --no_save -f quotes-shutdown.{ending}"
    assert session.run_and_ask(again) == f"{QUOTE}\n"


def test_a_saved_application_that_is_appended_to(session: Session) -> None:
    session.shell(f"mktap quotes --port {session.port}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        other = free.getsockname()[1]
    session.shell(f"mktap --append quotes.tap quotes --port {other} --static 'And another.'")
    first, session.port = session.port, other
    assert session.run_and_ask("reactord -o -f quotes.tap") == "And another.\n"
    session.port = first
    assert session.run_and_ask("reactord -o -f quotes.tap") == f"{QUOTE}\n"


def test_a_python_file(session: Session) -> None:
    (session.work / "quotes.tac").write_text(TAC.format(port=session.port))
    assert session.run_and_ask("reactord -y quotes.tac") == f"{QUOTE}\n"


def test_a_plugin(session: Session) -> None:
    command = f"reactord quotes --port {session.port} --file {session.folder / 'fortunes'}"
    assert session.run_and_ask(command) in ("Never put off\n", "Until tomorrow\n")


def test_help_is_there_for_the_asking(session: Session) -> None:
    for command in ("mktap", "reactord"):
        assert "Example of a TAP builder module." in session.shell(f"{command} --help")
        told = session.shell(f"{command} quotes --help")
        assert "Port number to listen on for QOTD protocol. [default: 8007]" in told


def test_whoever_reads_no_more_is_told_nothing_more(session: Session) -> None:
    for command in ("mktap --help", "reactord --help", "reactord doctor"):
        assert session.shell(f"{command} | true") == ""


def test_modules_in_the_working_directory_can_be_imported(session: Session) -> None:
    for name in ("TwistedQuotes", "reactorlib"):
        (session.folder / "stuff" / name).rename(session.work / name)
    session.shell(f"mktap quotes --port {session.port}")
    assert session.run_and_ask("reactord -o -f quotes.tap") == f"{QUOTE}\n"


MISTAKES: list[tuple[str, Callable[[str], bool]]] = [
    ("mktap nonesuch", lambda said: "nonesuch" in said),
    ("mktap quotes --nonesuch", lambda said: "nonesuch" in said),
    ("reactord -f nonesuch.tap", lambda said: "nonesuch.tap" in said),
    ("reactord nonesuch", lambda said: "nonesuch" in said),
]


@pytest.mark.parametrize(("command", "right"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_told_in_a_line(
    session: Session, command: str, right: Callable[[str], bool]
) -> None:
    said = session.shell(command, fails=True)
    assert right(said.splitlines()[-1]), said
    assert "Traceback" not in said
    assert list(session.work.iterdir()) == []
