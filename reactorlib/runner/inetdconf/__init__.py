"""
The files that an inetd is configured by: inetd.conf, and the names in /etc/services.

A line of inetd.conf describes a service, in at least six fields:

    service  socket-type  protocol  wait|nowait[.max]  user[:group]  program  arguments...

as in inetd(8). Fields are separated by blanks; one with blanks in it is put between
quotes. A comment begins with "#", at the beginning of a field.
"""

from __future__ import annotations

from reactorlib.runner.inetdconf._errors import (
    InvalidConfError,
    InvalidInetdConfError,
    InvalidProtocolsConfError,
    InvalidServicesConfError,
    UnknownService,
)
from reactorlib.runner.inetdconf._files import ProtocolsConf, ServicesConf, SimpleConfFile
from reactorlib.runner.inetdconf._inetd import InetdConf, InetdService

__all__ = [
    "InetdConf",
    "InetdService",
    "InvalidConfError",
    "InvalidInetdConfError",
    "InvalidProtocolsConfError",
    "InvalidServicesConfError",
    "ProtocolsConf",
    "ServicesConf",
    "SimpleConfFile",
    "UnknownService",
]
