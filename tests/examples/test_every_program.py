"""What holds for each of the programs: how it starts, and how it fails and ends."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import pytest

from ._program import EXAMPLES, Address, Peer, Program, Server, at

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]

#: The servers, with what their command lines need.
SERVERS: dict[str, list[str]] = {
    "echo_server.py": [],
    "chat.py": [],
    "quotes.py": [],
    "slow_poetry.py": ["--delay", "60"],
    "poetry_proxy.py": ["127.0.0.1:1"],
    "poetry_transform.py": [],
    "idle_timeout.py": ["--seconds", "60"],
    "ftp_server.py": ["--directory", "."],
    "port_forwarder.py": ["127.0.0.1:1"],
    "manhole_server.py": ["--password", "secret"],
}

#: What to say to a server, and how its answer begins: then it has surely noticed us.
TALK: dict[str, tuple[bytes, bytes]] = {
    "echo_server.py": (b"ping", b"ping"),
    "chat.py": (b"", b"What is your name?"),
    "quotes.py": (b"", b"Make haste"),
    "slow_poetry.py": (b"", b'"Hope" is '),
    "poetry_proxy.py": (b"", b"No poem today"),
    "poetry_transform.py": (b"9:shout.now,", b"3:NOW,"),
    "idle_timeout.py": (b"x", b"1 bytes so far"),
    "ftp_server.py": (b"", b"220 "),
    "port_forwarder.py": (b"", b""),
    "manhole_server.py": (b"", b"Username: "),
}

#: The clients, with what their command lines need after the server's address.
CLIENTS: dict[str, list[str]] = {
    "echo_client.py": [],
    "get_poetry_factory.py": [],
    "get_poetry_deferred.py": [],
    "get_poetry_async.py": [],
    "transform_client.py": ["shout"],
}


def test_every_program_is_known_here() -> None:
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    others = {
        "web_chat.py",
        "link_check.py",
        "three_ways.py",
        "test_echo_trial.py",
        "saved_quotes.py",
    }
    assert programs == {*SERVERS, *CLIENTS, *others}


@pytest.mark.parametrize("name", [*SERVERS, *CLIENTS, "web_chat.py"])
def test_help_is_the_docstring(start: Start, name: str) -> None:
    program = start(name, "--help")
    assert f"python {name}" in program.finish()
    assert (program.status, program.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_says_where_it_listens_and_ends_on_sigterm(
    start: Start, dial: Dial, name: str, way: str
) -> None:
    """With somebody connected, too."""
    program = start(name, "--port", 0, "--loop", way, *SERVERS[name])
    line = program.read_line()
    prefix, _, rest = line.partition("Listening on 127.0.0.1:")
    port, _, hint = rest.partition(" - try: ")
    assert (prefix, int(port) > 0) == ("", True)
    assert hint in (
        f"nc localhost {port}",
        f"python transform_client.py {port} shout",
        f"curl ftp://localhost:{port}/",
        f"telnet localhost {port}",
    )
    peer = dial(("127.0.0.1", int(port)))
    said, answer = TALK[name]
    peer.send(said)
    assert peer.read(len(answer)) == answer
    program.stop()
    peer.read_all()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_on_either_signal(start: Start, number: signal.Signals, way: str) -> None:
    program = start("echo_server.py", "--port", 0, "--loop", way)
    program.read_address()
    program.stop(number)


@pytest.mark.parametrize("name", SERVERS)
def test_a_port_in_use_is_one_clear_line(start: Start, server: Server, name: str, way: str) -> None:
    host, port = server.address
    program = start(name, "--port", port, "--loop", way, *SERVERS[name])
    assert program.finish() == ""
    assert program.status == 1
    assert program.stderr == (
        f"{name}: Couldn't listen on {host}:{port}: [Errno 98] Address already in use.\n"
    )


@pytest.mark.parametrize("name", CLIENTS)
def test_a_refused_connection_is_one_clear_line(
    start: Start, nobody: Address, name: str, way: str
) -> None:
    program = start(name, "--loop", way, at(nobody), *CLIENTS[name])
    assert program.finish() == ""
    assert program.status == 1
    assert program.stderr.startswith(f"{name}: ")
    assert "Connection was refused by other side: 111" in program.stderr
    assert program.stderr.count("\n") == 1


@pytest.mark.parametrize("name", CLIENTS)
def test_an_interrupted_client_says_so(start: Start, server: Server, name: str, way: str) -> None:
    """It has not done what it was to do: its status is not 0."""
    program = start(name, "--loop", way, at(server.address), *CLIENTS[name])
    peer = server.accept()
    program.send_signal()
    assert program.finish() == ""
    assert program.status == 1
    assert program.stderr.startswith(f"{name}: ")
    assert program.stderr.count("\n") == 1
    peer.read_all()
    peer.close()


def test_a_missing_file_is_one_clear_line(start: Start, way: str) -> None:
    program = start("slow_poetry.py", "--port", 0, "--loop", way, "--poem", "/no/such/poem")
    assert program.finish() == ""
    assert program.status == 1
    assert program.stderr == (
        "slow_poetry.py: [Errno 2] No such file or directory: '/no/such/poem'\n"
    )


def test_a_server_listens_on_the_interface_asked_for(start: Start, dial: Dial) -> None:
    """All of 127.0.0.0/8 is the loopback interface, on Linux."""
    try:
        socket.create_server(("127.0.0.2", 0)).close()
    except OSError:
        pytest.skip("there is no 127.0.0.2 here")
    program = start("echo_server.py", "--port", 0, "--interface", "127.0.0.2")
    address = program.read_address()
    assert address[0] == "127.0.0.2"
    peer = dial(address)
    peer.send(b"ping")
    assert peer.read(4) == b"ping"
    program.stop()
