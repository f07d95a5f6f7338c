"""Objects as trees, as text and as XML: there and back, and what is refused."""

from __future__ import annotations

import collections
import datetime
import decimal
import functools
import io
import ipaddress
import logging
import math
import pathlib
import re
import subprocess
import sys
import textwrap
import threading
import types
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface import Interface

from reactorlib.persisted import _tax, aot
from reactorlib.persisted.error import (
    SaveError,
)

from . import _kept
from ._kept import (
    Colour,
    Frozen,
    Listing,
    OwnState,
    Plain,
    Point,
    Registered,
    Slotted,
    function,
)

KEPT = _kept.__name__


class IKept(Interface):
    """An interface, which is found by its name."""


Trip = Callable[[Any], Any]

TRIPS: dict[str, Trip] = {
    "tree": lambda obj: aot.unjellyFromAOT(aot.jellyToAOT(obj)),
    "source": lambda obj: aot.unjellyFromSource(aot.jellyToSource(obj) or ""),
    "xml": lambda obj: _tax.loads(_tax.dumps(obj)),
}


@pytest.fixture(params=list(TRIPS.values()), ids=list(TRIPS))
def trip(request: pytest.FixtureRequest) -> Trip:
    """There and back."""
    there_and_back: Trip = request.param
    return there_and_back


def slotted() -> Slotted:
    it = Slotted()
    it.a, it.b = 1, [2]
    return it


def own_state(state: Any) -> OwnState:
    it = OwnState()
    it.state = state
    return it


def listing() -> Listing:
    it = Listing([1, 2])
    it.name = "numbers"
    return it


@pytest.mark.parametrize(
    "obj",
    [
        None,
        True,
        ...,
        0,
        -7,
        sys.maxsize + 1,
        100**100,
        1.5,
        -0.25,
        1e300,
        math.inf,
        -math.inf,
        3j,
        -1.5 - 2j,
        complex(-0.0, math.inf),
        "",
        "hello",
        " \t\n two\n lines ",
        "\r\n\0\x1f\x7f\x85\ud800\U0001f40d ]]> <&\"'\\n",
        b"",
        b"\0\xff binary",
        bytearray(b"bytes"),
        slice(1, 2, 3),
        slice(None, "a"),
        [],
        (),
        {},
        set(),
        frozenset({1}),
        {1, "two", (3,)},
        [1, [2, (3, {"four": 5})]],
        {1: "a", None: "b", (1, (2,)): "c", "not a name": "d", frozenset({1}): "e", b"b": 1.5},
        range(3, 9, 2),
        Plain(),
        Plain(a=1, b=[Plain(c=None)]),
        Plain(**{"not a name": 1, "class": 2, "className": 3, "__stateObj__": 4, "ü": 5, "": 6}),
        slotted(),
        own_state("meringue"),
        own_state((1, 2)),
        own_state({"k": 1}),
        own_state(0),
        Frozen(1, [2]),
        Colour.RED,
        [Colour.BLUE, Colour.BLUE],
        Point(1, [2]),
        listing(),
        Registered(3),
        collections.OrderedDict([("b", 1), ("a", 2)]),
        collections.defaultdict(list, {"a": [1]}),
        collections.deque([1, 2], maxlen=3),
        collections.Counter("abca"),
        datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
        datetime.timedelta(seconds=5),
        decimal.Decimal("1.10"),
        pathlib.PurePosixPath("/a/b"),
        pathlib.Path("/tmp"),
        uuid.UUID(int=5),
        ipaddress.ip_address("::1"),
        ipaddress.ip_network("10.0.0.0/8"),
        re.compile("a+", re.IGNORECASE),
        types.SimpleNamespace(a=1),
        logging.getLogger("kept"),
        Plain,
        Plain.Within,
        int,
        function,
        len,
        Plain.method,
        _kept,
        collections.abc,
        IKept,
    ],
    # Of other types, the text may be another in each process.
    ids=lambda obj: repr(obj)[:40] if isinstance(obj, str | bytes | float | int) else None,
)
def test_what_is_saved_comes_back(trip: Trip, obj: Any) -> None:
    back = trip(obj)
    assert type(back) is type(obj)
    assert back == obj


def test_not_a_number_comes_back(trip: Trip) -> None:
    assert math.isnan(trip(math.nan))
    assert math.isnan(trip(complex(1, math.nan)).imag)


def test_what_holds_no_state_comes_back(trip: Trip) -> None:
    assert type(trip(object())) is object
    assert type(trip(Plain.Within())) is Plain.Within


def test_bound_methods_come_back_with_their_objects(trip: Trip) -> None:
    it: Any = Plain(a=1)
    it.call = it.method
    back = trip([it, it.method, [1].append, Plain.made])
    assert back[1]() == ("called", back[0])
    assert back[1].__self__ is back[0]
    assert back[0].call.__self__ is back[0]
    assert back[2].__self__ == [1]
    assert type(back[3]()) is Plain


def test_partial_functions_come_back(trip: Trip) -> None:
    assert trip(functools.partial(int, base=2))("11") == 3


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(codec=None))
        | st.binary(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.integers(), inner)
            | st.lists(inner).map(tuple)
            | st.dictionaries(st.text(), inner).map(lambda d: Plain(**d))
        ),
        max_leaves=20,
    )
)
def test_any_data_comes_back(obj: Any) -> None:
    for trip in TRIPS.values():
        assert trip(obj) == obj


# -- one object in several places ---------------------------------------------


def test_what_is_one_stays_one(trip: Trip) -> None:
    shared = [1]
    it: Any = Plain(a=shared, b={"c": shared})
    back = trip((it, shared, it, function, function))
    assert back[0].a is back[1] is back[0].b["c"]
    assert back[2] is back[0]


def test_what_holds_itself_holds_itself(trip: Trip) -> None:
    items: list[Any] = []
    items.append(items)
    by_key: dict[Any, Any] = {"items": items}
    by_key["self"] = by_key
    it: Any = Plain(d=by_key)
    it.self = it
    back = trip(it)
    assert back.self is back
    assert back.d["self"] is back.d
    assert back.d["items"][0] is back.d["items"]


def test_a_tuple_in_itself(trip: Trip) -> None:
    """It is not there yet when what is in it refers to it."""
    items: list[Any] = []
    it: Any = (items, {"k": items}, Plain())
    items.append(it)
    it[1]["t"] = it
    it[2].t = it
    it[2].u = (it, 1)
    back = trip(it)
    assert back[0][0] is back
    assert back[1]["t"] is back
    assert back[2].t is back
    assert back[2].u == (back, 1)
    inner = trip(items)
    assert inner[0][0] is inner


def test_an_object_in_its_own_method_state_and_set(trip: Trip) -> None:
    it: Any = Plain()
    it.calls = {it.method: (it.method,)}
    it.among = {it}
    it.state = own_state((it, it.calls))
    back = trip(it)
    ((method, values),) = back.calls.items()
    assert method.__self__ is back
    assert values[0].__self__ is back
    assert back in back.among
    assert back.state.state[0] is back
    assert back.state.state[1] is back.calls


# -- how it looks -------------------------------------------------------------


def test_source_is_indented() -> None:
    assert aot.jellyToSource({"hello": {"world": []}}) == textwrap.dedent(
        """\
        app={
          'hello':{
            'world':[],
            },
          }"""
    )


def test_source_names_attributes() -> None:
    it: Any = Plain(b=1, a=[Plain()])
    assert aot.jellyToSource(it) == textwrap.dedent(
        f"""\
        app=Instance('{KEPT}.Plain',
          a=[
            Instance('{KEPT}.Plain'),
            ],
          b=1,)"""
    )


def test_source_is_written_to_a_file() -> None:
    file = io.BytesIO()
    assert aot.jellyToSource("ü", file) is None
    assert file.getvalue() == "app='ü'".encode()
    assert aot.unjellyFromSource(io.BytesIO(file.getvalue())) == "ü"
    assert aot.unjellyFromSource(io.StringIO("app=1")) == 1


def test_public_names_are_saved_for_what_private_modules_define() -> None:
    from reactorlib.application.service import IService, MultiService

    source = aot.jellyToSource([MultiService, IService])
    assert source is not None
    assert "'reactorlib.application.service.MultiService'" in source
    assert "'reactorlib.application.service.IService'" in source


def test_xml_names_attributes() -> None:
    assert _tax.dumps(Plain(b=1, a=["<&"])).decode() == textwrap.dedent(
        f"""\
        <?xml version="1.0" encoding="utf-8"?>
        <application version="1">
          <instance class="{KEPT}.Plain">
            <attribute name="b">
              <int>1</int>
            </attribute>
            <attribute name="a">
              <list>
                <str>&lt;&amp;</str>
              </list>
            </attribute>
          </instance>
        </application>
        """
    )


def test_what_twisted_has_written_is_read() -> None:
    """Its `.tas` files, as far as the classes in them are there."""
    theirs = pytest.importorskip("twisted.persisted.aot")
    shared = [1, "two\n", b"3", 4.5, 6j, None, ...]
    it: Any = Plain(a=shared, b=(shared, {"x y": slice(1, 2, 3)}), c=function, d=Plain, e=_kept)
    it.f = it.method
    it.g = Registered(3)
    it.h = own_state("meringue")
    back = aot.unjellyFromSource(theirs.jellyToSource(it))
    assert back.a == shared
    assert back.b[0] is back.a
    assert (back.c, back.d, back.e) == (function, Plain, _kept)
    assert back.f.__self__ is back
    assert back.g == Registered(3)
    assert back.h == own_state("meringue")


# -- what cannot be saved -----------------------------------------------------


def local() -> Any:
    class Local:
        pass

    return Local()


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (lambda: 0, "it is a lambda"),
        (local(), "is the class local.<locals>.Local"),
        (Plain(a=[(1, lambda: 0)]), r"a\[0\]\[1\] is a lambda"),
        ({"key": Plain(b=iter([]))}, r"\['key'\].b is made by builtins.iter"),
        (Plain(f=threading.Lock()), "f cannot be saved: TypeError"),
        (subprocess.CompletedProcess([], 0), "is made by subprocess.CompletedProcess"),
    ],
)
@pytest.mark.parametrize("dumps", [aot.jellyToSource, _tax.dumps, aot.jellyToAOT])
def test_what_cannot_be_saved_is_named(dumps: Trip, obj: Any, why: str) -> None:
    with pytest.raises(SaveError, match=why):
        dumps(obj)
