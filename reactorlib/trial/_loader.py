"""Finds tests by name: of a module, a package, a file, a class or a method."""

from __future__ import annotations

import doctest
import importlib
import importlib.machinery
import importlib.util
import os
import pkgutil
import sys
import types
import unittest as pyunit
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeGuard

from reactorlib.python import reflect
from reactorlib.python.deprecate import deprecated
from reactorlib.python.failure import Failure
from reactorlib.python.versions import Version
from reactorlib.trial._asyncrunner import TestSuite, _iterateTests
from reactorlib.trial._suites import ErrorHolder

__all__ = [
    "TestLoader",
    "filenameToModule",
    "isPackage",
    "isPackageDirectory",
    "isTestCase",
    "name",
    "samefile",
]


# -- what things are ------------------------------------------------------------


def name(thing: Any) -> str:
    """What a test, a class, a module or the like is called, by which it is sorted."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, type):
        return f"{thing.__module__}.{thing.__qualname__}"
    if hasattr(thing, "id"):
        return str(thing.id())
    return str(getattr(thing, "name", None) or getattr(thing, "__name__", thing))


def isTestCase(obj: Any) -> TypeGuard[type[pyunit.TestCase]]:
    """Whether it is a class of test cases, of ours or of the standard library's."""
    return isinstance(obj, type) and issubclass(obj, pyunit.TestCase)


def isPackage(module: Any) -> bool:
    """Whether it is a module, and a package."""
    if not isinstance(module, types.ModuleType) or not getattr(module, "__file__", None):
        return False
    base = os.path.basename(str(module.__file__))
    return os.path.splitext(base)[0] == "__init__"


def isPackageDirectory(dirname: str) -> str | bool:
    """What makes a directory a package: the name of a file in it; False if nothing does."""
    for suffix in importlib.machinery.all_suffixes():
        initial = "__init__" + suffix
        if os.path.exists(os.path.join(dirname, initial)):
            return initial
    return False


@deprecated(Version("Twisted", 26, 10, 0), "os.path.samefile")
def samefile(filename1: str, filename2: str) -> bool:
    """Whether two paths are of one file."""
    return os.path.samefile(filename1, filename2)


# -- from names to modules --------------------------------------------------------


def _qualNameWalker(qualName: str) -> Iterator[tuple[str, list[str]]]:
    """A dotted name, and what is left of it, each time with one part less."""
    parts = qualName.split(".")
    for count in range(len(parts), 0, -1):
        yield ".".join(parts[:count]), parts[count:]


def filenameToModule(fn: str) -> types.ModuleType:
    """
    The module, or package, of a file or directory.

    It is imported by its name where that leads to that file, and otherwise loaded
    from it.

    Raises:
        ValueError: there is no such file, or the directory is no package.
    """
    if not os.path.exists(fn):
        raise ValueError(f"{fn!r} doesn't exist")
    path = os.path.abspath(fn)
    if os.path.isdir(path):
        initial = isPackageDirectory(path)
        if not initial:
            raise ValueError(f"{fn!r} is not a package directory")
        path = os.path.join(path, str(initial))
    qualname = reflect.filenameToModuleName(path)
    try:
        found = reflect.namedAny(qualname)
    except (reflect.InvalidName, AttributeError):
        found = None
    if isinstance(found, types.ModuleType) and _is_of(found, path):
        return found
    return _load(qualname, path)


def _is_of(module: types.ModuleType, path: str) -> bool:
    file = getattr(module, "__file__", None)
    if file is None or not os.path.exists(file):
        return False
    return os.path.samefile(file, path)


def _load(qualname: str, path: str) -> types.ModuleType:
    """Load a module from a file; one of that name that is there already stays."""
    loader = importlib.machinery.SourceFileLoader(qualname, path)
    initial = os.path.basename(path).startswith("__init__.")
    spec = importlib.util.spec_from_file_location(
        qualname,
        path,
        loader=loader,
        submodule_search_locations=[os.path.dirname(path)] if initial else None,
    )
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(qualname)
    sys.modules[qualname] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[qualname]
        raise
    finally:
        if before is not None:
            sys.modules[qualname] = before
    return module


# -- the loader -------------------------------------------------------------------


class TestLoader:
    """
    Finds tests by name, in order.

    Args:
        suiteFactory: makes a suite of tests.
        sorter: makes a key to sort by, of tests, classes and what has the `name` of a
            module.

    Attributes:
        methodPrefix: how names of test methods begin.
        modulePrefix: how names of modules with tests begin.
    """

    methodPrefix = "test"
    modulePrefix = "test_"

    def __init__(
        self,
        suiteFactory: Callable[..., pyunit.TestSuite] = TestSuite,
        sorter: Callable[[Any], Any] = name,
    ) -> None:
        self.suiteFactory = suiteFactory
        self.sorter = sorter

    def __repr__(self) -> str:
        return f"TestLoader(suiteFactory={self.suiteFactory!r}, sorter={self.sorter!r})"

    def sort(self, xs: Iterable[Any]) -> list[Any]:
        """Bring things into the order in which they are to be run."""
        return sorted(xs, key=self.sorter)

    # -- of what is there already ---------------------------------------------

    def findTestClasses(self, module: types.ModuleType) -> list[type[pyunit.TestCase]]:
        """The classes of test cases in a module."""
        return self.sort({thing for thing in vars(module).values() if isTestCase(thing)})

    def getTestCaseNames(self, klass: type) -> list[str]:
        """The names of the test methods of a class."""
        return [
            method
            for method in dir(klass)
            if method.startswith(self.methodPrefix) and callable(getattr(klass, method))
        ]

    def _make_case(self, klass: type[pyunit.TestCase], method: str) -> pyunit.TestCase:
        return klass(method)

    def loadMethod(self, klass: type[pyunit.TestCase], method: str) -> pyunit.TestCase:
        """The test that a method of a class is."""
        return self._make_case(klass, method)

    def loadClass(self, klass: Any) -> pyunit.TestSuite:
        """
        The tests of a class.

        Raises:
            TypeError: it is no class.
            ValueError: it is no class of test cases.
        """
        if not isinstance(klass, type):
            raise TypeError(f"{klass!r} is not a class")
        if not isTestCase(klass):
            raise ValueError(f"{klass!r} is not a test case")
        return self.suiteFactory(
            self.sort(self._make_case(klass, method) for method in self.getTestCaseNames(klass))
        )

    loadTestsFromTestCase = loadClass

    def loadModule(self, module: Any) -> Any:
        """
        The tests of a module: those of its classes, and the doctests of the modules in its
        `__doctests__`; or what its function `testSuite` or `test_suite` returns.

        Raises:
            TypeError: it is no module.
        """
        if not isinstance(module, types.ModuleType):
            raise TypeError(f"{module!r} is not a module")
        for custom in ("testSuite", "test_suite"):
            if hasattr(module, custom):
                return getattr(module, custom)()
        suite = self.suiteFactory()
        for klass in self.findTestClasses(module):
            suite.addTest(self.loadClass(klass))
        for documented in getattr(module, "__doctests__", ()):
            suite.addTest(self.loadDoctests(documented))
        return suite

    loadTestsFromModule = loadModule

    def loadDoctests(self, module: Any) -> pyunit.TestSuite:
        """
        The examples in the docstrings of a module.

        Args:
            module: the module, or its name.
        """
        if isinstance(module, str):
            module = importlib.import_module(module)
        if not isinstance(module, types.ModuleType):
            warnings.warn(f"doctests are of modules, and not of {module!r}", stacklevel=2)
            return self.suiteFactory()
        return self.suiteFactory(doctest.DocTestSuite(module))

    def loadPackage(self, package: Any, recurse: bool = False) -> Any:
        """
        The tests of the modules in a package.

        One that cannot be imported is a test that ends with that error.

        Args:
            recurse: whether those in its packages are, too.

        Raises:
            TypeError: it is no package.
        """
        if not isPackage(package):
            raise TypeError(f"{package!r} is not a package")
        modules = self.sort(
            info
            for info in _modules(package.__path__, package.__name__, recurse)
            if info.name.rpartition(".")[2].startswith(self.modulePrefix)
        )
        suite: Any = self.suiteFactory()
        for info in modules:
            try:
                suite.addTest(self.loadModule(importlib.import_module(info.name)))
            except (Exception, SystemExit):
                suite.addTest(ErrorHolder(info.name, Failure()))
        return suite

    def loadAnything(
        self,
        obj: Any,
        recurse: bool = False,
        parent: Any = None,
        qualName: list[str] | None = None,
    ) -> Any:
        """
        The tests of a module, package, class, method or suite.

        Args:
            recurse: whether those in packages of a package are, too.
            parent: the class of a method.
            qualName: the dotted name of `obj`, in parts.

        Raises:
            TypeError: it is none of these.
        """
        if isinstance(obj, types.ModuleType):
            return self.loadPackage(obj, recurse) if isPackage(obj) else self.loadModule(obj)
        if isTestCase(obj):
            return self.loadClass(obj)
        if callable(obj) and isTestCase(parent) and qualName:
            method = qualName[-1]
            # A decorator may have named the function otherwise; the class knows better.
            return self._make_case(parent, method)
        if isinstance(obj, pyunit.TestSuite | pyunit.TestCase):
            return obj
        raise TypeError(f"there are no tests in {obj!r}")

    # -- by name --------------------------------------------------------------

    def findByName(self, _name: str, recurse: bool = False) -> Any:
        """
        The tests of what has a dotted name, or is in a file.

        Args:
            recurse: whether those in packages of a package are, too.

        Raises:
            ValueError: there is no such file.
            AttributeError: a module has nothing of that name.
            ModuleNotFound: there is no such module.
        """
        if os.sep in _name or (_name.endswith(".py") and os.path.isfile(_name)):
            return self.loadAnything(filenameToModule(_name), recurse)
        found = reflect.namedAny(_name)
        parts = _name.split(".")
        # Of a method it is the class that is asked for its tests.
        parent = reflect.namedAny(".".join(parts[:-1])) if len(parts) > 1 else None
        return self.loadAnything(found, recurse, parent, parts)

    def loadByName(self, name: str, recurse: bool = False) -> pyunit.TestSuite:
        """
        As `findByName`, in a suite.

        What cannot be found or imported is a test that ends with that error.
        """
        try:
            return self.suiteFactory([self.findByName(name, recurse)])
        except (Exception, SystemExit):
            return self.suiteFactory([ErrorHolder(name, Failure())])

    loadTestsFromName = loadByName

    def loadByNames(self, names: Iterable[str], recurse: bool = False) -> pyunit.TestSuite:
        """The tests of several names, in that order; what is named twice is there once."""
        suite = self.suiteFactory()
        seen: set[tuple[str, ...]] = set()
        for each in names:
            tests = self.loadByName(each, recurse)
            ids = tuple(test.id() for test in _iterateTests(tests))
            if ids not in seen:
                seen.add(ids)
                suite.addTest(tests)
        return suite

    def loadFile(self, fileName: str, recurse: bool = False) -> Any:
        """
        The tests of a file, or of a directory that is a package.

        Raises:
            ValueError: there is no such file, or it is no package.
        """
        return self.loadAnything(filenameToModule(fileName), recurse)


def _modules(path: Iterable[str], package: str, recurse: bool) -> Iterator[pkgutil.ModuleInfo]:
    """The modules in a package; with `recurse`, also in those in it. None is imported."""
    for info in pkgutil.iter_modules(path, package + "."):
        yield info
        if recurse and info.ispkg:
            spec: Any = info.module_finder.find_spec(info.name, None)
            if spec is not None and spec.submodule_search_locations:
                yield from _modules(spec.submodule_search_locations, info.name, recurse)
