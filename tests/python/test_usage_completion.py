"""
Completion of command lines: the shells themselves ask a program that is there.
"""

from __future__ import annotations

import io
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactorlib.python import usage
from reactorlib.python.usage import _completion
from reactorlib.python.usage import _options as options_module

PROGRAM = """\
#!{python}
from reactorlib.python import usage

class Serve(usage.Options):
    optFlags = [["quiet", "q", "Say nothing."]]
    optParameters = [["port", "p", 80, "Where to listen."]]
    compData = usage.Completions(extraActions=[usage.CompleteDirs(descr="root")])

    def parseArgs(self, root="."): ...

class Rare(usage.Options):
    subCommands = [["inner", None, Serve, "Inside."]]

class Options(usage.Options):
    optFlags = [
        ["fokker", "f", "Fly a [Fokker]: it's red."],
        ["albatros", "a", "Fly an Albatros."],
        ["verbose", "v", "Say more."],
    ]
    optParameters = [
        ["colour", None, "red", "Which \\"colour\\"."],
        ["parts", None, None, "Some parts."],
        ["script", "s", None, "A script."],
        ["owner", None, None, "Whose it is."],
    ]
    subCommands = [["serve", "sv", Serve, "Serve: a directory."], ["rare", None, Rare, "Seldom."]]
    compData = usage.Completions(
        descriptions={{"owner": "The owner"}},
        multiUse=["verbose"],
        mutuallyExclusive=[["fokker", "albatros"]],
        optActions={{
            "colour": lambda: usage.CompleteList(["red", "green", "gr'ey"]),
            "parts": usage.CompleteMultiList(["wing", "tail"]),
            "script": usage.CompleteFiles("*.py"),
            "owner": usage.CompleteUsernames(),
        }},
    )

options = Options()
try:
    options.parseOptions()
except usage.UsageError as error:
    raise SystemExit(str(error))
print("ran")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program and some files."""
    folder = tmp_path_factory.mktemp("complete")
    program = folder / "fly-tool"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    for name in ("one.py", "two.txt", "my file.py"):
        (folder / name).write_text("")
    (folder / "inside").mkdir()
    return folder


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "dumb",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


def run(folder: Path, command: list[str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=50
    )
    assert done.stderr == ""
    return done.stdout


def in_bash(folder: Path, *lines: list[str]) -> list[list[str]]:
    """What bash offers for the last word of each command line, as bash cuts it up."""
    script = 'eval "$(fly-tool --_shell-completion bash)"\n'
    for words in lines:
        inside = " ".join(f"'{word}'" for word in words)
        script += (
            f"COMP_WORDS=(fly-tool {inside}); COMP_CWORD={len(words)}; _fly_tool_completion\n"
            "printf '%s\\n' \"${COMPREPLY[@]}\"; echo =====\n"
        )
    answers = run(folder, ["bash", "--norc", "-c", script]).split("=====\n")[:-1]
    return [[line for line in answer.split("\n") if line] for answer in answers]


def in_fish(folder: Path, *lines: list[str]) -> list[list[str]]:
    """The same for fish."""
    script = "fly-tool --_shell-completion fish | source\n"
    for words in lines:
        script += f"complete -C 'fly-tool {' '.join(words)}'; echo =====\n"
    answers = run(folder, ["fish", "--no-config", "-c", script]).split("=====\n")[:-1]
    return [[line.split("\t")[0] for line in answer.splitlines()] for answer in answers]


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


#: What is typed, and what is offered.
OFFERED: list[tuple[list[str], set[str]]] = [
    (["--fo"], {"--fokker"}),
    (["--al"], {"--albatros"}),
    (["-f", "--al"], set()),
    (["--fokker", "--fo"], set()),
    (["--verbose", "-v", "--verb"], {"--verbose"}),
    (["--colour", ""], {"red", "green", "gr'ey"}),
    (["--col", "g"], {"green", "gr'ey"}),
    (["--parts", "wing,"], {"wing,tail"}),
    (["--script", ""], {"one.py", "my file.py", "inside"}),
    (["-s", "o"], {"one.py"}),
    (["-vs", "o"], {"one.py"}),
    (["--owner", "roo"], {"root"}),
    ([""], {"serve", "rare"}),
    (["--colour", "red", "s"], {"serve"}),
    (["serve", "--q"], {"--quiet"}),
    (["sv", "--port", "1", "--q"], {"--quiet"}),
    (["serve", ""], {"inside"}),
    (["serve", "x", ""], set()),
    (["rare", "inner", "--po"], {"--port"}),
    (["unknown", "--nothing", "--al"], {"--albatros"}),
    (["--", "-"], set()),
]


def plain(found: list[str]) -> set[str]:
    return {name.rstrip("/").replace("\\", "") for name in found}


@needs("bash")
def test_bash(folder: Path) -> None:
    answers = in_bash(folder, *(words for words, _ in OFFERED))
    for (words, expected), found in zip(OFFERED, answers, strict=True):
        assert plain(found) == expected, words


@needs("bash")
def test_bash_cuts_at_equals_signs(folder: Path) -> None:
    answers = in_bash(
        folder,
        ["--colour", "=", "g"],
        ["--colour", "="],
        ["--colour", "=", "red", "--fo"],
        ["--script", "=", "o"],
    )
    assert [plain(found) for found in answers] == [
        {"green", "gr'ey"}, {"red", "green", "gr'ey"}, {"--fokker"}, {"one.py"}
    ]  # fmt: skip


@needs("fish")
def test_fish(folder: Path) -> None:
    # What is offered is found as for bash: here every kind of it counts.
    offered = [case for case in OFFERED if "-" not in case[0][-1]] + OFFERED[:1]
    answers = in_fish(folder, *(words for words, _ in offered))
    for (words, expected), found in zip(offered, answers, strict=True):
        assert plain(found) == expected, words


@needs("fish")
def test_fish_shows_descriptions_and_takes_equals_signs(folder: Path) -> None:
    script = (
        "fly-tool --_shell-completion fish | source\n"
        "complete -C 'fly-tool --fo'; complete -C 'fly-tool --colour=gree'"
    )
    assert run(folder, ["fish", "--no-config", "-c", script]).splitlines() == [
        "--fokker\tFly a [Fokker]: it's red.",
        "--colour=green",
    ]


class Zsh:
    """A zsh at a terminal: what a line becomes when the tabulator is typed behind it."""

    def __init__(self, folder: Path) -> None:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], environment(folder))
        self._seen = b""
        self._write(
            "PROMPT='>>'; unsetopt beep zle_bracketed_paste; bindkey -e\n"
            "autoload -U compinit; compinit -u -D; zstyle ':completion:*' list-prompt ''\n"
            'eval "$(fly-tool --_shell-completion zsh)"\n'
            "show() { zle -I; print -r -- \"::$BUFFER::\"; BUFFER=''; }; zle -N show; "
            "bindkey '^X' show; echo rea''dy\n"
        )
        self._until(b"ready\r\n")

    def _write(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _until(self, end: bytes) -> bytes:
        deadline = time.monotonic() + 40
        while end not in self._seen:
            left = deadline - time.monotonic()
            assert left > 0, self._seen
            if select.select([self._terminal], [], [], left)[0]:
                self._seen += os.read(self._terminal, 4096)
        found, _, self._seen = self._seen.partition(end)
        return found

    def complete(self, line: str) -> str:
        self._write(line + "\t\x18")
        self._until(b"::")
        return self._until(b"::").decode().replace("\r", "")

    def close(self) -> None:
        os.close(self._terminal)
        os.waitpid(self._pid, 0)


@needs("zsh")
def test_zsh(folder: Path) -> None:
    zsh = Zsh(folder)
    try:
        for typed, completed in [
            ("fly-tool --fo", "fly-tool --fokker "),
            ("fly-tool --fokker --al", "fly-tool --fokker --al"),
            ("fly-tool --verbose --verb", "fly-tool --verbose --verbose "),
            ("fly-tool --colour gree", "fly-tool --colour green "),
            ("fly-tool --colour=gree", "fly-tool --colour=green "),
            ("fly-tool --script on", "fly-tool --script one.py "),
            ("fly-tool -v se", "fly-tool -v serve "),
            ("fly-tool serve --qu", "fly-tool serve --quiet "),
            ("fly-tool serve ins", "fly-tool serve inside/"),
            ("fly-tool rare inner --po", "fly-tool rare inner --port="),
        ]:
            assert zsh.complete(typed) == completed
    finally:
        zsh.close()


def test_the_program_runs_as_before(folder: Path) -> None:
    assert run(folder, [str(folder / "fly-tool"), "--fokker", "serve"]) == "ran\n"


# Without a shell.


class Small(usage.Options):
    optFlags = [["flag", "f", "A flag: it's [it]"]]
    optParameters = [["param", "p", None, "A [param]"]]
    compData = usage.Completions(multiUse=["flag"])

    def opt_silly(self) -> None:
        """ """


class Derived(Small):
    compData = usage.Completions(
        descriptions={"param": "Another: param"},
        extraActions=[usage.CompleteHostnames(repeat=True)],
    )


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Ask a class of options in this program."""
    monkeypatch.setattr(sys, "argv", ["/bin/small"])

    def asking(options: usage.Options, *words: str, file: Any = None) -> str:
        answer: Any = io.StringIO() if file is None else file
        options._shellCompFile = answer
        with pytest.raises(SystemExit) as caught:
            options.parseOptions(words)
        assert caught.value.code == 0
        value = answer.getvalue()
        return value if isinstance(value, str) else value.decode()

    return asking


def test_the_code_for_zsh(ask: Callable[..., str]) -> None:
    code = ask(Derived(), "", "--_shell-completion", "zsh:2")
    assert code.splitlines() == [
        "#compdef small",
        "_arguments -s -A '-*' \\",
        "'*::_hosts' \\",
        "'*-f[A flag: it'\"'\"'s \\[it\\]]' \\",
        "'*--flag[A flag: it'\"'\"'s \\[it\\]]' \\",
        "'--help[Display this help and exit.]' \\",
        "'(--param)-p[Another: param]:param:_files' \\",
        "'(-p)--param=[Another: param]:param:_files' \\",
        "'--silly[silly]' \\",
        "'--version[Display the version and exit.]' \\",
        "&& return 0",
    ]


def test_the_answer_may_be_bytes(ask: Callable[..., str]) -> None:
    words = ("--fl", "--_shell-completion", "bash:2")
    assert ask(Small(), *words, file=io.BytesIO()) == ask(Small(), *words) == "COMPREPLY=(--flag)\n"


@pytest.mark.parametrize("shell", ["bash:3", "fish:3", "zsh:3"])
def test_the_word_may_be_missing(ask: Callable[..., str], shell: str) -> None:
    """A shell need not give the word that is not begun."""
    ask(Derived(), "--flag", "--_shell-completion", shell)


@pytest.mark.parametrize("shell", _completion.SHELLS)
def test_what_makes_a_shell_ask(ask: Callable[..., str], shell: str) -> None:
    assert f"--_shell-completion {shell}:" in ask(Small(), "--_shell-completion", shell).replace(
        '\\\n        "', ""
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (usage.Completions(optActions={"flagg": usage.Completer()}), "optActions .* 'flagg'"),
        (usage.Completions(mutuallyExclusive=[("flag", "x")]), "mutuallyExclusive .* 'x'"),
        (usage.Completions(multiUse=["y"]), "multiUse .* 'y'"),
        (usage.Completions(descriptions={"z": "Z"}), "descriptions .* 'z'"),
        (
            usage.Completions(extraActions=[usage.Completer(repeat=True), usage.Completer()]),
            "only the last one can be repeated",
        ),
    ],
)
def test_wrong_metadata_is_told(data: usage.Completions, text: str) -> None:
    wrong = type("Wrong", (Small,), {"compData": data})
    with pytest.raises(ValueError, match=text):
        wrong().parseOptions(["", "--_shell-completion", "zsh:2"])


def test_other_shells() -> None:
    with pytest.raises(ValueError, match="no completion for 'tcsh', but for bash, fish, zsh"):
        Small().parseOptions(["", "--_shell-completion", "tcsh:2"])


def test_interfaces_are_known(ask: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_completion, "_interfaces", lambda: ["eth0", "lo"])
    wrong = type(
        "Net",
        (Small,),
        {"compData": usage.Completions(extraActions=[usage.CompleteNetInterfaces()])},
    )
    assert ask(wrong(), "e", "--_shell-completion", "bash:2") == "COMPREPLY=(eth0)\n"


def test_nothing_of_it_is_in_the_help() -> None:
    assert "_shell-completion" not in str(Small())
    assert options_module.Options._shellCompFile is None
