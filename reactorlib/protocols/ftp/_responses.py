"""
The replies of a server: a code of ours for each, and its text.

The codes are those of RFC 959 section 4.2, told apart by a number behind the dot
where one of them has several texts.
"""

from __future__ import annotations

RESTART_MARKER_REPLY = "100"
SERVICE_READY_IN_N_MINUTES = "120"
DATA_CNX_ALREADY_OPEN_START_XFR = "125"
FILE_STATUS_OK_OPEN_DATA_CNX = "150"
CMD_OK = "200.1"
TYPE_SET_OK = "200.2"
ENTERING_PORT_MODE = "200.3"
EPSV_ALL_OK = "200.4"
CMD_NOT_IMPLMNTD_SUPERFLUOUS = "202"
SYS_STATUS_OR_HELP_REPLY = "211.1"
FEAT_OK = "211.2"
DIR_STATUS = "212"
FILE_STATUS = "213"
HELP_MSG = "214"
NAME_SYS_TYPE = "215"
SVC_READY_FOR_NEW_USER = "220.1"
WELCOME_MSG = "220.2"
SVC_CLOSING_CTRL_CNX = "221.1"
GOODBYE_MSG = "221.2"
DATA_CNX_OPEN_NO_XFR_IN_PROGRESS = "225"
CLOSING_DATA_CNX = "226.1"
TXFR_COMPLETE_OK = "226.2"
ENTERING_PASV_MODE = "227"
ENTERING_EPSV_MODE = "229"
USR_LOGGED_IN_PROCEED = "230.1"
GUEST_LOGGED_IN_PROCEED = "230.2"
REQ_FILE_ACTN_COMPLETED_OK = "250"
PWD_REPLY = "257.1"  # noqa: S105
MKD_REPLY = "257.2"
USR_NAME_OK_NEED_PASS = "331.1"  # noqa: S105
GUEST_NAME_OK_NEED_EMAIL = "331.2"
NEED_ACCT_FOR_LOGIN = "332"
REQ_FILE_ACTN_PENDING_FURTHER_INFO = "350"
SVC_NOT_AVAIL_CLOSING_CTRL_CNX = "421.1"
TOO_MANY_CONNECTIONS = "421.2"
CANT_OPEN_DATA_CNX = "425"
CNX_CLOSED_TXFR_ABORTED = "426"
REQ_ACTN_ABRTD_FILE_UNAVAIL = "450"
REQ_ACTN_ABRTD_LOCAL_ERR = "451"
REQ_ACTN_ABRTD_INSUFF_STORAGE = "452"
SYNTAX_ERR = "500"
SYNTAX_ERR_IN_ARGS = "501"
CMD_NOT_IMPLMNTD = "502.1"
OPTS_NOT_IMPLEMENTED = "502.2"
PASV_IPV6_NOT_IMPLEMENTED = "502.3"
BAD_CMD_SEQ = "503"
CMD_NOT_IMPLMNTD_FOR_PARAM = "504"
UNSUPPORTED_NETWORK_PROTOCOL = "522"
NOT_LOGGED_IN = "530.1"
AUTH_FAILURE = "530.2"
NEED_ACCT_FOR_STOR = "532"
FILE_NOT_FOUND = "550.1"
PERMISSION_DENIED = "550.2"
ANON_USER_DENIED = "550.3"
IS_NOT_A_DIR = "550.4"
REQ_ACTN_NOT_TAKEN = "550.5"
FILE_EXISTS = "550.6"
IS_A_DIR = "550.7"
PAGE_TYPE_UNK = "551"
EXCEEDED_STORAGE_ALLOC = "552"
FILENAME_NOT_ALLOWED = "553"

#: The text of each reply, code included; a list where more lines go in between.
RESPONSE: dict[str, str | list[str]] = {
    RESTART_MARKER_REPLY: "110 MARK yyyy-mmmm",
    SERVICE_READY_IN_N_MINUTES: "120 service ready in %s minutes",
    DATA_CNX_ALREADY_OPEN_START_XFR: "125 Data connection already open, starting transfer",
    FILE_STATUS_OK_OPEN_DATA_CNX: "150 File status okay; about to open data connection.",
    CMD_OK: "200 Command OK",
    TYPE_SET_OK: "200 Type set to %s.",
    ENTERING_PORT_MODE: "200 PORT OK",
    EPSV_ALL_OK: "200 EPSV ALL OK",
    CMD_NOT_IMPLMNTD_SUPERFLUOUS: "202 Command not implemented, superfluous at this site",
    SYS_STATUS_OR_HELP_REPLY: "211 System status reply",
    FEAT_OK: ["211-Features:", "211 End"],
    DIR_STATUS: "212 %s",
    FILE_STATUS: "213 %s",
    HELP_MSG: "214 help: %s",
    NAME_SYS_TYPE: "215 UNIX Type: L8",
    SVC_READY_FOR_NEW_USER: "220 Service ready",
    WELCOME_MSG: "220 %s",
    SVC_CLOSING_CTRL_CNX: "221 Service closing control connection",
    GOODBYE_MSG: "221 Goodbye.",
    DATA_CNX_OPEN_NO_XFR_IN_PROGRESS: "225 data connection open, no transfer in progress",
    CLOSING_DATA_CNX: "226 Abort successful",
    TXFR_COMPLETE_OK: "226 Transfer Complete.",
    ENTERING_PASV_MODE: "227 Entering Passive Mode (%s).",
    ENTERING_EPSV_MODE: "229 Entering Extended Passive Mode (|||%s|).",
    USR_LOGGED_IN_PROCEED: "230 User logged in, proceed",
    GUEST_LOGGED_IN_PROCEED: "230 Anonymous login ok, access restrictions apply.",
    REQ_FILE_ACTN_COMPLETED_OK: "250 Requested File Action Completed OK",
    PWD_REPLY: '257 "%s"',
    MKD_REPLY: '257 "%s" created',
    USR_NAME_OK_NEED_PASS: "331 Password required for %s.",
    GUEST_NAME_OK_NEED_EMAIL: "331 Guest login ok, type your email address as password.",
    NEED_ACCT_FOR_LOGIN: "332 Need account for login.",
    REQ_FILE_ACTN_PENDING_FURTHER_INFO: "350 Requested file action pending further information.",
    SVC_NOT_AVAIL_CLOSING_CTRL_CNX: "421 Service not available, closing control connection.",
    TOO_MANY_CONNECTIONS: "421 Too many users right now, try again in a few minutes.",
    CANT_OPEN_DATA_CNX: "425 Can't open data connection.",
    CNX_CLOSED_TXFR_ABORTED: "426 Transfer aborted.  Data connection closed.",
    REQ_ACTN_ABRTD_FILE_UNAVAIL: "450 Requested action aborted. File unavailable.",
    REQ_ACTN_ABRTD_LOCAL_ERR: "451 Requested action aborted. Local error in processing.",
    REQ_ACTN_ABRTD_INSUFF_STORAGE: "452 Requested action aborted. Insufficient storage.",
    SYNTAX_ERR: "500 Syntax error: %s",
    SYNTAX_ERR_IN_ARGS: "501 syntax error in argument(s) %s.",
    CMD_NOT_IMPLMNTD: "502 Command '%s' not implemented",
    OPTS_NOT_IMPLEMENTED: "502 Option '%s' not implemented.",
    PASV_IPV6_NOT_IMPLEMENTED: "502 PASV available only for IPv4 (use EPSV instead)",
    BAD_CMD_SEQ: "503 Incorrect sequence of commands: %s",
    CMD_NOT_IMPLMNTD_FOR_PARAM: "504 Not implemented for parameter '%s'.",
    UNSUPPORTED_NETWORK_PROTOCOL: "522 Network protocol not supported, use (%s)",
    NOT_LOGGED_IN: "530 Please login with USER and PASS.",
    AUTH_FAILURE: "530 Sorry, Authentication failed.",
    NEED_ACCT_FOR_STOR: "532 Need an account for storing files",
    FILE_NOT_FOUND: "550 %s: No such file or directory.",
    PERMISSION_DENIED: "550 %s: Permission denied.",
    ANON_USER_DENIED: "550 Anonymous users are forbidden to change the filesystem",
    IS_NOT_A_DIR: "550 Cannot rmd, %s is not a directory",
    REQ_ACTN_NOT_TAKEN: "550 Requested action not taken: %s",
    FILE_EXISTS: "550 %s: File exists",
    IS_A_DIR: "550 %s: is a directory",
    PAGE_TYPE_UNK: "551 Page type unknown",
    EXCEEDED_STORAGE_ALLOC: "552 Requested file action aborted, exceeded file storage allocation",
    FILENAME_NOT_ALLOWED: "553 Requested action not taken, file name not allowed",
}

__all__ = [
    "ANON_USER_DENIED",
    "AUTH_FAILURE",
    "BAD_CMD_SEQ",
    "CANT_OPEN_DATA_CNX",
    "CLOSING_DATA_CNX",
    "CMD_NOT_IMPLMNTD",
    "CMD_NOT_IMPLMNTD_FOR_PARAM",
    "CMD_NOT_IMPLMNTD_SUPERFLUOUS",
    "CMD_OK",
    "CNX_CLOSED_TXFR_ABORTED",
    "DATA_CNX_ALREADY_OPEN_START_XFR",
    "DATA_CNX_OPEN_NO_XFR_IN_PROGRESS",
    "DIR_STATUS",
    "ENTERING_EPSV_MODE",
    "ENTERING_PASV_MODE",
    "ENTERING_PORT_MODE",
    "EPSV_ALL_OK",
    "EXCEEDED_STORAGE_ALLOC",
    "FEAT_OK",
    "FILENAME_NOT_ALLOWED",
    "FILE_EXISTS",
    "FILE_NOT_FOUND",
    "FILE_STATUS",
    "FILE_STATUS_OK_OPEN_DATA_CNX",
    "GOODBYE_MSG",
    "GUEST_LOGGED_IN_PROCEED",
    "GUEST_NAME_OK_NEED_EMAIL",
    "HELP_MSG",
    "IS_A_DIR",
    "IS_NOT_A_DIR",
    "MKD_REPLY",
    "NAME_SYS_TYPE",
    "NEED_ACCT_FOR_LOGIN",
    "NEED_ACCT_FOR_STOR",
    "NOT_LOGGED_IN",
    "OPTS_NOT_IMPLEMENTED",
    "PAGE_TYPE_UNK",
    "PASV_IPV6_NOT_IMPLEMENTED",
    "PERMISSION_DENIED",
    "PWD_REPLY",
    "REQ_ACTN_ABRTD_FILE_UNAVAIL",
    "REQ_ACTN_ABRTD_INSUFF_STORAGE",
    "REQ_ACTN_ABRTD_LOCAL_ERR",
    "REQ_ACTN_NOT_TAKEN",
    "REQ_FILE_ACTN_COMPLETED_OK",
    "REQ_FILE_ACTN_PENDING_FURTHER_INFO",
    "RESPONSE",
    "RESTART_MARKER_REPLY",
    "SERVICE_READY_IN_N_MINUTES",
    "SVC_CLOSING_CTRL_CNX",
    "SVC_NOT_AVAIL_CLOSING_CTRL_CNX",
    "SVC_READY_FOR_NEW_USER",
    "SYNTAX_ERR",
    "SYNTAX_ERR_IN_ARGS",
    "SYS_STATUS_OR_HELP_REPLY",
    "TOO_MANY_CONNECTIONS",
    "TXFR_COMPLETE_OK",
    "TYPE_SET_OK",
    "UNSUPPORTED_NETWORK_PROTOCOL",
    "USR_LOGGED_IN_PROCEED",
    "USR_NAME_OK_NEED_PASS",
    "WELCOME_MSG",
]
