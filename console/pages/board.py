"""The marketer's board: how much is said of the brands, how it divides, and what goes on."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Response

from console.api.schemas import Id
from console.pages import board_data as data
from console.pages.board_asked import RANGES, Asked, BoardQuery, asked, local
from console.pages.charting import LIBRARY, Reader, charts, named, placeholders, rows
from console.pages.drawing import png
from console.pages.kept import kept
from console.pages.page import Page, opens
from console.pages.spreadsheet import csv_file
from console.pages.words import url
from spikes.incident_records import Incident
from spikes.voices import By, Line, Voices

router = APIRouter(include_in_schema=False)

Reads = Annotated[Page, opens("figures.read")]
Watches = Annotated[Page, opens("incidents.read")]

PICTURE_SECS = 60
"""How old a picture may be that is asked for again."""

GAPS = 20
"""Gaps named below a chart."""


class PictureQuery(BoardQuery):
    """Which of the two charts."""

    show: Literal["volume", "share"] = "volume"


@router.get("/board")
def board(page: Reads, query: Annotated[BoardQuery, Query()]) -> Response:
    """Volume and share of voice over time, open incidents, and where to look next."""
    given, wanted = page.given, asked(query, page.now, page.zone)
    found = data.counted(given, wanted)
    gaps = data.gaps(given, wanted.since, wanted.until)
    sees = page.may("incidents.read")
    marked = data.marked(given, wanted) if sees else []
    volume, share = charts(found.voices, gaps, marked, _reader(page))
    moves = {name: url("/board", **place) if place else "" for name, place in wanted.moves(page.now).items()}
    return page.render(
        "board/board.html",
        asked=wanted,
        brands=data.brands(given),
        tabs=[(by, label, url("/board", **(wanted.place | {"by": by}))) for by, label in _tabs(page)],
        ranges=[(name, url("/board", brand=wanted.brand, range=name, by=wanted.by)) for name in RANGES],
        fields={"since": local(wanted.since, page.zone), "until": local(wanted.until, page.zone)},
        moves=moves,
        voices=found.voices,
        before=found.before,
        change=_change(found.voices.mentions, found.before.mentions) if wanted.by != "brand" else None,
        share_of_voice=data.share_of_voice(given, wanted),
        rivals=url("/board", **(wanted.place | {"by": "brand"})),
        charts=[
            (show, _title(page, wanted, show), chart, url("/board.png", **wanted.query, show=show))
            for show, chart in (("volume", volume), ("share", share))
        ],
        names=[named(found.voices, line.name, page._) for line in found.voices.lines],
        rows=rows(found.voices, _reader(page)),
        gaps=gaps[:GAPS],
        more_gaps=max(0, len(gaps) - GAPS),
        marked=[(number, it, _story(it)) for number, it in enumerate(marked, 1)],
        open=[(it, _story(it)) for it in data.open_incidents(given, wanted.brand)] if sees else [],
        library=LIBRARY,
        placeholders=placeholders(),
    )


@router.get("/board.csv")
def board_csv(page: Reads, query: Annotated[BoardQuery, Query()]) -> Response:
    """The numbers of the charts, oldest first."""
    wanted = asked(query, page.now, page.zone)
    voices = data.counted(page.given, wanted).voices
    names = [named(voices, line.name, page._) for line in voices.lines]
    header = ["since", "minutes", "all", *names, *(f"{name} (share)" for name in names)]
    return csv_file(_file(wanted, "csv"), header, (_csv_row(voices, point) for point in voices.told))


@router.get("/board.png")
def board_png(page: Reads, query: Annotated[PictureQuery, Query()]) -> Response:
    """One of the charts as a picture."""
    wanted = asked(query, page.now, page.zone)

    def draw() -> bytes:
        marked = data.marked(page.given, wanted) if page.may("incidents.read") else []
        found = data.counted(page.given, wanted).voices
        volume, share = charts(found, data.gaps(page.given, wanted.since, wanted.until), marked, _reader(page))
        return png(share if query.show == "share" else volume, _title(page, wanted, query.show))

    key = (*wanted.query.items(), query.show, page.language, page.zone.key, page.may("incidents.read"))
    headers = {"Content-Disposition": f'inline; filename="{_file(wanted, "png")}"'}
    return Response(kept(page.given).get(key, PICTURE_SECS, draw), media_type="image/png", headers=headers)


@router.get("/board/incidents/{id}")
def incident_story(id: Id, page: Watches) -> Response:
    """What an incident is about: the paragraph, how it grows, posts that stand for many, and who speaks up."""
    return page.render("board/story.html", told=data.told(page.given, id))


def _reader(page: Page) -> Reader:
    return Reader(page._, page.locale, page.zone)


def _tabs(page: Page) -> list[tuple[By, str]]:
    labels = {
        "tone": page._("Sentiment"),
        "people": page._("For and against"),
        "intent": page._("Intent"),
        "topic": page._("Topic"),
        "source": page._("Source"),
        "brand": page._("Brand"),
    }
    several = len(data.brands(page.given)) > 1
    return [(by, labels[by]) for by in get_args(By) if several or by != "brand"]


def _title(page: Page, wanted: Asked, show: str) -> str:
    brand = wanted.brand if wanted.brand and wanted.by != "brand" else page._("all brands")
    if show == "share":
        return page._("Share of voice, %(brand)s", brand=brand)
    return page._("Volume of voice, %(brand)s", brand=brand)


def _story(it: Incident) -> str:
    return url(f"/board/incidents/{it.id}")


def _change(now: int, before: int) -> float | None:
    return now / before - 1 if before else None


def _csv_row(voices: Voices, point: int) -> list[Any]:
    def share(line: Line) -> object:
        found = voices.share(line, point)
        return "" if found is None else found

    values = [line.values[point] for line in voices.lines]
    shares = [share(line) for line in voices.lines]
    return [voices.at[point].isoformat(), voices.minutes, voices.all.values[point], *values, *shares]


def _file(wanted: Asked, ending: str) -> str:
    return f"harken-{wanted.by}-{wanted.since:%Y%m%d}-{wanted.until:%Y%m%d}.{ending}"
