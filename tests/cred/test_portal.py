"""Portals: which checker is asked, what the realm is told, and how a login fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from zope.interface import Interface, implementer

from reactorlib.cred import error
from reactorlib.cred.checkers import (
    ANONYMOUS,
    AllowAnonymousAccess,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from reactorlib.cred.credentials import (
    Anonymous,
    IAnonymous,
    IUsernameHashedPassword,
    IUsernamePassword,
    UsernamePassword,
)
from reactorlib.cred.portal import IRealm, Portal
from reactorlib.internet.defer import Deferred


class IMailbox(Interface):
    pass


@implementer(IRealm)
class Realm:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        self.asked.append((avatarId, mind, interfaces))
        return interfaces[0], f"box of {avatarId!r}", lambda: None


def portal(realm: Any = None) -> Portal:
    checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"wonder")
    return Portal(Realm() if realm is None else realm, [checker, AllowAnonymousAccess()])


def outcome(d: Deferred[Any]) -> Any:
    """What a fired Deferred has: its result, or the exception."""
    got: list[Any] = []
    d.addCallbacks(got.append, lambda failure: got.append(failure.value))
    (only,) = got
    return only


def test_the_kinds_of_credentials() -> None:
    assert set(portal().listCredentialsInterfaces()) == {
        IAnonymous,
        IUsernamePassword,
        IUsernameHashedPassword,
    }


def test_a_login_needs_no_loop() -> None:
    realm = Realm()
    login = portal(realm).login(UsernamePassword(b"alice", b"wonder"), "mind", IMailbox)
    interface, avatar, logout = outcome(login)
    assert (interface, avatar) == (IMailbox, "box of b'alice'")
    assert callable(logout)
    assert realm.asked == [(b"alice", "mind", (IMailbox,))]


def test_anonymous() -> None:
    realm = Realm()
    outcome(portal(realm).login(Anonymous(), None, IMailbox))
    assert realm.asked[0][0] == ANONYMOUS


@pytest.mark.parametrize(
    ("name", "password"),
    [(b"alice", b"wonde"), (b"alice", b""), (b"bob", b"wonder"), (b"", b"")],
)
def test_what_is_wrong_is_not_said(name: bytes, password: Any) -> None:
    realm = Realm()
    failed = outcome(portal(realm).login(UsernamePassword(name, password), None, IMailbox))
    assert type(failed) is error.UnauthorizedLogin
    assert str(failed) == ""
    assert isinstance(failed, error.LoginFailed)
    assert isinstance(failed, error.Unauthorized)
    assert realm.asked == []


def test_credentials_that_nobody_takes() -> None:
    class Strange:
        pass

    failed = outcome(Portal(Realm()).login(Anonymous(), None, IMailbox))
    assert type(failed) is error.UnhandledCredentials
    assert "IAnonymous" in str(failed)
    assert "Strange" in str(outcome(Portal(Realm()).login(Strange(), None, IMailbox)))


def test_a_checker_for_some_kinds_only() -> None:
    p = Portal(Realm())
    p.registerChecker(InMemoryUsernamePasswordDatabaseDontUse(), IUsernameHashedPassword)
    assert p.listCredentialsInterfaces() == [IUsernameHashedPassword]


async def test_coroutines_all_the_way() -> None:
    """Checker and realm may be coroutine functions, which await asyncio's own."""

    @implementer(ICredentialsChecker)
    class Slow:
        credentialInterfaces = (IUsernamePassword,)

        async def requestAvatarId(self, credentials: Any) -> str:
            await asyncio.sleep(0)
            if not credentials.checkPassword(b"x"):
                raise error.UnauthorizedLogin
            return "slow"

    class SlowRealm(Realm):
        async def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
            await asyncio.sleep(0)
            return avatarId

    p = Portal(SlowRealm(), [Slow()])
    assert await p.login(UsernamePassword(b"", b"x"), None, IMailbox) == "slow"
    with pytest.raises(error.UnauthorizedLogin):
        await p.login(UsernamePassword(b"", b"y"), None, IMailbox)


async def test_cancelling_a_login_cancels_the_check() -> None:
    cancelled: list[Any] = []

    @implementer(ICredentialsChecker)
    class Never:
        credentialInterfaces = (IAnonymous,)

        def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
            return Deferred(cancelled.append)

    login = Portal(Realm(), [Never()]).login(Anonymous(), None, IMailbox)
    login.cancel()
    with pytest.raises(asyncio.CancelledError):
        await login
    assert len(cancelled) == 1
