"""Queues: how they stand, what waits in them, and the next case."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from console.api.auth import Caller, needs
from console.api.bodies import Instant, Name, PriorityName
from console.api.models import CaseOut, HeldCase, Page, QueueOut
from console.api.problems import Refused, missing
from console.api.refusals import answers
from console.api.schemas import V1, Id, Part
from console.api.services import Given, Services
from console.api.views import Names, actor_of, cases_out, held_out
from desk.case import State
from desk.case_records import CaseFilter, Load, Order
from pipeline.mention import Priority

router = APIRouter(prefix=V1, tags=["queues"])

Reads = Annotated[Caller, needs("cases.read")]


def working(me: Annotated[Caller, needs("cases.work")], given: Given) -> Caller:
    """Whoever works has been seen: it keeps them among those who are there."""
    given.agents.seen(me.actor)
    return me


Works = Annotated[Caller, Depends(working)]


class Filter(Part):
    """Which cases; what is left out does not matter. `owner` is a user's id, or `me`; `author` a customer's id."""

    state: Annotated[list[State], Query(max_length=len(State))] = []
    owner: Name | None = None
    author: Annotated[str, Query(max_length=2000)] | None = None
    tag: Name | None = None
    priority: PriorityName | None = None
    brand: Name | None = None
    family: Name | None = None
    due_before: Instant | None = None
    open: bool | None = None

    def wanted(self, me: Caller, queue: str | None = None) -> CaseFilter:
        """As the desk is asked."""
        owner = None if self.owner is None else me.actor if self.owner == "me" else actor_of(self.owner)
        return CaseFilter(
            queue=queue,
            states=tuple(self.state),
            owner=owner,
            author=self.author,
            brand=self.brand,
            family=self.family,
            tag=self.tag,
            priority=Priority(self.priority) if self.priority else None,
            due_before=self.due_before,
            open=self.open,
        )


class InQueue(Filter):
    """Of one queue, what is ready first, the most urgent of that before all."""

    order: Order = "urgency"


class Everywhere(Filter):
    """Of all queues; by urgency only of one owner."""

    order: Order = "newest"


@router.get("/queues", responses=answers())
def list_queues(me: Reads, given: Given) -> Page[QueueOut]:
    """Every queue of the rules, and any other in which a case is open, by name."""
    del me
    loads = {load.queue: load for load in given.cases.loads()}
    names = sorted({*given.desk.queues, *loads})
    return Page(items=[_queue(given, name, loads.get(name)) for name in names])


@router.get("/queues/{queue}/cases", responses=answers(404))
def list_cases_of_queue(queue: Id, asked: Annotated[InQueue, Query()], me: Reads, given: Given) -> Page[CaseOut]:
    """The cases of one queue, in pages that stay right while cases come and go."""
    _known(given, queue)
    return page(given, asked.wanted(me, queue), asked.order, asked)


@router.get("/cases", tags=["cases"], responses=answers())
def list_cases(asked: Annotated[Everywhere, Query()], me: Reads, given: Given) -> Page[CaseOut]:
    """Cases of all queues: `owner=me` lists what the caller holds."""
    return page(given, asked.wanted(me), asked.order, asked)


_NOTHING: dict[int | str, dict[str, Any]] = {204: {"description": "Nothing waits that the caller may take."}}


@router.post("/queues/{queue}/next", response_model=HeldCase, responses={**answers(404), **_NOTHING})
def next_of_queue(queue: Id, me: Works, given: Given) -> HeldCase | Response:
    """Take the most urgent case of this queue that the caller may take; with it come all open ones of its author."""
    _known(given, queue)
    agent = given.agents.get(me.actor)
    if agent and agent.queues and queue not in agent.queues:
        raise Refused(403, f"you are not set up for {queue}")
    return _next(given, me, [queue])


@router.post("/next", response_model=HeldCase, responses={**answers(), **_NOTHING})
def next_of_all_queues(me: Works, given: Given) -> HeldCase | Response:
    """The same over all queues that the caller is set up for; without that, over all there are."""
    agent = given.agents.get(me.actor)
    return _next(given, me, list(agent.queues) if agent and agent.queues else list(given.desk.queues))


def page(given: Services, wanted: CaseFilter, order: Order, asked: Part) -> Page[CaseOut]:
    """One page of these cases."""
    found = given.cases.cases(wanted, order, asked.after, asked.limit)
    return Page(items=cases_out(found.cases, Names(given.accounts)), next=found.next)


def _next(given: Services, me: Caller, names: list[str]) -> HeldCase | Response:
    agent = given.agents.get(me.actor)
    languages, topics = (agent.languages, agent.topics) if agent else ((), ())
    held = given.cases.next(me.actor, names, languages, topics)
    return held_out(held.case, held.lease, Names(given.accounts)) if held else Response(status_code=204)


def _known(given: Services, queue: str) -> None:
    # One that the rules no longer name may still have cases.
    if queue not in given.desk.queues and not given.cases.cases(CaseFilter(queue=queue), limit=1).cases:
        raise missing("queue")


def _queue(given: Services, name: str, load: Load | None) -> QueueOut:
    load = load or Load(name, 0, 0, 0, (0, 0, 0, 0), None)
    urgent, high, normal, low = load.ready_by_rank
    rules = given.desk.rules(name)
    return QueueOut(
        name=name,
        ready=load.ready,
        held=load.held,
        resting=load.resting,
        urgent=urgent,
        high=high,
        normal=normal,
        low=low,
        first_due=load.first_due,
        assign=rules.assign,
        approval=rules.approval,
    )
