"""Running a reactor under a profiler."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = ["AppProfiler", "CProfileRunner", "ProfileRunner"]

_log = logging.getLogger("reactorlib.application.app")


class ProfileRunner:
    """
    Runs a reactor under the standard library's `profile`.

    Args:
        profileOutput: the file for what was found.
        saveStats: whether to save it as `pstats` reads it, and not as text.
    """

    _module = "profile"

    def __init__(self, profileOutput: str, saveStats: Any) -> None:
        self.profileOutput = profileOutput
        self.saveStats = saveStats

    def run(self, reactor: Any) -> None:
        """
        Run the reactor, and write what was found when it has stopped.

        Raises:
            SystemExit: there is no such profiler in this Python.
        """
        try:
            profiler: Any = __import__(self._module).Profile()
        except ImportError as error:
            _log.error("Failed to import module %s: %s", self._module, error)
            raise SystemExit(f"Failed to import module {self._module}: {error}") from error
        try:
            profiler.runcall(reactor.run)
        finally:
            if self.saveStats:
                profiler.dump_stats(self.profileOutput)
            else:
                with (
                    open(self.profileOutput, "w", encoding="utf-8") as file,
                    contextlib.redirect_stdout(file),
                ):
                    profiler.print_stats()


class CProfileRunner(ProfileRunner):
    """Runs a reactor under `cProfile`, which slows it down less."""

    _module = "cProfile"


class AppProfiler:
    """
    The profiler that the options name.

    Args:
        options: a mapping with "profiler", "profile" (the file) and "savestats".

    Attributes:
        profilers: by name, what runs a reactor under each.
        run: runs a reactor under it.

    Raises:
        SystemExit: there is no profiler of that name.
    """

    profilers: ClassVar[Mapping[str, type[ProfileRunner]]] = {
        "profile": ProfileRunner,
        "cprofile": CProfileRunner,
    }

    def __init__(self, options: Any) -> None:
        name = options.get("profiler", None) or "cprofile"
        self.saveStats = options.get("savestats", False)
        self.profileOutput = options.get("profile", None)
        self.profiler: str = name.lower()
        if self.profiler not in self.profilers:
            raise SystemExit(f"Unsupported profiler name: {name}")
        self.run = self.profilers[self.profiler](self.profileOutput, self.saveStats).run
