"""What a whole program is: services, as whom they run, and how they are saved."""

from __future__ import annotations

from typing import Any

from reactorlib.application.service._multi import MultiService
from reactorlib.application.service._process import Process
from reactorlib.persisted import sob
from reactorlib.persisted._names import Allow
from reactorlib.python.components import Componentized

__all__ = ["Application", "loadApplication"]


def Application(name: str, uid: int | None = None, gid: int | None = None) -> Componentized:
    """
    A program: what `reactord` runs, and what is saved in `.tap`, `.tax` and `.tas` files.

    It is seen through interfaces: `IService(application)` and
    `IServiceCollection(application)` are the `MultiService` at the root of its
    services, `IProcess(application)` says as whom it runs, and
    `IPersistable(application)` saves it. A service is added with
    `service.setServiceParent(application)`.

    Args:
        name: what it is called, which names its files, too.
        uid, gid: numbers of a user and a group to run as; None for those that
            started it.
    """
    application = Componentized()
    services = MultiService()
    services.setName(name)
    for component in (sob.Persistent(application, name), services, Process(uid, gid)):
        application.addComponent(component, ignoreClass=True)
    return application


def loadApplication(
    filename: str,
    kind: str,
    passphrase: str | bytes | None = None,
    allow: Allow = None,
) -> Any:
    """
    Load an application from a file.

    Args:
        filename: the file.
        kind: 'python', for a program that calls it `application`; or how it is
            saved, 'pickle', 'xml' or 'source'.
        passphrase: the one that it was encrypted with; None for none.
        allow: what a saved one may name; see `reactorlib.persisted.sob.load`.

    Raises:
        OSError: the file is not there, or not to be read.
        LoadError: it cannot be loaded; see `reactorlib.persisted.error`.
        Exception: a program raised it.
    """
    if kind == "python":
        application = sob.loadValueFromFile(filename, "application", passphrase)
        sob.keep_passphrase(application, passphrase)
        return application
    return sob.load(filename, kind, passphrase, allow)
