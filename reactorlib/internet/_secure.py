"""What a connection can say once it is encrypted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import asyncio

    from reactorlib.internet.ssl import Certificate

__all__ = ["Secure"]


class Secure:
    """Mix-in: the encrypted form of a connection."""

    __slots__ = ()

    TLS: ClassVar[bool] = True

    if TYPE_CHECKING:
        _transport: asyncio.Transport

    def startTLS(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: it is encrypted already."""
        raise RuntimeError("this connection is encrypted already; startTLS() is called once")

    @property
    def _ssl_object(self) -> Any:
        return self._transport.get_extra_info("ssl_object")

    def getHandle(self) -> Any:
        """The `ssl.SSLObject`, or what the loop has in its place, to look at."""
        return self._ssl_object

    def getPeerCertificate(self) -> Certificate | None:
        """The certificate that the peer has shown; None if there is none, or not yet."""
        from reactorlib.internet.ssl import Certificate

        try:
            shown = self._ssl_object.getpeercert(binary_form=True)
        except ValueError:
            return None  # the handshake is not done
        return None if shown is None else Certificate(shown)

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """What both sides have agreed to speak (ALPN); None if nothing, or not yet."""
        name = self._ssl_object.selected_alpn_protocol()
        return None if name is None else name.encode("ascii")
