"""Byte-level pieces that protocols share. Nothing here does I/O or reads a clock."""
