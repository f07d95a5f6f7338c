"""The options of a command line, declared in a class: `Options`."""

from reactorlib.python.usage._completers import (
    ZSH as _ZSH,  # noqa: F401
)
from reactorlib.python.usage._completers import (
    CompleteDirs,
    CompleteFiles,
    CompleteGroups,
    CompleteHostnames,
    CompleteList,
    CompleteMultiList,
    CompleteNetInterfaces,
    Completer,
    CompleteUserAtHost,
    CompleteUsernames,
    Completions,
)
from reactorlib.python.usage._help import docMakeChunks
from reactorlib.python.usage._options import (
    CoerceParameter,
    Options,
    UsageError,
    error,
    flagFunction,
    portCoerce,
)

__all__ = [
    "CoerceParameter",
    "CompleteDirs",
    "CompleteFiles",
    "CompleteGroups",
    "CompleteHostnames",
    "CompleteList",
    "CompleteMultiList",
    "CompleteNetInterfaces",
    "CompleteUserAtHost",
    "CompleteUsernames",
    "Completer",
    "Completions",
    "Options",
    "UsageError",
    "docMakeChunks",
    "error",
    "flagFunction",
    "portCoerce",
]
