"""Answers: written, checked, approved by somebody else where that is asked for, and sent once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from console.api import bodies
from console.api.auth import Caller, needs
from console.api.models import CheckOut, DeedOut, DraftOut, Page
from console.api.queues import Reads
from console.api.refusals import answers
from console.api.schemas import V1, Id, Part
from console.api.services import Given
from console.api.views import Names, check_out, deed_out, draft_out, drafts_out
from desk.audit import Event
from desk.deeds import Deeds
from desk.drafting import DraftState
from desk.handling import By
from pipeline.mention import Media

router = APIRouter(prefix=V1, tags=["drafts"])

Writes = Annotated[Caller, needs("drafts.write")]
Sends = Annotated[Caller, needs("replies.send")]
Approves = Annotated[Caller, needs("drafts.approve")]

_REFUSED = answers(404, 409)


class Wanted(Part):
    """Which drafts: those of a case, those that stand so (`submitted` waits for approval)."""

    case: bodies.Name | None = None
    state: DraftState | None = None


@router.get("/drafts", responses=answers())
def list_drafts(asked: Annotated[Wanted, Query()], me: Reads, given: Given) -> Page[DraftOut]:
    """Drafts, the newest first."""
    del me
    found = given.drafts.drafts(asked.case, asked.state, asked.after, asked.limit)
    return Page(items=drafts_out(found.drafts, Names(given.accounts)), next=found.next)


@router.post("/cases/{id}/drafts", status_code=201, responses=_REFUSED)
def write_draft(id: Id, body: bodies.NewDraft, me: Writes, given: Given) -> DraftOut:
    """Begin an answer. An empty text with a macro takes the macro's, filled in."""
    draft = given.drafts.write(
        id,
        By(me.actor, body.token),
        body.text,
        mention=body.mention,
        macro=body.macro,
        language=body.language,
        private=body.private,
        pictures=_pictures(body.pictures),
    )
    return draft_out(draft, Names(given.accounts))


@router.post("/cases/{id}/deeds", status_code=202, responses=_REFUSED)
def ask_for_deed(id: Id, body: bodies.NewDeed, me: Sends, given: Given) -> DeedOut:
    """Have a mention liked, or hidden on a page of ours, where its platform can. The audit log has what is hidden, and
    why."""
    deed = Deeds(given.database, given.clock, given.desk).ask(id, By(me.actor), body.mention, body.action, body.why)
    if body.action == "hide":
        given.accounts.note(Event(me.actor, "mention.hidden", f"case:{id}", {"mention": body.mention, "why": deed.why}))
    return deed_out(deed, Names(given.accounts))


@router.post("/drafts/check", responses=_REFUSED)
def check_text(body: bodies.Check, me: Writes, given: Given) -> CheckOut:
    """What a text looks like as an answer in a case, without keeping it: warnings, lengths, whether it can be sent."""
    del me
    found = given.drafts.check(body.case, body.text, mention=body.mention, language=body.language, private=body.private)
    return check_out(found)


@router.get("/drafts/{id}", responses=answers(404))
def show_draft(id: Id, me: Reads, given: Given) -> DraftOut:
    """One draft."""
    del me
    return draft_out(given.drafts.draft(id), Names(given.accounts))


@router.put("/drafts/{id}", responses=_REFUSED)
def edit_draft(id: Id, body: bodies.DraftEdit, me: Writes, given: Given) -> DraftOut:
    """Change its words; refused where somebody else changed it since `version`. What was approved is a draft again."""
    case = given.drafts.draft(id).case
    by = By(me.actor, body.token)
    draft = given.drafts.write(
        case,
        by,
        body.text,
        macro=body.macro,
        language=body.language,
        id=id,
        version=body.version,
        private=body.private,
        pictures=None if body.pictures is None else _pictures(body.pictures),
    )
    return draft_out(draft, Names(given.accounts))


@router.post("/drafts/{id}/submit", responses=_REFUSED)
def submit_draft(id: Id, me: Writes, given: Given, body: bodies.Acting | None = None) -> DraftOut:
    """Ask for somebody's approval. A token that is given must be good, so that who lost the case hears of it."""
    return draft_out(given.drafts.submit(id, _by(me, body)), Names(given.accounts))


@router.post("/drafts/{id}/approve", responses=_REFUSED)
def approve_draft(id: Id, me: Approves, given: Given) -> DraftOut:
    """Let it be sent as it stands. Nobody approves what they wrote themselves."""
    draft = given.drafts.approve(id, By(me.actor))
    given.accounts.note(Event(me.actor, "draft.approved", f"case:{draft.case}", {"draft": id}))
    return draft_out(draft, Names(given.accounts))


@router.post("/drafts/{id}/reject", responses=_REFUSED)
def reject_draft(id: Id, body: bodies.Reason, me: Approves, given: Given) -> DraftOut:
    """Give it back to its writer, with what to change."""
    return draft_out(given.drafts.reject(id, By(me.actor), body.reason), Names(given.accounts))


@router.post("/drafts/{id}/discard", responses=_REFUSED)
def discard_draft(id: Id, me: Writes, given: Given, body: bodies.Acting | None = None) -> DraftOut:
    """Drop it, words and all; one that is queued is taken back, under the token."""
    return draft_out(given.drafts.discard(id, _by(me, body)), Names(given.accounts))


@router.post("/drafts/{id}/send", responses=_REFUSED)
def send_draft(id: Id, body: bodies.Send, me: Writes, given: Given) -> DraftOut:
    """Put it on its way, under the token of the lease; exactly once. Without the right to send only what somebody else
    approved goes."""
    by = By(me.actor, body.token)
    draft = given.drafts.send(id, by, may_send=me.may("replies.send"), awaiting=body.awaiting)
    return draft_out(draft, Names(given.accounts))


def _pictures(given: Sequence[bodies.Picture]) -> list[Media]:
    return [Media(url=it.url, alt=it.alt) for it in given]


def _by(me: Caller, body: bodies.Acting | None) -> By:
    return By(me.actor, body.token if body else None)
