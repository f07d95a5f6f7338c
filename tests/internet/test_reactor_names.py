"""The reactor under the names that Twisted has for several."""

from __future__ import annotations

import asyncio
import inspect
from importlib import import_module

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from reactorlib.application.service import MultiService, Service
from reactorlib.internet import base, default, interfaces, posixbase, protocol, reactor
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.endpoints import _parse  # type: ignore[attr-defined]
from reactorlib.internet.error import ConnectionRefusedError, ReactorAlreadyInstalledError
from reactorlib.internet.protocol import _InstanceFactory  # type: ignore[attr-defined]
from reactorlib.internet.task import Clock
from reactorlib.python.failure import Failure

NAMES = {
    "epollreactor": "EPollReactor",
    "pollreactor": "PollReactor",
    "selectreactor": "SelectReactor",
}


@pytest.mark.parametrize("name", NAMES)
def test_each_installs_the_reactor(name: str) -> None:
    module = import_module(f"reactorlib.internet.{name}")
    assert getattr(module, NAMES[name]) is AsyncioSelectorReactor
    module.install()
    seen: list[asyncio.AbstractEventLoop] = []
    reactor.callWhenRunning(lambda: seen.append(asyncio.get_running_loop()))
    reactor.callWhenRunning(reactor.stop)
    with pytest.raises(ReactorAlreadyInstalledError):
        module.install()
    reactor.run()
    assert len(seen) == 1


def test_the_default_is_from_a_module_with_the_class() -> None:
    """Programs look there for the class."""
    module = inspect.getmodule(default.install)
    assert module is not None
    assert [name for name in dir(module) if name.lower() == module.__name__.split(".")[-1]]


def test_there_is_one_kind() -> None:
    assert posixbase.PosixReactorBase is base.ReactorBase is AsyncioSelectorReactor
    assert isinstance(reactor, posixbase.PosixReactorBase)


@pytest.mark.parametrize("name", ["doIteration", "mainLoop"])
def test_a_reactor_with_a_loop_of_its_own_is_refused(name: str) -> None:
    """Nothing would call it: the program would wait for ever."""
    with pytest.raises(TypeError, match=rf"^Own has a {name}\(\) of its own"):
        type("Own", (posixbase.PosixReactorBase,), {name: lambda self, delay=0: None})

    class Counting(posixbase.PosixReactorBase):
        """Other methods can be had otherwise."""

        def stop(self) -> None:
            super().stop()

    reactor = Counting()
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)


def test_the_loop_by_the_name_that_twisted_has() -> None:
    """So do Daphne and Scrapy look for it."""
    loop = asyncio.new_event_loop()
    assert AsyncioSelectorReactor(loop)._asyncioEventloop is loop
    loop.close()
    own = AsyncioSelectorReactor()
    with pytest.raises(AttributeError, match="has no loop yet"):
        _ = own._asyncioEventloop
    seen: list[bool] = []
    own.callWhenRunning(lambda: seen.append(own._asyncioEventloop is asyncio.get_running_loop()))
    own.callWhenRunning(own.stop)
    own.run(installSignalHandlers=False)
    assert seen == [True]


@pytest.mark.parametrize(
    ("description", "parsed"),
    [
        ("tcp:80:interface=a\\:b", (["tcp", "80"], {"interface": "a:b"})),
        ("unix:/run/x:mode=660:lockfile=0", (["unix", "/run/x"], {"mode": "660", "lockfile": "0"})),
        ("stdio:", (["stdio"], {})),
        ("a:b=c=d", (["a"], {"b": "c=d"})),
    ],
)
def test_a_description_taken_apart(
    description: str, parsed: tuple[list[str], dict[str, str]]
) -> None:
    assert _parse(description) == parsed


def test_the_factory_of_one_protocol() -> None:
    """It is used by itself, in ClientCreator's place."""
    clock = Clock()
    told: Deferred[protocol.Protocol] = Deferred()
    only = protocol.Protocol()
    factory = _InstanceFactory(clock, only, told)
    assert factory.buildProtocol(None) is only
    assert factory.pending.active()
    assert not told.called
    clock.advance(0)
    assert told.result is only
    assert factory.pending is None

    failed: Deferred[protocol.Protocol] = Deferred()
    factory = _InstanceFactory(clock, only, failed)
    factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
    clock.advance(0)
    failed.addErrback(lambda failure: failure.trap(ConnectionRefusedError))
    assert failed.result is ConnectionRefusedError


def test_interfaces_that_are_for_others_to_provide() -> None:
    @implementer(interfaces.IReactorWin32Events)
    class Events:
        def addEvent(self, event: object, fd: object, action: str) -> None: ...

        def removeEvent(self, event: object) -> None: ...

    assert verifyObject(interfaces.IReactorWin32Events, Events())
    assert not interfaces.IReactorWin32Events.providedBy(reactor)

    @implementer(interfaces.IServiceCollection)
    class Services(MultiService):
        pass

    services = Services()
    assert verifyObject(interfaces.IServiceCollection, services)
    one = Service()
    one.setName("one")
    services.addService(one)
    assert interfaces.IServiceCollection(services).getServiceNamed("one") is one
