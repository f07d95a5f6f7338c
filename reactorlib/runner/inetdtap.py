"""An inetd: programs, and the small services of early networks, as an inetd.conf says."""

from __future__ import annotations

import warnings
from typing import Any

from reactorlib.application.internet import TCPServer, UDPServer, UNIXServer
from reactorlib.application.service import MultiService
from reactorlib.internet.protocol import Factory
from reactorlib.python import usage
from reactorlib.runner._programs import identity
from reactorlib.runner.inetd import (
    DatagramService,
    InetdServer,
    internalDatagrams,
    internalProtocols,
)
from reactorlib.runner.inetdconf import (
    InetdConf,
    InetdService,
    InvalidConfError,
    InvalidInetdConfError,
    ProtocolsConf,
    ServicesConf,
    SimpleConfFile,
)

__all__ = ["Options", "makeService"]

# They need not be there, as they are not in a container: ports have numbers, too.
_DEFAULTS = {"services": "/etc/services", "protocols": "/etc/protocols"}


class Options(usage.Options):
    """Which inetd.conf, and what of it."""

    synopsis = "[inetd options]"

    optParameters = [  # noqa: RUF012
        ["rpc", "r", None, "DEPRECATED. RPC procedure table file: RPC is not served"],
        ["file", "f", "/etc/inetd.conf", "Service configuration file"],
        ["services", None, _DEFAULTS["services"], "File with the ports of services"],
        ["protocols", None, _DEFAULTS["protocols"], "File with the names of protocols"],
    ]

    optFlags = [  # noqa: RUF012
        ["nointernal", "i", "Don't run internal services"],
        [
            "listener",
            "l",
            "Give the program of a stream service that waits the listening socket, as "
            "inetd(8) does, and not one connection after another",
        ],
    ]

    compData = usage.Completions(
        optActions={
            "rpc": usage.CompleteFiles("*"),
            "file": usage.CompleteFiles("*.conf"),
            "services": usage.CompleteFiles("*"),
            "protocols": usage.CompleteFiles("*"),
        }
    )

    longdesc = """\
Runs programs for connections and datagrams, as an inetd.conf says. With a line

8123 stream tcp wait some_user /bin/cat -

port 8123 echoes what is sent there."""

    conf: InetdConf | None = None

    def postOptions(self) -> None:
        """Read the files."""
        if self["rpc"] is not None:
            warnings.warn("--rpc is deprecated, and changes nothing", DeprecationWarning, 2)
        self.conf = _read(self)


def _read(config: Any) -> InetdConf:
    """
    What the files say that the command line names.

    Raises:
        UsageError: one cannot be read, or breaks a rule.
    """
    try:
        services, protocols = ServicesConf(), ProtocolsConf()
        readers: dict[str, SimpleConfFile] = {"services": services, "protocols": protocols}
        for name, reader in readers.items():
            reader.defaultFilename = config[name]
            try:
                reader.parseFile()
            except FileNotFoundError:
                if config[name] != _DEFAULTS[name]:
                    raise
        conf = InetdConf(services.services)
        conf.protocols = protocols.protocols
        conf.defaultFilename = config["file"]
        conf.parseFile()
        for service in conf.services:
            _check(service)
    except OSError as why:
        raise usage.UsageError(f"{why.filename} cannot be read: {why.strerror}") from why
    except InvalidConfError as why:
        raise usage.UsageError(str(why)) from why
    return conf


def _check(service: InetdService) -> None:
    table: Any = internalProtocols if service.socketType == "stream" else internalDatagrams
    if not service.internal:
        identity(service)
    elif service.protocol == "unix" and service.socketType == "dgram":
        raise InvalidInetdConfError(f"{service}: internal services have no UNIX datagrams")
    elif service.name not in table:
        raise InvalidInetdConfError(
            f"{service}: there is no such internal service: {', '.join(table)} are"
        )


def makeService(config: Any) -> MultiService:
    """
    A service for each line of the inetd.conf.

    Args:
        config: what the command line has said.

    Raises:
        UsageError: the inetd.conf cannot be read, or breaks a rule.
    """
    conf = getattr(config, "conf", None)
    if conf is None:
        conf = _read(config)
    parent = MultiService()
    for service in conf.services:
        if not service.internal:
            InetdServer(service, bool(config["listener"])).setServiceParent(parent)
        elif not config["nointernal"]:
            _internal(service).setServiceParent(parent)
    return parent


def _internal(service: InetdService) -> Any:
    address = service.address or ("::" if service.protocol.endswith("6") else "")
    if service.socketType == "dgram":
        return UDPServer(service.port, DatagramService(service.name), interface=address)
    factory: Factory[Any] = Factory()
    factory.protocol = internalProtocols[service.name]
    if service.protocol == "unix":
        return UNIXServer(service.port, factory, wantPID=True)
    return TCPServer(service.port, factory, interface=address)
