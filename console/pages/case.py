"""A case as an agent works it: `/cases/{id}`. What is done with it is in `case_work.py` and `case_answer.py`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict

from console.api.bodies import Text
from console.api.schemas import Id
from console.pages.case_story import label_name, value_name
from console.pages.case_view import Post, View, choices, view
from console.pages.page import Page, changes, opens
from desk.labels import INTENTS, SENTIMENT, VALUES
from pipeline.mention import Priority

router = APIRouter(include_in_schema=False)

SNOOZES = ("1h", "4h", "tomorrow", "monday")
"""How long one may let it rest with one key; in the morning is at nine."""

MORNING = 9


class Asked(BaseModel):
    """Which answer the composer begins with: to which mention, from which macro, or which draft."""

    model_config = ConfigDict(extra="ignore")

    answer: Annotated[Text, Query(max_length=2000)] = ""
    macro: Annotated[Text, Query(max_length=200)] = ""
    draft: Annotated[Text, Query(max_length=200)] = ""


def working(page: Annotated[Page, changes("cases.work")]) -> Page:
    """Whoever works has been seen: it keeps them among those who are there."""
    page.given.agents.seen(page.me.actor)
    return page


Works = Annotated[Page, Depends(working)]


@router.get("/cases/{id}")
def show_case(id: Id, asked: Annotated[Asked, Query()], page: Annotated[Page, opens("cases.read")]) -> Response:
    """The case, and everything one needs to work on it."""
    return show(page, view(page, id, asked.answer, asked.macro, asked.draft))


def show(page: Page, seen: View, status: int = 200) -> Response:
    """The page of this case."""
    others = [name for name in seen.queues if name != seen.case.queue]
    return page.render(
        "case/show.html",
        status,
        v=seen,
        case=seen.case,
        queues=choices(others),
        snoozes=choices([(it, snooze_name(page, it)) for it in SNOOZES]),
        labels=_labels(page, seen),
        label_name=lambda name: label_name(page, name),
        value_name=lambda value: value_name(page, value),
        labels_of=lambda post: _options(page, post),
        people_options=[(it.id, it.name) for it in seen.people],
        priority_options=[(it.value, page._(it.value)) for it in Priority],
        editable=frozenset({"draft", "rejected", "failed", "submitted", "approved"}),
    )


def _labels(page: Page, seen: View) -> list[tuple[str, tuple[str, str, str, bool]]]:
    """What can be said of the post shown first: the key, then label, value, its words, and whether it holds now."""
    if seen.first is None:
        return []
    holds = {it.name: it.holds for it in seen.first.labels}
    every = [(SENTIMENT, value, value_name(page, value), holds.get(SENTIMENT) == value) for value in VALUES[SENTIMENT]]
    for name in INTENTS:
        there = holds.get(name) == "yes"
        every.append((name, "no" if there else "yes", label_name(page, name), there))
    return choices(every)


def _options(page: Page, post: Post) -> list[tuple[str, str]]:
    """What can be said of an older post."""
    _, holds = page._, {it.name: it.holds for it in post.labels}
    found = [
        (f"{SENTIMENT}:{it}", _("it sounds %(value)s", value=value_name(page, it)))
        for it in VALUES[SENTIMENT]
        if it != holds.get(SENTIMENT)
    ]
    for name in INTENTS:
        label = label_name(page, name)
        if holds.get(name) == "yes":
            found.append((f"{name}:no", _("no %(label)s", label=label)))
        else:
            found.append((f"{name}:yes", label))
    return found


def snooze_name(page: Page, name: str) -> str:
    """How long that is, for people."""
    _ = page._
    return {
        "1h": _("an hour"),
        "4h": _("four hours"),
        "tomorrow": _("tomorrow morning"),
        "monday": _("Monday morning"),
    }[name]


def snooze_end(name: str, now: datetime, zone: ZoneInfo) -> datetime:
    """When a snooze of this name ends, in the reader's zone."""
    if name in ("1h", "4h"):
        return now + timedelta(hours=int(name[0]))
    here = now.astimezone(zone)
    days = 1 if name == "tomorrow" else 7 - here.weekday()
    morning = (here + timedelta(days=days)).replace(hour=MORNING, minute=0, second=0, microsecond=0)
    return morning.astimezone(UTC)
