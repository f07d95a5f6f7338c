"""The option --auth."""

from __future__ import annotations

import io
from typing import Any

import pytest

from reactorlib.cred import strcred
from reactorlib.cred.credentials import IAnonymous, IUsernameHashedPassword, IUsernamePassword
from reactorlib.python import usage


class Options(usage.Options, strcred.AuthOptionMixin):
    pass


class Anonymous(Options):
    supportedInterfaces = (IAnonymous,)


def read(cls: type[Options], *words: str) -> Any:
    options = cls()
    options.authOutput = io.StringIO()
    options.parseOptions(words)
    return options


def test_checkers_are_added_in_order() -> None:
    options = read(Options, "--auth", "memory:a:b", "--auth=anonymous")
    memory, anonymous = options["credCheckers"]
    assert memory.users == {b"a": b"b"}
    assert options["credInterfaces"] == {
        IUsernamePassword: [memory],
        IUsernameHashedPassword: [memory],
        IAnonymous: [anonymous],
    }


@pytest.mark.parametrize(
    ("cls", "auth", "text"),
    [
        (Options, "nonsense", "nonsense is none"),
        (Options, "memory:a", "each name needs a password"),
        (Anonymous, "memory:a:b", "nothing that is used here"),
    ],
)
def test_what_is_wrong_is_a_usage_error(cls: type[Options], auth: str, text: str) -> None:
    with pytest.raises(usage.UsageError, match=text):
        read(cls, "--auth", auth)


def test_help() -> None:
    for cls, types in (
        (Options, {"anonymous", "file", "hashed", "memory"}),
        (Anonymous, {"anonymous"}),
    ):
        options = cls()
        options.authOutput = io.StringIO()
        with pytest.raises(SystemExit):
            options.parseOptions(["--help-auth"])
        lines = options.authOutput.getvalue().splitlines()[1:-1]
        assert types == {line.split()[0] for line in lines}


def test_help_for_a_type() -> None:
    options = Anonymous()
    options.authOutput = io.StringIO()
    with pytest.raises(SystemExit):
        options.parseOptions(["--help-auth-type", "memory"])
    assert "for tests" in options.authOutput.getvalue()
    assert "nothing that is used here" in options.authOutput.getvalue()
    with pytest.raises(usage.UsageError, match="none"):
        options.parseOptions(["--help-auth-type", "x"])
