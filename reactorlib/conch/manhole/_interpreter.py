"""
Python, a line at a time, for somebody who is elsewhere.

While a statement runs, what it prints goes to the session, and so do its warnings and
the values it shows; it has nothing on its standard input. A statement that awaits runs
in steps, and that holds for each of them, and for nothing that happens in between.
"""

from __future__ import annotations

import ast
import asyncio
import code
import inspect
import io
import sys
import traceback
import types
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from reactorlib.internet.defer import Deferred, ensureDeferred
from reactorlib.python.failure import Failure

__all__ = ["FileWrapper", "ManholeInterpreter"]


class FileWrapper:
    """
    A file whose text is a session's output.

    Args:
        o: what takes the text: it has an `addOutput`.
    """

    softspace = 0
    state = "normal"
    encoding = "utf-8"
    errors = "replace"

    def __init__(self, o: Any) -> None:
        self.o = o

    def flush(self) -> None:
        """Nothing is kept."""

    def isatty(self) -> bool:
        """It is no terminal, even if there is one behind it."""
        return False

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def write(self, data: str) -> int:
        """Show text."""
        self.o.addOutput(data)
        return len(data)

    def writelines(self, lines: Iterable[str]) -> None:
        """Show several pieces of text."""
        self.write("".join(lines))


class ManholeInterpreter(code.InteractiveInterpreter):
    """
    Runs what is entered, and has the handler show what comes of it.

    A value that is a Deferred is shown as "<Deferred #0>", and when it fires, so is
    what with. A statement may `await`: Deferreds, coroutines, whatever asyncio can.

    Args:
        handler: who shows output: `addOutput(text, isAsync)`, where isAsync is true
            for what nobody is waiting for. Where it has a `handle_QUIT`, SystemExit
            calls that.
        locals: the names.
        filename: what tracebacks call the input.

    Attributes:
        buffer: the lines of the statement that is not complete yet.
        numDeferreds: how many Deferreds have been shown.
        running: fires when the statement that awaits something is done; None
            where there is none.
    """

    numDeferreds = 0

    def __init__(
        self,
        handler: Any,
        locals: dict[str, Any] | None = None,
        filename: str = "<console>",
    ) -> None:
        super().__init__(locals)
        self.handler = handler
        self.filename = filename
        self.running: Deferred[None] | None = None
        self._interrupted = False
        self._inside = 0
        self._pending: dict[int, tuple[int, Deferred[Any]]] = {}
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self.resetBuffer()

    @property
    def inside(self) -> bool:
        """Whether a line is being looked at, or code of the session runs, right now."""
        return self._inside > 0

    def resetBuffer(self) -> None:
        """Forget the lines of the statement that is not complete."""
        self.buffer: list[str] = []

    def push(self, line: str | bytes) -> bool | Deferred[bool]:
        """
        Take a line, and run the statement if it is complete.

        Returns:
            whether more lines are needed; or, where something is awaited, a Deferred
            that fires with False when it is over. `interrupt` ends that.
        """
        if isinstance(line, bytes):
            line = line.decode("utf-8", "replace")
        self.buffer.append(line)
        self._inside += 1
        try:
            more = self.runsource("\n".join(self.buffer), self.filename)
        finally:
            self._inside -= 1
        if more:
            return True
        self.resetBuffer()
        if self.running is None:
            return False
        over: Deferred[bool] = Deferred(lambda _: self.interrupt())

        def done(_: None) -> None:
            if not over.called:
                over.callback(False)

        self.running.addCallback(done)
        return over

    def runcode(self, code: types.CodeType) -> None:
        """Run a statement, and show the exception if it raises one."""
        if code.co_flags & inspect.CO_COROUTINE:
            awaiting = types.FunctionType(code, self._names())()
            d = ensureDeferred(self._run_in_steps(awaiting))
            if not d.called:
                self.running = d
                d.addCallback(self._done)
                if self.handler is None:
                    # It has ended its own session.
                    self.interrupt()
            return
        with self._session():
            try:
                exec(code, self._names())  # noqa: S102  # it is what a prompt does
            except SystemExit:
                self._exit()
            except BaseException:
                self.showtraceback()

    def _names(self) -> dict[str, Any]:
        names: Any = self.locals
        return names  # type: ignore[no-any-return]

    def _done(self, _: None) -> None:
        self.running = None

    def interrupt(self) -> None:
        """Cancel what is awaited."""
        if self.running is not None:
            self._interrupted = True
            self.running.cancel()

    def close(self) -> None:
        """The session has ended: show nothing more, and await nothing."""
        self.handler = None
        self._pending.clear()
        self.interrupt()

    async def _run_in_steps(self, awaiting: Coroutine[Any, Any, Any]) -> None:
        self._interrupted = False
        try:
            await _stepped(awaiting, self._session)
        except SystemExit:
            self._exit()
        except asyncio.CancelledError:
            if not self._interrupted:
                self.showtraceback()
            elif self.handler is not None:
                self.write("KeyboardInterrupt\n", False)
        except (Exception, KeyboardInterrupt, BaseExceptionGroup):
            self.showtraceback()

    @contextmanager
    def _session(self) -> Iterator[None]:
        """While it lasts, what is printed is shown in the session."""
        out = FileWrapper(self)
        names = ("stdin", "stdout", "stderr", "displayhook")
        before = [getattr(sys, name) for name in names]
        self._inside += 1
        # input() has to fail, rather than wait for the keyboard of the program's.
        for name, value in zip(names, (io.StringIO(), out, out, self.displayhook), strict=True):
            setattr(sys, name, value)
        try:
            yield
        finally:
            for name, value in zip(names, before, strict=True):
                setattr(sys, name, value)
            self._inside -= 1

    def _exit(self) -> None:
        leave = getattr(self.handler, "handle_QUIT", None)
        if leave is not None:
            leave()

    # What is shown.

    def addOutput(self, data: str, isAsync: bool | None = None) -> None:
        """Show text, if somebody is still there."""
        self.write(data, isAsync)

    def write(self, data: str, isAsync: bool | None = None) -> None:
        """
        Show text.

        Args:
            isAsync: whether it comes when nobody waits for it; None to let the
                handler find out.
        """
        if self.handler is not None:
            self.handler.addOutput(data, isAsync)

    def showtraceback(self) -> None:
        """Show the exception that is being handled."""
        kind, value, tb = sys.exc_info()
        assert kind is not None
        assert value is not None
        try:
            self.excepthook(kind, value, tb)
        finally:
            value = tb = None

    def showsyntaxerror(self, filename: str | None = None, **kwargs: Any) -> None:
        """Show the syntax error that is being handled."""
        value = sys.exc_info()[1]
        assert value is not None
        self.write("".join(traceback.format_exception_only(value)))

    def excepthook(
        self,
        excType: type[BaseException],
        excValue: BaseException,
        excTraceback: types.TracebackType | None,
    ) -> None:
        """Show an exception, from what was entered on."""
        tb = excTraceback
        while tb is not None and tb.tb_frame.f_code.co_filename != self.filename:
            tb = tb.tb_next
        self.write("".join(traceback.format_exception(excType, excValue, tb or excTraceback)))

    def displayhook(self, obj: Any) -> None:
        """Show a value, which is `_` from then on."""
        if obj is None:
            return
        self._names()["_"] = obj
        if not isinstance(obj, Deferred) or hasattr(obj, "result"):
            self.write(f"{obj!r}\n")
            return
        known = self._pending.get(id(obj))
        if known is None:
            number = self.numDeferreds
            self.numDeferreds += 1
            self._pending[id(obj)] = number, obj
            obj.addCallbacks(
                self._deferred_fired,
                self._deferred_failed,
                callbackArgs=(number, obj),
                errbackArgs=(number, obj),
            )
        else:
            number = known[0]
        if id(obj) in self._pending:
            self.write(f"<Deferred #{number}>\n")

    def _deferred_fired(self, result: Any, number: int, obj: Deferred[Any]) -> Any:
        if self._pending.pop(id(obj), None):
            self.write(f"Deferred #{number} called back: {result!r}\n", not self.inside)
        return result

    def _deferred_failed(self, failure: Failure, number: int, obj: Deferred[Any]) -> Any:
        if self._pending.pop(id(obj), None):
            why = failure.getErrorMessage()
            self.write(f"Deferred #{number} failed: {why!r}\n", not self.inside)
        return failure


@types.coroutine
def _stepped(
    awaiting: Coroutine[Any, Any, Any], session: Callable[[], Any]
) -> Generator[Any, Any, Any]:
    """Await a coroutine, each of its steps inside a session of its own."""
    value: Any = None
    error: BaseException | None = None
    while True:
        with session():
            try:
                awaited = awaiting.send(value) if error is None else awaiting.throw(error)
            except StopIteration as end:
                return end.value
        value = error = None
        try:
            value = yield awaited
        except GeneratorExit:
            awaiting.close()
            raise
        except BaseException as why:
            error = why
