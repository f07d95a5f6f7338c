"""Programs that tests start, signal, and see the end of."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import textwrap

import reactorlib

__all__ = ["child", "ending", "read_until"]

_HEAD = """
import asyncio, json, os, signal, sys, threading, time
from reactorlib.internet import reactor
from reactorlib.internet._reactor import _signals
from reactorlib.internet.defer import Deferred
if sys.argv[1] == "uvloop":
    import uvloop as loops
else:
    import asyncio as loops

def say(what):
    print(what, flush=True)
"""


def child(program: str, *arguments: str, dev: bool = False) -> subprocess.Popen[str]:
    """
    Start a program that says "ready" once it may be sent a signal.

    Args:
        arguments: the first is the loop: "asyncio" or "uvloop".
        dev: whether Python is to check what it can; any warning is an error.
    """
    return subprocess.Popen(
        [
            *(sys.executable, *(["-X", "dev"] if dev else []), "-W", "error"),
            *("-c", _HEAD + textwrap.dedent(program), *arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=os.path.dirname(os.path.dirname(reactorlib.__file__)),
    )


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What it says, up to that text and a little more."""
    assert process.stdout is not None
    found = ""
    while text not in found:
        ready, _, _ = select.select([process.stdout], [], [], 10)
        piece = os.read(process.stdout.fileno(), 4096).decode() if ready else ""
        assert piece, f"no {text!r} in {found!r}"
        found += piece
    return found


def ending(process: subprocess.Popen[str]) -> tuple[str, int]:
    """What else the program says, and its exit status."""
    try:
        rest, _ = process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    return rest, process.returncode
