"""Everything that can happen to answers, in any order, on a real database: whatever people, the platform, the stream
and crashes do, nothing is posted twice, nothing under a stale token, nothing to what was taken back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from desk.draft_records import DraftView
from desk.drafting import DraftState
from desk.handling import By
from desk.refusals import Refusal
from desk.replies import TERM
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.store import Store
from tests.desk.answering import VIA, Desks
from tests.fixtures.postgres import empty
from tests.fixtures.replier import Crash, PostingReplier

users = st.sampled_from(["user:ana", "user:ben"])
picks = st.integers(0, 5)
ON_THE_WAY = {DraftState.QUEUED, DraftState.SENDING}
FAULTS: tuple[Callable[[], BaseException], ...] = (
    Crash,
    lambda: SourceUnavailable("no answer"),
    lambda: SourceUnavailable("slow down", trouble="rate_limited", retry_after=20),
    lambda: ReplyRefused("no"),
    ZeroDivisionError,
)


class Watched(PostingReplier):
    """A platform that looks, whenever something is handed to it, whether that may be."""

    def __init__(self, room: Watching) -> None:
        super().__init__()
        self._room = room

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:
        case = self._room.of(mention.id)
        draft = next(it for it in self._room.drafts.drafts().drafts if it.text == text)
        assert draft.state is DraftState.SENDING, "it was handed over before that was written down"
        assert self._room.store.story(mention.id).routed, "what it answers was taken back"
        assert key in case.pending
        owner = self._room.senders[key]
        assert case.open
        assert case.owner in (None, owner.user) or case.token == owner.token, "it was sent under a stale token"
        return super().reply(mention, text, key, media)


class Watching(Desks):
    """Remembers who queued what under which token."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        super().__init__(store, clock)
        self.senders: dict[str, By] = {}
        self.platform = Watched(self)
        self.sender = self.another_sender()


def machine(store: Store, clock: ManualClock) -> type[RuleBasedStateMachine]:
    class Answers(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            empty(store)
            self.room = Watching(store, clock)
            self.numbers = count(1)
            self.said: list[str] = []
            self.gone: set[str] = set()
            self.tokens: dict[str, int] = {}
            self.versions: dict[str, int] = {}
            self.says()

        def attempt(self, do: Callable[[], object]) -> bool:
            try:
                do()
            except Refusal:
                return False
            return True

        def case(self) -> str | None:
            return self.room.cases.case_of(self.said[-1])

        def draft(self, pick: int) -> DraftView | None:
            drafts = self.room.drafts.drafts().drafts
            return drafts[pick % len(drafts)] if drafts else None

        def by(self, user: str) -> By:
            return By(user, self.tokens.get(user))

        # ---------------------------------------------------------------- the customer

        @rule()
        def says(self) -> None:
            id = f"{VIA}:{next(self.numbers)}"
            self.room.hears(id, conversation="c", created_at=clock.now())
            self.said.append(id)

        @rule(pick=picks)
        def takes_back(self, pick: int) -> None:
            id = self.said[pick % len(self.said)]
            self.room.take_back(id)
            self.gone.add(id)

        # ---------------------------------------------------------------------- people

        @rule(user=users, over=st.booleans())
        def takes(self, user: str, over: bool) -> None:
            case = self.case()
            assert case
            cases = self.room.cases

            def take() -> None:
                held = cases.take_over(case, user, "mine") if over else cases.claim(case, user)
                self.tokens[user] = held.lease.token

            self.attempt(take)

        @rule(user=users)
        def writes(self, user: str) -> None:
            case, text = self.case(), f"Words {next(self.numbers)}"
            assert case
            self.attempt(lambda: self.room.drafts.write(case, self.by(user), text))

        @rule(user=users, pick=picks)
        def edits(self, user: str, pick: int) -> None:
            if draft := self.draft(pick):
                text = f"Words {next(self.numbers)}"
                edit = lambda: self.room.drafts.write(  # noqa: E731 - called once
                    draft.case, self.by(user), text, id=draft.id, version=draft.version
                )
                self.attempt(edit)

        @rule(user=users, pick=picks, what=st.sampled_from(["submit", "approve", "discard"]))
        def handles(self, user: str, pick: int, what: str) -> None:
            if draft := self.draft(pick):
                self.attempt(lambda: getattr(self.room.drafts, what)(draft.id, self.by(user)))

        @rule(user=users, pick=picks, may_send=st.booleans())
        def sends(self, user: str, pick: int, may_send: bool) -> None:
            draft = self.draft(pick)
            if draft is None or draft.state in ON_THE_WAY | {DraftState.SENT}:
                return
            by = self.by(user)
            if self.attempt(lambda: self.room.drafts.send(draft.id, by, may_send=may_send)):
                case = self.room.cases.case(draft.case)
                assert (case.owner, case.token) == (by.user, by.token)
                assert may_send or draft.approver not in (None, draft.writer)
                self.room.senders[case.pending[-1]] = by

        @rule(user=users)
        def resolves(self, user: str) -> None:
            case = self.case()
            assert case
            self.attempt(lambda: self.room.cases.resolve(case, self.by(user)))

        # ---------------------------------------------------------------- the platform

        @rule(fault=st.none() | st.sampled_from(FAULTS), lost=st.booleans())
        def a_sender_works(self, fault: Callable[[], BaseException] | None, lost: bool) -> None:
            platform = self.room.platform
            platform.trouble = [fault()] if fault and not lost else []
            platform.lost = [fault()] if fault and lost else []
            try:
                self.room.step()
            except Crash:
                self.room.sender = self.room.another_sender()
            platform.trouble, platform.lost = [], []

        @rule(pick=picks)
        def our_answer_comes_back(self, pick: int) -> None:
            posted = list(self.room.platform.posted.values())
            if posted:
                number = pick % len(posted)
                self.room.comes_back(f"re-{number + 1}", posted[number][0])

        @rule(seconds=st.sampled_from([1, 30, TERM.total_seconds(), 400]))
        def time_passes(self, seconds: float) -> None:
            clock.advance(seconds)

        # ------------------------------------------------------------------ invariants

        @invariant()
        def nothing_is_posted_twice(self) -> None:
            texts = self.room.platform.texts
            assert len(set(texts)) == len(texts)

        @invariant()
        def a_case_waits_for_what_is_on_its_way_and_for_nothing_else(self) -> None:
            drafts = self.room.drafts.drafts().drafts
            for case in self.room.every():
                ours = [it for it in drafts if it.case == case.id and it.state in ON_THE_WAY]
                assert len(case.pending) == len(ours) <= 1
                assert case == self.room.cases.rebuild(case.id)

        @invariant()
        def a_draft_is_what_it_says(self) -> None:
            for draft in self.room.drafts.drafts().drafts:
                assert draft.version >= self.versions.get(draft.id, 1)
                self.versions[draft.id] = draft.version
                assert (draft.next_at is not None) == (draft.state in ON_THE_WAY)
                assert (draft.native_id is not None) == (draft.state is DraftState.SENT)
                if draft.mention in self.gone and draft.state is not DraftState.SENT:
                    assert draft.text == ""
                    assert draft.state in (DraftState.WITHDRAWN, DraftState.DISCARDED, DraftState.SENDING)

    return Answers


def test_whatever_happens_nothing_is_posted_twice_or_behind_anybodys_back(
    store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    run_state_machine_as_test(
        machine(store, clock),
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
