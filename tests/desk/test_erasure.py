from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.audit import Audit, Event
from desk.cases import Cases
from desk.erasure import Erasure, known_as
from desk.person import Person, person
from desk.traces import Files, Survey, records
from pipeline.bus.embedded import Config, EmbeddedBus
from pipeline.clock import ManualClock
from pipeline.codec import encode
from pipeline.errors import BusUnavailable
from pipeline.ledger import read_ledger
from pipeline.mention import Author, Decision, Mention, Removal, Routed, Tags
from pipeline.ports import Topic
from pipeline.store import DeadLetter, Store
from tests.fixtures.shapes import mention

DID = "did:plc:k2zvioletquince"
ZELDA = Author(id=DID, handle="zelda.example", name="Zelda Quince")
AUTHOR = f"bluesky:{DID}"
TOPIC = "mentions.raw"


def post(key: str, text: str, author: Author = ZELDA, **changes: Any) -> Mention:
    return mention(f"bluesky:at://{author.id}/app.bsky.feed.post/{key}", text, author=author, **changes)


def routed(of: Mention) -> Routed:
    decision = Decision(rule="r", rules_version="1", decided_at=of.created_at, queue="service")
    return Routed(mention=of, tags=Tags(), decision=decision)


def letter(id: str, payload: bytes, clock: ManualClock, **changes: Any) -> DeadLetter:
    fields: dict[str, Any] = {"reason": "not JSON", "place": "line 1", "died_at": clock.now()} | changes
    return DeadLetter(id, f"rejected:{id}", "file", "file", "collect", "parse", payload=payload, **fields)


BOB = post("b1", "acme is fine, says @zelda.example", Author(id="did:plc:bob000000", handle="bob.example"))


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedBus]:
    made = EmbeddedBus(Config(path=tmp_path / "bus.db"), clock)
    made.apply([Topic(TOPIC, 3, 72)])
    yield made
    made.close()


class Desk:
    """An erasure whose pipeline is one call of the store."""

    def __init__(self, store: Store, bus: EmbeddedBus, clock: ManualClock, files: Files) -> None:
        self.store, self.bus, self.clock, self.files = store, bus, clock, files
        self.audit = Audit(store._db, clock)

    def publish(self, *values: tuple[bytes, bytes]) -> None:
        producer = self.bus.producer()
        producer.send(TOPIC, values)
        producer.flush()
        producer.close()

    def erase(self, author: str = AUTHOR, also: tuple[str, ...] = ()) -> tuple[Survey, Survey, int]:
        known = known_as(self.store, author, also)
        erasure = Erasure(self.store, self.bus, [TOPIC], lambda: self.files, known, self.audit, self.clock)
        before = erasure.look()
        removals = erasure.removals()
        self.publish(*((it.thread.encode(), encode(it)) for it in removals))
        gone = self.store.deliver([], removals).withdrawn
        self.store.purged([it.id for it in gone])
        return before, (renamed := erasure.finish(), erasure.look(to_the_byte=True))[1], renamed


@pytest.fixture
def desk(store: Store, bus: EmbeddedBus, clock: ManualClock, tmp_path: Path) -> Desk:
    files = [path for path in (tmp_path / "store.db", tmp_path / "bus.db") if path.is_file()]
    return Desk(store, bus, clock, Files(databases=files))


def test_nothing_is_left_but_the_tombstone_and_what_others_said(desk: Desk, clock: ManualClock, tmp_path: Path) -> None:
    mine = [post(f"z{number}", f"acme lost violet parcel number {number}") for number in range(20)]
    desk.store.deliver([routed(it) for it in (*mine, BOB)], [], ["archive"])
    desk.publish(*((it.thread.encode(), encode(it)) for it in (*mine, BOB)))
    before, after, renamed = desk.erase()
    assert before.of("theirs") == {"table intake": 20, "table mentions": 20, "table outbox": 20, f"topic {TOPIC}": 20}
    assert after.of("theirs") == {}
    assert after.of("tombstone") == {"table tombstones": 1}
    assert after.of("others") == {"table mentions": 1, "table outbox": 1, f"topic {TOPIC}": 1}
    assert renamed == 20
    ledger = read_ledger(desk.store, lambda: []).as_json()
    assert (ledger["taken_in"], ledger["queued"], ledger["removed"], ledger["balanced"]) == (21, 1, 20, True)
    for path in desk.files.databases:
        for one in path.parent.glob(f"{path.name}*"):
            assert b"violet parcel" not in one.read_bytes()
            assert DID.encode() not in one.read_bytes().replace(f"author:{AUTHOR}".encode(), b"")


def test_a_late_copy_is_kept_out_after_an_erasure(desk: Desk) -> None:
    desk.store.deliver([routed(post("z1", "acme lost my violet parcel"))])
    desk.erase()
    late = desk.store.deliver([routed(post("z1", "acme lost my violet parcel")), routed(post("z2", "and another"))])
    desk.store.purged([it.id for it in late.withdrawn])
    assert (late.queued, len(late.withdrawn)) == (0, 2)
    assert list(desk.store.mentions_of(AUTHOR)) == []
    assert desk.erase()[1].of("theirs") == {}  # the ids of late copies go when it is done again


def test_what_was_said_by_a_clock_that_is_ahead_goes_too(desk: Desk, clock: ManualClock) -> None:
    ahead = post("z1", "acme lost my violet parcel", created_at=clock.now() + timedelta(days=3))
    desk.store.deliver([routed(ahead)])
    assert desk.erase()[1].of("theirs") == {}


def test_unreadable_letters_and_records_are_found_by_their_bytes(desk: Desk, clock: ManualClock) -> None:
    broken = [
        letter("a", b'{"id": 1, "author": "ZELDA.example", "text": 7', clock),
        letter("b", b"9,caf\xff," + DID.encode() + b",2026", clock),
        letter("c", b"{}", clock, reason="no such day: 31 June, said zelda.example"),
        letter("d", b'{"author": "griselda.example"', clock),
    ]
    desk.store.deliver([routed(post("z1", "acme lost my violet parcel"))])
    desk.store.bury(broken)
    desk.publish((b"k1", broken[0].payload), (b"k2", broken[3].payload))
    before, after, _ = desk.erase()
    assert before.of("theirs")["table dead_letters"] == 3
    assert after.of("theirs") == {}
    assert [it.id for it in desk.store.dead()] == ["d"]
    assert [it.value for it in records(desk.bus, TOPIC)] == [broken[3].payload]
    assert read_ledger(desk.store, lambda: []).balanced


def test_a_person_of_whom_nothing_is_stored_is_found_by_the_words_given(desk: Desk, clock: ManualClock) -> None:
    desk.store.bury([letter("a", b'{"who": "Zelda Quince"', clock)])
    assert desk.erase()[1].of("theirs") == {}
    assert len(desk.store.dead()) == 1
    assert desk.erase(also=("Zelda Quince",))[1].of("theirs") == {}
    assert desk.store.dead() == []


def test_a_cursor_that_names_the_person_is_told_and_left(desk: Desk) -> None:
    desk.store.take_in("feed", f'{{"seen": "{DID}"}}', [])
    _, after, _ = desk.erase()
    assert after.of("theirs")["table cursors"] == 1
    assert desk.store.cursor("feed") == f'{{"seen": "{DID}"}}'


def test_the_removal_of_a_single_post_no_longer_names_its_author(desk: Desk, clock: ManualClock) -> None:
    gone = Removal(source="bluesky", reason="deleted", noticed_at=clock.now(), mention=post("z9", "").id)
    desk.store.deliver([], [gone])
    before, after, _ = desk.erase()
    assert before.of("theirs") == {"table tombstones": 1}
    assert after.of("theirs") == {}


def test_remains_in_free_pages_are_written_over(desk: Desk, tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "careless.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("CREATE TABLE t (x TEXT)")
        db.executemany("INSERT INTO t VALUES (?)", [(f"{DID} {number}",) for number in range(500)])
        db.commit()
        db.execute("DELETE FROM t")
    db.close()
    assert DID.encode() in path.read_bytes()
    desk.files = Files(databases=[path])
    assert desk.erase()[1].of("theirs") == {}
    assert DID.encode() not in path.read_bytes()


def test_their_cases_go_and_the_audit_log_stays_whole_without_them(desk: Desk, clock: ManualClock) -> None:
    mine, theirs = post("z1", "acme lost my violet parcel"), BOB
    cases = Cases(desk.store._db, clock)
    for of in (mine, theirs):
        desk.store.deliver([routed(of)], also=cases.take_in)
    desk.audit.note(Event("user:1", "customers.see", AUTHOR, {"why": "asked"}))
    desk.audit.note(Event("user:1", "customers.see", "bluesky:did:plc:bob000000", {}))
    desk.audit.note(Event("user:1", "cases.reply", "case:77", {"to": "@zelda.example"}))
    before, after, _ = desk.erase()
    held = before.of("theirs")
    assert (held["table audit"], held["table cases"], held["table case_authors"]) == (2, 1, 1)
    assert after.of("theirs") == {}
    assert [row.row["author"] for row in desk.store.rows("cases")] == ["bluesky:did:plc:bob000000"]
    assert {row.table for row in desk.store.rows("case_events", "case_mentions")} == {"case_events", "case_mentions"}
    verdict = desk.audit.verify()
    assert (verdict.sound, verdict.redacted) == (True, 2)


def test_two_erasures_do_not_share_a_topic_between_them(desk: Desk) -> None:
    desk.publish(*((f"k{number}".encode(), b"{}") for number in range(50)))
    first = records(desk.bus, TOPIC)
    next(first)
    with pytest.raises(BusUnavailable, match="another process"):
        list(records(desk.bus, TOPIC))
    first.close()  # type: ignore[attr-defined]  # a generator
    assert len(list(records(desk.bus, TOPIC))) == 50


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"thanks @zelda.example!", True),
        (b"ZELDA.EXAMPLE", True),
        (b"griselda.example", False),
        (b"zelda.examples", False),
        (b'{"author":"ana"}', True),
        (b"7,ana,2026-01-05", True),
        (b"banana and ana", False),
        ('{"text":"caf\u00e9 \\"violet\\" lost my parcel"}'.encode(), True),
        (b'{"text": "caf\\u00e9 \\"violet\\" lost my parcel"}', True),
        (b"Zelda Quince", False),
    ],
)
def test_what_tells_of_a_person(data: bytes, told: bool) -> None:
    text = 'caf\u00e9 "violet" lost my parcel'
    made = person("x:ana", [Author(id="ana", handle="@zelda.example", name="Zelda Quince")], ["ok", text])
    assert made.texts == (text,)
    assert made.told_by(data) is told
    assert made.in_bytes(b"by Zelda Quince")
    assert not person("x:ana", [Author(id="ana", name="Anonymous")], []).in_bytes(b"an anonymous tip")


@given(st.text(min_size=1).filter(str.strip), st.binary(), st.binary())
def test_a_word_that_stands_by_itself_is_found_whatever_stands_around_it(word: str, left: bytes, right: bytes) -> None:
    data = left + b'"' + word.strip().encode("utf-8", "surrogatepass") + b'"' + right
    assert Person("x:1", (word.strip(),)).told_by(data)
