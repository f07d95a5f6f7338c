"""The port forwarder's command line."""

from __future__ import annotations

import asyncio
import pickle
import shutil

import pytest

from reactorlib.python.usage import UsageError
from reactorlib.tap import portforward

from ._programs import echo, make, run, running, web


async def test_connections_are_passed_on() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    there = server.sockets[0].getsockname()[1]
    argv = ("-p", "tcp:0:interface=127.0.0.1", "-h", "127.0.0.1", "-d", str(there))
    async with running(portforward, *argv) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read() == b"hello"
        writer.close()
    server.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_through_it() -> None:
    async with web() as there:
        argv = ("-p", "tcp:0:interface=127.0.0.1", "-h", "localhost", "-d", str(there))
        async with running(portforward, *argv) as (host, port):
            assert await run("curl", "-s", f"http://{host}:{port}/") == (0, b"here")


def test_the_command_line() -> None:
    options = portforward.Options()
    options.parseOptions([])
    assert (options["port"], options["host"], options["dest_port"]) == (
        "tcp:6666",
        "localhost",
        6665,
    )
    made = make(portforward, "-p", "7000", "-h", "example.org", "-d", "80")
    saved = pickle.loads(pickle.dumps(made))
    assert (saved.factory.host, saved.factory.port) == ("example.org", 80)
    for argv in (["-d", "many"], ["-d", "70000"], ["-p", "tcp"], ["-p", "x"], ["more"]):
        with pytest.raises(UsageError):
            make(portforward, *argv)
