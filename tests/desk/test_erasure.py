from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, Table, delete, insert

from desk import events
from desk.audit import Audit, Event
from desk.cases import Cases
from desk.erasure import Erasure, known_as
from desk.handling import By
from desk.person import Person, person
from desk.traces import Files, Survey, records
from desk.wording import WORDS
from pipeline.bus.embedded import Config, EmbeddedBus
from pipeline.clock import ManualClock
from pipeline.codec import encode
from pipeline.errors import BusUnavailable
from pipeline.ledger import read_ledger
from pipeline.mention import Author, Decision, Mention, Removal, Routed, Tags
from pipeline.ports import Topic
from pipeline.store import DeadLetter, Store
from pipeline.store.columns import Moment
from pipeline.store.holdings import HOLDINGS
from pipeline.store.tables import metadata
from tests.fixtures.shapes import mention
from tests.store.samples import NOON

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
        erasure = Erasure(self.store, self.bus, [TOPIC], self.files, known, self.store._db, self.clock)
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
    tables = ("intake", "mentions", "outbox", "searchable")
    assert before.of("theirs") == {f"table {table}": 20 for table in tables} | {f"topic {TOPIC}": 20}
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


BY_HAND = {"mentions", "intake", "outbox", "removed", "tombstones", "dead_letters", "cases", "case_events", "audit"}
"""Tables that other tests here fill, through the code that writes them."""

TOLD = {"cursors", "gaps", "alert_messages"}
"""Tables of which an erasure tells, and which it leaves."""

SAYING = "tell @zelda.example where the violet parcel is"


def a_row(table: Table, case: str, account: str, said: str, number: int) -> dict[str, Any]:
    """A row made from the columns, whatever table that is: of this case and account, saying this in every column in
    which one of us writes."""
    held = HOLDINGS[table.name]
    made: dict[str, Any] = {}
    for column in table.c:
        if column.name == "case_id":
            made[column.name] = case
        elif column.name in held.accounts:
            made[column.name] = account if column.name != "other" else f"x:other{number}"
        elif column.name in held.words:
            made[column.name] = said
        elif isinstance(column.type, Moment):
            made[column.name] = NOON
        elif isinstance(column.type, Boolean | Float | Integer | BigInteger):
            made[column.name] = number if column.primary_key else 0
        elif column.name in held.personal and account == AUTHOR:
            made[column.name] = said.encode() if isinstance(column.type, LargeBinary) else said
        else:
            made[column.name] = b"" if isinstance(column.type, LargeBinary) else f"{table.name}{number}"
    return made


def test_every_table_loses_their_rows_and_their_name_in_those_of_others(desk: Desk, clock: ManualClock) -> None:
    cases = Cases(desk.store._db, clock)
    theirs, bobs = post("z1", "acme lost my violet parcel"), BOB
    for of in (theirs, bobs):
        desk.store.deliver([routed(of)], also=cases.take_in)
    case_of = {of.id: str(cases.case_of(of.id)) for of in (theirs, bobs)}
    filled = [table for table in metadata.sorted_tables if HOLDINGS[table.name].personal or "case_id" in table.c]
    filled = [table for table in filled if table.name not in BY_HAND | TOLD]
    with desk.store._db.write() as transaction:
        for table in filled:
            transaction.run(delete(table))
            transaction.run(insert(table), [a_row(table, case_of[theirs.id], AUTHOR, SAYING, 1)])
            transaction.run(insert(table), [a_row(table, case_of[bobs.id], "bluesky:did:plc:bob000000", SAYING, 2)])
    assert {table.name for table in filled} >= {"drafts", "links", "case_facts", "crm", "corrections", "case_clocks"}
    before, after, _ = desk.erase()
    for table in filled:
        assert f"table {table.name}" in before.of("theirs") or "case_id" in table.c, table.name
    assert after.of("theirs") == {}
    for found in desk.store.rows(*(table.name for table in filled)):
        text = repr(found.row).lower()
        assert "zelda.example" not in text, found
        assert "k2zviolet" not in text, found
    for table in filled:
        # A row that belongs to nobody stays, without their name.
        left = 1 if HOLDINGS[table.name].accounts or "case_id" in table.c else 2
        assert len(list(desk.store.rows(table.name))) == left, "somebody else's row is left"
    struck = [found.row["evidence"] for found in desk.store.rows("links")]
    assert struck == ["tell @[erased] where the violet parcel is"]


def test_what_our_people_wrote_of_them_in_other_cases_is_struck_out(desk: Desk, clock: ManualClock) -> None:
    cases = Cases(desk.store._db, clock)
    for of in (post("z1", "acme lost my violet parcel"), BOB):
        desk.store.deliver([routed(of)], also=cases.take_in)
    id = str(cases.case_of(BOB.id))
    lease = cases.claim(id, "user:ana").lease
    by = By("user:ana", lease.token)
    cases.note(id, by, "knows @Zelda.example and Zelda Quince, not griselda.example")
    cases.tag(id, by, ["vip", "zelda.example"])
    cases.ask(id, by, "is this zelda.example again?", queue="marketing")
    cases.escalate(id, by, "friend of zelda.example")
    cases.transfer(id, by, "marketing", "as for zelda.example", wrong_route=True)
    _, after, _ = desk.erase()
    assert after.of("theirs") == {}
    said = "".join(repr(found.row) for found in desk.store.rows("case_events", "cases", "case_tags", "corrections"))
    assert "knows @[erased] and [erased], not griselda.example" in said
    assert "is this [erased] again?" in said
    assert "zelda.example" not in said.lower().replace("griselda.example", "").replace("says @zelda.example", "")
    assert cases.case(id).tags == ("[erased]", "vip")
    assert cases.rebuild(id) == cases.case(id)
    assert cases.case(id).queue == "marketing"


def test_our_own_answers_to_them_go_too(desk: Desk, clock: ManualClock) -> None:
    cases = Cases(desk.store._db, clock)
    mine = post("z1", "acme lost my violet parcel")
    brand = Author(id="did:plc:acme", handle="acme.example")
    answer = post("a1", "sorry, we look into it", brand, own=True, parent=mine.id, conversation=mine.id)
    public = post("a2", "thank you @zelda.example", brand, own=True)
    desk.store.deliver([routed(mine)], [], ["archive"], also=cases.take_in)
    for own in (answer, public):
        decision = Decision(rule="own", rules_version="1", decided_at=own.created_at, filtered="own")
        desk.store.deliver([Routed(mention=own, tags=Tags(), decision=decision)], [], [], also=cases.take_in)
    _, after, _ = desk.erase()
    assert after.of("theirs") == {}
    assert list(desk.store.rows("mentions")) == []


def test_every_field_of_an_event_is_free_words_or_not() -> None:
    plain = {
        "actor", "author", "conversation", "queue", "mention", "brand", "rule", "rules_version", "language", "topic",
        "family", "lead", "owner", "user", "alarm", "draft", "key", "native_id", "copied_from",
    }  # fmt: skip
    for kind in get_args(events.Event):
        text = {
            field.name for field in msgspec.structs.fields(kind) if field.type in (str, str | None, tuple[str, ...])
        }
        assert text - plain == set(WORDS.get(kind, ())), kind
