"""
The chat of chat.py, with a web page: one process, one chat, two protocols.

It shows reactorlib as a guest. uvicorn runs the loop and Starlette the web page;
the application's lifespan opens the chat's port in that same loop, where
everything of reactorlib's works as it is. `ChatFactory` is the one data
structure. Those at the end of a TCP connection and those who look at the page
are in its audience alike.

    python web_chat.py
    then open http://localhost:8080/ in a browser, and in a terminal:
    nc localhost 8023
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from chat import ChatFactory, Chatter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from reactorlib.internet import reactor
from reactorlib.internet.error import CannotListenError

PAGE = Path(__file__).with_name("web_chat.html").read_text(encoding="utf-8")


class WebChat:
    """
    The web application around a chat.

    Attributes:
        chat: the chat itself.
        streams: the lines that each open page has still to be sent; None ends a page's.
        problem: why the chat could not be opened.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.chat = ChatFactory()
        self.streams: set[asyncio.Queue[str | None]] = set()
        self.problem: CannotListenError | None = None
        self.app = Starlette(
            routes=[
                Route("/", self.page),
                Route("/say", self.say, methods=["POST"]),
                Route("/events", self.events),
            ],
            lifespan=self.lifespan,
        )
        config = uvicorn.Config(self.app, loop=options.loop, log_level="warning")
        self.server = Server(config, self)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """The chat's port is open for as long as the application lives."""
        # In the end this closes the port and every connection.
        async with reactor:
            try:
                port = reactor.listenTCP(
                    self.options.chat_port, self.chat, interface=self.options.interface
                )
            except CannotListenError as problem:
                self.problem = problem
                self.server.should_exit = True
            else:
                where: Any = port.getHost()
                print(f"Chat: nc {where.host} {where.port}", flush=True)
            yield

    # -- what a browser asks for ----------------------------------------------

    async def page(self, request: Request) -> Response:
        """The page, with what was said so far: it can be read without JavaScript."""
        said = "\n".join(f"<li>{html.escape(line)}</li>" for line in self.chat.said)
        return HTMLResponse(PAGE.replace("<!-- said -->", said))

    async def say(self, request: Request) -> Response:
        """A visitor says something."""
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > 5 * Chatter.MAX_LENGTH:  # a form's %xx takes more than the text
                return PlainTextResponse("That is too long.\n", status_code=413)
        form = parse_qs(body.decode(errors="replace"))
        name = form.get("name", [""])[0].strip()
        text = form.get("text", [""])[0]
        problem = self.chat.problem_with(name)
        if problem:
            return PlainTextResponse(problem + "\n", status_code=400)
        self.chat.say(f"{name} (web)", text[: Chatter.MAX_LENGTH])
        return Response(status_code=303, headers={"Location": "/"})

    async def events(self, request: Request) -> Response:
        """What was said, and what is said from now on, as Server-Sent Events."""
        return StreamingResponse(
            self.lines(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
        )

    async def lines(self) -> AsyncIterator[str]:
        """One visitor's stream of events."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        for line in self.chat.said:
            queue.put_nowait(line)
        self.streams.add(queue)
        self.chat.audience.add(queue.put_nowait)
        try:
            while (line_or_end := await queue.get()) is not None:
                # JSON, so that whatever is in a line it stays one line here.
                yield f"data: {json.dumps(line_or_end)}\n\n"
        finally:
            self.chat.audience.discard(queue.put_nowait)
            self.streams.discard(queue)

    def end_streams(self) -> None:
        """Let every stream end."""
        for queue in self.streams:
            queue.put_nowait(None)


class Server(uvicorn.Server):
    """
    uvicorn, which ends the pages' streams first when it shuts down.

    It waits for open responses before it ends the lifespan, and a stream of events
    has no end by itself.
    """

    def __init__(self, config: uvicorn.Config, web_chat: WebChat) -> None:
        super().__init__(config)
        self.web_chat = web_chat

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything."""
        self.web_chat.end_streams()
        await super().shutdown(sockets)


def main() -> None:
    """Bind the web port, so that it is known and surely ours, and let uvicorn run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--web-port", type=int, default=8080, help="0 for any that is free")
    parser.add_argument("--chat-port", type=int, default=8023, help="0 for any that is free")
    parser.add_argument("--interface", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--loop", choices=["auto", "asyncio", "uvloop"], default="auto")
    options = parser.parse_args()

    # When it is done uvicorn raises the signal again that ended it: let both be one exception.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        web = socket.create_server((options.interface, options.web_port))
    except OSError as problem:
        sys.exit(f"{parser.prog}: the web page's port: {problem}")
    print("Web: http://{}:{}/".format(*web.getsockname()[:2]), flush=True)
    web_chat = WebChat(options)
    try:
        web_chat.server.run(sockets=[web])
    except KeyboardInterrupt:
        pass
    if web_chat.problem is not None:
        sys.exit(f"{parser.prog}: {web_chat.problem}")


if __name__ == "__main__":
    main()
