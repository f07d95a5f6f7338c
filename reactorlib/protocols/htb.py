"""
Token buckets, one inside the other, that limit how fast data is sent.

A bucket holds what has been sent lately, and drains at its rate; what does not
fit waits. A bucket may stand in another, which then holds both: so each host
may have its rate, and all of them together another. After Martin Devera's
Hierarchical Token Bucket for Linux, http://luxik.cdi.cz/~devik/qos/htb/.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic as time
from typing import Any

from zope.interface import Interface, implementer

from reactorlib.protocols import pcp
from reactorlib.python._asyncio import loop_here

__all__ = [
    "Bucket",
    "FilterByHost",
    "FilterByServer",
    "HierarchicalBucketFilter",
    "IBucketFilter",
    "ShapedConsumer",
    "ShapedProtocolFactory",
    "ShapedTransport",
]


class Bucket:
    """
    A bucket that drains.

    Args:
        parentBucket: the bucket it stands in; what is added here is added there.

    Attributes:
        maxburst: how many tokens it holds; None for any number.
        rate: how many drain in a second; None for all at once.
    """

    maxburst: float | None = None
    rate: float | None = None
    _refcount = 0

    def __init__(self, parentBucket: Bucket | None = None) -> None:
        self.content: float = 0
        self.parentBucket = parentBucket
        self.lastDrip = time()

    def add(self, amount: int) -> int:
        """
        Add up to `amount` tokens, here and in the parent.

        Returns:
            how many fitted in both.
        """
        self.drip()
        if self.maxburst is None:
            allowable = amount
        else:
            allowable = max(0, min(amount, math.floor(self.maxburst - self.content)))
        if self.parentBucket is not None:
            allowable = self.parentBucket.add(allowable)
        self.content += allowable
        return allowable

    def drip(self) -> bool:
        """Let drain what has had time to; say whether it is empty now."""
        if self.parentBucket is not None:
            self.parentBucket.drip()
        now = time()
        if self.rate is None:
            self.content = 0
        else:
            self.content = max(0, self.content - (now - self.lastDrip) * self.rate)
        self.lastDrip = now
        return self.content == 0

    def _wait(self, amount: int) -> float:
        """In how many seconds there is room for `amount`, or for a good part of it."""
        wait = 0.0
        if self.maxburst is not None and self.rate is not None:
            # Many small pieces would cost more than they bring.
            amount_here = min(amount, max(1, math.ceil(self.maxburst / 4)))
            wait = max(0.0, (self.content + amount_here - self.maxburst) / self.rate)
        if self.parentBucket is not None:
            wait = max(wait, self.parentBucket._wait(amount))
        return wait


class IBucketFilter(Interface):
    """What knows the bucket that something belongs in."""

    def getBucketFor(*somethings: Any, **some_kw: Any) -> Bucket:
        """The bucket; see `HierarchicalBucketFilter`."""


@implementer(IBucketFilter)
class HierarchicalBucketFilter:
    """
    Finds or makes the bucket for a transport, within that of another filter.

    Args:
        parentFilter: knows the bucket that a new one stands in. It is asked with
            this filter as a first argument before the others.

    Attributes:
        bucketFactory: makes a bucket, called with its parent.
        sweepInterval: how often buckets that are empty, and that nobody uses, are
            forgotten, in seconds; None for never.
        buckets: those there are, by key.
    """

    bucketFactory: Callable[..., Bucket] = Bucket
    sweepInterval: float | None = None

    def __init__(self, parentFilter: Any = None) -> None:
        self.buckets: dict[Any, Bucket] = {}
        self.lastSweep = time()
        self.parentFilter = parentFilter

    def getBucketFor(self, *a: Any, **kw: Any) -> Bucket:
        """The bucket of whatever `getBucketKey` makes of the arguments."""
        if self.sweepInterval is not None and time() - self.lastSweep > self.sweepInterval:
            self.sweep()
        parent = None
        if self.parentFilter is not None:
            parent = self.parentFilter.getBucketFor(self, *a, **kw)
        key = self.getBucketKey(*a, **kw)
        bucket = self.buckets.get(key)
        if bucket is None:
            bucket = self.buckets[key] = self.bucketFactory(parent)
        return bucket

    def getBucketKey(self, *a: Any, **kw: Any) -> Any:
        """What the bucket is found by: the same for all, unless overridden."""
        return None

    def sweep(self) -> None:
        """Forget the buckets that are empty, and that nobody uses."""
        for key, bucket in list(self.buckets.items()):
            if bucket.drip() and not bucket._refcount:
                del self.buckets[key]
        self.lastSweep = time()


class FilterByHost(HierarchicalBucketFilter):
    """A bucket for each host that is talked to."""

    sweepInterval = 60 * 20

    def getBucketKey(self, *a: Any, **kw: Any) -> Any:
        """The host; None for a peer that has none, as on a UNIX socket."""
        return getattr(a[-1].getPeer(), "host", None)


class FilterByServer(HierarchicalBucketFilter):
    """A bucket for each port that is listened on."""

    sweepInterval = None

    def getBucketKey(self, *a: Any, **kw: Any) -> Any:
        """The port; None for a server that has none, as on a UNIX socket."""
        return getattr(a[-1].getHost(), "port", None)


class ShapedConsumer(pcp.ProducerConsumerProxy):
    """
    Passes on to a consumer no more than a bucket allows.

    What does not fit is passed on when it does, while a loop runs.

    Args:
        consumer: what takes the data.
        bucket: what limits it.
    """

    iAmStreaming = False
    _call: Any = None
    _released = False

    def __init__(self, consumer: Any, bucket: Bucket) -> None:
        self.bucket = bucket
        bucket._refcount += 1
        super().__init__(consumer)

    def callLater(self, period: float, func: Callable[[], object]) -> Any:
        """The reactor's; may be overridden, as with that of a Clock."""
        if loop_here() is None:
            return None
        from reactorlib.internet import reactor

        return reactor.callLater(period, func)

    def _writeSomeData(self, data: Any) -> int:
        fits = self.bucket.add(len(data))
        if fits:
            super()._writeSomeData(data[:fits])
        if fits < len(data) and self._call is None and self.consumer is not None:
            self._call = self.callLater(self.bucket._wait(len(data) - fits), self._try_again)
        return fits

    def _try_again(self) -> None:
        self._call = None
        if self.consumer is not None and not self.paused:
            self.resumeProducing()

    def stopProducing(self) -> None:
        """The consumer is gone."""
        self._release()
        super().stopProducing()

    def _release(self) -> None:
        """Have done with the bucket."""
        if not self._released:
            self._released = True
            self.bucket._refcount -= 1
        call, self._call = self._call, None
        if call is not None:
            call.cancel()


class ShapedTransport(ShapedConsumer):
    """
    A transport that sends no faster than a bucket allows.

    Whatever is not about sending is the wrapped transport's.
    """

    _closing = False

    def __getattr__(self, name: str) -> Any:
        # What is private is never the transport's; nor anything before there is one.
        if name.startswith("__") or self.consumer is None:
            raise AttributeError(name)
        return getattr(self._transport, name)

    def __init__(self, consumer: Any, bucket: Bucket) -> None:
        self._transport = consumer
        super().__init__(consumer, bucket)

    @property
    def disconnecting(self) -> bool:
        """Whether it closes."""
        return self._closing or bool(self._transport.disconnecting)

    def writeSequence(self, data: Any) -> None:
        """Send several pieces as one."""
        self.write(b"".join(data))

    def write(self, data: Any) -> None:
        """Send `data`."""
        if not self._closing or self.producer is not None:
            super().write(data)

    def loseConnection(self) -> None:
        """Close once everything written has been sent."""
        self._closing = True
        self._close_if_sent()

    def resumeProducing(self) -> None:
        """Send what waits, as much as the bucket allows."""
        super().resumeProducing()
        self._close_if_sent()

    def _leave(self) -> None:
        """The producer is done; this is still the transport's."""
        self.unregistered = False
        self._close_if_sent()

    def _close_if_sent(self) -> None:
        if self._closing and not self._buffer and self.producer is None and not self._released:
            self._release()
            self._transport.unregisterProducer()
            self._transport.loseConnection()


class ShapedProtocolFactory:
    """
    Makes protocols whose transports send no faster than their buckets allow.

        factory.protocol = ShapedProtocolFactory(factory.protocol, bucketFilter)

    Args:
        protoClass: makes a protocol.
        bucketFilter: an `IBucketFilter`, asked with the transport.
    """

    def __init__(self, protoClass: Callable[..., Any], bucketFilter: Any) -> None:
        self.protocol = protoClass
        self.bucketFilter = bucketFilter

    def __call__(self, *a: Any, **kw: Any) -> Any:
        """A protocol, made with these arguments."""
        proto = self.protocol(*a, **kw)
        make_connection = proto.makeConnection

        def make_shaped_connection(transport: Any) -> Any:
            bucket = self.bucketFilter.getBucketFor(transport)
            return make_connection(ShapedTransport(transport, bucket))

        proto.makeConnection = make_shaped_connection
        return proto
