"""
An exception as a value, to be handed from callback to callback.

A `Failure` keeps the exception and the traceback that it had when it was
caught. The exception stays itself: its notes, its cause, its context and, in a
group, its parts are whatever they were.

It can outlive its traceback: `cleanFailure`, and pickling, keep what the frames
say in plain values (`frames`) and let the frames themselves go.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import IO, Any, NoReturn

from reactorlib.python._traceback import Frame, extract, format_traceback, imitate, safe_str

__all__ = ["SPECIAL", "Failure", "NoCurrentExceptionError", "format_frames", "startDebugMode"]

#: An exception class; in `Failure`, `type` is an attribute.
_Type = type[BaseException]

#: The classes whose instances are no ordinary results: Failures; and what `internet.defer`
#: adds, Deferreds and coroutines. To ask `type(x) in SPECIAL` takes a fraction of the time
#: of `isinstance`, whatever x is.
SPECIAL: set[_Type | type] = set()

counter = itertools.count(1)

#: The attributes of an exception that are in no slot.
_in_no_slot = BaseException.__dict__["__dict__"].__get__


class NoCurrentExceptionError(Exception):
    """`Failure()` was called where no exception is being handled."""


def _name(kind: _Type) -> str:
    """The dotted name by which `check` compares."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _classes_named(name: str) -> tuple[type, ...]:
    """
    The class that a loaded module has by a dotted name.

    One class can have several: `internet.defer.CancelledError` is asyncio's, and programs
    that were written for Twisted say Twisted's.
    """
    module, _, attribute = name.rpartition(".")
    package, dot, inside = module.partition(".")
    if package == "twisted":
        module = f"reactorlib{dot}{inside}"
    holder = sys.modules.get(module)
    found = None if holder is None else vars(holder).get(attribute)
    return (found,) if isinstance(found, type) else ()


class Failure(BaseException):
    """
    An exception with its traceback.

    With no argument it takes the exception that is being handled; a Failure as
    the argument is copied.

    Attributes:
        value: the exception.
        type: its class.
        tb: its traceback when it was caught; None for one never raised, and
            after `cleanFailure`.
        count: how many Failures there had been, this one included.
        captureVars: whether `frames` holds the variables too. They keep alive
            whatever they refer to.
        pickled: 1 after it has been unpickled.

    Raises:
        NoCurrentExceptionError: there is no argument, and no exception.
        TypeError: the argument is not an exception.
    """

    # An exception has a dictionary, but it is made when it is first needed: with slots
    # for what each Failure has, that is never.
    __slots__ = ("count", "tb", "type", "value")

    value: BaseException
    type: _Type
    tb: TracebackType | None
    count: int
    captureVars = False
    pickled = 0
    _frames: list[Frame] | None = None
    _parents: list[str] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        SPECIAL.add(cls)

    def __init__(
        self,
        exc_value: BaseException | None = None,
        exc_type: _Type | None = None,
        exc_tb: TracebackType | None = None,
        captureVars: bool = False,
    ) -> None:
        if exc_value is None:
            exc_value = sys.exception()
            if exc_value is None:
                raise NoCurrentExceptionError(
                    "Failure() takes the exception being handled, and none is; pass one instead"
                )
        if isinstance(exc_value, Failure):
            # A failure that was raised as an exception is still the same failure.
            self._frames = exc_value._frames
            exc_tb = exc_tb or exc_value.tb
            exc_value = exc_value.value
        elif not isinstance(exc_value, BaseException):
            raise TypeError(f"a Failure is made of an exception, not of {exc_value!r}")
        self.value = exc_value
        self.type = exc_type or exc_value.__class__
        self.tb = exc_tb or exc_value.__traceback__
        if captureVars:
            self.captureVars = captureVars
        self.count = next(counter)

    @classmethod
    def _withoutTraceback(cls, value: BaseException) -> Failure:
        """A Failure of an exception that was never raised, at the least cost."""
        return failure_of(value, None)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # asked for, it is the same
        """All attributes, as of an object without slots; a copy."""
        return {
            "value": self.value,
            "type": self.type,
            "tb": self.tb,
            "count": self.count,
            **_in_no_slot(self),
        }

    # -- what it is -----------------------------------------------------------

    def check(self, *errorTypes: _Type | str) -> Any:
        """
        Which of the classes the exception is an instance of.

        If `parents` was set, as it is for what came from another process, a class of a
        name in it counts as well.

        Args:
            errorTypes: exception classes, or dotted names: the class's own, or that
                of a loaded module that has it, with Twisted's first word or with ours.

        Returns:
            the first that matches, or None.
        """
        kind = self.type
        for wanted in errorTypes:
            if wanted is kind or (
                wanted in self.parents or issubclass(kind, _classes_named(wanted))
                if isinstance(wanted, str)
                else (self._parents is not None and _name(wanted) in self._parents)
                or issubclass(kind, wanted)
            ):
                return wanted
        return None

    def trap(self, *errorTypes: _Type | str) -> Any:
        """
        Like `check`, for the head of an errback: what is not expected is raised
        again, and goes on to the next errback.
        """
        if errorTypes and errorTypes[0] is self.type:
            return self.type  # most often; any other match is found by `check`
        found = self.check(*errorTypes)
        if found is None:
            self.raiseException()
        return found

    @property
    def parents(self) -> list[str]:
        """The dotted names of the exception's class and its bases. Can be set."""
        if self._parents is None:
            return [_name(kind) for kind in self.type.__mro__]
        return self._parents

    @parents.setter
    def parents(self, names: list[str]) -> None:
        self._parents = names

    @property
    def frames(self) -> list[Frame]:
        """
        The traceback in plain values, outermost first: for each frame the
        function's name, the file, the line, the local and the global variables
        (both empty unless `captureVars`). Can be set.
        """
        if self._frames is None:
            return extract(self.tb, self.captureVars)
        return self._frames

    @frames.setter
    def frames(self, frames: list[Frame]) -> None:
        self._frames = frames

    # -- back to an exception -------------------------------------------------

    def raiseException(self) -> NoReturn:
        """Raise the exception, with the traceback it had."""
        raise self.value.with_traceback(self.tb)

    def throwExceptionIntoGenerator(self, g: Generator[Any, Any, Any]) -> Any:
        """Raise the exception inside `g`, where it last yielded; what it yields next."""
        return g.throw(self.value.with_traceback(self.tb))

    # -- outliving the traceback ----------------------------------------------

    def cleanFailure(self) -> None:
        """Drop the traceback, and every object it keeps alive; keep what it says."""
        self._frames = [
            (name, file, line, _reprs(local_vars), _reprs(global_vars))
            for name, file, line, local_vars, global_vars in self.frames
        ]
        self.tb = None
        self.value.__traceback__ = None

    def getTracebackObject(self) -> Any:
        """
        The traceback; after `cleanFailure` something that the `traceback` module
        reads alike; None if there never was one.
        """
        if self.tb is not None:
            return self.tb
        return imitate(self.frames)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: everything but the traceback itself."""
        self._frames = self.frames
        state = self.__dict__
        state.update(tb=None, pickled=1, parents=self.parents)
        return state

    def __setstate__(self, state: Any) -> None:
        parents = state.pop("parents")
        # A class that was there when it was pickled may have other bases here.
        if parents != [_name(kind) for kind in state["type"].__mro__]:
            state["_parents"] = parents
        for name, value in state.items():
            setattr(self, name, value)

    def __reduce__(self) -> Any:
        return (_empty, (), self.__getstate__())

    # -- as text --------------------------------------------------------------

    def getErrorMessage(self) -> str:
        """The exception's text alone."""
        return safe_str(self.value)

    def getTraceback(self, elideFrameworkCode: bool = False, detail: str = "default") -> str:
        """
        The traceback as text.

        Args:
            elideFrameworkCode: leave out the frames of reactorlib itself.
            detail: "default" as Python prints it, with causes, notes and groups;
                "brief" for a line a frame; "verbose" with variables, if they
                were captured.
        """
        return format_traceback(self, elideFrameworkCode, detail)

    def getBriefTraceback(self) -> str:
        """The traceback, a line for each frame."""
        return self.getTraceback(detail="brief")

    def printTraceback(
        self,
        file: IO[str] | None = None,
        elideFrameworkCode: bool = False,
        detail: str = "default",
    ) -> None:
        """Write `getTraceback()` to `file`, or to standard error."""
        (file or sys.stderr).write(self.getTraceback(elideFrameworkCode, detail))

    def printBriefTraceback(
        self, file: IO[str] | None = None, elideFrameworkCode: bool = False
    ) -> None:
        """Write the brief form to `file`, or to standard error."""
        self.printTraceback(file, elideFrameworkCode, "brief")

    def printDetailedTraceback(
        self, file: IO[str] | None = None, elideFrameworkCode: bool = False
    ) -> None:
        """Write the verbose form to `file`, or to standard error."""
        self.printTraceback(file, elideFrameworkCode, "verbose")

    def __repr__(self) -> str:
        return f"<{_name(Failure)} {_name(self.type)}: {self.getErrorMessage()}>"

    def __str__(self) -> str:
        return f"[Failure instance: {self.getBriefTraceback()}]"


SPECIAL.add(Failure)

#: Failures with nothing in them yet. It leaves `Failure.__init__` out, and to take the
#: next costs less than to call `BaseException.__new__`.
new_failures: Iterator[Failure] = itertools.starmap(
    BaseException.__new__, itertools.repeat((Failure,))
)


def failure_of(value: BaseException, tb: TracebackType | None) -> Failure:
    """A Failure of an exception and a traceback that are known, at the least cost."""
    failure = next(new_failures)
    failure.value = value
    failure.type = type(value)
    failure.tb = tb
    failure.count = next(counter)
    return failure


def _empty() -> Failure:
    """A Failure for pickle to fill."""
    return Failure.__new__(Failure)


def _reprs(variables: Any) -> Any:
    """Variables by what they look like instead of what they are."""
    from reactorlib.python._traceback import safe_repr

    return [(name, safe_repr(value)) for name, value in variables] if variables else variables


def format_frames(
    frames: list[Frame], write: Callable[[str], object], detail: str = "default"
) -> None:
    """
    Write the frames of `Failure.frames` as text.

    Raises:
        ValueError: `detail` is not "brief", "default", "verbose" or
            "verbose-vars-not-captured".
    """
    from reactorlib.python import _traceback

    _traceback.format_frames(frames, write, detail)


_plain_init = Failure.__init__


def _debugged_init(
    self: Failure,
    exc_value: BaseException | None = None,
    exc_type: _Type | None = None,
    exc_tb: TracebackType | None = None,
    captureVars: bool = False,
) -> None:
    exception = sys.exception() if exc_value is None else exc_value
    tb = exc_tb
    if tb is None and exception is not None:
        tb = exception.__traceback__
    if tb is not None and not isinstance(exception, Failure):
        import pdb

        print(f"Jumping into debugger for post-mortem of exception {safe_str(exception)!r}:")
        pdb.post_mortem(tb)
    _plain_init(self, exc_value, exc_type, exc_tb, captureVars)


def startDebugMode() -> None:
    """Open the debugger on every exception that becomes a Failure, from now on."""
    Failure.__init__ = _debugged_init  # type: ignore[method-assign]  # what this is for
