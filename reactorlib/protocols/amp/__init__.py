"""
AMP, the Asynchronous Messaging Protocol: commands, asked and answered by both sides.

    class Sum(Command):
        arguments = [(b"a", Integer()), (b"b", Integer())]
        response = [(b"total", Integer())]

    class Calculator(AMP):
        @Sum.responder
        def sum(self, a, b):
            return {"total": a + b}

    result = await protocol.callRemote(Sum, a=13, b=81)

Any number of questions may be on their way; each answer carries the tag of its
question. On the wire it is Twisted's AMP.
"""

from __future__ import annotations

from reactorlib.protocols.amp._arguments import (
    AmpList,
    Argument,
    Boolean,
    DateTime,
    Decimal,
    Descriptor,
    Float,
    Integer,
    ListOf,
    Path,
    String,
    Unicode,
    utc,
)
from reactorlib.protocols.amp._arguments import FixedOffset as _FixedOffsetTZInfo
from reactorlib.protocols.amp._arguments import objects_to_strings as _objectsToStrings
from reactorlib.protocols.amp._arguments import strings_to_objects as _stringsToObjects
from reactorlib.protocols.amp._box import (
    ANSWER,
    ASK,
    COMMAND,
    ERROR,
    ERROR_CODE,
    ERROR_DESCRIPTION,
    AmpBox,
    Box,
    QuitBox,
    _SwitchBox,
)
from reactorlib.protocols.amp._command import Command, ProtocolSwitchCommand
from reactorlib.protocols.amp._dispatch import BoxDispatcher
from reactorlib.protocols.amp._errors import (
    PROTOCOL_ERRORS,
    UNHANDLED_ERROR_CODE,
    UNKNOWN_ERROR_CODE,
    AmpError,
    BadLocalReturn,
    IncompatibleVersions,
    InvalidSignature,
    MalformedAmpBox,
    NoEmptyBoxes,
    OnlyOneTLS,
    ProtocolSwitched,
    RemoteAmpError,
    TooLong,
    UnhandledCommand,
    UnknownRemoteError,
)
from reactorlib.protocols.amp._files import parse, parseString
from reactorlib.protocols.amp._interfaces import (
    IArgumentType,
    IBoxReceiver,
    IBoxSender,
    IResponderLocator,
)
from reactorlib.protocols.amp._locating import CommandLocator, SimpleStringLocator
from reactorlib.protocols.amp._names import PYTHON_KEYWORDS
from reactorlib.protocols.amp._names import python_name as _wireNameToPythonIdentifier
from reactorlib.protocols.amp._protocol import AMP, BinaryBoxProtocol
from reactorlib.protocols.amp._tls import StartTLS, _TLSBox
from reactorlib.protocols.amp._wire import MAX_BOX_LENGTH, MAX_KEY_LENGTH, MAX_VALUE_LENGTH

__all__ = [
    "AMP",
    "ANSWER",
    "ASK",
    "COMMAND",
    "ERROR",
    "ERROR_CODE",
    "ERROR_DESCRIPTION",
    "MAX_BOX_LENGTH",
    "MAX_KEY_LENGTH",
    "MAX_VALUE_LENGTH",
    "PROTOCOL_ERRORS",
    "PYTHON_KEYWORDS",
    "UNHANDLED_ERROR_CODE",
    "UNKNOWN_ERROR_CODE",
    "AmpBox",
    "AmpError",
    "AmpList",
    "Argument",
    "BadLocalReturn",
    "BinaryBoxProtocol",
    "Boolean",
    "Box",
    "BoxDispatcher",
    "Command",
    "CommandLocator",
    "DateTime",
    "Decimal",
    "Descriptor",
    "Float",
    "IArgumentType",
    "IBoxReceiver",
    "IBoxSender",
    "IResponderLocator",
    "IncompatibleVersions",
    "Integer",
    "InvalidSignature",
    "ListOf",
    "MalformedAmpBox",
    "NoEmptyBoxes",
    "OnlyOneTLS",
    "Path",
    "ProtocolSwitchCommand",
    "ProtocolSwitched",
    "QuitBox",
    "RemoteAmpError",
    "SimpleStringLocator",
    "StartTLS",
    "String",
    "TooLong",
    "UnhandledCommand",
    "Unicode",
    "UnknownRemoteError",
    "_FixedOffsetTZInfo",
    "_SwitchBox",
    "_TLSBox",
    "_objectsToStrings",
    "_stringsToObjects",
    "_wireNameToPythonIdentifier",
    "parse",
    "parseString",
    "utc",
]
