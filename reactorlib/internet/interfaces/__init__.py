"""
The zope interfaces of reactor, transports, protocols and endpoints.

They say what a caller may rely on. Code that only type-checks does not need
them; code that adapts, or asks `IReactorTime.providedBy(reactor)`, does.
"""

from reactorlib.internet.interfaces._endpoints import IStreamClientEndpoint, IStreamServerEndpoint
from reactorlib.internet.interfaces._reactor import IDelayedCall, IReactorCore, IReactorTime
from reactorlib.internet.interfaces._streams import (
    IAddress,
    IConnector,
    IConsumer,
    IListeningPort,
    ILoggingContext,
    IProducer,
    IProtocol,
    IProtocolFactory,
    IPullProducer,
    IPushProducer,
    IReactorTCP,
    ITCPTransport,
    ITransport,
)

__all__ = [
    "IAddress",
    "IConnector",
    "IConsumer",
    "IDelayedCall",
    "IListeningPort",
    "ILoggingContext",
    "IProducer",
    "IProtocol",
    "IProtocolFactory",
    "IPullProducer",
    "IPushProducer",
    "IReactorCore",
    "IReactorTCP",
    "IReactorTime",
    "IStreamClientEndpoint",
    "IStreamServerEndpoint",
    "ITCPTransport",
    "ITransport",
]
