"""
Services: what starts and stops, alone or in a tree.

A tree of them is what a program consists of. `async with service:` runs one inside
any asyncio program, and `Starlette(lifespan=service.lifespan)` inside a web
application.
"""

from __future__ import annotations

from reactorlib.application.service._application import Application, loadApplication
from reactorlib.application.service._interfaces import IService, IServiceCollection
from reactorlib.application.service._maker import IServiceMaker, ServiceMaker
from reactorlib.application.service._multi import MultiService
from reactorlib.application.service._process import IProcess, Process
from reactorlib.application.service._service import Service

__all__ = [
    "Application",
    "IProcess",
    "IService",
    "IServiceCollection",
    "IServiceMaker",
    "MultiService",
    "Process",
    "Service",
    "ServiceMaker",
    "loadApplication",
]
