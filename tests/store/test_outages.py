from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import ConfigError, StoreUnavailable
from pipeline.store import Store, database
from tests.fixtures.postgres import PostgresServer
from tests.store.samples import ids, removal, routed, taken


@pytest.fixture
def running(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """The server; running again afterwards, however the test ended."""
    yield postgres_server
    postgres_server.start_again()


@pytest.fixture
def postgres_store(running: PostgresServer, postgres_url: str, clock: ManualClock) -> Iterator[Store]:
    store = Store(postgres_url, clock)
    store.upgrade()
    yield store
    store.close()


@pytest.mark.postgres
def test_postgresql_may_vanish_between_two_calls_and_come_back(running: PostgresServer, postgres_store: Store) -> None:
    store = postgres_store
    store.deliver([routed("test:1")])
    running.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            store.deliver([routed("test:2")])
    running.start()
    store.deliver([routed("test:2")])
    assert sorted(ids(store.queue("service"))) == ["test:1", "test:2"]
    running.stop()
    running.start()
    store.ping()


@pytest.mark.postgres
def test_postgresql_may_vanish_within_a_call_and_nothing_of_it_stays(
    running: PostgresServer, postgres_store: Store
) -> None:
    class Unplugged(list[str]):
        """Sinks that take the server down when they are gone through, which is after the mentions are written."""

        def __iter__(self) -> Iterator[str]:
            running.stop()
            return super().__iter__()

    with pytest.raises(StoreUnavailable):
        postgres_store.deliver([routed("test:1")], sinks=Unplugged(["file"]))
    running.start()
    assert postgres_store.queue("service") == []
    assert postgres_store.story("test:1").arrival is None


def test_a_password_never_shows(clock: ManualClock) -> None:
    store = Store("postgresql://harken:hunter2@127.0.0.1:1/nowhere", clock)
    with pytest.raises(StoreUnavailable) as caught:
        store.ping()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in repr(store._db.engine)
    store.close()


@pytest.fixture
def sqlite_store(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    store = Store(f"sqlite:///{tmp_path}/store.db", clock)
    store.upgrade()
    yield store
    store.close()


def test_a_locked_file_is_unavailable_for_writers_and_readable_meanwhile(sqlite_store: Store, tmp_path: Path) -> None:
    sqlite_store.deliver([routed("test:1")])
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        sqlite_store.take_in("stream", "1", [taken("test:2")])
    assert ids(sqlite_store.queue("service")) == ["test:1"]
    other.execute("ROLLBACK")
    other.close()
    sqlite_store.take_in("stream", "1", [taken("test:2")])


def test_a_full_disk_is_unavailable_and_leaves_no_half_of_a_page(sqlite_store: Store) -> None:
    with sqlite_store._db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 60")
    with pytest.raises(StoreUnavailable, match="full"):
        sqlite_store.deliver([routed(f"test:{number}", text="x" * 9000) for number in range(50)])
    assert sqlite_store.queue("service") == []
    assert sqlite_store.story("test:1").arrival is None


def test_an_error_message_holds_no_data(sqlite_store: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    secret = "hunter" + str(2)  # so that the line of source in the traceback does not hold it
    with pytest.raises(StoreUnavailable) as caught:
        sqlite_store.deliver([routed("test:1", text=secret)], [removal(secret)])
    assert secret not in "".join(traceback.format_exception(caught.value))
    other.close()


def test_a_reader_in_the_way_only_delays_the_clean_up_after_a_removal(sqlite_store: Store, tmp_path: Path) -> None:
    sqlite_store.deliver([routed("test:1")])
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM mentions").fetchall()
    assert len(sqlite_store.deliver([], [removal("test:1")]).withdrawn) == 1
    other.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://u:hunter2@h/d", "mysql is not supported"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_a_url_we_cannot_use_is_a_configuration_problem(url: str, said: str, clock: ManualClock) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Store(url, clock)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_database_is_a_configuration_problem(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "store.db").write_bytes(b"once upon a time" * 100)
    store = Store(f"sqlite:///{tmp_path}/store.db", clock)
    with pytest.raises(ConfigError, match="not a SQLite database"):
        store.upgrade()
    store.close()


def test_building_a_store_opens_nothing(tmp_path: Path, clock: ManualClock) -> None:
    Store(f"sqlite:///{tmp_path}/store.db", clock).close()
    assert list(tmp_path.iterdir()) == []
