"""What only the embedded bus promises: one file, its errors, its retention, and that deleted text is gone from it."""

from __future__ import annotations

import multiprocessing
import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.bus.embedded import Config, EmbeddedBus
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import BusUnavailable, ConfigError, Stop
from pipeline.ports import Partition, Record, Topic

TOPIC = "mentions"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "bus.db"


@pytest.fixture
def bus(path: Path, clock: ManualClock) -> Iterator[EmbeddedBus]:
    bus = EmbeddedBus(Config(path=path, busy_secs=0.05), clock)
    bus.apply([Topic(TOPIC, 1, 24)])
    yield bus
    bus.close()


def write(bus: EmbeddedBus, *values: bytes, key: bytes = b"key") -> None:
    producer = bus.producer()
    producer.send(TOPIC, [(key, value) for value in values])
    producer.flush()
    producer.close()


def read(bus: EmbeddedBus, group: str = "reader") -> list[Record]:
    """Everything the group has not committed; commits nothing."""
    consumer = bus.consumer(group, [TOPIC])
    records = list(consumer.poll(10_000, 0))
    consumer.close()
    return records


def on_disk(path: Path) -> bytes:
    return b"".join(part.read_bytes() for part in path.parent.iterdir())


# ------------------------------------------------------------------------- retention


def test_retention_takes_the_old_away_and_offsets_go_on(bus: EmbeddedBus, clock: ManualClock) -> None:
    write(bus, b"old 1", b"old 2")
    clock.advance(20 * 3600)
    write(bus, b"young")
    clock.advance(5 * 3600)
    write(bus, b"new")
    assert [(record.offset, record.value) for record in read(bus)] == [(2, b"young"), (3, b"new")]
    lag = bus.lag("reader", TOPIC)[0]
    assert (lag.committed, lag.end) == (2, 4)


def test_a_reader_below_the_start_goes_on_at_the_start(bus: EmbeddedBus, clock: ManualClock) -> None:
    write(bus, b"1", b"2", b"3")
    consumer = bus.consumer("slow", [TOPIC])
    assert [record.offset for record in consumer.poll(1, 0)] == [0]
    clock.advance(25 * 3600)
    write(bus, b"4")
    assert [record.offset for record in consumer.poll(10, 0)] == [3]
    consumer.close()


def test_an_emptied_partition_counts_on_from_where_it_was(bus: EmbeddedBus, clock: ManualClock) -> None:
    write(bus, b"1", b"2")
    clock.advance(25 * 3600)
    bus.apply([Topic("another", 1, 24)])
    producer = bus.producer()
    producer.send("another", [(b"key", b"the write that sweeps")])
    producer.flush()
    producer.close()
    assert bus.lag("reader", TOPIC)[0] == (2, 2)
    write(bus, b"3")
    assert [record.offset for record in read(bus)] == [2]


def test_a_large_backlog_of_expired_records_goes_little_by_little(bus: EmbeddedBus, clock: ManualClock) -> None:
    write(bus, *[b"old"] * 2500)
    clock.advance(25 * 3600)
    left = []
    producer = bus.producer()
    for _ in range(4):  # the clock stands still: it goes on because some were left over
        producer.send(TOPIC, [(b"key", b"new")])
        producer.flush()
        left.append(bus.lag("reader", TOPIC)[0].records)
    producer.close()
    assert left == [1501, 502, 3, 4]


# ----------------------------------------------------------------------------- purge


@pytest.mark.parametrize("size", [300, 30_000], ids=["within a page", "over several pages"])
def test_purged_text_is_gone_from_the_disk(bus: EmbeddedBus, path: Path, size: int) -> None:
    kept, purged = b"keep this " * (size // 10), b"forget me " * (size // 10)
    for number in range(30):
        write(bus, kept, purged, key=b"key-%d" % (number % 3))
    assert b"forget me" in on_disk(path)
    keys = [b"key-0", b"key-1", b"key-2"]
    assert bus.purge(TOPIC, keys, lambda value: value.startswith(b"forget")) == "now"
    assert b"forget me" not in on_disk(path)
    assert [record.value for record in read(bus)] == [kept] * 30


def test_purge_looks_at_the_key_not_only_at_its_hash(bus: EmbeddedBus) -> None:
    # CRC-32 is linear, which makes a pair with one hash easy to write down: both are 0x4DDB0C25.
    write(bus, b"mine", key=b"plumless")
    write(bus, b"theirs", key=b"buckeroo")
    bus.purge(TOPIC, [b"plumless"], lambda value: True)
    assert [record.value for record in read(bus)] == [b"theirs"]


def test_purge_leaves_other_topics_alone_and_an_unknown_topic_has_nothing(bus: EmbeddedBus) -> None:
    bus.apply([Topic("another", 2, 24)])
    write(bus, b"text")
    assert bus.purge("another", [b"key"], lambda value: True) == "now"
    assert bus.purge("unheard of", [b"key"], lambda value: True) == "now"
    assert len(read(bus)) == 1


def test_a_drained_group_has_no_lag_after_its_next_records_were_purged(bus: EmbeddedBus) -> None:
    write(bus, b"1", b"2")
    assert bus.lag("reader", TOPIC)[0].records == 2
    bus.purge(TOPIC, [b"key"], lambda value: True)
    assert bus.lag("reader", TOPIC)[0].records == 0


# ---------------------------------------------------------------------------- errors


def test_a_topic_that_was_never_applied_is_named_with_the_remedy(bus: EmbeddedBus) -> None:
    producer, consumer = bus.producer(), bus.consumer("reader", ["unheard.of"])
    with pytest.raises(ConfigError, match=r"unheard\.of: does not exist.*harken topics apply"):
        producer.send("unheard.of", [(b"key", b"value")])
    with pytest.raises(ConfigError, match=r"unheard\.of"):
        consumer.poll(1, 0)
    assert bus.lag("reader", "unheard.of") == {}
    bus.apply([Topic("unheard.of", 1, 24)])
    producer.send("unheard.of", [(b"key", b"value")])
    producer.flush()
    assert len(consumer.poll(1, 0)) == 1
    producer.close()
    consumer.close()


def test_a_locked_file_is_unavailable_and_then_works_again(bus: EmbeddedBus, path: Path) -> None:
    write(bus, b"before")
    producer, consumer = bus.producer(), bus.consumer("reader", [TOPIC])
    records = consumer.poll(10, 0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    producer.send(TOPIC, [(b"key", b"lost")])
    with pytest.raises(BusUnavailable, match="locked"):
        producer.flush()
    with pytest.raises(BusUnavailable, match="locked"):
        consumer.commit({Partition(TOPIC, 0): 1})
    with pytest.raises(BusUnavailable, match="locked"):
        bus.apply([Topic("another", 1, 24)])
    other.execute("ROLLBACK")
    other.close()
    consumer.commit({record.partition: record.offset + 1 for record in records})
    producer.flush()  # nothing was held back
    producer.send(TOPIC, [(b"key", b"after")])
    producer.flush()
    assert [record.value for record in consumer.poll(10, 0)] == [b"after"]
    producer.close()
    consumer.close()


def test_a_disk_that_takes_no_more_is_unavailable_and_then_works_again(bus: EmbeddedBus, path: Path) -> None:
    write(bus, b"before")
    producer = bus.producer()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100_000, hard))
    try:
        producer.send(TOPIC, [(b"key", bytes(400_000))])
        with pytest.raises(BusUnavailable, match="bus file"):
            producer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    producer.send(TOPIC, [(b"key", b"after")])
    producer.flush()
    producer.close()
    assert [record.value for record in read(bus)] == [b"before", b"after"]


def test_a_full_file_system_is_unavailable(bus: EmbeddedBus, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def small(*args: object, **options: object) -> sqlite3.Connection:
        db = connect(*args, **options)  # type: ignore[call-overload]  # handed through
        db.execute("PRAGMA max_page_count = 40")
        return db  # type: ignore[no-any-return]  # as above

    # SQLite's own way to answer SQLITE_FULL without a file system of that size.
    monkeypatch.setattr(sqlite3, "connect", small)
    producer = bus.producer()
    producer.send(TOPIC, [(b"key", bytes(8192 * 50))])
    with pytest.raises(BusUnavailable, match="full"):
        producer.flush()
    producer.close()


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("in the way")
    bus = EmbeddedBus(Config(path=tmp_path / "file" / "bus.db"), clock)
    with pytest.raises(BusUnavailable, match="folder"):
        bus.apply([Topic(TOPIC, 1, 24)])


def test_a_file_that_is_no_bus_stops_the_operator(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "text.db").write_text("just some text, long enough not to be an empty database\n" * 100)
    with pytest.raises(Stop, match="not a bus file"):
        EmbeddedBus(Config(path=tmp_path / "text.db"), clock).lag("reader", TOPIC)
    other = sqlite3.connect(tmp_path / "store.db")
    other.execute("CREATE TABLE mentions (id TEXT)")
    other.close()
    with pytest.raises(ConfigError, match="name another file"):
        EmbeddedBus(Config(path=tmp_path / "store.db"), clock).lag("reader", TOPIC)


# -------------------------------------------------------------------- many processes


def append(path: Path, number: int) -> None:
    bus = EmbeddedBus(Config(path=path), SystemClock())
    bus.apply([Topic(TOPIC, 1, 24)])
    for count in range(20):
        write(bus, b"%d" % count, key=b"%d" % number)


def test_processes_that_make_the_file_at_once_and_write_together_lose_nothing(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=append, args=(path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    bus = EmbeddedBus(Config(path=path), SystemClock())
    records = read(bus)
    bus.close()
    assert [record.offset for record in records] == list(range(80))
    for number in range(4):
        values = [record.value for record in records if record.key == b"%d" % number]
        assert values == [b"%d" % count for count in range(20)]


def test_waiting_ends_when_the_process_is_told_to_stop(bus: EmbeddedBus, clock: ManualClock) -> None:
    consumer = bus.consumer("reader", [TOPIC])
    clock.stop()
    assert not consumer.poll(10, 3600)
    assert clock.monotonic() < 1
    consumer.close()
