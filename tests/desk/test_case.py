from __future__ import annotations

from datetime import timedelta
from typing import get_args

import msgspec
import pytest

from desk import events
from desk.case import State, apply, fold, opened
from desk.dossier import Dossier, Lease
from desk.events import Event, decode, encode
from desk.refusals import Conflict
from pipeline.mention import Priority
from tests.store.samples import NOON

OPENED = events.Opened(
    at=NOON,
    actor="system:intake",
    queue="service",
    author="test:ana",
    conversation="test:1",
    priority=Priority.HIGH,
    mention="test:1",
    created_at=NOON,
)


def test_every_event_has_a_name_of_its_own_that_is_on_disk() -> None:
    names = [str(kind.__struct_config__.tag) for kind in get_args(Event)]
    assert len(set(names)) == len(names)
    assert {"opened", "mention_added", "taken_over", "lease_expired", "answered_natively"} <= set(names)
    assert msgspec.json.decode(encode(OPENED))["kind"] == OPENED.kind == "opened"
    assert decode(encode(OPENED)) == OPENED


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"kind":"woken","at":"2026-01-05T09:00:00","actor":"user:ana"}')


def test_a_case_begins_with_being_opened() -> None:
    with pytest.raises(ValueError, match="begins with woken"):
        fold("c", [events.Woken(at=NOON, actor="user:ana")])
    with pytest.raises(ValueError, match="no events"):
        fold("c", [])


def test_the_state_after_an_answer_is_that_of_the_last_word() -> None:
    sent = events.ReplySent(at=NOON, actor="system:sender", native_id="9")
    awaiting = events.ReplySent(at=NOON, actor="system:sender", native_id="10", awaiting=True)
    case = opened("c", OPENED)
    assert [fold("c", [OPENED, *after]).state for after in ([sent], [sent, awaiting], [awaiting, sent])] == [
        State.REPLIED,
        State.WAITING,
        State.REPLIED,
    ]
    assert apply(case, sent).answered_at == NOON


def test_an_answer_that_arrives_after_the_case_was_closed_leaves_it_closed() -> None:
    resolved = events.Resolved(at=NOON, actor="user:ana")
    late = events.AnsweredNatively(at=NOON, actor="system:intake")
    assert fold("c", [OPENED, resolved, late]).state is State.RESOLVED


def test_a_token_is_good_until_its_very_end_and_not_at_it() -> None:
    dossier = Dossier(Lease("test:ana"), {"c": opened("c", OPENED)})
    term = timedelta(seconds=300)
    token = dossier.claim("c", "user:ana", "user:ana", NOON, term).token
    dossier.check(token, "user:ana", NOON + term - timedelta(microseconds=1))
    with pytest.raises(Conflict) as ended:
        dossier.check(token, "user:ana", NOON + term)
    assert ended.value.holder is None
    with pytest.raises(Conflict) as stale:
        dossier.check(token - 1, None, NOON)
    assert stale.value.holder == "user:ana"
    with pytest.raises(Conflict):
        dossier.check(token, "user:ben", NOON)
