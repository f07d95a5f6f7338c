"""Our own subcommands of `reactord`: each through the real program, with a real peer."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from ._reactord import LIMIT, Daemon, environment, read_line, read_until

ANY = "tcp:0:interface=127.0.0.1"


def serve(daemon: Daemon, *arguments: object) -> tuple[subprocess.Popen[bytes], int]:
    """Start a subcommand in the foreground: the process, and its port."""
    process = daemon.start("-n", *arguments)
    return process, port_in(daemon.out)


def port_in(log: str) -> int:
    found = re.search(r"starting on (\d+)", log)
    assert found is not None, log
    return int(found[1])


def ends_well(daemon: Daemon, process: subprocess.Popen[bytes]) -> None:
    assert daemon.end(process) == -signal.SIGTERM, daemon.out
    assert "Traceback" not in daemon.out


def program(name: str, *arguments: str) -> bytes:
    """What a program writes to its output; it is given no input."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run(
        [found, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_qotd(daemon: Daemon) -> None:
    daemon.write("fortunes", "one\n%\n")
    process, port = serve(daemon, "qotd", "--port", ANY, "--file", "fortunes")
    assert program("nc", "127.0.0.1", str(port)) == b"one\r\n"
    ends_well(daemon, process)


def test_the_guides_session(daemon: Daemon) -> None:
    """`mktap qotd`, `reactord -f qotd.tap`, `nc`, `kill`."""
    script = "from reactorlib.scripts.mktap import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", script, "qotd", "--port", ANY],
        cwd=daemon.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr
    assert daemon.run("-f", "qotd.tap").returncode == 0
    port = port_in(daemon.text("reactord.log"))
    said = program("nc", "127.0.0.1", str(port))
    assert said == b"An apple a day keeps the doctor away.\r\n"
    daemon.end_daemon()
    assert not (daemon.folder / "reactord.pid").exists()


def test_portforward(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT)
        there = server.getsockname()[1]
        process, port = serve(daemon, "portforward", "-p", ANY, "-h", "127.0.0.1", "-d", there)
        with daemon.connect(port) as near:
            near.sendall(b"question\n")
            near.shutdown(socket.SHUT_WR)
            far, _ = server.accept()
            with far:
                assert read_until(far, b"\n") == b"question\n"
                assert far.recv(1) == b""
                far.sendall(b"answer\n")
            assert read_line(near) == "answer\n"
            assert near.recv(1) == b""
    ends_well(daemon, process)


def test_socks(daemon: Daemon) -> None:
    daemon.write("users", "alice:secret\n")
    process, port = serve(daemon, "socks", "-p", "0", "--auth", "file:users")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT)
        with daemon.connect(port) as near:
            near.sendall(b"\x05\x01\x02" + b"\x01\x05alice\x06secret")
            assert near.recv(2, socket.MSG_WAITALL) == b"\x05\x02"
            assert near.recv(2, socket.MSG_WAITALL) == b"\x01\x00"
            near.sendall(b"\x05\x01\0\x01\x7f\0\0\x01" + server.getsockname()[1].to_bytes(2))
            assert near.recv(10, socket.MSG_WAITALL)[:2] == b"\x05\x00"
            far, _ = server.accept()
            with far:
                far.sendall(b"through\n")
                assert read_line(near) == "through\n"
    ends_well(daemon, process)


def test_ftp(daemon: Daemon) -> None:
    daemon.write("public/hello.txt", "hello\n")
    process, port = serve(daemon, "ftp", "-p", ANY, "-r", "public")
    assert program("curl", "-s", f"ftp://127.0.0.1:{port}/hello.txt") == b"hello\n"
    ends_well(daemon, process)


def test_inetd(daemon: Daemon) -> None:
    daemon.write("inetd.conf", f"127.0.0.1:0 stream tcp nowait {os.getuid()} /bin/cat -\n")
    process, port = serve(daemon, "inetd", "-f", "inetd.conf")
    with daemon.connect(port) as connection:
        connection.sendall(b"hello\n")
        assert read_line(connection) == "hello\n"
    ends_well(daemon, process)


def test_procmon(daemon: Daemon) -> None:
    fifo = daemon.folder / "pids"
    os.mkfifo(fifo)
    script = "echo started; echo $$ > pids; exec sleep 60"
    process = daemon.start("-n", "procmon", "-t", "0", "sh", "-c", script)
    first = int(fifo.read_text())
    os.kill(first, signal.SIGKILL)
    second = int(fifo.read_text())
    assert first != second
    ends_well(daemon, process)
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)
    assert "] started" in daemon.out
    assert "has failed" in daemon.out


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["qotd", "--port", "99999"], "cannot listen at '99999'"),
        (["ftp", "-r", "none"], "--root none is no directory"),
        (["inetd", "-f", "app.tac"], "app.tac:2: it has 2 fields"),
    ],
)
def test_a_mistake_is_one_line(daemon: Daemon, argv: list[str], why: str) -> None:
    done = daemon.run("-n", *argv)
    assert done.returncode != 0
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_one_line(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon.write("inetd.conf", f"127.0.0.1:{port} stream tcp nowait {os.getuid()} /bin/cat\n")
        for argv in (
            ["qotd", "-p", f"tcp:{port}:interface=127.0.0.1"],
            ["inetd", "-f", "inetd.conf"],
        ):
            done = daemon.run("-n", *argv)
            assert done.returncode == 1
            assert "in use" in done.stderr
            assert "Traceback" not in done.stderr


def test_folders_of_ours_are_found() -> None:
    """They are plugins like any other; listing them imports none of what they bring."""
    script = (
        "import sys\n"
        "from reactorlib.application.service import IServiceMaker\n"
        "from reactorlib.plugin import getPlugins\n"
        "names = {plugin.tapname for plugin in getPlugins(IServiceMaker)}\n"
        "print(*sorted(names))\n"
        "print(*[name for name in sys.modules if name.startswith('reactorlib.tap.')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True
    )
    names, imported = done.stdout.splitlines()
    ours = {"ftp", "inetd", "portforward", "procmon", "qotd", "socks"}
    assert ours <= set(names.split())
    assert imported == ""


def at_the_prompt(daemon: Daemon, port: int, name: str, password: str) -> None:
    with daemon.connect(port) as peer:
        peer.sendall(f"{name}\r\n{password}\r\nprint(6 * 7, await x)\r\n".encode())
        peer.sendall(b"import os, asyncio\r\nprint(os.getpid(), await asyncio.sleep(0, 'up'))\r\n")
        shown = read_until(peer, b" up\r\n>>> ")
        assert b"NameError: name 'x' is not defined" in shown
        peer.sendall(b"exit()\r\n")
        while peer.recv(4096):
            pass


def test_telnet(daemon: Daemon) -> None:
    """With a name and a password from the command line, which has no password by itself."""
    process, port = serve(daemon, "telnet", "--plain", "-p", ANY, "-u", "alice", "-w", "secret")
    at_the_prompt(daemon, port, "alice", "secret")
    ends_well(daemon, process)


def test_manhole(daemon: Daemon) -> None:
    daemon.write("users", "alice:secret\n")
    process, port = serve(daemon, "manhole", "--plain", "-t", ANY, "--auth", "file:users")
    at_the_prompt(daemon, port, "alice", "secret")
    ends_well(daemon, process)
