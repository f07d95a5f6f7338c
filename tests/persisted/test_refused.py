"""What is no saved object, in Python's notation and in XML: refused, in one line, and never run."""

from __future__ import annotations

import io
import subprocess
from typing import Any

import pytest

from reactorlib.persisted import _tax, aot
from reactorlib.persisted.error import (
    DamagedFile,
    LoadError,
    MethodGone,
    NameRefused,
    NotData,
)

from . import _kept

KEPT = _kept.__name__

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
    (f"{KEPT.rpartition('.')[0]}.test_refused.hostile", ()),
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


def test_a_class_that_is_made_without_a_call_is_refused_and_allowed_by_its_name() -> None:
    """What the error names is what allows it."""
    source = "app=Copyreg('copyreg.__newobj__',(Class('logging.Formatter'),),then={'a':1})"
    with pytest.raises(NameRefused) as caught:
        aot.unjellyFromSource(source)
    assert caught.value.name == "logging.Formatter"
    made = aot.unjellyFromSource(source, allow={caught.value.name})
    assert (type(made).__name__, made.a) == ("Formatter", 1)


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
