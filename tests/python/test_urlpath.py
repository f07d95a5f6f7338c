"""The address of a page, and the way from it to others; and URLs as values."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from reactorlib.python.urlpath import URLPath

BASE = "http://example.com/foo/bar?yes=no#f"


@pytest.fixture(params=["text", "bytes"])
def base(request: pytest.FixtureRequest) -> URLPath:
    return URLPath.fromString(BASE) if request.param == "text" else URLPath.fromBytes(BASE.encode())


def test_parts(base: URLPath) -> None:
    assert str(base) == BASE
    parts = (base.scheme, base.netloc, base.path, base.query, base.fragment)
    assert parts == (b"http", b"example.com", b"/foo/bar", b"yes=no", b"f")
    assert repr(base) == (
        "URLPath(scheme=b'http', netloc=b'example.com', path=b'/foo/bar', "
        "query=b'yes=no', fragment=b'f')"
    )
    assert str(URLPath()) == "http://localhost/"
    assert str(URLPath.fromBytes(b"http://example.com")) == "http://example.com/"
    assert URLPath.fromRequest(SimpleNamespace(prePathURL=lambda: b"http://h/z")).path == b"/z"


@pytest.mark.parametrize("kind", [str, str.encode])
def test_parts_can_be_set(base: URLPath, kind: Callable[[str], str | bytes]) -> None:
    base.scheme, base.netloc = kind("https"), kind("h:81")
    base.path, base.query, base.fragment = kind("a b"), kind("q=%26 x"), kind("")
    assert str(base) == "https://h:81/a%20b?q=%26%20x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://example.com/\xff\x00", "http://example.com/%C3%BF%00"),
        (b"http://example.com/\xff\x00", "http://example.com/%FF%00"),
        ("http://example.com/%41;p=1/@:!$&'()*+,~", "http://example.com/%41;p=1/@:!$&'()*+,~"),
        ("http://exämple.com/", "http://xn--exmple-cua.com/"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
    ],
)
def test_what_is_escaped(url: str | bytes, shown: str) -> None:
    made = URLPath.fromString(url) if isinstance(url, str) else URLPath.fromBytes(url)
    assert str(made) == shown
    assert str(URLPath.fromString(shown)) == shown


def test_text_and_bytes_are_not_mistaken() -> None:
    for wrong in (b"http://h/", None):
        with pytest.raises(ValueError, match="must be a str"):
            URLPath.fromString(wrong)  # type: ignore[arg-type]
    for other in ("http://h/", None):
        with pytest.raises(ValueError, match="must be bytes"):
            URLPath.fromBytes(other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "child", "sibling", "parent", "here"),
    [
        ("/foo/bar", "/foo/bar/x", "/foo/x", "/", "/foo/"),
        ("/foo/bar/", "/foo/bar/x", "/foo/bar/x", "/foo/", "/foo/bar/"),
        ("/foo", "/foo/x", "/x", "/", "/"),
        ("/", "/x", "/x", "/", "/"),
        ("", "/x", "/x", "/", "/"),
    ],
)
def test_ways(path: str, child: str, sibling: str, parent: str, here: str) -> None:
    base = URLPath.fromString(f"http://h{path}?q#f")
    ways = [base.child(b"x"), base.sibling("x"), base.parent(), base.here()]
    assert [str(way) for way in ways] == [f"http://h{to}" for to in (child, sibling, parent, here)]
    ways = [base.child("x", True), base.sibling(b"x", True), base.parent(True), base.here(True)]
    assert {way.query for way in ways} == {b"q"}


def test_a_name_is_one_segment() -> None:
    base = URLPath.fromString("http://h/a")
    assert str(base.child(b"b/c?d#e")) == "http://h/a/b%2Fc%3Fd%23e"
    assert str(base.sibling("%20")) == "http://h/%20"
    path = base.child(b"%00%01")
    assert path.pathList() == [b"", b"a", b"%00%01"]
    assert path.pathList(unquote=True, copy=False) == [b"", b"a", b"\x00\x01"]


#: RFC 3986 section 5.4: what links lead to, from http://a/b/c/d;p?q
LINKS = {
    "g": "g", "./g": "g", "g/": "g/", "/g": "/g", "?y": "d;p?y", "g?y": "g?y", "#s": "d;p?q#s",
    "g#s": "g#s", ";x": ";x", "g;x?y#s": "g;x?y#s", "": "d;p?q", ".": "", "./": "", "..": "/b/",
    "../g": "/b/g", "../..": "/", "../../g": "/g", "../../../g": "/g", "/./g": "/g",
    "/../g": "/g", "g.": "g.", "..g": "..g", "./g/.": "g/", "g/../h": "h", "g;x=1/../y": "y",
}  # fmt: skip


@pytest.mark.parametrize("link", LINKS)
def test_links(link: str) -> None:
    target = LINKS[link]
    absolute = target if target.startswith("/") else f"/b/c/{target}"
    assert str(URLPath.fromString("http://a/b/c/d;p?q").click(link)) == f"http://a{absolute}"


@pytest.mark.parametrize(
    ("base", "link", "target"),
    [
        ("http://h//x", "b", "http://h//b"),
        ("http://h//x", "../b", "http://h/b"),
        ("http://h//a//", "b", "http://h//a//b"),
        ("http://h/a//b", "./", "http://h/a//"),
        ("http://h/a//b", "../../c", "http://h/c"),
        ("http://h/a//b", "c//d?q#f", "http://h/a//c//d?q#f"),
        ("http://h/a", "/b//c/../d", "http://h/b//d"),
        ("http://h//x", "?q", "http://h//x?q"),
        ("http://h//x", "#f", "http://h//x#f"),
        ("http://h", "b", "http://h/b"),
        ("http://u:p@h:1/a//b", "./c:d", "http://u:p@h:1/a//c:d"),
    ],
)
def test_empty_segments_are_kept(base: str, link: str, target: str) -> None:
    """RFC 3986 sections 3.3 and 5.2: a segment may be empty, and counts as any other."""
    assert str(URLPath.fromString(base).click(link)) == target


def test_links_elsewhere() -> None:
    base = URLPath.fromString("http://a/b/c/d;p?q")
    assert str(base.click(b"//g/x")) == "http://g/x"
    assert str(base.click("https://o/y z")) == "https://o/y%20z"


def test_urls_as_values() -> None:
    pytest.importorskip("hyperlink", reason="hyperlink is not installed")
    from reactorlib.python.url import URL

    made = URL.from_text("http://example.com/a/").click("../b?c=d")
    assert made.to_text() == "http://example.com/b?c=d"


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['hyperlink'] = None\n"
        "try: import reactorlib.python.url\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert b"install it with 'reactorlib[url]'" in done.stdout
