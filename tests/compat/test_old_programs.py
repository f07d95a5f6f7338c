"""
Programs in old styles: as they are under Twisted and under the alias, and after `rewrite --write`.

Each is a folder of files; `main.py` ends by itself. What it prints is the same in
every case, and so is its exit status.
"""

from __future__ import annotations

import textwrap
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from compat._programs import run


def has_twisted() -> bool:
    try:
        distribution("twisted")
    except PackageNotFoundError:
        return False
    return True


#: A program's files by their names, and what it prints.
PROGRAMS: dict[str, tuple[dict[str, str], str]] = {
    "a line server and a client with factories": (
        {
            "main.py": """
                from twisted.internet import reactor
                from twisted.internet.protocol import ClientFactory, ServerFactory
                from twisted.protocols.basic import LineReceiver


                class Shout(LineReceiver):
                    def connectionMade(self):
                        self.factory.count += 1

                    def lineReceived(self, line):
                        if line == b"raw":
                            self.setRawMode()
                        else:
                            self.sendLine(line.upper())

                    def rawDataReceived(self, data):
                        self.transport.write(data[::-1])
                        self.transport.loseConnection()


                class Ask(LineReceiver):
                    def connectionMade(self):
                        self.sendLine(b"hello")
                        self.sendLine(b"there")

                    def lineReceived(self, line):
                        print(line.decode())
                        if line == b"THERE":
                            self.sendLine(b"raw")
                            self.setRawMode()
                            self.transport.write(b"cba")

                    def rawDataReceived(self, data):
                        print(data.decode())


                class AskFactory(ClientFactory):
                    protocol = Ask

                    def startedConnecting(self, connector):
                        print("connecting")

                    def clientConnectionLost(self, connector, reason):
                        print(reason.getErrorMessage())
                        reactor.stop()


                factory = ServerFactory()
                factory.protocol = Shout
                factory.count = 0
                port = reactor.listenTCP(0, factory, interface="127.0.0.1")
                reactor.connectTCP("127.0.0.1", port.getHost().port, AskFactory())
                reactor.run()
                print(factory.count)
            """
        },
        "connecting\nHELLO\nTHERE\nabc\nConnection was closed cleanly.\n1\n",
    ),
    "callbacks, errbacks and generators": (
        {
            "main.py": """
                from twisted.internet import defer, reactor, task, threads
                from twisted.python import failure


                def later(value, seconds=0):
                    d = defer.Deferred()
                    if isinstance(value, Exception):
                        reactor.callLater(seconds, d.errback, failure.Failure(value))
                    else:
                        reactor.callLater(seconds, d.callback, value)
                    return d


                @defer.inlineCallbacks
                def work():
                    first = yield later(1)
                    try:
                        yield later(KeyError("lost"))
                    except KeyError as error:
                        print("caught", error)
                    both = yield defer.DeferredList([later(2), later(3)])
                    print(both)
                    fast = yield defer.gatherResults([later("a", 0.01), later("b")])
                    print(fast)
                    summed = yield threads.deferToThread(sum, [1, 2, 3])
                    defer.returnValue(first + summed)


                def trapped(reason):
                    reason.trap(ZeroDivisionError)
                    return "trapped"


                def main(reactor):
                    ticks = []
                    loop = task.LoopingCall(ticks.append, "tick")
                    loop.start(60)
                    d = work()
                    d.addCallback(lambda result: print("result", result) or 1 / 0)
                    d.addErrback(trapped)
                    d.addBoth(print)
                    d.addCallback(lambda _: loop.stop())
                    d.addCallback(lambda _: print(ticks))
                    return d


                task.react(main)
            """
        },
        "caught 'lost'\n[(True, 2), (True, 3)]\n['a', 'b']\nresult 7\ntrapped\n['tick']\n",
    ),
    "an application in a .tac": (
        {
            "server.tac": """
                from twisted.application import internet, service
                from twisted.internet import protocol, reactor
                from twisted.protocols import wire
                from twisted.python import components
                from zope.interface import Interface, implementer


                class IGreeting(Interface):
                    def text():
                        pass


                class Name:
                    def __init__(self, name):
                        self.name = name


                @implementer(IGreeting)
                class GreetingFromName:
                    def __init__(self, name):
                        self.name = name

                    def text(self):
                        return "hello " + self.name.name


                components.registerAdapter(GreetingFromName, Name, IGreeting)


                class Client(protocol.Protocol):
                    def connectionMade(self):
                        self.transport.write(b"over and out")

                    def dataReceived(self, data):
                        print("<%s>" % data.decode())
                        reactor.callLater(0, reactor.stop)


                class Greeter(service.Service):
                    def startService(self):
                        service.Service.startService(self)
                        print("<%s>" % IGreeting(Name("world")).text())
                        factory = protocol.ClientFactory()
                        factory.protocol = Client
                        reactor.callWhenRunning(connect, factory)

                    def stopService(self):
                        print("<%s stops>" % self.name)
                        return service.Service.stopService(self)


                def connect(factory):
                    reactor.connectUNIX("./echo", factory)


                factory = protocol.ServerFactory()
                factory.protocol = wire.Echo
                application = service.Application("test")
                tree = service.MultiService()
                tree.setServiceParent(application)
                listening = internet.UNIXServer("./echo", factory)
                listening.setServiceParent(tree)
                greeter = Greeter()
                greeter.setName("greeter")
                greeter.setServiceParent(tree)
            """,
            "main.py": """
                import re
                import subprocess
                import sys

                import twisted.scripts

                code = "import sys; from %s.twistd import run; run()" % twisted.scripts.__name__
                arguments = ["-n", "-o", "-y", "server.tac", "--pidfile="]
                done = subprocess.run(
                    [sys.executable, *sys.argv[1:], "-c", code, *arguments],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                said = re.findall("<(?!twisted|reactorlib|__)([^<>]*)>", done.stdout)
                print(said, done.returncode)
            """,
        },
        "['hello world', 'over and out', 'greeter stops'] 0\n",
    ),
    "options, logs and files": (
        {
            "main.py": """
                import sys

                from twisted.logger import LogLevel, Logger, globalLogPublisher, formatEvent
                from twisted.python import filepath, log, reflect, usage


                class Add(usage.Options):
                    optFlags = [["loud", "l", "Shout."]]

                    def parseArgs(self, *numbers):
                        self["numbers"] = [int(number) for number in numbers]


                class Options(usage.Options):
                    subCommands = [["add", "a", Add, "Add numbers."]]
                    optParameters = [["times", "t", 1, "How often.", int]]


                options = Options()
                options.parseOptions(["--times", "3", "add", "-l", "1", "2"])
                print(options["times"], options.subCommand, dict(options.subOptions))
                try:
                    Options().parseOptions(["--nothing"])
                except usage.UsageError as error:
                    print("wrong:", error)

                log.startLogging(sys.stderr, setStdout=False)
                seen = []
                log.addObserver(lambda event: seen.append(log.textFromEventDict(event)))
                log.msg("number", 7)
                Logger("mine").info("{what} and {more!r}", what="this", more="that")
                print(seen)

                folder = filepath.FilePath(".").child("made")
                folder.makedirs()
                folder.child("x.txt").setContent(b"x")
                (file,) = folder.children()
                print(file.basename(), file.getsize())
                try:
                    folder.child("../up")
                except filepath.InsecurePath:
                    print("insecure")
                print(reflect.namedAny("os.path.join")("a", "b"), reflect.qual(dict))
            """
        },
        "3 add {'loud': 1, 'numbers': [1, 2]}\nwrong: option --nothing not recognized\n"
        "['number 7', \"this and 'that'\"]\nx.txt 1\ninsecure\na/b builtins.dict\n",
    ),
    "commands in AMP over endpoints": (
        {
            "commands.py": """
                from twisted.protocols import amp


                class Divide(amp.Command):
                    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]
                    response = [(b"result", amp.Float())]
                    errors = {ZeroDivisionError: b"ZERO"}
            """,
            "main.py": """
                import twisted.internet.endpoints
                from commands import Divide
                from twisted.internet import protocol, reactor
                from twisted.internet.defer import inlineCallbacks
                from twisted.internet.task import react
                from twisted.protocols.amp import AMP


                class Math(AMP):
                    @Divide.responder
                    def divide(self, a, b):
                        return {"result": a / b}


                @inlineCallbacks
                def main(reactor, name):
                    server = twisted.internet.endpoints.serverFromString(
                        reactor, "tcp:0:interface=127.0.0.1"
                    )
                    port = yield server.listen(protocol.Factory.forProtocol(Math))
                    client = twisted.internet.endpoints.clientFromString(
                        reactor, "tcp:127.0.0.1:%d" % port.getHost().port
                    )
                    peer = yield twisted.internet.endpoints.connectProtocol(client, AMP())
                    answer = yield peer.callRemote(Divide, a=9, b=2)
                    print(name, answer)
                    try:
                        yield peer.callRemote(Divide, a=9, b=0)
                    except ZeroDivisionError:
                        print("zero")
                    yield port.stopListening()
                    raise SystemExit(3)


                react(main, ["math"])
            """,
        },
        "math {'result': 4.5}\nzero\n",
    ),
    "a login with cred": (
        {
            "main.py": """
                from zope.interface import Interface, implementer

                from twisted.cred import checkers, credentials, error, portal


                class IMailbox(Interface):
                    pass


                @implementer(portal.IRealm)
                class Realm:
                    def requestAvatar(self, avatarId, mind, *interfaces):
                        return IMailbox, avatarId, lambda: print("logout", avatarId)


                passwords = checkers.InMemoryUsernamePasswordDatabaseDontUse(ann=b"secret")
                desk = portal.Portal(Realm(), [passwords, checkers.AllowAnonymousAccess()])


                def say(result):
                    interface, avatar, logout = result
                    print(interface.__name__, avatar)
                    logout()


                for known in (b"secret", b"guess"):
                    d = desk.login(credentials.UsernamePassword(b"ann", known), None, IMailbox)
                    d.addCallbacks(say, lambda reason: print(reason.check(error.UnauthorizedLogin)
                                                             is not None))
                desk.login(credentials.Anonymous(), None, IMailbox).addCallback(say)
            """
        },
        "IMailbox b'ann'\nlogout b'ann'\nTrue\nIMailbox ()\nlogout ()\n",
    ),
}


#: How each of them ends.
STATUS = {"commands in AMP over endpoints": 3}


@pytest.fixture(params=PROGRAMS)
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def folder(name: str, tmp_path: Path) -> Path:
    for file, text in PROGRAMS[name][0].items():
        (tmp_path / file).write_text(textwrap.dedent(text).lstrip())
    return tmp_path


def outcome(name: str, folder: Path, *under: str, **environ: str) -> None:
    """Run it; it has to print what it prints, and to end as it ends."""
    printed, errors, status = run(*under, "main.py", *under, cwd=folder, **environ)
    assert printed == PROGRAMS[name][1], errors
    assert status == STATUS.get(name, 0), errors


def test_under_twisted_itself(name: str, folder: Path) -> None:
    """What is expected here is what it does there."""
    if not has_twisted():
        pytest.skip("Twisted is not installed")
    outcome(name, folder)


@pytest.mark.parametrize("loop", ["asyncio", pytest.param("uvloop", marks=pytest.mark.slow)])
def test_under_the_alias(name: str, loop: str, folder: Path) -> None:
    outcome(name, folder, "-m", "reactorlib.compat", REACTORLIB_LOOP=loop)


def test_rewritten(name: str, folder: Path) -> None:
    """Nothing is left to do by hand, and nothing of Twisted's is used."""
    printed, errors, status = run("-m", "reactorlib.compat", "rewrite", "--write", ".", cwd=folder)
    assert (printed, errors, status) == ("", "", 0)
    assert not [file for file in folder.glob("*.*") if "import twisted" in file.read_text()]
    (folder / "twisted.py").write_text("raise AssertionError")
    outcome(name, folder)


# -- plugins ----------------------------------------------------------------------

PLUGIN = """
from twisted.application.service import ServiceMaker

hello = ServiceMaker("hello", "hello_tap", "It greets and ends.", "hello")
"""

TAP = """
from twisted.application import service
from twisted.internet import reactor
from twisted.python import usage


class Options(usage.Options):
    optParameters = [["name", "n", "nobody", "Whom to greet."]]


class Hello(service.Service):
    def startService(self):
        print("<hello %s>" % self.who)
        reactor.callWhenRunning(reactor.stop)


def makeService(options):
    made = Hello()
    made.who = options["name"]
    return made
"""


def test_a_plugin_that_is_rewritten_and_moved_is_found(tmp_path: Path) -> None:
    """`rewrite` says where it has to go; before that, the alias finds it where it is."""
    old = tmp_path / "twisted" / "plugins"
    old.mkdir(parents=True)
    (old / "hello_plugin.py").write_text(PLUGIN)
    (tmp_path / "hello_tap.py").write_text(TAP)
    command = ["-n", "--pidfile=", "hello", "--name", "Ann"]
    code = "from {}.scripts.twistd import run; run()"
    printed, errors, status = run(
        "-m", "reactorlib.compat", "-c", code.format("twisted"), *command, cwd=tmp_path
    )
    assert "<hello Ann>" in printed, errors
    assert status == 0

    printed, errors, status = run(
        "-m", "reactorlib.compat", "rewrite", "--write", ".", cwd=tmp_path
    )
    assert (printed, status) == ("", 1)
    assert "hello_plugin.py:1: move it to a folder reactorlib/plugins" in errors
    (tmp_path / "reactorlib").mkdir()
    old.rename(tmp_path / "reactorlib" / "plugins")
    printed, errors, status = run("-c", code.format("reactorlib"), *command, cwd=tmp_path)
    assert "<hello Ann>" in printed, errors
    assert status == 0
