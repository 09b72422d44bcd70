"""The weekly report as a page that prints well."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from console.pages import board_data as data
from console.pages import report_made
from console.pages.board_asked import local
from console.pages.kept import kept
from console.pages.page import Page, opens
from console.pages.spreadsheet import csv_file
from console.pages.words import url

router = APIRouter(include_in_schema=False)

Reads = Annotated[Page, opens("figures.read")]

REPORT_SECS = 300


class ReportQuery(BaseModel):
    """Which brand (all without one) and which week (`2026-W47`; the last that is over without one)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    brand: Annotated[str, Field(max_length=400)] = ""
    week: Annotated[str, Field(max_length=10)] = ""


@router.get("/report")
def report(page: Reads, query: Annotated[ReportQuery, Query()]) -> Response:
    """A week of a brand."""
    found = _made(page, query)
    first = report_made.monday(found.week)
    weeks = {
        name: url("/report", brand=query.brand, week=report_made.week_of(first + timedelta(days=days)))
        for name, days in (("earlier", -7), ("later", 7))
    }
    if found.until > page.now:
        weeks["later"] = ""
    time = {"brand": query.brand, "since": local(found.since, page.zone), "until": local(found.until, page.zone)}
    return page.render(
        "board/report.html",
        report=found,
        brands=data.brands(page.given),
        weeks=weeks,
        saved=url("/report.csv", brand=query.brand, week=found.week),
        board=url("/board", **time),
        pictures=[
            (by, url("/board.png", **time, by=by, show=show)) for by, show in (("tone", "volume"), ("topic", "share"))
        ],
        sees_incidents=page.may("incidents.read"),
    )


@router.get("/report.csv")
def report_csv(page: Reads, query: Annotated[ReportQuery, Query()]) -> Response:
    """The week's sums against those of the week before."""
    found = _made(page, query)
    rows = [("mentions", "", found.mentions.now, found.mentions.before)]
    rows.append(("negative", "", found.voices.negative, found.before.negative))
    rows.append(("reach", "", found.reach.now, found.reach.before))
    rows += [(by, it.name, it.now, it.before) for by, every in found.lists for it in every]
    return csv_file(f"harken-{found.week}.csv", ("what", "name", found.week, "the week before"), rows)


def _made(page: Page, query: ReportQuery) -> report_made.Report:
    week = query.week or report_made.last_week(page.now, page.zone)
    key = ("report", query.brand, week, page.zone.key)
    return kept(page.given).get(key, REPORT_SECS, lambda: report_made.made(page.given, query.brand, week, page.zone))
