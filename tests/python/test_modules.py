"""What can be imported, as objects."""

from __future__ import annotations

import compileall
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zope.interface import implementer

import reactorlib
from reactorlib.python import modules
from reactorlib.python.components import registerAdapter
from reactorlib.python.filepath import FilePath

TREE = {
    "findable/__init__.py": "value = 1\n",
    "findable/one.py": "",
    "findable/inner/__init__.py": "raise ValueError('not to be imported')\n",
    "findable/inner/two.py": "x = 2\n",
    "findable/not-a-name.py": "",
    "findable/folder/three.py": "",
    "findable/text.txt": "",
    "single.py": "class C:\n    x = 3\n",
}
ALL = ["findable", "findable.inner", "findable.inner.two", "findable.one", "single"]


@pytest.fixture(params=["folder", "archive"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder or archive of modules, the only one in the path."""
    folder = tmp_path / "folder"
    for name, content in TREE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    entry = str(folder)
    if request.param == "archive":
        entry = str(tmp_path / "a.zip")
        with zipfile.ZipFile(entry, "w") as archive:
            for name in TREE:
                archive.write(folder / name, name)
    before = sys.path[:]
    sys.path.insert(0, entry)
    yield entry
    sys.path[:] = before
    sys.path_importer_cache.pop(entry, None)
    for name in ALL:
        sys.modules.pop(name, None)


def test_everything_is_found_and_nothing_imported(path: str) -> None:
    space = modules.PythonPath([path])
    assert [module.name for module in space.walkModules()] == ALL
    assert [module.name for module in space.iterModules()] == ["findable", "single"]
    assert [module.name for module in space["findable"].iterModules()] == ALL[1:4:2]
    assert "findable" not in sys.modules
    assert not space["findable"].isLoaded()
    assert [space[name].isPackage() for name in ALL] == [True, True, False, False, False]
    assert space["findable.inner.two"] == space["findable"]["inner"]["two"]
    assert space["findable.one"].filePath.basename() == "one.py"
    assert "findable.inner" in space
    for name in ("nothing", "findable.nothing", "findable.folder", "single.C"):
        assert name not in space
        with pytest.raises(KeyError):
            space[name]


def test_the_path_of_the_program(path: str) -> None:
    module = modules.getModule("single")
    assert module in list(modules.iterModules())
    assert module in list(modules.walkModules())
    assert module.pathEntry.filePath.path == path
    sys.path = sys.path[1:]  # another list
    assert "single" not in modules.theSystemPath


def test_an_imported_module_is_looked_into(path: str) -> None:
    module = modules.getModule("single")
    with pytest.raises(NotImplementedError, match="single has to be imported"):
        next(module.iterAttributes())
    loaded = module.load()
    assert loaded is sys.modules["single"]
    assert module.isLoaded()
    attributes = {attribute.name: attribute for attribute in module.iterAttributes()}
    cls = attributes["single.C"]
    assert cls.load() is loaded.C
    assert cls.isLoaded()
    assert cls.onObject is module
    inside = {attribute.name: attribute.load() for attribute in cls.iterAttributes()}
    assert inside["single.C.x"] == 3
    assert repr(cls) == "PythonAttribute<'single.C'>"
    again = modules.getModule("single")
    assert again == module
    assert again.filePath == module.filePath
    assert again.pathEntry.filePath == module.pathEntry.filePath


def test_a_module_that_cannot_be_imported(path: str) -> None:
    module = modules.getModule("findable.inner")
    assert module.load(default="none") == "none"
    with pytest.raises(ValueError, match="not to be imported"):
        module.load()
    with pytest.raises(ValueError, match="not to be imported"):
        list(modules.getModule("findable").walkModules(importPackages=True))


def test_a_package_says_where_its_modules_are(path: str, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "four.py").write_text("")
    package = modules.getModule("findable")
    package.load().__path__.append(str(tmp_path / "more"))
    assert [module.name for module in package.iterModules()][-1] == "findable.four"
    assert package["four"].load().__name__ == "findable.four"
    del sys.modules["findable.four"]
    del package.load().__path__
    assert list(package.iterModules()) == []


def test_source_comes_before_what_it_was_compiled_to(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("")
    compileall.compile_dir(str(tmp_path), quiet=True, legacy=True)
    space = modules.PythonPath([str(tmp_path)])
    assert (tmp_path / "x.pyc").exists()
    assert space["x"].filePath.basename() == "x.py"
    (tmp_path / "x.py").unlink()
    assert space["x"].filePath.basename() == "x.pyc"


def test_what_is_no_folder_has_no_modules(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not an archive")
    space = modules.PythonPath([str(tmp_path / "file"), str(tmp_path / "nowhere")])
    assert list(space.walkModules()) == []
    assert len(list(space.iterEntries())) == 2


def test_modules_without_a_file_have_none() -> None:
    with pytest.raises(KeyError, match="sys"):
        modules.getModule("sys")


def test_modules_that_are_imported_already() -> None:
    module = modules.getModule("reactorlib.python")
    assert module.load() is reactorlib.python
    root = os.path.dirname(os.path.dirname(reactorlib.__file__))
    assert module.pathEntry.filePath.path == root
    assert "reactorlib.python.modules" in {found.name for found in module.iterModules()}
    assert repr(module) == "PythonModule<'reactorlib.python'>"


def test_an_entry_that_no_importer_knows() -> None:
    space = modules.PythonPath([], sys.modules, [], {})
    with pytest.warns(UserWarning, match=r"for module reactorlib.python.* not in path importer"):
        space["reactorlib.python"]


class SecretImporter:
    def __init__(self, path: str) -> None:
        if not path.startswith("secret:"):
            raise ImportError


@implementer(modules.IPathImportMapper)
class SecretFiles:
    def __init__(self, importer: SecretImporter) -> None: ...

    def mapPath(self, pathLikeString: str) -> Any:
        return FilePath(pathLikeString.removeprefix("secret:"))


def test_importers_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("")
    space = modules.PythonPath([f"secret:{tmp_path}"], {}, [SecretImporter], {})
    assert list(space.walkModules()) == []
    registerAdapter(SecretFiles, SecretImporter, modules.IPathImportMapper)
    assert [module.name for module in space.walkModules()] == ["x"]


def test_a_path_that_is_made_anew(tmp_path: Path) -> None:
    folders: list[str] = []
    space = modules.PythonPath(sysPathFactory=lambda: folders)
    assert list(space.iterModules()) == []
    (tmp_path / "x.py").write_text("")
    folders.append(str(tmp_path))
    assert [module.name for module in space.iterModules()] == ["x"]
    with pytest.raises(TypeError, match="not iterable"):
        list(space)  # type: ignore[call-overload]
