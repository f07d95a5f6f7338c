"""saved_quotes.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ._program import Program, netcat

Start = Callable[..., Program]


@pytest.mark.parametrize("ending", ["tap", "tax", "tas"])
def test_what_one_program_saves_another_runs(start: Start, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"quotes.{ending}"
    saving = start("saved_quotes.py", "save", file, "--port", 0, "--quote", "Eat apples.")
    assert (saving.finish(), saving.status, saving.stderr) == ("", 0, "")
    program = start("saved_quotes.py", "run", file)
    address = program.read_address()
    assert netcat(address) == b"Eat apples.\r\n"
    program.stop()


def test_what_others_can_write_is_one_clear_line(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "quotes.tas"
    start("saved_quotes.py", "save", file).finish()
    file.chmod(0o666)
    program = start("saved_quotes.py", "run", file)
    assert program.finish() == ""
    assert program.status == 1
    assert program.stderr == (
        f"saved_quotes.py: {file}: refused: everybody can write it, "
        f"and so may have changed it: chmod go-w {file}\n"
    )


def test_a_saved_file_can_be_edited(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "quotes.tas"
    start("saved_quotes.py", "save", file, "--port", 0).finish()
    file.write_text(file.read_text().replace("Make haste slowly.", "Haste makes waste."))
    program = start("saved_quotes.py", "run", file)
    assert netcat(program.read_address()) == b"Haste makes waste.\r\n"
    program.stop()
    file.write_text(file.read_text().replace("'Haste", "print('ran') or 'Haste"))
    program = start("saved_quotes.py", "run", file)
    assert program.finish() == ""
    assert "is code, and a .tas file holds data: nothing was run" in program.stderr
