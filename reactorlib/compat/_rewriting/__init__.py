"""Renaming `twisted` to `reactorlib` in the sources of programs."""

from __future__ import annotations

from reactorlib.compat._rewriting._command import main
from reactorlib.compat._rewriting._source import Left, rewrite

__all__ = ["Left", "main", "rewrite"]
