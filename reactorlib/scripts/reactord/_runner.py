"""The order of things, from the pid file to the pid file."""

from __future__ import annotations

import asyncio
import codecs
import logging
import os
import pwd
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from reactorlib.application import service
from reactorlib.application._notify import Notifier
from reactorlib.application._workers import StartFailed, Supervisor, Worker
from reactorlib.application.service._service import stop
from reactorlib.internet._hold import ARRIVAL, hold_back
from reactorlib.internet._spread import SpreadPorts
from reactorlib.internet._tls import _reload
from reactorlib.internet.defer import maybeDeferred
from reactorlib.internet.error import CannotListenError
from reactorlib.internet.task import LoopingCall, deferLater
from reactorlib.python import log
from reactorlib.python.failure import Failure
from reactorlib.scripts._twistd_unix import UnixApplicationRunner
from reactorlib.scripts.reactord._errors import NoApplication, explain
from reactorlib.scripts.reactord._log import ReactordLogger

__all__ = ["ReactordRunner"]

_log = logging.getLogger("reactorlib.application.daemon")

#: What workers are given to drain where nothing else is said, in seconds.
_GRACE_OF_WORKERS = 10.0


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
        except Exception as error:
            self._fail(error)
        try:
            self.postApplication()
        finally:
            self.logger.stop()

    def _pid_path(self) -> str | None:
        """Where the pid file will be, seen from here: it is written in the new place."""
        path: str | None = self.config["pidfile"]
        if not path:
            return None
        path = os.path.normpath(os.path.join(self.config["rundir"], path))
        root = self.config["chroot"]
        return path if root is None else os.path.join(root, path.lstrip("/"))

    def _application(self) -> Any:
        try:
            application = self.createOrGetApplication()
        except Exception as error:
            self._fail(error)
        for interface in (service.IService, service.IServiceCollection, service.IProcess):
            if interface(application, None) is None:
                kind = type(application).__qualname__
                self._fail(NoApplication(f"'application' is {kind}, not made by Application()"))
        return application

    def _check(self, application: Any) -> None:
        root: Any = service.IService(application)
        count = len(list(service.IServiceCollection(application)))
        services = "1 service" if count == 1 else f"{count} services"
        print(f"reactord: {root.name!r} can be loaded: {services}")

    def _fail(self, error: BaseException) -> NoReturn:
        if self.config["traceback"]:
            traceback.print_exception(error, file=self.oldstderr)
        print(f"reactord: {explain(error)}", file=self.oldstderr, flush=True)
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
            _log.error("The application has not started: %s", explain(error))
        else:
            log.err(Failure(error), "The application has not started")

    def _formatChildException(self, exception: BaseException) -> bytes:
        return f"1 {explain(exception)}".encode("utf-8", "replace")[: self._status_length]

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
            # One that is there by now is another's, which was started at the same time.
            self._pid_file = open(pidfile, "x", encoding="ascii")  # noqa: SIM115 - kept
            self._pid_file.write(str(os.getpid()))
            self._pid_file.flush()
            self._wrote_pid = True

    def daemonize(self, reactor: Any) -> Any:
        """See `UnixApplicationRunner`; what has been printed so far is the terminal's to show."""
        self.oldstdout.flush()
        self.oldstderr.flush()
        return super().daemonize(reactor)

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

        def begin() -> None:
            started = maybeDeferred(self._begin)
            started.addCallback(self._has_started).addErrback(self._has_failed)

        reactor.callWhenRunning(begin)
        self.startReactor(None, self.oldstdout, self.oldstderr)
        if self._failure is not None:
            raise self._failure

    def _begin(self) -> Any:
        from reactorlib.internet import reactor

        root: Any = service.IService(self.application)
        reactor.addSystemEventTrigger("before", "shutdown", self._end)
        if self._worker is not None:
            reactor.addReader(_Life(self._worker.life))
        # A terminal that goes away ends what runs in its foreground.
        if not self._at_a_terminal():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, self._reload)
        return root.startService()

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
        if not self.config["no_save"]:
            from reactorlib.internet import reactor
            from reactorlib.persisted import sob

            persistable: Any = sob.IPersistable(self.application)
            reactor.addSystemEventTrigger("after", "shutdown", persistable.save, "shutdown")
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
            self._worker.failed(explain(failure.value))
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
            worker.failed(explain(error))
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
