"""
Running a program as `python` itself would, with everything set up before it.

What the program sees - `sys.argv`, `sys.path[0]`, `__main__`, tracebacks, the exit
status - is as if there were nothing before it.
"""

from __future__ import annotations

import builtins
import importlib.util
import os
import pkgutil
import sys
import zipfile
from collections.abc import Sequence
from importlib.machinery import BuiltinImporter, ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any, NoReturn

__all__ = ["run_command", "run_module", "run_script"]


#: What Python says of a program that is in no file.
_IN_MEMORY: dict[str, Any] = {"__loader__": BuiltinImporter, "__package__": None}


def run_command(source: str, arguments: Sequence[str]) -> None:
    """As `python -c SOURCE ARGUMENTS`."""
    _set_path("")
    sys.argv = ["-c", *arguments]
    _execute(_compile(source, "<string>"), _IN_MEMORY)


def run_script(path: str, arguments: Sequence[str]) -> None:
    """As `python PATH ARGUMENTS`: a file, a folder or archive with a `__main__`, or `-`."""
    sys.argv = [path, *arguments]
    if path == "-":
        _set_path("")
        _execute(_compile(sys.stdin.read(), "<stdin>"), {"__file__": "<stdin>", **_IN_MEMORY})
    elif os.path.isdir(path) or zipfile.is_zipfile(path):
        _run_folder(path)
    else:
        _run_file(path)


def _run_file(path: str) -> None:
    full = os.path.join(os.getcwd(), path)  # it is not normalized either
    try:
        with open(path, "rb") as file:
            code: Any = pkgutil.read_code(file)
            file.seek(0)
            source = file.read()
    except OSError as error:
        _fail(2, f"can't open file {full!r}: [Errno {error.errno}] {error.strerror}")
    _set_path(os.path.dirname(os.path.realpath(path)))
    if code is None:
        code = _compile(source, full)
    loader = SourceFileLoader("__main__", full)
    _execute(code, {"__file__": full, "__loader__": loader, "__package__": None})


def _run_folder(path: str) -> None:
    path = os.path.join(os.getcwd(), path)
    if not sys.flags.isolated:
        _set_path(path, always=True)
    importer = pkgutil.get_importer(path)
    spec = None if importer is None else importer.find_spec("__main__", None)
    if spec is None:
        _fail(1, f"can't find '__main__' module in {path!r}")
    _execute(_code_of(spec), _described_by(spec, ""))


def run_module(name: str, arguments: Sequence[str]) -> None:
    """As `python -m NAME ARGUMENTS`. The current folder is on the path already."""
    sys.argv = ["-m", *arguments]
    spec = _find(name)
    if spec.submodule_search_locations is not None:
        if name.rpartition(".")[2] == "__main__":
            _fail(1, "Cannot use package as __main__ module")
        within = _find(f"{name}.__main__", package=name)
        spec = within
    code = _code_of(spec)
    sys.argv[0] = spec.origin or name
    _execute(code, _described_by(spec, spec.parent or ""))


def _find(name: str, package: str | None = None) -> ModuleSpec:
    spec = None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        kind = type(error).__name__
        _fail(1, f"Error while finding module specification for {name!r} ({kind}: {error})")
    except Exception:
        _hide_frames_before(None)
        raise
    if spec is None:
        reason = f"No module named {name}"
        if package is not None:
            reason += f"; {package!r} is a package and cannot be directly executed"
        _fail(1, reason)
    return spec


def _code_of(spec: ModuleSpec) -> CodeType:
    loader: Any = spec.loader
    code = loader.get_code(spec.name) if hasattr(loader, "get_code") else None
    if code is None:
        _fail(1, f"No code object available for {spec.name}")
    assert isinstance(code, CodeType)
    return code


def _described_by(spec: ModuleSpec, package: str) -> dict[str, Any]:
    return {
        "__cached__": spec.cached,
        "__file__": spec.origin,
        "__loader__": spec.loader,
        "__package__": package,
        "__spec__": spec,
    }


def _set_path(first: str, always: bool = False) -> None:
    """`python -m`, by which we were started, has put the current folder there."""
    if sys.flags.safe_path:
        if always:
            sys.path.insert(0, first)
    else:
        sys.path[0] = first


def _fail(status: int, reason: str) -> NoReturn:
    print(f"{sys.executable}: {reason}", file=sys.stderr)
    raise SystemExit(status)


def _compile(source: str | bytes, path: str) -> CodeType:
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        _hide_frames_before(None)
        raise


def _execute(code: CodeType, names: dict[str, Any]) -> None:
    main = ModuleType("__main__")
    main.__dict__.update({"__cached__": None, "__builtins__": builtins})
    if sys.version_info < (3, 14):  # where a module has them once it has any
        main.__dict__.update({"__annotations__": {}})
    main.__dict__.update(names)
    sys.modules["__main__"] = main
    try:
        exec(code, main.__dict__)  # noqa: S102  # which is the point
    except SystemExit:
        raise
    except BaseException:
        _hide_frames_before(code)
        raise


def _hide_frames_before(code: CodeType | None) -> None:
    """Let the traceback that Python is going to print begin with the program, or an import."""
    show = sys.excepthook

    def before(traceback: TracebackType) -> bool:
        found = traceback.tb_frame.f_code
        if code is not None:
            return found is not code
        return found.co_filename.startswith(("<frozen ", os.path.dirname(__file__)))

    def show_less(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        while traceback is not None and before(traceback):
            traceback = traceback.tb_next
        show(kind, error.with_traceback(traceback), traceback)

    sys.excepthook = show_less
