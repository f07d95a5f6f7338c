"""The client: commands in a queue, each with its Deferred."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Literal, overload

from reactorlib.internet.defer import Deferred, TimeoutError, fail, succeed
from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.protocols.memcache import _wire as wire
from reactorlib.protocols.memcache._wire import ClientError, Kind, NoSuchCommand, ServerError
from reactorlib.protocols.policies import TimeoutMixin
from reactorlib.python.failure import Failure

__all__ = ["MemCacheProtocol"]

#: A value as `get` gives it: its flags, perhaps its identifier, itself or None.
Found = tuple[int, bytes | None]
FoundWithIdentifier = tuple[int, bytes, bytes | None]


class _Command:
    """One that waits for its answer, and what has come of that."""

    __slots__ = ("deferred", "header", "identified", "keys", "kind", "multiple", "values")

    def __init__(
        self,
        kind: Kind,
        keys: frozenset[bytes] = frozenset(),
        multiple: bool = False,
        identified: bool = False,
    ) -> None:
        self.kind = kind
        self.deferred: Deferred[Any] = Deferred()
        self.keys = keys
        self.multiple = multiple
        self.identified = identified
        self.header: wire.ValueHeader | None = None
        self.values: dict[bytes, Any] = {}

    def found(self, key: bytes) -> Any:
        missing = (0, b"", None) if self.identified else (0, None)
        return self.values.get(key, missing)

    def retrieved(self) -> Any:
        if self.multiple:
            return {key: self.found(key) for key in self.keys}
        (key,) = self.keys
        return self.found(key)


class MemCacheProtocol(LineReceiver, TimeoutMixin):
    """
    Talks to a memcached server.

    Every method that sends a command returns a Deferred. It fails with

    - `ClientError` if an argument is wrong (nothing is sent then) or the server
      says so, `ServerError` if the server could not do it, `NoSuchCommand` if
      it does not know the command;
    - `TimeoutError` if no answer was complete for too long: the connection ends;
    - the reason, if the connection ends; `RuntimeError` if it has ended before.

    A Deferred may be cancelled; the command is carried out nevertheless, and its
    answer dropped. An answer that does not fit its command is the server's fault:
    it raises `RuntimeError` out of `dataReceived`, which ends the connection.

    Keys are bytes, without whitespace or control characters, and values bytes.

    Args:
        timeOut: seconds until commands without an answer fail; see
            `persistentTimeOut`.

    Attributes:
        persistentTimeOut: as `timeOut`. It counts from the oldest command that has
            no answer, and anew from each answer.
        MAX_KEY_LENGTH: how many bytes a key may have.
        MAX_VALUE_LENGTH: how many bytes a value may have that the server sends.
    """

    #: protocol.txt, "Keys".
    MAX_KEY_LENGTH = 250
    #: memcached stores up to 1 MiB, unless told to store more: room for that.
    MAX_VALUE_LENGTH = 128 * 1024 * 1024
    _disconnected = False

    def __init__(self, timeOut: float = 60) -> None:
        self.persistentTimeOut = timeOut
        self.timeOut = timeOut
        self.__commands: deque[_Command] = deque()
        self.__value = bytearray()

    # -- storing --------------------------------------------------------------

    def set(self, key: bytes, val: bytes, flags: int = 0, expireTime: int = 0) -> Deferred[bool]:
        """
        Store a value, whether there was one or not.

        Args:
            flags: a number from 0 to 2 ** 32 - 1 that is stored with it.
            expireTime: after how many seconds it is forgotten, if at most 30 days;
                a larger number is a time since the epoch; 0 for never, and a negative
                one for at once. At most 2 ** 31 - 1, which memcached can keep.

        Returns:
            a Deferred that fires with True.
        """
        return self._set(b"set", key, val, flags, expireTime, b"")

    def add(self, key: bytes, val: bytes, flags: int = 0, expireTime: int = 0) -> Deferred[bool]:
        """As `set`, but only if there is none: fires with whether it was stored."""
        return self._set(b"add", key, val, flags, expireTime, b"")

    def replace(
        self, key: bytes, val: bytes, flags: int = 0, expireTime: int = 0
    ) -> Deferred[bool]:
        """As `set`, but only if there is one: fires with whether it was stored."""
        return self._set(b"replace", key, val, flags, expireTime, b"")

    def checkAndSet(
        self, key: bytes, val: bytes, cas: bytes, flags: int = 0, expireTime: int = 0
    ) -> Deferred[bool]:
        """
        As `set`, but only if nobody has changed it since.

        Args:
            cas: the identifier that `get` or `getMultiple` gave.

        Returns:
            a Deferred that fires with whether it was stored.
        """
        if not cas:
            return fail(ClientError("An identifier cannot be empty"))
        return self._set(b"cas", key, val, flags, expireTime, cas)

    def append(self, key: bytes, val: bytes) -> Deferred[bool]:
        """Put bytes after a value that there is: fires with whether there was one."""
        return self._set(b"append", key, val, 0, 0, b"")

    def prepend(self, key: bytes, val: bytes) -> Deferred[bool]:
        """Put bytes before a value that there is: fires with whether there was one."""
        return self._set(b"prepend", key, val, 0, 0, b"")

    def _set(
        self, cmd: bytes, key: bytes, val: bytes, flags: int, expireTime: int, cas: bytes
    ) -> Deferred[bool]:
        try:
            checked = wire.check_key(key, self.MAX_KEY_LENGTH)
            data = wire.storage(cmd, checked, val, flags, expireTime, cas)
        except ClientError as error:
            return fail(error)
        return self.__send(data, _Command(Kind.STORE))

    # -- retrieving -----------------------------------------------------------

    @overload
    def get(self, key: bytes, withIdentifier: Literal[False] = ...) -> Deferred[Found]: ...
    @overload
    def get(self, key: bytes, withIdentifier: Literal[True]) -> Deferred[FoundWithIdentifier]: ...

    def get(self, key: bytes, withIdentifier: bool = False) -> Any:
        """
        Ask for a value.

        Args:
            withIdentifier: whether to ask for what `checkAndSet` needs.

        Returns:
            a Deferred that fires with (flags, value), or (flags, identifier,
            value). If there is none, they are 0, b"" and None.
        """
        return self.__get([key], withIdentifier, False)

    @overload
    def getMultiple(
        self, keys: Iterable[bytes], withIdentifier: Literal[False] = ...
    ) -> Deferred[dict[bytes, Found]]: ...
    @overload
    def getMultiple(
        self, keys: Iterable[bytes], withIdentifier: Literal[True]
    ) -> Deferred[dict[bytes, FoundWithIdentifier]]: ...

    def getMultiple(self, keys: Iterable[bytes], withIdentifier: bool = False) -> Any:
        """
        Ask for several values at once.

        Returns:
            a Deferred that fires with a dictionary: for each key what `get` gives.
        """
        return self.__get(keys, withIdentifier, True)

    def __get(self, keys: Iterable[bytes], identified: bool, multiple: bool) -> Deferred[Any]:
        try:
            checked = [wire.check_key(key, self.MAX_KEY_LENGTH) for key in keys]
        except ClientError as error:
            return fail(error)
        if not checked and not self._disconnected:
            return succeed({})
        command = _Command(Kind.RETRIEVE, frozenset(checked), multiple, identified)
        return self.__send(wire.retrieval(checked, identified), command)

    # -- the rest -------------------------------------------------------------

    def increment(self, key: bytes, val: int = 1) -> Deferred[int | bool]:
        """
        Add to a value that is a decimal number, of 64 bits.

        Args:
            val: from 0 to 2 ** 64 - 1.

        Returns:
            a Deferred that fires with the new number, or False if there is no value.
        """
        return self.__count(b"incr", key, val)

    def decrement(self, key: bytes, val: int = 1) -> Deferred[int | bool]:
        """As `increment`, but takes away; the result is at least 0."""
        return self.__count(b"decr", key, val)

    def __count(self, name: bytes, key: bytes, val: int) -> Deferred[int | bool]:
        try:
            checked = wire.check_key(key, self.MAX_KEY_LENGTH)
            number = wire.check_number(val, "val", 0, wire.MAX_COUNT)
            data = b"%s %s %d\r\n" % (name, checked, number)
        except ClientError as error:
            return fail(error)
        return self.__send(data, _Command(Kind.COUNT))

    def delete(self, key: bytes) -> Deferred[bool]:
        """Forget a value: fires with whether there was one."""
        try:
            data = b"delete %s\r\n" % wire.check_key(key, self.MAX_KEY_LENGTH)
        except ClientError as error:
            return fail(error)
        return self.__send(data, _Command(Kind.DELETE))

    def stats(self, arg: bytes | None = None) -> Deferred[dict[bytes, bytes]]:
        """
        Ask for figures about the server.

        Args:
            arg: which; for instance b"items" or b"settings". Words with a space
                between them.

        Returns:
            a Deferred that fires with a dictionary of names and figures.
        """
        data = b"stats"
        if arg:
            try:
                for word in arg.split(b" "):
                    wire.check_key(word, self.MAX_KEY_LENGTH)
            except ClientError as error:
                return fail(error)
            data += b" " + arg
        return self.__send(data + b"\r\n", _Command(Kind.STATS))

    def version(self) -> Deferred[bytes]:
        """Ask for the server's version."""
        return self.__send(b"version\r\n", _Command(Kind.VERSION))

    def flushAll(self) -> Deferred[bool]:
        """Forget all values: fires with True."""
        return self.__send(b"flush_all\r\n", _Command(Kind.FLUSH))

    def __send(self, data: bytes, command: _Command) -> Deferred[Any]:
        if self._disconnected:
            return fail(RuntimeError("not connected"))
        if not self.__commands:
            self.setTimeout(self.persistentTimeOut)
        self.transport.write(data)
        self.__commands.append(command)
        return command.deferred

    # -- answers --------------------------------------------------------------

    def lineReceived(self, line: bytes) -> None:
        """A line of an answer came in."""
        if not self.__commands:
            raise RuntimeError(f"the server answers without having been asked: {line[:80]!r}")
        command = self.__commands[0]
        try:
            word, rest = wire.token_of(line)
            if word in wire.ITEMS.get(command.kind, ()):
                self.__item(command, word, rest)
                return
        except ValueError as error:
            raise RuntimeError(str(error)) from None
        if word == "" and command.kind is Kind.COUNT:
            self.__end(int(rest))
        elif word == "ERROR":
            self.__end(NoSuchCommand())
        elif word == "CLIENT_ERROR":
            self.__end(ClientError(repr(rest)))
        elif word == "SERVER_ERROR":
            self.__end(ServerError(repr(rest)))
        elif word not in wire.ENDINGS[command.kind]:
            raise RuntimeError(
                f"the server answers {line[:80]!r} to a command like {command.kind.value}"
            )
        elif command.kind is Kind.RETRIEVE:
            self.__end(command.retrieved())
        elif command.kind is Kind.STATS:
            self.__end(command.values)
        elif command.kind is Kind.VERSION:
            self.__end(rest)
        else:
            self.__end(word in ("STORED", "DELETED", "OK"))

    def __item(self, command: _Command, word: str, rest: bytes) -> None:
        if word != "VALUE":
            name, _, figure = rest.partition(b" ")
            command.values[name] = figure
            return
        header = wire.value_header(rest, self.MAX_VALUE_LENGTH)
        if header.key not in command.keys:
            raise RuntimeError(f"the server sends a value for {header.key!r}: nobody asked for it")
        command.header = header
        self.setRawMode()

    def rawDataReceived(self, data: bytes) -> None:
        """Bytes of a value came in, and perhaps what follows it."""
        command = self.__commands[0]
        header = command.header
        assert header is not None
        value = self.__value
        missing = header.length + 2 - len(value)
        value += data[:missing]
        if len(data) < missing:
            return
        if not value.endswith(b"\r\n"):
            raise RuntimeError(f"the value for {header.key!r} is not {header.length} bytes long")
        del value[-2:]
        found = bytes(value)
        value.clear()
        command.header = None
        command.values[header.key] = (
            (header.flags, header.cas, found) if command.identified else (header.flags, found)
        )
        self.setLineMode(data[missing:])

    def lineLengthExceeded(self, line: bytes) -> None:
        """No line of an answer is that long."""
        raise RuntimeError(f"the server sent a line longer than {self.MAX_LENGTH} bytes")

    def __end(self, result: Any) -> None:
        command = self.__commands.popleft()
        self.setTimeout(self.persistentTimeOut if self.__commands else None)
        if isinstance(result, Exception):
            command.deferred.errback(result)
        else:
            command.deferred.callback(result)

    # -- the end --------------------------------------------------------------

    def timeoutConnection(self) -> None:
        """No answer for too long: all commands fail, and the connection ends."""
        if self._disconnected:
            # Nor does the server take what was written before the end.
            self.transport.abortConnection()
            return
        self.setTimeout(self.persistentTimeOut)
        self.__fail(TimeoutError("Connection timeout"))
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: all commands fail with the reason."""
        self.setTimeout(None)
        self.__fail(reason)
        super().connectionLost(reason)

    def __fail(self, reason: Failure | Exception) -> None:
        self._disconnected = True
        commands, self.__commands = self.__commands, deque()
        self.__value.clear()
        for command in commands:
            command.deferred.errback(reason)
