"""
The zope interfaces of reactor, transports, protocols and endpoints.

They say what a caller may rely on. Code that only type-checks does not need
them; code that adapts, or asks `IReactorTime.providedBy(reactor)`, does.
"""

from reactorlib.internet.interfaces._datagrams import (
    IMulticastTransport,
    IReactorMulticast,
    IReactorUDP,
    IReactorUNIXDatagram,
    IUDPTransport,
    IUNIXDatagramConnectedTransport,
    IUNIXDatagramTransport,
)
from reactorlib.internet.interfaces._descriptors import (
    IFileDescriptor,
    IHalfCloseableDescriptor,
    IReactorFDSet,
    IReadDescriptor,
    IReadWriteDescriptor,
    IWriteDescriptor,
)
from reactorlib.internet.interfaces._endpoints import IStreamClientEndpoint, IStreamServerEndpoint
from reactorlib.internet.interfaces._names import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IReactorPluggableResolver,
    IResolutionReceiver,
    IResolverSimple,
)
from reactorlib.internet.interfaces._processes import (
    IProcessProtocol,
    IProcessTransport,
    IReactorProcess,
)
from reactorlib.internet.interfaces._reactor import IDelayedCall, IReactorCore, IReactorTime
from reactorlib.internet.interfaces._streams import (
    IAddress,
    IConnector,
    IConsumer,
    IHalfCloseableProtocol,
    IListeningPort,
    ILoggingContext,
    IProducer,
    IProtocol,
    IProtocolFactory,
    IPullProducer,
    IPushProducer,
    IReactorSSL,
    IReactorTCP,
    ISystemHandle,
    ITCPTransport,
    ITransport,
)
from reactorlib.internet.interfaces._threads import (
    IReactorFromThreads,
    IReactorInThreads,
    IReactorThreads,
)
from reactorlib.internet.interfaces._tls import (
    IAcceptableCiphers,
    ICipher,
    IHandshakeListener,
    INegotiated,
    IOpenSSLClientConnectionCreator,
    IOpenSSLContextFactory,
    IOpenSSLServerConnectionCreator,
    IProtocolNegotiationFactory,
    ISSLTransport,
    ITLSTransport,
)
from reactorlib.internet.interfaces._unix import (
    IFileDescriptorReceiver,
    IReactorSocket,
    IReactorUNIX,
    IUNIXTransport,
)

__all__ = [
    "IAcceptableCiphers",
    "IAddress",
    "ICipher",
    "IConnector",
    "IConsumer",
    "IDelayedCall",
    "IFileDescriptor",
    "IFileDescriptorReceiver",
    "IHalfCloseableDescriptor",
    "IHalfCloseableProtocol",
    "IHandshakeListener",
    "IHostResolution",
    "IHostnameResolver",
    "IListeningPort",
    "ILoggingContext",
    "IMulticastTransport",
    "INegotiated",
    "IOpenSSLClientConnectionCreator",
    "IOpenSSLContextFactory",
    "IOpenSSLServerConnectionCreator",
    "IProcessProtocol",
    "IProcessTransport",
    "IProducer",
    "IProtocol",
    "IProtocolFactory",
    "IProtocolNegotiationFactory",
    "IPullProducer",
    "IPushProducer",
    "IReactorCore",
    "IReactorFDSet",
    "IReactorFromThreads",
    "IReactorInThreads",
    "IReactorMulticast",
    "IReactorPluggableNameResolver",
    "IReactorPluggableResolver",
    "IReactorProcess",
    "IReactorSSL",
    "IReactorSocket",
    "IReactorTCP",
    "IReactorThreads",
    "IReactorTime",
    "IReactorUDP",
    "IReactorUNIX",
    "IReactorUNIXDatagram",
    "IReadDescriptor",
    "IReadWriteDescriptor",
    "IResolutionReceiver",
    "IResolverSimple",
    "ISSLTransport",
    "IStreamClientEndpoint",
    "IStreamServerEndpoint",
    "ISystemHandle",
    "ITCPTransport",
    "ITLSTransport",
    "ITransport",
    "IUDPTransport",
    "IUNIXDatagramConnectedTransport",
    "IUNIXDatagramTransport",
    "IUNIXTransport",
    "IWriteDescriptor",
]
