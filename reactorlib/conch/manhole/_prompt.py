"""
The prompt with prompt_toolkit: statements edited as a whole, colours, completion, history.

prompt_toolkit runs on the loop that runs, reads keys from memory, and writes to the
connection. It is told of the size of the window, and is no terminal of the process's.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import contextvars
import itertools
import rlcompleter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import application as _application
from prompt_toolkit.application import create_app_session, run_in_terminal
from prompt_toolkit.completion import (
    CompleteEvent,
    Completer,
    Completion,
    get_common_complete_suffix,
)
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input.base import Input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.output.vt100 import Vt100_Output

from reactorlib.conch.manhole._interpreter import ManholeInterpreter
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.logger import Logger

__all__ = ["PromptManhole"]

# Keys that may wait while nobody reads: typed ahead, or pasted.
_MAX_AHEAD = 65536
# How many are looked at in one turn of the loop: some milliseconds.
_AT_ONCE = 256
_CTRL_C = "\x03"

_numbers = itertools.count()
_free_numbers: list[int] = []


class _Keys(Input):
    """Keys from a connection, for one application at a time."""

    def __init__(self) -> None:
        self._text = ""  # what was typed and has not been looked at
        self._keys: list[KeyPress] = []
        self._parser = Vt100Parser(self._keys.append)
        self._ready: Callable[[], None] | None = None
        self._scheduled = False
        self._closed = False
        # What prompt_toolkit keeps for a hash, it keeps for ever: so they are used again.
        self._number = _free_numbers.pop() if _free_numbers else next(_numbers)

    def feed(self, text: str) -> None:
        """Take what was typed."""
        self._text += text[: max(_MAX_AHEAD - len(self._text), 0)]
        if not self._scheduled:
            self._next()

    def _next(self) -> None:
        """Have some of the keys read, if somebody does, and the others in the next turns."""
        self._scheduled = False
        if self._ready is None:
            return
        if self._text:
            self._parser.feed(self._text[:_AT_ONCE])
            self._text = self._text[_AT_ONCE:]
        if self._keys:
            self._ready()
        self._schedule()

    def _schedule(self) -> None:
        if (self._text or self._keys) and not self._scheduled and self._ready is not None:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next)

    def forget(self) -> None:
        """Drop what waits."""
        self._text = ""
        self._parser.reset()
        self._keys.clear()
        clear_typeahead(self)

    def close(self) -> None:
        """There will be no more keys."""
        if not self._closed:
            self._closed = True
            self.forget()
            _free_numbers.append(self._number)

    def fileno(self) -> int:
        raise NotImplementedError("it is not a file")

    def typeahead_hash(self) -> str:
        return f"reactorlib-{self._number}"

    def read_keys(self) -> list[KeyPress]:
        keys = self._keys[:]
        self._keys.clear()
        return keys

    def flush_keys(self) -> list[KeyPress]:
        self._parser.flush()
        return self.read_keys()

    @property
    def closed(self) -> bool:
        return self._closed

    def raw_mode(self) -> AbstractContextManager[None]:
        return nullcontext()

    def cooked_mode(self) -> AbstractContextManager[None]:
        return nullcontext()

    def attach(self, input_ready_callback: Callable[[], None]) -> AbstractContextManager[None]:
        return self._with(input_ready_callback)

    def detach(self) -> AbstractContextManager[None]:
        return self._with(None)

    @contextmanager
    def _with(self, ready: Callable[[], None] | None) -> Iterator[None]:
        before, self._ready = self._ready, ready
        try:
            self._schedule()
            yield
        finally:
            self._ready = before


class _Out:
    """The text file that prompt_toolkit writes to."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        text = "".join(self._parts)
        self._parts.clear()
        if text:
            self._write(text.encode("utf-8", "replace"))

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise NotImplementedError("it is not a file")


class _Names(Completer):
    """Completes names, and attributes of what has a name."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._completer = rlcompleter.Completer(names)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        word = document.get_word_before_cursor(WORD=True)
        # What follows an operator or a bracket is a word of its own to Python.
        start = max((word.rfind(mark) for mark in "()[]{},:=+-*/%&|^<>@~!'\""), default=-1) + 1
        word = word[start:]
        for state in itertools.count():
            try:
                # It evaluates what is before the dot.
                found = self._completer.complete(word, state)
            except Exception:
                return
            if found is None:
                return
            yield Completion(found.rstrip("("), start_position=-len(word))


_prompting = 0
_attach_winch: Any = None


@contextmanager
def _no_winch() -> Iterator[None]:
    """
    Keep prompt_toolkit from handling SIGWINCH for our sessions.

    It would for each application in the main thread: the signal is about the terminal
    of the process, and handlers of several sessions would be left behind.
    """
    global _prompting, _attach_winch
    if not _prompting:
        original = _attach_winch = _application.attach_winch_signal_handler

        def attach(handler: Any) -> Any:
            ours = isinstance(getattr(handler.__self__, "input", None), _Keys)
            return nullcontext() if ours else original(handler)

        _application.attach_winch_signal_handler = attach
    _prompting += 1
    try:
        yield
    finally:
        _prompting -= 1
        if not _prompting:
            _application.attach_winch_signal_handler = _attach_winch


class PromptManhole(Protocol):
    """
    A Python prompt on the terminal at the other end of the connection.

    Enter runs a statement when it is complete; Tab completes names; Ctrl-C forgets the
    statement, or cancels what it awaits; Ctrl-D on an empty line and Ctrl-\\ leave.

    Args:
        namespace: the names that sessions begin with. Each has a copy of its own.

    Attributes:
        interpreter: the `ManholeInterpreter`.
    """

    _log = Logger(namespace="reactorlib.conch.manhole")

    def __init__(self, namespace: Mapping[str, Any] | None = None) -> None:
        names = None if namespace is None else dict(namespace)
        self.interpreter = ManholeInterpreter(self, names)
        self._keys = _Keys()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._size = Size(rows=24, columns=80)
        self._task: asyncio.Task[None] | None = None
        self._context: contextvars.Context | None = None
        self._session: PromptSession[str] | None = None
        self._left = False
        self._at_start = True  # of a line

    def connectionMade(self) -> None:
        """Show the prompt."""
        self._out = Vt100_Output(
            _Out(self._write),  # type: ignore[arg-type]  # as much of a TextIO as it uses
            lambda: self._size,
            term="xterm",
            enable_cpr=False,
        )
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._ended)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """Somebody left: what they await is cancelled."""
        self._left = True
        self.interpreter.close()
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._keys.close()
        if not task.cancelled() and (why := task.exception()) is not None:
            self._log.error("a session in the manhole failed: {why!r}", why=why)
            self.transport.loseConnection()

    def terminalSize(self, width: int, height: int) -> None:
        """The size is so many columns and lines."""
        self._size = Size(rows=height, columns=width)
        if self._context is not None and self._session is not None and self._editing:
            self._context.run(self._session.app._on_resize)

    @property
    def _editing(self) -> bool:
        return self._session is not None and self._session.app.is_running

    def dataReceived(self, data: bytes) -> None:
        """Keys were pressed."""
        text = self._decode.decode(data)
        if self.interpreter.running is not None:
            before, interrupted, after = text.rpartition(_CTRL_C)
            if interrupted or "\x1c" in before + after:
                self._keys.forget()
                if "\x1c" in text:
                    self.handle_QUIT()
                else:
                    self.interpreter.interrupt()
                text = after
        if text and not self._left:
            self._keys.feed(text)

    def _write(self, data: bytes) -> None:
        if not self._left:
            self.transport.write(data)

    def handle_QUIT(self) -> None:
        """Leave."""
        if not self._left:
            self._left = True
            self.transport.loseConnection()

    def addOutput(self, data: str | bytes, isAsync: bool | None = None) -> None:
        """
        Show something.

        Args:
            isAsync: whether it comes while a statement is being edited, which is then
                shown again after it. By default that is found out.
        """
        if self._left or not data:
            return
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        if self._editing and self._context is not None:
            self._context.run(run_in_terminal, lambda: self._show(text))
        else:
            self._show(text)

    def _show(self, text: str) -> None:
        self._at_start = text.endswith("\n")
        self._write(text.encode("utf-8", "replace"))

    async def _run(self) -> None:
        locals: Any = self.interpreter.locals
        names = _Names(locals)
        with (
            contextlib.closing(self._keys),
            create_app_session(input=self._keys, output=self._out),
            _no_winch(),
        ):
            self._context = contextvars.copy_context()
            session: PromptSession[str] = PromptSession(
                history=InMemoryHistory(),
                lexer=_lexer(),
                completer=names,
                complete_while_typing=False,
                multiline=True,
                prompt_continuation="... ",
                key_bindings=self._bindings(names),
            )
            self._session = session
            while not self._left:
                await self._statement(session)

    async def _statement(self, session: PromptSession[str]) -> None:
        """Ask for a statement, and run it."""
        if not self._at_start:
            self._show("\n")
        try:
            source = await session.prompt_async(
                ">>> ", set_exception_handler=False, handle_sigint=False
            )
        except EOFError:
            self.handle_QUIT()
            return
        except KeyboardInterrupt:
            self._show("KeyboardInterrupt\n")
            return
        more = self.interpreter.push(source)
        if isinstance(more, Deferred):
            await more
        elif more:
            # Only what is complete comes here, unless it was pasted with no end.
            self.interpreter.push("")
            self.interpreter.resetBuffer()

    def _bindings(self, names: Completer) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("enter")
        def enter(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            text = buffer.text
            line = buffer.document.current_line
            if self._complete(text) and not buffer.document.text_after_cursor.strip():
                buffer.text = text.rstrip() if "\n" in text else text
                buffer.cursor_position = len(buffer.text)
                # A blank line ends what is indented, to Python as well.
                if "\n" in buffer.text:
                    buffer.insert_text("\n")
                buffer.validate_and_handle()
                return
            indent = line[: len(line) - len(line.lstrip())]
            if buffer.document.current_line_before_cursor.rstrip().endswith(":"):
                indent += "    "
            buffer.insert_text("\n" + indent)

        @bindings.add("tab")
        def tab(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            before = buffer.document.current_line_before_cursor
            if before.strip():
                # What follows at once, such as Enter, is about the completed line.
                found = list(names.get_completions(buffer.document, CompleteEvent()))
                common = get_common_complete_suffix(buffer.document, found)
                if common:
                    buffer.insert_text(common)
                elif len(found) > 1:
                    buffer.start_completion()
            else:
                buffer.insert_text(" " * (4 - len(before) % 4))

        @bindings.add("c-\\")
        def leave(event: KeyPressEvent) -> None:
            event.app.exit(exception=EOFError())

        return bindings

    def _complete(self, text: str) -> bool:
        """Whether there is nothing to add to a statement; what is wrong is complete, too."""
        last = text.rpartition("\n")[2]
        source = text if last.strip() else text[: len(text) - len(last)]
        try:
            return self.interpreter.compile(source, "<console>", "single") is not None
        except (SyntaxError, ValueError, OverflowError):
            return True


def _lexer() -> Any:
    """Colours for Python, if Pygments is there."""
    try:
        from prompt_toolkit.lexers import PygmentsLexer
        from pygments.lexers.python import PythonLexer
    except ImportError:
        return None
    return PygmentsLexer(PythonLexer)
