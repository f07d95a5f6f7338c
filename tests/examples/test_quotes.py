"""quotes.py."""

from __future__ import annotations

from collections.abc import Callable

from ._program import EXAMPLES, Program, netcat

Start = Callable[..., Program]


def test_nc_gets_the_quote_and_is_hung_up_on(start: Start, way: str) -> None:
    program = start("quotes.py", "--port", 0, "--loop", way, "--quote", "Süß und bitter")
    address = program.read_address()
    for _ in range(2):
        assert netcat(address) == "Süß und bitter\r\n".encode()
    program.stop()


def test_nc_gets_one_of_the_fortunes(start: Start, way: str) -> None:
    fortunes = EXAMPLES / "fortunes.txt"
    program = start("quotes.py", "--port", 0, "--loop", way, "--fortunes", fortunes)
    address = program.read_address()
    got = {netcat(address).decode().replace("\r\n", "\n") for _ in range(5)}
    quotes = {quote.strip("\n") + "\n" for quote in fortunes.read_text().split("%\n")}
    assert len(quotes) == 4
    assert got <= quotes
    program.stop()
