"""Versions of packages, which can be compared."""

from __future__ import annotations

import functools
import warnings
from typing import Any, Literal

__all__ = ["IncomparableVersions", "Version", "getVersionString"]

_INFINITE = float("inf")


class IncomparableVersions(TypeError):
    """Our caller compares versions of different packages."""


@functools.total_ordering
class Version:
    """
    A version of a package.

    Versions of one package can be compared; the package's name counts without
    its case. A release candidate comes before its release, a development
    release before what it leads to, and a post release after what it corrects.

    Args:
        package: the package's name.
        major, minor, micro: the release. "NEXT" with two zeros is the one after
            all others.
        release_candidate, post, dev: their numbers, or None.
        prerelease: deprecated: the same as `release_candidate`.

    Raises:
        ValueError: "NEXT" has other numbers beside it, or there are both a
            release candidate and a prerelease.
    """

    def __init__(
        self,
        package: str,
        major: Literal["NEXT"] | int,
        minor: int,
        micro: int,
        release_candidate: int | None = None,
        prerelease: int | None = None,
        post: int | None = None,
        dev: int | None = None,
    ) -> None:
        if prerelease is not None:
            if release_candidate is not None:
                raise ValueError("there may be a release candidate or a prerelease, and not both")
            warnings.warn(
                "The argument prerelease of Version is deprecated: pass release_candidate.",
                DeprecationWarning,
                stacklevel=2,
            )
            release_candidate = prerelease
        if major == "NEXT" and (
            minor or micro or any(n is not None for n in (release_candidate, post, dev))
        ):
            raise ValueError("with NEXT, all other numbers have to be 0")
        self.package = package
        self.major = major
        self.minor = minor
        self.micro = micro
        self.release_candidate = release_candidate
        self.post = post
        self.dev = dev

    @property
    def prerelease(self) -> int | None:
        """Deprecated: the same as `release_candidate`."""
        return self.release_candidate

    def public(self) -> str:
        """The version alone, as PEP 440 writes it: "1.2.3rc1"."""
        if self.major == "NEXT":
            return "NEXT"
        text = f"{self.major}.{self.minor}.{self.micro}"
        if self.release_candidate is not None:
            text += f"rc{self.release_candidate}"
        if self.post is not None:
            text += f".post{self.post}"
        if self.dev is not None:
            text += f".dev{self.dev}"
        return text

    base = short = local = public

    def __repr__(self) -> str:
        numbers = [repr(self.major), str(self.minor), str(self.micro)]
        for name in ("release_candidate", "post", "dev"):
            value = getattr(self, name)
            if value is not None:
                numbers.append(f"{name}={value}")
        return f"{type(self).__name__}({self.package!r}, {', '.join(numbers)})"

    def __str__(self) -> str:
        return f"[{self.package}, version {self.public()}]"

    # Equality of different packages raises, which no dictionary could bear.
    __hash__ = None  # type: ignore[assignment]

    def _key(self) -> tuple[float, ...]:
        def or_else(value: int | None, other: float) -> float:
            return other if value is None else value

        major = _INFINITE if self.major == "NEXT" else self.major
        return (
            float(major),
            self.minor,
            self.micro,
            or_else(self.release_candidate, _INFINITE),
            or_else(self.post, -1),
            or_else(self.dev, _INFINITE),
        )

    def __cmp__(self, other: object) -> int:
        """
        -1, 0 or 1, as this comes before the other, is the same, or comes after.

        Raises:
            IncomparableVersions: they are of different packages.
        """
        if not isinstance(other, Version):
            return NotImplemented  # type: ignore[no-any-return]
        if self.package.lower() != other.package.lower():
            raise IncomparableVersions(f"{self.package!r} != {other.package!r}")
        mine, theirs = self._key(), other._key()
        return (mine > theirs) - (mine < theirs)

    def __eq__(self, other: object) -> bool:
        order: Any = self.__cmp__(other)
        return order if order is NotImplemented else order == 0

    def __lt__(self, other: object) -> bool:
        order: Any = self.__cmp__(other)
        return order if order is NotImplemented else order < 0


def getVersionString(version: Version) -> str:
    """The package and its version: "reactorlib 1.2.3"."""
    return f"{version.package} {version.public()}"
