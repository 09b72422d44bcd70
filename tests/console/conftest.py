"""The application with the whole desk behind it. On SQLite: what the databases spell differently is tested below the
API; what they lock differently is tested on PostgreSQL by those tests that say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.console.work import Work


@pytest.fixture
def work(tmp_path: Path, clock: ManualClock) -> Iterator[Work]:
    store = Store(f"sqlite:///{tmp_path}/store.db", clock)
    store.upgrade()
    yield Work(store, clock)
    store.close()
