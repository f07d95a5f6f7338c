"""Versions of packages."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from reactorlib.python.versions import IncomparableVersions, Version, getVersionString

#: In order. A development release of the final one comes after its candidates.
ORDERED: list[tuple[Any, ...]] = [
    (1, 0, 0, 1, None, None, 0),
    (1, 0, 0, 1),
    (1, 0, 0, 2),
    (1, 0, 0, None, None, None, 1),
    (1, 0, 0),
    (1, 0, 0, None, None, 0),
    (1, 0, 0, None, None, 1, 1),
    (1, 0, 0, None, None, 1),
    (1, 0, 1),
    (1, 1, 0),
    (2, 0, 0),
    ("NEXT", 0, 0),
]


def test_order() -> None:
    versions = [Version("x", *numbers) for numbers in ORDERED]
    for (i, one), (j, other) in itertools.product(enumerate(versions), repeat=2):
        assert (one < other, one <= other) == (i < j, i <= j)
        assert (one > other, one >= other) == (i > j, i >= j)
        assert (one == other, one != other) == (i == j, i != j)


@pytest.mark.parametrize(
    ("numbers", "public", "shown"),
    [
        ((1, 2, 3), "1.2.3", "Version('x', 1, 2, 3)"),
        ((1, 2, 3, 4), "1.2.3rc4", "Version('x', 1, 2, 3, release_candidate=4)"),
        ((1, 2, 3, None, None, 4), "1.2.3.post4", "Version('x', 1, 2, 3, post=4)"),
        ((1, 2, 3, 0, None, 2, 0), "1.2.3rc0.post2.dev0", None),
        (("NEXT", 0, 0), "NEXT", "Version('x', 'NEXT', 0, 0)"),
    ],
)
def test_texts(numbers: Any, public: str, shown: str | None) -> None:
    version = Version("x", *numbers)
    assert version.public() == version.short() == version.base() == version.local() == public
    assert str(version) == f"[x, version {public}]"
    assert getVersionString(version) == f"x {public}"
    assert eval(repr(version)) == version
    if shown is not None:
        assert repr(version) == shown


def test_the_case_of_a_package_does_not_count() -> None:
    assert Version("X", 1, 2, 3) == Version("x", 1, 2, 3)


def test_versions_of_different_packages_are_not_compared() -> None:
    with pytest.raises(IncomparableVersions, match="'x' != 'y'"):
        assert Version("x", 1, 2, 3) < Version("y", 1, 2, 3)
    with pytest.raises(IncomparableVersions):
        assert Version("x", 1, 2, 3) == Version("y", 1, 2, 3)


def test_versions_and_other_things() -> None:
    assert Version("x", 1, 2, 3) != "x"
    with pytest.raises(TypeError):
        assert Version("x", 1, 2, 3) < 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(Version("x", 1, 2, 3))


def test_prerelease_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="release_candidate"):
        version = Version("x", 1, 2, 3, prerelease=4)
    assert version.release_candidate == version.prerelease == 4
    with pytest.raises(ValueError, match="not both"):
        Version("x", 1, 2, 3, release_candidate=1, prerelease=1)


def test_next_is_alone() -> None:
    with pytest.raises(ValueError, match="have to be 0"):
        Version("x", "NEXT", 1, 0)
