"""How a login fails."""

from __future__ import annotations

__all__ = [
    "LoginDenied",
    "LoginFailed",
    "Unauthorized",
    "UnauthorizedLogin",
    "UnhandledCredentials",
]


class Unauthorized(Exception):
    """What was asked for is not allowed to whoever asks."""


class LoginFailed(Exception):
    """There was no login, for whatever reason."""


class UnauthorizedLogin(LoginFailed, Unauthorized):
    """The name or the proof that came with it is wrong. Which of the two is not said."""


class UnhandledCredentials(LoginFailed):
    """No checker takes credentials of that kind."""


class LoginDenied(LoginFailed):
    """The realm refuses somebody whose credentials are right."""
