"""What people said was routed or tagged wrong: counted, and exported as training data."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query

from console.api.auth import Caller, needs
from console.api.bodies import Instant
from console.api.models import ConfusionOut, CorrectionOut, LabelCorrectionOut, Page
from console.api.refusals import answers
from console.api.schemas import V1, Asked, Part
from console.api.services import Given
from console.api.views import Names, tags_out
from desk.audit import Event, Fact
from desk.case_records import Correction
from desk.labels import Corrected, Labels
from desk.refusals import Unfit

router = APIRouter(prefix=V1, tags=["corrections"])


class Period(Asked):
    """From `since`, included, to `until`, excluded."""

    since: Instant
    until: Instant


class PeriodPart(Part):
    """The same, a part at a time."""

    since: Instant
    until: Instant


@router.get("/corrections", responses=answers())
def list_corrections(
    asked: Annotated[PeriodPart, Query()], me: Annotated[Caller, needs("corrections.export")], given: Given
) -> Page[CorrectionOut]:
    """What was said to be routed wrong in that time, oldest first, with the words and what was found in them: training
    data. The audit log notes it."""
    since, last = _place(asked.after) if asked.after else (asked.since, "")
    every = given.cases.corrections(max(since, asked.since), asked.until, asked.limit + 1)
    found = list(islice((it for it in every if (it.at, it.case) > (since, last)), asked.limit + 1))
    page = found[: asked.limit]
    facts: dict[str, Fact] = {"since": asked.since.isoformat(), "until": asked.until.isoformat(), "rows": len(page)}
    given.accounts.note(Event(me.actor, "corrections.exported", "corrections", facts))
    names = Names(given.accounts)
    names.know(it.actor for it in page)
    more = f"{page[-1].at.isoformat()}~{page[-1].case}" if len(found) > len(page) else None
    return Page(items=[_out(it, names) for it in page], next=more)


@router.get("/corrections/labels", responses=answers())
def list_label_corrections(
    asked: Annotated[PeriodPart, Query()], me: Annotated[Caller, needs("corrections.export")], given: Given
) -> Page[LabelCorrectionOut]:
    """Which sentiment and which intents people put right in that time, oldest first, with the words: training data. The
    audit log notes it."""
    after = _label_place(asked.after) if asked.after else None
    labels = Labels(given.database, given.clock)
    found = list(islice(labels.between(asked.since, asked.until, after, asked.limit + 1), asked.limit + 1))
    page = found[: asked.limit]
    facts: dict[str, Fact] = {"since": asked.since.isoformat(), "until": asked.until.isoformat(), "rows": len(page)}
    given.accounts.note(Event(me.actor, "corrections.exported", "labels", facts))
    names = Names(given.accounts)
    names.know(it.actor for it in page)
    more = f"{page[-1].at.isoformat()}~{page[-1].label}~{page[-1].mention}" if len(found) > len(page) else None
    return Page(items=[_label_out(it, names) for it in page if it.routed], next=more)


@router.get("/corrections/confusion", responses=answers())
def show_confusion(
    asked: Annotated[Period, Query()], me: Annotated[Caller, needs("figures.read")], given: Given
) -> Page[ConfusionOut]:
    """Of the cases resolved, or found to be in the wrong queue, in that time: where the rules sent them, and where they
    belonged."""
    del me
    return Page(items=[ConfusionOut.model_validate(it) for it in given.cases.confusion(asked.since, asked.until)])


def _place(word: str) -> tuple[datetime, str]:
    at, _, case = word.partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not case:
        raise Unfit("after", "is not the `next` of a page of this list")
    return moment, case


def _label_place(word: str) -> tuple[datetime, str, str]:
    at, rest = _place(word)
    label, _, mention = rest.partition("~")
    return at, mention, label


def _label_out(it: Corrected, names: Names) -> LabelCorrectionOut:
    assert it.routed is not None  # noqa: S101 - for the type checker: only those are asked for
    return LabelCorrectionOut(
        case=it.case,
        at=it.at,
        actor=names.person(it.actor),
        label=it.label,
        found=it.found,
        right=it.right,
        mention=it.mention,
        text=it.routed.mention.text,
        tags=tags_out(it.routed.tags),
    )


def _out(correction: Correction, names: Names) -> CorrectionOut:
    routed = correction.routed
    return CorrectionOut(
        case=correction.case,
        at=correction.at,
        actor=names.person(correction.actor),
        routed_queue=correction.routed_queue,
        right_queue=correction.right_queue,
        rule=correction.rule,
        rules_version=correction.rules_version,
        reason=correction.reason,
        mention=routed.mention.id if routed else None,
        text=routed.mention.text if routed else None,
        tags=tags_out(routed.tags) if routed else None,
    )
