"""Incidents: what goes on, what it is about, and what is done about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Response
from pydantic import Field

from console.api import incidents as api
from console.api.incident_models import Answer, Changing, Following, IncidentDetail, Statement
from console.api.schemas import Id
from console.pages import words
from console.pages.kept import kept
from console.pages.names import NAMES
from console.pages.page import Page, Posted, Undo, changes, opens
from desk.glances import Glances
from desk.refusals import Unfit
from pipeline.mention import Routed
from spikes.detection import Kind
from spikes.incident_records import State

router = APIRouter(include_in_schema=False)

Reads = Annotated[Page, opens("incidents.read")]
Works = Annotated[Page, changes("incidents.work")]

SHOWN = 30
"""Incidents of a page."""

TOLD_SECS = 2.0
"""How old what many people look at may be: reading what an incident is about takes its posts."""


class Words(Posted):
    """What somebody says with a change, and the version they had read."""

    text: Annotated[str, Field(max_length=4000)] = ""
    url: Annotated[str, Field(max_length=2000)] = ""
    version: int | None = None
    case: Annotated[str, Field(max_length=200)] = ""
    draft: Annotated[str, Field(max_length=200)] = ""


Sent = Annotated[Words, Form()]


@router.get("/incidents")
def incidents(page: Reads, show: str = "open", kind: str = "", brand: str = "", after: str = "") -> Response:
    """The list, the newest onset first."""
    if kind and kind not in list(Kind):
        raise Unfit("kind", f"is one of {', '.join(Kind)}")
    wanted = api.Filter(
        open=True if show == "open" else None,
        state=[State.CLOSED] if show == "closed" else [],
        kind=Kind(kind) if kind else None,
        brand=brand or None,
        after=after or None,
        limit=SHOWN,
    )
    found = api.list_incidents(wanted, page.me, page.given)
    chosen = {"show": show if show != "open" else None, "kind": kind, "brand": brand}
    return page.render(
        "incidents/list.html",
        found=found,
        show=show,
        kind=kind,
        brand=brand,
        kind_options=[(it.value, page._(NAMES[it.value])) for it in Kind],
        more=words.url("/incidents", **chosen, after=found.next) if found.next else None,
    )


@router.get("/incidents/{id}")
def incident(page: Reads, id: Id) -> Response:
    """One, with everything one needs to work on it."""
    detail = _detail(page, id)
    glances = _glances(page, detail)
    lead, drafts = detail.incident.lead, []
    if lead and page.may("incidents.work"):
        drafts = [it for it in page.given.drafts.drafts(case=lead).drafts if it.approver]
    return page.render(
        "incidents/show.html",
        detail=detail,
        it=detail.incident,
        bars=_bars(detail),
        drafts=drafts,
        draft_options=[(draft.id, draft.text[:120]) for draft in drafts],
        glances=glances,
        case_options=[(it.case.id, _line(it.case.author, glances.get(it.case.id))) for it in detail.cases],
    )


@router.get("/incidents/{id}/review")
def review(page: Reads, id: Id) -> Response:
    """How it went."""
    found = api.review_incident(id, page.me, page.given)
    return page.render("incidents/review.html", it=_detail(page, id).incident, review=found)


@router.post("/incidents/{id}/acknowledge")
def acknowledge(page: Works, id: Id, sent: Sent) -> Response:
    """Say that one sees to it."""
    api.acknowledge_incident(id, page.me, page.given, _changing(sent))
    return _back(page, id, page._("You see to it. Everybody who was called is told."))


@router.post("/incidents/{id}/statement")
def statement(page: Works, id: Id, sent: Sent) -> Response:
    """Note what was said in public."""
    api.note_statement(id, Statement(text=sent.text, url=sent.url, version=sent.version), page.me, page.given)
    return _back(page, id, page._("The statement is noted."))


@router.post("/incidents/{id}/calm")
def calm(page: Works, id: Id, sent: Sent) -> Response:
    """Say that it is getting less."""
    api.calm_incident(id, page.me, page.given, _changing(sent))
    return _back(page, id, page._("Noted: it is getting less."), Undo(page._("Not over"), f"/incidents/{id}/reopen"))


@router.post("/incidents/{id}/close")
def close(page: Works, id: Id, sent: Sent) -> Response:
    """Say that it is over."""
    api.close_incident(id, page.me, page.given, _changing(sent))
    return _back(page, id, page._("It is closed."), Undo(page._("Open it again"), f"/incidents/{id}/reopen"))


@router.post("/incidents/{id}/reopen")
def reopen(page: Works, id: Id, sent: Sent) -> Response:
    """Say that it is not over."""
    api.reopen_incident(id, page.me, page.given, _changing(sent))
    return _back(page, id, page._("It is open again: somebody has to see to it."))


@router.post("/incidents/{id}/note")
def note(page: Works, id: Id, sent: Sent) -> Response:
    """Write a line into the timeline."""
    if not sent.text.strip():
        raise Unfit("text", "is empty: say something")
    page.given.incidents.note(id, page.me.actor, sent.text)
    return _back(page, id, page._("Written down."))


@router.post("/incidents/{id}/follow")
def follow(page: Works, id: Id, sent: Sent) -> Response:
    """Work its cases as one."""
    done = api.let_cases_follow(id, Following(case=sent.case, note=sent.text), page.me, page.given)
    said = page._(
        "%(joined)s cases follow now, and those that come later will; %(left)s go on by themselves.",
        joined=done.joined,
        left=done.left,
    )
    return _back(page, id, said)


@router.post("/incidents/{id}/answer")
def answer(page: Annotated[Page, changes("incidents.work", "replies.send")], id: Id, sent: Sent) -> Response:
    """Send the approved answer to every case that follows."""
    api.answer_incident(id, Answer(draft=sent.draft), page.me, page.given)
    stop = Undo(page._("Stop it"), f"/incidents/{id}/answer/stop")
    return _back(page, id, page._("It goes out, each in its own thread, at the pace of the playbook."), stop)


@router.post("/incidents/{id}/answer/stop")
def stop(page: Works, id: Id, sent: Sent) -> Response:
    """Send it to nobody else."""
    api.stop_answering(id, page.me, page.given, _changing(sent))
    return _back(page, id, page._("It is sent to nobody else."))


def _back(page: Page, id: str, said: str, undo: Undo | None = None) -> Response:
    kept(page.given).get(("incident", id), 0, lambda: api.show_incident(id, page.me, page.given))
    return page.go(f"/incidents/{id}", said, undo)


def _changing(sent: Words) -> Changing:
    return Changing(text=sent.text, version=sent.version)


def _detail(page: Page, id: str) -> IncidentDetail:
    return kept(page.given).get(("incident", id), TOLD_SECS, lambda: api.show_incident(id, page.me, page.given))


def _glances(page: Page, detail: IncidentDetail) -> dict[str, Routed]:
    if not page.may("cases.read"):
        return {}
    return Glances(page.given.database, page.given.clock).of([it.case.id for it in detail.cases])


def _line(author: str, routed: Routed | None) -> str:
    if routed is None:
        return words.plain(author)
    mention = routed.mention
    return words.plain(f"{mention.author.handle or mention.author.name or author}: {mention.text}")[:100]


HEIGHT, WIDTH = 120, 900
"""Of the picture, in its own units."""


def _bars(detail: IncidentDetail) -> list[dict[str, Any]]:
    """The counts around it as bars: all, and the negative part of each."""
    items = detail.series.items
    top = max((it.mentions for it in items), default=0) or 1
    step = WIDTH / max(len(items), 1)
    return [
        {
            "x": round(number * step, 1),
            "width": round(max(step - 1, 0.6), 1),
            "all": round(it.mentions / top * HEIGHT, 1),
            "negative": round(min(it.negative, it.mentions) / top * HEIGHT, 1),
            "item": it,
        }
        for number, it in enumerate(items)
    ]
