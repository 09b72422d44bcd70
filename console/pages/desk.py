"""The agent's first screen, lists of cases, and search."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Request, Response
from pydantic import Field, ValidationError, model_validator

from console.api.models import CaseOut, HeldCase, QueueOut
from console.api.models import Page as Cases
from console.api.queues import list_queues, next_of_all_queues, next_of_queue
from console.api.queues import page as page_of_cases
from console.api.schemas import Part
from console.pages import words
from console.pages.kept import kept
from console.pages.names import NAMES
from console.pages.page import Page, Undo, changes, opens
from desk.case import State
from desk.case_records import CaseFilter, Order
from desk.glances import Glances
from desk.refusals import Unfit
from desk.search import Search
from pipeline.mention import Priority

router = APIRouter(include_in_schema=False)

Reads = Annotated[Page, opens("cases.read")]
Works = Annotated[Page, changes("cases.work")]

SHOWN = 40
"""Cases of a page."""

QUEUES_SECS = 2.0
"""How old the counts of queues may be: fifty people look at the same ones."""

Due = Literal["over", "15", "60", "240"]
_STATES: tuple[State, ...] = get_args(State)


class Asked(Part):
    """The filters of a list, as they stand in its address."""

    limit: Annotated[int, Field(ge=1, le=200)] = SHOWN
    queue: str | None = None
    state: State | None = None
    owner: Literal["me", "none"] | None = None
    priority: Literal["urgent", "high", "normal", "low"] | None = None
    brand: str | None = None
    tag: str | None = None
    author: str | None = None
    family: str | None = None
    due: Due | None = None
    show: Literal["open", "closed", "all"] = "open"
    order: Order | None = None

    @model_validator(mode="before")
    @classmethod
    def _given(cls, values: Any) -> Any:
        # A form sends every field; what is empty was not chosen.
        return {name: value for name, value in values.items() if value and name in cls.model_fields}

    def wanted(self, page: Page) -> CaseFilter:
        """As the desk is asked."""
        minutes = {"over": 0, None: None}.get(self.due, self.due)
        return CaseFilter(
            queue=self.queue,
            states=(self.state,) if self.state else (),
            owner=page.me.actor if self.owner == "me" else None,
            author=self.author,
            brand=self.brand,
            family=self.family,
            tag=self.tag,
            priority=Priority(self.priority) if self.priority else None,
            due_before=None if minutes is None else page.now + timedelta(minutes=int(minutes)),
            open={"open": True, "closed": False}.get(self.show),
        )

    @property
    def best_order(self) -> Order:
        """The order that was asked for, or the one that fits."""
        within = self.queue is not None or self.owner == "me"
        if self.order == "urgency" and not within:
            return "newest"
        return self.order or ("urgency" if within else "newest")


@router.get("/desk")
def desk(page: Reads) -> Response:
    """What is mine, what waits, and the next."""
    mine = _cases(page, Asked(owner="me"))
    return page.render(
        "desk/desk.html",
        mine=mine,
        said=_said(page, mine.items),
        queues=_queues(page),
        agents=[it for it in page.given.agents.all() if page.given.agents.there(it)] if page.may("cases.work") else [],
        names=page.given.accounts.names([it.user.removeprefix("user:") for it in page.given.agents.all()]),
        agent=page.given.agents.get(page.me.actor),
    )


@router.post("/desk/next")
def next_case(page: Works) -> Response:
    """Take the most urgent case that one may take, of one queue or of all."""
    given = page.given
    given.agents.seen(page.me.actor)
    queue = str(page.form.get("queue") or "")
    held = next_of_queue(queue, page.me, given) if queue else next_of_all_queues(page.me, given)
    if not isinstance(held, HeldCase):
        return page.go("/desk", page._("Nothing waits that you may take."))
    token = "" if held.lease.token is None else str(held.lease.token)
    undo = Undo(page._("Give it back"), f"/cases/{held.case.id}/release", {"token": token})
    return page.go(f"/cases/{held.case.id}", page._("It is yours."), undo)


@router.get("/cases")
def cases(page: Reads) -> Response:
    """A list of cases by what its address says."""
    asked = _asked(page.request)
    found = _cases(page, asked)
    chosen = {name: value for name, value in asked.model_dump(exclude_defaults=True).items() if name != "after"}
    return page.render(
        "desk/cases.html",
        found=found,
        said=_said(page, found.items),
        queues=_queues(page),
        asked=asked,
        order=asked.best_order,
        state_options=[(it, page._(NAMES.get(it, it))) for it in _STATES],
        chosen=chosen,
        narrowed=chosen.keys() - {"queue", "show"},
        brands=sorted({it.brand for it in found.items if it.brand} | ({asked.brand} if asked.brand else set())),
        more=words.url("/cases", **chosen, after=found.next) if found.next else None,
        start=words.url("/cases", **chosen) if asked.after else None,
    )


@router.get("/search")
def search(page: Reads, q: str = "", kind: Literal["case", "mention"] = "case", after: str = "") -> Response:
    """Cases and mentions in which these words were said."""
    found, wrong = None, ""
    if q.strip():
        part = Search(page.given.database, page.given.clock)
        try:
            found = (part.cases if kind == "case" else part.mentions)(q[:400], after or None, SHOWN)
        except Unfit as error:
            wrong = str(error)
    return page.render(
        "desk/search.html",
        200 if not wrong else 422,
        sought=q,
        kind=kind,
        found=found,
        wrong=wrong,
        more=words.url("/search", q=q, kind=kind, after=found.next) if found and found.next else None,
    )


def _asked(request: Request) -> Asked:
    try:
        return Asked.model_validate(dict(request.query_params))
    except ValidationError as error:
        first = error.errors()[0]
        raise Unfit(str(first["loc"][0]), "cannot be used here: choose it on the page") from None


def _cases(page: Page, asked: Asked) -> Cases[CaseOut]:
    return page_of_cases(page.given, asked.wanted(page), asked.best_order, asked)


def _said(page: Page, items: list[CaseOut]) -> dict[str, Any]:
    return Glances(page.given.database, page.given.clock).of([it.id for it in items])


def _queues(page: Page) -> list[QueueOut]:
    return kept(page.given).get("queues", QUEUES_SECS, lambda: list_queues(page.me, page.given).items)
