"""Work that is spread over time, and a clock for tests that a test moves."""

from reactorlib.internet.task._clock import Clock
from reactorlib.internet.task._later import deferLater

__all__ = ["Clock", "deferLater"]
