"""Descriptors that a service manager hands over: sd_listen_fds(3)."""

from __future__ import annotations

import os

import pytest

from reactorlib.python.systemd import ListenFDs


def environment(**changed: str) -> dict[str, str]:
    mine = {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": "http:https",
        "HOME": "/",
    }
    return mine | changed


def test_descriptors_and_names() -> None:
    environ = environment()
    found = ListenFDs.fromEnvironment(environ)
    assert found.inheritedDescriptors() == [3, 4]
    assert found.inheritedNamedDescriptors() == {"http": 3, "https": 4}
    assert found == ListenFDs([3, 4], ["http", "https"])
    assert hash(found) == hash(ListenFDs([3, 4], ["http", "https"]))
    assert repr(found) == "ListenFDs([3, 4], ('http', 'https'))"
    # Nobody is told twice.
    assert environ == {"HOME": "/"}
    assert ListenFDs.fromEnvironment(environ) == ListenFDs([])


@pytest.mark.parametrize(
    "changed",
    [
        {"LISTEN_PID": "1"},
        {"LISTEN_PID": "me"},
        {"LISTEN_FDS": "two"},
        {"LISTEN_FDS": "-1"},
    ],
)
def test_what_is_not_for_this_process_is_left_alone(changed: dict[str, str]) -> None:
    environ = environment(**changed)
    assert ListenFDs.fromEnvironment(environ).inheritedDescriptors() == []
    assert environ == environment(**changed)


def test_names_may_be_missing() -> None:
    environ = environment()
    del environ["LISTEN_FDNAMES"]
    found = ListenFDs.fromEnvironment(environ, start=10)
    assert found.inheritedDescriptors() == [10, 11]
    assert found.inheritedNamedDescriptors() == {"unknown": 11}


def test_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(LISTEN_PIDFDID="7").items():
        monkeypatch.setenv(name, value)
    assert ListenFDs.fromEnvironment().inheritedDescriptors() == [3, 4]
    assert not [name for name in os.environ if name.startswith("LISTEN_")]


def test_what_is_returned_is_a_copy() -> None:
    found = ListenFDs([5])
    found.inheritedDescriptors().append(6)
    found.inheritedNamedDescriptors()["x"] = 1
    assert found.inheritedDescriptors() == [5]
    assert found.inheritedNamedDescriptors() == {}
    assert found != 5
