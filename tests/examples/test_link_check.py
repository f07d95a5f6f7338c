"""link_check.py: a library that says `import twisted`, and httpx, in one coroutine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ._program import LIMIT, Address, Peer, Program, Server, at

pytest.importorskip("httpx")
pytest.importorskip("txredisapi")

Start = Callable[..., Program]


class Redis:
    """A Redis server, which listens at a path and keeps nothing."""

    def __init__(self, program: str, folder: Path) -> None:
        self.path = str(folder / "s")
        self._process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", self.path, "--save", "", "--dir", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        for line in self._output:
            if "ready to accept connections" in line.lower():
                break
        else:
            raise AssertionError("redis-server ended")

    def ask(self, *words: str) -> list[str]:
        """The lines that redis-cli prints."""
        done = subprocess.run(
            ["redis-cli", "-s", self.path, *words],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=True,
        )
        return done.stdout.splitlines()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()


@pytest.fixture
def redis() -> Iterator[Redis]:
    program = shutil.which("redis-server")
    if program is None or shutil.which("redis-cli") is None:
        pytest.skip("there is no redis-server")
    # Not in pytest's own folder, whose path may be longer than a UNIX socket's can be.
    with tempfile.TemporaryDirectory() as folder:
        server = Redis(program, Path(folder))
        yield server
        server.stop()


class Pages(BaseHTTPRequestHandler):
    """There is a page at "/", and none elsewhere."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a small web site."""
    monkeypatch.setenv("NO_PROXY", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_links_are_checked_and_what_came_of_them_kept(
    start: Start, way: str, redis: Redis, pages: str, nobody: Address
) -> None:
    links = [f"{pages}/", f"{pages}/nowhere", f"http://{at(nobody)}/", "nonsense"]
    redis.ask("sadd", "links", *links)
    redis.ask("hset", "statuses", f"{pages}/nowhere", "200", f"{pages}/", "200")
    program = start("link_check.py", "--redis", redis.path, "--loop", way)
    printed = program.finish().splitlines()
    assert (program.status, program.stderr) == (0, "")
    assert sorted(printed) == sorted(
        [
            f"200 {pages}/",
            f"404 {pages}/nowhere (was 200)",
            f"ConnectError http://{at(nobody)}/",
            "UnsupportedProtocol nonsense",
        ]
    )
    statuses = [redis.ask("hget", "statuses", link) for link in links]
    assert statuses == [["200"], ["404"], ["ConnectError"], ["UnsupportedProtocol"]]


def test_a_page_that_takes_too_long_is_given_up(
    start: Start, way: str, redis: Redis, server: Server
) -> None:
    """The others are not held up by it, nor is Redis."""
    redis.ask("sadd", "links", f"http://{at(server.address)}/")
    program = start("link_check.py", "--redis", redis.path, "--loop", way, "--timeout", 0.3)
    held: Peer = server.accept()
    assert program.finish() == f"ReadTimeout http://{at(server.address)}/\n"
    assert (program.status, program.stderr) == (0, "")
    held.close()


def test_where_there_is_no_redis_it_says_so(start: Start, way: str, nobody: Address) -> None:
    program = start("link_check.py", "--redis", at(nobody), "--loop", way)
    assert program.finish() == ""
    assert program.status == 1
    assert "link_check.py: Redis error: could not connect: " in program.stderr
    assert len(program.stderr.splitlines()) == 1


def test_help_is_the_docstring(start: Start) -> None:
    program = start("link_check.py", "--help")
    assert "python link_check.py" in program.finish()
    assert (program.status, program.stderr) == (0, "")
