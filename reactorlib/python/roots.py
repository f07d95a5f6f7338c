"""A tree of named things, of which some are there and others are made when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reactorlib.python.reflect import qual

__all__ = [
    "Collection",
    "Constrained",
    "ConstraintViolation",
    "Entity",
    "Homogenous",
    "Locked",
    "NotSupportedError",
    "Request",
]


class NotSupportedError(NotImplementedError):
    """Our caller asks for a change that this tree does not allow."""


class ConstraintViolation(Exception):
    """Our caller adds what may not be in a collection."""


class Request:
    """What is asked of an entity, and where the answer goes. For subclasses."""

    wireProtocol: Any = None

    def write(self, data: Any) -> None:
        """Add to the answer."""
        raise NotImplementedError(f"{qual(type(self))}.write")

    def finish(self) -> None:
        """The answer is whole."""
        raise NotImplementedError(f"{qual(type(self))}.finish")


class Entity:
    """A leaf of the tree. For subclasses."""

    def render(self, request: Request) -> Any:
        """Answer by `request.write` and `request.finish`."""
        raise NotImplementedError(f"{qual(type(self))}.render")


class Collection:
    """
    Entities by their names. Subclasses add those that are made when asked for.

    Args:
        entities: what is in it.
    """

    def __init__(self, entities: dict[str, Any] | None = None) -> None:
        self.entities: dict[str, Any] = {} if entities is None else entities

    def getStaticEntity(self, name: str) -> Any:
        """What was put under the name, or None."""
        return self.entities.get(name)

    def getDynamicEntity(self, name: str, request: Any) -> Any:
        """Make what has the name, or None. For subclasses."""
        return None

    def getEntity(self, name: str, request: Any) -> Any:
        """What has the name, or None; what was put there comes first."""
        entity = self.getStaticEntity(name)
        return self.getDynamicEntity(name, request) if entity is None else entity

    def putEntity(self, name: str, entity: Any) -> None:
        """Put something under a name."""
        self.entities[name] = entity

    def delEntity(self, name: str) -> None:
        """
        Take away what was put under a name.

        Raises:
            KeyError: there was nothing.
        """
        del self.entities[name]

    def storeEntity(self, name: str, request: Any) -> None:
        """Put something under a name that a request has in it. For subclasses."""
        raise NotSupportedError(f"{qual(type(self))}.storeEntity")

    def removeEntity(self, name: str, request: Any) -> None:
        """Take away what is under a name, as a request asks. For subclasses."""
        raise NotSupportedError(f"{qual(type(self))}.removeEntity")

    def listStaticEntities(self) -> list[tuple[str, Any]]:
        """The names and what was put under them."""
        return list(self.entities.items())

    def listDynamicEntities(self, request: Any) -> Iterable[tuple[str, Any]]:
        """The names and what can be made. For subclasses."""
        return []

    def listEntities(self, request: Any) -> list[tuple[str, Any]]:
        """All names, and what is under them."""
        return [*self.listStaticEntities(), *self.listDynamicEntities(request)]

    def listStaticNames(self) -> list[str]:
        """The names under which something was put."""
        return list(self.entities)

    def listDynamicNames(self) -> Iterable[str]:
        """The names of what can be made. For subclasses."""
        return []

    def listNames(self, request: Any) -> list[str]:
        """All names."""
        return [*self.listStaticNames(), *self.listDynamicNames()]


class Constrained(Collection):
    """A collection in which not everything may be. For subclasses."""

    def nameConstraint(self, name: str) -> Any:
        """Whether the name may be in it; it may say so by `ConstraintViolation`."""
        return True

    def entityConstraint(self, entity: Any) -> Any:
        """Whether the entity may be in it; it may say so by `ConstraintViolation`."""
        return True

    def reallyPutEntity(self, name: str, entity: Any) -> None:
        """Put something under a name, whatever it is."""
        super().putEntity(name, entity)

    def putEntity(self, name: str, entity: Any) -> None:
        """
        Put something under a name.

        Raises:
            ConstraintViolation: one of the two may not be in it.
        """
        if not self.nameConstraint(name):
            raise ConstraintViolation("Name constraint violated.")
        if not self.entityConstraint(entity):
            raise ConstraintViolation("Entity constraint violated.")
        self.reallyPutEntity(name, entity)


class Locked(Constrained):
    """A collection that can be closed: then nothing is added any more."""

    locked = False

    def lock(self) -> None:
        """Close it."""
        self.locked = True

    def entityConstraint(self, entity: Any) -> bool:
        """Whether it is open."""
        return not self.locked


class Homogenous(Constrained):
    """A collection of things of one class: `entityType`."""

    entityType: type[Any] = object

    def entityConstraint(self, entity: Any) -> bool:
        """
        Whether it is of the class.

        Raises:
            ConstraintViolation: it is not.
        """
        if not isinstance(entity, self.entityType):
            raise ConstraintViolation(f"{entity!r} is not of the type {qual(self.entityType)}")
        return True

    def getNameType(self) -> str:
        """What names are called."""
        return "Name"

    def getEntityType(self) -> str:
        """What entities are called: the name of their class."""
        return self.entityType.__name__
