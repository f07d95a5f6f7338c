"""Names for what TLS and OpenSSL count: protocol versions, file formats, kinds of keys."""

from __future__ import annotations

import enum
import ssl

__all__ = [
    "FILETYPE_ASN1",
    "FILETYPE_PEM",
    "TYPE_DSA",
    "TYPE_EC",
    "TYPE_ED25519",
    "TYPE_RSA",
    "TLSVersion",
]


class TLSVersion(enum.IntEnum):
    """The versions of TLS, the oldest first. `ssl.TLSVersion` has them by other names."""

    SSLv3 = ssl.TLSVersion.SSLv3
    TLSv1_0 = ssl.TLSVersion.TLSv1
    TLSv1_1 = ssl.TLSVersion.TLSv1_1
    TLSv1_2 = ssl.TLSVersion.TLSv1_2
    TLSv1_3 = ssl.TLSVersion.TLSv1_3


# The numbers are OpenSSL's own, so that programs may as well use pyOpenSSL's names.

#: Text, with "BEGIN" and "END" lines.
FILETYPE_PEM = 1
#: DER: bytes.
FILETYPE_ASN1 = 2

TYPE_RSA = 6
TYPE_DSA = 116
TYPE_EC = 408
TYPE_ED25519 = 1087
