"""What is past its period goes, what must stay stays, and the ledger sums whatever is gone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.audit import Audit, Event
from desk.facts import Facts
from desk.handling import By
from desk.retention import Periods, Retention
from pipeline.clock import ManualClock
from pipeline.ledger import read_ledger
from pipeline.mention import Removal, Routed
from pipeline.store import Store
from tests.desk.build import Room
from tests.fixtures.postgres import store_in
from tests.store.samples import letter, removal, routed, taken

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def keeping(store: Store, clock: ManualClock, **periods: Any) -> Retention:
    return Retention(store._db, clock, Periods(**{"outbox_days": None, **periods}))


def all_of(retention: Retention, limit: int = 500) -> Counter[str]:
    gone: Counter[str] = Counter(retention.sweep(limit))
    while not retention.through:
        gone.update(retention.sweep(limit))
    return gone


def balanced(store: Store) -> bool:
    return read_ledger(store, lambda: []).balanced


def count(store: Store, *tables: str) -> int:
    return sum(1 for _ in store.rows(*tables))


def send(store: Store, sink: str = "archive") -> list[Routed | Removal]:
    sent = []
    while parcels := store.due(sink, 100, 60):
        store.settle([it.delivery.key for it in parcels])
        sent += [it.delivery.record for it in parcels]
    return sent


def test_an_old_mention_goes_and_a_copy_of_it_does_not_come_back(store: Store, clock: ManualClock) -> None:
    old = routed("test:1", created_at=clock.now())
    store.take_in("test", None, [taken(old)])
    store.deliver([old], [], ["archive"])
    assert len(send(store)) == 1
    clock.advance(10 * 86_400)
    young = routed("test:2", created_at=clock.now())
    store.deliver([young], [], ["archive"])
    send(store)
    late = routed("test:3", created_at=clock.now() - timedelta(days=300))  # an old post that was stored just now
    store.deliver([late])
    assert all_of(keeping(store, clock, mentions_days=9))["mentions"] == 1
    assert [it.mention.id for it in store.history(NOON - timedelta(days=999))] == ["test:3", "test:2"]
    told = send(store)
    assert [(it.mention, it.reason) for it in told if isinstance(it, Removal)] == [("test:1", "compliance")]
    assert store.known([("test:1", "d1"), ("test:1", "another")]) == {"test:1"}
    assert store.deliver([old]).queued == 0
    ledger = read_ledger(store, lambda: []).as_json()
    assert (ledger["taken_in"], ledger["queued"], ledger["removed"], ledger["balanced"]) == (3, 2, 1, True)


def test_without_a_period_all_stays(store: Store, clock: ManualClock) -> None:
    room = Room(store, clock)
    room.say("test:1")
    store.bury([letter(intake_id="test:9")])
    clock.advance(10_000 * 86_400)
    assert sum(all_of(keeping(store, clock)).values()) == 0
    assert (count(store, "mentions"), count(store, "cases"), count(store, "dead_letters")) == (1, 1, 1)


def test_a_mention_of_an_open_case_waits_until_it_is_closed(store: Store, clock: ManualClock) -> None:
    room = Room(store, clock)
    case = room.say("test:1")
    clock.advance(30 * 86_400)
    retention = keeping(store, clock, mentions_days=20)
    assert all_of(retention)["mentions"] == 0
    room.cases.resolve(case.id, By("user:ana", room.cases.claim(case.id, "user:ana").lease.token))
    assert all_of(retention)["mentions"] == 1
    assert room.cases.case(case.id) == room.cases.rebuild(case.id)
    assert balanced(store)


def test_a_closed_case_goes_with_all_that_was_in_it_but_its_figures(store: Store, clock: ManualClock) -> None:
    room = Room(store, clock)
    case, other = room.say("test:1"), room.say("test:2", author="ben")
    by = By("user:ana", room.cases.claim(case.id, "user:ana").lease.token)
    room.cases.note(case.id, by, "is fond of parrots")
    room.cases.tag(case.id, by, ["parrots"])
    room.cases.resolve(case.id, by, "parrots")
    assert Facts(store._db, clock).follow() > 0
    assert count(store, "case_facts", "case_spans", "handles") >= 3
    clock.advance(29 * 86_400)
    retention = keeping(store, clock, cases_days=30)
    assert all_of(retention)["cases"] == 0
    clock.advance(2 * 86_400)
    assert all_of(retention)["cases"] == 1
    assert {row.row["case_id"] for row in store.rows("case_events", "case_mentions")} == {other.id}
    assert [row.row["author"] for row in store.rows("case_authors")] == [other.author]
    assert count(store, "case_tags") == 0
    assert case.author not in {row.row["author"] for row in store.rows("handles")}
    (kept,) = (row.row for row in store.rows("case_facts") if row.row["case_id"] != other.id)
    assert (kept["author"], kept["queue"], kept["case_id"].partition("-")[0]) == ("", "service", "expired")
    assert kept["case_id"] in {row.row["case_id"] for row in store.rows("case_spans")}
    # Its mention went with it: stored without its case it would count as new.
    assert [it.mention.id for it in store.history(NOON - timedelta(days=999))] == ["test:2"]
    assert room.cases.catch_up() == 0
    assert balanced(store)


def test_old_dead_letters_go_and_count_as_removed(store: Store, clock: ManualClock) -> None:
    store.bury([letter("a", "t:1"), letter("b", "t:2"), letter("c", "t:3", at=NOON + timedelta(days=40))])
    store.discard(["b"], "by ana: a test")
    store.bury([letter("d", "t:4")])
    store.retrying([it for it in store.dead() if it.id == "d"])
    clock.advance(45 * 86_400)
    assert all_of(keeping(store, clock, dead_letters_days=30))["dead_letters"] == 2
    assert {row.row["id"] for row in store.rows("dead_letters")} == {"c", "d"}
    ledger = read_ledger(store, lambda: []).as_json()
    assert (ledger["taken_in"], ledger["dead"], ledger["removed"], ledger["balanced"]) == (4, 1, 2, True)
    store.bury([letter("a", "t:1")])
    assert {row.row["id"] for row in store.rows("dead_letters")} == {"c", "d"}
    assert balanced(store)


def test_what_was_sent_goes_but_for_what_a_removal_needs(store: Store, clock: ManualClock) -> None:
    first, second = routed("test:1"), routed("test:2", author="ben")
    edited = routed("test:1", edited_at=NOON + timedelta(hours=1), text="Acme found my parcel", created_at=NOON)
    store.deliver([first, second], [], ["archive"])
    send(store)
    store.deliver([edited], [removal("test:2")], ["archive"])
    send(store)
    assert count(store, "outbox") == 4
    clock.advance(8 * 86_400)
    store.deliver([routed("test:3")], [], ["archive"])
    retention = keeping(store, clock, outbox_days=7)
    assert all_of(retention)["outbox"] == 3
    assert [row.row["mention_id"] for row in store.rows("outbox")] == ["test:1", "test:3"]
    assert all_of(retention)["outbox"] == 0
    # The one row that is left of it is why the sink hears of this.
    assert store.deliver([], [removal("test:1")], ["archive"]).enqueued == 1


def test_ids_of_what_was_removed_go_with_the_row_that_counted_them(store: Store, clock: ManualClock) -> None:
    store.deliver([routed("test:1"), routed("test:2", author="ben")], [removal("test:1")])
    store.purged(["test:1"])
    clock.advance(31 * 86_400)
    assert all_of(keeping(store, clock, ids_days=30))["ids"] == 1
    assert {row.row["id"] for row in store.rows("intake", "mentions")} == {"test:2"}
    ledger = read_ledger(store, lambda: []).as_json()
    assert (ledger["taken_in"], ledger["removed"], ledger["balanced"]) == (1, 0, True)
    # What its author took back stays away: its tombstone is kept.
    assert store.deliver([routed("test:1")]).queued == 0


def test_the_audit_log_is_cut_by_whole_days_and_still_verified(store: Store, clock: ManualClock) -> None:
    audit = Audit(store._db, clock)
    heads = []
    for day in range(6):
        audit.note(*(Event("user:1", "case.seen", f"case:{day}-{number}") for number in range(3)))
        heads.append(audit.verify().head)
        clock.advance(86_400)
    audit.redact(["case:0-1", "case:5-1"], "system:erase", "asked")
    retention = keeping(store, clock, audit_days=3)
    gone = [retention.sweep(4)["audit"] for _ in range(4)]
    assert gone == [4, 4, 1, 0]
    verdict = audit.verify(heads[3])
    assert (verdict.sound, verdict.redacted) == (True, 1)
    assert verdict.rows == count(store, "audit") == 18 - 9 + 1 + 3
    assert "past its period" in audit.verify(heads[0]).why
    assert audit.verify(heads[2]).sound  # the last row that went: its digest is what the log begins with
    clock.advance(86_400)
    assert all_of(retention)["audit"] == 3
    assert audit.verify(heads[5]).sound


def test_a_log_that_was_cut_off_quietly_is_found(store: Store, clock: ManualClock) -> None:
    audit = Audit(store._db, clock)
    audit.note(*(Event("user:1", "case.seen", f"case:{number}") for number in range(9)))
    clock.advance(2 * 86_400)
    audit.note(Event("user:1", "case.seen", "case:x"))
    keeping(store, clock, audit_days=1).sweep(4)
    assert audit.verify().sound
    with store._db.write() as transaction:
        transaction.connection.exec_driver_sql("DELETE FROM audit WHERE seq = 5")
    verdict = audit.verify()
    assert (verdict.sound, verdict.broken, verdict.why) == (False, 1, "it is missing")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from("mlrdgs")), max_size=30), st.integers(1, 4))
def test_the_ledger_sums_whatever_expires_when(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[int, str]], limit: int
) -> None:
    clock = ManualClock()
    store = store_in(tmp_path_factory.mktemp("store"), clock)
    room = Room(store, clock)
    periods = {"mentions_days": 2, "cases_days": 3, "dead_letters_days": 2, "outbox_days": 1, "ids_days": 5}
    retention = keeping(store, clock, **periods)
    for number, what in story:
        id = f"test:{number}"
        if what == "m":
            store.deliver([routed(id, created_at=clock.now())], [], ["archive"], also=room.cases.take_in)
        elif what == "l":
            store.bury([letter(f"letter{number}", id, at=clock.now())])
        elif what == "r":
            store.deliver([], [removal(id, at=clock.now())], ["archive"], also=room.cases.take_in)
            store.purged([id])
        elif what == "d":
            clock.advance(86_400)
        elif what == "s":
            send(store)
        elif (case := room.cases.case_of(id)) and room.cases.case(case).open:
            by = By("user:ana", room.cases.claim(case, "user:ana").lease.token)
            room.cases.resolve(case, by)
        retention.sweep(limit)
        assert balanced(store)
    store.close()
