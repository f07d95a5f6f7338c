"""
What can be wrong with a saved object, or with saving it.

Each error fits on one line that says whose fault it is and what to do, to be shown
to whoever gave the file to a program.
"""

from __future__ import annotations

__all__ = [
    "DamagedFile",
    "FileNotTrusted",
    "LoadError",
    "MethodGone",
    "NameGone",
    "NameRefused",
    "NotData",
    "PassphraseNeeded",
    "SaveError",
    "ValueMissing",
    "WrongPassphrase",
]


class LoadError(Exception):
    """
    A file cannot be loaded.

    Attributes:
        reason: why.
        filename: which; None where it is not from a file.
    """

    def __init__(self, reason: str, filename: str | None = None) -> None:
        super().__init__(reason, filename)
        self.reason = reason
        self.filename = filename

    def __str__(self) -> str:
        return self.reason if self.filename is None else f"{self.filename}: {self.reason}"


class FileNotTrusted(LoadError):
    """Somebody else can write it: what it holds may not be what its owner saved."""


class DamagedFile(LoadError):
    """It is cut off, or not what it is said to be."""


class NotData(LoadError):
    """There is code in it, and a saved object is data."""


class PassphraseNeeded(LoadError):
    """It is encrypted, and no passphrase was given."""


class WrongPassphrase(LoadError):
    """The passphrase is not the one that it was saved with, or somebody changed it since."""


class ValueMissing(LoadError, KeyError):
    """A Python file does not define the name that is wanted of it."""


class NameGone(LoadError):
    """
    It needs a class, function or module that is not there.

    Attributes:
        name: the one it needs, with its module.
    """

    def __init__(self, name: str, reason: str, filename: str | None = None) -> None:
        super().__init__(reason, filename)
        self.name = name


class MethodGone(NameGone, TypeError):
    """It needs a method that its class has no more."""


class NameRefused(LoadError):
    """
    It names what whoever loads it did not allow.

    Attributes:
        name: the one that it names, with its module.
    """

    def __init__(self, name: str, filename: str | None = None) -> None:
        super().__init__(f"it names {name}, which is not among what it may name", filename)
        self.name = name


class SaveError(TypeError):
    """Something in an object cannot be saved; the text says what, and where it is."""
