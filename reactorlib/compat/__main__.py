"""The command line: `python -m reactorlib.compat`."""

from __future__ import annotations

import sys
from typing import NoReturn

USAGE = """\
usage: python -m reactorlib.compat [--uvloop] SCRIPT [ARGUMENT ...]
       python -m reactorlib.compat [--uvloop] -m MODULE [ARGUMENT ...]
       python -m reactorlib.compat [--uvloop] -c COMMAND [ARGUMENT ...]
       python -m reactorlib.compat rewrite [--write] PATH [PATH ...]

Run a Python program in which `import twisted` means reactorlib, with the
arguments, the output and the exit status that it has under python itself.
With --uvloop, the loops that the program makes, and its reactor, are uvloop's.

rewrite changes the imports in a program's files instead: it shows how, or, with
--write, does it, and lists what it leaves. To run a script called "rewrite",
say ./rewrite.
"""


def main(arguments: list[str]) -> None:
    """Do what the command line says; raises SystemExit with the status."""
    if not arguments:
        sys.stderr.write(USAGE)
        raise SystemExit(2)
    first, *rest = arguments
    if first in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return
    if first == "rewrite":
        from reactorlib.compat._rewriting import main as rewrite

        raise SystemExit(rewrite(rest))
    with_uvloop = first == "--uvloop"
    if with_uvloop:
        if not rest:
            _refuse("--uvloop needs a program")
        first, *rest = rest
    if first in ("-m", "-c") and not rest:
        _refuse(f"{first} needs an argument")
    if first.startswith("-") and first not in ("-", "-m", "-c"):
        _refuse(f"there is no option {first}")

    from reactorlib.compat import install_as_twisted
    from reactorlib.compat._run import make_loops_uvloops, run_command, run_module, run_script

    if with_uvloop:
        try:
            make_loops_uvloops()
        except ImportError as error:
            raise SystemExit(f"python -m reactorlib.compat: {error}") from None
    install_as_twisted()
    if first == "-m":
        run_module(rest[0], rest[1:])
    elif first == "-c":
        run_command(rest[0], rest[1:])
    else:
        run_script(first, rest)


def _refuse(reason: str) -> NoReturn:
    sys.stderr.write(f"python -m reactorlib.compat: {reason}\n{USAGE}")
    raise SystemExit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
