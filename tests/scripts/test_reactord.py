"""`reactord` in the foreground: what it runs, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from reactorlib.scripts import reactord

from ._reactord import SERVER, Daemon, environment

TAP = """
from reactorlib.application import service
from reactorlib.python import usage

class Options(usage.Options):
    optParameters = [["motto", "m", "nil desperandum", "What to say."]]

class Says(service.Service):
    def __init__(self, motto):
        self.motto = motto
    def startService(self):
        super().startService()
        print("motto:", self.motto)

def makeService(options):
    if options["motto"] == "bad":
        raise ValueError("a bad motto")
    return Says(options["motto"])
"""


def test_it_serves_until_a_signal_and_leaves_nothing(daemon: Daemon) -> None:
    process = daemon.start("-n", "-y", "app.tac")
    assert daemon.ask("hello") == ["hello", str(process.pid)]
    assert daemon.pid == process.pid
    assert daemon.end(process) == -signal.SIGTERM
    assert not (daemon.folder / "reactord.pid").exists()
    assert "Received SIGTERM: shutting down" in daemon.out
    with pytest.raises(ConnectionRefusedError):
        daemon.connect()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_loop_is_the_one_asked_for(daemon: Daemon, loop: str) -> None:
    daemon.write(
        "app.tac",
        SERVER + "import asyncio\nclass Loop(service.Service):\n"
        "    async def startService(self):\n"
        "        await asyncio.sleep(0)\n"
        "        print('loop:', type(asyncio.get_running_loop()).__module__)\n"
        "Loop().setServiceParent(application)\n",
    )
    process = daemon.start("-n", "--reactor", loop, "-y", "app.tac")
    daemon.ask()
    assert daemon.end(process, signal.SIGINT) == -signal.SIGINT
    assert re.search(rf"loop: {loop}", daemon.out)


@pytest.mark.parametrize("where", [".", "run"])
def test_a_second_is_refused_while_the_first_lives(daemon: Daemon, where: str) -> None:
    """The pid file is in the directory that they run in."""
    (daemon.folder / "run").mkdir()
    pidfile = os.path.normpath(f"{where}/reactord.pid")
    process = daemon.start("-n", "--rundir", where, "-y", "app.tac")
    second = daemon.run("-n", "--rundir", where, "-y", "app.tac")
    assert second.returncode == 1
    assert second.stderr == (
        f"Another reactord server is running, PID {process.pid}, as {pidfile} says; "
        "give a second one a pid file of its own by --pidfile\n"
    )
    assert int(daemon.text(f"{where}/reactord.pid")) == process.pid
    # One that was killed leaves it, and does not stand in the way.
    process.kill()
    process.wait()
    again = daemon.start("-n", "--rundir", where, "-y", "app.tac")
    assert int(daemon.text(f"{where}/reactord.pid")) == again.pid
    daemon.end(again)


def test_of_two_that_start_at_once_one_is_refused(daemon: Daemon) -> None:
    """After the look at the pid file: it is made anew, or not at all."""
    daemon.write("app.tac", SERVER + "open('reactord.pid', 'w').write('1')\n")
    done = daemon.run("-n", "-y", "app.tac")
    assert (done.returncode, done.stderr) == (1, "reactord: reactord.pid: File exists\n")
    assert daemon.text("reactord.pid") == "1"


@pytest.mark.parametrize("stale", ["ended", "", "own"])
def test_a_stale_pid_file_is_replaced(daemon: Daemon, stale: str) -> None:
    if stale == "ended":
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        stale = str(ended.pid)
    elif stale == "own":
        # As in a container, where a program has the same number each time.
        program = (
            "import os, sys\n"
            "open('reactord.pid', 'w').write(str(os.getpid()))\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'reactorlib', '-n', '-y', 'app.tac'])"
        )
        daemon.command = lambda *_: [sys.executable, "-c", program]  # type: ignore[method-assign]
    daemon.write("reactord.pid", stale)
    process = daemon.start("-n", "-y", "app.tac")
    assert daemon.pid == process.pid
    assert daemon.end(process) == -signal.SIGTERM


FILES = {
    "runs.tac": "application = 1\n\ndef f():\n    return nonesuch\n\nf()\n",
    "syntax.tac": "x = 1\ndef f(:\n",
    "deep.tac": "import json\njson.loads('{')\n",
    "nothing.tac": "x = 1\n",
    "other.tac": "application = 3\n",
    "startup.tac": (
        "from reactorlib.application import service\n"
        "class Fails(service.Service):\n"
        "    def startService(self):\n"
        "        raise RuntimeError('no luck')\n"
        "application = service.Application('fails')\n"
        "Fails().setServiceParent(application)\n"
    ),
    "coroutine.tac": (
        "import asyncio\n"
        "from reactorlib.application import service\n"
        "class Fails(service.Service):\n"
        "    async def startService(self):\n"
        "        await asyncio.sleep(0)\n"
        "        raise RuntimeError('no luck')\n"
        "application = service.Application('fails')\n"
        "Fails().setServiceParent(application)\n"
    ),
}


def run_here(arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """The status and standard error of a command line that starts nothing."""
    sys.argv = ["reactord", *arguments.split()]
    with pytest.raises(SystemExit) as caught:
        reactord.run()
    return caught.value.code, capsys.readouterr().err


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that is wrong."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "app.tac").write_text(SERVER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "log_of_tests.py").write_text("def bad():\n    raise RuntimeError('no log')\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-n -y runs.tac", "reactord: runs.tac:4: NameError: name 'nonesuch' is not defined"),
        ("-n -y syntax.tac", "reactord: syntax.tac:2: SyntaxError: invalid syntax"),
        ("-n -y deep.tac", "reactord: deep.tac:2: JSONDecodeError: Expecting property name"),
        ("-n -y nothing.tac", "reactord: nothing.tac: does not define 'application'"),
        ("-n -y other.tac", "reactord: 'application' is int, not made by Application()"),
        ("-n -y absent.tac", "reactord: absent.tac: No such file or directory"),
        ("-n -f absent.tap", "reactord: absent.tap: No such file or directory"),
        ("--nonesuch", "reactord: option --nonesuch not recognized (reactord --help shows"),
        ("nonesuch", "reactord: Unknown command: nonesuch (reactord --help shows"),
        ("doctor --nonesuch", "reactord doctor: option --nonesuch not recognized (reactord doc"),
        ("--umask 9", "reactord: Parameter type enforcement failed: invalid literal"),
        ("--uid nonesuch -y app.tac", "reactord: Parameter type enforcement failed: there is no"),
        ("--grace -1", "reactord: Parameter type enforcement failed: grace is -1.0: seconds"),
        ("--workers 0", "reactord: Parameter type enforcement failed: 0 workers: from 1"),
        ("--logger no.such.thing", "reactord: Logger 'no.such.thing' could not be imported"),
        ("--logger os.nonesuch", "reactord: Logger 'os.nonesuch' could not be imported: module"),
        ("-n --logger log_of_tests.bad -y app.tac", "reactord: {here}/log_of_tests.py:2: Runtime"),
        ("--reactor nonesuch", "reactord: there is no reactor 'nonesuch'; --help-reactors"),
        ("-n --daemon -y app.tac", "reactord: --nodaemon and --daemon contradict each other"),
        ("-b --workers 2 -y app.tac", "reactord: the debugger needs the one process"),
        ("-n -y app.tac -l absent/x.log", "reactord: "),
    ],
)
def test_a_mistake_is_told_in_one_line(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    said: str,
) -> None:
    """With the user's own file and line, status 1, and nothing left behind."""
    before = set(here.iterdir())
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    status, error = run_here(arguments, capsys)
    sys.modules.pop("log_of_tests", None)
    assert error.startswith(said.format(here=here))
    assert error.count("\n") == 1
    assert status == 1
    assert set(here.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-n -y startup.tac", "reactord: startup.tac:4: RuntimeError: no luck"),
        ("-n -y coroutine.tac", "reactord: coroutine.tac:6: RuntimeError: no luck"),
        ("-n motto -m bad", "reactord: {taps}/taps/motto.py:17: ValueError: a bad motto"),
        ("-n broken", "reactord: {taps}/taps/broken.py:3: ModuleNotFoundError: No module named"),
    ],
)
def test_a_failure_of_the_users_is_told_in_one_line(
    daemon: Daemon, arguments: str, said: str
) -> None:
    for name, text in FILES.items():
        daemon.write(name, text)
    plug_in(daemon.folder)
    done = daemon.run(*arguments.split(), PYTHONPATH=str(daemon.folder))
    assert done.stderr.startswith(said.format(taps=daemon.folder))
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1
    assert not (daemon.folder / "reactord.pid").exists()


def test_a_port_in_use_is_told_in_one_line(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon.write("app.tac", SERVER.replace("tcp:0", f"tcp:{port}"))
        done = daemon.run("-n", "-y", "app.tac")
    assert (done.returncode, done.stderr) == (
        1,
        f"reactord: Couldn't listen on 127.0.0.1:{port}: [Errno 98] Address already in use.\n",
    )


def plug_in(folder: Path) -> None:
    """Commands `motto`, which works, and `broken`, which cannot be imported."""
    dropped = folder / "reactorlib" / "plugins"
    dropped.mkdir(parents=True)
    (dropped / "mottoes.py").write_text(
        "from reactorlib.application.service import ServiceMaker\n"
        "motto = ServiceMaker('Mottoes', 'taps.motto', 'Says mottoes', 'motto')\n"
        "broken = ServiceMaker('Broken', 'taps.broken', 'Does nothing', 'broken')\n"
    )
    taps = folder / "taps"
    taps.mkdir()
    (taps / "__init__.py").touch()
    (taps / "motto.py").write_text(TAP)
    (taps / "broken.py").write_text("\n\nimport no_such_module_anywhere\n")


def test_a_plugin_is_a_command(daemon: Daemon) -> None:
    plug_in(daemon.folder)
    path = str(daemon.folder)
    shown = daemon.run("--help", PYTHONPATH=path)
    assert re.search(r"motto +Says mottoes", shown.stdout)
    own = daemon.run("motto", "--help", PYTHONPATH=path)
    assert own.stdout.startswith("Usage: reactord [options] motto [options]\n")
    assert "What to say. [default: nil desperandum]" in own.stdout
    process = daemon.start("-n", "motto", "-m", "carpe diem", PYTHONPATH=path)
    daemon.end(process)
    assert "motto: carpe diem" in daemon.out


def test_what_it_has_of_twistd(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def out(*arguments: str) -> str:
        sys.argv = ["reactord", *arguments]
        with pytest.raises(SystemExit) as caught:
            reactord.run()
        assert caught.value.code in (None, 0)
        return capsys.readouterr().out

    assert re.fullmatch(r"reactord \(reactorlib\) \S+, Python \S+\n", out("--version"))
    for option in ("-n, --nodaemon", "-y, --python=", "-f, --file=", "--pidfile=", "--umask="):
        assert option in out()


def test_the_reactors_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    options = reactord.ReactordOptions()
    options.messageOutput = sys.stdout
    with pytest.raises(SystemExit):
        options.parseOptions(["--help-reactors"])
    listed = capsys.readouterr().out
    assert re.search(r"^ +asyncio +asyncio based reactor", listed, re.M)
    assert re.search(r"^ +uvloop ", listed, re.M)


def test_check_loads_and_starts_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = set(here.iterdir())
    sys.argv = ["reactord", "--check", "-y", "app.tac"]
    reactord.run()
    assert capsys.readouterr().out == "reactord: 'server' can be loaded: 2 services\n"
    assert set(here.iterdir()) == before
    (here / "app.tac").write_text("application = 3\n")
    status, error = run_here("--check -y app.tac", capsys)
    assert (status, error.count("\n")) == (1, 1)


QUOTES = """
from reactorlib.application.service import Service

class Quotes(Service):
    def __init__(self, quote):
        self.quote = quote

class Quote:
    pass

def make():
    return Quote()
"""

#: What is not written into files that are data, and can be all the same: a call.
CALLS = {
    "Instance('quoters.Quote')": "Copyreg('quoters.make',())",
    '<instance class="quoters.Quote"/>': '<build by="quoters.make"><with/></build>',
}


def save_quotes(folder: Path, style: str) -> str:
    """Save, in a process of its own, what names a package of somebody's; the file's name."""
    (folder / "quoters.py").write_text(QUOTES)
    program = (
        "import quoters\n"
        "if sys.argv[1] == 'pickle':\n"
        "    quoters.Quote.__reduce__ = lambda self: (quoters.make, ())\n"
        "from reactorlib.application.service import Application\n"
        "from reactorlib.persisted.sob import IPersistable\n"
        "application = Application('quotes')\n"
        "quoters.Quotes(quoters.Quote()).setServiceParent(application)\n"
        "IPersistable(application).setStyle(sys.argv[1])\n"
        "IPersistable(application).save()\n"
    )
    subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}", style],
        cwd=folder,
        env=environment(PYTHONPATH=str(folder)),
        check=True,
    )
    (saved,) = folder.glob("quotes.ta?")
    if style != "pickle":
        text = saved.read_text()
        (written,) = (written for written in CALLS if written in text)
        saved.write_text(text.replace(written, CALLS[written]))
    return saved.name


@pytest.mark.parametrize(
    ("style", "rounds"),
    [
        ("pickle", [("", "")]),
        ("pickle", [("--allow elsewhere", "quoters.Quotes"), ("--allow quoters", "")]),
        (
            "pickle",
            [
                ("--allow quoters.Quotes", "quoters.make"),
                ("--allow quoters.Quotes --allow quoters.make", ""),
            ],
        ),
        # A function that is called is allowed by its own name, or not at all.
        *[
            (
                style,
                [
                    ("", "quoters.make"),
                    ("--allow quoters", "quoters.make"),
                    ("--allow quoters.make", "quoters.Quotes"),
                    ("--allow quoters --allow quoters.make", ""),
                ],
            )
            for style in ("xml", "source")
        ],
    ],
)
def test_what_a_saved_application_names_can_be_allowed(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    style: str,
    rounds: list[tuple[str, str]],
) -> None:
    """Each refusal says which option it takes."""
    saved = save_quotes(here, style)
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.delitem(sys.modules, "quoters", raising=False)
    for options, refused in rounds:
        line = f"--check {options} -f {saved}"
        if refused:
            assert run_here(line, capsys) == (
                1,
                f"reactord: {saved}: it names {refused}, which is not among what it may name: "
                f"if that is right, say --allow {refused}\n",
            )
        else:
            sys.argv = ["reactord", *line.split()]
            reactord.run()
            assert capsys.readouterr().out == "reactord: 'quotes' can be loaded: 1 service\n"
    monkeypatch.delitem(sys.modules, "quoters", raising=False)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--allow a-b -f x.tap", "--allow 'a-b' is no name"),
        ("--allow quoters -y app.tac", "--allow is about saved applications"),
    ],
)
def test_names_are_allowed_to_saved_applications(
    here: Path, capsys: pytest.CaptureFixture[str], line: str, why: str
) -> None:
    sys.argv = ["reactord", "--check", *line.split()]
    with pytest.raises(SystemExit) as caught:
        reactord.run()
    assert caught.value.code == 1
    assert why in capsys.readouterr().err


def test_doctor_says_what_there_is(daemon: Daemon) -> None:
    plug_in(daemon.folder)
    done = daemon.run("doctor", PYTHONPATH=str(daemon.folder))
    assert done.returncode == 1  # for one of the plugins
    lines = {line[7:28].strip(): line for line in done.stdout.splitlines()}
    assert lines["asyncio's loop"].startswith("ok ")
    assert {"reactorlib", "Python", "open files", "extra fast", "--reactor"} <= lines.keys()
    assert lines["command motto"].startswith("ok ")
    assert lines["command broken"].startswith("FAILED ")
    assert "no_such_module_anywhere" in lines["command broken"]


def test_the_log_is_json_if_asked_for(daemon: Daemon) -> None:
    daemon.write(
        "late.tac",
        SERVER + "import logging\n"
        "class Logs(service.Service):\n"
        "    def startService(self):\n"
        "        logging.getLogger('app').warning('%d!', 7)\n"
        "Logs().setServiceParent(application)\n",
    )
    process = daemon.start("-n", "--json", "--logfile", "log", "-y", "late.tac")
    daemon.end(process)
    events = [json.loads(line) for line in daemon.text("log").splitlines()]
    assert all({"text", "log_time", "log_level"} <= event.keys() for event in events)
    (own,) = (event for event in events if event["log_namespace"] == "app")
    assert (own["text"], own["log_level"]["name"]) == ("7!", "warn")


def test_the_log_can_be_one_of_the_programs_own(daemon: Daemon) -> None:
    daemon.write(
        "mine.py",
        "from zope.interface import provider\n"
        "from reactorlib.logger import ILogObserver, formatEvent\n"
        "def observer():\n"
        "    file = open('mine.log', 'w')\n"
        "    @provider(ILogObserver)\n"
        "    def write(event):\n"
        "        print('mine:', formatEvent(event), file=file, flush=True)\n"
        "    return write\n",
    )
    process = daemon.start(
        "-n", "--logger", "mine.observer", "-y", "app.tac", PYTHONPATH=str(daemon.folder)
    )
    daemon.end(process)
    assert re.search(r"^mine: reactord .* starting up\.$", daemon.text("mine.log"), re.M)
    assert daemon.out == ""


def test_a_profile_is_written(daemon: Daemon) -> None:
    process = daemon.start("-n", "--profile", "prof", "-y", "app.tac")
    daemon.ask()
    daemon.end(process)
    assert "function calls" in daemon.text("prof")
    assert "lineReceived" in daemon.text("prof")


def test_what_is_in_flight_is_given_its_time(daemon: Daemon) -> None:
    process = daemon.start("-n", "--grace", "20", "-y", "app.tac")
    with daemon.connect() as connection:
        connection.sendall(b"before\n")
        assert connection.recv(100).startswith(b"before ")
        process.send_signal(signal.SIGTERM)
        assert daemon.manager.wait("STOPPING")
        connection.sendall(b"after\n")
        assert connection.recv(100).startswith(b"after ")
    assert process.wait(20) == -signal.SIGTERM


def test_a_start_that_goes_on_is_cancelled_by_a_signal(daemon: Daemon) -> None:
    daemon.write(
        "app.tac",
        "import asyncio\nfrom reactorlib.application import service\n"
        "class Slow(service.Service):\n"
        "    async def startService(self):\n"
        "        open('starting', 'w').close()\n"
        "        print('starts', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "application = service.Application('slow')\n"
        "Slow().setServiceParent(application)\n",
    )
    with subprocess.Popen(
        daemon.command("-n", "-l", "-", "-y", "app.tac"),
        cwd=daemon.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any("starts" in line for line in process.stdout)
        process.terminate()
        process.stdout.read()
        assert process.wait(20) == -signal.SIGTERM
    assert not (daemon.folder / "reactord.pid").exists()


def test_a_saved_application_is_run_and_saved_again(daemon: Daemon) -> None:
    program = (
        "from reactorlib.application import service\n"
        "from reactorlib.persisted import sob\n"
        "from app import Counts\n"
        "application = service.Application('counter')\n"
        "Counts().setServiceParent(application)\n"
        "sob.IPersistable(application).save()\n"
    )
    daemon.write(
        "app.py",
        "from reactorlib.application import service\n"
        "class Counts(service.Service):\n"
        "    starts = 0\n"
        "    def startService(self):\n"
        "        super().startService()\n"
        "        self.starts += 1\n"
        "        print('starts:', self.starts)\n",
    )
    path = str(daemon.folder)
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=daemon.folder,
        env=environment(PYTHONPATH=path),
        check=True,
    )
    for arguments, starts, saved in (
        (["-f", "counter.tap"], 1, True),
        (["-f", "counter-shutdown.tap"], 2, True),
        (["-o", "-f", "counter-shutdown.tap"], 3, False),
        (["-o", "-f", "counter-shutdown.tap"], 3, False),
    ):
        before = (daemon.folder / "counter-shutdown.tap").exists()
        process = daemon.start("-n", *arguments, PYTHONPATH=path)
        daemon.end(process)
        assert f"starts: {starts}" in daemon.out
        assert (daemon.folder / "counter-shutdown.tap").exists() == (before or saved)


def test_the_umask_is_set(daemon: Daemon) -> None:
    daemon.write("app.tac", SERVER)
    process = daemon.start("-n", "--umask", "027", "-y", "app.tac")
    assert (daemon.folder / "port").stat().st_mode & 0o777 == 0o640
    daemon.end(process)
    assert os.umask(0o022) == 0o022
