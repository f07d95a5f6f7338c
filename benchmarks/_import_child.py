"""
Import one thing, and print what the process has taken: what `imports` measures.

Usage: python -m benchmarks._import_child MODULE...

It prints one line: 1, and the user and system seconds since the process started, and 0.
A module whose name ends in `asyncioreactor` is installed before the next.
"""

import resource
import sys
from importlib import import_module


def main(names: list[str]) -> None:
    """Import, and print."""
    for name in names:
        module = import_module(name)
        if name.endswith("asyncioreactor"):
            module.install()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(1, usage.ru_utime, usage.ru_stime, 0.0, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
