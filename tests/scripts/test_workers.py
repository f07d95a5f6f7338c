"""`reactord --workers`: several processes that serve, and the one that looks after them."""

from __future__ import annotations

import collections
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ._reactord import LIMIT, SERVER, Daemon, children, ended, read_line

#: Notes each request that it reads, in a file of its process, before it answers a moment later.
SLOW = """
import os
from reactorlib.application import service, strports
from reactorlib.internet import reactor
from reactorlib.internet.protocol import Factory
from reactorlib.protocols.basic import LineReceiver

class Line(LineReceiver):
    delimiter = b"\\n"
    def lineReceived(self, line):
        with open(f"seen.{os.getpid()}", "ab", buffering=0) as file:
            file.write(line + b"\\n")
        reactor.callLater(0.02, self.answer, line)
    def answer(self, line):
        self.sendLine(line + b" %d" % os.getpid())
        self.transport.loseConnection()

class Port(service.Service):
    def privilegedStartService(self):
        with open("port", "w") as file:
            file.write(str(server.getHost().port))

application = service.Application("server")
server = strports.service("tcp:0:interface=127.0.0.1:backlog=1000", Factory.forProtocol(Line))
server.setServiceParent(application)
Port().setServiceParent(application)
"""


class Load:
    """Clients that ask, one request for each connection, until they are refused or told to stop."""

    def __init__(self, daemon: Daemon, clients: int = 8) -> None:
        self._port = daemon.port
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._answered = threading.Condition()
        #: By request, the process that has answered.
        self.answered: dict[str, int] = {}
        #: Requests that were sent and not answered.
        self.lost: set[str] = set()
        self._threads = [
            threading.Thread(target=self._ask, args=(number,)) for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            request = f"{client}-{number}"
            try:
                connection = socket.create_connection(("127.0.0.1", self._port), LIMIT)
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue
            with connection:
                connection.settimeout(LIMIT)
                answer = b""
                try:
                    connection.sendall(request.encode() + b"\n")
                    while not answer.endswith(b"\n"):
                        more = connection.recv(100)
                        if not more:
                            break
                        answer += more
                except (ConnectionResetError, BrokenPipeError):
                    pass
            with self._answered:
                words = answer.decode().split()
                if len(words) == 2 and words[0] == request:
                    self.answered[request] = int(words[1])
                else:
                    self.lost.add(request)
                self._answered.notify_all()

    def wait(self, enough: Callable[[], bool]) -> None:
        """Until that is so, which can change with each answer."""
        with self._answered:
            assert self._answered.wait_for(enough, LIMIT)

    def wait_for(self, count: int) -> None:
        """Until so many more are answered."""
        goal = len(self.answered) + count
        self.wait(lambda: len(self.answered) >= goal)

    def stop(self) -> None:
        self._stop.set()
        self.join()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()

    def served(self) -> collections.Counter[int]:
        """By process, how many it has answered."""
        return collections.Counter(self.answered.values())


def seen(folder: Path) -> dict[str, int]:
    """By request that a process has read, that process."""
    return {
        line: int(path.name.partition(".")[2])
        for path in folder.glob("seen.*")
        for line in path.read_text().splitlines()
    }


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("processes", [1, 4])
def test_a_signal_under_load_loses_no_request(daemon: Daemon, loop: str, processes: int) -> None:
    """Whatever a worker has read it answers, before it ends; and every worker takes part."""
    daemon.write("app.tac", SLOW)
    how = ["--grace", "10"] if processes == 1 else ["--workers", str(processes)]
    process = daemon.start("--reactor", loop, *how, "-y", "app.tac")
    workers = children(process.pid) if processes > 1 else [process.pid]
    assert len(workers) == processes
    load = Load(daemon)
    load.wait(lambda: len(load.served()) == processes and len(load.answered) > 200)
    assert daemon.end(process) == -signal.SIGTERM
    load.join()
    assert load.served().keys() == set(workers)
    assert seen(daemon.folder).keys() - load.answered.keys() == set()
    if sys.platform == "linux":
        # Nobody who has connected is reset, either.
        assert load.lost == set()
    assert all(not Path(f"/proc/{pid}").exists() for pid in workers)
    assert not (daemon.folder / "reactord.pid").exists()


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_only_its_own(daemon: Daemon) -> None:
    daemon.write("app.tac", SLOW)
    process = daemon.start("--workers", "4", "-y", "app.tac")
    before = children(process.pid)
    load = Load(daemon)
    load.wait(lambda: len(load.served()) == 4)
    victim = before[1]
    os.kill(victim, signal.SIGKILL)
    # Another takes its place, and serves.
    load.wait(lambda: bool(load.served().keys() - set(before)))
    load.wait_for(200)
    load.stop()
    after = children(process.pid)
    assert len(after) == 4
    assert set(before) - set(after) == {victim}
    taken = seen(daemon.folder)
    assert {taken[request] for request in load.lost if request in taken} <= {victim}
    unread = {request for request in load.lost if request not in taken}
    assert len(unread) <= 8  # in the hands of the one that was killed
    assert daemon.end(process) == -signal.SIGTERM
    assert f"(process {victim}) was killed by SIGKILL; starting another" in daemon.out


def test_each_worker_has_a_socket_of_its_own(daemon: Daemon) -> None:
    process = daemon.start("--workers", "2", "-y", "app.tac")
    assert len(children(process.pid)) == 2
    answers: set[str] = set()
    for _ in range(200):
        answers.add(daemon.ask()[1])
        if len(answers) == 2:
            break
    assert answers == set(map(str, children(process.pid)))
    listening = f"{daemon.port:04X} 00000000:0000 0A"
    table = Path(f"/proc/{process.pid}/net/tcp").read_text()
    assert len(re.findall(listening, table)) == 2
    assert daemon.end(process) == -signal.SIGTERM


def test_what_is_no_port_of_ipv4_is_spread_or_shared(daemon: Daemon) -> None:
    """IPv6 is spread as IPv4 is; a UNIX socket is one for all, and goes when they end."""
    more = "".join(
        f"strports.service({where!r}, Factory.forProtocol(Line)).setServiceParent(application)\n"
        for where in (r"tcp:0:interface=\:\:1", "unix:sock")
    )
    daemon.write("app.tac", SERVER + more)
    process = daemon.start("--workers", "2", "-y", "app.tac")
    workers = set(map(str, children(process.pid)))
    with open(f"/proc/{process.pid}/net/tcp6", encoding="ascii") as table:
        descriptors = {
            os.readlink(path) for path in Path(f"/proc/{process.pid}/fd").iterdir() if path.exists()
        }
        rows = [line.split() for line in table if " 0A " in line]
    mine = [row for row in rows if f"socket:[{row[9]}]" in descriptors]
    assert len(mine) == 2
    assert len({row[1] for row in mine}) == 1
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT)
            connection.connect(str(daemon.folder / "sock"))
            connection.sendall(b"hello\n")
            assert read_line(connection).split()[1] in workers
    assert daemon.end(process) == -signal.SIGTERM
    assert not (daemon.folder / "sock").exists()


def test_a_worker_that_stops_by_itself_takes_no_socket_with_it(daemon: Daemon) -> None:
    """A UNIX socket is the supervisor's: another worker goes on at the same file."""
    more = """
from reactorlib.internet import reactor
class Stops(LineReceiver):
    delimiter = b"\\n"
    def lineReceived(self, line):
        self.sendLine(line + b" %d" % os.getpid())
        if line == b"stop":
            reactor.stop()
strports.service("unix:sock:lockfile=1", Factory.forProtocol(Stops)).setServiceParent(application)
"""
    daemon.write("app.tac", SERVER + more)
    process = daemon.start("--workers", "1", "-y", "app.tac")

    def ask(what: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT)
            connection.connect(str(daemon.folder / "sock"))
            connection.sendall(f"{what}\n".encode())
            word, pid = read_line(connection).split()
            assert word == what
            return pid

    first = ask("stop")
    second = ask("hello")
    assert second != first
    assert list(children(process.pid)) == [int(second)]
    assert daemon.end(process) == -signal.SIGTERM
    assert not (daemon.folder / "sock").exists()
    assert not os.path.lexists(daemon.folder / "sock.lock")


def test_a_connection_that_waits_for_a_dead_worker_is_served_by_the_next(daemon: Daemon) -> None:
    """The queue is the supervisor's to keep."""
    process = daemon.start("--workers", "1", "-y", "app.tac")
    (worker,) = children(process.pid)
    os.kill(worker, signal.SIGSTOP)
    with daemon.connect() as connection:
        connection.sendall(b"hello\n")
        os.kill(worker, signal.SIGKILL)
        word, other = read_line(connection).split()
    assert (word, int(other)) == ("hello", children(process.pid)[0])
    assert int(other) != worker
    daemon.end(process)


def test_if_the_supervisor_is_killed_the_workers_end(daemon: Daemon) -> None:
    process = daemon.start("--workers", "2", "-y", "app.tac")
    descriptors = [os.pidfd_open(pid) for pid in children(process.pid)]
    daemon.ask()
    process.kill()
    process.wait()
    for descriptor in descriptors:
        assert ended(descriptor)
        os.close(descriptor)
    assert "The supervisor is gone: stopping" in daemon.out
    # And the next one begins.
    again = daemon.start("--workers", "2", "-y", "app.tac")
    daemon.ask()
    assert daemon.end(again) == -signal.SIGTERM


def test_a_worker_that_does_not_end_in_time_is_killed(daemon: Daemon) -> None:
    from reactorlib.application import _workers

    assert _workers._BEYOND_GRACE == 5.0  # what the test below makes shorter
    daemon.write(
        "app.tac",
        SERVER + "from reactorlib.application import _workers\n"
        "_workers._BEYOND_GRACE = 0.1\n"
        "from reactorlib.internet.defer import Deferred\n"
        "class Stays(service.Service):\n"
        "    def stopService(self, grace=None):\n"
        "        return Deferred()\n"
        "Stays().setServiceParent(application)\n",
    )
    process = daemon.start("--workers", "2", "--grace", "0.1", "-y", "app.tac")
    assert daemon.end(process) == -signal.SIGTERM
    assert "has not ended in time: killing it" in daemon.out


def test_if_a_worker_cannot_start_nothing_does(daemon: Daemon) -> None:
    daemon.write(
        "app.tac",
        SERVER + "class Fails(service.Service):\n"
        "    async def startService(self):\n"
        "        raise RuntimeError('no luck')\n"
        "Fails().setServiceParent(application)\n",
    )
    for how in ([], ["-n"]):
        done = daemon.run(*how, "--workers", "2", "-y", "app.tac")
        assert done.returncode == 1
        assert re.fullmatch(r"reactord: app\.tac:\d+: RuntimeError: no luck\n", done.stderr)
        assert not (daemon.folder / "reactord.pid").exists()
        with pytest.raises(ConnectionRefusedError):
            daemon.connect()


#: Dies while it starts, if there is a file `die`.
DIES = (
    SERVER
    + """
class Dies(service.Service):
    def startService(self):
        super().startService()
        if os.path.exists("die"):
            os._exit(7)
Dies().setServiceParent(application)
"""
)

#: A supervisor that is slow to fork: a worker that dies is dead before it is waited for.
SLOW_TO_FORK = """
fork = os.fork
def slow_fork():
    pid = fork()
    if pid and os.path.exists("die"):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid
os.fork = slow_fork
"""


@pytest.mark.parametrize("more", ["", SLOW_TO_FORK], ids=["as it comes", "all at once"])
def test_workers_that_die_soon_are_started_with_pauses(daemon: Daemon, more: str) -> None:
    """Whether it is heard first that it said nothing, or that it has ended, or both together."""
    daemon.write("app.tac", DIES + more)
    process = daemon.start("--workers", "1", "-y", "app.tac")
    daemon.write("die", "")
    os.kill(children(process.pid)[0], signal.SIGKILL)
    out = ""
    while "in 0.50 s" not in out:  # within the time that the whole test may take
        assert process.poll() is None
        out = daemon.out
    assert re.findall(r"starting another in (\S+) s", out) == ["0.00", "0.25", "0.50"]
    assert "has exited with 7" in out
    (daemon.folder / "die").unlink()
    daemon.ask()
    assert daemon.end(process) == -signal.SIGTERM


@pytest.mark.parametrize("more", ["", SLOW_TO_FORK], ids=["as it comes", "all at once"])
def test_if_workers_die_while_they_start_nothing_does(daemon: Daemon, more: str) -> None:
    daemon.write("app.tac", DIES + more)
    daemon.write("die", "")
    done = daemon.run("-n", "--workers", "3", "-y", "app.tac")
    assert done.returncode == 1
    assert done.stderr == "reactord: it ended while it started\n"
    with pytest.raises(ConnectionRefusedError):
        daemon.connect()


def test_a_worker_that_has_forked_before_it_dies_is_not_waited_for(daemon: Daemon) -> None:
    """What it forked has its pipe to the supervisor, and keeps that open."""
    daemon.write(
        "app.tac",
        DIES.replace(
            "            os._exit(7)\n",
            "            reading, writing = os.pipe()\n"
            "            if os.fork() == 0:\n"
            "                fifo = open('fifo')\n"
            "                os.write(writing, b'x')\n"
            "                fifo.read()\n"
            "                os._exit(0)\n"
            "            os.read(reading, 1)\n"
            "            os._exit(7)\n",
        ),
    )
    os.mkfifo(daemon.folder / "fifo")
    daemon.write("die", "")
    # What is forked reads from it, and so stays until this is closed.
    fifo = os.open(daemon.folder / "fifo", os.O_RDWR)
    try:
        done = daemon.run("-n", "--workers", "1", "-y", "app.tac")
    finally:
        os.close(fifo)
    assert done.returncode == 1
    assert done.stderr == "reactord: it ended while it started\n"


@pytest.mark.parametrize(
    ("number", "name"),
    [(signal.SIGKILL, "SIGKILL"), (signal.SIGRTMIN + 3, f"signal {signal.SIGRTMIN + 3}")],
)
def test_how_a_worker_was_killed(daemon: Daemon, number: int, name: str) -> None:
    """Most of the real-time signals have no name, and end a process all the same."""
    process = daemon.start("--workers", "1", "-y", "app.tac")
    (worker,) = children(process.pid)
    os.kill(worker, number)
    while "starting another" not in daemon.out:  # within the time that the whole test may take
        assert process.poll() is None
    assert f"(process {worker}) was killed by {name}; starting another" in daemon.out
    daemon.ask()
    assert daemon.end(process) == -signal.SIGTERM


def text_of(path: Path) -> str:
    """What is in a file; nothing where it has just been put aside."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1])
def test_workers_write_to_the_new_log_file(daemon: Daemon, number: int) -> None:
    """Moved by another program, or put aside by the supervisor."""
    daemon.write("app.tac", SERVER.replace("self.sendLine", "print('line'); self.sendLine"))
    process = daemon.start("--workers", "2", "-l", "log", "-y", "app.tac")
    if number == signal.SIGHUP:
        os.rename(daemon.folder / "log", daemon.folder / "log.1")
    process.send_signal(number)
    if number == signal.SIGHUP:
        assert daemon.manager.told()["RELOADING"] == "1"
        assert daemon.manager.told()["STATUS"] == "2 workers"
    # Workers say nothing of it but in the log: within the time that a test may take.
    log = daemon.folder / "log"
    while text_of(log).count("Received SIGHUP: reloading") < 2:
        os.sched_yield()
    daemon.ask()
    assert daemon.end(process) == -signal.SIGTERM
    assert "line" in log.read_text()
    assert "starting up" in daemon.text("log.1")


def test_an_interrupt_at_the_terminal_drains_the_workers(daemon: Daemon) -> None:
    """It goes to all of them, and so may the supervisor's word of it a moment later."""
    process = daemon.start("--workers", "2", "--grace", "20", "-y", "app.tac")
    with daemon.connect() as connection:
        connection.sendall(b"before\n")
        read_line(connection)
        for pid in [*children(process.pid), process.pid]:
            os.kill(pid, signal.SIGINT)
        daemon.manager.wait("STOPPING")
        connection.sendall(b"after\n")
        assert read_line(connection).startswith("after ")
    assert process.wait(LIMIT) == -signal.SIGINT


def test_workers_in_the_background(daemon: Daemon) -> None:
    done = daemon.run("--workers", "2", "-y", "app.tac")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(daemon.ask()[1]) in children(daemon.pid)
    daemon.end_daemon()
    assert daemon.text("reactord.log").endswith("Server Shut Down.\n")
    assert not (daemon.folder / "reactord.pid").exists()
