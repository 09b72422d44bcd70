from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
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


def test_what_was_let_go_before_0021_is_known_by_what_is_left(store_url: str, clock: ManualClock) -> None:
    store = Store(store_url, clock)
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    with store._db.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0020")
        for brand in ("acme", "brio"):
            values = f"'{brand}', 1, 0, 100, 30000000, 1, 1, 1, 1"
            connection.execute(text(f"INSERT INTO spike_brands VALUES ({values})"))  # noqa: S608
        mention = "'x:1', 'acme', 1, 29997000, 'x:a', 0, false, 0, false, false, ''"
        connection.execute(text(f"INSERT INTO spike_mentions VALUES ({mention})"))  # noqa: S608
    store.upgrade()
    with store._db.read() as transaction:
        rows = transaction.run(text("SELECT brand, purged, history_at FROM spike_brands ORDER BY brand")).all()
    assert [tuple(row) for row in rows] == [("acme", 29998080, -1), ("brio", 30000960, -1)]
    store.close()


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
