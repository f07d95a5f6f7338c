"""Benchmarks that put reactorlib beside raw asyncio, raw uvloop and real Twisted in one run."""
