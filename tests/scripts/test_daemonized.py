"""`reactord` in the background, as another user, in another root."""

from __future__ import annotations

import os
import pwd
import random
import re
import shutil
import signal
import socket
import stat
from pathlib import Path

import pytest

from ._reactord import SERVER, Daemon, read_line

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")

#: Answers with who and where it is.
WHO = """
import os
from reactorlib.application import service, strports
from reactorlib.internet.protocol import Factory, Protocol

class Who(Protocol):
    def connectionMade(self):
        it = [os.getresuid(), os.getresgid(), os.getgroups(), os.getcwd(), os.path.exists("/usr")]
        self.transport.write(repr(it).encode() + b"\\n")
        self.transport.loseConnection()

application = service.Application("who")
server = strports.service("tcp:PORT:interface=127.0.0.1", Factory.forProtocol(Who))
server.setServiceParent(application)
"""


def test_it_goes_into_the_background(daemon: Daemon) -> None:
    daemon.write(
        "app.tac",
        SERVER + "service.IProcess(application).processName = 'liner'\nprint('loaded')\n",
    )
    done = daemon.run("-y", "app.tac")
    assert (done.returncode, done.stdout, done.stderr) == (0, "loaded\n", "")
    word, number = daemon.ask()
    assert (word, int(number)) == ("hello", daemon.pid)
    # A session of its own, with no terminal, and another parent.
    status = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    parent, session, terminal = int(status[1]), int(status[3]), int(status[4])
    assert session not in (os.getsid(0), int(number))
    assert terminal == 0
    assert parent != os.getpid()
    for descriptor in range(3):
        assert os.readlink(f"/proc/{number}/fd/{descriptor}") == "/dev/null"
    assert stat.S_IMODE((daemon.folder / "port").stat().st_mode) == 0o600
    assert "starting up" in daemon.text("reactord.log")
    assert Path(f"/proc/{number}/comm").read_text() == "liner\n"
    daemon.end_daemon()
    assert not (daemon.folder / "reactord.pid").exists()
    assert daemon.text("reactord.log").endswith("Server Shut Down.\n")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('no luck')", "reactord: app.tac:5: RuntimeError: no luck\n"),
        ("raise RuntimeError('\u2022' * 3000)", "reactord: app.tac:5: RuntimeError: \u2022\u2022"),
        ("import os; os._exit(3)", "reactord: the daemon ended while it started\n"),
        ("import sys; sys.exit('enough')", "reactord: enough\n"),
    ],
)
def test_the_command_tells_that_the_start_has_failed(daemon: Daemon, body: str, said: str) -> None:
    daemon.write(
        "app.tac",
        "from reactorlib.application import service\n"
        "class Fails(service.Service):\n"
        "    def startService(self):\n"
        f"        super().startService()\n        {body}\n"
        "application = service.Application('fails')\n"
        "Fails().setServiceParent(application)\n",
    )
    done = daemon.run("-y", "app.tac")
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    if "_exit" in body:
        return  # which leaves everything as it is
    assert not (daemon.folder / "reactord.pid").exists()
    if "RuntimeError" in body:
        log = daemon.text("reactord.log")
        assert "The application has not started" in log
        assert "Traceback" in log


def test_a_port_in_use_is_told_by_the_command(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon.write("app.tac", SERVER.replace("tcp:0", f"tcp:{port}"))
        done = daemon.run("-y", "app.tac")
    said = f"Couldn't listen on 127.0.0.1:{port}: [Errno 98] Address already in use."
    assert (done.returncode, done.stderr) == (1, f"reactord: {said}\n")
    assert not (daemon.folder / "reactord.pid").exists()
    assert said in daemon.text("reactord.log")
    assert "Traceback" not in daemon.text("reactord.log")


def free_low_port() -> int:
    """A port that takes privileges to be bound."""
    # At random, as other tests look for one at the same time.
    for port in random.sample(range(600, 1024), 424):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("all ports are taken")


def who(daemon: Daemon, port: int) -> list[object]:
    with daemon.connect(port) as connection:
        found: list[object] = eval(read_line(connection))
        return found


@as_root
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["one", "workers"])
def test_it_becomes_another_user_once_it_listens(daemon: Daemon, workers: list[str]) -> None:
    nobody = pwd.getpwnam("nobody")
    port = free_low_port()
    daemon.write("app.tac", WHO.replace("PORT", str(port)))
    process = daemon.start("-n", "-u", "nobody", *workers, "-y", "app.tac")
    uid, gid = nobody.pw_uid, nobody.pw_gid
    assert who(daemon, port)[:3] == [(uid,) * 3, (gid,) * 3, [gid]]
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert re.search(rf"^Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}$", status, re.M)
    assert daemon.end(process) == -signal.SIGTERM
    # The folder is root's: the file cannot be removed, and does not lie.
    assert (daemon.folder / "reactord.pid").read_bytes() == b""
    again = daemon.start("-n", "-y", "app.tac")
    assert daemon.end(again) == -signal.SIGTERM


@as_root
def test_it_becomes_another_user_in_effect_only(daemon: Daemon) -> None:
    nobody = pwd.getpwnam("nobody")
    port = free_low_port()
    daemon.write("app.tac", WHO.replace("PORT", str(port)))
    process = daemon.start("-n", "--euid", "-u", "nobody", "-y", "app.tac")
    uids, gids = who(daemon, port)[:2]
    assert (uids, gids) == ((0, nobody.pw_uid, 0), (0, nobody.pw_gid, 0))
    daemon.end(process)


@as_root
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_runs_in_another_root_as_another_user(daemon: Daemon, loop: str) -> None:
    """In the background, from an empty folder: without /dev/null or a database of users."""
    nobody = pwd.getpwnam("nobody")
    jail = daemon.folder / "jail"
    jail.mkdir()
    port = free_low_port()
    daemon.write("app.tac", WHO.replace("PORT", str(port)))
    done = daemon.run(
        *("--reactor", loop, "--chroot", "jail", "-u", "nobody", "-l", "who.log", "-y", "app.tac")
    )
    assert (done.returncode, done.stderr) == (0, "")
    uid, gid = nobody.pw_uid, nobody.pw_gid
    assert who(daemon, port) == [(uid,) * 3, (gid,) * 3, [gid], "/", False]
    daemon.write("reactord.pid", (jail / "reactord.pid").read_text())
    daemon.end_daemon()
    assert (jail / "reactord.pid").read_bytes() == b""
    assert daemon.text("who.log").endswith("Server Shut Down.\n")


@as_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
@pytest.mark.parametrize("arguments", [["--uid", "1"], ["--chroot", "."]])
def test_what_cannot_be_done_for_want_of_rights_is_told(
    daemon: Daemon, arguments: list[str]
) -> None:
    """By a root that may do nothing of the kind, as in some containers."""
    plain = daemon.command
    daemon.command = lambda *arguments: [  # type: ignore[method-assign]
        *("setpriv", "--bounding-set=-setuid,-setgid,-sys_chroot"),
        *plain(*arguments),
    ]
    done = daemon.run("-n", *arguments, "-y", "app.tac")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Operation not permitted" in done.stderr
    assert not (daemon.folder / "reactord.pid").exists()


@as_root
def test_a_user_without_a_group_is_refused(daemon: Daemon) -> None:
    done = daemon.run("-n", "--uid", "54321", "-y", "app.tac")
    assert done.returncode == 1
    assert "there is no user 54321 to take the group of: say --gid" in done.stderr
