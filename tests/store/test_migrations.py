from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from pipeline.clock import ManualClock
from pipeline.errors import ConfigError
from pipeline.store import Store, migrate
from pipeline.store.tables import metadata


@pytest.fixture
def empty_store(store_url: str, clock: ManualClock) -> Any:
    store = Store(store_url, clock)
    yield store
    store.close()


def test_the_migrations_lead_to_the_tables_the_code_knows(empty_store: Store) -> None:
    empty_store.upgrade()
    with empty_store._db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_twice_does_nothing_and_says_nothing(empty_store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    handlers = list(logging.getLogger().handlers)
    empty_store.upgrade()
    empty_store.upgrade()
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers


def test_several_roles_may_upgrade_at_once(store_url: str, clock: ManualClock) -> None:
    stores = [Store(store_url, clock) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda store: store.upgrade(), stores))
    for store in stores:
        store.ping()
        assert store.sources() == []
        store.close()


def test_a_database_of_a_newer_version_is_refused(empty_store: Store) -> None:
    empty_store.upgrade()
    with empty_store._db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer harken"):
        empty_store.upgrade()


def test_a_database_without_tables_is_named_with_its_remedy(empty_store: Store) -> None:
    with pytest.raises(ConfigError, match="upgrade"):
        empty_store.queues()


def test_the_folder_of_a_new_database_is_made(tmp_path: Path, clock: ManualClock) -> None:
    store = Store(f"sqlite:///{tmp_path}/var/deep/store.db", clock)
    assert not (tmp_path / "var").exists()
    store.upgrade()
    assert store.queues() == []
    store.close()


def test_the_newest_revision_is_the_one_alembic_leads_to() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.NEWEST
