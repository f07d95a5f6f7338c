"""What starts processes, and starts them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reactorlib.application.service import Service
from reactorlib.internet import error
from reactorlib.internet import reactor as _reactor
from reactorlib.internet.defer import Deferred, DeferredList
from reactorlib.logger import Logger
from reactorlib.python.deprecate import deprecated, deprecatedProperty
from reactorlib.python.failure import Failure
from reactorlib.python.versions import Version
from reactorlib.runner.procmon._logging import LoggingProtocol

__all__ = ["ProcessMonitor"]


@dataclass(frozen=True, slots=True)
class _Process:
    """How a process is started."""

    args: list[str]
    uid: int | None
    gid: int | None
    env: Mapping[str, str] | None
    cwd: str | None

    @deprecated(Version("Twisted", 18, 7, 0))
    def toTuple(self) -> tuple[Any, ...]:
        """What of it a dictionary of old has."""
        return self._old

    @property
    def _old(self) -> tuple[Any, ...]:
        return self.args, self.uid, self.gid, self.env

    def __str__(self) -> str:
        given = {"uid": self.uid, "gid": self.gid, "cwd": self.cwd}
        text = " ".join(map(str, self.args))
        more = ", ".join(f"{key}={value}" for key, value in given.items() if value is not None)
        return f"{text} ({more})" if more else text


class ProcessMonitor(Service):
    """
    Starts processes, and starts each again when it ends, for as long as it runs.

    Args:
        reactor: what starts them, and whose time it is.

    Attributes:
        threshold: for how many seconds a process has to run for its end not to count
            as a failed start.
        killTime: how many seconds a process has to end after SIGTERM, until SIGKILL.
        minRestartDelay: how many seconds after a failed start the next begins, the
            first time.
        maxRestartDelay: up to how many seconds that is doubled.
        protocols: the `LoggingProtocol` of each process that runs, by name.
        timeStarted: when each was started last, by name, as `reactor.seconds()`.
        delay: after how many seconds each will be started when it fails next.
        murder: the `DelayedCall` that kills a process which is to end, by name.
        restart: the `DelayedCall` that starts a process again, by name.
        log: where it is logged what processes write, and how they end.
    """

    # The name that it is logged and saved under.
    __module__ = "reactorlib.runner.procmon"

    threshold: float = 1
    killTime: float = 5
    minRestartDelay: float = 1
    maxRestartDelay: float = 3600

    log = Logger()
    _reactor: Any = _reactor

    def __init__(self, reactor: Any = _reactor) -> None:
        self._reactor = reactor
        self._processes: dict[str, _Process] = {}
        self._forget()

    def _forget(self) -> None:
        self.protocols: dict[str, LoggingProtocol] = {}
        self.delay: dict[str, float] = {}
        self.timeStarted: dict[str, float] = {}
        self.murder: dict[str, Any] = {}
        self.restart: dict[str, Any] = {}
        #: Those whose output is open: they run, or have left something behind that does.
        self._open: set[LoggingProtocol] = set()

    @deprecatedProperty(Version("Twisted", 18, 7, 0))
    def processes(self) -> dict[str, tuple[Any, ...]]:
        """The arguments, user, group and environment of each process, by name."""
        return {name: process.toTuple() for name, process in self._processes.items()}

    def __getstate__(self) -> dict[str, Any]:
        """What is to run is saved; what runs is not."""
        state = super().__getstate__()
        for name in ("protocols", "delay", "timeStarted", "murder", "restart"):
            state.pop(name, None)
        for name in ("_reactor", "_open"):
            state.pop(name, None)
        processes = state.pop("_processes")
        state["processes"] = {name: process._old for name, process in processes.items()}
        state["cwds"] = {name: process.cwd for name, process in processes.items() if process.cwd}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        processes, cwds = state.pop("processes"), state.pop("cwds", {})
        self.__dict__.update(state)
        self._processes = {
            name: _Process(args, uid, gid, env, cwds.get(name))
            for name, (args, uid, gid, env) in processes.items()
        }
        self._forget()

    # -- what is to run -----------------------------------------------------------

    def addProcess(
        self,
        name: str,
        args: Sequence[str],
        uid: int | None = None,
        gid: int | None = None,
        env: Mapping[str, str] | None = {},
        cwd: str | None = None,
    ) -> None:
        """
        Add a process; it is started if this runs.

        Args:
            name: what it is called here, and in the log.
            args: its program's name or path, and its arguments. No shell sees them.
            uid, gid: numbers of the user and group it runs as; None for ours.
            env: its environment, empty unless given; None for ours.
            cwd: the folder that it starts in; None for ours.

        Raises:
            KeyError: there is one of that name.
            ValueError: `args` is empty.
        """
        if name in self._processes:
            raise KeyError(f"remove {name} first: process {name} already exists")
        if isinstance(args, str | bytes) or not args:
            raise ValueError(f"args are the program and its arguments, in a list, not {args!r}")
        self._processes[name] = _Process(list(args), uid, gid, env, cwd)
        self.delay[name] = self.minRestartDelay
        if self.running:
            self.startProcess(name)

    def removeProcess(self, name: str) -> None:
        """
        Have a process end, and not be started again.

        Raises:
            KeyError: there is none of that name.
        """
        self.stopProcess(name)
        del self._processes[name]
        self._cancel_restart(name)
        if name not in self.protocols:
            self._forget_process(name)

    def _forget_process(self, name: str) -> None:
        for known in (self.delay, self.timeStarted, self.restart):
            known.pop(name, None)

    def _process(self, name: str) -> _Process:
        try:
            return self._processes[name]
        except KeyError:
            raise KeyError(f"there is no process {name!r}: add it first") from None

    # -- the service --------------------------------------------------------------

    def startService(self) -> None:
        """Start all."""
        super().startService()
        for name in list(self._processes):
            self.startProcess(name)

    def stopService(self, grace: float | None = None) -> Deferred[Any]:
        """
        Have all end, and start none again.

        Args:
            grace: how many seconds they have, if that is less than `killTime`.

        Returns:
            a Deferred that fires when the last has ended and all that it wrote is
            logged. If it is cancelled, all are killed.
        """
        super().stopService(grace)
        for name in self._processes:
            self._cancel_restart(name)
        limit = self.killTime if grace is None else min(grace, self.killTime)
        going = list(self._open)
        for name in list(self.protocols):
            self._end(name, limit)
        all_closed: Deferred[Any] = DeferredList([self._closed(protocol) for protocol in going])

        def kill(_: object) -> None:
            for protocol in going:
                if not protocol.exited.called:
                    self._forceStopProcess(protocol.transport)
                protocol.transport.loseConnection()

        stopped: Deferred[Any] = Deferred(kill)

        def done(_: object) -> None:
            if not stopped.called:
                stopped.callback(None)

        all_closed.addCallback(done)
        return stopped

    def _closed(self, protocol: LoggingProtocol) -> Deferred[None]:
        """Fires when it has ended, and its output too; a child of its own cannot hold that up."""
        closed: Deferred[None] = Deferred()

        def exited(_: object) -> None:
            if protocol.closed.called:
                return
            late = self._reactor.callLater(self.killTime, protocol.transport.loseConnection)

            def in_time(_: object) -> None:
                if late.active():
                    late.cancel()

            protocol.closed.addCallback(in_time)

        protocol.exited.addCallback(exited)
        protocol.closed.addCallback(lambda _: closed.callback(None))
        return closed

    # -- one process --------------------------------------------------------------

    def startProcess(self, name: str) -> None:
        """
        Start a process, unless it runs.

        One that cannot be started is tried again like one that has ended at once.

        Raises:
            KeyError: there is none of that name.
        """
        process = self._process(name)
        if name in self.protocols:
            return
        self._cancel_restart(name)
        protocol = LoggingProtocol()
        protocol.service, protocol.name = self, name
        self.protocols[name] = protocol
        self._open.add(protocol)
        protocol.closed.addCallback(lambda _: self._open.discard(protocol))
        self.timeStarted[name] = self._reactor.seconds()
        self.delay.setdefault(name, self.minRestartDelay)
        try:
            self._reactor.spawnProcess(
                protocol,
                process.args[0],
                process.args,
                uid=process.uid,
                gid=process.gid,
                env=process.env,
                path=process.cwd,
            )
        except OSError:
            self._not_started(name)
            self.log.failure("Cannot start process {name}", name=name)
            self._start_again(name)
        except BaseException:
            self._not_started(name)
            raise

    def _not_started(self, name: str) -> None:
        self._open.discard(self.protocols.pop(name))

    def stopProcess(self, name: str) -> None:
        """
        Have a process end, if it runs: by SIGTERM, and after `killTime` by SIGKILL.

        While the service runs it is started again then.

        Raises:
            KeyError: there is none of that name.
        """
        self._process(name)
        self._end(name, self.killTime)

    def restartAll(self) -> None:
        """Have all end, and start again: their programs may have changed, say."""
        for name in list(self._processes):
            self.stopProcess(name)

    def _end(self, name: str, limit: float) -> None:
        protocol = self.protocols.get(name)
        if protocol is None:
            return
        process = protocol.transport
        murder = self.murder.get(name)
        if murder is None:
            try:
                process.signalProcess("TERM")
            except error.ProcessExitedAlready:
                return
            self.murder[name] = self._reactor.callLater(limit, self._forceStopProcess, process)
        elif murder.active() and murder.getTime() > self._reactor.seconds() + limit:
            murder.reset(limit)

    def _forceStopProcess(self, process: Any) -> None:
        try:
            process.signalProcess("KILL")
        except error.ProcessExitedAlready:
            pass

    @deprecated(Version("Twisted", 25, 5, 0))
    def connectionLost(self, name: str) -> None:
        """A process has ended, and is started again if it is wanted."""
        protocol = self.protocols.get(name)
        if protocol is not None:
            protocol._exit(Failure(error.ProcessDone(0)))

    def _exited(self, protocol: LoggingProtocol, reason: Failure) -> None:
        """A process has ended."""
        name = protocol.name
        asked_to = self.murder.pop(name, None)
        if asked_to is not None and asked_to.active():
            asked_to.cancel()
        if self.protocols.get(name) is protocol:
            del self.protocols[name]
        if asked_to is None and not reason.check(error.ProcessDone):
            text = reason.getErrorMessage()
            self.log.warn("Process {name} has failed: {reason}", name=name, reason=text)
        self._start_again(name)

    def _start_again(self, name: str) -> None:
        """Start it, at once or later, if it is still wanted."""
        if name not in self._processes:
            self._forget_process(name)
            return
        delay = self.delay[name]
        if self._reactor.seconds() - self.timeStarted[name] < self.threshold:
            self.delay[name] = min(delay * 2, self.maxRestartDelay)
        else:
            self.delay[name] = self.minRestartDelay
            delay = 0
        if not self.running:
            return
        if delay:
            self.log.info(
                "Process {name} is started again in {delay} s: it ran for less than {threshold} s",
                name=name,
                delay=delay,
                threshold=self.threshold,
            )
        self._cancel_restart(name)
        self.restart[name] = self._reactor.callLater(delay, self.startProcess, name)

    def _cancel_restart(self, name: str) -> None:
        restart = self.restart.get(name)
        if restart is not None and restart.active():
            restart.cancel()

    def __repr__(self) -> str:
        listed = "; ".join(f"{name}: {process}" for name, process in self._processes.items())
        return f"<{type(self).__name__} {listed}>" if listed else f"<{type(self).__name__}>"
