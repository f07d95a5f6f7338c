"""How descriptors get from our numbers to a child's, step by step, for `os.posix_spawn`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["_getFileActions"]


def _getFileActions(
    fdState: Iterable[tuple[int, bool]],
    childToParentFD: Mapping[int, int],
    doClose: int,
    doDup2: int,
) -> list[tuple[int, ...]]:
    """
    The steps that leave a child with the descriptors of a map, and no others.

    A number that is to be filled while what it holds is still to go elsewhere has
    that moved out of the way first.

    Args:
        fdState: each open descriptor, and whether it closes by itself when the
            program starts.
        childToParentFD: which of ours each of the child's is to be.
        doClose: what `(doClose, fd)` begins with.
        doDup2: what `(doDup2, from, to)` begins with.
    """
    closes_itself = dict(fdState)
    taken = {*closes_itself, *childToParentFD, *childToParentFD.values()}
    steps: list[tuple[int, ...]] = []
    #: Where to find what has been moved out of the way.
    moved: dict[int, int] = {}

    def free_number() -> int:
        number = 0
        while number in taken:
            number += 1
        taken.add(number)
        return number

    todo = sorted(childToParentFD.items())
    for done, (child, ours) in enumerate(todo, 1):
        if child == ours:
            if closes_itself.get(child, False):
                # Only what is copied to another number stays open.
                spare = free_number()
                steps += [(doDup2, child, spare), (doDup2, spare, child), (doClose, spare)]
            continue
        if any(source == child for _, source in todo[done:]):
            moved[child] = free_number()
            steps.append((doDup2, child, moved[child]))
        steps.append((doDup2, moved.get(ours, ours), child))
        if ours in moved and all(source != ours for _, source in todo[done:]):
            steps.append((doClose, moved[ours]))
    for fd, closes in closes_itself.items():
        if not (closes or fd in childToParentFD):
            steps.append((doClose, fd))
    return steps
