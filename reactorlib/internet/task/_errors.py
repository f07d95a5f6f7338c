"""What a cooperator refuses to do, and why."""

from __future__ import annotations

__all__ = [
    "NotPaused",
    "SchedulerError",
    "SchedulerStopped",
    "TaskDone",
    "TaskFailed",
    "TaskFinished",
    "TaskStopped",
]


class SchedulerError(Exception):
    """A cooperator, or a task of one, cannot do this in the state that it is in."""

    _says = "the cooperator or its task is in a wrong state for this"

    def __str__(self) -> str:
        return super().__str__() or self._says


class SchedulerStopped(SchedulerError):
    """The cooperator was stopped, before or while the task ran."""

    _says = "the cooperator was stopped"


class TaskFinished(SchedulerError):
    """The task is over."""

    _says = "the task is over"


class TaskDone(TaskFinished):
    """The task is over: its iterator was exhausted."""

    _says = "the task is over: its iterator was exhausted"


class TaskStopped(TaskFinished):
    """The task is over: it was stopped."""

    _says = "the task was stopped"


class TaskFailed(TaskFinished):
    """The task is over: its iterator raised, or yielded a Deferred that failed."""

    _says = "the task has failed"


class NotPaused(SchedulerError):
    """A task was to be resumed that was not paused."""

    _says = "the task is not paused, so there is nothing to resume"
