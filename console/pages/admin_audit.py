"""The audit log: who saw and did what, and whether it is as it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Response
from pydantic import Field

from console.api import audit
from console.api.models import AuditOut
from console.api.views import Names, actor_of
from console.pages.page import Page, Posted, changes, opens
from console.pages.words import segment, url
from desk.audit import Head
from desk.refusals import Unfit

router = APIRouter(include_in_schema=False)

SHOWN = 100
"""Rows on one page."""

_USER = actor_of("")

_PLACES = {
    "case": "/cases/{}",
    "customer": "/customers/{}",
    "incident": "/incidents/{}",
    "user": "/admin/people/{}",
    "document": "/admin/documents/{}",
}
"""Where what a row is about is found, by the word before the colon."""


@dataclass(frozen=True)
class Row:
    """One row as it is shown: what it is about by name where it has one, and where to find it."""

    entry: AuditOut
    about: str
    link: str
    facts: list[tuple[str, str]]


class Noted(Posted):
    """A head noted before, to compare the log with."""

    head: Annotated[str, Field(max_length=200)] = ""


@router.get("/admin/audit")
def log(
    page: Annotated[Page, opens("audit.read")],
    actor: Annotated[str, Query(max_length=200)] = "",
    about: Annotated[str, Query(max_length=2000)] = "",
    after: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """The newest first; of one person (by name, or `system:WHAT`), or about one thing (`case:ID`)."""
    return page.render("admin/audit.html", **_shown(page, actor.strip(), about.strip(), after), verdict=None, head="")


@router.post("/admin/audit/verify")
def verify(page: Annotated[Page, changes("audit.read")], form: Annotated[Noted, Form()]) -> Response:
    """Read the whole log and say whether it is as it was written."""
    try:
        noted = Head.parse(form.head.strip()) if form.head.strip() else None
    except ValueError as error:
        raise Unfit("head", str(error)) from None
    verdict = page.given.accounts.verify(noted)
    return page.render("admin/audit.html", **_shown(page, "", "", None), verdict=verdict, head=form.head.strip())


def entries(page: Page, about: str, limit: int) -> list[Row]:
    """The newest rows about one thing."""
    wanted = audit.Wanted(limit=limit, about=about)
    return _rows(page, audit.list_audit(wanted, page.me, page.given).items)


def _shown(page: Page, actor: str, about: str, after: int | None) -> dict[str, object]:
    """The log's part, and what it was asked for."""
    user = page.given.accounts.user_named(actor) if actor and ":" not in actor else None
    unknown = bool(actor) and ":" not in actor and user is None
    wanted = audit.Wanted(limit=SHOWN, after=after, actor=user.actor if user else actor or None, about=about or None)
    found = None if unknown else audit.list_audit(wanted, page.me, page.given)
    more = found.next if found else None
    return {
        "rows": _rows(page, found.items) if found else [],
        "actor": actor,
        "about": about,
        "unknown": unknown,
        "more": url("/admin/audit", actor=actor, about=about, after=more) if more else None,
        "first": url("/admin/audit", actor=actor, about=about) if after else None,
    }


def _rows(page: Page, items: list[AuditOut]) -> list[Row]:
    names = Names(page.given.accounts)
    names.know(it.about for it in items)
    names.know(value for it in items for value in (it.facts or {}).values() if isinstance(value, str))
    return [_row(page, it, names) for it in items]


def _row(page: Page, entry: AuditOut, names: Names) -> Row:
    kind, _, id = (entry.about or "").partition(":")
    place = _PLACES.get(kind, "")
    name = names.person(actor_of(id)).name if kind == "user" else ""
    facts = sorted((entry.facts or {}).items())
    return Row(
        entry,
        name or entry.about or "",
        place.format(segment(id)) if id else "",
        [(key, _fact(page, value, names)) for key, value in facts],
    )


def _fact(page: Page, value: object, names: Names) -> str:
    if isinstance(value, bool):
        return page._("yes") if value else page._("no")
    if isinstance(value, str) and value.startswith(_USER):
        return names.person(value).name or value
    return "" if value is None else str(value)
