"""Importing anything has no side effect."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import reactorlib

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(reactorlib.__path__, "reactorlib.")
)

PROBE = """
import asyncio, signal, socket, sys, threading

def refuse(what):
    def refused(*args, **kwargs):
        raise AssertionError(f"importing {sys.argv[1:]} makes a {what}")
    return refused

for policy in (asyncio.DefaultEventLoopPolicy,):
    policy.new_event_loop = refuse("loop")
asyncio.new_event_loop = refuse("loop")
socket.socket.__init__ = refuse("socket")
signal.signal = refuse("signal handler")
threading.Thread.start = refuse("thread")

import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
assert not any(name.split(".")[0] in ("uvloop", "twisted") for name in sys.modules)
"""


def test_no_module_does_anything_on_import() -> None:
    """No loop, socket, thread or signal handler is made, nor is uvloop loaded."""
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE, *MODULES], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")


#: Imports each module in a process that has none of ours. Starting an interpreter and
#: importing asyncio for each would take most of the time.
FIRST = """
import asyncio, importlib, os, sys, traceback
import zope.interface.verify

assert not any(name.split(".")[0] == "reactorlib" for name in sys.modules)
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(0)
    os.waitpid(child, 0)
    print(name)
"""

#: So many at once that starting the interpreter matters no more, and none takes long.
PARTS = [MODULES[at : at + 12] for at in range(0, len(MODULES), 12)]


@pytest.mark.parametrize("names", PARTS, ids=lambda names: names[0])
def test_each_module_can_be_the_first_imported(names: list[str]) -> None:
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIRST, *names], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.split() == names
