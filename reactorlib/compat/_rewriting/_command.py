"""`python -m reactorlib.compat rewrite`: files and folders."""

from __future__ import annotations

import difflib
import io
import os
import shutil
import sys
import tempfile
import tokenize
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path

from reactorlib.compat._alias import API_VERSION, PAGE
from reactorlib.compat._rewriting._source import Left, Unreadable, rewrite

__all__ = ["main"]

#: What Python programs are in, and Twisted's configurations.
SUFFIXES = {".py", ".pyi", ".pyw", ".tac"}

#: What there is to say at the end, in a status.
ALL, LEFT, WRONG = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """
    Show, or make, the changes in files; list on the standard error what is left.

    Returns:
        0 if nothing is left, 1 if something is, 2 if a path cannot be read or written.
    """
    parser = ArgumentParser(
        prog="python -m reactorlib.compat rewrite",
        description="Change imports of twisted to reactorlib. Shows a unified diff; lists on "
        "the standard error what it leaves, by file and line: names that are not here, names in "
        "strings, files that cannot be parsed.",
        epilog="Exit status: 0, nothing is left to do by hand; 1, something is, and is listed; "
        "2, a path cannot be read or written, or the command line is wrong.",
    )
    parser.add_argument("--write", action="store_true", help="change the files")
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="a file, or a folder")
    options = parser.parse_args(arguments)
    status = ALL
    for path in options.paths:
        if not path.exists():
            print(f"{path}: there is no such file or folder", file=sys.stderr)
            status = WRONG
            continue
        for file in _files(path):
            status = max(status, _one(file, options.write))
    if status:
        print(f"What there is of Twisted {API_VERSION} is listed in {PAGE}.", file=sys.stderr)
    return status


def _one(file: Path, write: bool) -> int:
    """Change one file, or show how; tell of what is left in it."""
    try:
        source = file.read_bytes()
    except OSError as error:
        print(f"{file}: it cannot be read: {error.strerror}", file=sys.stderr)
        return WRONG
    if b"twisted" not in source:
        return _placed(file)
    try:
        encoding = _encoding_of(source)
        changed, left = rewrite(source, encoding)
    except Unreadable as error:
        print(f"{file}: {error}", file=sys.stderr)
        return LEFT
    _tell(file, left)
    status = max(_placed(file), LEFT if left else ALL)
    if changed != source:
        if not write:
            _show(file, source.decode(encoding), changed.decode(encoding))
        else:
            try:
                _replace(file, changed)
            except OSError as error:
                print(f"{file}: it cannot be written: {error.strerror}", file=sys.stderr)
                return WRONG
    return status


def _placed(file: Path) -> int:
    """Tell of a plugin, which is found by the folder it is in."""
    if file.absolute().parent.parts[-2:] != ("twisted", "plugins"):
        return ALL
    print(f"{file}:1: move it to a folder reactorlib/plugins", file=sys.stderr)
    return LEFT


def _encoding_of(source: bytes) -> str:
    """By its mark or comment; one that starts with a mark keeps it as a character."""
    try:
        found, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except (SyntaxError, UnicodeError) as error:
        raise Unreadable(f"it cannot be parsed as Python 3: {error}") from error
    return "utf-8" if found == "utf-8-sig" else found


def _tell(file: Path, left: Sequence[Left]) -> None:
    for each in left:
        print(f"{file}:{each.line}: {each.reason}", file=sys.stderr)


def _show(file: Path, before: str, after: str) -> None:
    lines = difflib.unified_diff(
        io.StringIO(before, newline="").readlines(),
        io.StringIO(after, newline="").readlines(),
        f"{file}",
        f"{file}",
    )
    for line in lines:
        sys.stdout.write(line)
        if not line.endswith(("\n", "\r")):
            sys.stdout.write("\n\\ No newline at end of file\n")


def _replace(file: Path, content: bytes) -> None:
    """Put a new file in the place of the old one, at once."""
    target = file.resolve()
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "wb") as new:
            new.write(content)
        shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _files(path: Path) -> Iterator[Path]:
    """The file; or those with Python in them in the folder, but in environments and such."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not _is_left_out(Path(folder, name)))
        yield from (Path(folder, name) for name in sorted(names) if Path(name).suffix in SUFFIXES)


def _is_left_out(folder: Path) -> bool:
    name = folder.name
    return (
        name.startswith(".")
        or name in ("__pycache__", "node_modules", "site-packages")
        or (folder / "pyvenv.cfg").exists()
    )
