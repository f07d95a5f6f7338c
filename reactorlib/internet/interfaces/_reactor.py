"""What a reactor does by itself: run, stop, and keep time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from zope.interface import Attribute, Interface


class IReactorCore(Interface):
    """A reactor's life, and the triggers around its start and its end."""

    running: bool = Attribute("Whether the loop of this reactor runs. It is true while it stops.")

    def run() -> None:
        """Make a loop, and run it until `stop()`."""

    def stop() -> None:
        """End `run()`, after the shutdown triggers."""

    def crash() -> None:
        """End `run()` at once, with no shutdown trigger."""

    def addSystemEventTrigger(
        phase: Literal["before", "during", "after"],
        eventType: str,
        callable: Callable[..., Any],
        *args: object,
        **kwargs: object,
    ) -> Any:
        """
        Have `callable` called around an event.

        The phase `during` begins when every Deferred and awaitable that the
        phase `before` returned has fired; `after` follows `during`.

        Args:
            phase: "before", "during" or "after".
            eventType: "startup", "shutdown", or a name of the caller's own.

        Returns:
            what `removeSystemEventTrigger` takes.
        """

    def removeSystemEventTrigger(triggerID: Any) -> None:
        """
        Take a trigger back.

        Raises:
            ValueError: it has run, or was taken back before.
        """

    def fireSystemEvent(eventType: str) -> Any:
        """Run the triggers of `eventType`, phase by phase."""

    def callWhenRunning(callable: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        """Call at once where the loop runs, otherwise as soon as it does."""


class IReactorTime(Interface):
    """A clock that can call back."""

    def seconds() -> float:
        """The time now, in seconds since a fixed moment in the past."""

    def callLater(
        delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> IDelayedCall:
        """Call `callable` once, `delay` seconds from now."""

    def getDelayedCalls() -> Sequence[IDelayedCall]:
        """The calls that are due and have not run."""


class IReactorDaemonize(Interface):
    """A reactor that has to be told when its process becomes another one."""

    def beforeDaemonize() -> None:
        """The process is about to fork, and its parent to end."""

    def afterDaemonize() -> None:
        """This is the process that goes on."""


class _ISupportsExitSignalCapturing(Interface):
    """A reactor that knows which signal has ended its run."""

    _exitSignal = Attribute("The number of the signal; None if the run ended otherwise.")


class IDelayedCall(Interface):
    """A call that `callLater` has promised to make."""

    def getTime() -> float:
        """When it is due, on the clock of `seconds()`."""

    def cancel() -> None:
        """
        Do not make the call.

        Raises:
            AlreadyCalled: it has run.
            AlreadyCancelled: it was cancelled before.
        """

    def delay(secondsLater: float) -> None:
        """Make the call `secondsLater` seconds later than it is due now."""

    def reset(secondsFromNow: float) -> None:
        """Make the call `secondsFromNow` seconds from now."""

    def active() -> bool:
        """Whether the call is still to come."""


class IServiceCollection(Interface):
    """
    What keeps services by their names.

    `reactorlib.application.service.IServiceCollection` says more of the same.
    """

    def getServiceNamed(serviceName: str) -> Any:
        """The service of that name; KeyError if there is none."""

    def addService(service: Any) -> None:
        """Take a service in."""

    def removeService(service: Any) -> Any:
        """Give a service away."""
