"""Plugins: by drop-ins and by entry points, and what listing them does not do."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest
from zope.interface import Attribute, Interface

from reactorlib import plugin
from reactorlib.application.service import IServiceMaker, ServiceMaker
from reactorlib.plugin import GROUP, LISTED, IPlugin, getPlugins
from reactorlib.python.components import registerAdapter
from reactorlib.python.usage import Options


class IQuoter(Interface):
    """Has something to say."""


class IWitty(IQuoter):
    """Has something witty to say."""


class ISinger(Interface):
    """What a quoter can be adapted to."""


IQuoter.setTaggedValue(GROUP, "plugin_tests.quoters")


class IPoem(Interface):
    """Is listed before it is loaded."""

    title = Attribute("What it is called.")


IPoem.setTaggedValue(LISTED, {"title": "name"})


class Song:
    def __init__(self, quoter: Any) -> None:
        self.quoter = quoter


registerAdapter(Song, IWitty, ISinger)

DROPIN = """
\"\"\"A dry drop-in.\"\"\"
import sys
from zope.interface import implementer, provider
from reactorlib.plugin import IPlugin
from {tests} import IPoem, IQuoter, IWitty

sys.imported = getattr(sys, "imported", 0) + 1

@provider(IPlugin, IWitty)
class Wilde:
    \"\"\"I can resist everything but temptation.\"\"\"

@implementer(IPlugin, IPoem)
class Poem:
    title = "Ode"
    text = "O wild west wind"

poem = Poem()
nothing = object()
"""


class Folder:
    """A package of plugins, and a second folder of it."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.own = root / "own" / name
        self.other = root / "other" / name
        self.own.mkdir(parents=True)
        self.other.mkdir(parents=True)
        source = "from reactorlib.plugin import pluginPackagePaths\n"
        source += "__path__.extend(pluginPackagePaths(__name__))\n"
        (self.own / "__init__.py").write_text(source)

    def drop(self, source: str, name: str = "wilde", where: Path | None = None) -> Path:
        path = (where or self.other) / f"{name}.py"
        path.write_text(source.replace("{tests}", __name__))
        self.forget()
        return path

    def forget(self) -> None:
        """As in a new process."""
        for name in list(sys.modules):
            if name.startswith(self.name + "."):
                del sys.modules[name]
        invalidate_caches()
        sys.imported = 0  # type: ignore[attr-defined]

    @property
    def module(self) -> Any:
        return __import__(self.name)

    def find(self, interface: Any) -> list[Any]:
        return list(getPlugins(interface, self.module))

    @property
    def imports(self) -> int:
        return int(sys.imported)  # type: ignore[attr-defined]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    name = "plugins_of_tests"
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    monkeypatch.syspath_prepend(str(tmp_path / "own"))
    # Drop-ins name this module by the name that it has under pytest.
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    folder = Folder(tmp_path, name)
    sys.modules.pop(name, None)
    yield folder
    folder.forget()
    sys.modules.pop(name, None)
    del sys.imported  # type: ignore[attr-defined]


def test_drop_ins_are_found_in_every_folder(folder: Folder) -> None:
    folder.drop(DROPIN)
    folder.drop(DROPIN, "second", folder.own)
    assert [p.__module__ for p in folder.find(IWitty)] == [
        f"{folder.name}.second",
        f"{folder.name}.wilde",
    ]


def test_a_plugin_is_found_by_what_its_interface_extends_and_adapts_to(folder: Folder) -> None:
    folder.drop(DROPIN)
    (wilde,) = folder.find(IQuoter)
    assert wilde is folder.module.wilde.Wilde
    (song,) = folder.find(ISinger)
    assert (type(song), song.quoter) == (Song, wilde)
    assert len(folder.find(IPlugin)) == 2


def test_the_cache_is_looked_into_and_nothing_imported(folder: Folder) -> None:
    folder.drop(DROPIN)
    plugin.getCache(folder.module)
    folder.forget()
    dropin = plugin.getCache(folder.module)["wilde"]
    assert dropin.moduleName == f"{folder.name}.wilde"
    assert dropin.description == "A dry drop-in."
    wilde = next(each for each in dropin.plugins if each.name == "Wilde")
    assert wilde.provides(IQuoter)
    assert wilde.description == "I can resist everything but temptation."
    assert wilde.provided == [IPlugin, IWitty]
    assert repr(wilde) == (
        f"<CachedPlugin 'Wilde'/'{folder.name}.wilde' (provides 'IPlugin, IWitty')>"
    )
    assert folder.find(Interface_of_nobody) == []
    assert folder.imports == 0
    assert wilde.load() is folder.module.wilde.Wilde
    assert folder.imports == 1


class Interface_of_nobody(Interface):
    pass


def test_a_listed_interface_is_listed_from_the_cache(folder: Folder) -> None:
    folder.drop(DROPIN)
    folder.find(IPoem)
    folder.forget()
    (poem,) = folder.find(IPoem)
    assert (poem.title, IPoem.providedBy(poem), folder.imports) == ("Ode", True, 0)
    assert (poem.text, folder.imports) == ("O wild west wind", 1)
    assert repr(poem) == "<plugin title='Ode'>"
    with pytest.raises(AttributeError, match="verses"):
        _ = poem.verses


def test_a_changed_file_is_read_again_and_a_removed_one_forgotten(folder: Folder) -> None:
    path = folder.drop(DROPIN)
    assert len(folder.find(IWitty)) == 1
    folder.drop(
        DROPIN + "\nimport copy\nother = type('Shaw', (), {})()\n"
        "from zope.interface import directlyProvides\n"
        "directlyProvides(other, IPlugin, IWitty)\n"
    )
    assert len(folder.find(IWitty)) == 2
    path.unlink()
    assert folder.find(IWitty) == []
    assert json.loads((folder.other / "dropin.cache").read_text())["dropins"] == {}


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"\x80\x04N.",
        b"[]",
        b'{"format": 1, "dropins": {}}',
        b'{"format": "FORMAT", "dropins": {"wilde": 3}}',
        b'{"format": "FORMAT", "dropins": {"wilde": {"stamp": STAMP, "module": "MODULE"}}}',
        b"[" * 100_000,
    ],
)
def test_a_cache_that_is_rubbish_is_written_anew(folder: Folder, rubbish: bytes) -> None:
    from reactorlib.plugin._dropins import FORMAT

    path = folder.drop(DROPIN)
    status = path.stat()
    rubbish = rubbish.replace(b"FORMAT", FORMAT.encode())
    rubbish = rubbish.replace(b"STAMP", str([status.st_mtime_ns, status.st_size]).encode())
    rubbish = rubbish.replace(b"MODULE", f"{folder.name}.wilde".encode())
    cache = folder.other / "dropin.cache"
    cache.write_bytes(rubbish)
    assert len(folder.find(IWitty)) == 1
    assert list(json.loads(cache.read_text())["dropins"]) == ["wilde"]
    assert sorted(each.name for each in folder.other.iterdir() if each.is_file()) == [
        "dropin.cache",
        "wilde.py",
    ]


def test_a_cache_that_cannot_be_written_does_no_harm(
    folder: Folder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.drop(DROPIN)

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with caplog.at_level(logging.INFO):
        assert len(folder.find(IWitty)) == 1
        assert len(folder.find(IWitty)) == 1
    cache = folder.other / "dropin.cache"
    assert caplog.messages == [f"Unable to write to plugin cache {cache}: error number 13"]
    assert not cache.exists()


def test_a_broken_drop_in_is_named_once_and_left_out(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.drop(DROPIN)
    broken = folder.drop("import no_such_module_anywhere\n", "broken")
    exits = folder.drop("raise SystemExit('no')\n", "exits")
    for _ in range(2):
        assert len(folder.find(IWitty)) == 1
    assert caplog.messages == [
        f"The plugins in {broken} are left out: ModuleNotFoundError: "
        "No module named 'no_such_module_anywhere'",
        f"The plugins in {exits} are left out: SystemExit: no",
    ]


def test_of_two_modules_of_one_name_the_first_counts(folder: Folder) -> None:
    folder.drop(DROPIN)
    folder.drop(DROPIN.replace("Wilde", "Shaw"), "wilde", folder.own)
    for _ in range(2):
        assert [each.__name__ for each in folder.find(IWitty)] == ["Shaw"]


def test_paths_of_a_package_leave_out_packages(folder: Folder) -> None:
    paths = plugin.pluginPackagePaths(folder.name)
    assert str(folder.other) in paths
    assert str(folder.own) not in paths
    assert all(map(os.path.isabs, paths))


# -- entry points -------------------------------------------------------------------


class Distribution:
    """Something that is installed, as far as Python can see."""

    def __init__(self, root: Path) -> None:
        self.root = root
        info = root / "bon_mots-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: bon-mots\nVersion: 1.2\nSummary: Says witty things\n"
        )
        self.entries = info / "entry_points.txt"

    def write(self, module: str, source: str) -> None:
        (self.root / f"{module}.py").write_text(textwrap.dedent(source))
        invalidate_caches()

    def name(self, group: str, **entries: str) -> None:
        lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()), ""]
        self.entries.write_text("\n".join(lines))
        invalidate_caches()


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    before = set(sys.modules)
    yield Distribution(tmp_path / "site")
    for name in set(sys.modules) - before:
        if name.startswith("bon_mots"):
            del sys.modules[name]


def test_an_entry_point_gives_a_plugin(distribution: Distribution) -> None:
    distribution.write(
        "bon_mots_shaw",
        f"""
        from zope.interface import provider
        from {__name__} import IQuoter
        @provider(IQuoter)
        class Shaw: pass
        """,
    )
    distribution.name("plugin_tests.quoters", shaw="bon_mots_shaw:Shaw")
    (found,) = getPlugins(IQuoter)
    assert found.__name__ == "Shaw"
    (entry,) = plugin.entryPointPlugins("plugin_tests.quoters")
    assert (entry.summary, entry.origin) == ("Says witty things", "bon-mots 1.2")
    assert repr(entry) == "<plugin 'shaw' at 'bon_mots_shaw:Shaw' of bon-mots 1.2>"


def test_a_broken_entry_point_is_named_once_and_left_out(
    distribution: Distribution, caplog: pytest.LogCaptureFixture
) -> None:
    distribution.write("bon_mots_none", "thing = object()")
    distribution.name("plugin_tests.quoters", a="bon_mots_gone", b="bon_mots_none:thing")
    assert [*getPlugins(IQuoter), *getPlugins(IQuoter)] == []
    assert caplog.messages == [
        "<plugin 'a' at 'bon_mots_gone' of bon-mots 1.2> is left out: "
        "ModuleNotFoundError: No module named 'bon_mots_gone'",
        "<plugin 'b' at 'bon_mots_none:thing' of bon-mots 1.2> is left out: it provides no IQuoter",
    ]


SERVICE = """
from reactorlib.application.service import Service
from reactorlib.python import usage

class Options(usage.Options):
    optParameters = [["motto", "m", "nil desperandum", "What to say."]]

def makeService(options):
    service = Service()
    service.motto = options["motto"]
    return service
"""


@pytest.mark.parametrize("value", ["bon_mots_tap", "bon_mots_plugin:maker"])
def test_a_service_maker_is_listed_and_used(distribution: Distribution, value: str) -> None:
    distribution.write("bon_mots_tap", SERVICE)
    distribution.write(
        "bon_mots_plugin",
        "from reactorlib.application.service import ServiceMaker\n"
        "maker = ServiceMaker('Mottoes', 'bon_mots_tap', 'Says mottoes', 'motto')\n",
    )
    distribution.name("reactorlib.services", motto=value)
    maker = next(each for each in getPlugins(IServiceMaker) if each.tapname == "motto")
    assert maker.description == "Says witty things"
    assert "bon_mots_tap" not in sys.modules
    assert "bon_mots_plugin" not in sys.modules
    options = maker.options()
    assert isinstance(options, Options)
    options.parseOptions(["-m", "carpe diem"])
    assert maker.makeService(options).motto == "carpe diem"


def test_the_users_plugins_come_before_our_own(
    distribution: Distribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = [maker.tapname for maker in getPlugins(IServiceMaker)]
    distribution.name("reactorlib.services", **{"of-others": "bon_mots_tap"})
    dropped = tmp_path / "dropped"
    dropped.mkdir()
    (dropped / "mottoes.py").write_text(
        "from reactorlib.application.service import ServiceMaker\n"
        "motto = ServiceMaker('Mottoes', 'no.such.module', 'Says mottoes', 'motto')\n"
    )
    import reactorlib.plugins

    monkeypatch.setattr(
        reactorlib.plugins, "__path__", [*reactorlib.plugins.__path__, str(dropped)]
    )
    found = [maker.tapname for maker in getPlugins(IServiceMaker)]
    assert found == ["motto", "of-others", *own]


def test_a_service_maker_imports_its_module_when_it_is_used(distribution: Distribution) -> None:
    maker = ServiceMaker("Mottoes", "bon_mots_tap", "Says mottoes", "motto")
    assert IServiceMaker.providedBy(maker)
    assert IPlugin.providedBy(maker)
    with pytest.raises(ModuleNotFoundError):
        _ = maker.options
    distribution.write("bon_mots_tap", "Options = 3")
    assert maker.options == 3
    with pytest.raises(AttributeError, match="bon_mots_tap makes no service: it has no makeServ"):
        maker.makeService(None)
    assert repr(maker) == "<ServiceMaker 'motto' in bon_mots_tap>"


def test_a_folder_anywhere_on_the_path_is_enough(tmp_path: Path) -> None:
    """The real package of plugins, in a process of its own."""
    dropped = tmp_path / "reactorlib" / "plugins"
    dropped.mkdir(parents=True)
    (dropped / "mottoes.py").write_text(
        "from reactorlib.application.service import ServiceMaker\n"
        "motto = ServiceMaker('Mottoes', 'no.such.module', 'Says mottoes', 'motto')\n"
    )
    program = (
        "import sys\n"
        "from reactorlib.application.service import IServiceMaker\n"
        "from reactorlib.plugin import getPlugins\n"
        "found = {p.tapname: p.description for p in getPlugins(IServiceMaker)}\n"
        "print(found['motto'], 'reactorlib.plugins.mottoes' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    said = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert said == ["Says mottoes True\n", "Says mottoes False\n"]
