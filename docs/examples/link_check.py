"""
Try the links that are kept in Redis, and keep there what came of each.

It shows two worlds in one coroutine. txredisapi speaks to Redis; it was written for
Twisted, says `import twisted`, and gives Deferreds. httpx speaks HTTP; it was written
for asyncio. `check` awaits the one and the other, and asyncio's `gather` runs as many
checks at once as there are links.

    redis-cli sadd links http://localhost:8080/ http://localhost:8080/nowhere
    python link_check.py
    redis-cli hgetall statuses
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from reactorlib.compat import install_as_twisted

install_as_twisted()  # before anything says `import twisted`

import httpx
import three_ways
import txredisapi

from reactorlib.internet.defer import Deferred


def connect(where: str) -> Deferred[Any]:
    """A connection to the Redis at "host:port", or at the path of a UNIX socket."""
    if "/" in where:
        return txredisapi.UnixConnection(where, reconnect=False)  # type: ignore[no-any-return]
    host, port = three_ways.address(where)
    return txredisapi.Connection(host, port, reconnect=False)  # type: ignore[no-any-return]


async def check(link: str, redis: Any, http: httpx.AsyncClient) -> str:
    """Try a link; the status, or what went wrong, is in Redis afterwards."""
    before = await redis.hget("statuses", link)
    try:
        response = await http.get(link)
        status = str(response.status_code)
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        status = type(problem).__name__
    await redis.hset("statuses", link, status)
    changed = before is not None and str(before) != status  # txredisapi makes ints of digits
    return f"{status} {link}" + (f" (was {before})" if changed else "")


async def start(options: argparse.Namespace) -> str | None:
    """Check all links at once, and print what came of them, in the order of their names."""
    try:
        redis = await connect(options.redis)
    except ValueError as problem:  # which is what txredisapi makes of a ConnectError
        return str(problem)
    try:
        async with httpx.AsyncClient(timeout=options.timeout) as http:
            links = sorted(await redis.smembers("links"))
            checks = [check(link, redis, http) for link in links]
            for outcome in await asyncio.gather(*checks):
                print(outcome)
    finally:
        await redis.disconnect()
    return None


if __name__ == "__main__":
    parser = three_ways.parser(__doc__)
    parser.add_argument("--redis", default="localhost:6379", help="host:port, or a path")
    parser.add_argument("--timeout", type=float, default=10, help="seconds for each link")
    three_ways.run(start, parser)
