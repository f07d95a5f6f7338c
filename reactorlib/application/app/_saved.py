"""Applications in files."""

from __future__ import annotations

from typing import Any

from reactorlib.application import service
from reactorlib.application._passphrase import ask, ask_twice

__all__ = [
    "convertStyle",
    "getApplication",
    "getPassphrase",
    "getSavePassphrase",
    "startApplication",
]


def getPassphrase(needed: Any) -> str | None:
    """Ask the user for a passphrase to load with; None if none is needed."""
    return ask() if needed else None


def getSavePassphrase(needed: Any) -> str | None:
    """Ask the user for a passphrase to save with, twice; None if none is needed."""
    return ask_twice() if needed else None


def _file_of(config: Any) -> tuple[str, str]:
    """The file that the options name, and its style."""
    from reactorlib.persisted import sob

    for option, style in (("python", "python"), ("source", "source"), ("file", "pickle")):
        filename = config[option]
        if not filename:
            continue
        if option == "file":
            try:
                guessed = sob.guessType(filename)
            except KeyError:
                guessed = style
            # A program is run only where that was asked for.
            style = style if guessed == "python" else guessed
        return filename, style
    raise ValueError("no file is named to load an application from")


def getApplication(config: Any, passphrase: str | bytes | None) -> Any:
    """
    The application in the file that the options name.

    Args:
        config: a mapping with "python", "source" and "file", of which the first
            that is not None counts. A "file" is of the style that its name says,
            and a pickle if it says none. If it has "allow", a list of names, a saved
            application may name these and this library's services, and nothing else.
        passphrase: what it is encrypted with; None for nothing.

    Raises:
        Exception: whatever `service.loadApplication` raises.
    """
    from reactorlib.persisted import sob

    filename, style = _file_of(config)
    names = config.get("allow")
    allow = {*sob.SERVICES, *names} if names else None
    return service.loadApplication(filename, style, passphrase, allow)


def convertStyle(
    filein: str,
    typein: str,
    passphrase: str | bytes | None,
    fileout: str,
    typeout: str,
    encrypt: Any,
) -> None:
    """
    Load an application, and save it in another style.

    Args:
        typein, typeout: 'pickle', 'xml', 'source', and for `typein` 'python'.
        passphrase: of the first file; None for none.
        encrypt: whether to ask for a passphrase for the second.
    """
    from reactorlib.persisted import sob

    application = service.loadApplication(filein, typein, passphrase)
    persistable: Any = sob.IPersistable(application)
    persistable.setStyle(typeout)
    persistable.passphrase = getSavePassphrase(encrypt)
    persistable.save(filename=fileout)


def startApplication(application: Any, save: Any) -> None:
    """
    Start an application's services, and have the reactor stop them when it stops.

    Args:
        save: whether to save the application after that, under its own name with
            the tag "shutdown".
    """
    from reactorlib.internet import reactor

    root: Any = service.IService(application)
    root.startService()
    if save:
        from reactorlib.persisted import sob

        persistable: Any = sob.IPersistable(application)
        reactor.addSystemEventTrigger("after", "shutdown", persistable.save, "shutdown")
    reactor.addSystemEventTrigger("before", "shutdown", root.stopService)
