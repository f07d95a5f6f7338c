"""ftp_server.py."""

from __future__ import annotations

import ftplib
import io
from collections.abc import Callable
from pathlib import Path

from reactorlib.cred.passwords import hashPassword

from ._program import LIMIT, Program

Start = Callable[..., Program]


def test_everybody_reads_and_users_write(start: Start, way: str, tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "poem").write_bytes(b"roses\n")
    (tmp_path / "homes" / "alice").mkdir(parents=True)
    (tmp_path / "users").write_bytes(b"alice:" + hashPassword("wonder", cost=4) + b"\n")
    program = start(
        *("ftp_server.py", "--port", 0, "--loop", way, "--directory", tmp_path / "public"),
        *("--homes", tmp_path / "homes", "--users", tmp_path / "users"),
    )
    host, port = program.read_address()
    got = io.BytesIO()
    with ftplib.FTP(timeout=LIMIT) as ftp:
        assert ftp.connect(host, port) == "220 Files, and no more than that."
        ftp.login()
        assert ftp.nlst() == ["poem"]
        ftp.retrbinary("RETR poem", got.write)
        assert got.getvalue() == b"roses\n"
        ftp.login("alice", "wonder")
        ftp.storbinary("STOR mine", io.BytesIO(b"violets\n"))
        ftp.rename("mine", "yours")
        assert ftp.size("yours") == 8
    assert (tmp_path / "homes" / "alice" / "yours").read_bytes() == b"violets\n"
    program.stop()
