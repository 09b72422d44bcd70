"""One approved answer becomes the answer of many cases that follow one: a copy in each, which carries the approval and
goes the way of any other answer (`desk/replies.py`).

Nobody holds all these customers, so what a token promises is seen to otherwise: a copy is queued only while nobody else
has the customer, and whoever takes them before it went out gets it back as a draft of theirs. One answer a case: not
where it has one, or one is on its way; and never a second copy. The cases that were resolved with the one they followed
are answered too; they stay resolved.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Literal, NamedTuple

from sqlalchemy import select

from desk import drafting, eligibility, events, lengths
from desk.case import Case, State
from desk.desk import Desk
from desk.dossier import Dossier
from desk.draft_queries import asked_in, quotes_ours
from desk.draft_shelf import no_such, put_drafts, read_draft
from desk.drafting import Draft, DraftState
from desk.handling import By
from desk.refusals import Conflict, NoSuchCase, Unfit
from desk.shelf import dossier_of, save
from pipeline.mention import Mention
from pipeline.ports import Clock
from pipeline.store.answer_tables import drafts
from pipeline.store.case_tables import case_events
from pipeline.store.columns import fit
from pipeline.store.database import Database, Transaction

STOPPED = "The statement is sent to nobody any more."

_STANDING = frozenset({DraftState.APPROVED, DraftState.QUEUED, DraftState.SENDING, DraftState.SENT})


class Copied(NamedTuple):
    """What came of it: queued; later, as somebody is talking to the customer; or not, for this reason."""

    outcome: Literal["queued", "later", "not"]
    reason: str = ""


def approved(transaction: Transaction, id: str) -> Draft:
    """The draft that may be sent to many. Raises NoSuchDraft; Conflict where nobody approved it, or it was taken back,
    refused or changed since; Unfit where a variable is left in it."""
    row = transaction.run(select(drafts).where(drafts.c.id == id)).first()
    if row is None:
        raise no_such(id)
    draft = read_draft(row)
    if draft.state not in _STANDING or draft.copied_from:
        stands = "is itself a copy" if draft.copied_from else f"is {draft.state.value}"
        raise Conflict(f"draft {id} {stands}: only what was approved, or sent with an approval, answers many")
    if draft.approver is None:
        raise Conflict(f"nobody has approved draft {id}: what answers many needs somebody else's approval")
    drafting.check_whole(draft)
    return draft


def copy_to(
    transaction: Transaction, desk: Desk, statement: Draft, case: str, mention: str, sender: str, now: datetime
) -> Copied:
    """Queue these words as the answer to `mention` in this case, as `sender` (`user:ID`) decided for all."""
    try:
        dossier = dossier_of(transaction, case)
    except NoSuchCase:
        return Copied("not", "it is gone")
    before = {dossier.lease.author: dossier.lease}
    dossier.lapse(now)
    to = _unfit(transaction, dossier, case, statement, sender, now) or _to(transaction, desk, statement, case, mention)
    if isinstance(to, Mention):
        draft = _copy(dossier, statement, case, to, now)
        key = f"{draft.id}-{draft.version}"
        said = events.ReplyQueued(at=now, actor=sender, draft=draft.id, key=key, copied_from=statement.id)
        dossier.record(case, said)
        by = By(sender, dossier.lease.token)
        put_drafts(transaction, [drafting.queued(draft, by, now, key, awaiting=False)])
    save(transaction, [dossier], before)
    return Copied("queued") if isinstance(to, Mention) else to


def take_back(database: Database, clock: Clock, statement: str) -> int:
    """Withdraw the copies that no platform was ever asked about, one in each transaction; returns how many."""
    query = select(drafts.c.id, drafts.c.case_id).where(drafts.c.copied_from == statement)
    query = query.where(drafts.c.state == DraftState.QUEUED.value, drafts.c.attempts == 0)
    with database.read() as transaction:
        waiting = transaction.run(query).all()
    done = 0
    for row in waiting:
        with database.write() as transaction:
            dossier = dossier_of(transaction, row.case_id)
            before = {dossier.lease.author: dossier.lease}
            still = transaction.run(select(drafts).where(drafts.c.id == row.id).with_for_update()).first()
            draft = read_draft(still) if still else None
            if draft is None or draft.state is not DraftState.QUEUED or draft.attempts:
                continue
            draft = drafting.withdraw(dossier, draft, clock.now(), STOPPED, forget=False)
            save(transaction, [dossier], before)
            put_drafts(transaction, [draft])
            done += 1
    return done


def copy_id(statement: str, case: str) -> str:
    """The id of the copy in a case: the same for whoever makes it."""
    return blake2b(f"{statement}\0{case}".encode(), digest_size=8).hexdigest()


def _unfit(
    transaction: Transaction, dossier: Dossier, id: str, statement: Draft, sender: str, now: datetime
) -> Copied | None:
    case = dossier.case(id)
    if transaction.run(select(drafts.c.id).where(drafts.c.id == copy_id(statement.id, id))).first():
        return Copied("not", "it has this answer")
    if case.answers or case.lead is None or not (case.open or _settled(transaction, case)):
        return Copied("not", "it goes its own way")
    if case.pending:
        return Copied("later", "another answer is on its way")
    holder = dossier.lease.holder(now)
    return Copied("later", f"held by {holder}") if holder and holder != sender else None


def _to(transaction: Transaction, desk: Desk, statement: Draft, case: str, mention: str) -> Mention | Copied:
    """What it answers, where these words can be its answer from here."""
    try:
        asked = asked_in(transaction, case, mention)
    except (Unfit, Conflict):
        return Copied("not", drafting.GONE)
    ours = quotes_ours(transaction, asked.mention)
    verdict = eligibility.through(asked.mention, desk.vias, quotes_ours=ours)
    if isinstance(verdict, eligibility.Ineligible):
        return Copied("not", verdict.reason)
    over = [it for it in lengths.measure(statement.text, asked.mention.source) if it.over]
    return Copied("not", f"It is too long: {over[0].over} {over[0].unit} over.") if over else asked.mention


def _settled(transaction: Transaction, case: Case) -> bool:
    """Whether it was resolved with the case it followed, and not by hand."""
    if case.state is not State.RESOLVED:
        return False
    query = select(case_events.c.body).where(case_events.c.case_id == case.id, case_events.c.kind == "resolved")
    last = transaction.run(query.order_by(case_events.c.number.desc()).limit(1)).scalar()
    event = events.decode(last) if last else None
    return isinstance(event, events.Resolved) and event.lead is not None


def _copy(dossier: Dossier, statement: Draft, case: str, to: Mention, now: datetime) -> Draft:
    return Draft(
        id=copy_id(statement.id, case),
        case=case,
        author=dossier.lease.author,
        mention=fit(to.id),
        via=to.via,
        state=DraftState.APPROVED,
        text=statement.text,
        macro=statement.macro,
        language=statement.language,
        writer=statement.writer,
        hands=statement.hands,
        created_at=now,
        changed_at=now,
        approver=statement.approver,
        copied_from=statement.id,
    )
