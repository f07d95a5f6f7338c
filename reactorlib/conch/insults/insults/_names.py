"""The names of keys, modes, character sets and renditions."""

from __future__ import annotations

__all__ = [
    "BLINK",
    "BOLD",
    "CS_ALTERNATE",
    "CS_ALTERNATE_SPECIAL",
    "CS_DRAWING",
    "CS_UK",
    "CS_US",
    "FUNCTION_KEYS",
    "G0",
    "G1",
    "G2",
    "G3",
    "NORMAL",
    "REVERSE_VIDEO",
    "UNDERLINE",
    "modes",
    "privateModes",
]


class modes:
    """The modes of ECMA-48 that terminals have."""

    KEYBOARD_ACTION = KAM = 2
    #: Characters are inserted before the cursor, rather than replaced at it.
    INSERTION_REPLACEMENT = IRM = 4
    #: A line feed goes to the beginning of the next line.
    LINEFEED_NEWLINE = LNM = 20


class privateModes:
    """The modes of DEC's own."""

    ERROR = 0
    CURSOR_KEY = 1
    ANSI_VT52 = 2
    COLUMN = 3
    SCROLL = 4
    SCREEN = 5
    ORIGIN = 6
    AUTO_WRAP = 7
    AUTO_REPEAT = 8
    PRINTER_FORM_FEED = 18
    PRINTER_EXTENT = 19
    #: The cursor is shown.
    CURSOR_MODE = 25


# Character sets, and where they can be.
CS_US = b"CS_US"
CS_UK = b"CS_UK"
CS_DRAWING = b"CS_DRAWING"
CS_ALTERNATE = b"CS_ALTERNATE"
CS_ALTERNATE_SPECIAL = b"CS_ALTERNATE_SPECIAL"

G0 = b"G0"
G1 = b"G1"
G2 = b"G2"
G3 = b"G3"

# Renditions: ECMA-48 section 8.3.117.
NORMAL = 0
BOLD = 1
UNDERLINE = 4
BLINK = 5
REVERSE_VIDEO = 7

_KEY_NAMES = (
    *("UP_ARROW", "DOWN_ARROW", "RIGHT_ARROW", "LEFT_ARROW"),
    *("HOME", "INSERT", "DELETE", "END", "PGUP", "PGDN", "NUMPAD_MIDDLE"),
    *("F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F12"),
    *("ALT", "SHIFT", "CONTROL"),
)

#: What stands for each key that sends no character, and for what is held down with others.
FUNCTION_KEYS = [b"[%b]" % name.encode("ascii") for name in _KEY_NAMES]
