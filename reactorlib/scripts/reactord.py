"""
`reactord`: runs an application, in the foreground or as a daemon.

It is `twistd`, as its users know it, and what is wanted of a server today. Who owns
what:

    ReactordOptions    what the command line says
    ReactordRunner     the order of things, from the pid file to the pid file; it is
                       `UnixApplicationRunner`'s, but that services start inside the
                       running loop, where a coroutine may wait for anything
    ReactordLogger     where the log goes, and its file, to be opened again
    Notifier           what the service manager is told
    Supervisor         with --workers, the processes

States: preparing (no loop exists; errors are the terminal's to show) -> starting (the
loop runs, services start) -> serving -> stopping (services have their time of grace)
-> over. Only with `serving` does the first process of a daemon exit with 0, and the
service manager hear READY. A failure before it undoes what was started, is told in
one line, and ends with status 1. A signal while starting cancels the start.
"""

from __future__ import annotations

import asyncio
import codecs
import logging
import os
import pwd
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

from reactorlib import logger
from reactorlib.application import app, service
from reactorlib.application._blame import in_one_line
from reactorlib.application._doctor import examine
from reactorlib.application._notify import Notifier
from reactorlib.application._workers import StartFailed, Supervisor, Worker
from reactorlib.application.service._service import stop
from reactorlib.internet._hold import ARRIVAL, hold_back
from reactorlib.internet._spread import SpreadPorts
from reactorlib.internet._tls import _reload
from reactorlib.internet.defer import maybeDeferred
from reactorlib.internet.error import CannotListenError
from reactorlib.internet.task import LoopingCall, deferLater
from reactorlib.python import log, usage
from reactorlib.python.failure import Failure
from reactorlib.python.logfile import LogFile
from reactorlib.scripts._twistd_unix import ServerOptions, UnixApplicationRunner, UnixAppLogger

__all__ = ["ReactordLogger", "ReactordOptions", "ReactordRunner", "run", "runApp"]

_log = logging.getLogger("reactorlib.application.daemon")

#: What workers are given to drain where nothing else is said, in seconds.
_GRACE_OF_WORKERS = 10.0


def _seconds(value: str) -> float:
    seconds = float(value)
    service._service.check_grace(seconds)
    return seconds


def _count(value: str) -> int:
    count = int(value)
    if not 1 <= count <= 1024:
        raise ValueError(f"{count} workers: from 1 to 1024 there can be")
    return count


class DoctorOptions(usage.Options):
    """`reactord doctor` has no options."""

    synopsis = ""
    longdesc = "Says what reactorlib finds here, and what is wrong with it."


class ReactordOptions(ServerOptions):
    """The options of `reactord`."""

    program = "reactord"
    synopsis = "Usage: reactord [options]"
    longdesc = (
        "Runs an application: that of a command, of a Python file (-y), or of a saved file "
        "(-f). It becomes a daemon, unless -n says otherwise, or it is process 1 or under "
        "systemd."
    )

    optFlags: ClassVar[Any] = [
        ["daemon", None, "become a daemon, even under systemd"],
        ["check", None, "load everything, start nothing"],
        ["json", None, "log in JSON, an object each line"],
        ["traceback", None, "show whole tracebacks, our own code's lines too"],
    ]
    optParameters: ClassVar[Any] = [
        ["file", "f", "reactord.tap", "read the application from a .tap, .tax or .tas file"],
        ["pidfile", "", "reactord.pid", "Name of the pidfile"],
        ["prefix", None, "reactord", "use the given prefix when syslogging"],
        ["grace", None, None, "Seconds for what is in flight to finish at the end.", _seconds],
        ["workers", None, None, "How many processes are to serve.", _count],
    ]

    @property
    def subCommands(self) -> Any:
        """The plugins' subcommands, and `doctor`."""
        rows = [*super().subCommands, ("doctor", None, DoctorOptions, "Say what is here.")]
        return sorted(rows, key=lambda row: str(row[0]))

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read a command line; what a plugin has raised meanwhile is told in a line."""
        try:
            super().parseOptions(options)
        except usage.UsageError:
            raise
        except Exception as error:
            print(f"reactord: {_explain(error)}", file=sys.stderr)
            raise SystemExit(1) from error

    def postOptions(self) -> None:
        """Stay in the foreground where something else looks after the process."""
        super().postOptions()
        supervised = os.getpid() == 1 or {"NOTIFY_SOCKET", "INVOCATION_ID"} & os.environ.keys()
        if self["nodaemon"] and self["daemon"]:
            raise usage.UsageError("--nodaemon and --daemon contradict each other")
        if supervised and not self["daemon"]:
            self["nodaemon"] = True
        if self["workers"] is not None and self["debug"]:
            raise usage.UsageError("the debugger needs the one process: leave out --workers")


class ReactordLogger(UnixAppLogger):
    """A log of what goes through stdlib `logging`, too, in text or JSON."""

    name = "reactord"

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._json = options.get("json", False)
        self._several = options.get("workers", None) is not None
        self._file: LogFile | None = None
        self._handler: logging.Handler | None = None

    def start(self, application: Any) -> None:
        """Begin; what libraries log is logged as well."""
        super().start(application)
        root = logging.getLogger()
        self._handler = logger.PublishingHandler()
        root.addHandler(self._handler)
        self._level_before = root.level
        if root.level in (logging.NOTSET, logging.WARNING):
            root.setLevel(logging.INFO)

    def stop(self) -> None:
        """End."""
        super().stop()
        if self._handler is not None:
            root = logging.getLogger()
            root.removeHandler(self._handler)
            root.setLevel(self._level_before)
            self._handler = None

    def _open_file(self, name: str) -> LogFile:
        # Several processes append to it: none may put it aside under the others.
        length = None if self._several else 1_000_000
        self._file = LogFile.fromFullPath(name, length)
        return self._file

    def _file_observer(self, file: Any) -> Any:
        if not self._json:
            return super()._file_observer(file)
        return logger.FileLogObserver(file, _as_json)

    def reopen(self) -> None:
        """Write to what the file's name means now: after another program has moved it."""
        if self._file is None:
            return
        try:
            # If that fails, it is better to go on where it was.
            with open(self._file.path, "ab"):
                pass
            self._file.reopen()
        except OSError as error:
            _log.warning("Cannot open the log %s again: %s", self._file.path, error.strerror)

    def rotate(self) -> None:
        """Put the log file aside, and begin a new one."""
        if self._file is not None:
            self._file.rotate()


def _as_json(event: Any) -> str:
    text = logger.formatEvent(event)
    return f"{logger.eventAsJSON({**event, 'text': text})}\n"


class ReactordRunner(UnixApplicationRunner):
    """Runs an application as `reactord` does."""

    loggerFactory = ReactordLogger

    _status_length = 4096

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._notifier = Notifier()
        self._failure: BaseException | None = None
        self._stops = False
        self._worker: Worker | None = None
        self._spread: SpreadPorts | None = None
        self._watchdog: LoopingCall | None = None
        self._wrote_pid = False

    # -- before there is a loop -----------------------------------------------------

    def run(self) -> None:
        """
        Make or load the application, and run it until the end.

        Raises:
            SystemExit: with status 1, after a line on standard error: it could not start.
        """
        if self.config["check"]:
            self.oldstderr = sys.stderr
            self._check(self._application())
            return
        self.preApplication()
        self.application = self._application()
        try:
            self.logger.start(self.application)
        except OSError as error:
            self._fail(error)
        try:
            self.postApplication()
        finally:
            self.logger.stop()

    def _application(self) -> Any:
        try:
            return self.createOrGetApplication()
        except Exception as error:
            self._fail(error)

    def _check(self, application: Any) -> None:
        try:
            root: Any = service.IService(application)
            count = len(list(service.IServiceCollection(application)))
        except TypeError as error:
            self._fail(error)
        services = "1 service" if count == 1 else f"{count} services"
        print(f"reactord: {root.name!r} can be loaded: {services}")

    def _fail(self, error: BaseException) -> NoReturn:
        if self.config["traceback"]:
            traceback.print_exception(error, file=self.oldstderr)
        print(f"reactord: {_explain(error)}", file=self.oldstderr, flush=True)
        raise SystemExit(1)

    def postApplication(self) -> None:
        """Start the application, run the reactor, and clean up."""
        try:
            try:
                self._prepare(self.application)
                if self._spread is None:
                    self._serve()
                else:
                    self._supervise(self._spread)
            except Exception as error:
                self._log_failure(error)
                self._tell(self._formatChildException(error))
                self._fail(error)
            except SystemExit as error:
                if error.code:
                    self._tell(f"1 {error.code}".encode())
                raise
        finally:
            self.removePID(self.config["pidfile"])
            self._notifier.close()

    def _log_failure(self, error: BaseException) -> None:
        # In the foreground, the line on standard error says it already.
        if self.config["nodaemon"]:
            return
        if isinstance(error, (OSError, CannotListenError, StartFailed)):
            _log.error("The application has not started: %s", _explain(error))
        else:
            log.err(Failure(error), "The application has not started")

    def _formatChildException(self, exception: BaseException) -> bytes:
        return f"1 {_explain(exception)}".encode("utf-8", "replace")[: self._status_length]

    def _say_failed(self, error: bytes) -> None:
        text = error.decode("utf-8", "replace") or "the daemon ended while it started"
        print(f"reactord: {text}", file=sys.__stderr__, flush=True)

    def _not_shed(self, why: str) -> NoReturn:
        raise PermissionError(why)

    def setupEnvironment(
        self,
        chroot: str | None,
        rundir: str,
        nodaemon: Any,
        umask: int | None,
        pidfile: str | None,
    ) -> None:
        """See `UnixApplicationRunner`; the pid file is kept open, to be emptied if need be."""
        if chroot is not None:
            # What is outside of the new root is opened and loaded before.
            for codec in ("ascii", "utf-8", "latin-1", "idna"):
                codecs.lookup(codec)
            if not nodaemon:
                self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        super().setupEnvironment(chroot, rundir, nodaemon, umask, None)
        if pidfile:
            self._pid_file = open(pidfile, "w", encoding="ascii")  # noqa: SIM115 - kept
            self._pid_file.write(str(os.getpid()))
            self._pid_file.flush()
            self._wrote_pid = True

    def removePID(self, pidfile: str | None) -> None:
        """Remove the pid file, if it is this process's own; empty it if it cannot be removed."""
        if not self._wrote_pid or not pidfile:
            return
        self._wrote_pid = False
        try:
            os.unlink(pidfile)
        except OSError as error:
            _log.info("Emptied the pid file %s, for want of removing it: %s", pidfile, error)
            self._pid_file.truncate(0)
        self._pid_file.close()

    def _whom(self, process: Any) -> tuple[int | None, int | None]:
        uid, gid = super()._whom(process)
        if uid is not None and gid is not None:
            # In another root nobody would know what groups the user is in.
            try:
                self._groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
            except KeyError:
                self._groups = [gid]
        return uid, gid

    def _switch(self, uid: int | None, gid: int | None, euid: Any) -> None:
        if (uid, gid) == (os.getuid(), os.getgid()):
            return
        if uid is not None:
            os.setgroups(self._groups)
        if gid is not None:
            (os.setegid if euid else os.setgid)(gid)
        if uid is not None:
            (os.seteuid if euid else os.setuid)(uid)

    def shedPrivileges(self, euid: Any, uid: int | None, gid: int | None) -> None:
        """Bind the workers' sockets, and become another user."""
        count = self.config["workers"]
        if count is not None:
            from reactorlib.internet import reactor

            self._spread = SpreadPorts(reactor, count)
        super().shedPrivileges(euid, uid, gid)

    # -- in the loop ----------------------------------------------------------------

    def _serve(self) -> None:
        """Run the reactor: services start inside it. What they fail with is raised."""
        from reactorlib.internet import reactor

        reactor.callWhenRunning(self._begin)
        self.startReactor(None, self.oldstdout, self.oldstderr)
        if self._failure is not None:
            raise self._failure

    def _begin(self) -> None:
        from reactorlib.internet import reactor

        root: Any = service.IService(self.application)
        reactor.addSystemEventTrigger("before", "shutdown", self._end)
        if not self.config["no_save"] and self._worker is None:
            from reactorlib.persisted import sob

            persistable: Any = sob.IPersistable(self.application)
            reactor.addSystemEventTrigger("after", "shutdown", persistable.save, "shutdown")
        if self._worker is not None:
            reactor.addReader(_Life(self._worker.life))
        # A terminal that goes away ends what runs in its foreground.
        if not self._at_a_terminal():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._reload)
        started = maybeDeferred(root.startService)
        started.addCallbacks(self._has_started, self._has_failed)

    def _at_a_terminal(self) -> bool:
        try:
            return bool(self.config["nodaemon"]) and self._worker is None and os.isatty(0)
        except OSError:
            return False

    def _has_started(self, _: object) -> None:
        if self._stops:
            return
        self._tell(b"0")
        if self._worker is not None:
            self._worker.ready()
            return
        self._notifier.ready()
        if self._notifier.interval is not None:
            self._watchdog = LoopingCall(self._notifier.alive)
            self._watchdog.start(self._notifier.interval)

    def _has_failed(self, failure: Failure) -> None:
        if self._stops:
            return
        from reactorlib.internet import reactor

        self._failure = failure.value
        if self._worker is not None:
            self._worker.failed(_explain(failure.value))
        reactor.stop()

    def _grace(self) -> float | None:
        grace: float | None = self.config["grace"]
        if grace is None and self.config["workers"] is not None:
            return _GRACE_OF_WORKERS
        return grace

    def _end(self) -> Any:
        from reactorlib.internet import reactor

        self._stops = True
        if self._watchdog is not None and self._watchdog.running:
            self._watchdog.stop()
        if self._worker is None:
            self._notifier.stopping()
        root, grace = service.IService(self.application), self._grace()
        # Who looks after workers has done so for them.
        if grace is None or self._worker is not None or not hold_back(reactor):
            return stop(root, grace)
        return deferLater(reactor, ARRIVAL, stop, root, grace)

    def _reload(self) -> None:
        """For SIGHUP: logs are opened again, certificates looked at, and triggers run."""
        from reactorlib.internet import reactor

        if self._worker is None:
            self._notifier.reloading()
        self.logger.reopen()
        _log.info("Received SIGHUP: reloading")
        _reload.look_again()
        done = reactor.fireSystemEvent("reload")
        if self._worker is None:
            done.addBoth(lambda _: self._notifier.ready())

    # -- several processes ----------------------------------------------------------

    def _supervise(self, spread: SpreadPorts) -> None:
        def hold_back() -> float:
            self._notifier.stopping()
            return ARRIVAL if spread.hold_back() else 0.0

        def reload(pass_on: Callable[[], object]) -> None:
            self._notifier.reloading()
            self.logger.reopen()
            _log.info("Received SIGHUP: handing it on")
            pass_on()
            self._notifier.ready(status)

        status = f"{self.config['workers']} workers"
        at_a_terminal = self._at_a_terminal()
        supervisor = Supervisor(
            self.config["workers"],
            self._be_worker,
            take=spread.take,
            hold_back=hold_back,
            give_up=spread.close,
            ready=lambda: self._all_ready(status),
            grace=self._grace() or 0.0,
            reload=None if at_a_terminal else reload,
            rotate=self.logger.rotate,
            interval=self._notifier.interval,
            alive=self._notifier.alive,
        )
        self._exitSignal = supervisor.run()

    def _all_ready(self, status: str) -> None:
        self._tell(b"0")
        self._notifier.ready(status)

    def _be_worker(self, worker: Worker) -> int:
        self._worker = worker
        self._wrote_pid = False
        self._notifier.close()
        self.config["statusPipe"], pipe = None, self.config.get("statusPipe")
        if pipe is not None:
            os.close(pipe)
        try:
            self._serve()
        except Exception as error:
            worker.failed(_explain(error))
            log.err(Failure(error), "The worker has failed")
            return 1
        return 0


class _Life:
    """Stops the reactor when the supervisor is gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The pipe, of which nobody but the supervisor has the other end."""
        return self._descriptor

    def logPrefix(self) -> str:
        """What it is called in the log."""
        return "supervisor"

    def doRead(self) -> None:
        """The other end is gone."""
        from reactorlib.internet import reactor

        reactor.removeReader(self)
        _log.error("The supervisor is gone: stopping")
        if reactor.running:
            reactor.stop()

    def connectionLost(self, reason: object) -> None:
        """The reactor ends."""


def _explain(error: BaseException) -> str:
    if isinstance(error, (StartFailed, usage.UsageError)):
        return " ".join(str(error).split())
    return in_one_line(error)


def runApp(config: ReactordOptions) -> None:
    """
    Run what the options say, until the end; a signal that ended it ends the process.

    Raises:
        SystemExit: it could not start; or `--check` or `doctor` have looked.
    """
    if config.subCommand == "doctor":
        raise SystemExit(examine())
    runner = ReactordRunner(config)
    runner.run()
    if runner._exitSignal is not None:
        app._exitWithSignal(runner._exitSignal)


def run() -> None:
    """Run what the command line says; modules in the working directory can be imported."""
    sys.path.insert(0, os.getcwd())
    app.run(runApp, ReactordOptions)
