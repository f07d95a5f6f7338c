"""
The helpers of `reactorlib.internet.testing`, under their older path.

As in Twisted, each of them is deprecated here: use the newer path.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from reactorlib.internet import testing

if TYPE_CHECKING:
    from reactorlib.internet.testing import (
        AccumulatingProtocol as AccumulatingProtocol,
    )
    from reactorlib.internet.testing import (
        EventLoggingObserver as EventLoggingObserver,
    )
    from reactorlib.internet.testing import (
        FakeDatagramTransport as FakeDatagramTransport,
    )
    from reactorlib.internet.testing import (
        LineSendingProtocol as LineSendingProtocol,
    )
    from reactorlib.internet.testing import (
        MemoryReactor as MemoryReactor,
    )
    from reactorlib.internet.testing import (
        MemoryReactorClock as MemoryReactorClock,
    )
    from reactorlib.internet.testing import (
        NonStreamingProducer as NonStreamingProducer,
    )
    from reactorlib.internet.testing import (
        RaisingMemoryReactor as RaisingMemoryReactor,
    )
    from reactorlib.internet.testing import (
        StringIOWithoutClosing as StringIOWithoutClosing,
    )
    from reactorlib.internet.testing import (
        StringTransport as StringTransport,
    )
    from reactorlib.internet.testing import (
        StringTransportWithDisconnection as StringTransportWithDisconnection,
    )
    from reactorlib.internet.testing import (
        SynchronousResolver as SynchronousResolver,
    )
    from reactorlib.internet.testing import (
        _FakeConnector as _FakeConnector,
    )
    from reactorlib.internet.testing import (
        _FakePort as _FakePort,
    )
    from reactorlib.internet.testing import (
        waitUntilAllDisconnected as waitUntilAllDisconnected,
    )

#: What has moved.
_MOVED = {*testing.__all__} - {"ClockEventLoop", "Link", "LinkTransport"}


def __getattr__(name: str) -> Any:
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"{__name__}.{name} is deprecated: use {testing.__name__}.{name}",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(testing, name)


def __dir__() -> list[str]:
    return sorted(_MOVED)
