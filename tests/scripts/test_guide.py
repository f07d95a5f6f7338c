"""
The way of an application: a core that knows no framework, a protocol, a builder, a plugin.

Then it is saved, run as a daemon, asked with nc, and ended by its pid file; or run
from a .tac, or as the plugin's command.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ._reactord import LIMIT, Daemon, environment

FILES = {
    "quotes/__init__.py": "",
    "quotes/quoters.py": """
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
""",
    "quotes/quoteproto.py": """
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
    "quotes/quotetap.py": """
from reactorlib.application import internet
from reactorlib.python import usage
from quotes import quoteproto, quoters

class Options(usage.Options):
    optParameters = [
        ["port", "p", 8007, "Port number to listen on for QOTD protocol.", usage.portCoerce],
        ["static", "s", "An apple a day keeps the doctor away.", "A static quote to display."],
        ["file", "f", None, "A fortune-format text file to read quotes from."],
    ]

def makeService(config):
    if config["file"]:
        quoter = quoters.FortuneQuoter([config["file"]])
    else:
        quoter = quoters.StaticQuoter(config["static"])
    return internet.TCPServer(config["port"], quoteproto.QOTDFactory(quoter))
""",
    "reactorlib/plugins/quotes_plugin.py": """
from reactorlib.application.service import ServiceMaker

qotd = ServiceMaker("Quote of the Day", "quotes.quotetap", "Example of a builder.", "qotd")
""",
    "qotd.tac": """
from reactorlib.application import service
from quotes import quotetap

application = service.Application("qotd")
options = quotetap.Options()
options.parseOptions(["--port", "PORT"])
quotetap.makeService(options).setServiceParent(application)
""",
}


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def scripts(daemon: Daemon, port: int) -> Daemon:
    """The folder with the files, and the programs as they are installed."""
    for name, text in FILES.items():
        daemon.write(name, text.replace("PORT", str(port)))
    for name in ("mktap", "reactord"):
        path = daemon.write(
            f"bin/{name}",
            f"#!{sys.executable}\nfrom reactorlib.scripts.{name} import run\nrun()\n",
        )
        path.chmod(0o755)
    daemon.command = lambda *arguments: [  # type: ignore[method-assign]
        str(daemon.folder / "bin" / "reactord"),
        *map(str, arguments),
    ]
    return daemon


def mktap(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(folder / "bin" / "mktap"), *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def ask(port: int) -> str:
    if shutil.which("nc"):
        done = subprocess.run(
            ["nc", "-w", "5", "127.0.0.1", str(port)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        return done.stdout
    with socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
        return connection.makefile().read()


@pytest.mark.parametrize(
    ("made", "run"),
    [
        (["qotd"], ["-f", "qotd.tap"]),
        (["--type", "xml", "qotd"], ["-f", "qotd.tax"]),
        (["--type", "source", "qotd"], ["-s", "qotd.tas"]),
        (None, ["-y", "qotd.tac"]),
        (None, ["qotd"]),
    ],
    ids=["tap", "tax", "tas", "tac", "command"],
)
def test_the_way_of_an_application(
    scripts: Daemon, port: int, made: list[str] | None, run: list[str]
) -> None:
    if made is not None:
        mktap(scripts.folder, *made, "--port", str(port))
    elif run == ["qotd"]:
        run = ["qotd", "--port", str(port)]
    done = scripts.run(*run)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ask(port) == "An apple a day keeps the doctor away.\n"
    scripts.end_daemon()
    assert not (scripts.folder / "reactord.pid").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.tap", b"\x80\x04\x95"),
        ("bomb.tax", b'<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><x>&c;</x>'),
        ("code.tas", b"import os\nos.mkdir('hacked')\n"),
        ("empty.tap", b""),
    ],
)
def test_a_file_that_is_no_good_starts_nothing(scripts: Daemon, name: str, content: bytes) -> None:
    (scripts.folder / name).write_bytes(content)
    done = scripts.run("-f", name)
    assert done.returncode == 1
    assert done.stderr.startswith(f"reactord: {name}: ")
    assert done.stderr.count("\n") == 1
    assert not (scripts.folder / "reactord.pid").exists()
    assert not (scripts.folder / "hacked").exists()


def test_a_file_that_somebody_else_can_write_is_refused(scripts: Daemon, port: int) -> None:
    mktap(scripts.folder, "qotd", "--port", str(port))
    os.chmod(scripts.folder / "qotd.tap", 0o666)
    done = scripts.run("-f", "qotd.tap")
    assert done.returncode == 1
    assert done.stderr.startswith("reactord: qotd.tap: ")
    assert done.stderr.count("\n") == 1
