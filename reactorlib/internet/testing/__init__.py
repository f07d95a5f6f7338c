"""
What tests of protocols and of programs need in place of a network and of time.

Transports that keep what is written; a reactor that only takes notes; a link
between two protocols, with latency, bandwidth and loss; and an asyncio loop whose
time passes without anybody waiting for it.
"""

from reactorlib.internet.testing._clock_loop import ClockEventLoop
from reactorlib.internet.testing._link import Link, LinkTransport
from reactorlib.internet.testing._memory_reactor import (
    MemoryReactor,
    MemoryReactorClock,
    RaisingMemoryReactor,
    SynchronousResolver,
    _FakeConnector,
    _FakePort,
)
from reactorlib.internet.testing._protocols import (
    AccumulatingProtocol,
    EventLoggingObserver,
    LineSendingProtocol,
    waitUntilAllDisconnected,
)
from reactorlib.internet.testing._transports import (
    FakeDatagramTransport,
    NonStreamingProducer,
    StringIOWithoutClosing,
    StringTransport,
    StringTransportWithDisconnection,
)

__all__ = [
    "AccumulatingProtocol",
    "ClockEventLoop",
    "EventLoggingObserver",
    "FakeDatagramTransport",
    "LineSendingProtocol",
    "Link",
    "LinkTransport",
    "MemoryReactor",
    "MemoryReactorClock",
    "NonStreamingProducer",
    "RaisingMemoryReactor",
    "StringIOWithoutClosing",
    "StringTransport",
    "StringTransportWithDisconnection",
    "SynchronousResolver",
    "_FakeConnector",
    "_FakePort",
    "waitUntilAllDisconnected",
]
