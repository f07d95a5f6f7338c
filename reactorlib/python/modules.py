"""
What can be imported, as objects, mostly without importing it.

    for module in walkModules():
        print(module.name, module.filePath)

From the whole to its parts: a `PythonPath` has a `PathEntry` for each folder or
archive of `sys.path`; that has a `PythonModule` for each module and package,
and that, once it is imported, a `PythonAttribute` for each thing in it.
"""

from __future__ import annotations

import inspect
import os
import sys
import warnings
import zipimport
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from zope.interface import Interface, implementer

from reactorlib.python.components import registerAdapter
from reactorlib.python.filepath import FilePath, UnlistableError
from reactorlib.python.reflect import namedAny
from reactorlib.python.zippath import ZipArchive

__all__ = [
    "OPTIMIZED_MODE",
    "PYTHON_EXTENSIONS",
    "IPathImportMapper",
    "PathEntry",
    "PythonAttribute",
    "PythonModule",
    "PythonPath",
    "getModule",
    "iterModules",
    "theSystemPath",
    "walkModules",
]

#: How names of modules' files end; of two, the first counts.
PYTHON_EXTENSIONS = [".py", ".pyc"]

#: Whether Python runs with asserts left out.
OPTIMIZED_MODE = not __debug__

_NOTHING: Any = object()


class IPathImportMapper(Interface):
    """
    What knows the files that an importer imports from.

    Register an adapter to it for a class of importers of your own.
    """

    def mapPath(pathLikeString: str) -> Any:
        """The path, an `IFilePath`, of a string in `sys.path`."""


@implementer(IPathImportMapper)
class _Files:
    """The files of an importer that is not known: those of the file system."""

    def mapPath(self, pathLikeString: str) -> FilePath[str]:
        return FilePath(pathLikeString)


@implementer(IPathImportMapper)
class _Archive:
    """The files of an archive."""

    def __init__(self, importer: zipimport.zipimporter) -> None:
        self._importer = importer

    def mapPath(self, pathLikeString: str) -> Any:
        inside = self._importer.prefix.strip(os.sep)
        archive = ZipArchive(self._importer.archive)
        return archive.descendant(inside.split(os.sep)) if inside else archive


registerAdapter(_Archive, zipimport.zipimporter, IPathImportMapper)


class _Holder:
    """What has modules in it."""

    # It can be asked for a name, and is no sequence for that.
    __iter__ = None

    def _entry(self) -> PathEntry:
        raise NotImplementedError

    def _folders(self) -> Iterator[Any]:
        """Where its modules are."""
        raise NotImplementedError

    def _name_of(self, name: str) -> str:
        """The whole name of a module in it."""
        return name

    def iterModules(self) -> Iterator[PythonModule]:
        """The modules and packages in it, without what is in those."""
        seen: set[str] = set()
        for folder in self._folders():
            for name, path in sorted(_modules_in(folder).items()):
                if name not in seen:
                    seen.add(name)
                    yield PythonModule(self._name_of(name), path, self._entry())

    def walkModules(self, importPackages: bool = False) -> Iterator[PythonModule]:
        """
        The modules and packages in it, and what is in those.

        Args:
            importPackages: whether to import packages on the way: some say only
                then where their modules are.
        """
        for module in self.iterModules():
            yield from module.walkModules(importPackages)

    def __getitem__(self, modname: str) -> PythonModule:
        first, _, rest = modname.partition(".")
        for module in self.iterModules():
            if module.name == self._name_of(first):
                return module[rest] if rest else module
        raise KeyError(modname)


def _modules_in(folder: Any) -> dict[str, Any]:
    """The modules' files in a folder, by their names; that of a package is its `__init__`."""
    try:
        children = list(folder.children())
    except UnlistableError:
        return {}
    found: dict[str, Any] = {}
    for extension in reversed(PYTHON_EXTENSIONS):
        for child in children:
            name, end = os.path.splitext(child.basename())
            if end == extension and name.isidentifier() and name != "__init__":
                found[name] = child
    for child in children:
        name = child.basename()
        if not name.isidentifier() or not child.isdir():
            continue
        for extension in reversed(PYTHON_EXTENSIONS):
            inside = child.child(f"__init__{extension}")
            if inside.exists():
                found[name] = inside
    return found


class PythonAttribute:
    """
    Something that a module has, or that another attribute has.

    Attributes:
        name: its whole name, with the module's.
        onObject: what it is an attribute of.
        pythonValue: what it is.
    """

    def __init__(self, name: str, onObject: Any, loaded: bool, pythonValue: object) -> None:
        self.name = name
        self.onObject = onObject
        self._loaded = loaded
        self.pythonValue = pythonValue

    def __repr__(self) -> str:
        return f"PythonAttribute<{self.name!r}>"

    def isLoaded(self) -> bool:
        """Whether its module is imported."""
        return self._loaded

    def load(self, default: Any = _NOTHING) -> Any:
        """What it is."""
        return self.pythonValue

    def iterAttributes(self) -> Iterator[PythonAttribute]:
        """The attributes of what it is."""
        for name, value in inspect.getmembers(self.load()):
            yield PythonAttribute(f"{self.name}.{name}", self, True, value)


class PythonModule(_Holder):
    """
    A module or package that can be imported.

    Attributes:
        name: its whole name.
        filePath: its file; of a package, that of its `__init__`.
        parentPath: the folder that the file is in.
        pathEntry: the `PathEntry` that it was found in.
    """

    def __init__(self, name: str, filePath: Any, pathEntry: PathEntry) -> None:
        self.name = name
        self.filePath = filePath
        self.parentPath = filePath.parent()
        self.pathEntry = pathEntry

    def __repr__(self) -> str:
        return f"PythonModule<{self.name!r}>"

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, PythonModule) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def _entry(self) -> PathEntry:
        return self.pathEntry

    def _name_of(self, name: str) -> str:
        return f"{self.name}.{name}"

    def _folders(self) -> Iterator[Any]:
        if not self.isPackage():
            return
        if not self.isLoaded():
            yield self.parentPath
            return
        # A package may look for its modules elsewhere, or nowhere.
        for path in getattr(self.load(), "__path__", ()):
            yield self.pathEntry.pythonPath._smartPath(path)

    def isLoaded(self) -> bool:
        """Whether it is imported."""
        return self.pathEntry.pythonPath.moduleDict.get(self.name) is not None

    def isPackage(self) -> bool:
        """Whether it is a package."""
        return bool(os.path.splitext(self.filePath.basename())[0] == "__init__")

    def load(self, default: Any = _NOTHING) -> Any:
        """
        Import it.

        Args:
            default: what to return if that fails.

        Raises:
            Exception: whatever its code raises, if there is no `default`.
        """
        try:
            return self.pathEntry.pythonPath.moduleLoader(self.name)
        except Exception:
            if default is _NOTHING:
                raise
            return default

    def iterAttributes(self) -> Iterator[PythonAttribute]:
        """
        What it has.

        Raises:
            NotImplementedError: it is not imported.
        """
        if not self.isLoaded():
            raise NotImplementedError(f"{self.name} has to be imported before it is looked into")
        for name, value in inspect.getmembers(self.load()):
            yield PythonAttribute(f"{self.name}.{name}", self, True, value)

    def walkModules(self, importPackages: bool = False) -> Iterator[PythonModule]:
        """It, and all modules and packages in it: see `PythonPath.walkModules`."""
        if importPackages and self.isPackage():
            self.load()
        yield self
        yield from super().walkModules(importPackages)


class PathEntry(_Holder):
    """
    A folder or archive that modules are imported from.

    Attributes:
        filePath: its path.
        pythonPath: the `PythonPath` that it is part of.
    """

    def __init__(self, filePath: Any, pythonPath: PythonPath) -> None:
        self.filePath = filePath
        self.pythonPath = pythonPath

    def __repr__(self) -> str:
        return f"PathEntry<{self.filePath!r}>"

    def _entry(self) -> PathEntry:
        return self

    def _folders(self) -> Iterator[Any]:
        yield self.filePath


class PythonPath(_Holder):
    """
    All that can be imported.

    Args:
        sysPath: where it is; by default `sys.path`, as it is when it is asked.
        moduleDict: what is imported: as `sys.modules`.
        sysPathHooks: what makes importers of strings: as `sys.path_hooks`.
        importerCache: those that were made: as `sys.path_importer_cache`.
        moduleLoader: what imports a module of a name.
        sysPathFactory: called for what is else given as `sysPath`, each time.
    """

    def __init__(
        self,
        sysPath: Sequence[str] | None = None,
        moduleDict: Mapping[str, Any] = sys.modules,
        sysPathHooks: Any = sys.path_hooks,
        importerCache: Mapping[str, Any] = sys.path_importer_cache,
        moduleLoader: Callable[[str], Any] = namedAny,
        sysPathFactory: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        if sysPath is not None:
            self._sys_path: Callable[[], Sequence[str]] = lambda: sysPath
        elif sysPathFactory is not None:
            self._sys_path = sysPathFactory
        else:
            # Not `sys.path` itself, which can be replaced by another list.
            self._sys_path = lambda: sys.path
        self.moduleDict = moduleDict
        self.sysPathHooks = sysPathHooks
        self.importerCache = importerCache
        self.moduleLoader = moduleLoader

    @property
    def sysPath(self) -> Sequence[str]:
        """Where modules are looked for, now."""
        return self._sys_path()

    def __repr__(self) -> str:
        return f"PythonPath({self.sysPath!r},{self.moduleDict!r})"

    def _smartPath(self, pathName: str) -> Any:
        """The path of a string in `sys.path`, as the importer has it that is in charge of it."""
        importer = self.importerCache.get(pathName, _NOTHING)
        if importer is _NOTHING:
            importer = None
            for hook in self.sysPathHooks:
                try:
                    importer = hook(pathName)
                    break
                except ImportError:
                    pass
        return IPathImportMapper(importer, _Files()).mapPath(pathName)

    def iterEntries(self) -> Iterator[PathEntry]:
        """The folders and archives, in the order in which they are searched."""
        for path in self.sysPath:
            yield PathEntry(self._smartPath(path), self)

    def iterModules(self) -> Iterator[PythonModule]:
        """All modules and packages that are in no other."""
        for entry in self.iterEntries():
            yield from entry.iterModules()

    def __contains__(self, module: str) -> bool:
        try:
            self[module]
        except KeyError:
            return False
        return True

    def __getitem__(self, modname: str) -> PythonModule:
        """
        The module of a name. If it is not imported, neither is it now.

        Raises:
            KeyError: there is none, or it has no file.
        """
        module = self.moduleDict.get(modname)
        if module is None:
            return super().__getitem__(modname)
        file = getattr(module, "__file__", None)
        if file is None:
            raise KeyError(modname)
        folder, name = os.path.split(file)
        entry = PathEntry(self._smartPath(self._entry_of(module)), self)
        return PythonModule(modname, self._smartPath(folder).child(name), entry)

    def _entry_of(self, module: Any) -> str:
        """The string in `sys.path` that an imported module was found by."""
        top = self.moduleDict.get(module.__name__.partition(".")[0])
        top_file: str = getattr(top, "__file__", None) or module.__file__
        folder, name = os.path.split(top_file)
        if os.path.splitext(name)[0] == "__init__":
            folder = os.path.dirname(folder)
        if folder not in self.importerCache:
            warnings.warn(
                f"{folder} (for module {module.__name__}) not in path importer cache "
                "(PEP 302 violation - check your local configuration).",
                stacklevel=3,
            )
        return folder


#: All that can be imported by this program.
theSystemPath = PythonPath()


def walkModules(importPackages: bool = False) -> Iterator[PythonModule]:
    """
    All modules and packages that can be imported by this program.

    Args:
        importPackages: whether to import packages on the way: some say only then
            where their modules are.
    """
    return theSystemPath.walkModules(importPackages)


def iterModules() -> Iterator[PythonModule]:
    """All modules and packages that can be imported by this program and are in no other."""
    return theSystemPath.iterModules()


def getModule(moduleName: str) -> PythonModule:
    """
    The module of a name. If it is not imported, neither is it now.

    Raises:
        KeyError: there is none, or it has no file.
    """
    return theSystemPath[moduleName]
