"""
Measure what processes cost one peer; run in a child process.

It prints one line: how many operations there were, and of the repeat that took
the least CPU time in this process, without those that it started, the user,
system and wall-clock seconds.

Usage: python -m benchmarks._processes_child PEER LOOP OPERATION COUNT REPEATS
"""

from __future__ import annotations

import asyncio
import gc
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import Awaitable, Callable
from importlib import import_module

from benchmarks._batch import Sampler, Unknown, parse_arguments, reactor_of

TRUE = "/bin/true"
CAT = "/bin/cat"
BLOCK = b"x" * 65536

#: Operations before the first that counts.
WARM_UP = 20

#: How many operations are under way at a time.
WIDTH = {"spawn": 1, "side-by-side": 10, "big-parent": 1, "echo": 1}

#: How large this process is made in `big-parent`, in bytes.
BALLAST = 256 << 20


async def repeat(sampler: Sampler, run: Callable[[int], Awaitable[object]]) -> None:
    """Warm up, then measure."""
    await run(WARM_UP)
    again = True
    while again:
        gc.collect()
        sampler.start()
        await run(sampler.count)
        again = sampler.stop()
    sampler.report()


async def raw_spawn(count: int, width: int) -> None:
    """Run programs, with pipes, through asyncio."""

    async def some(number: int) -> None:
        for _ in range(number):
            process = await create_subprocess_exec(TRUE, stdin=PIPE, stdout=PIPE, stderr=PIPE)
            await process.communicate()

    await asyncio.gather(*(some(count // width) for _ in range(width)))


async def raw_echo(count: int) -> None:
    """Send blocks through another program, through asyncio."""
    process = await create_subprocess_exec(CAT, stdin=PIPE, stdout=PIPE, limit=len(BLOCK))
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(count):
        process.stdin.write(BLOCK)
        await process.stdout.readexactly(len(BLOCK))
    process.stdin.close()
    await process.wait()


def run_raw(loop: str, operation: str, sampler: Sampler) -> None:
    """Measure a loop's own processes."""

    async def run(count: int) -> None:
        if operation == "echo":
            await raw_echo(count)
        else:
            await raw_spawn(count, WIDTH[operation])

    loop_factory = import_module(loop).new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(repeat(sampler, run))


def spawn_with(protocol: Unknown, reactor: Unknown) -> Callable[[int, int, Unknown], None]:
    """Return what runs programs, with pipes, and calls back when all have ended."""

    def spawn(count: int, width: int, done: Callable[[], object]) -> None:
        begun = over = 0

        class Run(protocol.ProcessProtocol):  # type: ignore[misc]  # of unknown type, see above
            def processEnded(self, reason: Unknown) -> None:
                nonlocal over
                over += 1
                if begun < count:
                    begin()
                elif over == count:
                    reactor.callLater(0, done)

        def begin() -> None:
            nonlocal begun
            begun += 1
            reactor.spawnProcess(Run(), TRUE, [TRUE])

        for _ in range(width):
            begin()

    return spawn


def echo_with(protocol: Unknown, reactor: Unknown) -> Callable[[int, int, Unknown], None]:
    """Return what sends blocks through another program, and calls back in the end."""

    def echo(count: int, width: int, done: Callable[[], object]) -> None:
        class Echo(protocol.ProcessProtocol):  # type: ignore[misc]  # of unknown type, see above
            left = count
            missing = len(BLOCK)

            def connectionMade(self) -> None:
                self.transport.write(BLOCK)

            def outReceived(self, data: bytes) -> None:
                self.missing -= len(data)
                if self.missing:
                    return
                self.missing = len(BLOCK)
                self.left -= 1
                if self.left:
                    self.transport.write(BLOCK)
                else:
                    self.transport.closeStdin()

            def processEnded(self, reason: Unknown) -> None:
                reactor.callLater(0, done)

        reactor.spawnProcess(Echo(), CAT, [CAT])

    return echo


def run_reactor(package: str, loop: str, operation: str, sampler: Sampler) -> None:
    """Measure the processes of reactorlib or Twisted: they run the same program."""
    reactor, options = reactor_of(package, loop)
    protocol: Unknown = import_module(f"{package}.internet.protocol")
    make = echo_with if operation == "echo" else spawn_with
    work = make(protocol, reactor)

    def again() -> None:
        gc.collect()
        sampler.start()
        work(sampler.count, WIDTH[operation], over)

    def over() -> None:
        if sampler.stop():
            again()
        else:
            sampler.report()
            reactor.stop()

    reactor.callWhenRunning(work, WARM_UP, WIDTH[operation], again)
    reactor.run(**options)


def main() -> None:
    """Measure, print and end."""
    options = parse_arguments(__doc__, WIDTH)

    ballast = bytearray(b"\1" * BALLAST) if options.operation == "big-parent" else b""
    sampler = Sampler(options.count, options.repeats)
    if options.package == "raw":
        run_raw(options.loop, options.operation, sampler)
    else:
        run_reactor(options.package, options.loop, options.operation, sampler)
    del ballast


if __name__ == "__main__":
    main()
