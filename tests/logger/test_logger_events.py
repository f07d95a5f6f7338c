"""Events: what a Logger makes of a call, how they are shown, and who is given them."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from reactorlib.logger import (
    FilteringLogObserver,
    ILogObserver,
    InvalidLogLevelError,
    LimitedHistoryLogObserver,
    LogBeginner,
    LogEvent,
    Logger,
    LoggingFile,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    PredicateResult,
    capturedLogs,
    eventAsJSON,
    eventAsText,
    eventFromJSON,
    eventsFromJSONLogFile,
    extractField,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
    jsonFileLogObserver,
    textFileLogObserver,
)
from reactorlib.python import log
from reactorlib.python.failure import Failure


def events_of(log: Any) -> list[LogEvent]:
    """What `log(logger)` gives to the logger's observer."""
    seen: list[LogEvent] = []
    log(Logger("here", observer=seen.append))
    return seen


def test_levels_are_ordered_and_found_by_name() -> None:
    levels = list(LogLevel.iterconstants())
    assert [level.name for level in levels] == ["debug", "info", "warn", "error", "critical"]
    assert levels == sorted(levels, reverse=False)
    assert LogLevel.debug < LogLevel.info <= LogLevel.info < LogLevel.critical > LogLevel.warn
    assert LogLevel.lookupByName("warn") is LogLevel.warn
    assert repr(LogLevel.error) == "<LogLevel=error>"
    with pytest.raises(ValueError, match="loud"):
        LogLevel.lookupByName("loud")
    with pytest.raises(InvalidLogLevelError) as caught:
        LogLevel.levelWithName("loud")
    assert caught.value.level == "loud"
    with pytest.raises(TypeError):
        _ = LogLevel.debug < PredicateResult.yes
    with pytest.raises(TypeError):
        LogLevel()


def test_an_event_has_what_was_given_and_where_from() -> None:
    [event] = events_of(lambda log: log.warn("{a} {b!r}", a=1, b="two"))
    assert formatEvent(event) == "1 'two'"
    assert event["log_namespace"] == "here"
    assert event["log_level"] is LogLevel.warn
    assert (event["a"], event["b"]) == (1, "two")


def test_a_logger_in_a_class_is_named_after_it() -> None:
    seen: list[LogEvent] = []

    class Pump:
        log = Logger(observer=seen.append)

    pump = Pump()
    pump.log.info("on")
    Pump.log.info("off")
    assert [event["log_namespace"] for event in seen] == [f"{__name__}.Pump"] * 2
    assert [event["log_source"] for event in seen] == [pump, Pump]
    assert Logger().namespace == __name__


def test_a_wrong_level_is_logged() -> None:
    [event] = events_of(lambda log: log.emit("loud", "hello"))
    assert event["log_failure"].check(InvalidLogLevelError)


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_what_is_no_error_goes_through(error: type[BaseException]) -> None:
    def run(log: Logger) -> None:
        with pytest.raises(error), log.failuresHandled("in vain"):
            raise error
        with pytest.raises(error), log.failureHandler("in vain"):
            raise error

    assert events_of(run) == []


def test_errors_of_a_block_are_logged() -> None:
    def run(log: Logger) -> None:
        with log.failuresHandled("while {doing}", doing="this") as operation:
            assert not operation.succeeded
            assert not operation.failed
            _ = 1 / 0
        assert operation.failed
        assert not operation.succeeded
        assert operation.failure is not None
        assert operation.failure.check(ZeroDivisionError)
        with log.failuresHandled("not") as operation:
            pass
        assert operation.succeeded
        assert not operation.failed
        handler = log.failureHandler("always")
        for _ in range(2):
            with handler:
                raise KeyError

    assert [formatEvent(event) for event in events_of(run)] == ["while this", "always", "always"]


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


KEYED = {"k": 3, "a().b": 4}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({}, ""),
        ({"log_format": None}, ""),
        ({"log_format": "plain"}, "plain"),
        ({"log_format": b"caf\xc3\xa9"}, "caf\xe9"),
        ({"log_format": "{x:04d} {x!r:>3}", "x": 7}, "0007   7"),
        ({"log_format": "{f()} {o.real} {d[k]}", "f": lambda: 1, "o": 2, "d": {"k": 3}}, "1 2 3"),
        ({"log_format": "{f().real} {f().conjugate().imag!r}", "f": lambda: 1}, "1 0"),
        ({"log_format": "{d.copy()[k].real} {d.copy().copy()[a().b]}", "d": KEYED}, "3 4"),
    ],
)
def test_messages(event: LogEvent, text: str) -> None:
    assert formatEvent(event) == text
    # And after a journey through JSON, where the objects are no longer there.
    assert formatEvent(eventFromJSON(eventAsJSON(dict(event)))) == text


@pytest.mark.parametrize(
    "format", ["{", "{missing}", b"\xff", 7, "{x}", "{x!z}", "{x.y}", "{x().y}", "{id()}"]
)
def test_what_cannot_be_shown_says_so(format: Any) -> None:
    text = formatEvent({"log_format": format, "x": Unprintable()})
    assert text.startswith(("Unable to format event", "MESSAGE LOST"))


def test_a_flattened_event_has_the_fields_that_its_format_shows() -> None:
    event = {"log_format": "{o.real} {o.imag!r}", "o": 3 + 4j}
    assert extractField("o.real", event) == 3
    loaded = eventFromJSON(eventAsJSON(event))
    assert extractField("o.real", loaded) == 3
    assert extractField("o.imag!r", loaded) == "4.0"
    with pytest.raises(KeyError):
        extractField("o.conjugate()", loaded)


def test_text_has_time_system_message_and_traceback() -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        failure = Failure()
    event = {
        "log_format": "it failed",
        "log_failure": failure,
        "log_level": LogLevel.error,
        "log_namespace": "x.y",
        "log_time": None,
    }
    text = eventAsText(event)
    assert text.startswith("- [x.y#error] it failed\nTraceback")
    classic = formatEventAsClassicLogText(event)
    assert classic is not None
    assert all(line.startswith("\t") for line in classic.splitlines()[1:])
    assert formatTime(1000000.25, "%f") == "250000"


class Grumpy:
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __call__(self, event: LogEvent) -> None:
        raise self.error("not today")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_goes_through_an_observer(error: type[BaseException]) -> None:
    with pytest.raises(error):
        LogPublisher(Grumpy(error))({"n": 1})


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
def test_an_observer_that_fails_does_not_stop_the_others(error: type[BaseException]) -> None:
    before: list[LogEvent] = []
    after: list[LogEvent] = []
    grumpy = Grumpy(error)
    publisher = LogPublisher(before.append, grumpy, after.append)
    publisher({"n": 1})
    for seen in (before, after):
        assert [event.get("n") for event in seen] == [1, None]
        assert seen[1]["log_failure"].getErrorMessage() == "not today"
    publisher.removeObserver(grumpy)
    publisher({"n": 2})
    assert after[-1] == {"n": 2}
    with pytest.raises(TypeError):
        publisher.addObserver(7)  # type: ignore[arg-type]  # what is tested


def test_filters() -> None:
    predicate = LogLevelFilterPredicate()
    predicate.setLogLevelForNamespace("a", LogLevel.debug)
    predicate.setLogLevelForNamespace("a.b", LogLevel.error)
    passed: list[LogEvent] = []
    dropped: list[LogEvent] = []
    observer = FilteringLogObserver(passed.append, [predicate], dropped.append)
    verifyObject(ILogObserver, observer)
    for namespace in ("a", "a.x", "a.b", "a.b.c", "ab"):
        Logger(namespace, observer=observer).debug()
        Logger(namespace, observer=observer).error()
    assert [e["log_namespace"] for e in dropped] == ["a.b", "a.b.c", "ab"]
    assert len(passed) == 7
    with pytest.raises(InvalidLogLevelError):
        predicate.setLogLevelForNamespace("a", "debug")  # type: ignore[arg-type]  # tested


def test_history_is_limited_and_replayed() -> None:
    history = LimitedHistoryLogObserver(2)
    for n in range(4):
        history({"n": n})
    seen: list[LogEvent] = []
    history.replayTo(seen.append)
    assert seen == [{"n": 2}, {"n": 3}]


class Streams:
    stdout: Any = None
    stderr: Any = None


class Warnings:
    def showwarning(self, *args: Any) -> None:
        raise AssertionError("it is logged")


def test_a_beginner_keeps_events_until_there_are_observers() -> None:
    publisher, errors, streams, warned = LogPublisher(), io.StringIO(), Streams(), Warnings()
    beginner = LogBeginner(publisher, errors, streams, warned)
    log = Logger("x", observer=publisher)
    log.info("early")
    log.critical("bad")
    seen: list[LogEvent] = []
    beginner.beginLoggingTo([seen.append])
    log.critical("late")
    print("printed", file=streams.stdout)
    print("wrong", file=streams.stderr)
    warned.showwarning("careful", UserWarning, "f.py", 3)
    assert errors.getvalue() == "bad\n"
    assert [formatEvent(event) for event in seen] == [
        "early",
        "bad",
        "late",
        "printed",
        "wrong",
        "f.py:3: builtins.UserWarning: careful",
    ]
    assert seen[4]["log_level"] is LogLevel.error
    beginner.beginLoggingTo([])
    assert "test_logger_events.py" in formatEvent(seen[-1])


def test_a_file_of_lines() -> None:
    seen: list[LogEvent] = []
    file = LoggingFile(Logger("f", observer=seen.append), LogLevel.warn, "utf-8")
    for part in ("one\ntw", b"o \xc3\xa9\n\n", "rest"):
        file.write(part)
    assert [event["log_io"] for event in seen] == ["one", "two \xe9", ""]
    with pytest.raises(OSError, match="fileno"):
        file.fileno()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.write("x")


class Slow(str):
    """Text; while it is put together with other text, something else is done."""

    def __new__(cls, text: str, meanwhile: Callable[[], object]) -> Self:
        self = super().__new__(cls, text)
        self.meanwhile = meanwhile
        return self

    meanwhile: Callable[[], object]

    def __radd__(self, other: str) -> str:
        self.meanwhile()
        return other + str(self)


class Wanted:
    """A lock that says when someone wants it."""

    def __init__(self, wanted: Callable[[], object]) -> None:
        self.wanted = wanted
        self.lock = threading.RLock()

    def __enter__(self) -> None:
        self.wanted()
        self.lock.acquire()

    def __exit__(self, *exc: object) -> None:
        self.lock.release()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["new", "old"])
def test_what_two_threads_print_is_there_once(kind: str) -> None:
    seen: list[str] = []

    def observe(event: dict[str, Any]) -> None:
        seen.extend(event["message"])

    if kind == "new":
        file: Any = LoggingFile(Logger(observer=lambda event: seen.append(event["log_io"])))
    else:
        file = log.StdioOnnaStick()
        log.addObserver(observe)
    other_is_there = threading.Event()

    def other() -> None:
        file.write("three\n")
        other_is_there.set()

    thread = threading.Thread(target=other)

    def begin() -> None:
        thread.start()
        assert other_is_there.wait(10)

    def wanted() -> None:
        if threading.current_thread() is thread:
            other_is_there.set()

    file._lock = Wanted(wanted)
    file.write("one")
    file.write(Slow(" two\n", begin))
    thread.join(10)
    if kind == "old":
        log.removeObserver(observe)
    assert seen in (["one two", "three"], ["three", "one two"])


@pytest.mark.parametrize("kind", [io.StringIO, io.BytesIO])
def test_text_goes_to_files_of_text_and_of_bytes(kind: Any) -> None:
    file = kind()
    textFileLogObserver(file, timeFormat=None)({"log_format": "\xe9"})
    wanted = "- [-#-] \xe9\n"
    assert file.getvalue() == (wanted if kind is io.StringIO else wanted.encode())


fields = st.dictionaries(
    st.text().filter(lambda name: not name.startswith(("log_", "__"))),
    st.none() | st.booleans() | st.integers() | st.text(),
)


@given(st.lists(fields), st.sampled_from(["\x1e", ""]), st.integers(1, 50))
def test_a_log_of_json_reads_as_it_was_written(
    events: list[LogEvent], separator: str, size: int
) -> None:
    file = io.BytesIO()
    write = jsonFileLogObserver(file, separator)
    for event in events:
        write(dict(event))
    file.seek(0)
    read = list(eventsFromJSONLogFile(file, bufferSize=size))
    assert read == events


def test_a_record_that_was_cut_is_skipped_and_told() -> None:
    data = b'\x1e{"a": 1}\n\x1e{"b"\x1e[1]\n\x1e{"c": "\xff"}\n\x1e{"d": 4}\n'
    for size in range(1, len(data) + 1):
        with capturedLogs() as told:
            read = list(eventsFromJSONLogFile(io.BytesIO(data), bufferSize=size))
        assert read == [{"a": 1}, {"d": 4}]
        assert [event["record"] for event in told] == [b'{"b"', b"[1]\n", b'{"c": "\xff"}\n']


def test_a_failure_survives_json() -> None:
    try:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")
    except UnicodeDecodeError:
        text = eventAsJSON({"log_failure": Failure(), "log_level": LogLevel.error, "b": b"\xff"})
    json.loads(text)
    event = eventFromJSON(text)
    assert event["log_level"] is LogLevel.error
    assert event["b"] == "\xff"
    failure = event["log_failure"]
    assert failure.check(UnicodeDecodeError)
    assert "test_a_failure_survives_json" in failure.getTraceback()


def test_a_failure_of_an_unknown_class_is_read_without_importing() -> None:
    event = eventFromJSON(
        '{"log_failure": {"__class_uuid__": "E76887E2-20ED-49BF-A8F8-BA25CC586F2D", "type":'
        ' {"__module__": "no.such", "__name__": "Oops"}, "parents": ["no.such.Oops"],'
        ' "message": "hm", "frames": [["f", "f.py", 3, [], []]]}}'
    )
    failure = event["log_failure"]
    assert failure.check("no.such.Oops")
    assert failure.getErrorMessage() == "hm"
