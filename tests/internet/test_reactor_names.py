"""The reactor under the names that Twisted has for several."""

from __future__ import annotations

import asyncio
import inspect
from importlib import import_module

import pytest

from reactorlib.internet import default, reactor
from reactorlib.internet.asyncioreactor import AsyncioSelectorReactor
from reactorlib.internet.error import ReactorAlreadyInstalledError

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
