"""The warnings that are given while a test runs, which it may ask for."""

from __future__ import annotations

import inspect
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["Warned", "collect_warnings", "collected", "forget_shown", "is_from"]


@dataclass
class Warned:
    """A warning that was given."""

    message: str
    category: type[Warning]
    filename: str
    lineno: int


def forget_shown(modules: Mapping[str, Any]) -> None:
    """Let no module remember which warnings it has shown."""
    for module in list(modules.values()):
        if getattr(module, "__warningregistry__", None) is not None:
            module.__warningregistry__ = None


@contextmanager
def collected(observe: Callable[[Warned], object]) -> Iterator[None]:
    """Have `observe` told of every warning, also one that was given before."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: object = None,
    ) -> None:
        observe(Warned(str(message), category, filename, lineno))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        forget_shown(sys.modules)
        warnings.showwarning = show
        yield


def collect_warnings(
    observeWarning: Callable[[Warned], object],
    f: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Call `f`, and return what it does; the warnings go to `observeWarning`."""
    with collected(observeWarning):
        return f(*args, **kwargs)


def is_from(warned: Warned, function: Any) -> bool:
    """
    Whether a warning names a line of a function.

    Raises:
        ValueError: it is neither a function nor a method.
    """
    function = inspect.unwrap(function) if callable(function) else function
    code = getattr(function, "__code__", None)
    if not isinstance(code, types.CodeType):
        raise ValueError(f"{function!r} is neither a function nor a method")
    lines = _lines(code)
    if not min(lines) <= warned.lineno <= max(lines):
        return False
    module = sys.modules.get(function.__module__)
    files = {code.co_filename, getattr(module, "__file__", None) or code.co_filename}
    return _file(warned.filename) in {_file(name) for name in files}


def _file(name: str) -> str:
    if name.endswith((".pyc", ".pyo")):
        name = name[:-1]
    return os.path.normcase(os.path.abspath(name))


def _lines(code: types.CodeType) -> set[int]:
    lines = {line for _, _, line in code.co_lines() if line} | {code.co_firstlineno}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            lines |= _lines(constant)
    return lines
