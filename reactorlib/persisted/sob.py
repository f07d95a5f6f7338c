"""
Small objects: saved into files, and loaded again.

A file is of one of these styles:

    pickle  .tap  the fastest to load
    xml     .tax  for whoever knows XML to read and edit
    source  .tas  in the notation of Python, to read and edit as well
    python  .tac  a Python program that makes the object: run, and never written

Of an encrypted file the name has an `e` more: `.etap`, `.etac`.

Saved objects are data. Loading one finds the classes that it names and gives their
objects the state they had, but runs nothing that is in the file; and what somebody
other than its owner can have written is refused. A `python` file is a program, and
is trusted like one.
"""

from __future__ import annotations

import os
from typing import Any

from zope.interface import Attribute, Interface, implementer

from reactorlib.persisted import _encryption, _pickling, aot, styles
from reactorlib.persisted import _tax as tax
from reactorlib.persisted._files import write_whole
from reactorlib.persisted._names import Allow
from reactorlib.persisted._trust import read_trusted
from reactorlib.persisted.error import (
    LoadError,
    PassphraseNeeded,
    SaveError,
    ValueMissing,
)

__all__ = [
    "SERVICES",
    "IPersistable",
    "Persistant",
    "Persistent",
    "guessType",
    "load",
    "loadValueFromFile",
]

#: What a saved application names of this library: for `allow`. Functions that do more
#: than to make objects are not among it.
SERVICES = frozenset(
    {
        "reactorlib.application.internet.ClientService",
        "reactorlib.application.internet.CooperatorService",
        "reactorlib.application.internet.MulticastServer",
        "reactorlib.application.internet.SSLClient",
        "reactorlib.application.internet.SSLServer",
        "reactorlib.application.internet.StreamServerEndpointService",
        "reactorlib.application.internet.TCPClient",
        "reactorlib.application.internet.TCPServer",
        "reactorlib.application.internet.TimerService",
        "reactorlib.application.internet.UDPServer",
        "reactorlib.application.internet.UNIXClient",
        "reactorlib.application.internet.UNIXDatagramClient",
        "reactorlib.application.internet.UNIXDatagramServer",
        "reactorlib.application.internet.UNIXServer",
        "reactorlib.application.service.IProcess",
        "reactorlib.application.service.IService",
        "reactorlib.application.service.IServiceCollection",
        "reactorlib.application.service.MultiService",
        "reactorlib.application.service.Process",
        "reactorlib.application.service.Service",
        "reactorlib.internet._current.saved_reactor",
        "reactorlib.internet.endpoints.HostnameEndpoint",
        "reactorlib.internet.endpoints.SSL4ClientEndpoint",
        "reactorlib.internet.endpoints.SSL4ServerEndpoint",
        "reactorlib.internet.endpoints.TCP4ClientEndpoint",
        "reactorlib.internet.endpoints.TCP4ServerEndpoint",
        "reactorlib.internet.endpoints.TCP6ClientEndpoint",
        "reactorlib.internet.endpoints.TCP6ServerEndpoint",
        "reactorlib.internet.endpoints.UNIXClientEndpoint",
        "reactorlib.internet.endpoints.UNIXServerEndpoint",
        "reactorlib.internet.protocol.ClientFactory",
        "reactorlib.internet.protocol.DatagramProtocol",
        "reactorlib.internet.protocol.Factory",
        "reactorlib.internet.protocol.Protocol",
        "reactorlib.internet.protocol.ReconnectingClientFactory",
        "reactorlib.internet.protocol.ServerFactory",
        "reactorlib.internet.reactor",
        "reactorlib.persisted.sob.IPersistable",
        "reactorlib.persisted.sob.Persistent",
        "reactorlib.python.components.Componentized",
    }
)

#: By style: how names of files end.
_ENDINGS = {"pickle": "tap", "xml": "tax", "source": "tas"}

#: By how names of files end: the style.
_STYLES = {
    ".py": "python",
    ".tac": "python",
    ".etac": "python",
    ".tap": "pickle",
    ".etap": "pickle",
    ".tax": "xml",
    ".etax": "xml",
    ".tas": "source",
    ".etas": "source",
}


class IPersistable(Interface):
    """What can be saved."""

    style = Attribute("How it is saved: 'pickle', 'xml' or 'source'.")

    def setStyle(style: str) -> None:
        """Say how it is to be saved."""

    def save(
        tag: str | None = None, filename: str | None = None, passphrase: str | bytes | None = None
    ) -> None:
        """Save it, under a name that is given, or that is made of its own and the tag."""


@implementer(IPersistable)
class Persistent:
    """
    Saves an object.

    Args:
        original: the object.
        name: what the file is called, without its ending.

    Attributes:
        style: how it is saved.
        passphrase: what it is encrypted with where `save` is given no other: the one
            that it was loaded with. It is in no file.
    """

    style = "pickle"
    passphrase: str | bytes | None = None

    def __init__(self, original: Any, name: str) -> None:
        self.original = original
        self.name = name

    def __getstate__(self) -> dict[str, Any]:
        """What is saved of this itself: all but the passphrase."""
        return {name: value for name, value in self.__dict__.items() if name != "passphrase"}

    def setStyle(self, style: str) -> None:
        """
        Say how it is to be saved.

        Raises:
            ValueError: `style` is none of 'pickle', 'xml' and 'source'.
        """
        _check_style(style)
        self.style = style

    def save(
        self,
        tag: str | None = None,
        filename: str | None = None,
        passphrase: str | bytes | None = None,
    ) -> None:
        """
        Save the object. A file that is there is replaced, once the new one is whole.

        Args:
            tag: comes after the name: `name-tag.tap`.
            filename: another name altogether.
            passphrase: whoever loads the file has to give it. By default it is
                that of the file from which the object was loaded.

        Raises:
            SaveError: something in the object cannot be saved.
            OSError: the file cannot be written.
            ImportError: there is a passphrase, and `cryptography` is not installed.
        """
        if passphrase is None:
            passphrase = self.passphrase
        if filename is None:
            ending = ("e" if passphrase is not None else "") + _ENDINGS[self.style]
            filename = f"{self.name}.{ending}" if tag is None else f"{self.name}-{tag}.{ending}"
        try:
            data = _DUMPS[self.style](self.original)
        except SaveError as error:
            raise SaveError(f"{self.name or filename}: {error}") from error
        if passphrase is not None:
            data = _encryption.encrypt(data, passphrase)
        write_whole(os.fspath(filename), data)


#: As Twisted spells it, too.
Persistant = Persistent


def load(
    filename: str,
    style: str,
    passphrase: str | bytes | None = None,
    allow: Allow = None,
) -> Any:
    """
    Load an object that was saved.

    Args:
        filename: the file.
        style: 'pickle', 'xml' or 'source'.
        passphrase: the one that it was saved with; None for none.
        allow: the classes and functions that it may name: dotted names of
            modules, of packages or of the things themselves, or a function that is
            given the name of a module and one in it and answers with a bool. None
            for any.

    Returns:
        the object, brought up to the versions of its classes.

    Raises:
        OSError: the file is not there, or not to be read.
        LoadError: it is not to be trusted, is damaged, has code in it, is
            encrypted with another passphrase, or names what is gone or not
            allowed: see `reactorlib.persisted.error`.
        ValueError: there is no such style.
    """
    _check_style(style)
    filename = os.fspath(filename)
    try:
        data = _decrypted(read_trusted(filename), passphrase)
        with styles.loading():
            loaded = _LOADS[style](data, allow)
    except LoadError as error:
        error.filename = filename
        raise
    persistable = IPersistable(loaded, None)
    if persistable is not None:
        persistable.setStyle(style)
    keep_passphrase(loaded, passphrase)
    return loaded


def keep_passphrase(obj: Any, passphrase: str | bytes | None) -> None:
    """Have an object that was loaded saved as it was: with a passphrase, or with none."""
    persistable: Any = IPersistable(obj, None)
    if isinstance(persistable, Persistent):
        persistable.passphrase = passphrase


def loadValueFromFile(filename: str, variable: str, passphrase: str | bytes | None = None) -> Any:
    """
    Run a Python file, and return what it calls `variable`.

    Args:
        filename: the file; it finds its own name as `__file__`.
        variable: the name.
        passphrase: the one that it was encrypted with; None for none.

    Raises:
        OSError: the file is not there, or not to be read.
        ValueMissing: it does not define that name; a KeyError, too.
        Exception: it is no Python, or raised this; the traceback shows its lines.
    """
    filename = os.fspath(filename)
    with open(filename, "rb") as file:
        data = file.read()
    try:
        data = _decrypted(data, passphrase)
    except LoadError as error:
        error.filename = filename
        raise
    namespace: dict[str, Any] = {"__file__": filename}
    exec(compile(data, filename, "exec", dont_inherit=True), namespace)  # noqa: S102
    try:
        return namespace[variable]
    except KeyError:
        raise ValueMissing(f"does not define {variable!r}", filename) from None


def guessType(filename: str) -> str:
    """
    The style of a file, by how its name ends.

    Raises:
        KeyError: it ends in another way.
    """
    return _STYLES[os.path.splitext(os.fspath(filename))[1]]


def _check_style(style: str) -> None:
    if style not in _ENDINGS:
        raise ValueError(f"there are the styles 'pickle', 'xml' and 'source', and not {style!r}")


def _decrypted(data: bytes, passphrase: str | bytes | None) -> bytes:
    if passphrase is not None:
        return _encryption.decrypt(data, passphrase)
    if _encryption.is_encrypted(data):
        raise PassphraseNeeded("is encrypted: it takes a passphrase")
    return data


def _source_dumps(obj: Any) -> bytes:
    source = aot.jellyToSource(obj)
    assert source is not None
    return source.encode() + b"\n"


_DUMPS = {"pickle": _pickling.dumps, "xml": tax.dumps, "source": _source_dumps}
_LOADS = {"pickle": _pickling.loads, "xml": tax.loads, "source": aot.loads}
