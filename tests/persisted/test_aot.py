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
    DamagedFile,
    LoadError,
    MethodGone,
    NameRefused,
    NotData,
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


# -- what is refused ----------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import os\napp=1", "import os"),
        ("app=1\nimport os", "import os"),
        ("app=__import__('os')", "__import__"),
        ("app=[1,\n open('x')]", "open"),
        ("app=[x for x in (1,)]", "for"),
        ("app=lambda: 1", "lambda"),
        ("app=1+1", r"1 \+ 1"),
        ("app=1j+1", "1j"),
        ("app=2**999999999", r"\*\*"),
        ("app='a'*999999999", r"\*"),
        ("app=f'{1}'", "f'"),
        ("app={**{}}", r"\*\*"),
        ("app=[*[]]", r"\*"),
        ("app={1}", r"\{1\}"),
        ("app=-'a'", "'a'"),
        ("app=not 1", "not 1"),
        ("app=True+1j", "True"),
        ("app=(y:=1)", "y"),
        ("app=x", "x"),
        ("app=a.b", "a.b"),
        ("app=Instance.x('a')", "Instance.x"),
        ("app=Instance('a')('b')", "Instance"),
        ("app=Instance(*['a'])", "a"),
        ("app=Instance('a',1,2)", "Instance"),
        ("app=Instance('a',{},x=1)", "Instance"),
        ("app=Instance('a',**{})", "Instance"),
        ("app=Copyreg('a',(),x=1)", "Copyreg"),
        ("app=Class('a',x=1)", "Class"),
        ("app=Class()", "Class"),
        ("app=float('1', x=1)", "float"),
        ("app=1 if 1 else 2", "if"),
        ("ap=1", "ap = 1"),
        ("app=b=1", "app = b = 1"),
        ("app+=1", "app"),
        ("1", "1"),
        ("def app(): pass", "def app"),
        ("@print\nclass app: pass", "class app"),
    ],
)
def test_code_is_refused(source: str, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotData, match=rf"line \d: .*{code}.* is code") as caught:
        aot.unjellyFromSource(source)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "source",
    [
        "",
        "app=",
        "app=[1,",
        "app='\n'",
        "app=1\0",
        "app={[]:1}",
        "app=Class(1)",
        "app=Ref('a',1)",
        "app=Ref(True,1)",
        "app=Deref(1)",
        "app=Ref(1,Deref(1))",
        "app=Ref(1,Ref(2,1))",
        "app=[Ref(1,1),Ref(1,2)]",
        "app=float('x')",
        "app=complex('x')",
        "app=Class('int')",
        "app=Class('builtins.len')",
        "app=Class('builtins..int')",
        "app=Class('')",
        "app=Module('')",
        "app=Module('..os')",
        "app=Instance('builtins.len')",
        "app=Copyreg('builtins.set',1)",
        "app=Copyreg('builtins.set',(1,))",
        "app=Copyreg('builtins.set',(),items=[1])",
        "app=Copyreg('collections.OrderedDict',(),pairs=[1])",
        "app=Copyreg('copyreg.__newobj__',())",
        "app=Copyreg('copyreg.__newobj__',(1,))",
        "app={Deref(1):1}",
        "app=Ref(1,Copyreg('builtins.frozenset',([Deref(1)],)))",
        f"app=Instance('{KEPT}.Plain',1)",
        f"app=Instance('{KEPT}.Slotted',{{'a':1,'c':2}})",
        "app=" + "[" * 300 + "]" * 300,
        "app=" + "-" * 100_000 + "1",
        "app=" + "[" * 100_000,
        "app=" + "9" * 5000,
    ],
    ids=lambda source: source[:40],
)
def test_what_makes_no_sense_is_refused(source: str) -> None:
    with pytest.raises(LoadError) as caught:
        aot.unjellyFromSource(source)
    assert "\n" not in str(caught.value)


HOSTILE: list[tuple[str, Any]] = [
    ("os.system", ("touch it",)),
    ("builtins.eval", ("1",)),
    ("builtins.getattr", (1, "real")),
    ("builtins.open", ("it", "w")),
    ("_io.FileIO", ("it", "w")),
    ("subprocess.Popen", (["touch", "it"],)),
    ("multiprocessing.pool.Pool", (1, print, (1,))),
    ("copyreg._reconstructor", (subprocess.Popen, subprocess.Popen, ["touch", "it"])),
    ("copyreg.__newobj__", (io.FileIO, "it", "w")),
    ("copyreg.__newobj__", (aot.Class("types.FunctionType"), None, {})),
    ("builtins.type", ("A", (), {})),
    ("reactorlib.internet.utils.getProcessOutput", ("true",)),
    (f"{KEPT.rpartition('.')[0]}.test_aot.hostile", ()),
]


def hostile() -> None:
    raise AssertionError("called")


@pytest.mark.parametrize(("name", "args"), HOSTILE, ids=[name for name, _ in HOSTILE])
def test_nothing_is_called_but_what_makes_objects(name: str, args: Any) -> None:
    jellied = [arg if type(arg) is aot.Class else aot.jellyToAOT(arg) for arg in args]
    call = aot.Copyreg(name, tuple(jellied))
    with pytest.raises(NameRefused):
        aot.unjellyFromAOT(call)
    with pytest.raises(NameRefused):
        aot.unjellyFromSource(aot.getSource(call))


@pytest.mark.parametrize(
    "name",
    ["tempfile._TemporaryFileCloser", "subprocess.Popen", "threading.Thread", "io.FileIO"],
)
def test_no_objects_are_made_of_classes_that_do_things(name: str) -> None:
    """Some act when they go, whatever state they are given."""
    with pytest.raises(NameRefused, match=name):
        aot.unjellyFromAOT(aot.Instance(name, delete=True, name="it"))


def test_what_is_allowed_by_its_name_is_had() -> None:
    source = "app=Instance('subprocess.CompletedProcess',returncode=3,)"
    with pytest.raises(NameRefused):
        aot.unjellyFromSource(source, allow={"subprocess"})
    made = aot.unjellyFromSource(source, allow={"subprocess.CompletedProcess"})
    assert made.returncode == 3


def test_a_method_that_is_gone_is_named() -> None:
    source = f"app=InstanceMethod('gone','{KEPT}.Plain',Instance('{KEPT}.Plain'))"
    with pytest.raises(MethodGone, match=r"Plain\.gone") as caught:
        aot.unjellyFromSource(source)
    assert isinstance(caught.value, TypeError)


# -- XML ----------------------------------------------------------------------

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY lol "lol">
 <!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">
]>
<application version="1"><str>&lol3;</str></application>"""

OUTSIDE = """<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<application version="1"><str>&x;</str></application>"""


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        OUTSIDE,
        '<!DOCTYPE a SYSTEM "http://localhost/a.dtd"><application version="1"/>',
        '<application version="1"><?php x?><none/></application>',
    ],
)
def test_document_types_entities_and_instructions_are_refused(text: str) -> None:
    with pytest.raises(DamagedFile, match="refused") as caught:
        _tax.loads(text.encode())
    assert "\n" not in str(caught.value)


def app(inner: str) -> str:
    return f'<application version="1">{inner}</application>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cut off, or is empty"),
        ("<a>", "not well-formed"),
        (app("&lol;"), "not well-formed"),
        ("<a/>", "the outermost element"),
        ("<application/>", "not of version"),
        ('<application version="2"><none/></application>', "not of version"),
        ('<application version="1" x="y"><none/></application>', "no attribute 'x'"),
        (app(""), "takes 1 elements in it, and has 0"),
        (app("<none/><none/>"), "takes 1 elements"),
        (app("<none/>x"), "no text"),
        (app("<nil/>"), "no such element"),
        (app("<none>x</none>"), "no text"),
        (app("<none><none/></none>"), "takes 0 elements"),
        (app("<none x=''/>"), "no attribute 'x'"),
        (app("<int>x</int>"), "no such number"),
        (app("<int/>"), "no such number"),
        (app("<int><int>1</int></int>"), "no elements"),
        (app(f"<int>{'9' * 5000}</int>"), "no such number"),
        (app("<str escaped='yes'>\\x</str>"), "between quotes"),
        (app("<str escaped='yes'>ü</str>"), "between quotes"),
        (app("<bytes>?</bytes>"), "base64"),
        (app("<bytes>a</bytes>"), "base64"),
        (app("<dict><none/></dict>"), "has <item>s"),
        (app("<dict><item><none/></item></dict>"), "takes 2 elements"),
        (app("<dict><item><list/><none/></item></dict>"), "cannot be a key"),
        (app("<slice/>"), "takes 3 elements"),
        (app("<class/>"), "takes an attribute name"),
        (app("<class name='x.y'><none/></class>"), "takes 0 elements"),
        (app("<instance/>"), "takes an attribute class"),
        (app("<instance class='a.b'><none/></instance>"), "has <attribute>s"),
        (app("<instance class='a.b'><attribute><none/></attribute></instance>"), "name"),
        (app("<instance class='a.b'><attribute name='a'/></instance>"), "takes 1 elements"),
        (app("<instance class='a.b'><state/></instance>"), "takes 1 elements"),
        (
            app("<instance class='a.b'>" + "<attribute name='a'><none/></attribute>" * 2)[:-14]
            + "</instance></application>",
            "two of the name 'a'",
        ),
        (app("<build by='a.b'/>"), "has no <with>"),
        (app("<build by='a.b'><with/><with/></build>"), "has one"),
        (app("<build by='a.b'><none/></build>"), "has one"),
        (app("<build by='os.system'><with><str>touch it</str></with></build>"), "names os.system"),
        (app("<reference to='x'/>"), "to is a number"),
        (app("<reference to='٣'/>"), "to is a number"),
        (app("<reference to='1'/>"), "number 1, which is nowhere"),
        (app("<none id='-1'/>"), "id is a number"),
        (app("<list>" * 5000 + "</list>" * 5000), "elements deep"),
        (app("<list>" * 900 + "</list>" * 900), "nested too deeply"),
    ],
    ids=lambda text: text[:60],
)
def test_wrong_xml_is_refused_with_its_line(text: str, why: str) -> None:
    with pytest.raises(LoadError, match=why) as caught:
        _tax.loads(text.encode())
    assert "\n" not in str(caught.value)


def test_lists_in_xml_may_be_written_by_hand() -> None:
    text = """
    <application version="1">
      <!-- a comment -->
      <list> <str>a</str>
             <int> 12 </int> <str><![CDATA[<b>]]></str> <str/> <bytes> YQ
             == </bytes> </list>
    </application>
    """
    assert _tax.loads(text.strip().encode()) == ["a", 12, "<b>", "", b"a"]
