"""Telnet, terminals, and a Python prompt into a running program."""
