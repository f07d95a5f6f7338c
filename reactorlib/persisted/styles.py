"""
How objects are kept: classes with versions, and what is not kept at all.

A `Versioned` object remembers the version of its class that it was saved with. When
it is loaded into a program whose class is newer, `doUpgrade` has it brought up, one
version after the other.

Modules can be pickled once this has been imported.
"""

from __future__ import annotations

import copyreg
import importlib
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType, ModuleType
from typing import Any

from reactorlib.persisted.error import DamagedFile

__all__ = [
    "Ephemeral",
    "Versioned",
    "doUpgrade",
    "pickleMethod",
    "pickleModule",
    "pickleStringI",
    "pickleStringO",
    "requireUpgrade",
    "unpickleMethod",
    "unpickleModule",
    "unpickleStringI",
    "unpickleStringO",
]

_log = logging.getLogger("reactorlib.persisted.styles")


def pickleMethod(method: MethodType) -> tuple[Any, tuple[str, Any, type]]:
    """For `copyreg`: a bound method as its name, its object and that one's class."""
    owner = method.__self__
    return unpickleMethod, (method.__name__, owner, type(owner))


def unpickleMethod(im_name: str, im_self: Any, im_class: type) -> Any:
    """
    A method again.

    Args:
        im_name: its name.
        im_self: the object that it is bound to; None for the function itself.
        im_class: the class to look in. If it has no such method any more, that of
            the object is asked.

    Raises:
        AttributeError: neither has it.
    """
    if im_self is None:
        return getattr(im_class, im_name)
    if hasattr(im_class, im_name):
        return MethodType(getattr(im_class, im_name), im_self)
    return getattr(im_self, im_name)


def pickleModule(module: ModuleType) -> tuple[Any, tuple[str]]:
    """For `copyreg`: a module as its name."""
    return unpickleModule, (module.__name__,)


def unpickleModule(name: str) -> ModuleType:
    """A module again, which is imported."""
    return importlib.import_module(name)


copyreg.pickle(ModuleType, pickleModule)


def pickleStringO(stringo: Any) -> tuple[Any, tuple[Any, int]]:
    """For `copyreg`: a file in memory as what it holds and where it stands."""
    return unpickleStringO, (stringo.getvalue(), stringo.tell())


def unpickleStringO(val: str | bytes, sek: int) -> io.StringIO | io.BytesIO:
    """A file in memory again, of bytes or of text, as its contents are."""
    made: io.StringIO | io.BytesIO
    made = io.BytesIO() if isinstance(val, bytes) else io.StringIO()
    made.write(val)  # type: ignore[arg-type]
    made.seek(sek)
    return made


def pickleStringI(stringi: Any) -> tuple[Any, tuple[Any, int]]:
    """As `pickleStringO`, for one that is read."""
    return unpickleStringI, (stringi.getvalue(), stringi.tell())


unpickleStringI = unpickleStringO


class Ephemeral:
    """
    An object that is not kept: what is loaded in its place is an `Ephemeral` with
    nothing in it.
    """

    def __reduce__(self) -> tuple[type[Ephemeral], tuple[()]]:
        return Ephemeral, ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: not kept>"


#: Loaded, and not brought up to their classes' versions yet, by their ids.
_waiting: dict[int, Versioned] = {}


def doUpgrade() -> None:
    """Bring all `Versioned` objects up that were loaded since; `sob.load` calls it."""
    while _waiting:
        requireUpgrade(next(iter(_waiting.values())))


@contextmanager
def loading() -> Iterator[None]:
    """
    What is loaded within is brought up at the end; if anything fails, it is forgotten.

    Raises:
        DamagedFile: it cannot be brought up.
    """
    before = set(_waiting)
    try:
        yield
        try:
            doUpgrade()
        except Exception as cause:
            text = " ".join(f"{type(cause).__name__}: {cause}".split())
            raise DamagedFile(f"cannot be brought up to date: {text}") from cause
    except BaseException:
        for key in _waiting.keys() - before:
            del _waiting[key]
        raise


def requireUpgrade(obj: Any) -> Any:
    """
    Bring an object up now, because the one that is being brought up needs it.

    Returns:
        the object.
    """
    waiting = _waiting.get(id(obj))
    if waiting is not None and waiting is obj:
        del _waiting[id(obj)]
        waiting.versionUpgrade()
    return obj


def _version_key(base: type) -> str:
    return f"{base.__module__}.{base.__qualname__}.persistenceVersion"


def _versioned_bases(cls: type) -> list[type]:
    """A class and those of its bases that may have versions, the most basic first."""
    return [
        base for base in reversed(cls.__mro__) if issubclass(base, Versioned) and base != Versioned
    ]


class Versioned:
    """
    A base for classes whose objects are kept longer than the classes stay as they are.

    When what an object consists of changes, give the class the next
    `persistenceVersion`, and a method `upgradeToVersionN` that makes an object of
    the version before into one of version N. A class and its base classes have
    versions of their own.

    Attributes:
        persistenceVersion: the version of the class; 0 is what objects without one have.
        persistenceForgets: names of attributes that are not kept.
    """

    persistenceVersion: int = 0
    persistenceForgets: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        """What is kept: all but what is to be forgotten, and the versions of the classes."""
        state = self.__dict__.copy()
        for base in _versioned_bases(type(self)):
            for name in base.__dict__.get("persistenceForgets", ()):
                state.pop(name, None)
            if "persistenceVersion" in base.__dict__:
                # One that waits to be brought up still has the version it was saved with.
                state.setdefault(_version_key(base), base.__dict__["persistenceVersion"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _waiting[id(self)] = self

    def versionUpgrade(self) -> None:
        """
        Bring this up from the versions that it was saved with, base classes first.

        Raises:
            NotImplementedError: a class lacks the method for one of the steps.
        """
        for base in _versioned_bases(type(self)):
            saved = self.__dict__.pop(_version_key(base), 0)
            if "persistenceVersion" not in base.__dict__:
                continue
            for version in range(saved + 1, base.__dict__["persistenceVersion"] + 1):
                upgrade = base.__dict__.get(f"upgradeToVersion{version}")
                if upgrade is None:
                    raise NotImplementedError(
                        f"{base.__module__}.{base.__qualname__} is of version "
                        f"{base.__dict__['persistenceVersion']}, this object of version {saved}, "
                        f"and there is no upgradeToVersion{version}()"
                    )
                _log.info("upgrading %s to version %d", base.__qualname__, version)
                upgrade(self)
