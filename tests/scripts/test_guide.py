"""
The guide "Getting Started", from its first line to its last, in today's terms: quotes
that know of no framework, a protocol over them, a plugin, `mktap`, the daemon, `nc`; with
the commands as a shell runs them.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ._reactord import LIMIT, ended, environment

QUOTE = b"An apple a day keeps the doctor away.\r\n"

FILES = {
    "TwistedQuotes/__init__.py": "",
    "TwistedQuotes/quoters.py": '''
from random import choice

from zope.interface import Interface, implementer


class IQuoter(Interface):
    """An object that returns quotes."""

    def getQuote():
        """Return a quote."""


@implementer(IQuoter)
class StaticQuoter:
    """Return a static quote."""

    def __init__(self, quote):
        self.quote = quote

    def getQuote(self):
        return self.quote


@implementer(IQuoter)
class FortuneQuoter:
    """Load quotes from a fortune-format file."""

    def __init__(self, filenames):
        self.filenames = filenames

    def getQuote(self):
        with open(choice(self.filenames)) as file:
            return choice(file.read().split("\\n%\\n"))
''',
    "TwistedQuotes/quoteproto.py": """
from reactorlib.internet.protocol import Factory, Protocol


class QOTD(Protocol):
    def connectionMade(self):
        self.transport.write(self.factory.quoter.getQuote().encode() + b"\\r\\n")
        self.transport.loseConnection()


class QOTDFactory(Factory):
    protocol = QOTD

    def __init__(self, quoter):
        self.quoter = quoter
""",
    "TwistedQuotes/quotetap.py": '''
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
    """Return a service that will be attached to the application."""
    if config["file"]:
        quoter = quoters.FortuneQuoter([config["file"]])
    else:
        quoter = quoters.StaticQuoter(config["static"])
    return internet.TCPServer(int(config["port"]), quoteproto.QOTDFactory(quoter))
''',
    "reactorlib/plugins/twisted_quotes.py": """
from reactorlib.application.service import ServiceMaker

qotd = ServiceMaker(
    "Quote of the Day TAP Builder",
    "TwistedQuotes.quotetap",
    "Example of a TAP builder module.",
    "qotd",
)
""",
    "fortunes": "Never put off\n%\nUntil tomorrow",
}

TAC = """
from TwistedQuotes import quotetap
from reactorlib.application import service

application = service.Application("qotd")
config = quotetap.Options()
config.parseOptions(["--port", "{port}"])
quotetap.makeService(config).setServiceParent(application)
"""


class Session:
    """A folder with the guide's files in it, and a shell in another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            path = folder / "stuff" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.fortunes = folder / "stuff/fortunes"
        self.work = folder / "work"
        self.work.mkdir()
        self.path = os.pathsep.join([str(self._scripts()), os.environ["PATH"]])
        self.port = self.free_port()

    def free_port(self) -> int:
        """A port that was free just now, and is not one that systems give to clients."""
        while True:
            number = random.randrange(16384, 32768)
            with contextlib.suppress(OSError), socket.create_server(("", number)):
                return number

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

    def shell(self, line: str, status: int | None = 0, typed: str = "") -> str:
        """What a line prints, on either output; it ends with the status, or None for a bad one."""
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.work,
            env=environment(PYTHONPATH=str(self.folder / "stuff"), PATH=self.path),
            input=typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode if status is None else done.returncode == status, done.stdout
        return done.stdout.decode()

    def ask(self) -> bytes:
        """What the server says, to `nc` where there is one."""
        if shutil.which("nc"):
            return self.shell(f"nc -w 10 127.0.0.1 {self.port}").encode()
        with (
            socket.create_connection(("127.0.0.1", self.port), LIMIT) as connection,
            connection.makefile("rb") as answer,
        ):
            return answer.read()

    def run_and_ask(self, command: str) -> bytes:
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
    said = session.shell(f"mktap --type={kind} qotd --port {session.port}")
    assert said == f"Saving qotd application to qotd.{ending}...\nSaved.\n"
    assert session.run_and_ask(f"reactord -f qotd.{ending}") == QUOTE
    # Its state has been saved at the end, and goes on from there.
    again = f"reactord --no_save -f qotd-shutdown.{ending}"
    assert session.run_and_ask(again) == QUOTE


def test_a_saved_application_that_is_appended_to(session: Session) -> None:
    session.shell(f"mktap qotd --port {session.port}")
    other = session.free_port()
    session.shell(f"mktap --append qotd.tap qotd --port {other} --static 'And another.'")
    first, session.port = session.port, other
    assert session.run_and_ask("reactord -o -f qotd.tap") == b"And another.\r\n"
    session.port = first
    assert session.run_and_ask("reactord -o -f qotd.tap") == QUOTE


def test_a_python_file(session: Session) -> None:
    (session.work / "qotd.tac").write_text(TAC.format(port=session.port))
    assert session.run_and_ask("reactord -y qotd.tac") == QUOTE


def test_a_plugin(session: Session) -> None:
    command = f"reactord qotd --port {session.port}"
    assert session.run_and_ask(command) == QUOTE
    command += f" --file {session.fortunes}"
    assert session.run_and_ask(command) in (b"Never put off\r\n", b"Until tomorrow\r\n")


def test_help_is_there_for_the_asking(session: Session) -> None:
    for command in ("mktap", "reactord"):
        assert "Example of a TAP builder module." in session.shell(f"{command} --help")
        told = session.shell(f"{command} qotd --help")
        assert "Port number to listen on for QOTD protocol. [default: 8007]" in told


def test_the_help_of_the_guide(session: Session) -> None:
    """With nothing on the command line."""
    told = session.shell("mktap", status=2)
    assert told.startswith("Usage: mktap [options] <command> [command options]\n")
    for option in ("-x, --xml", "-e, --encrypted", "-u, --uid=", "-a, --append=", "-t, --type="):
        assert option in told
    assert "qotd " in told
    assert "Example of a TAP builder module." in told


def test_whoever_reads_no_more_is_told_nothing_more(session: Session) -> None:
    for command in ("mktap --help", "reactord --help", "reactord doctor"):
        assert session.shell(f"{command} | true") == ""


def test_modules_in_the_working_directory_can_be_imported(session: Session) -> None:
    for name in ("TwistedQuotes", "reactorlib"):
        (session.folder / "stuff" / name).rename(session.work / name)
    session.shell(f"mktap qotd --port {session.port}")
    assert session.run_and_ask("reactord -o -f qotd.tap") == QUOTE


MISTAKES: list[tuple[str, Callable[[str], bool]]] = [
    ("mktap nonesuch", lambda said: "nonesuch" in said),
    ("mktap qotd --nonesuch", lambda said: "nonesuch" in said),
    ("reactord -f nonesuch.tap", lambda said: "nonesuch.tap" in said),
    ("reactord nonesuch", lambda said: "nonesuch" in said),
]


@pytest.mark.parametrize(("command", "right"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_told_in_a_line(
    session: Session, command: str, right: Callable[[str], bool]
) -> None:
    said = session.shell(command, status=None)
    assert right(said.splitlines()[-1]), said
    assert "Traceback" not in said
    assert list(session.work.iterdir()) == []


def refused(session: Session, command: str, typed: str = "") -> str:
    """What is said, in one line, of a file that is not run."""
    said = session.shell(command, status=1, typed=typed)
    assert said.count("\n") == 1
    assert not (session.work / "reactord.pid").exists()
    return said


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.tap", b"\x80\x04", "x.tap: is cut off"),
        (
            "x.tap",
            b"c__main__\nQOTD\n.",
            "x.tap: it needs __main__.QOTD, of a program",
        ),
        ("x.tap", b"cTwistedQuotes.gone\nQOTD\n.", "x.tap: it needs TwistedQuotes.gone.QOTD"),
        (
            "x.tax",
            b'<!DOCTYPE a [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><application>&b;</application>',
            "x.tax: line 1: declares a document type",
        ),
        (
            "x.tas",
            b"app=__import__('os').system('touch it')",
            "is code, and a .tas file",
        ),
    ],
)
def test_a_bad_file_is_one_line_of_the_daemons(
    session: Session, name: str, content: bytes, said: str
) -> None:
    (session.work / name).write_bytes(content)
    (session.work / name).chmod(0o600)
    assert said in refused(session, f"reactord -f {name}")
    assert not (session.work / "it").exists()


def test_a_file_that_others_can_write_is_one_line_of_the_daemons(session: Session) -> None:
    session.shell(f"mktap qotd --port {session.port}")
    (session.work / "qotd.tap").chmod(0o666)
    said = refused(session, "reactord -f qotd.tap")
    assert "qotd.tap: refused: everybody can write it" in said


def test_an_encrypted_file_takes_its_passphrase(session: Session) -> None:
    session.shell(f"mktap --encrypted qotd --port {session.port}", typed="sesame\n")
    for flags, typed, why in [
        ("", "", "reactord: qotd.etap: is encrypted: it takes a passphrase\n"),
        ("-e", "simsim\n", "reactord: qotd.etap: the passphrase is wrong, or "),
        ("-e", "", "no passphrase was given\n"),
    ]:
        assert why in refused(session, f"reactord {flags} --check -f qotd.etap", typed)
    said = session.shell("reactord -e --check -f qotd.etap", typed="sesame\n")
    assert said == "reactord: 'qotd' can be loaded: 1 service\n"
