"""
What the daemon does with its process: log, pid file, fork, rights.

The order of things, of which each relies on those before it:

    checkPID           no other daemon lives that wrote the pid file
    the application    is made or loaded; its errors are the terminal's to show
    the log            begins; the terminal is left alone from here on
    chroot, chdir, umask
    daemonize          two forks; the first process waits for a word on a pipe
    the pid file       with the number of the process that goes on
    privilegedStartService
    shedPrivileges
    startService       then "0" to the first process, which exits with that
    the reactor        runs; it makes its loop now, and not before the forks
    the pid file       is removed

An error on the way is told to the first process, which says so and exits with 1.
"""

from __future__ import annotations

import errno
import logging
import os
import pwd
import signal
import sys
import traceback
from typing import Any, NoReturn

from reactorlib import logger
from reactorlib.application import app, service
from reactorlib.internet.interfaces import IReactorDaemonize
from reactorlib.python import log, syslog
from reactorlib.python.logfile import LogFile
from reactorlib.python.util import switchUID, untilConcludes
from reactorlib.scripts._server_options import ServerOptions

__all__ = [
    "ServerOptions",
    "UnixAppLogger",
    "UnixApplicationRunner",
    "checkPID",
    "launchWithName",
]

_log = logging.getLogger("reactorlib.application.app")


def checkPID(pidfile: str | None, program: str = "twistd") -> None:
    """
    See that no other daemon lives that wrote the file. One that died leaves it; then
    it is removed.

    Raises:
        SystemExit: one lives, or that cannot be told; the text says so.
    """
    if not pidfile or not os.path.exists(pidfile):
        return
    try:
        with open(pidfile, encoding="ascii") as file:
            # Without the right to remove it, a daemon empties it in the end.
            pid = int(file.read() or "0")
    except ValueError:
        sys.exit(f"Pidfile {pidfile} contains non-numeric value")
    try:
        # In a container the same number comes again with each start.
        alive = pid > 0 and pid != os.getpid()
        if alive:
            os.kill(pid, 0)
    except OSError as error:
        if error.errno == errno.EPERM:
            alive = True  # as somebody else
        elif error.errno == errno.ESRCH:
            alive = False
        else:
            sys.exit(f"Can't check status of PID {pid} from pidfile {pidfile}: {error.strerror}")
    if alive:
        sys.exit(
            f"Another {program} server is running, PID {pid}, as {pidfile} says; give a second "
            "one a pid file of its own by --pidfile"
        )
    _log.info("Removing stale pidfile %s", os.path.abspath(pidfile))
    os.remove(pidfile)


class UnixAppLogger(app.AppLogger):
    """
    A log that goes to a file when the program is a daemon, or to syslog.

    SIGUSR1 rotates the file, unless the program has its own use for it.

    Args:
        options: a mapping, besides with "syslog", "prefix" and "nodaemon".
    """

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._syslog = options.get("syslog", False)
        self._syslogPrefix = options.get("prefix", "")
        self._nodaemon = options.get("nodaemon", False)

    def _getLogObserver(self) -> Any:
        if self._syslog:
            return syslog.SyslogObserver(self._syslogPrefix).emit
        return self._file_observer(self._open())

    def _open(self) -> Any:
        """The file to write to."""
        name = self._logfilename
        if name == "-":
            if not self._nodaemon:
                sys.exit("Daemons cannot log to stdout, exiting!")
            return sys.stdout
        if not name:
            if self._nodaemon:
                return sys.stdout
            name = f"{self.name}.log"
        file = self._open_file(name)
        if not signal.getsignal(signal.SIGUSR1):

            def rotate(number: int, frame: object) -> None:
                from reactorlib.internet import reactor

                reactor.callFromThread(file.rotate)

            signal.signal(signal.SIGUSR1, rotate)
        return file

    def _open_file(self, name: str) -> LogFile:
        return LogFile.fromFullPath(name)

    def _file_observer(self, file: Any) -> Any:
        return logger.textFileLogObserver(file)


def launchWithName(name: str | None) -> None:
    """
    Have the process called by another name, as `ps -o comm` and `top` show it.

    Args:
        name: of which the system takes 15 bytes; None to leave it.
    """
    if not name:
        return
    try:
        with open("/proc/self/comm", "wb") as file:
            file.write(name.encode()[:15])
    except OSError as error:
        _log.info("Cannot change the process name to %s: %s", name, error)
    else:
        _log.info("Changed the process name to %s", name)


class UnixApplicationRunner(app.ApplicationRunner):
    """Runs an application as a daemon, or in the foreground."""

    loggerFactory = UnixAppLogger

    #: /dev/null, where it was opened while there was one.
    _null: int | None = None

    #: How much of an error is told to the first process, in bytes.
    _status_length = 100

    def preApplication(self) -> None:
        """See that no other daemon lives, and keep what standard output and error are."""
        checkPID(self._pid_path(), self.config.program)
        self.config["nodaemon"] = self.config["nodaemon"] or self.config["debug"]
        self.oldstdout = sys.stdout
        self.oldstderr = sys.stderr

    def _pid_path(self) -> str | None:
        path: str | None = self.config["pidfile"]
        return path

    def postApplication(self) -> None:
        """Start the application, run the reactor, and clean up."""
        try:
            try:
                self.startApplication(self.application)
            except Exception as error:
                self._tell(self._formatChildException(error))
                raise
            self._tell(b"0")
            self.startReactor(None, self.oldstdout, self.oldstderr)
        finally:
            self.removePID(self.config["pidfile"])

    def _tell(self, status: bytes) -> None:
        """Tell the first process how the start went, if there is one that waits."""
        pipe, self.config["statusPipe"] = self.config.get("statusPipe"), None
        if pipe is not None:
            untilConcludes(os.write, pipe, status)
            untilConcludes(os.close, pipe)

    def _formatChildException(self, exception: BaseException) -> bytes:
        """An error as it is told to the first process, so short that it fits."""
        text = "".join(traceback.format_exception_only(exception)).strip()
        return f"1 {text}".encode("ascii", "backslashreplace")[: self._status_length]

    def removePID(self, pidfile: str | None) -> None:
        """Remove the pid file; that it cannot be removed is logged."""
        if not pidfile:
            return
        try:
            os.unlink(pidfile)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                _log.warning("No permission to delete pid file %s", pidfile)
            else:
                log.err(error, "Failed to unlink PID file:")

    def setupEnvironment(
        self,
        chroot: str | None,
        rundir: str,
        nodaemon: Any,
        umask: int | None,
        pidfile: str | None,
    ) -> None:
        """
        Go where the program is to run, become a daemon, and write the pid file.

        Args:
            chroot: what is to be the root; None to leave it.
            rundir: the working directory, in that root.
            nodaemon: whether to stay in the foreground.
            umask: None for 0077 as a daemon, and as it is otherwise.
            pidfile: None for none.
        """
        if chroot is not None:
            os.chroot(chroot)
            if rundir == ".":
                rundir = "/"
        os.chdir(rundir)
        if umask is None and not nodaemon:
            umask = 0o077
        if umask is not None:
            os.umask(umask)
        if not nodaemon:
            from reactorlib.internet import reactor

            self.config["statusPipe"] = self.daemonize(reactor)
        if pidfile:
            with open(pidfile, "wb") as file:
                file.write(b"%d" % os.getpid())

    def daemonize(self, reactor: Any) -> Any:
        """
        Go on in a process that has no terminal. The one that was called first does
        not return: it waits for the start, and exits with its outcome.

        Returns:
            the descriptor that the outcome is to be written to.
        """
        told = IReactorDaemonize.providedBy(reactor)
        if told:
            reactor.beforeDaemonize()
        read, write = os.pipe()
        if os.fork():
            # Without an end to write to, the pipe ends when the daemon does.
            os.dup2(read, write)
            status = self._waitForStart(read)
            os.close(read)
            os._exit(status)
        os.setsid()
        if os.fork():
            os._exit(0)
        # What goes wrong from here on is told, too.
        self.config["statusPipe"] = write
        null = os.open("/dev/null", os.O_RDWR) if self._null is None else self._null
        for descriptor in range(3):
            os.dup2(null, descriptor)
        os.close(null)
        if told:
            reactor.afterDaemonize()
        return write

    def _waitForStart(self, readPipe: int) -> int:
        """The exit status for the first process, when the start has gone well or not."""
        data = untilConcludes(os.read, readPipe, self._status_length)
        if data == b"0":
            return 0
        self._say_failed(data[2:])
        return 1

    def _say_failed(self, error: bytes) -> None:
        print(
            f"An error has occurred: {error!r}\nPlease look at log file for more information.",
            file=sys.__stderr__,
        )

    def shedPrivileges(self, euid: Any, uid: int | None, gid: int | None) -> None:
        """
        Become another user.

        Args:
            euid: whether in effect only.
            uid, gid: None to stay.

        Raises:
            SystemExit: that is not allowed; the log says so.
        """
        if uid is None and gid is None:
            return
        effective = "e" if euid else ""
        whom = f"{effective}uid/{effective}gid {uid}/{gid}"
        try:
            self._switch(uid, gid, euid)
        except OSError as error:
            _log.error("failed to set %s: %s (are you root?)", whom, error)
            self._not_shed(f"failed to set {whom}: {error}")
        _log.info("set %s", whom)

    def _switch(self, uid: int | None, gid: int | None, euid: Any) -> None:
        switchUID(uid, gid, euid)

    def _not_shed(self, why: str) -> NoReturn:
        sys.exit(1)

    def startApplication(self, application: Any) -> None:
        """
        Take all steps up to the start of the services.

        Args:
            application: provides `IService` and `IProcess`, or can be adapted to them.
        """
        self._prepare(application)
        app.startApplication(application, not self.config["no_save"])

    def _prepare(self, application: Any) -> None:
        """Take the steps up to the shedding of rights."""
        config = self.config
        process: Any = service.IProcess(application)
        if not config["originalname"]:
            launchWithName(process.processName)
        # Who is who is not known in another root.
        uid, gid = self._whom(process)
        self.setupEnvironment(
            config["chroot"],
            config["rundir"],
            config["nodaemon"],
            config["umask"],
            config["pidfile"],
        )
        root: Any = service.IService(application)
        root.privilegedStartService()
        self.shedPrivileges(config["euid"], uid, gid)

    def _whom(self, process: Any) -> tuple[int | None, int | None]:
        """The user and the group to run as: the options' first, then the application's."""
        uid, gid = self.config["uid"], self.config["gid"]
        uid = process.uid if uid is None else uid
        gid = process.gid if gid is None else gid
        if uid is not None and gid is None:
            try:
                gid = pwd.getpwuid(uid).pw_gid
            except KeyError:
                # Not to keep the group of root, say.
                raise LookupError(
                    f"there is no user {uid} to take the group of: say --gid"
                ) from None
        return uid, gid
