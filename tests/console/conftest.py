"""The application with the whole desk behind it. On SQLite: what the databases spell differently is tested below the
API; what they lock differently is tested on PostgreSQL by those tests that say so."""

from __future__ import annotations

import pytest

from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.console.work import Work


@pytest.fixture
def work(sqlite_store: Store, clock: ManualClock) -> Work:
    return Work(sqlite_store, clock)
