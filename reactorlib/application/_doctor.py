"""What a program finds here: Python, loops, extras, limits, plugins."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import resource
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from reactorlib import __version__
from reactorlib.application import reactors, service
from reactorlib.plugin import entryPointPlugins, getPlugins

__all__ = ["examine"]

#: Extras that programs use; the others are for developing reactorlib itself.
_NOT_FOR_PROGRAMS = {"bench", "dev", "examples", "test"}

#: With fewer open files than this a server soon refuses connections.
_FEW_FILES = 4096


def examine(write: Callable[[str], object] = print) -> int:
    """
    Say what there is, a line each, and what is wrong with it.

    Returns:
        0; 1 if something is broken that programs need.
    """
    broken = 0
    for mark, what, text in _findings():
        broken += mark == "FAILED"
        write(f"{mark:<7}{what:<21} {text}")
    return 1 if broken else 0


def _findings() -> Iterator[tuple[str, str, str]]:
    yield "ok", "reactorlib", f"{__version__} in {os.path.dirname(os.path.dirname(__file__))}"
    yield "ok", "Python", f"{platform.python_version()} ({sys.executable}), {platform.platform()}"
    yield from _dependencies()
    yield from _loops()
    yield from _limits()
    yield from _manager()
    yield from _plugins()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _dependencies() -> Iterator[tuple[str, str, str]]:
    core = _version("zope.interface")
    yield ("ok", "zope.interface", core) if core else ("FAILED", "zope.interface", "not installed")
    try:
        needed = requires("reactorlib") or []
    except PackageNotFoundError:
        needed = []
    for requirement in needed:
        found = re.match(r"([\w.-]+)", requirement)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", requirement)
        if found is None or extra is None or extra[1] in _NOT_FOR_PROGRAMS:
            continue
        package, there = found[1], _version(found[1])
        if there is None:
            text = f"{package} is not installed: pip install 'reactorlib[{extra[1]}]'"
            yield "-", f"extra {extra[1]}", text
        else:
            yield "ok", f"extra {extra[1]}", f"{package} {there}"


def _loops() -> Iterator[tuple[str, str, str]]:
    loop = asyncio.new_event_loop()
    try:
        selector = type(getattr(loop, "_selector", loop)).__name__
        loop.run_until_complete(asyncio.sleep(0))
        yield "ok", "asyncio's loop", f"{type(loop).__name__}, {selector}"
    finally:
        loop.close()
    names = ", ".join(each.shortName for each in reactors.getReactorTypes())
    yield "ok", "--reactor", names


def _limits() -> Iterator[tuple[str, str, str]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"{soft} (up to {hard})" if hard != resource.RLIM_INFINITY else str(soft)
    if soft < _FEW_FILES:
        yield "few", "open files", f"{text}: a server needs one for each connection (ulimit -n)"
    else:
        yield "ok", "open files", text
    with_backlog = "/proc/sys/net/core/somaxconn"
    if os.path.exists(with_backlog):
        with open(with_backlog, encoding="ascii") as file:
            yield "ok", "listen backlog", f"at most {file.read().strip()}"
    yield "ok", "processors", str(len(os.sched_getaffinity(0)))


def _manager() -> Iterator[tuple[str, str, str]]:
    names = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "INVOCATION_ID")
    there = [name for name in names if name in os.environ]
    yield "ok", "service manager", f"sets {', '.join(there)}" if there else "none"


def _plugins() -> Iterator[tuple[str, str, str]]:
    origins = {each.name: each.origin for each in entryPointPlugins("reactorlib.services")}
    for maker in sorted(getPlugins(service.IServiceMaker), key=lambda each: str(each.tapname)):
        yield _plugin(maker, origins.get(maker.tapname, ""))


def _plugin(maker: Any, origin: str) -> tuple[str, str, str]:
    what = f"command {maker.tapname}"
    try:
        maker.options()
        made = callable(maker.makeService)
    except Exception as error:
        return "FAILED", what, f"{type(error).__name__}: {' '.join(str(error).split())}"
    described = f"{maker.description} ({origin})" if origin else str(maker.description)
    return ("ok", what, described) if made else ("FAILED", what, "its makeService is no function")
