from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from desk.cases import Cases
from desk.handling import By
from desk.refusals import Conflict, Refusal, Unfit
from pipeline.clock import ManualClock
from pipeline.mention import Removal
from pipeline.store import Store
from pipeline.store.incident_tables import incident_mentions
from spikes import gathering
from spikes.detection import Detection, Kind, Severity
from spikes.incident_records import Incident, IncidentFilter, State, extent
from spikes.incident_shelf import NoSuchIncident
from spikes.incidents import Incidents
from tests.fixtures.postgres import store_in
from tests.spikes.seen import START, at, crowd, keep, saying, seen

ANA, BEN = "user:ana", "user:ben"


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


class Room:
    """The store, the incidents, and short ways to say what a test is about."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.incidents = Incidents(store._db, clock)

    def see(self, *detections: Detection) -> Incident:
        for detection in detections:
            with self.store._db.write() as transaction:
                found = self.incidents.detected(transaction, detection)
        return found

    def every(self, **wanted: Any) -> tuple[Incident, ...]:
        return self.incidents.incidents(IncidentFilter(**wanted)).incidents

    def kinds(self, id: str) -> list[str]:
        return [it.event.kind for it in self.incidents.timeline(id)]

    def members(self, id: str) -> set[str]:
        query = select(incident_mentions.c.mention).where(incident_mentions.c.incident == id)
        with self.store._db.read() as transaction:
            return set(transaction.run(query.where(incident_mentions.c.part != "detached")).scalars())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


@pytest.fixture
def small(sqlite_store: Store, clock: ManualClock) -> Room:
    """On SQLite only, for what does not differ."""
    return Room(sqlite_store, clock)


# -------------------------------------------------------------------------- joining


def test_a_detection_opens_an_incident_and_the_next_ones_join_it(room: Room) -> None:
    first = room.see(seen(0))
    assert (first.state, first.brand, first.kind, first.version) == (State.OPEN, "acme", Kind.FIRESTORM, 1)
    last = room.see(seen(1), seen(5, negative_authors=40), seen(200, onset=120))
    assert last.id == first.id
    assert (last.extent.onset, last.extent.first_at, last.extent.last_at) == (at(-5), at(0), at(200))
    assert last.extent.peak.negative_authors == 40
    assert last.extent.peak_at == at(5)
    assert room.every() == (last,)
    assert room.kinds(last.id) == ["opened"]


def test_the_same_detection_again_changes_nothing_and_a_fuller_one_replaces_it(room: Room) -> None:
    first = room.see(seen(0, kind=Kind.REPOST_STORM, mentions=10))
    assert room.see(seen(0, kind=Kind.REPOST_STORM, mentions=10)) == first
    fuller = room.see(seen(0, kind=Kind.SINGLE_AUTHOR, mentions=30))
    assert fuller.kind is Kind.SINGLE_AUTHOR, "what was seen of half the window is no longer so"
    assert room.see(seen(0, kind=Kind.FIRESTORM, mentions=11)) == fuller
    earlier = room.see(seen(0, kind=Kind.SINGLE_AUTHOR, mentions=30, onset=-20))
    assert earlier.extent.onset == at(-20), "as much, but its rise turned out to have begun earlier"
    assert len(room.incidents.detections(first.id)) == 1


def test_what_comes_after_the_cool_down_is_another_incident(room: Room) -> None:
    one, two = room.see(seen(0)), room.see(seen(6 * 60 + 1))
    assert one.id != two.id
    assert (one.number, two.number) == (1, 2)
    assert room.see(seen(6 * 60)).id == one.id, "no more than the cool-down apart"


def test_a_late_detection_that_closes_the_gap_makes_one_of_two(room: Room) -> None:
    one, two = room.see(seen(0)), room.see(seen(6 * 60 + 5))
    room.see(seen(6 * 60))
    (left,) = room.every()
    assert left.id == one.id
    assert left.extent.last_at == at(6 * 60 + 5)
    assert room.incidents.incident(two.id).work.into == one.id
    assert {it.id for it in room.every(absorbed=True)} == {one.id, two.id}
    assert room.incidents.rebuild(one.id) == left
    with pytest.raises(Conflict, match="part of"):
        room.incidents.reopen(two.id, ANA)


def test_sources_and_intents_are_one_incident_and_brands_and_groups_are_not(small: Room) -> None:
    one = small.see(
        seen(0, facet="source", value="x"), seen(1), seen(2, facet="source", value="reddit"),
        seen(3, facet="intent", value="complaint"), seen(4, facet="topic", value="delay"),
    )  # fmt: skip
    assert one.extent.seen == ("all", "intent=complaint", "source=reddit", "source=x", "topic=delay")
    small.see(seen(0, brand="other"), seen(0, kind=Kind.PRAISE), seen(0, kind=Kind.SILENCE))
    assert len(small.every()) == 4
    assert len(small.every(brand="acme")) == 3


def test_it_becomes_what_is_worse_and_says_so(small: Room) -> None:
    small.see(seen(0, kind=Kind.SINGLE_AUTHOR, severity=Severity.MINOR))
    now = small.see(seen(1, kind=Kind.FIRESTORM, severity=Severity.CRITICAL), seen(2, kind=Kind.REPOST_STORM))
    assert (now.kind, now.severity) == (Kind.FIRESTORM, Severity.CRITICAL)
    assert small.kinds(now.id) == ["opened", "grew"]


@st.composite
def days(draw: st.DrawFn) -> list[Detection]:
    minutes = draw(st.lists(st.integers(0, 3000), min_size=1, max_size=25, unique=True))
    kinds = st.sampled_from(list(Kind))
    facets: Any = st.sampled_from([("all", ""), ("source", "x"), ("topic", "delay")])
    return [
        seen(
            minute,
            facet=(facet := draw(facets))[0],
            value=facet[1],
            kind=draw(kinds),
            severity=draw(st.sampled_from(list(Severity))),
            mentions=draw(st.integers(1, 50)),
            negative_authors=draw(st.integers(0, 50)),
        )
        for minute in sorted(minutes)
    ]


def late(day: Sequence[Detection], seed: int, most: float = 10) -> list[Detection]:
    """The same detections, each up to ten minutes late, and a fifth of them twice."""
    draw = random.Random(seed)  # noqa: S311 - a shuffle
    twice = [*day, *(it for it in day if draw.random() < 0.2)]
    return sorted(twice, key=lambda it: it.at.timestamp() + draw.uniform(0, most * 60))


def told(every: Sequence[Incident]) -> set[Any]:
    return {(it.strand, it.brand, it.kind, it.extent) for it in every}


@settings(max_examples=25)
@given(days(), st.integers(0, 10**6))
def test_a_shuffled_day_with_copies_gives_the_same_incidents(day: list[Detection], seed: int) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        rooms = [Room(store_in(Path(folder), ManualClock(START)), ManualClock(START)) for folder in (one, two)]
        try:
            rooms[0].see(*day)
            rooms[1].see(*late(day, seed))
            clean, shuffled = (it.every() for it in rooms)
            assert told(clean) == told(shuffled)
            if not set(rooms[1].every(absorbed=True)) - set(shuffled):
                assert {it.id for it in clean} == {it.id for it in shuffled}
            for it in rooms[1].every():
                assert rooms[1].incidents.rebuild(it.id) == it
        finally:
            for each in rooms:
                each.store.close()


@given(days(), st.randoms())
def test_how_far_an_incident_goes_does_not_depend_on_the_order(day: list[Detection], draw: random.Random) -> None:
    other = list(day)
    draw.shuffle(other)
    assert extent(day) == extent(other)


# ------------------------------------------------------------------- states and people


def test_it_is_acknowledged_by_one_and_the_other_is_told_who(room: Room) -> None:
    id = room.see(seen()).id
    done = room.incidents.acknowledge(id, ANA)
    assert (done.state, done.work.acknowledged_by) == (State.ACKNOWLEDGED, ANA)
    with pytest.raises(Conflict, match="user:ana has acknowledged it") as refused:
        room.incidents.acknowledge(id, BEN)
    assert refused.value.holder == ANA


def test_of_two_marketers_who_look_at_the_same_version_one_is_told_to_look_again(room: Room) -> None:
    looked_at = room.see(seen()).version
    room.incidents.statement_out(room.every()[0].id, ANA, "We are sorry.", version=looked_at)
    with pytest.raises(Conflict, match="user:ana changed it meanwhile"):
        room.incidents.close(room.every()[0].id, BEN, version=looked_at)
    assert room.every()[0].state is State.STATEMENT_OUT


def test_several_workers_and_people_at_once_make_one_incident_and_one_holder(room: Room) -> None:
    with ThreadPoolExecutor(6) as threads:
        ids = {it.id for it in threads.map(room.see, [seen(minute) for minute in range(12)])}
    (it,) = room.every()
    assert ids == {it.id}
    assert (it.extent.first_at, it.extent.last_at) == (at(0), at(11))

    def take(who: str) -> bool:
        try:
            return bool(room.incidents.acknowledge(it.id, who))
        except Conflict:
            return False

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(take, [f"user:{n}" for n in range(6)])) == 1
    assert room.incidents.rebuild(it.id) == room.incidents.incident(it.id)


def test_what_the_machine_did_meanwhile_is_in_nobodys_way(small: Room) -> None:
    looked_at = small.see(seen(severity=Severity.MINOR))
    small.see(seen(1, severity=Severity.CRITICAL))
    assert small.incidents.acknowledge(looked_at.id, ANA, version=looked_at.version).state is State.ACKNOWLEDGED
    with pytest.raises(Unfit, match="future"):
        small.incidents.close(looked_at.id, ANA, version=99)


def test_a_statement_is_kept_word_for_word_and_counts_as_acknowledging(small: Room) -> None:
    id = small.see(seen()).id
    after = small.incidents.statement_out(id, ANA, "We are looking into it.", url="https://acme.example/now")
    assert (after.state, after.work.acknowledged_by) == (State.STATEMENT_OUT, ANA)
    event: Any = small.incidents.timeline(id)[-1].event
    assert (event.text, event.url, event.actor) == ("We are looking into it.", "https://acme.example/now", ANA)


def test_it_calms_down_and_closes_by_itself_as_event_time_goes_by(room: Room) -> None:
    id = room.see(seen(0), seen(10)).id
    assert room.incidents.tick(room.clock.now(), {"acme": at(39)}) == []
    assert [it.state for it in room.incidents.tick(room.clock.now(), {"acme": at(40)})] == [State.CALMING]
    assert room.incidents.tick(room.clock.now(), {"acme": at(41)}) == []
    assert [it.state for it in room.incidents.tick(room.clock.now(), {"acme": at(10) + hours(6)})] == [State.CLOSED]
    assert room.kinds(id) == ["opened", "calming", "closed"]
    assert room.every(live=True) == ()


def test_a_feed_that_lags_is_not_taken_for_silence(small: Room) -> None:
    small.see(seen(0))
    small.clock.advance(5 * 3600)
    assert small.incidents.tick(small.clock.now(), {"acme": at(1)}) == []
    assert small.incidents.tick(small.clock.now(), {}) == []
    small.clock.advance(2 * 3600)
    assert [it.state for it in small.incidents.tick(small.clock.now(), {"acme": at(1)})] == [State.CALMING]


def test_what_flares_up_again_is_where_it_was_before(small: Room) -> None:
    id = small.see(seen(0)).id
    small.incidents.acknowledge(id, ANA)
    small.incidents.tick(small.clock.now(), {"acme": at(60)})
    assert small.see(seen(90)).state is State.ACKNOWLEDGED
    assert small.kinds(id) == ["opened", "acknowledged", "calming", "flared"]


def test_the_tail_of_a_closed_incident_does_not_open_it_again_but_a_new_rise_does(small: Room) -> None:
    id = small.see(seen(0)).id
    small.incidents.close(id, ANA, "over")
    assert small.see(seen(10)).state is State.CLOSED
    again = small.see(seen(31))
    assert (again.id, again.state, again.work.acknowledged_by) == (id, State.REOPENED, "")
    assert again.work.reopenings == 1


def test_the_tail_opens_it_again_if_it_is_worse_than_ever(small: Room) -> None:
    id = small.see(seen(0)).id
    small.incidents.close(id, ANA)
    assert small.see(seen(10, severity=Severity.CRITICAL)).state is State.REOPENED


def test_only_what_is_closed_or_calming_is_reopened_and_what_is_closed_takes_notes_only(small: Room) -> None:
    id = small.see(seen()).id
    with pytest.raises(Conflict):
        small.incidents.reopen(id, ANA)
    small.incidents.close(id, ANA, "false alarm")
    for late_change in (small.incidents.acknowledge, small.incidents.calming, small.incidents.close):
        with pytest.raises(Conflict, match="closed"):
            late_change(id, BEN)
    assert small.incidents.note(id, BEN, "it was a test").state is State.CLOSED
    assert small.incidents.reopen(id, BEN).state is State.REOPENED


def test_what_cannot_be_used_is_refused(small: Room) -> None:
    id = small.see(seen()).id
    with pytest.raises(NoSuchIncident):
        small.incidents.acknowledge("nope", ANA)
    with pytest.raises(NoSuchIncident):
        small.incidents.incident("nope")
    for text in ("", " ", "x" * 2001):
        with pytest.raises(Unfit):
            small.incidents.note(id, ANA, text)
    with pytest.raises(Unfit):
        small.incidents.incidents(after="???")


def test_pages_of_incidents_hold_each_once(small: Room) -> None:
    for number in range(7):
        small.see(seen(0, brand=f"b{number}"))
    found: list[Incident] = []
    after = None
    while True:
        page = small.incidents.incidents(after=after, limit=3)
        found += page.incidents
        after = page.next
        if after is None:
            break
    assert len({it.id for it in found}) == len(found) == 7


class Work(RuleBasedStateMachine):
    """Whatever people and the watch do, in any order: the row is what detections and events say."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.room = Room(store_in(Path(self.folder.name), ManualClock(START)), ManualClock(START))
        self.minute = 0
        self.id = self.room.see(seen(0)).id

    @rule(minutes=st.integers(0, 240), kind=st.sampled_from([Kind.FIRESTORM, Kind.SINGLE_AUTHOR]))
    def seen_again(self, minutes: int, kind: Kind) -> None:
        self.minute += minutes
        self.room.see(seen(self.minute, kind=kind, severity=Severity.MINOR))

    @rule(minutes=st.integers(0, 500))
    def time_goes_by(self, minutes: int) -> None:
        self.room.clock.advance(minutes * 60)
        self.room.incidents.tick(self.room.clock.now(), {"acme": at(self.minute + minutes)})

    @rule(what=st.sampled_from(["acknowledge", "calming", "close", "reopen"]), who=st.sampled_from([ANA, BEN]))
    def somebody(self, what: str, who: str) -> None:
        before = self.room.incidents.incident(self.id)
        try:
            getattr(self.room.incidents, what)(self.id, who)
        except Refusal:
            assert self.room.incidents.incident(self.id) == before

    @rule(version=st.integers(0, 9))
    def states(self, version: int) -> None:
        known = self.room.incidents.incident(self.id)
        try:
            after = self.room.incidents.statement_out(self.id, ANA, "sorry", version=version)
        except Refusal:
            return
        assert after.version == known.version + 1

    @invariant()
    def the_row_is_what_happened(self) -> None:
        for it in self.room.every(absorbed=True):
            assert self.room.incidents.rebuild(it.id) == it
            numbers = [number for number, _ in self.room.incidents.timeline(it.id, limit=500)]
            assert numbers == list(range(1, it.version + 1))
            assert (it.work.closed_at is not None) == (it.state is State.CLOSED)

    def teardown(self) -> None:
        self.room.store.close()
        self.folder.cleanup()


Work.TestCase.settings = settings(max_examples=15, stateful_step_count=15)
test_the_row_is_what_happened = Work.TestCase


# -------------------------------------------------------------------- what it is made of


def test_it_gathers_what_is_against_the_brand_in_its_time(room: Room) -> None:
    keep(
        room.store, saying("early", minute=-6), saying("in", minute=-5), saying("late", minute=60),
        saying("other", minute=1, tags={"brand": "other"}), saying("glad", minute=2, score=0.8),
        saying("own", minute=3, own=True), saying("tail", minute=29),
    )  # fmt: skip
    id = room.see(seen(0)).id
    assert room.incidents.gather() == 2
    assert room.members(id) == {"x:in", "x:tail"}
    assert room.incidents.gather() == 0
    keep(room.store, saying("stored late", minute=20))
    assert room.incidents.gather() == 1
    assert room.incidents.size(id) == (3, 3)


def test_gathering_goes_on_where_it_stopped(small: Room) -> None:
    keep(small.store, *crowd(2500, until=25))
    id = small.see(seen(0)).id
    counts = [small.incidents.gather(limit=1000) for _ in range(4)]
    assert sum(counts) == 2500
    assert counts[0] == 1000
    assert small.incidents.size(id) == (2500, 2500)


def test_what_was_taken_back_or_its_author_erased_is_let_go(room: Room) -> None:
    keep(room.store, saying("1"), saying("2"), saying("3", author="bob"))
    id = room.see(seen(5)).id
    room.incidents.gather()
    gone = [
        Removal(source="x", reason="deleted", noticed_at=at(9), mention="x:1"),
        Removal(source="x", reason="erased", noticed_at=at(9), author="x:bob"),
    ]
    room.store.deliver([], gone)
    room.incidents.gather()
    assert room.members(id) == {"x:2"}


def test_what_is_gone_is_found_piece_by_piece(small: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "CHECKED", 3)
    keep(small.store, *crowd(10))
    id = small.see(seen(30, onset=0)).id
    small.incidents.gather()
    gone = [Removal(source="x", reason="deleted", noticed_at=at(50), mention=it.mention.id) for it in crowd(10)]
    small.store.deliver([], gone)
    with small.store._db.write() as transaction:
        small.incidents.forget(transaction, ["x:crowd0-9"])
    sizes = []
    for _ in range(4):
        small.incidents.gather()
        sizes.append(small.incidents.size(id)[0])
    assert sizes[-1] == 0
    assert sizes == sorted(sizes, reverse=True)


def test_people_put_mentions_in_and_take_them_out_for_good(room: Room) -> None:
    keep(room.store, saying("1"), saying("glad", score=0.9))
    id = room.see(seen(5)).id
    room.incidents.gather()
    assert room.incidents.attach(id, ["x:glad", "x:unknown"]) == 1
    assert room.incidents.detach(id, ["x:1"]) == 1
    room.incidents.calming(id, ANA)
    room.incidents.gather()
    assert room.members(id) == {"x:glad"}
    assert room.incidents.has_mention(id, "x:glad")
    assert not room.incidents.has_mention(id, "x:1")


def test_its_cases_are_one_family(room: Room) -> None:
    cases = Cases(room.store._db, room.clock)
    keep(room.store, *crowd(7), saying("glad", score=0.9), also=cases.take_in)
    id = room.see(seen(20, onset=0)).id
    room.incidents.gather()
    first = room.incidents.cases_of(id, limit=4)
    rest = room.incidents.cases_of(id, after=str(first.next), limit=4)
    assert rest.next is None
    found = [it.case for it in (*first.cases, *rest.cases)]
    assert len(set(found)) == 7
    assert room.incidents.incident_of(found[0]) == id
    assert room.incidents.incident_of(str(cases.case_of("x:glad"))) is None
    room.incidents.close(id, ANA)
    assert room.incidents.incident_of(found[0]) is None


def topical(number: int, topic: str, texts: Sequence[str], *more: str) -> Iterator[Any]:
    for n in range(number):
        yield saying(f"{topic}{n}", texts[n % len(texts)], n * 0.5, tags={"topics": (topic, *more)})


DOGS = ["they threw a guide dog off at Ashmere", "guide dog refused boarding, illegal", "poor blind man and his dog"]
PAYING = ["charged my card twice for one ticket", "refund never came, bank says fraud", "card payment double again"]


def test_a_topic_that_is_clearly_apart_becomes_an_incident_of_its_own(room: Room) -> None:
    keep(room.store, *topical(20, "dogs", DOGS), *topical(20, "billing", PAYING))
    trunk = room.see(seen(2), seen(3, facet="topic", value="dogs"), seen(4, facet="topic", value="billing"))
    room.incidents.gather()
    assert len(room.every()) == 1, "its lateness is not over"
    room.see(seen(14))
    room.incidents.gather()
    one, other = sorted(room.every(), key=lambda it: it.topic or "")
    assert (one.id, one.work.split_off, other.topic) == (trunk.id, ("billing",), "billing")
    assert "topic=billing" not in one.extent.seen
    room.incidents.gather()
    assert room.members(other.id) == {f"x:billing{n}" for n in range(20)}
    assert room.members(one.id) == {f"x:dogs{n}" for n in range(20)}
    assert room.see(seen(15, facet="topic", value="billing")).id == other.id
    assert room.see(seen(15, facet="topic", value="dogs")).id == one.id
    for it in room.every():
        assert room.incidents.rebuild(it.id) == it


@pytest.mark.parametrize("more", [("dogs",), ()])
def test_a_topic_stays_where_mentions_or_words_are_shared(small: Room, more: tuple[str, ...]) -> None:
    texts = PAYING if more else DOGS
    keep(small.store, *topical(20, "dogs", DOGS), *topical(20, "staff", texts, *more))
    small.see(seen(3, facet="topic", value="dogs"), seen(4, facet="topic", value="staff"), seen(15))
    small.incidents.gather()
    small.incidents.gather()
    assert len(small.every()) == 1


# ----------------------------------------------------------------------------- review


def test_the_review_says_how_long_everything_took_and_how_people_felt(room: Room) -> None:
    cases = Cases(room.store._db, room.clock)
    calm = [saying(f"before{n}", "nice ride on the acme line", -600 + n, score=0.5) for n in range(20)]
    keep(room.store, *calm, *crowd(20), also=cases.take_in)
    id = room.see(seen(3, onset=0), seen(20, onset=0)).id
    room.incidents.gather()
    room.clock.advance(6 * 60)
    room.incidents.acknowledge(id, ANA)
    room.clock.advance(6 * 60)
    case = room.incidents.cases_of(id).cases[0].case
    lease = cases.claim(case, BEN).lease
    with room.store._db.write() as transaction:
        cases.reply_queued(transaction, case, By(BEN, lease.token), "draft:1", "k1")
        cases.reply_sent(transaction, case, "system:sender", "x:answer", "k1", awaiting=False)
    room.clock.advance(8 * 60)
    room.incidents.statement_out(id, ANA, "We are sorry, and the dog is well.")
    keep(room.store, *(saying(f"after{n}", "good answer acme, thanks", 25 + n, score=0.4) for n in range(5)))
    room.incidents.close(id, ANA)
    found = room.incidents.review(id)
    minutes = timedelta(minutes=1)
    assert (found.to_detection, found.to_opening, found.to_acknowledgement) == (3 * minutes, 0 * minutes, 6 * minutes)
    assert (found.to_first_answer, found.to_statement, found.to_closing) == (12 * minutes, 20 * minutes, 20 * minutes)
    assert (found.posts, found.authors, found.cases, found.answered) == (20, 20, 20, 1)
    assert found.statements == ("We are sorry, and the dog is well.",)
    assert "guide dog" in found.what
    assert found.before == pytest.approx(0.5)
    assert found.during is not None
    assert found.after is not None
    assert found.during == pytest.approx(-0.6)
    assert found.after > found.during


def test_what_is_told_of_it_vanishes_with_the_mentions(small: Room) -> None:
    keep(small.store, *crowd(20))
    id = small.see(seen(20, onset=0)).id
    small.incidents.gather()
    told = small.incidents.told(id, at(25))
    assert told.story is not None
    assert "guide dog" in told.paragraph
    assert told.growth.course != "unknown"
    small.store.deliver(
        [], [Removal(source="x", reason="deleted", noticed_at=at(50), mention=it.mention.id) for it in crowd(20)]
    )
    small.incidents.gather()
    told = small.incidents.told(id, at(25))
    assert told.story is None
    assert "dog" not in told.paragraph
    assert told.paragraph.startswith("Acme is being criticised")
