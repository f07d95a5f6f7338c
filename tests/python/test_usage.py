"""Options: what is declared, what is read, and what the help says."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.python import usage


class Base(usage.Options):
    optFlags = [["quiet", "q", "say nothing"]]


class Serve(Base):
    """A command with all that there is."""

    synopsis = "Usage: serve [options] file"
    longdesc = "It serves.\n\nAnd more."
    optFlags = [["fast", "f", "  go\n   fast  "], ["slow"]]
    optParameters = [
        ["port", "p", 80, "where to listen", usage.portCoerce],
        ["name", None, "x"],
        ["root", "r", None, "what to serve"],
    ]
    levels = 0
    file: str | None = None
    after = False

    def opt_verbose(self) -> None:
        """
        Say more.

        This is not in the help.
        """
        self.levels += 1

    opt_v = opt_verbose

    def opt_set_mode(self, value: str) -> None:
        """Set the mode."""
        self["mode"] = value

    def parseArgs(self, file: str | None = None) -> None:
        self.file = file

    def postOptions(self) -> None:
        self.after = True


def read(*words: str) -> Serve:
    options = Serve()
    options.parseOptions(words)
    return options


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {"fast": 0, "slow": 0, "quiet": 0, "port": 80, "name": "x", "root": None}),
        ("-f", {"fast": 1}),
        ("--fast -q", {"fast": 1, "quiet": 1}),
        ("-fqp 7", {"fast": 1, "quiet": 1, "port": 7}),
        ("-p8", {"port": 8}),
        ("--port=9 --root /", {"port": 9, "root": "/"}),
        ("--ro y", {"root": "y"}),
        ("--set-mode=z", {"mode": "z"}),
    ],
)
def test_a_command_line(line: str, expected: dict[str, Any]) -> None:
    options = read(*line.split())
    assert {key: options[key] for key in expected} == expected
    assert options.opts is options
    assert options.after


def test_methods_are_called_each_time() -> None:
    options = read("-v", "--verbose", "-vv", "file")
    assert options.levels == 4
    assert options.file == "file"
    assert read("--", "-v").file == "-v"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--nothing", "not recognized"),
        ("-Z", "option -Z not recognized"),
        ("--port", "requires argument"),
        ("--fast=1", "must not have an argument"),
        ("--port=70000", "Parameter type enforcement failed: Port number not in range: 70000"),
        ("--port=x", "Parameter type enforcement failed"),
        ("a b", "Wrong number of arguments"),
    ],
)
def test_a_wrong_command_line(line: str, text: str) -> None:
    with pytest.raises(usage.UsageError, match=text):
        read(*line.split())


def test_an_error_of_ours_is_not_the_users() -> None:
    class Broken(usage.Options):
        def parseArgs(self) -> None:
            raise TypeError("ours")

    with pytest.raises(TypeError, match="ours"):
        Broken().parseOptions([])


def test_the_programs_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["prog", "-f"])
    options = Serve()
    options.parseOptions()
    assert options["fast"] == 1


class Add(usage.Options):
    optFlags = [["force", "f"]]
    file = ""

    def parseArgs(self, file: str) -> None:  # type: ignore[override]
        self.file = file


class Tool(usage.Options):
    subCommands = [["add", "a", Add, "Add things"], ["none", None, usage.Options, "Do nothing"]]
    optFlags = [["global", "g"]]


@pytest.mark.parametrize("name", ["add", "a"])
def test_a_subcommand(name: str) -> None:
    tool = Tool()
    tool.parseOptions(["-g", name, "-f", "x"])
    assert tool.subCommand == "add"
    assert isinstance(tool.subOptions, Add)
    assert (tool.subOptions["force"], tool.subOptions.file) == (1, "x")
    assert tool.subOptions.parent is tool


def test_which_subcommand() -> None:
    with pytest.raises(usage.UsageError, match="Unknown command: x"):
        Tool().parseOptions(["x"])
    tool = Tool()
    tool.parseOptions([])
    assert tool.subCommand is None
    assert not hasattr(tool, "subOptions")
    tool.defaultSubCommand = "none"
    tool.parseOptions([])
    assert tool.subCommand == "none"


def test_the_help() -> None:
    assert str(Serve()) == (
        "Usage: serve [options] file\n"
        "Options:\n"
        "  -f, --fast       go fast\n"
        "      --help       Display this help and exit.\n"
        "      --name=      [default: x]\n"
        "  -p, --port=      where to listen Must be an int between 0 and 65535. [default:\n"
        "                   80]\n"
        "  -q, --quiet      say nothing\n"
        "  -r, --root=      what to serve\n"
        "      --set-mode=  Set the mode.\n"
        "      --slow\n"
        "  -v, --verbose    Say more.\n"
        "      --version    Display the version and exit.\n"
        "\n"
        "It serves.\n"
        "\n"
        "And more.\n"
    )


def test_a_method_has_the_help_that_was_declared_unless_it_has_its_own() -> None:
    class Options(usage.Options):
        optFlags = [["fast", "f", "go fast"], ["slow", None, "go slow"]]
        optParameters = [["level", None, None, "how much"]]

        def opt_fast(self) -> None:
            pass

        def opt_slow(self) -> None:
            """Really go slow."""

        def opt_level(self, level: str) -> None:
            self["level"] = int(level)

    help_text = str(Options())
    assert "  -f, --fast     go fast\n" in help_text
    assert "      --level=   how much\n" in help_text
    assert "      --slow     Really go slow.\n" in help_text


def test_the_help_of_subcommands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/tool"])
    monkeypatch.setattr(sys.modules["__main__"], "__doc__", None)
    tool = Tool()
    text = str(tool)
    assert text.startswith("Usage: tool [options]\n")
    assert text.endswith("Commands:\n    add     Add things\n    none    Do nothing\n")
    tool.parseOptions(["add", "x"])
    assert tool.subOptions.getSynopsis() == "Usage: tool [options] add [options]"


@given(st.integers(1, 200))
def test_the_help_is_as_wide_as_it_may_be(width: int) -> None:
    for line in Serve().getUsage(width).split("\n"):
        assert len(line) <= max(width, 19 + 20)


def test_help_and_version_end_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    for word, text in (("--help", "Usage: serve"), ("--version", "version: ")):
        with pytest.raises(SystemExit) as ended:
            read(word)
        assert ended.value.code == 0
        assert text in capsys.readouterr().out


def test_what_cannot_be_declared() -> None:
    class Long(usage.Options):
        optFlags = [["a", "b", "c", "d"]]

    class Many(usage.Options):
        def opt_x(self, a: str, b: str) -> None: ...

    with pytest.raises(ValueError, match="more than 3"):
        Long()
    with pytest.raises(usage.UsageError, match="Invalid Option function for x"):
        Many()


def test_options_are_told_apart_by_identity() -> None:
    assert len({Serve(), Serve()}) == 2


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("65535", 65535)])
def test_ports(text: str, number: int) -> None:
    assert usage.portCoerce(text) == number


@pytest.mark.parametrize(
    ("completer", "code"),
    [
        (usage.Completer(), ":it:"),
        (usage.CompleteFiles("*.py"), ':it (*.py):_files -g "*.py"'),
        (usage.CompleteDirs(descr="d", repeat=True), "*:d:_directories"),
        (usage.CompleteList(["a", "b"]), ":it:(a b)"),
        (usage.CompleteMultiList(["a", "b"]), ":it:_values -s , 'it' a b"),
        (usage.CompleteGroups(), ":group:_groups"),
    ],
)
def test_completers(completer: usage.Completer, code: str) -> None:
    assert completer._shell_code("it", "zsh") == code
    with pytest.raises(NotImplementedError):
        completer._shell_code("it", "csh")


def test_what_is_no_method_is_no_option() -> None:
    class Options(usage.Options):
        opt_list: tuple[Any, ...] | list[Any] = []
        opt_text = "x"

        def opt_(self) -> None:
            raise AssertionError

        def opt_own(self) -> None:
            self["own"] = True

        @staticmethod
        def opt_static(value: str) -> None:
            assert value == "v"

    options = Options()
    options.parseOptions(["--own", "--static", "v"])
    assert options["own"]
    for name in ("--list", "--text"):
        with pytest.raises(usage.UsageError, match="not recognized"):
            options.parseOptions([name])
