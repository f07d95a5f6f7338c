"""Tracebacks as plain values and as text, for `Failure`."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Any

import reactorlib

if TYPE_CHECKING:
    from reactorlib.python.failure import Failure

__all__ = ["Frame", "extract", "format_frames", "format_traceback", "imitate"]

#: Function, file, line, local and global variables as `(name, value)` pairs.
Frame = tuple[str, str, int, Any, Any]

_OURS = os.path.dirname(os.path.abspath(reactorlib.__file__)) + os.sep


def safe_str(value: object) -> str:
    """`str(value)`, or what can be said where that fails."""
    try:
        return str(value)
    except Exception as exception:
        name, error = type(value).__name__, type(exception).__qualname__
        return f"<{name} instance whose str() raises {error}>"


def safe_repr(value: object) -> str:
    """`repr(value)`, or what can be said where that fails."""
    try:
        return repr(value)
    except Exception as exception:
        name, error = type(value).__name__, type(exception).__qualname__
        return f"<{name} instance whose repr() raises {error}>"


def extract(tb: TracebackType | None, with_variables: bool) -> list[Frame]:
    """The frames of a traceback, outermost first."""
    frames: list[Frame] = []
    while tb is not None:
        frame = tb.tb_frame
        code = frame.f_code
        variables: tuple[Any, Any] = ((), ())
        if with_variables:
            variables = list(frame.f_locals.items()), list(frame.f_globals.items())
        frames.append((code.co_name, code.co_filename, tb.tb_lineno, *variables))
        tb = tb.tb_next
    return frames


def imitate(frames: list[Frame]) -> Any:
    """
    What the `traceback` and `dis` modules, and debuggers, take for a traceback of
    these frames; None if there are none.
    """
    following: Any = None
    for name, file, line, local_vars, global_vars in reversed(frames):
        code = SimpleNamespace(
            co_name=name,
            co_qualname=name,
            co_filename=file,
            co_firstlineno=line,
            co_code=b"",
            co_consts=(),
            co_flags=0,
            co_positions=lambda: iter([(None, None, None, None)]),
        )
        frame = SimpleNamespace(
            f_code=code,
            f_lineno=line,
            f_lasti=0,
            f_back=None,
            f_trace=None,
            f_builtins={},
            f_locals=dict(local_vars),
            f_globals=dict(global_vars),
        )
        following = SimpleNamespace(tb_frame=frame, tb_lineno=line, tb_lasti=0, tb_next=following)
    return following


def format_frames(frames: list[Frame], write: Callable[[str], object], detail: str) -> None:
    """Write frames as text; see `Failure.getTraceback` for `detail`."""
    if detail not in ("brief", "default", "verbose", "verbose-vars-not-captured"):
        raise ValueError(
            "detail is 'brief', 'default', 'verbose' or 'verbose-vars-not-captured', "
            f"not {detail!r}"
        )
    for name, file, line, local_vars, global_vars in frames:
        if detail == "brief":
            write(f"{file}:{line}:{name}\n")
        elif detail == "default":
            summary = traceback.FrameSummary(file, line, name)
            write("".join(traceback.StackSummary.from_list([summary]).format()))
        else:
            write(f"{file}:{line}: {name}(...)\n")
            if detail == "verbose":
                write(" [ Locals ]\n")
                for variable, value in local_vars:
                    write(f"  {variable} : {safe_repr(value)}\n")
                write(" ( Globals )\n")
                for variable, value in global_vars:
                    write(f"  {variable} : {safe_repr(value)}\n")


class _Plain(traceback.TracebackException):
    """As Python formats it, but the class with its module, and no carets."""

    kind: type[BaseException]

    def format_exception_only(  # type: ignore[override]  # its arguments differ by version
        self, *args: Any, **kwargs: Any
    ) -> Iterator[str]:
        module, name = self.kind.__module__, self.kind.__qualname__
        for line in super().format_exception_only(*args, **kwargs):
            if module in ("builtins", "__main__") and line.startswith(name):
                line = f"{module}.{line}"
            yield line


def format_traceback(failure: Failure, elide_ours: bool, detail: str) -> str:
    """What `Failure.getTraceback` returns."""
    frames = failure.frames
    if elide_ours:
        frames = [frame for frame in frames if not frame[1].startswith(_OURS)]
    lines: list[str] = []
    if detail == "brief":
        kind = safe_repr(failure.type)
        head = "Traceback" if frames else "Traceback (failure with no frames)"
        lines.append(f"{head}: {kind}: {safe_str(failure.value)}\n")
        format_frames(frames, lines.append, "brief")
    elif detail == "default":
        plain = _Plain(failure.type, failure.value, None)
        plain.kind = failure.type
        plain.stack = traceback.StackSummary.from_list(
            [traceback.FrameSummary(file, line, name) for name, file, line, *_ in frames]
        )
        if not frames:
            # So that what looks for a traceback in a log finds one.
            lines.append("Traceback (most recent call last):\n")
        lines.extend(plain.format())
    else:
        if detail == "verbose" and not failure.captureVars:
            detail = "verbose-vars-not-captured"
        pickled = " (pickled) " if failure.pickled else " "
        lines.append(f"*--- Failure #{failure.count}{pickled}---\n")
        format_frames(frames, lines.append, detail)
        if detail == "verbose-vars-not-captured":
            lines.append(" [Capture of Locals and Globals disabled (use captureVars=True)]\n")
        kind = f"{failure.type.__module__}.{failure.type.__qualname__}"
        lines.append(f"{kind}: {safe_str(failure.value)}\n")
        lines.append(f"*--- End of Failure #{failure.count} ---\n")
    return "".join(lines)
