"""The socket that asyncio accepts connections from, whatever its Python has."""

from __future__ import annotations

import os
import socket

import pytest

from reactorlib.internet import _listening_socket
from reactorlib.internet._listening_socket import ListeningSocket


@pytest.mark.parametrize("has_accept", [True, False])
def test_what_it_accepts_is_as_any_socket_accepts_it(
    has_accept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_listening_socket, "_HAS_ACCEPT", has_accept)
    with (
        socket.create_server(("127.0.0.1", 0)) as plain,
        ListeningSocket(os.dup(plain.fileno())) as port,
        socket.create_connection(port.getsockname()) as client,
    ):
        accepted, address = port.accept()
        with accepted:
            assert address == accepted.getpeername() == client.getsockname()
            assert (accepted.family, accepted.type) == (plain.family, plain.type)
            assert type(accepted) is socket.socket
            assert not accepted.get_inheritable()
        with pytest.raises(BlockingIOError):
            port.accept()
