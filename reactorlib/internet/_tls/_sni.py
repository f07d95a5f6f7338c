"""Several certificates at one port, by the host name that the client asks for."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

from reactorlib.internet._tls._client import ascii_host
from reactorlib.internet._tls._options import CertificateOptions, NameCallback, switch
from reactorlib.internet._tls._settings import settings_for

__all__ = ["SNIOptions", "pattern"]


class SNIOptions:
    """
    The settings of a server with certificates for several host names.

    The client says which name it wants (SNI) and is shown that one's certificate.
    Everything else - versions, ciphers, whether clients need a certificate - is
    `default`'s, for all names.

    Args:
        names: the settings for each name: CertificateOptions, or anything else
            that can be. `*.example.com` stands for every name with one more label;
            a name itself goes before that.
        default: the settings for clients that ask for no name, or another one. Without
            it, they are refused. An `ssl.SSLContext` gets a `sni_callback`.

    Raises:
        ValueError: something in `names` cannot be a host name; or, when it is used, the
            default chooses certificates by name already.
    """

    def __init__(self, names: Mapping[str, Any], default: Any = None) -> None:
        self._names = {pattern(name): settings for name, settings in names.items()}
        self._refuses = default is None
        self._default = CertificateOptions() if default is None else default
        self._callbacks: dict[tuple[bytes, ...], NameCallback] = {}

    def getContext(self) -> ssl.SSLContext:
        """The settings as an `ssl.SSLContext`, for servers."""
        return self._settings_for(False)[0]

    def _settings_for(
        self, is_client: bool, protocols: Iterable[bytes] = (), on_name: NameCallback | None = None
    ) -> tuple[ssl.SSLContext, str | None]:
        if is_client:
            raise ValueError("SNIOptions is for servers: a client uses optionsForClientTLS()")
        offered = tuple(protocols)
        callback = self._callbacks.get(offered)
        if callback is None:
            callback = self._callbacks[offered] = functools.partial(self._chosen, offered)
        context, _ = settings_for(self._default, False, protocols=offered, on_name=callback)
        if context.sni_callback is None:
            context.sni_callback = callback
        elif context.sni_callback is not callback:
            raise ValueError(
                f"{self._default!r} chooses certificates by server name already: it cannot be the "
                "default of SNIOptions"
            )
        return context, None

    def _chosen(
        self,
        protocols: tuple[bytes, ...],
        connection: ssl.SSLObject,
        name: str | None,
        context: ssl.SSLContext,
    ) -> int | None:
        settings = None if name is None else self._find(name)
        if settings is not None:
            return switch(
                lambda _: settings_for(settings, False, protocols=protocols)[0],
                connection,
                name,
                context,
            )
        if self._refuses:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        return None

    def _find(self, name: str) -> Any:
        name = name.lower()
        if (settings := self._names.get(name)) is None:
            settings = self._names.get("*." + name.partition(".")[2])
        return settings


def pattern(name: str) -> str:
    """
    A name of `SNIOptions` as it is compared.

    Raises:
        ValueError: it cannot be a host name.
    """
    star, name = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    return star + ascii_host(name).lower()
