"""`reactord` under a service manager: what it says, and what it does when it is told to reload."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from ._reactord import LIMIT, SERVER, Daemon, children, environment, read_line, read_until


def test_it_tells_of_its_start_and_its_end(daemon: Daemon) -> None:
    """It stays in the foreground, without being told to."""
    process = daemon.start("-y", "app.tac", wait=False)
    assert daemon.manager.told() == {"READY": "1", "MAINPID": str(process.pid), "STATUS": ""}
    daemon.ask()
    process.terminate()
    assert daemon.manager.told() == {"STOPPING": "1"}
    assert process.wait(LIMIT) == -signal.SIGTERM


def test_it_does_not_say_that_it_is_ready_when_it_is_not(daemon: Daemon) -> None:
    daemon.write("app.tac", SERVER.replace("tcp:0", "tcp:0:interface=192.0.2.1", 1))
    process = daemon.start("-y", "app.tac", wait=False)
    assert process.wait(LIMIT) == 1
    daemon.manager._socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        daemon.manager.told()


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["one", "workers"])
def test_it_says_that_it_lives(daemon: Daemon, workers: list[str]) -> None:
    process = daemon.start(*workers, "-y", "app.tac", wait=False, WATCHDOG_USEC="200000")
    for _ in range(3):
        daemon.manager.wait("WATCHDOG")
    daemon.end(process)


def test_what_it_starts_does_not_speak_for_it(daemon: Daemon) -> None:
    daemon.write(
        "app.tac", SERVER + "print({'NOTIFY_SOCKET', 'WATCHDOG_USEC'} & os.environ.keys())\n"
    )
    daemon.write(
        "late.tac",
        SERVER + "class Looks(service.Service):\n"
        "    def startService(self):\n"
        "        print('there:', {'NOTIFY_SOCKET', 'WATCHDOG_USEC'} & os.environ.keys())\n"
        "Looks().setServiceParent(application)\n",
    )
    process = daemon.start("-y", "late.tac", WATCHDOG_USEC="60000000")
    daemon.end(process)
    assert "there: set()" in daemon.out


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="needs systemd's tools")
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["one", "workers"])
def test_it_takes_sockets_of_a_service_manager(daemon: Daemon, workers: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    daemon.write(
        "app.tac", SERVER.replace("tcp:0:interface=127.0.0.1", "systemd:domain=INET:index=0")
    )
    plain = daemon.command
    daemon.command = lambda *arguments: [  # type: ignore[method-assign]
        "systemd-socket-activate",
        f"--listen=127.0.0.1:{port}",
        *(f"--setenv={name}" for name in ("PYTHONPATH", "NOTIFY_SOCKET")),
        *plain(*arguments),
    ]
    process = daemon.start(*workers, "-y", "app.tac", wait=False)
    # It is started by the first connection, when the port is bound.
    connection = None
    while connection is None:
        try:
            connection = daemon.connect(port)
        except ConnectionRefusedError:
            assert process.poll() is None, daemon.out
    with connection:
        connection.sendall(b"hello\n")
        assert read_line(connection).split()[0] == "hello"
    daemon.manager.wait("READY")
    assert daemon.port == port
    assert daemon.end(process) == -signal.SIGTERM


def test_a_reload_opens_the_log_again(daemon: Daemon) -> None:
    daemon.write(
        "app.tac",
        SERVER + "def reload():\n"
        "    print('reload of my own')\n"
        "from reactorlib.internet import reactor\n"
        "reactor.addSystemEventTrigger('during', 'reload', reload)\n",
    )
    process = daemon.start("-l", "log", "-y", "app.tac")
    os.rename(daemon.folder / "log", daemon.folder / "log.old")
    process.send_signal(signal.SIGHUP)
    reloading = daemon.manager.told()
    assert reloading["RELOADING"] == "1"
    assert int(reloading["MONOTONIC_USEC"]) > 0
    assert daemon.manager.told()["READY"] == "1"
    daemon.end(process)
    assert "starting up" in daemon.text("log.old")
    assert "Received SIGHUP: reloading" in daemon.text("log")
    assert "reload of my own" in daemon.text("log")


WRITER = SERVER.replace(
    'self.sendLine(line + b" %d" % os.getpid())',
    'print("line", line.decode()); self.sendLine(line)',
)


@pytest.mark.parametrize("how", ["moved", "rotated"])
def test_no_line_of_the_log_is_lost(daemon: Daemon, how: str) -> None:
    """While it is written to, the log is moved away or rotated again and again."""
    daemon.write("app.tac", WRITER)
    process = daemon.start("-l", "log", "-y", "app.tac")
    count = 3000
    with daemon.connect() as connection:
        answers = []
        thread = threading.Thread(target=lambda: answers.extend(read_lines(connection, count)))
        thread.start()
        for number in range(count):
            connection.sendall(b"%d\n" % number)
            if number % 300 == 299:
                if how == "moved":
                    os.rename(daemon.folder / "log", daemon.folder / f"log.old{number}")
                    process.send_signal(signal.SIGHUP)
                    daemon.manager.wait("READY")
                else:
                    process.send_signal(signal.SIGUSR1)
        thread.join(LIMIT)
    daemon.end(process)
    assert len(answers) == count
    text = "".join(path.read_text() for path in daemon.folder.glob("log*"))
    found = [int(line.rpartition(" ")[2]) for line in text.splitlines() if "] line " in line]
    assert sorted(found) == list(range(count))
    assert len(list(daemon.folder.glob("log*"))) > 2


def read_lines(connection: socket.socket, count: int) -> list[bytes]:
    data = b""
    while data.count(b"\n") < count:
        data += connection.recv(65536)
    return data.splitlines()


def certify(folder: Path, name: str) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", "key.new", "-out", "cert.new"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    # The pair does not match for a moment, as when certbot renews it.
    os.replace(folder / "key.new", folder / "key.pem")
    os.replace(folder / "cert.new", folder / "cert.pem")


def secure(daemon: Daemon) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(daemon.connect())


def name_of(connection: ssl.SSLSocket) -> str:
    certificate = connection.getpeercert(binary_form=True)
    assert certificate is not None
    done = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-noout", "-subject"],
        input=certificate,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().rpartition("CN")[2].strip(" =\n")


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["one", "workers"])
def test_a_reload_of_certificates_drops_no_connection(daemon: Daemon, workers: list[str]) -> None:
    certify(daemon.folder, "before")
    daemon.write(
        "app.tac",
        SERVER.replace("tcp:0", "tls:0:privateKey=key.pem:certificate=cert.pem")
        # So that it is the signal, and not the time, that has the files looked at.
        + "from reactorlib.internet._tls import _reload\n"
        "for options in _reload._known: options._next = options._interval = 1e9\n",
    )
    process = daemon.start(*workers, "-y", "app.tac")
    with secure(daemon) as old:
        assert name_of(old) == "before"
        certify(daemon.folder, "after")
        with secure(daemon) as between:
            assert name_of(between) == "before"
        process.send_signal(signal.SIGHUP)
        if not workers:
            daemon.manager.wait("READY")
        # Workers say nothing; within the time that anything may take, all have reloaded.
        names: list[str] = []
        while names[-6:] != ["after"] * 6:
            with secure(daemon) as new:
                names.append(name_of(new))
            assert len(names) < 500
        old.sendall(b"still there\n")
        assert read_until(old, b"\n").startswith(b"still there ")
    assert daemon.end(process) == -signal.SIGTERM


def test_a_terminal_that_goes_away_ends_what_runs_in_its_foreground(daemon: Daemon) -> None:
    leader, follower = os.openpty()
    with subprocess.Popen(
        daemon.command("-n", "-y", "app.tac"),
        cwd=daemon.folder,
        env=environment(),
        stdin=follower,
        stdout=subprocess.PIPE,
        text=True,
        # What runs the tests may be told to survive its terminal.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    ) as process:
        try:
            os.close(follower)
            assert process.stdout is not None
            assert any("Factory starting" in line for line in process.stdout)
            process.send_signal(signal.SIGHUP)
            assert process.wait(LIMIT) == -signal.SIGHUP
        finally:
            process.kill()
    os.close(leader)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root, unshare")
def test_the_first_process_of_a_container_stays_in_the_foreground(daemon: Daemon) -> None:
    """To it, a signal does nothing that it has no handler for: it exits with 0."""
    plain = daemon.command
    daemon.command = lambda *arguments: [  # type: ignore[method-assign]
        *("unshare", "--fork", "--pid", "--kill-child", "--", *plain(*arguments))
    ]
    for _ in range(2):  # and again, with the pid file of one that was killed
        process = daemon.start("-l", "-", "-y", "app.tac")
        assert daemon.text("reactord.pid") == "1"
        assert daemon.ask() == ["hello", "1"]
        (inside,) = children(process.pid)
        daemon.write("reactord.pid", "1")
        os.kill(inside, signal.SIGTERM)
        assert process.wait(LIMIT) == 0
        assert "Received SIGTERM: shutting down" in daemon.out
        assert not (daemon.folder / "reactord.pid").exists()
        daemon.write("reactord.pid", "1")
