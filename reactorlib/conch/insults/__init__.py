"""Terminals: what a VT100 and its descendants send and understand."""
