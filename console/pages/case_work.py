"""What an agent does with a case, besides answering: each is a form of its page, and says how to take it back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Response
from pydantic import AfterValidator, BeforeValidator, Field

from console.api import cases
from console.api.bodies import Assign as AssignBody
from console.api.bodies import Held, Name, PriorityName, Reason, Said, Text
from console.api.schemas import Id
from console.api.views import actor_of
from console.pages.case import SNOOZES, Works, snooze_end
from console.pages.page import Page, Posted, Undo, changes
from desk.events import LabelName, LabelValue
from desk.handling import TEXT_CHARS, By
from desk.labels import VALUES, Labels, tagged
from desk.refusals import Unfit
from pipeline.mention import Priority

router = APIRouter(include_in_schema=False)


def lines(text: str) -> str:
    """As it was typed: a browser sends each line's end as two characters (HTML, 4.10.21.7)."""
    return text.replace("\r\n", "\n")


def _none(value: object) -> object:
    return None if value == "" else value


Token = Annotated[int | None, Field(ge=0, le=2**53 - 1), BeforeValidator(_none)]
"""The fencing token; empty where nobody holds the customer."""

Number = Annotated[int | None, Field(ge=1, le=2**31 - 1), BeforeValidator(_none)]
Written = Annotated[Text, Field(max_length=TEXT_CHARS), AfterValidator(lines)]
Needed = Annotated[Said, AfterValidator(lines)]


class Acting(Posted):
    """By whoever holds the customer, or by anybody while nobody does."""

    token: Token = None


class Because(Posted):
    """With a reason."""

    reason: Needed


class Transfer(Acting):
    """To another queue; `wrong` says that the rules should never have sent it here."""

    queue: Name
    reason: Written = ""
    wrong: bool = False


class Snooze(Acting):
    """For one of the usual spans, or until a time in the reader's zone."""

    span: str = ""
    until: Annotated[Text, Field(max_length=40)] = ""


class Note(Posted):
    """For colleagues."""

    text: Needed


class Tags(Posted):
    """Tags to put on, apart by commas, and one to take off."""

    add: Annotated[Text, Field(max_length=1000)] = ""
    remove: Annotated[Text, Field(max_length=1000)] = ""


class Question(Posted):
    """`whom` is `queue:NAME` or `user:ID`."""

    question: Needed
    whom: Annotated[Text, Field(pattern=r"^(queue|user):.", max_length=210)]


class Watch(Posted):
    """Hear of it, or no longer."""

    stop: bool = False


class NewPriority(Acting):
    """How soon a person should look."""

    priority: PriorityName
    reason: Written = ""


class Resolve(Acting):
    """A reason may be given."""

    reason: Written = ""


class Natively(Acting):
    """Answered on the platform, at this address where it is known."""

    url: Annotated[Text, Field(max_length=2000)] = ""


class Assign(Posted):
    """To this person, by id."""

    user: Name


class Label(Posted):
    """What holds of a mention."""

    mention: Annotated[Text, Field(min_length=1, max_length=2000)]
    label: LabelName | None = None
    right: LabelValue | None = None
    choice: Annotated[Text, Field(max_length=60)] = ""


def at(id: str) -> str:
    """The page of a case."""
    return f"/cases/{id}"


def _undo(page: Page, id: str, what: str, **fields: object) -> Undo:
    return Undo(page._("Undo"), f"/cases/{id}/{what}", {name: str(value) for name, value in fields.items()})


# ------------------------------------------------------------------------------ taking it


@router.post("/cases/{id}/claim")
def claim(id: Id, page: Works) -> Response:
    """Take it, or keep it for another term."""
    held = cases.claim(id, page.me, page.given)
    undo = _undo(page, id, "release", token=held.lease.token)
    return page.go(at(id), page._("It is yours, with all open cases of this customer."), undo)


@router.post("/cases/{id}/heartbeat")
def heartbeat(id: Id, form: Annotated[Acting, Form()], page: Works) -> Response:
    """Their page says that its reader is still there; 409 once it is somebody else's."""
    if form.token is None:
        raise Unfit("token", "take the case first")
    cases.heartbeat(id, Held(token=form.token), page.me, page.given)
    return Response(status_code=204)


@router.post("/cases/{id}/release")
def release(id: Id, form: Annotated[Acting, Form()], page: Works) -> Response:
    """Give it back."""
    if form.token is None:
        raise Unfit("token", "take the case first")
    cases.release(id, Held(token=form.token), page.me, page.given)
    return page.go(at(id), page._("It is back in its queue."), _undo(page, id, "claim"))


@router.post("/cases/{id}/takeover")
def take_over(id: Id, form: Annotated[Because, Form()], page: Annotated[Page, changes("cases.take_over")]) -> Response:
    """Take it from whoever has it."""
    cases.take_over(id, Reason(reason=form.reason), page.me, page.given)
    return page.go(at(id), page._("It is yours now. Whoever had it is told why."))


@router.post("/cases/{id}/assign")
def assign(id: Id, form: Annotated[Assign, Form()], page: Annotated[Page, changes("cases.assign")]) -> Response:
    """Give it to somebody."""
    given = cases.assign(id, AssignBody(user=form.user), page.me, page.given)
    name = given.owner.name if given.owner else ""
    return page.go(at(id), page._("%(name)s has it now.", name=name))


# -------------------------------------------------------------------------- working on it


@router.post("/cases/{id}/transfer")
def transfer(id: Id, form: Annotated[Transfer, Form()], page: Works) -> Response:
    """Hand it to another queue."""
    given, _ = page.given, page._
    if form.queue not in given.desk.queues:
        raise Unfit("queue", f"there is no such queue; there are {', '.join(given.desk.queues)}")
    before = given.cases.case(id).queue
    reason = form.reason.strip() or _("belongs in %(queue)s", queue=form.queue)
    given.cases.transfer(id, By(page.me.actor, form.token), form.queue, reason, wrong_route=form.wrong)
    back = {"queue": before, "reason": _("sent to %(queue)s by mistake", queue=form.queue)}
    undo = _undo(page, id, "transfer", **back, **({"wrong": 1} if form.wrong else {}))
    return page.go(at(id), _("It is in %(queue)s now.", queue=form.queue), undo)


@router.post("/cases/{id}/label")
def correct_label(id: Id, form: Annotated[Label, Form()], page: Works) -> Response:
    """Say what holds of a mention; `choice` is `label:right` of a button."""
    name, value = (form.label, form.right) if not form.choice else _choice(form.choice)
    if name is None or value is None:
        raise Unfit("label", "say which label is wrong, and what is right")
    labels = Labels(page.given.database, page.given.clock)
    before = next((it.right for it in labels.of_case(id) if (it.mention, it.label) == (form.mention, name)), None)
    labels.correct(id, By(page.me.actor), form.mention, name, value)
    if before is None:
        said = next((it for it in page.given.cases.said(id, 500) if it.mention == form.mention), None)
        before = tagged(said.routed.tags, name) if said and said.routed else ""
    undo = _undo(page, id, "label", mention=form.mention, label=name, right=before) if before else None
    return page.go(at(id), page._("Kept: it helps the models get better."), undo)


def _choice(written: str) -> tuple[LabelName, LabelValue]:
    every = ((label, value) for label, values in VALUES.items() for value in values)
    found = next((it for it in every if ":".join(it) == written), None)
    if found is None:
        raise Unfit("choice", "there is no such label")
    return found


@router.post("/cases/{id}/snooze")
def snooze(id: Id, form: Annotated[Snooze, Form()], page: Works) -> Response:
    """Let it rest."""
    until = snooze_end(form.span, page.now, page.zone) if form.span in SNOOZES else _local(page, form.until)
    page.given.cases.snooze(id, By(page.me.actor, form.token), until)
    return page.go(at(id), page._("It rests until then, or until the customer writes."), _undo(page, id, "wake"))


def _local(page: Page, written: str) -> datetime:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise Unfit("until", "choose a day and an hour") from None
    return (found.replace(tzinfo=page.zone) if found.tzinfo is None else found).astimezone(UTC)


@router.post("/cases/{id}/wake")
def wake(id: Id, page: Works) -> Response:
    """End a snooze."""
    page.given.cases.wake(id, By(page.me.actor))
    return page.go(at(id), page._("It is awake."))


@router.post("/cases/{id}/note")
def add_note(id: Id, form: Annotated[Note, Form()], page: Works) -> Response:
    """Write something down for colleagues."""
    page.given.cases.note(id, By(page.me.actor), form.text)
    return page.go(at(id), page._("Noted. The customer never sees it."))


@router.post("/cases/{id}/tag")
def change_tags(id: Id, form: Annotated[Tags, Form()], page: Works) -> Response:
    """Put tags on, take tags off."""
    add, remove = _listed(form.add), _listed(form.remove)
    page.given.cases.tag(id, By(page.me.actor), add, remove)
    undo = _undo(page, id, "tag", add=",".join(remove), remove=",".join(add))
    return page.go(at(id), page._("The tags are changed."), undo)


def _listed(written: str) -> list[str]:
    return [it.strip() for it in written.split(",") if it.strip()]


@router.post("/cases/{id}/ask")
def ask_colleagues(id: Id, form: Annotated[Question, Form()], page: Works) -> Response:
    """Ask a queue or a person, and keep it."""
    kind, _, who = form.whom.partition(":")
    given = page.given
    if kind == "queue" and who not in given.desk.queues:
        raise Unfit("whom", "there is no such queue")
    if kind == "user" and given.accounts.user(who) is None:
        raise Unfit("whom", "there is no such user")
    asked = {"queue": who} if kind == "queue" else {"user": actor_of(who)}
    given.cases.ask(id, By(page.me.actor), form.question, **asked)
    return page.go(at(id), page._("They are asked; the case stays where it is."))


@router.post("/cases/{id}/escalate")
def escalate(id: Id, form: Annotated[Because, Form()], page: Works) -> Response:
    """Call a lead."""
    page.given.cases.escalate(id, By(page.me.actor), form.reason)
    return page.go(at(id), page._("A lead is called."))


@router.post("/cases/{id}/watch")
def watch(id: Id, form: Annotated[Watch, Form()], page: Works) -> Response:
    """Hear of it, or no longer."""
    page.given.cases.watch(id, By(page.me.actor), stop=form.stop)
    said = page._("You no longer watch it.") if form.stop else page._("You watch it.")
    return page.go(at(id), said, _undo(page, id, "watch", **({} if form.stop else {"stop": 1})))


@router.post("/cases/{id}/priority")
def set_priority(id: Id, form: Annotated[NewPriority, Form()], page: Works) -> Response:
    """Set how soon a person should look."""
    before = page.given.cases.case(id).priority
    by = By(page.me.actor, form.token)
    page.given.cases.prioritise(id, by, Priority(form.priority), form.reason)
    undo = _undo(page, id, "priority", priority=before.value, token="" if form.token is None else form.token)
    return page.go(at(id), page._("The priority is set."), undo)


@router.post("/cases/{id}/resolve")
def resolve(id: Id, form: Annotated[Resolve, Form()], page: Works) -> Response:
    """Close it."""
    page.given.cases.resolve(id, By(page.me.actor, form.token), form.reason)
    undo = _undo(page, id, "reopen", reason=page._("resolved by mistake"))
    return page.go(at(id), page._("It is resolved."), undo)


@router.post("/cases/{id}/reopen")
def reopen(id: Id, form: Annotated[Because, Form()], page: Works) -> Response:
    """Take up again what was resolved."""
    page.given.cases.reopen(id, By(page.me.actor), form.reason)
    return page.go(at(id), page._("It is open again."))


@router.post("/cases/{id}/answered")
def answered_natively(id: Id, form: Annotated[Natively, Form()], page: Works) -> Response:
    """Say that it was answered on the platform itself."""
    page.given.cases.answer_natively(id, By(page.me.actor, form.token), form.url.strip())
    return page.go(at(id), page._("Kept as answered on the platform."))
