"""Closed sets of named things."""

from __future__ import annotations

import pytest

from reactorlib.python.constants import (
    FlagConstant,
    Flags,
    NamedConstant,
    Names,
    ValueConstant,
    Values,
)


class Method(Names):
    GET = NamedConstant()
    PUT = NamedConstant()

    other = 3


class Status(Values):
    OK = ValueConstant(200)
    MISSING = ValueConstant(404)


class Permission(Flags):
    READ = FlagConstant()
    WRITE = FlagConstant()
    SHARE = FlagConstant(8)
    LINK = FlagConstant()


class More(Method):
    PATCH = NamedConstant()


def test_names_are_known_ordered_and_found() -> None:
    assert list(Method.iterconstants()) == [Method.GET, Method.PUT]
    assert Method.GET.name == "GET"
    assert repr(Method.PUT) == "<Method=PUT>"
    assert Method.GET < Method.PUT
    assert Method.PUT >= Method.PUT > Method.GET <= Method.PUT
    assert Method.lookupByName("PUT") is Method.PUT
    for name in ("other", "DELETE", "lookupByName"):
        with pytest.raises(ValueError, match=name):
            Method.lookupByName(name)


def test_constants_of_different_sets_have_no_order() -> None:
    class Others(Names):
        A = NamedConstant()

    with pytest.raises(TypeError):
        assert Method.GET < Others.A
    assert Method.GET != Others.A


def test_a_set_has_no_instances() -> None:
    with pytest.raises(TypeError, match="Method may not be instantiated"):
        Method()


def test_a_subclass_is_a_set_of_its_own() -> None:
    assert list(More.iterconstants()) == [More.PATCH]
    assert More.GET is Method.GET
    with pytest.raises(ValueError, match="GET"):
        More.lookupByName("GET")


def test_a_constant_belongs_to_one_set() -> None:
    with pytest.raises(ValueError, match="<Method=GET>"):
        type("Second", (Names,), {"GET": Method.GET})


def test_values_are_found_by_value() -> None:
    assert Status.OK.value == 200
    assert Status.lookupByValue(404) is Status.MISSING
    with pytest.raises(ValueError, match="500"):
        Status.lookupByValue(500)


def test_flags_have_bits() -> None:
    values = [flag.value for flag in Permission.iterconstants()]
    assert values == [1, 2, 8, 16]
    assert Permission.lookupByValue(8) is Permission.SHARE


def test_flags_are_combined() -> None:
    both = Permission.READ | Permission.WRITE
    assert both.value == 3
    assert both.names == {"READ", "WRITE"}
    assert repr(both) == "<Permission={READ,WRITE}>"
    assert both == Permission.WRITE | Permission.READ
    assert hash(both) == hash(Permission.WRITE | Permission.READ)
    assert both & Permission.READ is Permission.READ
    assert both ^ Permission.READ is Permission.WRITE
    assert ~both == Permission.SHARE | Permission.LINK
    assert Permission.READ in both
    assert Permission.LINK not in both
    assert list(both) == [Permission.READ, Permission.WRITE]
    nothing = Permission.READ & Permission.WRITE
    assert not nothing
    assert repr(nothing) == "<Permission={}>"
    assert list(nothing) == []


def test_flags_of_different_sets_are_not_combined() -> None:
    class Others(Flags):
        A = FlagConstant()

    with pytest.raises(TypeError, match="no flag of Permission"):
        Permission.READ | Others.A
    assert Permission.READ != Others.A
