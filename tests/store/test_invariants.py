"""Whatever happens to a handful of mentions, in whatever order: the ledger balances, and nothing done twice counts
twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from pipeline.ledger import read_ledger
from pipeline.store import Store
from pipeline.store.tables import dead_letters, intake, mentions, metadata, outbox, removed
from tests.fixtures.postgres import empty
from tests.store.samples import NOON, letter, minutes, removal, routed, taken

Step = Callable[[Store], None]

NUMBERS = st.integers(0, 4)
TIMES = st.integers(-5, 5).map(minutes)


def author_of(number: int) -> str:
    return "ana" if number % 2 else "ben"


@st.composite
def deliveries(draw: st.DrawFn) -> Step:
    batch = [
        routed(
            f"test:{number}",
            author=author_of(number),
            created_at=NOON + minutes(number - 2),
            edited_at=draw(st.none() | TIMES.map(lambda at: NOON + at)),
            decided_at=NOON + draw(TIMES),
            queue=queue,
            filtered=None if queue else "noise",
        )
        for number in draw(st.lists(NUMBERS, max_size=4))
        for queue in [draw(st.sampled_from(["service", "marketing", None]))]
    ]
    gone = [
        removal(f"test:{number}", at=NOON + draw(TIMES))
        if by_id
        else removal(author=f"test:{author_of(number)}", at=NOON + draw(TIMES))
        for number, by_id in draw(st.lists(st.tuples(NUMBERS, st.booleans()), max_size=1))
    ]
    return lambda store: void(store.deliver(batch, gone, ["file"]))


@st.composite
def pages(draw: st.DrawFn) -> Step:
    items = [taken(f"test:{number}", draw(st.sampled_from("ab"))) for number in draw(st.lists(NUMBERS, max_size=4))]
    dead = [letter(f"line-{number}", f"test:line-{number}") for number in draw(st.lists(NUMBERS, max_size=2))]
    return lambda store: store.take_in("stream", "1", items, dead)


@st.composite
def burials(draw: st.DrawFn) -> Step:
    letters = [
        letter(f"letter-{number}-{copy}", f"test:{number}", NOON + draw(TIMES), author=f"test:{author_of(number)}")
        for number, copy in draw(st.lists(st.tuples(NUMBERS, st.integers(0, 1)), max_size=3))
    ]
    return lambda store: store.bury(letters)


def void(_result: object) -> None:
    """For the sake of the type."""


def sending(store: Store) -> None:
    store.settle(sent=[parcel.delivery.key for parcel in store.due("file", 3, 60)])


ONCE: list[Step] = [
    lambda store: void(store.retrying(store.dead(limit=2))),
    lambda store: void(store.discard([it.id for it in store.dead(limit=1)], "ana")),
    lambda store: void([store.revive(it.id, [taken("test:9")]) for it in store.dead() if it.id == "line-0"]),
    sending,
]
steps = st.lists(deliveries() | deliveries() | pages() | burials() | st.sampled_from(ONCE), max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_the_ledger_balances_with_one_column_for_each_mention(store: Store, steps: list[Step]) -> None:
    empty(store)
    for step in steps:
        step(store)
    rows = dump(store)
    stored, gone = {row["id"] for row in rows["mentions"]}, {row["id"] for row in rows["removed"]}
    letters = {
        state: {row["intake_id"] for row in rows["dead_letters"] if row["state"] == state}
        for state in ("dead", "discarded")
    }
    standing = {row["id"]: column_of(row["id"], stored, gone, letters) for row in rows["intake"]}
    counted = read_ledger(store, lambda: [("mentions.raw", 1)])
    assert counted.balanced
    assert not stored & gone
    total = counted.total
    assert (total.queued + total.filtered - len(letters["discarded"] - stored - gone - letters["dead"])) == len(stored)
    for column in ("dead", "removed", "in_flight"):
        assert getattr(total, column) == list(standing.values()).count(column)
    lost = read_ledger(store, lambda: [("mentions.raw", 0)])
    assert (lost.total.in_flight, lost.total.missing) == (0, total.in_flight)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, last=deliveries() | pages() | burials())
def test_doing_it_again_changes_nothing(store: Store, steps: list[Step], last: Step) -> None:
    empty(store)
    for step in [*steps, last]:
        step(store)
    before = dump(store)
    last(store)
    assert dump(store) == before


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_what_was_removed_is_in_no_table(store: Store, steps: list[Step]) -> None:
    empty(store)
    for step in steps:
        step(store)
    rows = dump(store)
    gone = {row["id"] for row in rows["removed"]}
    assert not gone & {row["id"] for row in rows["mentions"]}
    assert not gone & {row["intake_id"] for row in rows["dead_letters"]}
    left = [row for row in rows["outbox"] if row["mention_id"] in gone and row["kind"] == "routed"]
    assert all(row["payload"] == b"" and row["state"] != "pending" for row in left)


def column_of(id: str, stored: set[str], gone: set[str], letters: dict[str, set[str]]) -> str:
    if id in gone:
        return "removed"
    if id in stored:
        return "stored"
    if id in letters["dead"]:
        return "dead"
    return "discarded" if id in letters["discarded"] else "in_flight"


def dump(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, without the number that the outbox counts up."""
    assert {intake, mentions, removed, dead_letters, outbox} <= set(metadata.tables.values())
    with store._db.read() as transaction:
        return {
            name: [
                dict(row._mapping) | {"seq": 0} for row in transaction.run(select(table).order_by(*table.primary_key))
            ]
            for name, table in metadata.tables.items()
        }
