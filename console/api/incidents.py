"""Incidents: what goes on around a brand that is out of the ordinary, and what people do about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query

from console.api.auth import Caller, needs
from console.api.bodies import Instant, Name, Note
from console.api.incident_alerts import alerts_of
from console.api.incident_models import (
    Answer,
    AnswersOut,
    BucketOut,
    Changing,
    FollowedOut,
    Following,
    GrowthOut,
    HappenedOut,
    IncidentDetail,
    IncidentOut,
    MemberOut,
    PromiseOut,
    ReviewOut,
    SeriesOut,
    Statement,
    StoryOut,
)
from console.api.models import Page
from console.api.problems import Refused
from console.api.refusals import answers
from console.api.schemas import V1, Asked, Id, Part
from console.api.services import Given, Services
from console.api.views import Names, case_out
from desk.refusals import NoSuchCase, Unfit
from spikes.answering import answer, answers_of, stop
from spikes.buckets import Bucket
from spikes.detection import Facet, Key, Kind
from spikes.family import let_follow
from spikes.growth import Growth, Span
from spikes.incident_queries import MemberPage
from spikes.incident_records import Happening, Incident, IncidentFilter, State
from spikes.readings import Readings, Width

router = APIRouter(prefix=V1, tags=["incidents"])

Reads = Annotated[Caller, needs("incidents.read")]
Works = Annotated[Caller, needs("incidents.work")]

BEFORE, AFTER = timedelta(hours=1), timedelta(minutes=30)
"""What is shown of the counts around an incident."""

BUCKETS = 2000
"""The most of a series at once."""

SHOWN = 100
"""Events and cases shown with an incident."""

_MISSING, _REFUSED = answers(404), answers(404, 409)


class Filter(Part):
    """Which incidents; what is left out does not matter."""

    state: Annotated[list[State], Query(max_length=len(State))] = []
    brand: Name | None = None
    kind: Kind | None = None
    open: bool | None = None
    since: Instant | None = None


class Series(Asked):
    """Which series, from when until when (`until` excluded), in buckets of so many minutes. `value` names the topic,
    source or intent; minutes are there for two days."""

    brand: Name
    facet: Facet = "all"
    value: Annotated[str, Query(max_length=200)] = ""
    since: Instant
    until: Instant
    width: Literal["1", "5", "60", "1440"] = "5"


@router.get("/incidents", responses=answers())
def list_incidents(asked: Annotated[Filter, Query()], me: Reads, given: Given) -> Page[IncidentOut]:
    """Incidents, the newest onset first; those that turned out to be part of another are left out."""
    del me
    wanted = IncidentFilter(
        brand=asked.brand, kind=asked.kind, states=tuple(asked.state), live=asked.open, since=asked.since
    )
    page = given.incidents.incidents(wanted, asked.after, asked.limit)
    return Page(items=_out(given, page.incidents, Names(given.accounts)), next=page.next)


@router.get("/series", responses=answers())
def show_series(asked: Annotated[Series, Query()], me: Reads, given: Given) -> SeriesOut:
    """What was counted of a brand, or of a topic, source or intent of it."""
    del me
    width: Width = int(asked.width)  # type: ignore[assignment]  # Asked lets nothing else through
    if asked.until < asked.since:
        raise Unfit("until", "is before since")
    if (asked.until - asked.since) / timedelta(minutes=width) > BUCKETS:
        raise Unfit("until", f"is more than {BUCKETS} buckets from since: ask for wider ones")
    if (asked.facet == "all") is bool(asked.value):
        raise Unfit("value", "names the topic, source or intent, and is empty for all")
    key = Key(asked.brand, asked.facet, asked.value)
    return _series_out(key, Readings(given.database, given.clock).series(key, asked.since, asked.until, width))


@router.get("/incidents/{id}", responses=_MISSING)
def show_incident(id: Id, me: Reads, given: Given) -> IncidentDetail:
    """An incident with everything one needs to work on it."""
    del me
    told = given.incidents.told(id)
    incident, names = told.incident, Names(given.accounts)
    history = given.incidents.timeline(id, max(0, incident.version - SHOWN), SHOWN)
    names.know(it.event.actor for it in history)
    page = given.incidents.cases_of(id, limit=SHOWN)
    return IncidentDetail(
        incident=_out(given, [incident], names)[0],
        paragraph=told.paragraph,
        story=StoryOut.model_validate(told.story) if told.story else None,
        growth=_growth(told.growth),
        series=_series(given, incident),
        answers=_answers(given, incident),
        timeline=[_happened(it, names) for it in history],
        cases=_members(given, page, names),
        more_cases=page.next is not None,
        alerts=alerts_of(given, id),
    )


@router.get("/incidents/{id}/review", responses=_MISSING)
def review_incident(id: Id, me: Reads, given: Given) -> ReviewOut:
    """How it went; best asked for when it is closed."""
    del me
    found = msgspec.structs.asdict(given.incidents.review(id))
    found["promises"] = [PromiseOut.model_validate(it) for it in found["promises"]]
    return ReviewOut(**{key: it.total_seconds() if isinstance(it, timedelta) else it for key, it in found.items()})


@router.get("/incidents/{id}/cases", responses=_MISSING)
def list_cases_of_incident(id: Id, asked: Annotated[Part, Query()], me: Reads, given: Given) -> Page[MemberOut]:
    """The cases that its posts are in, by id."""
    del me
    given.incidents.incident(id)
    page = given.incidents.cases_of(id, asked.after or "", asked.limit)
    return Page(items=_members(given, page, Names(given.accounts)), next=page.next)


# ------------------------------------------------------------------------ working on it


@router.post("/incidents/{id}/acknowledge", responses=_REFUSED)
def acknowledge_incident(id: Id, me: Works, given: Given, body: Changing | None = None) -> IncidentOut:
    """Say that the caller sees to it; 409 where somebody does already."""
    body = body or Changing()
    return _one(given, given.incidents.acknowledge(id, me.actor, text=body.text, version=body.version))


@router.post("/incidents/{id}/statement", responses=_REFUSED)
def note_statement(id: Id, body: Statement, me: Works, given: Given) -> IncidentOut:
    """Note what the brand has said in public. This posts nothing."""
    changed = given.incidents.statement_out(id, me.actor, body.text, url=body.url, version=body.version)
    return _one(given, changed)


@router.post("/incidents/{id}/calm", responses=_REFUSED)
def calm_incident(id: Id, me: Works, given: Given, body: Changing | None = None) -> IncidentOut:
    """Say that it is getting less."""
    body = body or Changing()
    return _one(given, given.incidents.calming(id, me.actor, text=body.text, version=body.version))


@router.post("/incidents/{id}/close", responses=_REFUSED)
def close_incident(id: Id, me: Works, given: Given, body: Changing | None = None) -> IncidentOut:
    """Say that it is over."""
    body = body or Changing()
    return _one(given, given.incidents.close(id, me.actor, body.text, version=body.version))


@router.post("/incidents/{id}/reopen", responses=_REFUSED)
def reopen_incident(id: Id, me: Works, given: Given, body: Changing | None = None) -> IncidentOut:
    """Say that it is not over: somebody has to acknowledge it anew."""
    body = body or Changing()
    return _one(given, given.incidents.reopen(id, me.actor, body.text, version=body.version))


@router.post("/incidents/{id}/note", responses=_MISSING)
def note_incident(id: Id, body: Note, me: Works, given: Given) -> IncidentOut:
    """Write a line into the timeline, of a closed one too."""
    return _one(given, given.incidents.note(id, me.actor, body.text))


@router.post("/incidents/{id}/cases/follow", responses=_REFUSED)
def let_cases_follow(id: Id, body: Following, me: Works, given: Given) -> FollowedOut:
    """Let the open cases of an incident follow one of them, also those that come later: they rest, and are resolved
    when that one is answered or resolved. Nothing is posted. What is of another matter, held, answered, urgent or
    private goes on by itself."""
    return FollowedOut.model_validate(
        let_follow(given.incidents, given.database, given.clock, id, body.case, me.actor, body.note)
    )


@router.post("/incidents/{id}/answer", responses=_REFUSED)
def answer_incident(id: Id, body: Answer, me: Works, given: Given) -> IncidentOut:
    """Send one approved answer to each case that follows the one it answers, in its own thread, once, at the pace that
    the playbook sets. It counts as the statement. Somebody else must have approved it."""
    if not me.may("replies.send"):
        raise Refused(403, "this needs replies.send", needs=["replies.send"])
    return _one(given, answer(given.incidents, given.database, id, body.draft, me.actor))


@router.post("/incidents/{id}/answer/stop", responses=_REFUSED)
def stop_answering(id: Id, me: Works, given: Given, body: Changing | None = None) -> IncidentOut:
    """Send it to nobody else, and take back what no platform was asked about."""
    return _one(given, stop(given.incidents, id, me.actor, (body or Changing()).text))


# ------------------------------------------------------------------------------- shaping


def _one(given: Services, incident: Incident) -> IncidentOut:
    return _out(given, [incident], Names(given.accounts))[0]


def _out(given: Services, incidents: Sequence[Incident], names: Names) -> list[IncidentOut]:
    names.know(actor for it in incidents for actor in (it.work.acknowledged_by, it.work.closed_by))
    return [_incident(given, it, names) for it in incidents]


def _incident(given: Services, it: Incident, names: Names) -> IncidentOut:
    work, extent = msgspec.structs.asdict(it.work), msgspec.structs.asdict(it.extent)
    posts, authors = given.incidents.size(it.id)
    shown = {
        key: work[key] for key in ("state", "opened_at", "acknowledged_at", "statement_at", "calm_at", "closed_at")
    }
    people = {key: names.maybe(work[key] or None) for key in ("acknowledged_by", "closed_by")}
    led = {"lead": work["lead"] or None, "answer": work["answer"] or None}
    promised = [PromiseOut.model_validate(one) for one in given.incidents.promises(it)]
    whole = extent | shown | people | {"reopenings": work["reopenings"], "into": work["into"] or None}
    whole |= {"id": it.id, "brand": it.brand, "group": it.group, "topic": it.topic, "version": it.version}
    return IncidentOut.model_validate(whole | led | {"posts": posts, "authors": authors, "promises": promised})


def _answers(given: Services, incident: Incident) -> AnswersOut | None:
    found = answers_of(given.database, incident)
    return AnswersOut(draft=found[0], **found[1]._asdict()) if found else None


def _series(given: Services, incident: Incident) -> SeriesOut:
    onset, last = incident.extent.onset, incident.extent.last_at
    until = min(max(given.clock.now(), last), last + AFTER)
    width: Width = 5 if until - onset + BEFORE <= timedelta(minutes=5) * 300 else 60
    key = Key(incident.brand) if incident.topic is None else Key(incident.brand, "topic", incident.topic)
    return _series_out(key, Readings(given.database, given.clock).series(key, onset - BEFORE, until, width)[:BUCKETS])


def _series_out(key: Key, found: Sequence[Bucket]) -> SeriesOut:
    items = [BucketOut.model_validate(it) for it in found]
    return SeriesOut(brand=key.brand, facet=key.facet, value=key.value, items=items)


def _growth(growth: Growth) -> GrowthOut:
    spans = {key: _span(value) for key, value in growth._asdict().items() if key != "course"}
    return GrowthOut.model_validate({"course": growth.course, **spans})


def _span(span: Span | None) -> dict[str, float | None] | None:
    return None if span is None else {key: it if math.isfinite(it) else None for key, it in span._asdict().items()}


def _happened(happening: Happening, names: Names) -> HappenedOut:
    event = happening.event
    says: dict[str, Any] = msgspec.to_builtins(event)
    for known in ("at", "actor", "kind", "text"):
        says.pop(known, None)
    actor = names.person(event.actor)
    return HappenedOut(number=happening.number, at=event.at, actor=actor, kind=event.kind, text=event.text, says=says)


def _members(given: Services, page: MemberPage, names: Names) -> list[MemberOut]:
    found = []
    for member in page.cases:
        try:
            case = given.cases.case(member.case)
        except NoSuchCase:  # erased between the two questions
            continue
        found.append(MemberOut(case=case_out(case, names), mentions=member.mentions))
    return found
