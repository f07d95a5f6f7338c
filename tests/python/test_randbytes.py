"""Random bytes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from reactorlib.python import randbytes


@pytest.mark.parametrize("source", [randbytes.secureRandom, randbytes.insecureRandom])
def test_as_many_as_asked_for_and_others_each_time(source: Callable[[int], bytes]) -> None:
    assert source(0) == b""
    for count in (1, 17, 64):
        assert len(source(count)) == count
    assert source(16) != source(16)


def test_a_system_without_randomness(monkeypatch: pytest.MonkeyPatch) -> None:
    def urandom(count: int) -> bytes:
        raise NotImplementedError

    monkeypatch.setattr(os, "urandom", urandom)
    with pytest.raises(randbytes.SecureRandomNotAvailable):
        randbytes.secureRandom(8)
    with pytest.warns(RuntimeWarning, match="non-cryptographically"):
        assert len(randbytes.secureRandom(8, fallback=True)) == 8
