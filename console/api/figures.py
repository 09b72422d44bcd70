"""Figures: how much came, how soon it was answered and settled, what it cost; as JSON or CSV."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response

from console.api.auth import Caller, needs
from console.api.bodies import Instant, Name
from console.api.customer_models import FiguresOut
from console.api.refusals import answers
from console.api.schemas import V1, Asked
from console.api.services import Given
from console.api.views import actor_of, user_id
from desk.figures import Dimension, csv

router = APIRouter(prefix=V1, tags=["figures"])


class Wanted(Asked):
    """The period (`until` excluded), how to group, which cases, the time zone of hours and days, and the form; without
    one the header Accept says it."""

    since: Instant
    until: Instant
    by: Dimension = "queue"
    queue: Name | None = None
    team: Name | None = None
    agent: Name | None = None
    source: Name | None = None
    brand: Name | None = None
    timezone: Name = "UTC"
    format: Literal["json", "csv"] | None = None


_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.get("/figures", response_model=FiguresOut, responses={**answers(), **_CSV})
def show_figures(
    asked: Annotated[Wanted, Query()],
    me: Annotated[Caller, needs("figures.read")],
    given: Given,
    accept: Annotated[str, Header()] = "",
) -> FiguresOut | Response:
    """The figures of a period, one row for each group that has anything to count; each is defined in the documentation
    of figures."""
    del me
    rows = given.figures.figures(
        asked.since,
        asked.until,
        asked.by,
        queue=asked.queue,
        team=asked.team,
        agent=actor_of(asked.agent) if asked.agent else None,
        source=asked.source,
        brand=asked.brand,
        timezone=asked.timezone,
    )
    if asked.by == "agent":
        rows = [replace(row, key=user_id(row.key)) for row in rows]
    if asked.format == "csv" or (asked.format is None and _prefers_csv(accept)):
        headers = {"Content-Disposition": 'attachment; filename="figures.csv"'}
        return Response(csv(rows), media_type="text/csv", headers=headers)
    return FiguresOut(since=asked.since, until=asked.until, by=asked.by, items=rows)


def _prefers_csv(accept: str) -> bool:
    """Whether CSV is named and JSON is not: browsers name neither."""
    named = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return "text/csv" in named and "application/json" not in named
