"""A process whose standard input and output is a connection."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.address import _ProcessAddress
from reactorlib.internet.defer import Deferred, fail, succeed
from reactorlib.internet.endpoints._asyncio_protocol import as_factory, spoken_by
from reactorlib.internet.endpoints._client import ClientEndpoint
from reactorlib.internet.interfaces import (
    IConsumer,
    IDrainable,
    IPushProducer,
    ITransport,
)
from reactorlib.internet.protocol import ProcessProtocol
from reactorlib.python._report import note
from reactorlib.python.failure import Failure

__all__ = ["ProcessEndpoint", "StandardErrorBehavior", "_WrapIProtocol"]

_log = logging.getLogger("reactorlib.internet.endpoints")


class StandardErrorBehavior(Enum):
    """
    What to do with what a process writes to its standard error.

    `LOG` logs it, at the level WARNING; `DROP` drops it.
    """

    LOG = "LOG"
    DROP = "DROP"


class ProcessEndpoint(ClientEndpoint):
    """
    A process: what is written goes to its input, what it puts out is received.

    When the process has ended, `connectionLost` gets `ConnectionDone` if its exit
    code was 0, or else `ConnectionLost` with the `ProcessTerminated` as its cause.
    `connect()` fails with what `spawnProcess` raises.

    Args:
        reactor: the reactor to start it with.
        executable: the path of the program.
        args: its arguments, the name of the program first.
        env: its environment, which is empty unless said; None for this one's.
        path: the directory to start it in.
        uid: the user to run it as.
        gid: the group to run it as.
        usePTY: whether to run it in a terminal.
        childFDs: its descriptors, as `spawnProcess` takes them.
        errFlag: what to do with its standard error.
    """

    def __init__(
        self,
        reactor: Any,
        executable: Any,
        args: Sequence[Any] = (),
        env: Mapping[Any, Any] | None = {},  # never changed, and Twisted's default
        path: Any = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: Any = 0,
        childFDs: Mapping[int, Any] | None = None,
        errFlag: StandardErrorBehavior = StandardErrorBehavior.LOG,
    ) -> None:
        self._reactor = reactor
        self._executable = executable
        self._args = args
        self._env = env
        self._path = path
        self._uid = uid
        self._gid = gid
        self._usePTY = usePTY
        self._childFDs = childFDs
        self._errFlag = errFlag

    def _spawnProcess(self, *args: Any) -> Any:
        return self._reactor.spawnProcess(*args)

    def _connect(self, protocolFactory: Any) -> Deferred[Any]:
        try:
            protocol = as_factory(protocolFactory).buildProtocol(_ProcessAddress())
            if protocol is None:
                raise error.NoProtocol("the factory made no protocol")
            self._spawnProcess(
                _WrapIProtocol(protocol, self._executable, self._errFlag),
                self._executable,
                self._args,
                self._env,
                self._path,
                self._uid,
                self._gid,
                self._usePTY,
                self._childFDs,
            )
        except Exception:
            return fail()
        return succeed(spoken_by(protocol))


@implementer(ITransport, IConsumer, IPushProducer, IDrainable)
class _ProcessEndpointTransport:
    """A process as a transport: its input, and the reading of its output."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def write(self, data: bytes) -> None:
        self._process.writeToChild(0, data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def drain(self) -> Deferred[None]:
        drained: Deferred[None] = self._process.drain()
        return drained

    def loseConnection(self) -> None:
        """Close its input, output and error output."""
        self._process.loseConnection()

    def loseWriteConnection(self) -> None:
        """Close its input, and read on."""
        self._process.closeStdin()

    def getHost(self) -> Any:
        return self._address("getHost")

    def getPeer(self) -> Any:
        return self._address("getPeer")

    def _address(self, which: str) -> Any:
        try:
            return getattr(self._process, which)()
        except NotImplementedError:
            return _ProcessAddress()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._process.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self._process.unregisterProducer()

    def pauseProducing(self) -> None:
        self._process.pauseProducing()

    def resumeProducing(self) -> None:
        self._process.resumeProducing()

    def stopProducing(self) -> None:
        self._process.stopProducing()


class _WrapIProtocol(ProcessProtocol):
    """Tells a protocol what it is told of a process."""

    def __init__(self, proto: Any, executable: Any, errFlag: StandardErrorBehavior) -> None:
        self.protocol = proto
        self.errFlag = errFlag
        self.executable = executable

    def makeConnection(self, process: Any) -> None:
        self.transport = _ProcessEndpointTransport(process)
        self.protocol.makeConnection(self.transport)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == 1:
            self.protocol.dataReceived(data)
        elif childFD == 2 and self.errFlag is StandardErrorBehavior.LOG:
            note(
                _log,
                "Process %r wrote stderr unhandled by %r: %r",
                self.executable,
                self.protocol,
                data,
                level=logging.WARNING,
                executable=self.executable,
                protocol=self.protocol,
                data=data,
            )

    def processEnded(self, reason: Failure) -> None:
        ended = reason.value
        if isinstance(ended, error.ProcessDone):
            self.protocol.connectionLost(Failure(error.ConnectionDone()))
            return
        lost = error.ConnectionLost(str(ended))
        lost.__cause__ = ended
        self.protocol.connectionLost(Failure(lost))
