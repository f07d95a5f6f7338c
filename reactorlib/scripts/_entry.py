"""What the commands have in common when a shell runs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

__all__ = ["enter"]


def enter(main: Callable[[], object]) -> None:
    """
    Call `main` as `python -m` would: modules in the working directory can be imported.

    Where whoever reads what is printed has gone, as `head` goes, the process ends.
    """
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # So that the interpreter, when it ends, does not find out once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
