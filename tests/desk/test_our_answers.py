"""Our answer comes back through the connector as if a stranger had written it: no own account is configured."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread
from typing import Any

import pytest

from desk.case import State
from desk.drafting import DraftState
from desk.replies import TERM
from pipeline.clock import ManualClock
from pipeline.mention import Kind, Priority, Routed
from pipeline.store import Store
from pipeline.store.database import Transaction
from tests.desk.answering import FIRST, VIA, Desks
from tests.desk.build import BEN
from tests.fixtures.replier import Crash
from tests.store.samples import NOON, minutes, routed

ANSWER = f"{VIA}:re-1"


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Desks:
    return Desks(store, clock)


def unrecognised(**changes: Any) -> Routed:
    fields: dict[str, Any] = {
        "author": "brand",
        "via": VIA,
        "parent": FIRST,
        "kind": Kind.REPLY,
        "priority": Priority.URGENT,
    }
    return routed(ANSWER, **(fields | changes))


def stored(room: Desks) -> tuple[bool, str | None, str | None]:
    it = room.store.story(ANSWER).routed
    assert it is not None
    return it.mention.own, it.decision.queue, it.decision.filtered


def settled(room: Desks, case: str, besides: int = 0) -> None:
    """It is our answer in the customer's case, waits for nobody, and the customer's case is as it was."""
    assert stored(room) == (True, None, "own")
    assert room.of(ANSWER).id == case
    answered = room.cases.case(case)
    assert (answered.state, answered.answers, answered.mentions, answered.pending) == (State.REPLIED, 1, 1, ())
    assert answered.priority is Priority.HIGH
    assert "answered_natively" not in room.kinds(case)
    assert len([it for it in room.every() if it.open and it.id != case]) == besides


def test_it_opens_no_case_and_waits_in_no_queue(room: Desks) -> None:
    draft = room.queued()
    room.step()
    for _ in range(2):  # the second time as after a worker's restart
        room.hear(unrecognised(), routed(f"{VIA}:2", author="ben"))
    settled(room, draft.case, besides=1)


def test_a_case_it_opened_before_the_platform_told_its_id_is_withdrawn(room: Desks) -> None:
    draft = room.queued()
    strays: list[str] = []

    def meanwhile() -> None:
        room.hear(unrecognised())
        strays.append(room.of(ANSWER).id)

    room.platform.during = meanwhile
    room.step()
    stray = room.cases.case(strays[0])
    assert stray.id != draft.case
    assert (stray.state, stray.mentions) == (State.WITHDRAWN, 0)
    settled(room, draft.case)
    room.hear(unrecognised())  # the same record again, as after a worker's restart
    assert room.cases.case(stray.id).state is State.WITHDRAWN
    settled(room, draft.case)


def test_a_case_it_opened_after_a_crash_is_withdrawn_once_the_answer_is_noted(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    room.platform.lost = [Crash()]
    with pytest.raises(Crash):
        room.step()
    room.hear(unrecognised(created_at=NOON + minutes(1)))
    stray = room.of(ANSWER).id
    by = room.takes(stray, BEN)
    typing = room.drafts.write(stray, by, "Who are you?")
    clock.advance(TERM.total_seconds())
    room.another_sender().step()
    assert room.cases.case(stray).state is State.WITHDRAWN
    assert room.drafts.draft(typing.id).state is DraftState.WITHDRAWN
    settled(room, draft.case)


def test_what_the_same_account_said_besides_stays_in_its_case(room: Desks) -> None:
    draft = room.queued()
    room.platform.during = lambda: room.hear(unrecognised(), routed(f"{VIA}:2", author="brand", via=VIA))
    room.step()
    other = room.of(f"{VIA}:2")
    assert (other.open, other.mentions) == (True, 1)
    assert room.of(ANSWER).id == draft.case
    assert stored(room) == (True, None, "own")


def test_what_is_being_stored_while_its_id_is_noted_is_settled_too(room: Desks) -> None:
    draft = room.queued()
    sending = Thread(target=room.step)

    def also(transaction: Transaction, fresh: Sequence[Routed], withdrawn: Sequence[str]) -> None:
        room.cases.take_in(transaction, fresh, withdrawn)
        sending.start()
        sending.join(0.5)  # it cannot end before we do; without its lock it would have gone by the case unseen

    room.store.deliver([unrecognised()], also=also)
    sending.join(30)
    assert room.drafts.draft(draft.id).state is DraftState.SENT
    settled(room, draft.case)
