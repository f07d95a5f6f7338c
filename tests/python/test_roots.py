"""A tree of named things."""

from __future__ import annotations

from typing import Any

import pytest

from reactorlib.python import roots


class Making(roots.Collection):
    def getDynamicEntity(self, name: str, request: Any) -> Any:
        return name.upper() if name in ("x", "y") else None

    def listDynamicEntities(self, request: Any) -> list[tuple[str, Any]]:
        return [("y", "Y")]

    def listDynamicNames(self) -> list[str]:
        return ["y"]


def test_entities_are_there_or_made() -> None:
    tree = Making()
    tree.putEntity("x", 1)
    assert [tree.getEntity(name, None) for name in "xyz"] == [1, "Y", None]
    assert tree.listEntities(None) == [("x", 1), ("y", "Y")]
    assert tree.listNames(None) == ["x", "y"]
    tree.delEntity("x")
    assert tree.getEntity("x", None) == "X"
    with pytest.raises(KeyError):
        tree.delEntity("x")


def test_what_is_not_supported_says_so() -> None:
    tree = roots.Collection({"x": 1})
    for change in (tree.storeEntity, tree.removeEntity):
        with pytest.raises(roots.NotSupportedError, match=r"roots\.Collection\."):
            change("x", None)
    for call in (
        lambda: roots.Request().write(b""),
        lambda: roots.Request().finish(),
        lambda: roots.Entity().render(roots.Request()),
    ):
        with pytest.raises(NotImplementedError, match=r"reactorlib\.python\.roots\."):
            call()


def test_constraints() -> None:
    class OnlyX(roots.Constrained):
        def nameConstraint(self, name: str) -> bool:
            return name == "x"

    tree = OnlyX()
    tree.putEntity("x", 1)
    with pytest.raises(roots.ConstraintViolation, match="Name"):
        tree.putEntity("y", 1)
    assert tree.listStaticEntities() == [("x", 1)]


def test_a_closed_collection() -> None:
    tree = roots.Locked()
    tree.putEntity("x", 1)
    tree.lock()
    with pytest.raises(roots.ConstraintViolation, match="Entity"):
        tree.putEntity("y", 1)


def test_things_of_one_class() -> None:
    tree = roots.Homogenous()
    tree.entityType = int
    tree.putEntity("x", 1)
    with pytest.raises(roots.ConstraintViolation, match=r"builtins\.int"):
        tree.putEntity("y", "1")
    assert (tree.getNameType(), tree.getEntityType()) == ("Name", "int")
