from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ._reactord import Daemon, daemon_in


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with daemon_in(tmp_path) as made:
        yield made
