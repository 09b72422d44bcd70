"""One case: what it is, what happened to it, and everything a person does with it.

What changes whose turn it is takes the fencing token of the lease (`token`) while anybody holds the author; a token
that is not the author's any more is refused with who holds it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from console.api import bodies
from console.api.auth import Caller, needs
from console.api.details import detail
from console.api.models import CaseDetail, CaseOut, HappeningOut, HeldCase, Page
from console.api.queues import Reads, Works
from console.api.refusals import answers
from console.api.schemas import V1, Asked, Id
from console.api.services import Given, Services
from console.api.views import Names, actor_of, case_out, happening_out, held_out
from desk.audit import Event
from desk.case import Case
from desk.case_records import Held
from desk.handling import By
from desk.refusals import Unfit
from pipeline.mention import Priority

router = APIRouter(prefix=f"{V1}/cases", tags=["cases"])

_MISSING = answers(404)
_REFUSED = answers(404, 409)


class Events(Asked):
    """Events after this number of the case."""

    after: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


@router.get("/{id}", responses=_MISSING)
def show_case(id: Id, me: Reads, given: Given) -> CaseDetail:
    """A case with everything one needs to work on it: what was said, the thread around it, drafts, clocks and why they
    stand so, macros that fit, the customer's other open cases."""
    return detail(given, me, id)


@router.get("/{id}/history", responses=_MISSING)
def show_history(id: Id, asked: Annotated[Events, Query()], me: Reads, given: Given) -> Page[HappeningOut]:
    """What happened to it, oldest first; `next` is the number of the last event shown."""
    del me
    given.cases.case(id)
    found = given.cases.history(id, asked.after, asked.limit)
    names = Names(given.accounts)
    names.know(it.event.actor for it in found)
    full = len(found) == asked.limit
    return Page(items=[happening_out(it, names) for it in found], next=str(found[-1].number) if full else None)


# ----------------------------------------------------------------------------- taking work


@router.post("/{id}/claim", responses=_REFUSED)
def claim(id: Id, me: Works, given: Given) -> HeldCase:
    """Take it, with all open ones of its author. Whose it is already keeps it, and the token, for another term."""
    return _held(given, given.cases.claim(id, me.actor))


@router.post("/{id}/heartbeat", responses=_REFUSED)
def heartbeat(id: Id, body: bodies.Held, me: Works, given: Given) -> HeldCase:
    """Say that its owner is still there; once a minute is plenty."""
    return _held(given, given.cases.heartbeat(id, me.actor, body.token))


@router.post("/{id}/release", responses=_REFUSED)
def release(id: Id, body: bodies.Held, me: Works, given: Given) -> CaseOut:
    """Give it back, with everything else of its author."""
    return _out(given, given.cases.release(id, me.actor, body.token))


@router.post("/{id}/takeover", responses=_REFUSED)
def take_over(id: Id, body: bodies.Reason, me: Annotated[Caller, needs("cases.take_over")], given: Given) -> HeldCase:
    """Take it from whoever has it, with a reason. Their token is worth nothing from then on."""
    held = given.cases.take_over(id, me.actor, body.reason)
    given.accounts.note(Event(me.actor, "case.taken_over", f"case:{id}", {"token": held.lease.token}))
    return _held(given, held)


@router.post("/{id}/assign", responses=_REFUSED)
def assign(id: Id, body: bodies.Assign, me: Annotated[Caller, needs("cases.assign")], given: Given) -> CaseOut:
    """Give it, with all open ones of its author, to somebody who works on cases."""
    user = given.accounts.user(body.user)
    if user is None or user.disabled_at or "cases.work" not in user.may:
        raise Unfit("user", "there is nobody of this id who works on cases")
    held = given.cases.claim(id, user.actor, actor=me.actor)
    return _out(given, held.case)


# ------------------------------------------------------------------------------ working on it


@router.post("/{id}/transfer", responses=_REFUSED)
def transfer(id: Id, body: bodies.Transfer, me: Works, given: Given) -> CaseOut:
    """Hand it to another queue; the author's lease ends. `wrong_route` keeps a correction for the rules."""
    _queue(given, body.queue)
    by = By(me.actor, body.token)
    return _out(given, given.cases.transfer(id, by, body.queue, body.reason, wrong_route=body.wrong_route))


@router.post("/{id}/snooze", responses=_REFUSED)
def snooze(id: Id, body: bodies.Snooze, me: Works, given: Given) -> CaseOut:
    """Let it rest until then, within a year, or until its author says more."""
    return _out(given, given.cases.snooze(id, By(me.actor, body.token), body.until))


@router.post("/{id}/wake", responses=_REFUSED)
def wake(id: Id, me: Works, given: Given) -> CaseOut:
    """End a snooze."""
    return _out(given, given.cases.wake(id, By(me.actor)))


@router.post("/{id}/note", responses=_MISSING)
def add_note(id: Id, body: bodies.Note, me: Works, given: Given) -> CaseOut:
    """Write something down for colleagues, on a closed case too. The customer never sees it."""
    return _out(given, given.cases.note(id, By(me.actor), body.text))


@router.post("/{id}/tag", responses=_MISSING)
def change_tags(id: Id, body: bodies.Tags, me: Works, given: Given) -> CaseOut:
    """Put tags on and take tags off."""
    return _out(given, given.cases.tag(id, By(me.actor), body.add, body.remove))


@router.post("/{id}/ask", responses=_REFUSED)
def ask_colleagues(id: Id, body: bodies.Question, me: Works, given: Given) -> CaseOut:
    """Ask another queue, or one person, without giving it up."""
    if body.queue is not None:
        _queue(given, body.queue)
    if body.user is not None and given.accounts.user(body.user) is None:
        raise Unfit("user", "there is no such user")
    asked = actor_of(body.user) if body.user else None
    return _out(given, given.cases.ask(id, By(me.actor), body.question, queue=body.queue, user=asked))


@router.post("/{id}/escalate", responses=_REFUSED)
def escalate(id: Id, body: bodies.Reason, me: Works, given: Given) -> CaseOut:
    """Ask for a lead."""
    return _out(given, given.cases.escalate(id, By(me.actor), body.reason))


@router.post("/{id}/watch", responses=_REFUSED)
def watch(id: Id, me: Works, given: Given, body: bodies.Watch | None = None) -> CaseOut:
    """Hear of it from now on, or no longer."""
    return _out(given, given.cases.watch(id, By(me.actor), stop=body is not None and body.stop))


@router.post("/{id}/priority", responses=_REFUSED)
def set_priority(id: Id, body: bodies.NewPriority, me: Works, given: Given) -> CaseOut:
    """Set how soon a person should look."""
    by = By(me.actor, body.token)
    return _out(given, given.cases.prioritise(id, by, Priority(body.priority), body.reason))


@router.post("/{id}/resolve", responses=_REFUSED)
def resolve(id: Id, me: Works, given: Given, body: bodies.Resolve | None = None) -> CaseOut:
    """Close it; refused while an answer is on its way."""
    body = body or bodies.Resolve()
    return _out(given, given.cases.resolve(id, By(me.actor, body.token), body.reason))


@router.post("/{id}/reopen", responses=_REFUSED)
def reopen(id: Id, body: bodies.Reason, me: Works, given: Given) -> CaseOut:
    """Take up again what was resolved."""
    return _out(given, given.cases.reopen(id, By(me.actor), body.reason))


@router.post("/{id}/answered", responses=_REFUSED)
def answered_natively(id: Id, me: Works, given: Given, body: bodies.Natively | None = None) -> CaseOut:
    """Say that it was answered on the platform itself."""
    body = body or bodies.Natively()
    return _out(given, given.cases.answer_natively(id, By(me.actor, body.token), body.url))


def _queue(given: Services, name: str) -> None:
    if name not in given.desk.queues:
        raise Unfit("queue", f"there is no such queue; there are {', '.join(given.desk.queues)}")


def _out(given: Services, case: Case) -> CaseOut:
    return case_out(case, Names(given.accounts))


def _held(given: Services, held: Held) -> HeldCase:
    return held_out(held.case, held.lease, Names(given.accounts))
