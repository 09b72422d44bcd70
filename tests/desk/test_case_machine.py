"""Cases and leases against a model that knows only who may speak with the author, and until when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from desk import handling, hearing
from desk.case import Case, Standing, State, fold
from desk.dossier import Dossier, Lease
from desk.events import Event, decode, encode
from desk.handling import By
from desk.hearing import CaseSettings
from desk.refusals import Refusal
from pipeline.mention import Priority
from tests.desk.build import TERM
from tests.store.samples import NOON, filtered, minutes, routed

users = st.sampled_from(["user:ana", "user:ben", "user:cem"])
tokens = st.integers(0, 12)
picks = st.integers(0, 5)
SETTINGS = CaseSettings(join_hours=1, reopen_hours=2)
LEAD = Case(
    id="lead",
    author="test:ben",
    conversation="c",
    queue="service",
    routed_queue="service",
    state=State.NEW,
    priority=Priority.HIGH,
    opened_at=NOON,
    since=NOON,
    last_said_at=NOON,
)
"""The case of somebody else's copy."""


class CaseMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.dossier = Dossier(Lease("test:ana"), {})
        self.log: dict[str, list[Event]] = defaultdict(list)
        self.read = 0
        self.mentions: dict[str, str] = {}
        self.dropped: set[str] = set()
        self.said = 0
        # The model: the token, whose it is, and until when.
        self.token = 0
        self.holder: str | None = None
        self.until = NOON

    def held(self) -> str | None:
        return self.holder if self.now < self.until else None

    def some(self, pick: int) -> str:
        ids = sorted(self.dossier.cases)
        return ids[pick % len(ids)]

    def attempt(self, may: bool, do: Callable[[], object]) -> bool:
        """Where the model says that it may not be done it must be refused, and leave nothing."""
        before = (self.dossier.lease, dict(self.dossier.cases), len(self.dossier.news))
        try:
            do()
        except Refusal:
            # As a transaction does: what failed leaves no trace.
            self.dossier.lease, self.dossier.cases = before[0], before[1]
            del self.dossier.news[before[2] :]
            return False
        assert may, "it was done under a lease that another holds, or that has ended"
        return True

    # --------------------------------------------------------------------- customers

    @rule(thread=picks, queue=st.sampled_from(["service", "press"]), priority=st.sampled_from(Priority))
    def says(self, thread: int, queue: str, priority: Priority) -> None:
        self.said += 1
        it = routed(
            f"test:{self.said}",
            author="ana",
            conversation=f"c{thread}",
            queue=queue,
            priority=priority,
            created_at=self.now,
            first_response_due=self.now + minutes(30),
        )
        self.dossier.lapse(self.now)
        case = hearing.said(self.dossier, it, self.now, SETTINGS)
        self.mentions[it.mention.id] = case.id
        assert case.open
        assert case.mentions > 0

    @rule(thread=picks, answers=st.integers(0, 1), state=st.sampled_from([State.NEW, State.REPLIED, State.RESOLVED]))
    def repeats_what_another_said(self, thread: int, answers: int, state: State) -> None:
        self.said += 1
        it = routed(f"test:{self.said}", author="ana", conversation=f"w{thread}", created_at=self.now)
        lead = msgspec.structs.replace(LEAD, state=state, answers=answers, answered_at=NOON, closed_at=NOON)
        self.dossier.lapse(self.now)
        case = hearing.said(self.dossier, it, self.now, SETTINGS, lambda _: lead)
        self.mentions[it.mention.id] = case.id
        assert not (case.lead and case.owner)
        assert case.open or case.lead == LEAD.id

    @precondition(lambda self: any(case.lead and case.open for case in self.dossier.cases.values()))
    @rule()
    def is_settled_with_its_wave(self) -> None:
        lead = msgspec.structs.replace(LEAD, state=State.RESOLVED, closed_at=self.now)
        self.dossier.lapse(self.now)
        for case in self.dossier.open_cases():
            if case.lead and case.owner is None:
                hearing.share_fate(self.dossier, case.id, lead, self.now)

    @precondition(lambda self: self.mentions)
    @rule(pick=picks)
    def takes_back(self, pick: int) -> None:
        left = sorted(self.mentions.keys() - self.dropped)
        if left:
            id = left[pick % len(left)]
            self.dropped.add(id)
            self.dossier.lapse(self.now)
            hearing.taken_back(self.dossier, self.mentions[id], id, self.now)

    @precondition(lambda self: self.mentions)
    @rule(pick=picks, noise=st.booleans(), queue=st.sampled_from(["service", "press"]))
    def is_decided_again(self, pick: int, noise: bool, queue: str) -> None:
        id = sorted(self.mentions)[pick % len(self.mentions)]
        it = filtered(id) if noise else routed(id, queue=queue)
        before = id in self.dropped
        self.dossier.lapse(self.now)
        if hearing.decided_again(self.dossier, self.mentions[id], it, self.now, dropped=before):
            self.dropped.add(id)
        else:
            self.dropped.discard(id)

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks)
    def is_answered_natively(self, pick: int) -> None:
        hearing.answered(self.dossier, self.some(pick), routed("test:own").mention, self.now)

    @rule(seconds=st.sampled_from([1, 100, 299, 300, 8000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    # ------------------------------------------------------------------------ agents

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks, user=users)
    def claims(self, pick: int, user: str) -> None:
        held = self.held()
        id = self.some(pick)
        if self.attempt(held in (None, user), lambda: self.dossier.claim(id, user, user, self.now, TERM)):
            self.token += held is None
            self.holder, self.until = user, self.now + TERM

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks, user=users)
    def takes_over(self, pick: int, user: str) -> None:
        id, may = self.some(pick), self.held() != user
        if self.attempt(may, lambda: self.dossier.take_over(id, user, "they left", self.now, TERM)):
            self.token += 1
            self.holder, self.until = user, self.now + TERM

    @rule(token=tokens, user=users)
    def beats(self, token: int, user: str) -> None:
        good = self.good(user, token)
        late = self.until - self.now <= TERM / 2
        if self.attempt(good, lambda: self.dossier.heartbeat(token, user, self.now, TERM)) and late:
            self.until = self.now + TERM

    @rule(token=tokens, user=users)
    def releases(self, token: int, user: str) -> None:
        if self.attempt(self.good(user, token), lambda: self.dossier.release(token, user, self.now)):
            self.holder = None

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks, by=st.builds(By, users, st.none() | tokens), queue=st.sampled_from(["service", "press"]))
    def transfers(self, pick: int, by: By, queue: str) -> None:
        id = self.some(pick)
        do = lambda: handling.transfer(self.dossier, id, by, self.now, queue, "yours")  # noqa: E731 - used twice
        if self.attempt(self.may_change(by), do):
            self.holder = None

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks, by=st.builds(By, users, st.none() | tokens))
    def snoozes(self, pick: int, by: By) -> None:
        id = self.some(pick)
        until = self.now + minutes(10)
        self.attempt(self.may_change(by), lambda: handling.snooze(self.dossier, id, by, self.now, until))

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks)
    def wakes(self, pick: int) -> None:
        id = self.some(pick)
        self.attempt(True, lambda: handling.wake(self.dossier, id, "system:clock", self.now))

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks, by=st.builds(By, users, st.none() | tokens))
    def resolves(self, pick: int, by: By) -> None:
        id = self.some(pick)
        self.attempt(self.may_change(by), lambda: handling.resolve(self.dossier, id, by, self.now))

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks, user=users)
    def reopens(self, pick: int, user: str) -> None:
        id = self.some(pick)
        self.attempt(True, lambda: handling.reopen(self.dossier, id, By(user), self.now, "not done"))

    @precondition(lambda self: self.dossier.cases)
    @rule(pick=picks, by=st.builds(By, users, tokens), key=st.sampled_from(["k1", "k2"]), sent=st.booleans())
    def answers(self, pick: int, by: By, key: str, sent: bool) -> None:
        id = self.some(pick)
        good = self.good(by.user, by.token or 0)
        if self.attempt(good, lambda: handling.queue_reply(self.dossier, id, by, self.now, "draft", key)) and sent:
            handling.reply_sent(self.dossier, id, "system:sender", self.now, "n1", key, awaiting=key == "k1")

    def good(self, user: str, token: int) -> bool:
        return (self.held(), self.token) == (user, token)

    def may_change(self, by: By) -> bool:
        return self.held() is None if by.token is None else self.good(by.user, by.token)

    # -------------------------------------------------------------------- invariants

    @invariant()
    def the_events_make_the_cases_again(self) -> None:
        for case, event in self.dossier.news[self.read :]:
            self.log[case.id].append(decode(encode(event)))
        self.read = len(self.dossier.news)
        assert {id: fold(id, history) for id, history in self.log.items()} == self.dossier.cases
        assert all(case.version == len(self.log[case.id]) for case in self.dossier.cases.values())

    @invariant()
    def one_lease_covers_all_that_is_open_and_nothing_that_is_closed(self) -> None:
        lease = self.dossier.lease
        for case in self.dossier.cases.values():
            expected = (lease.owner, lease.until) if case.open else (None, None)
            assert (case.owner, case.until) == expected
            assert case.token <= lease.token

    @invariant()
    def the_lease_is_the_models_as_long_as_anything_is_open(self) -> None:
        assert self.dossier.lease.token == self.token
        if not self.dossier.open_cases():
            self.holder = None
        assert self.dossier.lease.holder(self.now) == self.held()

    @invariant()
    def a_state_is_what_it_says(self) -> None:
        for case in self.dossier.cases.values():
            assert (case.state is State.CLAIMED) == (case.standing is Standing.HELD)
            assert (case.state is State.SNOOZED) == (case.wakes_at is not None)
            assert (case.closed_at is None) == case.open
            assert not (case.state in (State.NEW, State.REOPENED) and case.owner)
            assert not (case.lead and case.alone)
            assert (case.standing is Standing.READY) == (
                case.state in (State.NEW, State.REOPENED) and case.lead is None
            )


TestCaseMachine = pytest.mark.filterwarnings("default")(CaseMachine.TestCase)
TestCaseMachine.settings = settings(max_examples=40, stateful_step_count=30)
