"""
Twisted's name for this library, for programs that are not yours to edit.

After `install_as_twisted()`, `import twisted.internet.defer` gives
`reactorlib.internet.defer`, the same module object. `python -m reactorlib.compat`
runs a program so, and `python -m reactorlib.compat rewrite` changes the names in its
sources instead.
"""

from __future__ import annotations

from reactorlib.compat._alias import API_VERSION, TwistedImported, install_as_twisted

__all__ = ["API_VERSION", "TwistedImported", "install_as_twisted"]
