"""The network's errors: what they say, what they carry, and what they are."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import socket
from typing import Any

import pytest

from reactorlib.internet import error
from reactorlib.internet.address import IPv4Address

ADDRESS = IPv4Address("TCP", "127.0.0.1", 80)
IN_USE = OSError(errno.EADDRINUSE, "Address already in use")

TEXTS: list[tuple[BaseException, str]] = [
    (error.BindError(), "An error occurred binding to an interface."),
    (error.BindError("eth0", 80), "An error occurred binding to an interface: eth0 80."),
    (
        error.CannotListenError("127.0.0.1", 80, IN_USE),
        f"Couldn't listen on 127.0.0.1:80: {IN_USE}.",
    ),
    (error.CannotListenError("", 80, IN_USE), f"Couldn't listen on any:80: {IN_USE}."),
    (error.CannotListenError(None, "/x", IN_USE), f"Couldn't listen on any:/x: {IN_USE}."),
    (error.DNSLookupError(), "DNS lookup failed."),
    (error.DNSLookupError("no address", "for x"), "DNS lookup failed: no address for x."),
    (
        error.ConnectInProgressError("cannot connect while connecting"),
        "cannot connect while connecting",
    ),
    (error.ConnectError(), "An error occurred while connecting."),
    (error.ConnectError(string="bad luck"), "An error occurred while connecting: bad luck."),
    (error.ConnectError(7), "An error occurred while connecting: 7."),
    (error.ConnectError(7, "bad luck"), "An error occurred while connecting: 7: bad luck."),
    (error.ConnectBindError(99, "no"), "Couldn't bind: 99: no."),
    (error.UnknownHostError(), "Hostname couldn't be looked up."),
    (error.NoRouteError(), "No route to host."),
    (error.ConnectionRefusedError(), "Connection was refused by other side."),
    (error.TCPTimedOutError(), "TCP connection timed out."),
    (error.BadFileError(), "File used for UNIX socket is no good."),
    (error.ServiceNameUnknownError(string="x"), "Service name given as port is unknown: x."),
    (error.UserError(), "User aborted connection."),
    (error.TimeoutError(), "User timeout caused connection failure."),
    (error.ConnectionLost(), "Connection to the other side was lost in a non-clean fashion."),
    (
        error.ConnectionLost("reset", 104),
        "Connection to the other side was lost in a non-clean fashion: reset 104.",
    ),
    (
        error.ConnectionAborted(),
        "Connection was aborted locally using ITCPTransport.abortConnection.",
    ),
    (error.ConnectionDone(), "Connection was closed cleanly."),
    (error.ConnectionDone("bye"), "Connection was closed cleanly: bye."),
    (error.AlreadyCalled(), "Tried to cancel an already-called event."),
    (error.AlreadyCancelled("x"), "Tried to cancel an already-cancelled event: x."),
    (
        error.NotConnectingError(),
        "The Connector was not connecting when it was asked to stop connecting.",
    ),
    (
        error.NotListeningError(),
        "The Port was not listening when it was asked to stop listening.",
    ),
    (error.ConnectingCancelledError(ADDRESS), repr(ADDRESS)),
    (error.NoProtocol("none made"), "none made"),
]


@pytest.mark.parametrize(("exception", "text"), TEXTS, ids=[repr(e) for e, _ in TEXTS])
def test_an_error_says_what_happened(exception: BaseException, text: str) -> None:
    assert str(exception) == text


@pytest.mark.parametrize("exception", [e for e, _ in TEXTS], ids=repr)
def test_an_error_survives_being_copied_and_pickled(exception: BaseException) -> None:
    for again in (copy.copy(exception), pickle.loads(pickle.dumps(exception))):
        assert type(again) is type(exception)
        assert str(again) == str(exception)
        # An exception is equal to nothing but itself.
        kept, known = vars(again).items(), vars(exception).items()
        assert [(k, repr(v)) for k, v in kept] == [(k, repr(v)) for k, v in known]


PARENTS: list[tuple[type, tuple[type, ...]]] = [
    (error.CannotListenError, (error.BindError,)),
    (error.DNSLookupError, (OSError,)),
    (error.ConnectBindError, (error.ConnectError,)),
    (error.UnknownHostError, (error.ConnectError,)),
    (error.NoRouteError, (error.ConnectError,)),
    (error.ConnectionRefusedError, (error.ConnectError,)),
    (error.TCPTimedOutError, (error.ConnectError,)),
    (error.BadFileError, (error.ConnectError,)),
    (error.ServiceNameUnknownError, (error.ConnectError,)),
    (error.UserError, (error.ConnectError,)),
    (error.TimeoutError, (error.UserError, error.ConnectError)),
    (error.ConnectionLost, (error.ConnectionClosed,)),
    (error.ConnectionAborted, (error.ConnectionLost, error.ConnectionClosed)),
    (error.ConnectionDone, (error.ConnectionClosed,)),
    (error.AlreadyCalled, (ValueError,)),
    (error.AlreadyCancelled, (ValueError,)),
    (error.NotConnectingError, (RuntimeError,)),
    (error.NotListeningError, (RuntimeError,)),
    (error.ReactorNotRunning, (RuntimeError,)),
    (error.ReactorAlreadyRunning, (RuntimeError,)),
]


@pytest.mark.parametrize(("kind", "parents"), PARENTS, ids=[kind.__name__ for kind, _ in PARENTS])
def test_an_error_can_be_caught_as(kind: type, parents: tuple[type, ...]) -> None:
    for parent in parents:
        assert issubclass(kind, parent)


def test_an_orderly_end_is_no_loss() -> None:
    assert not issubclass(error.ConnectionDone, error.ConnectionLost)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENETUNREACH, error.NoRouteError),
        (errno.EHOSTUNREACH, error.NoRouteError),
        (errno.ECONNREFUSED, error.ConnectionRefusedError),
        (errno.ETIMEDOUT, error.TCPTimedOutError),
        (errno.ENOENT, error.BadFileError),
        (errno.EADDRNOTAVAIL, error.ConnectBindError),
        (errno.EADDRINUSE, error.ConnectBindError),
        (errno.EPERM, error.ConnectError),
        (errno.ECONNRESET, error.ConnectError),
    ],
)
def test_the_systems_errors_have_names_here(number: int, kind: type) -> None:
    text = os.strerror(number)
    given: list[Any] = [OSError(number, text), OSError(number, None), (number, text), (number,)]
    for each in given:
        found = error.getConnectError(each)
        assert type(found) is kind
        assert found.osError == number
        assert str(found) == f"{kind.MESSAGE}: {number}: {text or os.strerror(number)}."


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "no such name"),
            error.UnknownHostError,
            f"Hostname couldn't be looked up: {int(socket.EAI_NONAME)}: no such name.",
        ),
        (
            OSError("no number"),
            error.ConnectError,
            "An error occurred while connecting: no number.",
        ),
        (OSError(), error.ConnectError, "An error occurred while connecting."),
        (Exception("odd", 1), error.ConnectError, "An error occurred while connecting: odd 1."),
        (Exception(), error.ConnectError, "An error occurred while connecting."),
    ],
)
def test_getConnectError_of_the_rest(given: Any, kind: type, text: str) -> None:
    found = error.getConnectError(given)
    assert type(found) is kind
    assert str(found) == text


def test_all_is_what_there_is() -> None:
    public = {
        name
        for name, value in vars(error).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == error.__name__
    }
    assert public == set(error.__all__)
