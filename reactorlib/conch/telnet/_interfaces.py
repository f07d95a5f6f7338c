"""The two sides of telnet, as interfaces."""

from __future__ import annotations

from typing import Any

from reactorlib.internet.interfaces import IProtocol, ITransport

__all__ = ["ITelnetProtocol", "ITelnetTransport"]


class ITelnetProtocol(IProtocol):
    """A protocol over telnet. Commands and options are one byte each."""

    def unhandledCommand(command: bytes, argument: bytes | None) -> None:
        """
        A command came that nothing in the transport's `commandMap` handles.

        Args:
            argument: the option, for those commands that have one; or None.
        """

    def unhandledSubnegotiation(command: bytes, data: list[bytes]) -> None:
        """
        A subnegotiation came that nothing in the transport's `negotiationMap` handles.

        Args:
            command: the option it is about.
            data: the rest, byte by byte, the escapes undone.
        """

    def enableLocal(option: bytes) -> Any:
        """
        Begin to perform an option here.

        Returns:
            whether it is done. If not, it stays off and the peer is told so.
        """

    def enableRemote(option: bytes) -> Any:
        """Say whether the peer may perform an option."""

    def disableLocal(option: bytes) -> None:
        """Stop to perform an option here; it cannot be refused."""

    def disableRemote(option: bytes) -> None:
        """The peer performs an option no longer."""


class ITelnetTransport(ITransport):
    """
    A transport over telnet.

    Each of `do`, `dont`, `will` and `wont` returns a Deferred. It fires with
    True when the peer has agreed, fails with `OptionRefused` when it does not,
    with `AlreadyEnabled` or `AlreadyDisabled` when nothing is to be agreed,
    with `AlreadyNegotiating` when the peer was asked something about the option
    and has not answered, and with what the connection was lost for. Cancelling
    it takes nothing back; it only is not told.
    """

    def do(option: bytes) -> Any:
        """Ask the peer to perform an option."""

    def dont(option: bytes) -> Any:
        """Ask the peer to perform an option no longer. It cannot refuse."""

    def will(option: bytes) -> Any:
        """Offer to perform an option here."""

    def wont(option: bytes) -> Any:
        """Say that an option is no longer performed here. The peer cannot refuse."""

    def requestNegotiation(about: bytes, data: bytes) -> None:
        """
        Send a subnegotiation.

        Args:
            about: the option.
            data: what to say; it is escaped here.
        """
