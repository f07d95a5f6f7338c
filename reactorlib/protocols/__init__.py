"""Protocols that are written on the reactor alone: lines, netstrings."""
