"""
Files and directories as objects.

A `FilePath` is a path that never leads out of itself: `child` takes one name,
and `preauthChild` a relative path, and neither can reach above or beside.
"""

from reactorlib.python.filepath._abstract import AbstractFilePath, IFilePath
from reactorlib.python.filepath._model import (
    RWX,
    FileMode,
    InsecurePath,
    LinkError,
    OtherAnyStr,
    Permissions,
    UnlistableError,
)
from reactorlib.python.filepath._path import FilePath
from reactorlib.python.filepath._path import (
    as_type_of as _coerceToFilesystemEncoding,  # noqa: F401
)

__all__ = [
    "RWX",
    "AbstractFilePath",
    "FileMode",
    "FilePath",
    "IFilePath",
    "InsecurePath",
    "LinkError",
    "OtherAnyStr",
    "Permissions",
    "UnlistableError",
]
