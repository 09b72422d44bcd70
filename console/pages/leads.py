"""Who may buy, who speaks well of us, and what is said more than before: lists behind the board."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Response

from console.pages import board_data as data
from console.pages.board_asked import RANGES, Asked, BoardQuery, asked
from console.pages.kept import kept
from console.pages.page import Page, opens
from console.pages.spreadsheet import csv_file
from console.pages.words import segment, url
from desk.advocates import Advocate, Advocates
from desk.leads import SHOWN, LeadPage, Leads
from spikes._terms import Term

router = APIRouter(include_in_schema=False)

Sells = Annotated[Page, opens("cases.read")]
Knows = Annotated[Page, opens("figures.read", "customers.read")]
Reads = Annotated[Page, opens("figures.read")]

LEADS_SECS = 15
ADVOCATES_SECS = 60

SAVED = 500
"""Leads in a file."""

USUAL = "30d"
"""The time that is looked through unless something else is asked for: leads and praise are rare."""


class Phrase(NamedTuple):
    """A phrase, where its posts are found, and how much it stands out."""

    text: str
    posts: str
    authors: int
    before: int
    z: float


@router.get("/leads")
def leads(page: Sells, query: Annotated[BoardQuery, Query()]) -> Response:
    """Mentions by people who may want to buy, newest first."""
    wanted = _asked(page, query)
    found = _leads(page, wanted, query.after)
    more = url("/leads", **wanted.place, after=found.next) if found.next else None
    return page.render("board/leads.html", found=found, more=more, **_around(page, wanted, "/leads"))


@router.get("/leads.csv")
def leads_csv(page: Sells, query: Annotated[BoardQuery, Query()]) -> Response:
    """The same as a table."""
    found = _leads(page, _asked(page, query), query.after, SAVED)
    header = ("said", "source", "handle", "text", "why", "score", "reach", "queue", "state", "case", "link")
    rows = (
        (
            it.said.mention.created_at.isoformat(),
            it.said.mention.source,
            it.said.mention.author.handle,
            it.said.mention.text,
            ", ".join(it.words),
            it.score,
            it.said.tags.reach,
            it.queue or "",
            it.state or "",
            it.case or "",
            it.said.mention.url,
        )
        for it in found.leads
    )
    return csv_file("harken-leads.csv", header, rows)


@router.get("/advocates")
def advocates(page: Knows, query: Annotated[BoardQuery, Query()]) -> Response:
    """Who speaks well of the brand, best first."""
    wanted = _asked(page, query)
    found = [(it, url(f"/customers/{segment(it.account)}")) for it in _advocates(page, wanted)]
    return page.render("board/advocates.html", found=found, **_around(page, wanted, "/advocates"))


@router.get("/advocates.csv")
def advocates_csv(page: Knows, query: Annotated[BoardQuery, Query()]) -> Response:
    """The same as a table."""
    header = ("account", "handle", "name", "score", "praises", "reach", "last said", "text")
    rows = (
        (
            it.account,
            it.author.handle,
            it.author.name,
            it.score,
            it.praises,
            it.reach,
            it.newest.mention.created_at.isoformat(),
            it.newest.mention.text,
        )
        for it in _advocates(page, _asked(page, query))
    )
    return csv_file("harken-advocates.csv", header, rows)


@router.get("/phrases")
def phrases(page: Reads, query: Annotated[BoardQuery, Query()]) -> Response:
    """What customers complain of and praise, said more than in as much time before."""
    wanted = asked(query, page.now, page.zone)
    found = data.phrases(page.given, wanted)
    lists = {
        "complaints": [_phrase(it, wanted) for it in found.complaints],
        "praises": [_phrase(it, wanted) for it in found.praises],
    }
    return page.render("board/phrases.html", found=found, **lists, **_around(page, wanted, "/phrases"))


@router.get("/phrases.csv")
def phrases_csv(page: Reads, query: Annotated[BoardQuery, Query()]) -> Response:
    """The same as a table."""
    found = data.phrases(page.given, asked(query, page.now, page.zone))
    every = [("complaint", it) for it in found.complaints] + [("praise", it) for it in found.praises]
    rows = ((kind, it.text, it.authors, it.before, it.z) for kind, it in every)
    return csv_file("harken-phrases.csv", ("in", "phrase", "people", "people before", "z"), rows)


def _asked(page: Page, query: BoardQuery) -> Asked:
    if not (query.range or query.since or query.until):
        query = query.model_copy(update={"range": USUAL})
    return asked(query, page.now, page.zone)


def _around(page: Page, wanted: Asked, path: str) -> dict[str, object]:
    """What every one of these pages shows around its list."""
    return {
        "asked": wanted,
        "brands": data.brands(page.given),
        "ranges": [(name, url(path, brand=wanted.brand, range=name)) for name in RANGES],
        "saved": url(f"{path}.csv", **wanted.place),
    }


def _leads(page: Page, wanted: Asked, after: str | None, limit: int = SHOWN) -> LeadPage:
    given = page.given
    names = [wanted.brand] if wanted.brand else None

    def look() -> LeadPage:
        return Leads(given.database, given.clock).leads(wanted.since, wanted.until, names, after, limit)

    return kept(given).get(("leads", *wanted.place.items(), after, limit), LEADS_SECS, look)


def _advocates(page: Page, wanted: Asked) -> list[Advocate]:
    given = page.given
    names = [wanted.brand] if wanted.brand else None

    def look() -> list[Advocate]:
        return Advocates(given.database, given.clock).advocates(wanted.since, wanted.until, names)

    return kept(given).get(("advocates", *wanted.place.items()), ADVOCATES_SECS, look)


def _phrase(term: Term, wanted: Asked) -> Phrase:
    posts = url("/search", q=f'"{term.text}"', brand=wanted.brand)
    return Phrase(term.text, posts, term.authors, term.before, term.z)
