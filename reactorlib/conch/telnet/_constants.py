"""
The numbers of telnet.

RFC 854 (commands), 857 (ECHO), 858 (SGA), 885 (EOR), 1073 (NAWS), 1184 (LINEMODE).
Each is one byte, but for those that are bits of a mask.
"""

from __future__ import annotations

# What the network virtual terminal knows of ASCII's control characters: RFC 854, page 10.
NULL = b"\x00"
BEL = b"\x07"
BS = b"\x08"
HT = b"\x09"
LF = b"\x0a"
VT = b"\x0b"
FF = b"\x0c"
CR = b"\x0d"

# Commands, each after an IAC: RFC 854, page 14.
SE = b"\xf0"
NOP = b"\xf1"
DM = b"\xf2"
BRK = b"\xf3"
IP = b"\xf4"
AO = b"\xf5"
AYT = b"\xf6"
EC = b"\xf7"
EL = b"\xf8"
GA = b"\xf9"
SB = b"\xfa"
WILL = b"\xfb"
WONT = b"\xfc"
DO = b"\xfd"
DONT = b"\xfe"
IAC = b"\xff"

#: End of record: RFC 885.
EOR = b"\xef"

# Options.
ECHO = b"\x01"
SGA = b"\x03"
NAWS = b"\x1f"
LINEMODE = b"\x22"

# Linemode: RFC 1184 sections 2.2, 2.4 and 2.5.
MODE = b"\x01"
EDIT = 1
TRAPSIG = 2
MODE_ACK = 4
SOFT_TAB = 8
LIT_ECHO = 16

LINEMODE_MODE = b"\x01"
LINEMODE_FORWARDMASK = b"\x02"
LINEMODE_SLC = b"\x03"

LINEMODE_EDIT = b"\x01"
LINEMODE_TRAPSIG = b"\x02"
LINEMODE_MODE_ACK = b"\x04"
LINEMODE_SOFT_TAB = b"\x08"
LINEMODE_LIT_ECHO = b"\x10"

LINEMODE_EOF = b"\xec"
LINEMODE_SUSP = b"\xed"
LINEMODE_ABORT = b"\xee"

# The characters that a client may say are special.
LINEMODE_SLC_SYNCH = b"\x01"
LINEMODE_SLC_BRK = b"\x02"
LINEMODE_SLC_IP = b"\x03"
LINEMODE_SLC_AO = b"\x04"
LINEMODE_SLC_AYT = b"\x05"
LINEMODE_SLC_EOR = b"\x06"
LINEMODE_SLC_ABORT = b"\x07"
LINEMODE_SLC_EOF = b"\x08"
LINEMODE_SLC_SUSP = b"\x09"
LINEMODE_SLC_EC = b"\x0a"
LINEMODE_SLC_EL = b"\x0b"
LINEMODE_SLC_EW = b"\x0c"
LINEMODE_SLC_RP = b"\x0d"
LINEMODE_SLC_LNEXT = b"\x0e"
LINEMODE_SLC_XON = b"\x0f"
LINEMODE_SLC_XOFF = b"\x10"
LINEMODE_SLC_FORW1 = b"\x11"
LINEMODE_SLC_FORW2 = b"\x12"
LINEMODE_SLC_MCL = b"\x13"
LINEMODE_SLC_MCR = b"\x14"
LINEMODE_SLC_MCWL = b"\x15"
LINEMODE_SLC_MCWR = b"\x16"
LINEMODE_SLC_MCBOL = b"\x17"
LINEMODE_SLC_MCEOL = b"\x18"
LINEMODE_SLC_INSRT = b"\x19"
LINEMODE_SLC_OVER = b"\x1a"
LINEMODE_SLC_ECR = b"\x1b"
LINEMODE_SLC_EWR = b"\x1c"
LINEMODE_SLC_EBOL = b"\x1d"
LINEMODE_SLC_EEOL = b"\x1e"

LINEMODE_SLC_NOSUPPORT = b"\x00"
LINEMODE_SLC_CANTCHANGE = b"\x01"
LINEMODE_SLC_VALUE = b"\x02"
LINEMODE_SLC_DEFAULT = b"\x03"
LINEMODE_SLC_LEVELBITS = b"\x03"
LINEMODE_SLC_FLUSHOUT = b"\x20"
LINEMODE_SLC_FLUSHIN = b"\x40"
LINEMODE_SLC_ACK = b"\x80"
