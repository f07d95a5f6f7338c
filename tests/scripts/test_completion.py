"""The commands that come with reactorlib are completed, each of their subcommands too."""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import Any

import pytest

from reactorlib.python import usage
from reactorlib.scripts import mktap, reactord, trial


def answer(options: Any, *words: str) -> str:
    """What a shell is told."""
    options._shellCompFile = io.StringIO()
    with pytest.raises(SystemExit):
        options.parseOptions(words)
    return str(options._shellCompFile.getvalue())


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
@pytest.mark.parametrize("command", [reactord.ReactordOptions, mktap.MktapOptions, trial.Options])
def test_what_a_shell_is_told_is_code(command: type[usage.Options], shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    names = [name for name, _, _, _ in command()._sub_commands()]
    lines = [[""], ["--"], *([name, "--"] for name in names)]
    code = "".join(
        answer(command(), *words, "--_shell-completion", f"{shell}:{len(words) + 1}")
        for words in lines
    )
    assert "--help" in code
    subprocess.run([shell, "-n"], input=code, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["qot"], "qotd"),
        (["--nod"], "--nodaemon"),
        (["qotd", "--fi"], "--file"),
        (["--nodaemon", "ftp", "--ro"], "--root"),
    ],
)
def test_the_daemon(words: list[str], found: str) -> None:
    flag = ("--_shell-completion", f"bash:{len(words) + 1}")
    assert answer(reactord.ReactordOptions(), *words, *flag) == f"COMPREPLY=({found})\n"
