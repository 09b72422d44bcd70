"""Answers as they are written at a case: looked at, kept, approved by somebody else, sent."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Response
from pydantic import Field

from console.api import drafts
from console.api.bodies import Acting as ActingBody
from console.api.bodies import NewDeed, Reason, Text
from console.api.bodies import Send as SendBody
from console.api.models import DraftOut
from console.api.schemas import Id
from console.pages.case import show
from console.pages.case_view import looked_at, view
from console.pages.case_work import Acting, Because, Number, Written, at
from console.pages.page import Page, Posted, Undo, changes
from desk.draft_records import DraftView
from desk.drafting import OPEN, DraftState
from desk.handling import By
from desk.refusals import Unfit
from pipeline.mention import Media

router = APIRouter(include_in_schema=False)

APPROVALS = "/approvals"

Writes = Annotated[Page, changes("drafts.write")]
Approves = Annotated[Page, changes("drafts.approve")]


class Reply(Acting):
    """The composer. `do` is the button that was pressed; with none (a key was) it is sent, or submitted by whoever may
    not send. `draft` and `version` are those of the draft that is gone on with; empty for a new one. `picture` is the
    address of one that goes with it, `alt` its description."""

    @property
    def pictures(self) -> tuple[Media, ...]:
        """What goes with it."""
        return (Media(url=self.picture.strip(), alt=self.alt.strip()),) if self.picture.strip() else ()

    text: Written = ""
    mention: Annotated[Text, Field(max_length=2000)] = ""
    macro: Annotated[Text, Field(max_length=200)] = ""
    draft: Annotated[Text, Field(max_length=200)] = ""
    version: Number = None
    awaiting: bool = False
    private: bool = False
    picture: Annotated[Text, Field(max_length=2000)] = ""
    alt: Annotated[Text, Field(max_length=1000)] = ""
    do: Literal["", "check", "save", "submit", "send", "discard"] = ""


class Where(Posted):
    """Where to go on: the list of what waits for approval, or else the case."""

    back: Annotated[Text, Field(max_length=200)] = ""


class OfDraft(Acting, Where):
    """One draft, from the case or from the list."""

    version: Number = None
    awaiting: bool = False


class Asked(Posted):
    """Something to be done with a mention besides answering it."""

    mention: Annotated[Text, Field(max_length=2000)]
    action: Literal["like", "hide"]
    why: Written = ""


class Rejected(Because, Where):
    """With what to change."""


@router.post("/cases/{id}/check")
def check_text(id: Id, form: Annotated[Reply, Form()], page: Writes) -> Response:
    """How the words look as an answer: a part of the page, for its script."""
    found = looked_at(page, id, form.text, form.mention, form.private) if form.text.strip() else None
    return page.render("case/check.html", check=found)


@router.post("/cases/{id}/reply")
def reply(id: Id, form: Annotated[Reply, Form()], page: Writes) -> Response:
    """What the composer asked for."""
    _, me = page._, page.me
    if form.do == "check":
        return show(page, view(page, id, form.mention, form.macro, form.draft, form.text, form.private))
    if form.do == "discard":
        if form.draft:
            page.given.drafts.discard(form.draft, By(me.actor, form.token))
        return page.go(at(id), _("The draft is gone."))
    draft = _kept(page, id, form)
    if form.do == "save":
        return page.go(at(id), _("The draft is kept. Nothing has gone out."))
    rules = page.given.desk.rules(page.given.cases.case(id).queue)
    submits = form.do == "submit" or (not form.do and (not me.may("replies.send") or rules.approval == "always"))
    if submits:
        page.given.drafts.submit(draft.id, By(me.actor, form.token))
        return page.go(at(id), _("It waits for somebody's approval."))
    return _send(page, draft, form.token, form.awaiting, at(id))


def _kept(page: Page, id: str, form: Reply) -> DraftView:
    """The draft with these words. What the same person kept already, and could not send, is that one."""
    shelf, by = page.given.drafts, By(page.me.actor, form.token)
    if form.draft:
        held = shelf.draft(form.draft)
        if _says(held, form) and held.state in OPEN - {DraftState.REJECTED}:
            return held
        return shelf.write(
            id,
            by,
            form.text,
            macro=form.macro or None,
            id=form.draft,
            version=form.version,
            private=form.private,
            pictures=form.pictures,
        )
    same = (it for it in shelf.drafts(case=id, limit=20).drafts if _says(it, form) and it.writer == by.user)
    found = next((it for it in same if it.state is DraftState.DRAFT and form.mention in ("", it.mention)), None)
    return found or shelf.write(
        id,
        by,
        form.text,
        mention=form.mention or None,
        macro=form.macro or None,
        private=form.private,
        pictures=form.pictures,
    )


def _says(draft: DraftView, form: Reply) -> bool:
    return (draft.text, draft.private, draft.pictures) == (form.text, form.private, form.pictures)


def _send(page: Page, draft: DraftView | DraftOut, token: int | None, awaiting: bool, where: str) -> Response:
    if token is None:
        raise Unfit("token", "take the case first, then send")
    sent = drafts.send_draft(draft.id, SendBody(token=token, awaiting=awaiting), page.me, page.given)
    fields = {"token": str(token), "version": str(sent.version)}
    undo = Undo(page._("Take it back"), f"/drafts/{draft.id}/back", fields)
    return page.go(where, page._("It is on its way."), undo)


@router.post("/cases/{id}/deed")
def ask(id: Id, form: Annotated[Asked, Form()], page: Annotated[Page, changes("replies.send")]) -> Response:
    """Have a mention liked or hidden."""
    drafts.ask_for_deed(id, NewDeed(mention=form.mention, action=form.action, why=form.why), page.me, page.given)
    told = page._("It is being hidden. That is no answer: the customer still waits for one.")
    return page.go(at(id), told if form.action == "hide" else page._("It is being liked."))


# ------------------------------------------------------------------------- one draft


@router.post("/drafts/{id}/send")
def send(id: Id, form: Annotated[OfDraft, Form()], page: Writes) -> Response:
    """Put it on its way."""
    draft = page.given.drafts.draft(id)
    return _send(page, draft, form.token, form.awaiting, _where(form, draft.case))


@router.post("/drafts/{id}/submit")
def submit(id: Id, form: Annotated[OfDraft, Form()], page: Writes) -> Response:
    """Ask for approval."""
    draft = drafts.submit_draft(id, page.me, page.given, ActingBody(token=form.token))
    return page.go(_where(form, draft.case), page._("It waits for somebody's approval."))


@router.post("/drafts/{id}/discard")
def discard(id: Id, form: Annotated[OfDraft, Form()], page: Writes) -> Response:
    """Drop it."""
    draft = drafts.discard_draft(id, page.me, page.given, ActingBody(token=form.token))
    return page.go(_where(form, draft.case), page._("The draft is gone."))


@router.post("/drafts/{id}/back")
def take_back(id: Id, form: Annotated[OfDraft, Form()], page: Writes) -> Response:
    """What is queued is a draft again, as long as the platform was never asked."""
    shelf, by = page.given.drafts, By(page.me.actor, form.token)
    draft = shelf.draft(id)
    shelf.write(draft.case, by, draft.text, id=id, version=form.version)
    return page.go(_where(form, draft.case), page._("It is a draft again. Nothing has gone out."))


@router.post("/drafts/{id}/approve")
def approve(id: Id, form: Annotated[Where, Form()], page: Approves) -> Response:
    """Let it be sent as it stands."""
    draft = drafts.approve_draft(id, page.me, page.given)
    undo = Undo(page._("Undo"), f"/drafts/{id}/reject", {"reason": page._("approved by mistake"), "back": form.back})
    return page.go(_where(form, draft.case), page._("Approved: it may be sent as it stands."), undo)


@router.post("/drafts/{id}/reject")
def reject(id: Id, form: Annotated[Rejected, Form()], page: Approves) -> Response:
    """Give it back to its writer."""
    draft = drafts.reject_draft(id, Reason(reason=form.reason), page.me, page.given)
    return page.go(_where(form, draft.case), page._("It went back to its writer, with what you said."))


def _where(form: Where, case: str) -> str:
    return APPROVALS if form.back == APPROVALS else at(case)
