"""web_chat.py: the same chat by nc and on a web page."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest

from ._program import LIMIT, Address, Peer, Program, Server

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    """What uvicorn runs on."""
    loop: str = request.param
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    return loop


class Browser:
    """What a browser does, without looking at anything."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connections: list[http.client.HTTPConnection] = []

    def _request(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(*self._address, timeout=LIMIT)
        self._connections.append(connection)
        body = None if form is None else urlencode(form)
        connection.request(
            method, path, body, {"Content-Type": "application/x-www-form-urlencoded"}
        )
        return connection.getresponse()

    def page(self) -> str:
        response = self._request("GET", "/")
        assert response.status == 200
        return response.read().decode()

    def say(self, name: str, text: str) -> tuple[int, str]:
        response = self._request("POST", "/say", {"name": name, "text": text})
        return response.status, response.read().decode()

    def events(self) -> Iterator[str]:
        """The lines of the chat, as events, for as long as the stream lasts."""
        response = self._request("GET", "/events")
        assert response.status == 200
        assert (response.getheader("Content-Type") or "").startswith("text/event-stream")
        return self._read_events(response)

    @staticmethod
    def _read_events(response: http.client.HTTPResponse) -> Iterator[str]:
        while line := response.readline():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            assert field == "data"
            assert response.readline() == b"\n"
            yield json.loads(value)

    def close(self) -> None:
        """Close everything, open streams too."""
        for connection in self._connections:
            if connection.sock is not None:
                connection.sock.close()
            connection.close()


@pytest.fixture
def browse() -> Iterator[Callable[[Address], Browser]]:
    browsers: list[Browser] = []

    def browse(address: Address) -> Browser:
        browsers.append(Browser(address))
        return browsers[-1]

    yield browse
    for browser in browsers:
        browser.close()


Browse = Callable[[Address], Browser]


def open_chat(start: Start, *options: str) -> tuple[Program, Address, Address]:
    """Start the program; with it, where its page is and where the chat is."""
    program = start("web_chat.py", "--web-port", 0, "--chat-port", 0, *options)
    return program, program.read_address(), program.read_address()


def enter(peer: Peer, name: str) -> None:
    """Join the chat."""
    assert peer.read_line() == b"What is your name?"
    peer.send(name.encode() + b"\n")
    assert peer.read_line().startswith(b"Welcome, " + name.encode())


def test_it_prints_how_to_talk_to_it(start: Start) -> None:
    program = start("web_chat.py", "--web-port", 0, "--chat-port", 0)
    web, chat = program.read_line(), program.read_line()
    assert web.startswith("Web: http://127.0.0.1:")
    assert web.endswith("/")
    assert chat.startswith("Chat: nc 127.0.0.1 ")
    program.stop()


def test_one_chat_and_two_protocols(start: Start, dial: Dial, browse: Browse, loop: str) -> None:
    """What is said here appears there; and who comes late sees what was said."""
    program, web, chat = open_chat(start, "--loop", loop)
    browser = browse(web)
    live = browser.events()
    ann = dial(chat)
    enter(ann, "Ann")
    assert next(live) == "* Ann joined"
    ann.send(b"Is there anybody?\n")
    assert ann.read_line() == b"<Ann> Is there anybody?"
    assert next(live) == "<Ann> Is there anybody?"
    assert browser.say("Bob", "Ja, schöne Grüße!") == (303, "")
    assert ann.read_line().decode() == "<Bob (web)> Ja, schöne Grüße!"
    assert next(live) == "<Bob (web)> Ja, schöne Grüße!"
    assert "<li>&lt;Ann&gt; Is there anybody?</li>" in browser.page()
    late = browser.events()
    assert [next(late) for _ in range(3)] == [
        "* Ann joined",
        "<Ann> Is there anybody?",
        "<Bob (web)> Ja, schöne Grüße!",
    ]
    program.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_while_streams_and_connections_are_open(
    start: Start, dial: Dial, browse: Browse, number: signal.Signals, loop: str
) -> None:
    """The streams end first: nothing holds the shutdown up."""
    program, web, chat = open_chat(start, "--loop", loop)
    browser = browse(web)
    streams = [browser.events(), browser.events()]
    ann = dial(chat)
    enter(ann, "Ann")
    assert [next(stream) for stream in streams] == ["* Ann joined"] * 2
    assert program.stop(number) == ""
    assert [list(stream) for stream in streams] == [[], []]
    assert ann.read_all() == b""


def test_what_is_said_is_text_and_not_markup(start: Start, dial: Dial, browse: Browse) -> None:
    program, web, chat = open_chat(start)
    browser = browse(web)
    ann = dial(chat)
    enter(ann, "Ann")
    wicked = "<script>alert(1)</script> & \"quoted\" 'quoted'"
    ann.send(wicked.encode() + b"\n")
    assert ann.read_line().decode() == f"<Ann> {wicked}"
    assert browser.say("Bob", wicked)[0] == 303
    page = browser.page()
    assert "<script>alert" not in page
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quoted&quot; &#x27;quoted&#x27;"
    assert f"<li>&lt;Ann&gt; {escaped}</li>" in page
    assert f"<li>&lt;Bob (web)&gt; {escaped}</li>" in page
    program.stop()


def test_a_line_stays_one_event(start: Start, dial: Dial, browse: Browse) -> None:
    """Whatever is posted, nobody can put an event, or a line, into another's mouth."""
    program, web, chat = open_chat(start)
    browser = browse(web)
    live = browser.events()
    ann = dial(chat)
    enter(ann, "Ann")
    assert next(live) == "* Ann joined"
    browser.say("Bob", "one\r\n<Ann> two\n\ndata: three\u2028")
    assert next(live) == "<Bob (web)> one<Ann> twodata: three"
    assert ann.read_line() == b"<Bob (web)> one<Ann> twodata: three"
    program.stop()


@pytest.mark.parametrize(
    ("name", "text", "status", "answer"),
    [
        ("", "hello", 400, "A name is 1 to 20 letters and digits.\n"),
        ("<b>", "hello", 400, "A name is 1 to 20 letters and digits.\n"),
        ("Ann", "I am not Ann", 400, "Ann is here already.\n"),
        ("Bob", "x" * 5001, 413, "That is too long.\n"),
        ("Bob", "", 303, ""),
    ],
)
def test_a_post_that_will_not_do(
    start: Start, dial: Dial, browse: Browse, name: str, text: str, status: int, answer: str
) -> None:
    """It is refused, and nobody hears of it."""
    program, web, chat = open_chat(start)
    browser = browse(web)
    ann = dial(chat)
    enter(ann, "Ann")
    assert browser.say(name, text) == (status, answer)
    ann.send(b"still here\n")
    assert ann.read_line() == b"<Ann> still here"
    program.stop()


def test_a_visitor_who_closes_the_page_is_forgotten(
    start: Start, dial: Dial, browse: Browse, loop: str
) -> None:
    program, web, chat = open_chat(start, "--loop", loop)
    gone, stays = browse(web), browse(web)
    streams = gone.events(), stays.events()
    ann = dial(chat)
    enter(ann, "Ann")
    assert [next(stream) for stream in streams] == ["* Ann joined"] * 2
    gone.close()
    for text in ("one", "two"):
        ann.send(text.encode() + b"\n")
        assert next(streams[1]) == f"<Ann> {text}"
    program.stop()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reads_and_posts(start: Start, dial: Dial) -> None:
    program, web, chat = open_chat(start)
    ann = dial(chat)
    enter(ann, "Ann")
    url = "http://{}:{}".format(*web)
    post = ["--location", "--data", "name=Carl", "--data-urlencode", "text=<hi> & co"]
    page = subprocess.run(
        ["curl", "--silent", "--fail", *post, url + "/say"],
        capture_output=True,
        timeout=LIMIT,
        check=True,
    )
    assert b"<li>&lt;Carl (web)&gt; &lt;hi&gt; &amp; co</li>" in page.stdout
    assert ann.read_line() == b"<Carl (web)> <hi> & co"
    program.stop()


@pytest.mark.parametrize("option", ["--web-port", "--chat-port"])
def test_a_port_in_use_is_one_clear_line(start: Start, server: Server, option: str) -> None:
    other = {"--web-port": "--chat-port", "--chat-port": "--web-port"}[option]
    program = start("web_chat.py", option, server.address[1], other, 0)
    program.finish()
    assert program.status == 1
    assert program.stderr.startswith("web_chat.py: ")
    assert "Address already in use" in program.stderr
    assert program.stderr.count("\n") == 1
