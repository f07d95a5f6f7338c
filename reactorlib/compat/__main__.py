"""The command line: `python -m reactorlib.compat`."""

from __future__ import annotations

import sys

USAGE = """\
usage: python -m reactorlib.compat SCRIPT [ARGUMENT ...]
       python -m reactorlib.compat -m MODULE [ARGUMENT ...]
       python -m reactorlib.compat -c COMMAND [ARGUMENT ...]
       python -m reactorlib.compat rewrite [--write] PATH [PATH ...]

Run a Python program in which `import twisted` means reactorlib, with the
arguments, the output and the exit status that it has under python itself.

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
    if first in ("-m", "-c") and not rest:
        sys.stderr.write(f"python -m reactorlib.compat: {first} needs an argument\n{USAGE}")
        raise SystemExit(2)
    if first.startswith("-") and first not in ("-", "-m", "-c"):
        sys.stderr.write(f"python -m reactorlib.compat: there is no option {first}\n{USAGE}")
        raise SystemExit(2)

    from reactorlib.compat import install_as_twisted
    from reactorlib.compat._run import run_command, run_module, run_script

    install_as_twisted()
    if first == "-m":
        run_module(rest[0], rest[1:])
    elif first == "-c":
        run_command(rest[0], rest[1:])
    else:
        run_script(first, rest)


if __name__ == "__main__":
    main(sys.argv[1:])
