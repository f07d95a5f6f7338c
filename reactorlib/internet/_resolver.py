"""
Twisted's name of what a resolver hands to its receiver.

It is no public name there either; packages that have resolvers of their own take it all
the same, as `autobahn.twisted.testing` does.
"""

from __future__ import annotations

from reactorlib.internet._resolvers import Resolution as HostResolution

__all__ = ["HostResolution"]
