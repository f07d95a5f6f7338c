"""
Twisted's programming model, native on asyncio.

Import what you need from the subpackages: their paths are Twisted's with the
first word changed. Importing any of them has no side effect.
"""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
