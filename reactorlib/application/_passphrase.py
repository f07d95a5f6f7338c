"""Asking for passphrases."""

from __future__ import annotations

import getpass
import sys

from reactorlib.persisted.error import PassphraseNeeded

__all__ = ["ask", "ask_twice"]


def ask(prompt: str = "Passphrase: ") -> str:
    """
    Ask for a passphrase: at the terminal, where it is not shown; where standard
    input is none, its next line is taken.

    Raises:
        PassphraseNeeded: there is nothing in it.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        answer = getpass.getpass(prompt)
    else:
        answer = "" if sys.stdin is None else sys.stdin.readline().rstrip("\r\n")
    if not answer:
        raise PassphraseNeeded("no passphrase was given")
    return answer


def ask_twice() -> str:
    """Ask for a new one: at a terminal twice, until both are the same."""
    while True:
        answer = ask("Encryption passphrase: ")
        if not sys.stdin.isatty() or ask("The same again: ") == answer:
            return answer
        print("They are not the same.")
