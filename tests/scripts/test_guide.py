"""
The guide "Getting Started", from its first line to its last, in today's terms: quotes
that know of no framework, a protocol over them, a plugin, `mktap`, the daemon, `nc`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ._reactord import LIMIT, Daemon, environment

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
    "qotd.tac": """
from TwistedQuotes import quotetap
from reactorlib.application.service import Application

config = quotetap.Options()
config.parseOptions(["--port", "PORT"])
application = Application("qotd")
quotetap.makeService(config).setServiceParent(application)
""",
}

needs_nc = pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")


@pytest.fixture
def port(daemon: Daemon) -> int:
    """A port that was free just now; the files of the guide are in the folder."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    for name, text in FILES.items():
        daemon.write(name, text.replace("PORT", str(number)))
    return number


def mktap(folder: Path, *words: object, typed: str = "") -> str:
    """What `mktap` prints."""
    done = subprocess.run(
        [sys.executable, "-c", "from reactorlib.scripts.mktap import run; run()", *map(str, words)],
        cwd=folder,
        env=environment(PYTHONPATH=str(folder)),
        input=typed,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def nc(port: int) -> bytes:
    """What `nc localhost PORT` prints."""
    return subprocess.run(
        ["nc", "localhost", str(port)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT,
        check=True,
    ).stdout


@needs_nc
@pytest.mark.parametrize(
    ("making", "running"),
    [
        (["qotd"], ["-f", "qotd.tap"]),
        (["--type=xml", "qotd"], ["-f", "qotd.tax"]),
        (["--type=source", "qotd"], ["-f", "qotd.tas"]),
        ([], ["-y", "qotd.tac"]),
        ([], ["qotd"]),
    ],
    ids=["tap", "tax", "tas", "tac", "plugin"],
)
def test_the_session_of_the_guide(
    daemon: Daemon, port: int, making: list[str], running: list[str]
) -> None:
    if making:
        assert mktap(daemon.folder, *making, "--port", port) == (
            f"Saving qotd application to {running[-1]}...\nSaved.\n"
        )
    if running == ["qotd"]:
        running = ["qotd", "--port", str(port)]
    done = daemon.run(*running, PYTHONPATH=str(daemon.folder))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert nc(port) == b"An apple a day keeps the doctor away.\r\n"
    daemon.end_daemon()  # kill $(cat reactord.pid)
    assert not (daemon.folder / "reactord.pid").exists()


def test_the_help_of_the_guide(daemon: Daemon, port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from reactorlib.scripts.mktap import run; run()"],
        cwd=daemon.folder,
        env=environment(PYTHONPATH=str(daemon.folder)),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.stdout.startswith("Usage: mktap [options] <command> [command options]\n")
    for option in ("-x, --xml", "-e, --encrypted", "-u, --uid=", "-a, --append=", "-t, --type="):
        assert option in done.stdout
    assert "qotd " in done.stdout
    assert "Example of a TAP builder module." in done.stdout


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
    daemon: Daemon, port: int, name: str, content: bytes, said: str
) -> None:
    (daemon.folder / name).write_bytes(content)
    (daemon.folder / name).chmod(0o600)
    done = daemon.run("-f", name, PYTHONPATH=str(daemon.folder))
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (daemon.folder / "it").exists()
    assert not (daemon.folder / "reactord.pid").exists()


@pytest.mark.parametrize(
    ("flags", "typed", "said"),
    [
        ([], "", "reactord: qotd.etap: is encrypted: it takes a passphrase\n"),
        (["-e"], "simsim\n", "reactord: qotd.etap: the passphrase is wrong, or "),
        (["-e"], "", "no passphrase was given\n"),
        (["-e"], "sesame\n", ""),
    ],
)
def test_an_encrypted_file_takes_its_passphrase(
    daemon: Daemon, port: int, flags: list[str], typed: str, said: str
) -> None:
    mktap(daemon.folder, "--encrypted", "qotd", "--port", port, typed="sesame\n")
    done = subprocess.run(
        daemon.command(*flags, "--check", "-f", "qotd.etap"),
        cwd=daemon.folder,
        env=environment(PYTHONPATH=str(daemon.folder)),
        input=typed,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == (1 if said else 0)
    assert said in done.stderr
    assert done.stderr.count("\n") == (1 if said else 0)


def test_a_file_that_others_can_write_is_one_line_of_the_daemons(daemon: Daemon, port: int) -> None:
    mktap(daemon.folder, "qotd", "--port", port)
    (daemon.folder / "qotd.tap").chmod(0o666)
    done = daemon.run("-f", "qotd.tap", PYTHONPATH=str(daemon.folder))
    assert done.returncode == 1
    assert "qotd.tap: refused: everybody can write it" in done.stderr
    assert done.stderr.count("\n") == 1
