"""What system, and which Python, this is."""

from __future__ import annotations

import os
import sys
import time
import warnings

__all__ = [
    "Platform",
    "knownPlatforms",
    "platform",
    "platformType",
    "seconds",
    "shortPythonVersion",
]

#: Seconds since the epoch, as a float.
seconds = time.time

#: What `Platform.getType()` answers for each `os.name`.
knownPlatforms = {"nt": "win32", "ce": "win32", "posix": "posix", "java": "java"}


def shortPythonVersion() -> str:
    """The version of this Python as `major.minor.micro`."""
    return ".".join(map(str, sys.version_info[:3]))


class Platform:
    """
    Facts about a system, by default this one.

    Args:
        name: its `os.name`.
        platform: its `sys.platform`.
    """

    type: str | None = knownPlatforms.get(os.name)
    seconds = staticmethod(seconds)
    _platform = sys.platform

    def __init__(self, name: str | None = None, platform: str | None = None) -> None:
        if name is not None:
            self.type = knownPlatforms.get(name)
        if platform is not None:
            self._platform = platform

    def isKnown(self) -> bool:
        """Whether `getType` has an answer."""
        return self.type is not None

    def getType(self) -> str | None:
        """The family: "posix", "win32", "java", or None for another one."""
        return self.type

    def isMacOSX(self) -> bool:
        """Whether it is macOS."""
        return self._platform == "darwin"

    def isLinux(self) -> bool:
        """Whether it is Linux."""
        return self._platform.startswith("linux")

    def isWindows(self) -> bool:
        """Whether it is Windows."""
        return self.getType() == "win32"

    def isWinNT(self) -> bool:
        """Deprecated: the same as `isWindows`."""
        warnings.warn(
            f"{__name__}.Platform.isWinNT was deprecated in Twisted 13.0. "
            "Use Platform.isWindows instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.isWindows()

    def isVista(self) -> bool:
        """Whether it is Windows Vista (or Server 2008), and nothing later."""
        version = getattr(sys, "getwindowsversion", None)
        return version is not None and self.isWindows() and tuple(version()[:2]) == (6, 0)

    def isDocker(self, _initCGroupLocation: str = "/proc/1/cgroup") -> bool:
        """Whether the first process seems to run in a Docker container, by its control groups."""
        if not self.isLinux():
            return False
        try:
            with open(_initCGroupLocation, encoding="utf-8", errors="replace") as groups:
                # Each line is "hierarchy:controllers:path"; see cgroups(7).
                return any(line.rpartition(":")[2].startswith("/docker/") for line in groups)
        except OSError:
            return False

    def supportsThreads(self) -> bool:
        """Whether there are threads: always, in the Pythons that this runs on."""
        return True

    def supportsINotify(self) -> bool:
        """Whether files can be watched with Linux's inotify here."""
        if not self.isLinux():
            return False
        import importlib.util

        return importlib.util.find_spec("asyncinotify") is not None

    def _supports_symlinks(self) -> bool:
        """Whether any user may make a symbolic link."""
        return not self.isWindows() and hasattr(os, "symlink")

    _supportsSymlinks = _supports_symlinks


#: This system.
platform = Platform()
#: `platform.getType()`.
platformType = platform.getType()
