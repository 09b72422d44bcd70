from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from desk.audit import FACT_CHARS, PAGE, START, Audit, Event, Head, Verdict, _verify, append
from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.account_tables import audit

COLUMNS = [column.name for column in audit.c]


@pytest.fixture
def log(store: Store, clock: ManualClock) -> Audit:
    return Audit(store._db, clock)


def seen(number: int, **facts: Any) -> Event:
    return Event("user:1", "customer.seen", f"customer:{number}", facts)


def change(log: Audit, statement: Any) -> None:
    with log._db.write() as transaction:
        transaction.run(statement)


def test_a_log_without_a_row_is_sound(log: Audit) -> None:
    assert log.verify() == Verdict(Head(0, START), 0, 0)


def test_what_was_noted_can_be_read_newest_first(log: Audit, clock: ManualClock) -> None:
    log.note(seen(1, queue="care"), seen(2))
    clock.advance(60)
    log.note(Event("system:cli", "user.added", "user:9"))
    assert [(it.seq, it.actor, it.action, it.about) for it in log.entries()] == [
        (3, "system:cli", "user.added", "user:9"),
        (2, "user:1", "customer.seen", "customer:2"),
        (1, "user:1", "customer.seen", "customer:1"),
    ]
    assert log.entries()[2].facts == {"queue": "care"}
    assert log.entries()[0].at == clock.now()
    assert [it.seq for it in log.entries(limit=1, before=3)] == [2]
    assert [it.seq for it in log.entries(actor="system:cli")] == [3]
    assert [it.seq for it in log.entries(about="customer:1")] == [1]
    assert log.verify().rows == 3


@pytest.mark.parametrize(
    "values",
    [
        {"at": "2020-01-01T00:00:00.000000+00:00"},
        {"actor": "user:2"},
        {"action": "customer.erased"},
        {"about": "customer:9"},
        {"facts": '{"queue":"marketing"}'},
        {"salt": "00"},
        {"seal": "00"},
        {"digest": "00"},
        {"salt": None},
        {"seq": 99},
        {"seq": -5},
    ],
    ids=str,
)
def test_a_row_changed_by_hand_is_found(log: Audit, values: dict[str, Any]) -> None:
    log.note(*[seen(number, queue="care") for number in range(5)])
    change(log, update(audit).where(audit.c.seq == 3).values(values))
    verdict = log.verify()
    assert not verdict.sound
    assert verdict.broken == (1 if values == {"seq": -5} else 3)
    assert verdict.why


def test_a_value_of_another_type_is_found_and_ends_in_no_error(log: Audit) -> None:
    if not log._db.is_sqlite:
        return  # PostgreSQL refuses it
    log.note(seen(1), seen(2))
    with log._db.write() as transaction:
        transaction.connection.exec_driver_sql("UPDATE audit SET actor = x'ff', at = 5, facts = x'00' WHERE seq = 2")
    assert log.verify().broken == 2


def test_a_deleted_row_is_found(log: Audit) -> None:
    log.note(*[seen(number) for number in range(5)])
    change(log, delete(audit).where(audit.c.seq == 2))
    assert (log.verify().broken, log.verify().why) == (2, "it is missing")


def test_an_end_cut_off_is_found_by_a_head_that_was_noted(log: Audit) -> None:
    log.note(*[seen(number) for number in range(5)])
    head = log.verify().head
    change(log, delete(audit).where(audit.c.seq > 3))
    assert log.verify().sound
    assert log.verify(head).broken == 4


def test_a_log_written_anew_is_found_by_a_head_that_was_noted(log: Audit) -> None:
    log.note(*[seen(number) for number in range(3)])
    head = log.verify().head
    change(log, delete(audit))
    log.note(*[seen(number + 10) for number in range(4)])
    assert log.verify().sound
    assert log.verify(head).broken == 3


def test_a_head_that_was_noted_stays_good_as_the_log_grows(log: Audit) -> None:
    log.note(seen(1))
    head = log.verify().head
    log.note(seen(2))
    assert log.verify(head).sound
    assert Head.parse(str(head)) == head


@pytest.mark.parametrize("text", ["", "1", "1:short", "x:" + "0" * 64, "-1:" + "0" * 64, "²:" + "0" * 64])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a head looks like"):
        Head.parse(text)


def test_a_row_slipped_in_is_found(log: Audit) -> None:
    log.note(seen(1))
    with log._db.read() as transaction:
        row = dict(transaction.run(select(audit)).one()._mapping)
    change(log, insert(audit).values(row | {"seq": 2}))
    assert log.verify().broken == 2


def test_an_erased_customer_leaves_the_log_sound_and_no_trace(log: Audit) -> None:
    log.note(seen(1, network="x"), seen(2), seen(1))
    assert log.redact(["customer:1", "customer:unheard-of"], "user:7", "erasure") == 2
    verdict = log.verify()
    assert (verdict.sound, verdict.rows, verdict.redacted) == (True, 4, 2)
    assert [(it.about, it.facts) for it in log.entries()] == [
        ("audit", {"rows": 2, "why": "erasure"}),
        (None, None),
        ("customer:2", {}),
        (None, None),
    ]
    with log._db.read() as transaction:
        assert "customer:1" not in repr(transaction.run(select(audit)).all())


def test_redacting_nobody_writes_nothing(log: Audit) -> None:
    assert log.redact(["customer:1"], "user:7", "erasure") == 0
    assert log.entries() == []


def test_a_quiet_redaction_is_found(log: Audit) -> None:
    log.note(seen(1), seen(2), seen(3))
    log.redact(["customer:1"], "user:7", "erasure")
    change(log, update(audit).where(audit.c.seq == 2).values(about=None, facts=None, salt=None))
    verdict = log.verify()
    assert not verdict.sound
    assert "2 rows are redacted, but the log says so of 1 only" in verdict.why


def test_the_rows_that_say_what_was_redacted_cannot_be_redacted(log: Audit) -> None:
    log.note(seen(1))
    log.redact(["customer:1"], "user:7", "erasure")
    assert log.redact(["audit"], "user:7", "hiding") == 0
    change(log, update(audit).where(audit.c.seq == 2).values(about=None, facts=None, salt=None))
    assert log.verify().broken == 2


def test_what_vanishes_with_its_transaction_was_never_noted(log: Audit, clock: ManualClock) -> None:
    def change_and_fail() -> None:
        with log._db.write() as transaction:
            append(transaction, clock.now(), [seen(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_and_fail()
    log.note(seen(2))
    assert [it.about for it in log.entries()] == ["customer:2"]
    assert log.verify().sound


def test_many_note_at_once_and_the_chain_holds(log: Audit) -> None:
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: log.note(seen(number), seen(number)), range(24)))
    assert log.verify().rows == 48


def test_a_log_of_more_than_one_page_is_read_to_its_end(log: Audit) -> None:
    log.note(*[seen(number) for number in range(PAGE + 1)])
    assert log.verify().rows == PAGE + 1
    change(log, update(audit).where(audit.c.seq == PAGE + 1).values(actor="user:2"))
    assert log.verify().broken == PAGE + 1


def test_a_long_fact_is_cut(log: Audit) -> None:
    log.note(seen(1, why="x" * 1000))
    facts = log.entries()[0].facts
    assert facts is not None
    assert facts["why"] == "x" * FACT_CHARS


def test_hostile_text_is_kept_and_the_chain_holds(log: Audit) -> None:
    log.note(Event("user:\0\ud800", "a" * 1000, "customer:\U0001f600" * 300, {"why": "\0\ud800'\"; --"}))
    assert log.verify().sound


events = st.builds(
    Event,
    actor=st.text(max_size=20),
    action=st.text(max_size=20),
    about=st.text(max_size=20),
    facts=st.dictionaries(st.text(max_size=5), st.one_of(st.text(max_size=20), st.integers(), st.booleans())),
)


def chain(noted: list[Event]) -> list[dict[str, Any]]:
    """The rows as they would be stored."""
    transaction = Mock()
    transaction.run.return_value.first.return_value = None
    append(transaction, datetime(2026, 1, 5, tzinfo=UTC), noted)
    rows: list[dict[str, Any]] = transaction.run.call_args.args[1]
    return rows


def judged(rows: list[dict[str, Any]], head: Head | None = None) -> Verdict:
    def page(after: int) -> Any:
        return [Mock(spec=COLUMNS, **row) for row in sorted(rows, key=lambda row: row["seq"]) if row["seq"] > after]

    return _verify(page, head)


@given(st.lists(events, min_size=1, max_size=6), st.data())
def test_whatever_is_changed_the_first_such_row_is_named(noted: list[Event], data: st.DataObject) -> None:
    rows = chain(noted)
    assert judged(rows).sound
    index = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from([name for name in COLUMNS if name != "seq"]))
    other = data.draw(st.text(max_size=20).filter(lambda value: value != rows[index][name]))
    rows[index] = rows[index] | {name: other}
    assert judged(rows).broken == index + 1


@given(st.lists(events, min_size=2, max_size=6), st.data())
def test_whatever_is_missing_the_first_such_row_is_named(noted: list[Event], data: st.DataObject) -> None:
    rows = chain(noted)
    head = judged(rows).head
    gone = data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=1))
    left = [row for index, row in enumerate(rows) if index not in gone]
    assert judged(left, head).broken == min(gone) + 1
