"""Tests that wait for Deferreds and coroutines; see `reactorlib.trial.unittest`."""
