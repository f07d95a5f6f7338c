"""`twisted.X` is `reactorlib.X`: each program here runs in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest

from compat._programs import ALIAS, ROOT, run, succeed

needs_twisted = pytest.mark.skipif(
    importlib.util.find_spec("twisted") is None, reason="Twisted is not installed"
)

#: Each is true of the alias; `import_it` imports the module before or after.
PROGRAMS = {
    "the same module by every kind of import": """
        import twisted.internet.defer
        import twisted.internet.task as z
        from twisted.internet import defer, protocol
        from twisted.internet.defer import Deferred
        import reactorlib.internet.defer, reactorlib.internet.protocol, reactorlib.internet.task
        assert defer is reactorlib.internet.defer is twisted.internet.defer
        assert z is reactorlib.internet.task
        assert Deferred is reactorlib.internet.defer.Deferred
        assert protocol is sys.modules["twisted.internet.protocol"]
        basic = importlib.import_module("twisted.protocols.basic")
        assert issubclass(basic.LineReceiver, reactorlib.internet.protocol.Protocol)
        assert isinstance(Deferred(), reactorlib.internet.defer.Deferred)
    """,
    "interfaces are the same": """
        from zope.interface import implementer
        from zope.interface.verify import verifyObject
        from twisted.internet.interfaces import IReactorTime
        from twisted.internet.task import Clock
        import reactorlib.internet.interfaces as ours
        assert ours.IReactorTime.providedBy(Clock())
        @implementer(IReactorTime)
        class Mine(Clock):
            pass
        verifyObject(ours.IReactorTime, Mine())
    """,
    "specifications are left as they are": """
        import twisted.internet.endpoints, twisted.internet.defer, twisted.python
        from reactorlib.internet import endpoints
        for name in ("internet.endpoints", "internet.defer", "python"):
            module = sys.modules["twisted." + name]
            assert module.__name__ == module.__spec__.name == "reactorlib." + name
            assert type(module.__spec__.loader).__module__.startswith("_frozen_importlib")
            assert module.__loader__ is module.__spec__.loader
            assert importlib.util.find_spec("twisted." + name) is module.__spec__
    """,
    "modules can be loaded again": """
        from twisted.python import text
        was = text.greedyWrap if hasattr(text, "greedyWrap") else text
        assert importlib.reload(text) is text is sys.modules["reactorlib.python.text"]
        assert importlib.reload(sys.modules["twisted"]).__version__ == "26.10.0"
        assert text.__spec__.name == "reactorlib.python.text"
    """,
    "the reactor is there under both names": """
        from twisted.internet import reactor
        assert sys.modules["twisted.internet.reactor"] is reactor
        import reactorlib.internet.reactor
        assert reactorlib.internet.reactor is reactor
        assert "__spec__" not in vars(reactor) and "__name__" not in vars(reactor)
        seen = []
        reactor.callWhenRunning(seen.append, 1)
        reactor.callWhenRunning(reactor.stop)
        reactor.run()
        assert seen == [1]
    """,
    "another reactor can take its place": """
        from twisted.internet import reactor, task, main
        del sys.modules["twisted.internet.reactor"]
        clock = task.Clock()
        main.installReactor(clock)
        import twisted.internet.reactor as now
        assert now is clock is sys.modules["twisted.internet.reactor"]
        from twisted.internet import reactor as again
        assert again is clock is sys.modules["reactorlib.internet.reactor"]
        from twisted.internet.error import ReactorAlreadyInstalledError
        try:
            main.installReactor(task.Clock())
        except ReactorAlreadyInstalledError:
            pass
        else:
            raise AssertionError
    """,
    "what was pickled elsewhere": """
        import pickle
        from reactorlib.internet.error import ConnectionDone
        from reactorlib.internet.address import IPv4Address
        saved = pickle.dumps(IPv4Address("TCP", "127.0.0.1", 80), 0)
        assert b"reactorlib.internet.address" in saved
        named = saved.replace(b"reactorlib.", b"twisted.")
        assert pickle.loads(named) == IPv4Address("TCP", "127.0.0.1", 80)
    """,
    "versions": """
        import twisted, twisted.copyright, twisted._version
        from twisted import __version__, version
        from twisted.python.versions import Version
        assert twisted.__version__ == __version__ == twisted.copyright.version == "26.10.0"
        assert version == Version("Twisted", 26, 10, 0) == twisted._version.__version__
        assert version >= Version("twisted", 22, 8, 0)
        from importlib.metadata import entry_points, version
        assert version("twisted") == version("Twisted") == "26.10.0"
        assert not [each for each in entry_points(group="console_scripts")
                    if each.dist.version == "26.10.0" and "reactorlib" in each.value]
    """,
    "nothing is left of a module that fails": """
        import reactorlib.python
        from pathlib import Path
        reactorlib.python.__path__.append(str(Path.cwd()))
        Path("broken.py").write_text("import twisted.python.broken\\n1 / 0")
        for name in ("twisted.python.broken", "reactorlib.python.broken"):
            try:
                importlib.import_module(name)
            except ZeroDivisionError:
                pass
            assert "twisted.python.broken" not in sys.modules
        Path("broken.py").write_text("fine = True")
        importlib.invalidate_caches()
        assert importlib.import_module("twisted.python.broken").fine
    """,
    "a module of a package is found in the middle of its import": """
        import reactorlib.python
        from pathlib import Path
        reactorlib.python.__path__.append(str(Path.cwd()))
        Path("first.py").write_text("from twisted.python import second\\nx = second.y")
        Path("second.py").write_text("from twisted.python import first\\nimport "
            "twisted.python.first as also\\nassert first is also\\ny = 1")
        from twisted.python import first
        assert first.x == 1
    """,
    "code, source and files": """
        import inspect, pkgutil, importlib.resources
        from twisted.python import text
        spec = importlib.util.find_spec("twisted.python.systemd")
        assert spec.loader.get_code(spec.name).co_filename == spec.origin
        assert spec.loader.get_filename(spec.name) == spec.origin
        assert spec.loader.get_source(spec.name).encode() == spec.loader.get_data(spec.origin)
        assert "def " in inspect.getsource(text)
        names = {each.name for each in pkgutil.walk_packages(
            sys.modules["twisted"].__path__, "twisted.", onerror=print)}
        assert {"twisted.internet.defer", "twisted.trial.unittest"} <= names
        assert (importlib.resources.files("twisted") / "py.typed").is_file()
    """,
}


BEFORE = "import reactorlib.internet.defer, reactorlib.plugins, reactorlib.internet.endpoints\n"


def check(name: str, first: str, folder: Path) -> None:
    code = "import sys, importlib, importlib.util\n" + first + ALIAS
    succeed(code + textwrap.dedent(PROGRAMS[name]), folder)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program(name: str, tmp_path: Path) -> None:
    check(name, "", tmp_path)


@pytest.mark.parametrize("name", list(PROGRAMS)[:3])
def test_modules_that_were_imported_before(name: str, tmp_path: Path) -> None:
    check(name, BEFORE, tmp_path)


def test_every_module_is_there_under_both_names(tmp_path: Path) -> None:
    code = """
        import sys, importlib, pkgutil, reactorlib
        from reactorlib.compat import install_as_twisted
        install_as_twisted()
        for each in pkgutil.walk_packages(reactorlib.__path__, "twisted."):
            if not each.name.startswith("twisted.compat") and not each.name.endswith("__main__"):
                try:
                    there = importlib.import_module(each.name)
                except ImportError as error:
                    assert str(error).startswith("reactorlib."), error
                    continue
                here = sys.modules[each.name.replace("twisted", "reactorlib", 1)]
                assert here is there, each.name
                spec = getattr(here, "__spec__", None)
                assert spec is None or spec.name.startswith("reactorlib."), each.name
    """
    succeed(code, tmp_path)


# -- what is not there ------------------------------------------------------------

MISSING = {
    "import twisted.nowhere.server": "twisted.nowhere",
    "from twisted.nowhere import server": "twisted.nowhere",
    "from twisted import nowhere": "twisted.nowhere",
    "from twisted.internet import nowhere": "twisted.internet.nowhere",
    "from twisted.internet import defer, nowhere": "twisted.internet.nowhere",
    "from twisted.internet.ssl import Nothing": "twisted.internet.ssl.Nothing",
    "from twisted.internet.defer import Deferred, Nothing": "twisted.internet.defer.Nothing",
    "from twisted.python.filepath import (FilePath, Nothing)": "twisted.python.filepath.Nothing",
    "import twisted.compat": "twisted.compat",
}


def test_what_is_missing_is_named_with_where_all_is_listed(tmp_path: Path) -> None:
    code = "\n".join(
        f"try:\n    {statement}\nexcept ImportError as error:\n    print(error)"
        for statement in MISSING
    )
    printed = succeed(ALIAS + code, tmp_path).splitlines()
    assert len(printed) == len(MISSING)
    for line, name in zip(printed, MISSING.values(), strict=True):
        assert name in line
        assert "docs/porting/names.md" in line
    assert (ROOT / "docs" / "porting" / "names.md").is_file()


def test_who_asks_whether_something_is_there_is_told_so(tmp_path: Path) -> None:
    code = """
        import importlib.util
        from unittest import mock
        from twisted.internet import ssl
        assert importlib.util.find_spec("twisted.nowhere") is None
        assert importlib.util.find_spec("twisted.internet.nowhere") is None
        assert not hasattr(ssl, "Nothing") and getattr(ssl, "Nothing", 1) == 1
        try:
            ssl.Nothing
        except AttributeError as error:
            assert "Nothing" in str(error)
        with mock.patch.object(ssl, "Nothing", 2, create=True):
            from twisted.internet.ssl import Nothing
        assert Nothing == 2
    """
    succeed(ALIAS + textwrap.dedent(code), tmp_path)


# -- beside Twisted itself --------------------------------------------------------


@needs_twisted
def test_it_refuses_where_twisted_has_been_imported(tmp_path: Path) -> None:
    """And then works under its own name, beside it: each awaits the other's Deferreds."""
    code = """
        import asyncio
        import twisted
        from twisted.internet import asyncioreactor
        from twisted.internet.defer import Deferred as Theirs, ensureDeferred as ensure_theirs
        from reactorlib.compat import TwistedImported, install_as_twisted
        from reactorlib.internet.defer import Deferred, ensureDeferred
        try:
            install_as_twisted()
        except TwistedImported as error:
            assert error.version == twisted.__version__ and error.path == twisted.__file__
            print(error)
        import twisted.internet.defer
        assert twisted.internet.defer.Deferred is Theirs is not Deferred

        async def main():
            loop = asyncio.get_running_loop()
            theirs, ours = Theirs(), Deferred()
            loop.call_soon(theirs.callback, "theirs")
            loop.call_soon(ours.callback, "ours")

            async def with_ours():
                return await theirs.asFuture(loop)

            async def with_theirs():
                return await Theirs.fromFuture(ours.asFuture(loop))

            assert await ensureDeferred(with_ours()) == "theirs"
            assert await ensure_theirs(with_theirs()).asFuture(loop) == "ours"

        asyncio.run(main())
    """
    printed = succeed(code, tmp_path)
    assert "has been imported already" in printed
    assert "python -m reactorlib.compat" in printed


@needs_twisted
@pytest.mark.parametrize("maker", ["asyncio", "uvloop"])
def test_both_work_in_the_loop_of_twisteds_reactor(maker: str, tmp_path: Path) -> None:
    """A server of reactorlib's, a client of Twisted's, and each awaits the other's Deferreds."""
    if maker == "uvloop":
        pytest.importorskip("uvloop")
    code = """
        import asyncio, sys
        from twisted.internet import asyncioreactor
        loop = __import__(sys.argv[1]).new_event_loop()
        asyncioreactor.install(loop)
        from twisted.internet import defer as theirs, reactor as their_reactor
        from twisted.internet.endpoints import clientFromString, connectProtocol
        from twisted.internet.protocol import Protocol as TheirProtocol
        from reactorlib.internet import defer as ours, reactor as our_reactor
        from reactorlib.internet.protocol import Factory, Protocol

        class Echo(Protocol):
            def dataReceived(self, data):
                self.transport.write(data)

        class Ask(TheirProtocol):
            def __init__(self):
                self.answered = theirs.Deferred()

            def dataReceived(self, data):
                self.answered.callback(data)

        def failing(library):
            d = library.Deferred()
            d.errback(KeyError(library.__name__))
            return d

        async def in_reactorlib():
            assert asyncio.get_running_loop() is loop
            await ours.Deferred.fromFuture(asyncio.ensure_future(asyncio.sleep(0)))
            port = our_reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
            where = clientFromString(their_reactor, f"tcp:127.0.0.1:{port.getHost().port}")
            asker = await connectProtocol(where, Ask()).asFuture(loop)
            asker.transport.write(b"hello")
            async with asyncio.timeout(20):
                print(await asker.answered.asFuture(loop))
            asker.transport.loseConnection()
            try:
                await failing(theirs).asFuture(loop)
            except KeyError as error:
                print(error)
            await port.stopListening()
            return "done"

        async def in_twisted():
            d = ours.ensureDeferred(in_reactorlib())
            print(await theirs.Deferred.fromFuture(d.asFuture(loop)))
            later = ours.Deferred()
            our_reactor.callLater(0, later.callback, "later")
            print(await theirs.Deferred.fromFuture(asyncio.ensure_future(later)))
            try:
                await theirs.Deferred.fromFuture(failing(ours).asFuture(loop))
            except KeyError as error:
                print(error)
            never = ours.Deferred(lambda d: print("cancelled"))
            waiting = theirs.Deferred.fromFuture(never.asFuture(loop))
            waiting.addErrback(lambda reason: print(reason.type.__name__))
            waiting.cancel()
            await theirs.Deferred.fromFuture(asyncio.ensure_future(asyncio.sleep(0)))

        def start():
            d = theirs.ensureDeferred(in_twisted())
            d.addErrback(lambda reason: print(reason.getTraceback()))
            d.addBoth(lambda _: their_reactor.stop())

        # Not `callWhenRunning`: Twisted calls that before its loop runs.
        their_reactor.callLater(0, start)
        their_reactor.run()
        # asyncioreactor leaves its loop as it is.
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    """
    printed = succeed(code, tmp_path, maker)
    assert printed.splitlines() == [
        "b'hello'",
        "'twisted.internet.defer'",
        "done",
        "later",
        "'reactorlib.internet.defer'",
        "cancelled",
        "CancelledError",
    ]


@needs_twisted
def test_twisted_itself_is_not_to_be_seen(tmp_path: Path) -> None:
    """What this library lacks is not there, although Twisted is installed."""
    code = """
        import twisted, reactorlib
        assert twisted.__file__ == reactorlib.__file__
        try:
            import twisted.positioning
        except ModuleNotFoundError as error:
            assert error.name == "twisted.positioning"
        else:
            raise AssertionError
    """
    succeed(ALIAS + textwrap.dedent(code), tmp_path)


# -- plugins ----------------------------------------------------------------------

DROPIN = """
from zope.interface import implementer
from twisted.application.service import IServiceMaker, ServiceMaker
from twisted.plugin import IPlugin

{name} = ServiceMaker("{name}", "{name}.tap", "It is {name}.", "{name}")
"""

LIST = """
from twisted.application.service import IServiceMaker
from reactorlib.plugin import getPlugins
import twisted.plugins, sys
print(sorted(each.tapname for each in getPlugins(IServiceMaker) if each.tapname in sys.argv))
"""


def test_plugins_that_packages_drop_are_found(tmp_path: Path) -> None:
    for folder, name in (("one", "first"), ("two", "second")):
        plugins = tmp_path / folder / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / f"{name}_plugin.py").write_text(DROPIN.format(name=name))
    path = f"{ROOT}:{tmp_path / 'one'}:{tmp_path / 'two'}"
    for _ in range(2):  # from the files, and from what is kept of them
        printed = succeed(ALIAS + LIST, tmp_path, "first", "second", PYTHONPATH=path)
        assert printed == "['first', 'second']\n"
    # Twisted keeps its own file of the usual name there, in another format.
    kept = {each.name for each in plugins.iterdir() if each.is_file()}
    assert kept == {"second_plugin.py", "reactorlib.dropin.cache"}


@pytest.mark.parametrize("recorded", [True, False])
def test_plugins_are_found_in_twisteds_own_folder_too(recorded: bool, tmp_path: Path) -> None:
    """Its own are not, which would ask for what is not here."""
    plugins = tmp_path / "site" / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    for file in (plugins / "__init__.py", plugins.parent / "__init__.py"):
        file.write_text("raise AssertionError")
    for own in ("twisted_core", "cred_file"):
        (plugins / f"{own}.py").write_text("raise AssertionError")
    (plugins / "guest_plugin.py").write_text(DROPIN.format(name="guest"))
    expected = "['guest']\n"
    if recorded:
        (plugins / "twisted_guest.py").write_text(DROPIN.format(name="other"))
        info = tmp_path / "site" / "twisted-26.10.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Twisted\nVersion: 26.10.0\n")
        own_files = ("__init__", "twisted_core", "cred_file")
        (info / "RECORD").write_text("".join(f"twisted/plugins/{n}.py,,\n" for n in own_files))
        expected = "['guest', 'other']\n"
    path = f"{ROOT}:{tmp_path / 'site'}"
    assert succeed(ALIAS + LIST, tmp_path, "guest", "other", PYTHONPATH=path) == expected


# -- ways to install it -----------------------------------------------------------


def test_one_line_in_a_conftest_does_it_for_a_test_suite(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(ALIAS)
    (tmp_path / "test_it.py").write_text(
        "from twisted.trial import unittest\n"
        "from twisted.internet import defer, reactor\n"
        "import reactorlib.trial.unittest\n"
        "class SomeTests(unittest.TestCase):\n"
        "    def test_same(self):\n"
        "        self.assertIsInstance(self, reactorlib.trial.unittest.TestCase)\n"
        "        d = defer.Deferred()\n"
        "        reactor.callLater(0, d.callback, 3)\n"
        "        return d.addCallback(self.assertEqual, 3)\n"
        "    def test_fails(self):\n"
        "        self.assertEqual(1, 2)\n"
    )
    printed, _, status = run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert "1 failed, 1 passed" in printed
    assert status == 1


def test_one_line_in_a_pth_file_does_it_for_an_environment(tmp_path: Path) -> None:
    """And for the processes that programs in it start."""
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site / "a-others.pth").write_text("\n".join([str(ROOT), *packages]) + "\n")
    (site / "reactorlib-as-twisted.pth").write_text(
        "import reactorlib.compat; reactorlib.compat.install_as_twisted()\n"
    )
    code = """
        import subprocess, sys, twisted.internet.defer, reactorlib.internet.defer
        assert twisted.internet.defer is reactorlib.internet.defer
        if len(sys.argv) == 1:
            subprocess.run([sys.executable, sys.argv[0], "child"], check=True)
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(code))

    done = subprocess.run(
        [str(python), "program.py"], cwd=tmp_path, env={}, capture_output=True, text=True
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_pth_line_costs_next_to_nothing(tmp_path: Path) -> None:
    """It imports none of the library, nor what that needs."""
    code = """
        import sys
        print(sorted(name for name in sys.modules if name.startswith(("reactorlib", "zope"))))
        assert "asyncio" not in sys.modules
    """
    printed = succeed(ALIAS + textwrap.dedent(code), tmp_path)
    assert printed == "['reactorlib', 'reactorlib.compat', 'reactorlib.compat._alias']\n"
