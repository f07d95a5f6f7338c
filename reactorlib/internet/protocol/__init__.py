"""
Protocols, and the factories that make them: what a program is written as.

A protocol talks over one connection, over datagrams, or with a process; a
factory makes one for each connection. See `_stream` for how they meet asyncio.
"""

from reactorlib.internet.protocol._adapters import (
    ConsumerToProtocolAdapter,
    ProtocolToConsumerAdapter,
)
from reactorlib.internet.protocol._client_creator import ClientCreator, _InstanceFactory
from reactorlib.internet.protocol._datagram import (
    AbstractDatagramProtocol,
    ConnectedDatagramProtocol,
    DatagramProtocol,
)
from reactorlib.internet.protocol._file import FileWrapper
from reactorlib.internet.protocol._process import ProcessProtocol
from reactorlib.internet.protocol._reconnecting import ReconnectingClientFactory
from reactorlib.internet.protocol._stream import (
    BaseProtocol,
    ClientFactory,
    Factory,
    Protocol,
    ServerFactory,
    connectionDone,
)

__all__ = [
    "AbstractDatagramProtocol",
    "BaseProtocol",
    "ClientCreator",
    "ClientFactory",
    "ConnectedDatagramProtocol",
    "ConsumerToProtocolAdapter",
    "DatagramProtocol",
    "Factory",
    "FileWrapper",
    "ProcessProtocol",
    "Protocol",
    "ProtocolToConsumerAdapter",
    "ReconnectingClientFactory",
    "ServerFactory",
    "connectionDone",
]

# Twisted's own name for what is inside, where programs look for it.
_ALSO = (_InstanceFactory,)
