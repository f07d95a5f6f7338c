"""What the command lines make can be saved, in each format, and is whole when it is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from reactorlib.application.service import (
    Application,
    IServiceCollection,
    loadApplication,
)
from reactorlib.persisted.sob import IPersistable
from reactorlib.runner import inetdtap, procmontap
from reactorlib.tap import ftp, portforward, qotd, socks

from ._programs import make

KINDS: list[tuple[ModuleType, list[str]]] = [
    (qotd, ["-p", "tcp:0:interface=127.0.0.1", "-f", "quotes"]),
    (portforward, ["-p", "tcp:0:interface=127.0.0.1", "-h", "127.0.0.1"]),
    (socks, ["-p", "0", "--auth", "file:users"]),
    (ftp, ["-p", "tcp:0:interface=127.0.0.1", "-r", ".", "--passive-ports", "5000-5009"]),
    (inetdtap, ["-f", "inetd.conf", "--services", "services"]),
    (procmontap, ["-t", "0", "sleep", "60"]),
]


@pytest.mark.parametrize("style", ["pickle", "xml", "source"])
@pytest.mark.parametrize(("module", "argv"), KINDS, ids=[kind[0].__name__ for kind in KINDS])
async def test_saved_and_loaded(
    module: ModuleType,
    argv: list[str],
    style: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quotes").write_text("one\n%\ntwo\n")
    (tmp_path / "users").write_text("alice:secret\n")
    (tmp_path / "services").write_text("echo 0/tcp\n")
    (tmp_path / "inetd.conf").write_text(
        "127.0.0.1:echo stream tcp nowait root internal\n"
        f"127.0.0.1:0 stream tcp nowait {os.getuid()} /bin/cat\n"
    )
    application: Any = Application("saved")
    make(module, *argv).setServiceParent(application)
    persistent: Any = IPersistable(application)
    persistent.setStyle(style)
    persistent.save(filename="saved")
    loaded: Any = IServiceCollection(loadApplication("saved", style))
    loaded.privilegedStartService()
    await loaded.startService()
    assert loaded.running
    await loaded.stopService()
