"""Helpers for tests, under the paths that they have in Twisted."""
