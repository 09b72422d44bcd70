"""Where a person is still to be found: in the store, on the topics, in the files that harken writes.

What is found is told apart by who said it: the person (or nobody can tell), somebody else who names them, or the
tombstone that keeps them out.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from desk.person import Person
from pipeline.codec import decode
from pipeline.errors import BadRecord, BusUnavailable, StoreUnavailable
from pipeline.mention import Routed
from pipeline.ports import Bus, Record
from pipeline.store import Store
from pipeline.store.holdings import HOLDINGS
from pipeline.store.people import Found

Whose = Literal["theirs", "others", "tombstone"]
"""`theirs` must go. `others` is what other people said, which stays theirs to say."""

GROUP = "harken-privacy"
"""Reads the topics from their start, and commits nothing."""

CHUNK, OVERLAP = 8 << 20, 4096
"""Files are searched in pieces of so many bytes that overlap by so many."""

BUSY_SECS = 10.0

POLL_SECS = 0.3
"""A bus on this machine that brings nothing for so long has nothing left: its last records were purged."""


@runtime_checkable
class Archive(Protocol):
    """A sink that keeps files on this machine (`docs/sinks.md`)."""

    def files(self) -> Sequence[Path]:
        """What it has written so far: text, line by line, and SQLite databases."""
        ...

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Remember nothing any more of the mentions of which `gone` says so, by id: they were taken back."""
        ...


@dataclass(frozen=True)
class Files:
    """The files on this machine: SQLite databases (the store, the embedded bus), and what sinks keep."""

    databases: Sequence[Path] = ()
    archives: Sequence[Archive] = ()

    def kept(self, *, databases: bool) -> list[Path]:
        """What the sinks keep so far: their databases, or their other files."""
        paths = [path for archive in self.archives for path in archive.files()]
        return [path for path in paths if _is_database(path) is databases]


@dataclass
class Survey:
    """What was found: how often, by place and by whose it is, with a few examples of what is theirs."""

    counts: Counter[tuple[str, Whose]] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    common: set[str] = field(default_factory=set)
    """Words that other people's records hold too: in raw bytes they prove nothing."""
    ours: set[str] = field(default_factory=set)
    """The ids of what our own accounts said that names them."""
    cases: set[str] = field(default_factory=set)
    """Other people's cases in which something names them."""

    def add(self, place: str, whose: Whose, key: str, person: Person, data: bytes = b"") -> None:
        """Count one record."""
        self.counts[place, whose] += 1
        if whose == "theirs":
            examples = self.examples.setdefault(place, [])
            examples += [key][: 5 - len(examples)]
        elif whose == "others":
            self.common |= person.words_in(data, frozenset(self.common))

    def of(self, whose: Whose) -> dict[str, int]:
        """The counts of one kind, by place."""
        return {place: count for (place, it), count in sorted(self.counts.items()) if it == whose}


def survey(
    store: Store, bus: Bus, topics: Sequence[str], files: Files, person: Person, *, to_the_byte: bool = False
) -> Survey:
    """Look everywhere once: the whole store, every record of a bus that can erase records, the sinks' files.

    `to_the_byte` searches the raw bytes of the databases too, where deleted rows can leave remains in free pages; one
    that has remains is written anew.
    """
    found = Survey()
    for row in store.rows():
        _look_at_row(found, store, row, person)
    for topic in topics:
        if erases(bus, topic):
            for record in records(bus, topic):
                _look_at_record(found, topic, record, person)
    indexes = files.kept(databases=True)
    for path in files.kept(databases=False):
        for number, line in enumerate(_lines(path), start=1):
            _look_at_data(found, f"file {path}", f"line {number}", line, person)
    for path in indexes:
        for key, data in _cells(path):
            if person.in_bytes(data) or person.author.encode() in data.split(b"\n"):
                found.add(f"file {path}", "theirs", key, person)
    for path in (*files.databases, *indexes) if to_the_byte else ():
        if _remains(path, person, found.common):
            scrub(path)
            if place := _remains(path, person, found.common):
                found.add(f"bytes of {place}", "theirs", "its free pages", person)
    return found


def erases(bus: Bus, topic: str) -> bool:
    """Whether this bus can take single records out of a topic."""
    return bus.purge(topic, (), lambda _: False) == "now"


def records(bus: Bus, topic: str) -> Iterator[Record]:
    """Every record of a topic, from its start. Raises BusUnavailable when another process is reading so already."""
    unread = {number: lag.end for number, lag in bus.lag(GROUP, topic).items()}
    partitions = len(unread)
    consumer = bus.consumer(GROUP, [topic])
    try:
        while any(unread.values()) and (batch := consumer.poll(1000, POLL_SECS)):
            yield from batch
            for record in batch:
                if record.offset + 1 >= unread[record.partition.number]:
                    unread[record.partition.number] = 0
        if any(unread.values()) and len(consumer.assignment()) < partitions:
            raise BusUnavailable(f"another process reads {topic} for the same purpose; try again when it is done")
    finally:
        consumer.close()


def scrub(path: Path) -> None:
    """Write a SQLite file anew and empty its log, so that no page holds the remains of what was deleted."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECS, isolation_level=None)) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"{path} cannot be written anew: {error}; try again when less is going on") from error


def _look_at_row(found: Survey, store: Store, row: Found, person: Person) -> None:
    held = HOLDINGS[row.table]
    accounts = [row.row[column] for column in held.accounts if row.row[column]]
    place = f"table {row.table}"
    data = b"\n".join(_bytes(value) for value in row.row.values())
    if row.table == "tombstones" and row.row["target"] == f"author:{person.author}":
        found.add(place, "tombstone", str(row.row["target"]), person)
    elif any(account in person.accounts for account in accounts):
        found.add(place, "theirs", _key(row), person)
    elif not person.in_bytes(data):
        return
    elif row.table == "mentions" and _is_ours(row.row["body"]):
        found.ours.add(str(row.row["id"]))
        found.add(place, "theirs", _key(row), person)
    elif accounts or held.staff or _said_by_another(store, row, person):
        if case := row.row.get("case_id"):
            found.cases.add(str(case))
        found.add(place, "others", _key(row), person, data)
    else:
        found.add(place, "theirs", _key(row), person)


def _is_ours(body: bytes) -> bool:
    try:
        shape = decode(bytes(body))
    except BadRecord:
        return False
    return isinstance(shape, Routed) and shape.mention.own


def _said_by_another(store: Store, row: Found, person: Person) -> bool:
    if case := row.row.get("case_id"):
        return store.case_author(str(case)) not in (None, person.author)
    if row.table not in ("intake", "removed", "outbox", "dead_letters"):
        return False
    id = str(row.row.get("mention_id") or row.row.get("intake_id") or row.row["id"])
    writer = store.stored(id)
    if writer is not None:
        return writer != person.author
    return row.table in ("intake", "removed") and not person.in_id(id)


def _look_at_record(found: Survey, topic: str, record: Record, person: Person) -> None:
    _look_at_data(found, f"topic {topic}", f"{record.partition.number}@{record.offset}", record.value, person)


def _look_at_data(found: Survey, place: str, key: str, data: bytes, person: Person) -> None:
    if person.wrote_bytes(data):
        found.add(place, "theirs", key, person)
    elif person.in_bytes(data):
        found.add(place, "others" if _readable(data) else "theirs", key, person, data)


def _readable(data: bytes) -> bool:
    try:
        decode(data)
    except BadRecord:
        return False
    return True


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _key(row: Found) -> str:
    return str(row.row.get("id") or next(iter(row.row.values())))


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode("utf-8", "surrogatepass")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _cells(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_SECS)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            quoted = table.replace('"', '""')
            for number, row in enumerate(db.execute(f'SELECT * FROM "{quoted}"'), start=1):  # noqa: S608 - its own name
                yield f"{table} row {number}", b"\n".join(_bytes(value) for value in row)


def _remains(path: Path, person: Person, common: set[str]) -> Path | None:
    """The first file, of a database and its log, whose bytes hold one of the words that can only mean this person;
    the tombstone does not count."""
    pattern = person.residue(common)
    tombstone = f"author:{person.author}".encode()
    for one in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-journal")):
        if pattern is None or not one.is_file():
            continue
        with one.open("rb") as file:
            tail = b""
            while piece := file.read(CHUNK):
                piece = tail + piece
                if pattern.search(piece.replace(tombstone, b"")):
                    return one
                tail = piece[-OVERLAP:]
    return None
