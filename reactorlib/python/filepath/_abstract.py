"""What every kind of path has, be it in the file system, in an archive or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any, AnyStr, Generic, TypeVar, cast

from zope.interface import Attribute, Interface

from reactorlib.python.filepath._model import (
    FileMode,
    InsecurePath,
    LinkError,
    OtherAnyStr,
    UnlistableError,
)

__all__ = ["AbstractFilePath", "IFilePath"]

_Self = TypeVar("_Self", bound="AbstractFilePath[Any]")


class IFilePath(Interface):
    """
    A file or directory, or the place where one could be.

    What was learnt about it is kept; `changed` forgets that.
    """

    sep = Attribute("What separates the segments of its path.")

    def child(name: Any) -> Any:
        """
        The path of that name below this one.

        Raises:
            InsecurePath: it would not be below.
        """

    def open(mode: Any = "r") -> Any:
        """Open it, in binary; the modes are "r", "w", "a" and those with "+"."""

    def changed() -> None:
        """Forget what is known about it."""

    def getsize() -> int:
        """Its size, in bytes."""

    def getModificationTime() -> float:
        """When its content last changed, in seconds since the epoch."""

    def getStatusChangeTime() -> float:
        """When what the system keeps about it last changed, in seconds since the epoch."""

    def getAccessTime() -> float:
        """When it was last read, in seconds since the epoch."""

    def exists() -> bool:
        """Whether it is there."""

    def isdir() -> bool:
        """Whether it is a directory."""

    def isfile() -> bool:
        """Whether it is a regular file."""

    def children() -> Any:
        """
        The paths in this directory, in no special order.

        Raises:
            UnlistableError: it cannot be listed.
        """

    def basename() -> Any:
        """The last segment."""

    def parent() -> Any:
        """The directory that it is in."""

    def sibling(name: Any) -> Any:
        """The path of that name in the same directory."""


class AbstractFilePath(Generic[AnyStr]):
    """
    The methods of a path that follow from a few others.

    A subclass has those of `IFilePath` that are not here.
    """

    path: AnyStr

    def basename(self) -> AnyStr:
        """The last segment."""
        raise NotImplementedError

    def child(self, path: OtherAnyStr) -> AbstractFilePath[OtherAnyStr]:
        """The path of that name below this one."""
        raise NotImplementedError

    def getAccessTime(self) -> float:
        """When it was last read, in seconds since the epoch."""
        raise NotImplementedError

    def getModificationTime(self) -> float:
        """When its content last changed, in seconds since the epoch."""
        raise NotImplementedError

    def getStatusChangeTime(self) -> float:
        """When its metadata last changed, in seconds since the epoch."""
        raise NotImplementedError

    def isdir(self) -> bool:
        """Whether it is a directory."""
        raise NotImplementedError

    def listdir(self) -> list[AnyStr]:
        """The names in this directory."""
        raise NotImplementedError

    def open(self, mode: FileMode = "r") -> IO[bytes]:
        """Open it, in binary."""
        raise NotImplementedError

    def parent(self) -> AbstractFilePath[AnyStr]:
        """The directory that it is in."""
        raise NotImplementedError

    def getContent(self) -> bytes:
        """All that is in the file."""
        with self.open() as file:
            return file.read()

    def parents(self) -> Iterable[AbstractFilePath[AnyStr]]:
        """The directory that it is in, the one that is in, and so on to the root."""
        path: AbstractFilePath[AnyStr] = self
        parent = path.parent()
        while path != parent:
            yield parent
            path, parent = parent, parent.parent()

    def children(self: _Self) -> Iterable[_Self]:
        """
        The paths in this directory.

        Raises:
            UnlistableError: it cannot be listed.
        """
        try:
            names = self.listdir()
        except OSError as error:
            raise UnlistableError(error) from error
        return [cast(_Self, self.child(name)) for name in names]

    def _identity(self) -> object:
        """What two ways to the same directory have in common; None if that cannot be told."""
        return None

    def walk(self: _Self, descend: Callable[[_Self], bool] | None = None) -> Iterable[_Self]:
        """
        This path and all below it, each directory before what is in it.

        Args:
            descend: told a path below, says whether what is below that is wanted.

        Raises:
            LinkError: a directory leads, by a link, to one that it is in.
        """
        yield self
        if not self.isdir():
            return
        # The directories that we are in, from the top: how each is recognised, and what is left.
        above: list[tuple[object, Iterator[_Self]]] = [(self._identity(), iter(self.children()))]
        while above:
            path = next(above[-1][1], None)
            if path is None:
                above.pop()
                continue
            if not path.isdir() or (descend is not None and not descend(path)):
                yield path
                continue
            identity = path._identity()
            if identity is not None and any(identity == seen for seen, _ in above):
                raise LinkError(f"{path!r} is a link to a directory that it is in")
            yield path
            above.append((identity, iter(path.children())))

    def sibling(self: _Self, path: OtherAnyStr) -> AbstractFilePath[OtherAnyStr]:
        """The path of that name in the same directory."""
        return self.parent().child(path)

    def descendant(self, segments: Sequence[OtherAnyStr]) -> AbstractFilePath[OtherAnyStr]:
        """
        The path several names below this one.

        Raises:
            InsecurePath: one of them would lead elsewhere.
        """
        path: AbstractFilePath[Any] = self
        for name in segments:
            path = path.child(name)
        return path

    def segmentsFrom(self: _Self, ancestor: _Self) -> list[AnyStr]:
        """
        The names that lead here: what `ancestor.descendant` takes.

        Raises:
            ValueError: this is not below `ancestor`.
        """
        segments: list[AnyStr] = []
        path: AbstractFilePath[AnyStr] = self
        parent = path.parent()
        while path != ancestor and parent != path:
            segments.append(path.basename())
            path, parent = parent, parent.parent()
        if path != ancestor or not segments:
            raise ValueError(f"{self!r} is not below {ancestor!r}")
        segments.reverse()
        return segments

    def __hash__(self) -> int:
        return hash((self.__class__, self.path))

    def getmtime(self) -> int:
        """As `getModificationTime`, in whole seconds."""
        return int(self.getModificationTime())

    def getatime(self) -> int:
        """As `getAccessTime`, in whole seconds."""
        return int(self.getAccessTime())

    def getctime(self) -> int:
        """As `getStatusChangeTime`, in whole seconds."""
        return int(self.getStatusChangeTime())


def below(outer: AnyStr, inner: AnyStr, separator: AnyStr) -> AnyStr:
    """
    The path `inner`, if it is `outer` or below it. Both are absolute and normal.

    Raises:
        InsecurePath: it is elsewhere.
    """
    stem = outer if outer.endswith(separator) else outer + separator
    if inner != outer and not inner.startswith(stem):
        raise InsecurePath(f"{inner!r} is not below {outer!r}")
    return inner
