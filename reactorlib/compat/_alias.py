"""
The finder that lets `twisted.X` be `reactorlib.X`.

It stands at the head of `sys.meta_path` and does three things. For `twisted.X` it
answers with a loader that imports `reactorlib.X` and gives that. It sees each module
of reactorlib's own as it is imported, and puts it into `sys.modules` under the other
name as well, since programs look there. And the few modules that only Twisted has,
which are about its version, it makes.

It imports nothing but the standard library's import system: it may stand in a `.pth`
file, which every start of Python reads.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from dis import opmap
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import reactorlib

if TYPE_CHECKING:
    from importlib.metadata import Distribution, DistributionFinder

__all__ = [
    "API_VERSION",
    "PAGE",
    "TwistedImported",
    "alias_of",
    "install_as_twisted",
    "original_of",
]

#: The release of Twisted whose names, arguments and meanings this library follows.
API_VERSION = "26.10.0"

#: Where its names are listed.
PAGE = "docs/porting/names.md"

_HERE = "reactorlib"
_THERE = "twisted"

#: Modules that Twisted has and this library has not, but which say what it is.
_ABOUT = ("twisted._version", "twisted.copyright")

#: What the import system sets on a module that a loader gives it.
_SET = ("__cached__", "__file__", "__loader__", "__name__", "__package__", "__path__", "__spec__")


class TwistedImported(RuntimeError):
    """
    Our caller comes too late: Twisted itself has been imported.

    Attributes:
        version: its version, or None.
        path: where it is, or None.
    """

    def __init__(self, version: str | None, path: str | None) -> None:
        super().__init__(
            f"{' '.join(filter(None, ['Twisted', version]))} has been imported already"
            f"{f' from {path}' if path else ''}, and what was taken from it would not be the "
            "same as what comes from here. Call install_as_twisted() before anything imports "
            "twisted: in the first lines of the program, in a conftest.py, in a .pth file, or by "
            "`python -m reactorlib.compat`. Or use reactorlib under its own name beside it."
        )
        self.version = version
        self.path = path


def install_as_twisted() -> None:
    """
    Let `import twisted.X` give `reactorlib.X`, in this process and from now on.

    The modules are the same objects under both names, whichever is imported first,
    and `twisted.__version__` is `API_VERSION`. A module or name that this library
    lacks is an ImportError, also where Twisted is installed. Calling it again does
    nothing.

    Raises:
        TwistedImported: Twisted itself has been imported. Nothing is changed.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if _THERE in sys.modules:
        real = sys.modules[_THERE]
        raise TwistedImported(getattr(real, "__version__", None), getattr(real, "__file__", None))
    sys.meta_path.insert(0, _Finder())
    for name in list(sys.modules):
        _mirror(name)
    import_module(_THERE)


def alias_of(name: str) -> str | None:
    """Twisted's name for a module of this library; None if it has none."""
    first, _, rest = name.partition(".")
    if first != _HERE or not rest or rest.partition(".")[0] == "compat":
        return None
    return f"{_THERE}.{rest}"


def original_of(name: str) -> str | None:
    """This library's name for a module of Twisted's; None if it has none."""
    first, _, rest = name.partition(".")
    if first != _THERE or not rest or rest.partition(".")[0] == "compat":
        return None
    return f"{_HERE}.{rest}"


class _Finder(MetaPathFinder):
    """Answers for `twisted`, and watches over `reactorlib`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        first = fullname.partition(".")[0]
        if first == _HERE:
            return self._watched(fullname, path, target)
        if first != _THERE:
            return None
        if fullname == _THERE:
            root = ModuleSpec(_THERE, _Root(), origin=reactorlib.__file__, is_package=True)
            root.submodule_search_locations = reactorlib.__path__
            return root
        if fullname in _ABOUT:
            return ModuleSpec(fullname, _About(), origin=reactorlib.__file__)
        return self._aliased(fullname)

    def _aliased(self, fullname: str) -> ModuleSpec | None:
        real = original_of(fullname)
        module = None if real is None else sys.modules.get(real)
        if module is not None:
            spec = getattr(module, "__spec__", None)
            package = hasattr(module, "__path__")
        else:
            spec = None if real is None else _spec_of(real)
            package = spec is not None and spec.submodule_search_locations is not None
        if real is None or (module is None and spec is None):
            if _only_asked():
                return None
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: reactorlib has none of that name; what it has "
                f"of Twisted {API_VERSION} is listed in {PAGE}",
                name=fullname,
            )
        alias = ModuleSpec(fullname, _Alias(real, spec), is_package=package)
        if spec is not None:
            alias.origin = spec.origin
            alias.has_location = spec.has_location
            alias.submodule_search_locations = spec.submodule_search_locations
        return alias

    def _watched(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        if alias_of(fullname) is None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Watch(spec.loader)
                return spec
        return None

    def find_distributions(self, context: DistributionFinder.Context) -> Iterator[Distribution]:
        """What is "installed" as Twisted is this, to who asks for it by name."""
        if (context.name or "").lower() == _THERE:
            from reactorlib.compat._dropins import ThisAsTwisted

            yield ThisAsTwisted()


class _Root(Loader):
    """Makes the module `twisted`: what is in it is reactorlib's, but for the version."""

    def exec_module(self, module: ModuleType) -> None:
        def __getattr__(name: str) -> Any:
            if name == "version":
                return _version()
            if not name.startswith("__") and hasattr(reactorlib, name):
                return getattr(reactorlib, name)
            return missing(name)

        missing = _missing_in(module, depth=2)
        module.__doc__ = f"Twisted {API_VERSION}, as reactorlib has it."
        module.__file__ = reactorlib.__file__
        module.__dict__.update(__version__=API_VERSION, __getattr__=__getattr__)

    def get_resource_reader(self, fullname: str) -> Any:
        loader: Any = reactorlib.__loader__
        return loader.get_resource_reader(_HERE)


class _About(Loader):
    """Makes the modules about the version."""

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == "twisted._version":
            module.__dict__["__version__"] = _version()
        else:
            about = f"reactorlib {reactorlib.__version__}, as Twisted {API_VERSION}"
            module.__dict__.update(
                copyright=about,
                disclaimer=about,
                longversion=f"{API_VERSION} (reactorlib {reactorlib.__version__})",
                version=API_VERSION,
            )


class _Alias(Loader):
    """Gives a module of reactorlib's, left as it is."""

    def __init__(self, real: str, spec: ModuleSpec | None) -> None:
        self._real = real
        self._spec = spec
        self._kept: dict[str, Any] = {}

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self._real)
        names = getattr(module, "__dict__", {})
        self._kept = {name: names[name] for name in _SET if name in names}
        return module

    def exec_module(self, module: ModuleType) -> None:
        # What the import system has just written over is put back. Not by `setattr`:
        # the reactor, which stands in for a module, has its own idea of that.
        names = getattr(module, "__dict__", {})
        for name in _SET:
            if name in self._kept:
                names[name] = self._kept[name]
            else:
                names.pop(name, None)

    # What `python -m`, `inspect`, `linecache` and `pkgutil` ask.

    def get_code(self, fullname: str) -> Any:
        return self._ask("get_code")

    def get_source(self, fullname: str) -> Any:
        return self._ask("get_source")

    def get_filename(self, fullname: str) -> Any:
        return self._ask("get_filename")

    def is_package(self, fullname: str) -> bool:
        return self._spec is not None and self._spec.submodule_search_locations is not None

    def get_resource_reader(self, fullname: str) -> Any:
        return self._ask("get_resource_reader")

    def get_data(self, path: str) -> bytes:
        loader: Any = self._spec and self._spec.loader
        if not hasattr(loader, "get_data"):
            raise OSError(f"{self._real} has no files")
        data: bytes = loader.get_data(path)
        return data

    def _ask(self, what: str) -> Any:
        asked = getattr(self._spec and self._spec.loader, what, None)
        return None if asked is None else asked(self._real)


class _Watch(Loader):
    """Loads a module of reactorlib's as its own loader does, and then mirrors it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        try:
            self._loader.exec_module(module)
        except BaseException:
            alias = alias_of(name) or name
            if sys.modules.get(alias) is module:
                del sys.modules[alias]
            raise
        _mirror(name)


def _mirror(name: str) -> None:
    """Let a module that is imported be there under the other name too."""
    alias = alias_of(name)
    module = sys.modules.get(name)
    if alias is None or module is None:
        return
    sys.modules[alias] = module
    if type(module) is ModuleType:
        # Those that have one already warn of the names in it, and count the callers.
        module.__dict__.setdefault("__getattr__", _missing_in(module))
    if name == "reactorlib.plugins":
        from reactorlib.compat._dropins import twisted_folders

        module.__path__.extend(twisted_folders(list(module.__path__)))


def _spec_of(real: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(real)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{real}.".startswith(f"{error.name}."):
            return None
        raise


def _only_asked() -> bool:
    """Whether somebody only wants to know if there is such a module."""
    frame = sys._getframe(3)  # that which asks the finder
    while frame.f_back is not None and "importlib._bootstrap>" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame.f_globals.get("__name__") in ("importlib.util", "pkgutil")


def _missing_in(module: ModuleType, depth: int = 1) -> Callable[[str], Any]:
    """
    What a module says of names that it has not: to an import, where they are listed.

    Args:
        module: the module.
        depth: how many frames out the one is that asks the module.
    """

    def __getattr__(name: str) -> Any:
        # A module cannot tell `from it import name` from `getattr(it, name, None)`, which has
        # to be an AttributeError, but by the instruction that runs.
        frame = sys._getframe(depth)
        here = module.__name__
        there = alias_of(here) or _THERE
        importing = frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]
        # One that is just being imported is found in `sys.modules` next.
        if not importing or name.startswith("__") or f"{here}.{name}" in sys.modules:
            raise AttributeError(f"module {here!r} has no attribute {name!r}")
        raise ImportError(
            f"cannot import name {name!r} from {there!r}: reactorlib has no {there}.{name}; what "
            f"it has of Twisted {API_VERSION} is listed in {PAGE}",
            name=here,
            path=getattr(module, "__file__", None),
        )

    return __getattr__


def _version() -> Any:
    from reactorlib.python.versions import Version

    major, minor, micro = map(int, API_VERSION.split("."))
    return Version("Twisted", major, minor, micro)
