"""Files that are there whole, or as they were before."""

from __future__ import annotations

import os
import tempfile

__all__ = ["write_whole"]


def write_whole(filename: str, data: bytes) -> None:
    """
    Write a file, for its owner only, in place of the one that is there.

    Whatever goes wrong, the old file is there untouched, and no part of the new one.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = os.path.split(os.path.realpath(filename))
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)  # mode 0600
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, os.path.join(folder, name))
    except BaseException:
        os.unlink(temporary)
        raise
