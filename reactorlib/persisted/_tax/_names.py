"""What the elements are called."""

from __future__ import annotations

from typing import Any

from reactorlib.persisted.aot import Class, Function, Global, Module

__all__ = ["NAMED", "SINGLE", "VERSION"]

VERSION = "1"

#: The elements that only have a name, with the nodes that they stand for.
NAMED: dict[str, type] = {
    "class": Class,
    "function": Function,
    "global": Global,
    "module": Module,
}

#: The values of which there is one, with their elements.
SINGLE: dict[Any, str] = {None: "none", True: "true", False: "false", Ellipsis: "ellipsis"}
