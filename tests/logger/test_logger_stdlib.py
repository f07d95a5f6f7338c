"""Both ways between events and stdlib logging, and what the framework reports."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet import defer, protocol, reactor
from reactorlib.internet.endpoints import StandardErrorBehavior
from reactorlib.internet.endpoints._process import _WrapIProtocol
from reactorlib.logger import (
    LogEvent,
    Logger,
    LoggingFile,
    LogLevel,
    PublishingHandler,
    STDLibLogObserver,
    capturedLogs,
    formatEvent,
    globalLogPublisher,
)
from reactorlib.python import log


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What comes to the root logger of stdlib logging."""
    root = logging.getLogger()
    handler = Records()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.records
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def bridge() -> Iterator[None]:
    """Records become events."""
    handler = PublishingHandler()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


def test_an_event_is_a_record(records: list[logging.LogRecord]) -> None:
    Logger("a.b").warn("{x}!", x=1, name="Eve", lineno=0)
    [record] = records
    assert (record.name, record.levelname, record.getMessage()) == ("a.b", "WARNING", "1!")
    assert record.pathname == __file__
    assert record.funcName == "test_an_event_is_a_record"
    assert record.x == 1  # type: ignore[attr-defined]  # fields are attributes
    assert record.log_event["name"] == "Eve"  # type: ignore[attr-defined]


def test_a_failure_is_a_record_with_a_traceback(records: list[logging.LogRecord]) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        Logger("a").failure("no {x}", x="good")
        log.err(error, "bad")
        log.err()
    assert [r.getMessage() for r in records] == ["no good", "bad", "Unhandled Error"]
    assert {r.levelname for r in records} == {"CRITICAL"}
    for record in records:
        text = logging.Formatter().format(record)
        assert text.count("ZeroDivisionError") == 1
        assert "test_a_failure_is_a_record_with_a_traceback" in text
        assert record.pathname == __file__


def test_messages_of_python_log_are_records(records: list[logging.LogRecord]) -> None:
    log.msg("a", "b", port=7)
    log.msg(format="%(n)d left", n=3)
    log.callWithContext({"system": "here"}, log.msg, "c")
    assert [r.getMessage() for r in records] == ["a b", "3 left", "c"]
    assert records[0].port == 7  # type: ignore[attr-defined]
    assert [r.system for r in records] == ["-", "-", "here"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [LookupError, asyncio.CancelledError])
def test_python_log_takes_any_exception(
    records: list[logging.LogRecord], error: type[BaseException]
) -> None:
    class Prefixed(log.Logger):
        def logPrefix(self) -> str:
            raise error("no name")

    def fail() -> None:
        raise error("no result")

    log.err(error("told"), "this failed")
    assert log.callWithLogger(Prefixed(), fail) is None
    assert [r.exc_info and repr(r.exc_info[1]) for r in records] == [
        f"{error.__name__}('{text}')" for text in ("told", "no name", "no result")
    ]
    seen: list[dict[str, Any]] = []
    log.addObserver(seen.append)
    log.err(error("told"), "this failed")
    log.removeObserver(seen.append)
    [event] = seen
    assert event["why"] == "this failed"
    assert event["failure"].check(error)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_goes_through_callWithLogger(error: type[BaseException]) -> None:
    def interrupt() -> None:
        raise error

    with pytest.raises(error):
        log.callWithLogger(log.Logger(), interrupt)


def test_levels_are_those_of_logging(records: list[logging.LogRecord]) -> None:
    logging.getLogger("quiet").setLevel(logging.ERROR)
    for level in LogLevel.iterconstants():
        Logger("quiet").emit(level, "x")
    assert [r.levelname for r in records] == ["ERROR", "CRITICAL"]


@pytest.mark.parametrize("level", ["loud", 7, [], None])
def test_what_is_no_level_counts_as_information(
    records: list[logging.LogRecord], level: object
) -> None:
    globalLogPublisher({"log_format": "hello", "log_level": level, "log_namespace": "x"})
    assert [(r.levelname, r.getMessage()) for r in records] == [("INFO", "hello")]


@pytest.mark.parametrize("observer", ["new", "old"])
def test_an_observer_for_logging_stands_in(records: list[logging.LogRecord], observer: str) -> None:
    """No event is handed over twice."""
    if observer == "new":
        new = STDLibLogObserver("mine")
        globalLogPublisher.addObserver(new)
        Logger("a").info("hello")
        globalLogPublisher.removeObserver(new)
    else:
        old = log.PythonLoggingObserver("mine")
        old.start()
        Logger("a").info("hello")
        old.stop()
    assert [(r.name, r.getMessage()) for r in records] == [("mine", "hello")]


def test_records_become_events(records: list[logging.LogRecord], bridge: None) -> None:
    with capturedLogs() as events:
        logging.getLogger("lib").error("no %s", "way", extra={"user": "Eve"})
    [event] = events
    assert event["log_namespace"] == "lib"
    assert event["log_level"] is LogLevel.error
    assert event["log_text"] == "no way"
    assert event["user"] == "Eve"
    assert len(records) == 1


def test_nothing_goes_round(records: list[logging.LogRecord], bridge: None) -> None:
    """With bridges both ways, each thing logged is one event and one record."""
    observer = STDLibLogObserver("back")
    globalLogPublisher.addObserver(observer)
    with capturedLogs() as events:
        logging.getLogger("lib").error("one")
        Logger("own").error("two")
        log.msg("three")
    globalLogPublisher.removeObserver(observer)
    assert len(events) == 3
    assert [r.getMessage() for r in records] == ["one", "two", "three"]


def test_observers_and_handlers_that_log_do_not_go_round(
    records: list[logging.LogRecord], bridge: None
) -> None:
    class Chatty(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            Logger("handler").info("handled")

    def chatty(event: LogEvent) -> None:
        if event.get("log_namespace") != "handler":
            logging.getLogger("observer").info("observed")

    handler = Chatty()
    logging.getLogger().addHandler(handler)
    globalLogPublisher.addObserver(chatty)
    try:
        logging.getLogger("lib").info("one")
        Logger("own").info("two")
    finally:
        globalLogPublisher.removeObserver(chatty)
        logging.getLogger().removeHandler(handler)
    assert len(records) < 20


def test_a_handler_that_writes_to_a_logged_stream_does_not_go_round() -> None:
    stream: Any = LoggingFile(Logger("stderr"), LogLevel.error)
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with capturedLogs() as events:
            logging.getLogger("lib").error("one")
        assert 1 <= len(events) <= 2
    finally:
        logging.getLogger().removeHandler(handler)


def test_an_observer_that_fails_is_shown_by_logging(records: list[logging.LogRecord]) -> None:
    def broken(event: LogEvent) -> None:
        raise RuntimeError("not today")

    globalLogPublisher.addObserver(broken)
    try:
        Logger("a").info("hello")
    finally:
        globalLogPublisher.removeObserver(broken)
    assert [r.name for r in records] == ["reactorlib.logger", "a"]
    assert "not today" in logging.Formatter().format(records[0])


# -- what the framework reports ------------------------------------------------


def fail_unhandled() -> None:
    defer.fail(ValueError("nobody cares {}"))
    gc.collect()


def test_an_unhandled_error_is_seen_by_observers_and_logged_once(
    records: list[logging.LogRecord], bridge: None
) -> None:
    old: list[log.EventDict] = []
    log.addObserver(old.append)
    try:
        with capturedLogs() as events:
            fail_unhandled()
    finally:
        log.removeObserver(old.append)
    [event] = events
    assert event["log_failure"].check(ValueError)
    assert event["log_level"] is LogLevel.critical
    assert event["log_namespace"].startswith("reactorlib.internet.defer")
    [legacy] = old
    assert legacy["isError"] == 1
    assert legacy["failure"] is event["log_failure"]
    [record] = records
    assert record.exc_info is not None


async def test_an_unhandled_error_goes_to_the_loop_once(
    errors: Any, records: list[logging.LogRecord]
) -> None:
    with capturedLogs() as events:
        fail_unhandled()
    assert len(events) == 1
    assert [str(error) for error in errors.take()] == ["nobody cares {}"]
    assert records == []


async def test_the_loops_own_handler_is_not_published_again(
    records: list[logging.LogRecord], bridge: None
) -> None:
    """The default exception handler logs; observers have seen it already."""
    asyncio.get_running_loop().set_exception_handler(None)
    with capturedLogs() as events:
        fail_unhandled()
    assert len(events) == 1
    assert [r.getMessage() for r in records if r.exc_info] == ["Unhandled error in Deferred"]


def test_log_error_is_seen(records: list[logging.LogRecord]) -> None:
    with capturedLogs() as events:
        failed: defer.Deferred[Any] = defer.fail(KeyError("k"))
        failed.addErrback(defer.logError)
        failed.addErrback(lambda _: None)
    assert len(events) == 1
    assert len(records) == 1


async def test_ports_say_where_they_listen(records: list[logging.LogRecord], bridge: None) -> None:
    class Echoes(protocol.ServerFactory):
        noisy = False

    old: list[log.EventDict] = []
    log.addObserver(old.append)
    try:
        port = reactor.listenTCP(0, Echoes(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
    finally:
        log.removeObserver(old.append)
    wanted = [f"Echoes starting on {number}", f"(TCP Port {number} Closed)"]
    tcp = [record for record in records if record.name == "reactorlib.internet.tcp"]
    assert [record.getMessage() for record in tcp] == wanted
    assert [event["message"] for event in old if event["message"]] == [(text,) for text in wanted]


async def test_a_port_at_a_path_names_it(tmp_path: Path) -> None:
    factory: protocol.Factory[Any] = protocol.Factory()
    factory.noisy = False
    path = tmp_path / "s"
    with capturedLogs() as events:
        await reactor.listenUNIX(str(path), factory).stopListening()
    assert [formatEvent(event) for event in events] == [
        f"Factory starting on {str(path)!r}",
        f"(UNIX Port {path} Closed)",
    ]


async def test_factories_say_that_they_start_and_stop() -> None:
    class Echoes(protocol.ServerFactory):
        def __repr__(self) -> str:
            return "<the echoes: 100 %>"

    old: list[log.EventDict] = []
    log.addObserver(old.append)
    try:
        await reactor.listenTCP(0, Echoes(), interface="127.0.0.1").stopListening()
    finally:
        log.removeObserver(old.append)
    said = [log.textFromEventDict(event) for event in old]
    assert old[1]["log_format"] == "Starting factory {factory!r}"
    assert isinstance(old[1]["factory"], Echoes)
    assert said[1::2] == [
        "Starting factory <the echoes: 100 %>",
        "Stopping factory <the echoes: 100 %>",
    ]


def test_what_a_process_writes_as_an_error_has_its_fields(
    records: list[logging.LogRecord], bridge: None
) -> None:
    talker = protocol.Protocol()
    wrapper = _WrapIProtocol(talker, "/bin/talker", StandardErrorBehavior.LOG)
    with capturedLogs() as events:
        wrapper.childDataReceived(2, b"oh, {no} %s")
    [event] = events
    assert event["log_level"] is LogLevel.warn
    assert (event["executable"], event["protocol"]) == ("/bin/talker", talker)
    assert event["data"] == b"oh, {no} %s"
    [record] = records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == formatEvent(event)
    assert record.getMessage().endswith(": b'oh, {no} %s'")
    assert record.filename == "_process.py"


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_basic_config_alone_shows_everything() -> None:
    done = run(
        """
        import logging
        logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
        from reactorlib.logger import Logger
        from reactorlib.python import log
        Logger("mine").info("one {n}", n=1)
        log.msg("two")
        try:
            1 / 0
        except ZeroDivisionError:
            log.err(None, "three")
        """
    )
    lines = done.stderr.splitlines()
    assert lines[:3] == ["mine INFO one 1", "log_legacy INFO two", "log_legacy CRITICAL three"]
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert done.stdout == ""


def test_a_program_that_begins_logging_to_a_file_sees_each_thing_once() -> None:
    """From then on; what was logged before is not for the file. Reports are things, too."""
    done = run(
        """
        import gc, sys
        from reactorlib.python import log
        from reactorlib.internet import reactor
        from reactorlib.internet.defer import fail
        log.msg("early")
        log.startLogging(sys.stdout)
        log.msg("late")
        print("printed")
        print("to standard error", file=sys.stderr)
        log.err(ValueError("bad"))
        fail(ValueError("forgotten")); gc.collect()
        reactor.callLater(0, int, "no number")
        reactor.callLater(0, reactor.stop)
        reactor.run()
        """
    )
    assert done.stderr == ""
    assert "early" not in done.stdout
    texts = ("late", "printed", "to standard error", "ValueError: bad", "Log opened.")
    for text in (*texts, "ValueError: forgotten", "base 10: 'no number'"):
        assert done.stdout.count(text) == 1, text


def test_bytes_in_a_message_are_text() -> None:
    """Old programs log what they have received."""
    for message, text in (
        ((b"RECV " + "\xe9".encode(), 7), "RECV \xe9 7"),
        ((b"\xff",), "b'\\xff'"),
    ):
        assert log.textFromEventDict({"message": message, "isError": 0}) == text


def test_without_any_setting_errors_are_shown_once() -> None:
    done = run(
        """
        from reactorlib.logger import Logger
        Logger("x").info("not shown")
        Logger("x").critical("shown")
        """
    )
    assert done.stderr == "shown\n"


def test_the_reactor_does_not_load_the_logger() -> None:
    run(
        """
        import sys
        from reactorlib.internet import reactor, defer, endpoints, protocol
        assert not [name for name in sys.modules if name.startswith("reactorlib.logger")]
        """
    )
