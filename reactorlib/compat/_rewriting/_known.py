"""What there is here of a dotted name."""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib import import_module

__all__ = ["has_module", "missing"]

#: What `twisted` and `reactorlib` both have, and each says it of itself.
_ITS_OWN = {"__file__", "__path__", "__version__", "_version", "copyright", "version"}


@cache
def has_module(path: str) -> bool:
    """Whether there is a module `reactorlib.PATH`; "" is `reactorlib` itself."""
    if not path:
        return True
    if path.partition(".")[0] == "compat":
        return False
    try:
        return importlib.util.find_spec(f"reactorlib.{path}") is not None
    except ValueError:
        return True  # the reactor, which is in no file
    except ImportError:
        return False


@cache
def missing(path: str) -> str | None:
    """
    What of `twisted.PATH` there is not under the name `reactorlib`; None if all is there.

    Args:
        path: a module, or a module and what is in it.
    """
    parts = path.split(".")
    if parts[0] in _ITS_OWN:
        return f"twisted.{parts[0]}"
    cut = len(parts)
    while not has_module(".".join(parts[:cut])):
        cut -= 1
    if cut == len(parts):
        return None
    wanted = f"twisted.{'.'.join(parts[: cut + 1])}"
    if cut == 0:
        return wanted
    try:
        module = import_module(f"reactorlib.{'.'.join(parts[:cut])}")
    except ImportError:
        return None  # it needs what is not installed here
    return None if hasattr(module, parts[cut]) else wanted
