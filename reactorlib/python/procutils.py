"""Where programs are."""

from __future__ import annotations

import os

__all__ = ["which"]


def which(name: str, flags: int = os.X_OK) -> list[str]:
    """
    The programs of a name, in every folder of PATH.

    On Windows, also those with one of the extensions in PATHEXT.

    Args:
        name: the program's name.
        flags: what has to be possible with the file, as of `os.access`.

    Returns:
        the full paths, in the order of PATH.
    """
    path = os.environ.get("PATH")
    if path is None:
        return []
    extensions = [end for end in os.environ.get("PATHEXT", "").split(os.pathsep) if end]
    found: list[str] = []
    for folder in path.split(os.pathsep):
        program = os.path.join(folder, name)
        for candidate in (program, *(program + extension for extension in extensions)):
            if os.access(candidate, flags) and not os.path.isdir(candidate):
                found.append(candidate)
    return found
