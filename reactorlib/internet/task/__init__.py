"""
Work that is spread over time: calls made later, again and again, or a step at a
time; a whole program; and a clock for tests, which a test moves.
"""

from reactorlib.internet.task._clock import Clock
from reactorlib.internet.task._cooperator import (
    CooperativeTask,
    Cooperator,
    coiterate,
    cooperate,
)
from reactorlib.internet.task._errors import (
    NotPaused,
    SchedulerError,
    SchedulerStopped,
    TaskDone,
    TaskFailed,
    TaskFinished,
    TaskStopped,
)
from reactorlib.internet.task._later import deferLater
from reactorlib.internet.task._looping import LoopingCall
from reactorlib.internet.task._react import react

__all__ = [
    "Clock",
    "CooperativeTask",
    "Cooperator",
    "LoopingCall",
    "NotPaused",
    "SchedulerError",
    "SchedulerStopped",
    "TaskDone",
    "TaskFailed",
    "TaskFinished",
    "TaskStopped",
    "coiterate",
    "cooperate",
    "deferLater",
    "react",
]
