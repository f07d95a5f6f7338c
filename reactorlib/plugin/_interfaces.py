"""What plugins provide, and what an interface says of its plugins."""

from __future__ import annotations

import logging
from typing import Any

from zope.interface import Interface

__all__ = ["GROUP", "LISTED", "IPlugin", "complain", "group_of", "identifiers", "listed_by"]

_log = logging.getLogger("reactorlib.plugin")

#: The tag of an interface that names the group of its entry points:
#: `IQuoter.setTaggedValue(GROUP, "quotes.quoters")`. Without it the group is the
#: full name of the interface.
GROUP = "reactorlib.plugin.group"

#: The tag of an interface whose plugins are listed without importing them. Its value
#: maps each attribute that is needed for that, which is a string, to what it is for
#: an entry point: "name", or "summary" for the summary of the distribution.
LISTED = "reactorlib.plugin.listed"


class IPlugin(Interface):
    """What all plugins provide."""


def identifiers(specification: Any) -> list[str]:
    """The full names of all the interfaces in a specification, inherited ones too."""
    found = [interface.__identifier__ for interface in specification.flattened()]
    return [name for name in found if name != Interface.__identifier__]


def group_of(interface: Any) -> str:
    """The group of the entry points that give plugins of an interface."""
    group: str = interface.queryTaggedValue(GROUP) or interface.__identifier__
    return group


def listed_by(interface: Any) -> dict[str, str]:
    """The attributes that plugins of an interface are listed with."""
    listed: dict[str, str] = interface.queryTaggedValue(LISTED) or {}
    return listed


_complaints: set[object] = set()


def complain(key: object, message: str, *arguments: object, level: int = logging.ERROR) -> None:
    """Log what is wrong with a plugin, once, with the error that is being handled."""
    if key not in _complaints:
        _complaints.add(key)
        _log.log(level, message, *arguments, exc_info=level >= logging.ERROR)
