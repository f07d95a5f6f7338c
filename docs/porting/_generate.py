"""
Write names.md, the list of Twisted's public names and of what there is of each here.

    python docs/porting/_generate.py           write the page
    python docs/porting/_generate.py --check   say, by the status, whether it is as it should be

It needs Twisted beside reactorlib, each in a process of its own. Names are what `__all__`
of a module says, or else what it has that is Twisted's and does not begin with an underscore;
members and arguments are those that `dir()` and `inspect.signature()` tell of.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import textwrap
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

PAGE = Path(__file__).resolve().parent / "names.md"
ROOT = PAGE.parent.parent.parent

#: Constants of the standard library that modules import by name.
STANDARD = ("errno", "os", "signal", "socket", "stat", "struct", "ssl")

Described = dict[str, Any]


# -- looking at a library -----------------------------------------------------------


def modules_of(root: str) -> Iterator[str]:
    """The public modules, without tests, plugins and what only starts programs."""
    package = importlib.import_module(root)
    yield root
    for module in pkgutil.walk_packages(package.__path__, f"{root}.", onerror=lambda name: None):
        parts = module.name.split(".")[1:]
        hidden = any(part.startswith("_") or part == "newsfragments" for part in parts)
        tests = "test" in parts and parts != ["test", "proto_helpers"]
        if not (hidden or tests or (parts[0] == "plugins" and len(parts) > 1)):
            yield module.name


def survey_twisted() -> dict[str, Any]:
    """Every public name of Twisted."""
    found: dict[str, Any] = {}
    shared: dict[int, str] = {}
    for name in sorted(
        modules_of("twisted"), key=lambda name: (name != "twisted.internet.main", name)
    ):
        try:
            module = importlib.import_module(name)
        except BaseException as error:
            found[name] = f"{type(error).__name__}: {error}"
            continue
        names = found[name] = {}
        for public in public_names(name, module, shared):
            names[public] = describe(getattr(module, public))
    import twisted

    return {"version": twisted.__version__, "modules": found}


def public_names(name: str, module: Any, shared: dict[int, str]) -> list[str]:
    if not isinstance(module, ModuleType):
        return sorted(each for each in dir(module) if not each.startswith("_"))
    if name == "twisted":
        return ["__version__", "version"]
    listed = getattr(module, "__all__", None)
    if listed:
        return sorted(each for each in listed if hasattr(module, each))
    return sorted(
        each
        for each, value in vars(module).items()
        if not each.startswith("_") and is_own(name, each, value, shared)
    )


def is_own(module: str, name: str, value: Any, shared: dict[int, str]) -> bool:
    if isinstance(value, ModuleType | typing.TypeVar | typing.ParamSpec) or name == "TYPE_CHECKING":
        return False
    if isinstance(value, int | str | bytes | float | tuple | list | dict | set | frozenset):
        standard = (importlib.import_module(each) for each in STANDARD)
        return not any(getattr(each, name, None) == value for each in standard)
    where = str(getattr(value, "__module__", None))
    if where.split(".")[0] != "twisted":
        return False
    if inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "__identifier__"):
        # What is from another public module is listed there.
        private = any(part.startswith("_") for part in where.split("."))
        return where == module or (private and where.startswith(module.rpartition(".")[0] + "."))
    # Of an object nobody knows where it is from: it is the first's that has it.
    return type(value).__name__ != "Logger" and shared.setdefault(id(value), module) == module


def survey_reactorlib(wanted: dict[str, Any]) -> dict[str, Any]:
    """What there is here of names; None for a module that there is not."""
    found: dict[str, Any] = {}
    for name, names in wanted.items():
        try:
            module = importlib.import_module(name.replace("twisted", "reactorlib", 1))
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("reactorlib"):
                found[name] = None
                continue
            raise
        except ImportError as error:
            found[name] = str(error)
            continue
        found[name] = {
            each: with_attributes(describe(getattr(module, each)), getattr(module, each))
            for each in names
            if hasattr(module, each)
        }
    return found


def describe(value: Any) -> Described:
    """What a user can tell of something: its members, and the arguments that it takes."""
    described: Described = {"arguments": arguments(value)}
    if hasattr(value, "__identifier__") and hasattr(value, "names"):
        described["members"] = {
            each: list(value[each].getSignatureInfo()["positional"])
            if hasattr(value[each], "getSignatureInfo")
            else None
            for each in value.names(all=True)
        }
        described["arguments"] = None
    elif inspect.isclass(value):
        described["members"] = {
            each: arguments(inspect.getattr_static(value, each))
            for each in dir(value)
            if not each.startswith("_")
        }
    return described


def with_attributes(described: Described, value: Any) -> Described:
    """The same, with what the methods of a class of reactorlib's set on its instances."""
    if inspect.isclass(value) and "members" in described:
        for each in value.__mro__:
            if each.__module__.split(".")[0] == "reactorlib":
                for name in set_on_self(each):
                    described["members"].setdefault(name, None)
    return described


def set_on_self(class_: type) -> Iterator[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(class_)))
    except OSError:
        return  # one that is made when the program runs
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and getattr(node.value, "id", None) == "self"
            and not node.attr.startswith("_")
        ):
            yield node.attr


def arguments(value: Any) -> list[str] | None:
    """The names of the arguments, without `self`; None if it takes none by name or any."""
    first = 1 if isinstance(value, classmethod) else 0  # however it is called
    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    if not callable(value):
        return None
    try:
        taken = list(inspect.signature(value).parameters.values())[first:]
    except (ValueError, TypeError):
        return None
    if any(each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in taken):
        return None
    return [each.name for each in taken if each.name not in ("self", "cls")]


# -- comparing ----------------------------------------------------------------------


def lacks(theirs: Described, ours: Described) -> list[str]:
    """What the one has, for its users, that the other has not."""
    found = []
    missing = missing_arguments(theirs["arguments"], ours["arguments"])
    if missing:
        found.append(f"without {quoted(missing)} among its arguments")
    members = ours.get("members") or {}
    absent = [each for each in theirs.get("members") or {} if each not in members]
    if absent and "members" in ours:
        found.append(f"without {quoted(absent)}")
    for name, taken in (theirs.get("members") or {}).items():
        if name in members:
            missing = missing_arguments(taken, members[name])
            if missing:
                found.append(f"`{name}` without {quoted(missing)}")
    return found


def missing_arguments(theirs: list[str] | None, ours: list[str] | None) -> list[str]:
    if theirs is None or ours is None:
        return []
    return [each for each in theirs if not each.startswith("_") and each not in ours]


def quoted(names: list[str], limit: int = 8) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


# -- writing ------------------------------------------------------------------------

HEAD = """\
# Names

Every public name of Twisted {version}, and whether it is here under the same path with the first
word changed. *Present*: with all its members and arguments. *Different*: it is there, and lacks
what is said behind it. *Absent*: there is none. How what is present behaves differently is told in
[Differences from Twisted](../differences.md).

`twisted.version` and `twisted.copyright`, which say which Twisted there is, are there under
[the alias](alias.md) only.

What is absent in a package that is here, or lacks something, is so for one of these reasons:

- It is how Twisted's own reactors and transports work inside (`doRead`, `doIteration`,
  `internet.process.ProcessReader`, `internet.tcp.Connection`). Here the loop and its transports do
  that.
- It is a loop or a toolkit that is not here (GTK, wxPython, Windows' own), or a device
  (`serialport`).
- It is pyOpenSSL's (`KeyPair(osslpkey)`), or of the time before Python's own `enum`
  (`iterconstants`; `python.constants` has it).
- It is deprecated (`Deferred.callbacks`, `Failure.stack`), a constant of Windows, or something that
  a module has only for itself and that is not documented.
- An argument has another name. It can be given by its position.
- No reactor provides it, in Twisted either: `IReactorTCP2`, with its `Binding`.

Private names are not listed. Of those that published packages import all the same, these are
here too: `reactor._asyncioEventloop`, `protocol._InstanceFactory`, `endpoints._parse`,
`endpoints._WrapIProtocol`, `basic._PauseableMixin`, `internet._resolver.HostResolution` and
`FirstOneWins`. These are not: `internet._sslverify`, which is pyOpenSSL's side of `internet.ssl`;
`_threads`, `internet._idna` and `base._ThreePhaseEvent`, which are how Twisted's thread pool, names
and events work inside.

This page is made by `python docs/porting/_generate.py`, from what an installed Twisted says of
itself under Python {python} on {system}. Private modules, tests and plugins are left out.

| package | modules | present | different | absent |
|---|--:|--:|--:|--:|
"""


class Page:
    """The page: a section for each package, and counts above."""

    def __init__(self, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
        self.version = theirs["version"]
        self.theirs: dict[str, Any] = dict(sorted(theirs["modules"].items()))
        self.ours = ours

    def text(self) -> str:
        head = HEAD.format(
            version=self.version,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            system=sys.platform.capitalize(),
        )
        packages: dict[str, list[str]] = {}
        for name in self.theirs:
            parts = name.split(".")
            packages.setdefault(".".join(parts[:2]), []).append(name)
        rows, absent, sections = [], [], []
        for package, modules in packages.items():
            if package != "twisted" and all(self.ours.get(each) is None for each in modules):
                names = sum(len(self.names(each)) for each in modules)
                absent.append(
                    f"- `{package}`: {counted(len(modules), 'module')}, {counted(names, 'name')}"
                )
                continue
            counts, section = self.section(package, modules)
            rows.append(f"| `{package}` | {len(modules)} | {' | '.join(map(str, counts))} |")
            sections.append(section)
        parts = [head + "\n".join(rows)]
        if absent:
            parts.append("## Packages that are not here\n\n" + "\n".join(absent))
        return "\n\n".join([*parts, *sections]) + "\n"

    def names(self, module: str) -> dict[str, Described]:
        names = self.theirs[module]
        return names if isinstance(names, dict) else {}

    def section(self, package: str, modules: list[str]) -> tuple[list[int], str]:
        counts = [0, 0, 0]
        lines = [f"## `{package}`"]
        for module in modules:
            theirs, ours = self.theirs[module], self.ours.get(module)
            if ours is None:
                names = len(self.names(module))
                counts[2] += names
                what = f"it has {counted(names, 'name')}"
                if isinstance(theirs, str):
                    what = "Twisted's cannot be imported here"
                lines.append(f"### `{module}`\n\nThe module is absent; {what}.")
            elif isinstance(theirs, str) or isinstance(ours, str):
                lines.append(
                    f"### `{module}`\n\nThe module is present; it cannot be imported here."
                )
            elif not theirs:
                lines.append(f"### `{module}`\n\nThe module is present; it has no names.")
            else:
                found = self.module(theirs, ours)
                counts = [count + len(each) for count, each in zip(counts, found, strict=True)]
                lines.append(f"### `{module}`\n\n{self.lists(*found)}")
        return counts, "\n\n".join(lines)

    @staticmethod
    def module(
        theirs: dict[str, Described], ours: dict[str, Described]
    ) -> tuple[list[str], list[str], list[str]]:
        present, different, absent = [], [], []
        for name, described in theirs.items():
            if name not in ours:
                absent.append(f"`{name}`")
                continue
            missing = lacks(described, ours[name])
            if missing:
                different.append(f"- `{name}`: {'; '.join(missing)}")
            else:
                present.append(f"`{name}`")
        return present, different, absent

    @staticmethod
    def lists(present: list[str], different: list[str], absent: list[str]) -> str:
        parts = []
        if present:
            parts.append("Present: " + ", ".join(present))
        if different:
            parts.append("Different:\n\n" + "\n".join(different))
        if absent:
            parts.append("Absent: " + ", ".join(absent))
        return "\n\n".join(parts)


# -- the command --------------------------------------------------------------------


def survey(what: str, wanted: str = "") -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--survey", what],
        input=wanted,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )
    return json.loads(done.stdout.rpartition("\n")[2])


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the list of Twisted's names.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it would change")
    parser.add_argument("--survey", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.survey:
        warnings.simplefilter("ignore")
        if options.survey == "twisted":
            found = survey_twisted()
        else:
            found = survey_reactorlib(json.load(sys.stdin))
        sys.stdout.write("\n" + json.dumps(found))
        sys.stdout.flush()
        return 0
    theirs = survey("twisted")
    wanted = {
        name: sorted(names) if isinstance(names, dict) else []
        for name, names in theirs["modules"].items()
    }
    text = Page(theirs, survey("reactorlib", json.dumps(wanted))).text()
    before = PAGE.read_text() if PAGE.exists() else ""
    if options.check:
        changes = difflib.unified_diff(
            before.splitlines(), text.splitlines(), "as it is", "as it should be", lineterm="", n=0
        )
        print("\n".join(changes))
        return int(before != text)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
