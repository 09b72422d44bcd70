"""What happens to a case ends its drafts: what they answer is taken back, the case is closed, our answer comes back.

Wherever a case is saved, this goes with it, in the same transaction: nobody goes on typing an answer to what is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace
from sqlalchemy import or_

from desk import drafting, events
from desk.case import Case
from desk.dossier import Dossier
from desk.draft_shelf import find_drafts, put_drafts
from desk.drafting import OPEN, Draft, DraftState
from pipeline.store.answer_tables import drafts
from pipeline.store.database import Transaction

_LIVE = OPEN | {DraftState.QUEUED, DraftState.SENDING}

_Ending = events.MentionRemoved | events.Withdrawn | events.Resolved | events.ReplySent | events.AnsweredNatively


class _News(NamedTuple):
    dossier: Dossier
    case: Case
    event: _Ending


def settle_drafts(transaction: Transaction, dossiers: Sequence[Dossier]) -> None:
    """Let drafts follow from what these dossiers, whose authors are held, have just recorded; what that means for the
    cases is recorded in turn."""
    news = [
        _News(dossier, case, event)
        for dossier in dossiers
        for case, event in dossier.news
        if isinstance(event, _Ending)
    ]
    if not news:
        return
    cases = sorted({it.case.id for it in news})
    gone = [it.event.mention for it in news if isinstance(it.event, events.MentionRemoved)]
    live = drafts.c.state.in_([state.value for state in _LIVE])
    concerned = or_(live, transaction.among(drafts.c.mention, gone)) if gone else live
    of_these = transaction.among(drafts.c.case_id, cases)
    found = {draft.id: draft for draft in find_drafts(transaction, of_these, concerned)}
    before = dict(found)
    for it in news:
        for draft in list(found.values()):
            if draft.case == it.case.id:
                found[draft.id] = _after(it, draft) if draft.state in _LIVE else _afterwards(it, draft)
    put_drafts(transaction, [draft for id, draft in found.items() if draft is not before[id]])


def _after(it: _News, draft: Draft) -> Draft:
    event, at = it.event, it.event.at
    if isinstance(event, events.MentionRemoved):
        return drafting.gone(it.dossier, draft, at) if event.mention == draft.mention else draft
    if isinstance(event, events.ReplySent):
        if not event.key or event.key != draft.key:
            return draft
        return drafting.came_back(it.dossier, draft, at, _answer(draft, event.native_id))
    if draft.state is DraftState.SENDING:
        return draft
    if isinstance(event, events.AnsweredNatively):
        return drafting.answered(it.dossier, draft, at) if draft.state is DraftState.QUEUED else draft
    return _closed(it, draft, at)


def _afterwards(it: _News, draft: Draft) -> Draft:
    """Of a draft that had ended before what it answers was taken back, the words go too, unless they were sent."""
    removed = isinstance(it.event, events.MentionRemoved) and it.event.mention == draft.mention
    return replace(draft, text="") if removed and draft.state is not DraftState.SENT else draft


def _closed(it: _News, draft: Draft, at: datetime) -> Draft:
    if it.dossier.case(it.case.id).open:  # opened again in the same breath
        return draft
    return drafting.withdraw(it.dossier, draft, at, "The case was closed.", forget=False)


def _answer(draft: Draft, native_id: str) -> str:
    return f"{draft.mention.partition(':')[0]}:{native_id}"
