"""Telling a service manager: sd_notify(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from reactorlib.application._notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Where it is told, and what it hears with."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        if request.param == "path":
            name = str(tmp_path / "notify")
            sock.bind(name)
        else:
            sock.bind("")  # the system chooses a name that is in no folder
            name = "@" + sock.getsockname()[1:].decode()
        sock.settimeout(10)
        yield name, sock


def test_what_is_told(manager: tuple[str, socket.socket]) -> None:
    name, sock = manager
    environ = {"NOTIFY_SOCKET": name, "OTHER": "1"}
    notifier = Notifier(environ)
    assert environ == {"OTHER": "1"}
    notifier.ready("well")
    notifier.alive()
    notifier.reloading()
    notifier.status("busy")
    notifier.stopping()
    assert sock.recv(999) == f"READY=1\nMAINPID={os.getpid()}\nSTATUS=well".encode()
    assert sock.recv(999) == b"WATCHDOG=1"
    assert sock.recv(999).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert sock.recv(999) == b"STATUS=busy"
    assert sock.recv(999) == b"STOPPING=1"
    notifier.close()
    notifier.ready()
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recv(999)


def test_a_manager_that_is_gone_does_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()
    assert caplog.messages == [
        f"Cannot tell the service manager at {tmp_path}/nobody: [Errno 2] No such file or directory"
    ]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "goes"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "goes")})
    caplog.clear()
    notifier.ready()
    notifier.ready()
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("variables", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_how_often_it_wants_to_hear(variables: dict[str, str], interval: float | None) -> None:
    assert Notifier(variables).interval == interval
    assert variables == {}
