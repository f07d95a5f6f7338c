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


@pytest.mark.parametrize("name", MODULES)
def test_each_module_can_be_the_first_imported(name: str) -> None:
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {name}"], capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")
