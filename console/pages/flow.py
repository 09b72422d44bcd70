"""How mentions flow: the picture, the ledger, what is in force, what it costs, and what went wrong of late."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from babel.dates import format_timedelta
from babel.numbers import format_decimal
from fastapi import APIRouter, Form, Query, Response

from console.api.problems import missing
from console.pages.flow_picture import Words, alive, picture, rate
from console.pages.page import Page, Posted, Undo, changes, opens
from desk.audit import Event
from desk.refusals import Unfit

router = APIRouter(include_in_schema=False)

GAPS = 200
"""Shown on the page of gaps."""

Opens = Annotated[Page, opens("system.read")]
Changes = Annotated[Page, changes("system.manage")]


class Repaired(Posted):
    """A gap that was filled otherwise, and how."""

    gap: str
    note: str = ""


@router.get("/flow")
def flow(page: Opens) -> Response:
    """The flow as it stands; looks again by itself."""
    operations = page.given.operations
    layout, standing = operations.layout, operations.standing()
    return page.render(
        "flow/flow.html",
        layout=layout,
        standing=standing,
        picture=picture(layout, standing, _words(page)) if standing else None,
        alive=alive,
        rate=rate,
        books=operations.books(),
        rules_version=operations.rules_version,
        documents=page.given.documents.in_force(),
    )


@router.post("/flow/ledger")
def count_again(page: Annotated[Page, changes("system.read")]) -> Response:
    """Have the ledger read anew."""
    page.given.operations.count_again()
    return page.go("/flow", page._("The ledger is being read. It is shown here once that is done."))


@router.get("/flow/gaps")
def gaps(page: Opens, show: Annotated[str, Query()] = "open") -> Response:
    """What sources are known to have missed, and whether that was filled."""
    found = page.given.store.gaps(open_only=show != "all", limit=GAPS)
    return page.render("flow/gaps.html", gaps=found, show=show, most=GAPS)


@router.post("/flow/gaps/repair")
def repair(page: Changes, form: Annotated[Repaired, Form()]) -> Response:
    """Say that a gap was filled in another way."""
    note = form.note.strip()
    if not note:
        raise Unfit("note", "say how it was filled: people who read the figures rely on it")
    if not page.given.store.repair_gap(form.gap, f"{page.me.user.name}: {note}"):
        raise missing("open gap")
    page.given.accounts.note(Event(page.me.actor, "gap.repaired", f"gap:{form.gap}", {"note": note}))
    undo = Undo(page._("Undo"), "/flow/gaps/reopen", {"gap": form.gap})
    return page.go("/flow/gaps", page._("The gap counts as repaired."), undo)


@router.post("/flow/gaps/reopen")
def reopen(page: Changes, form: Annotated[Repaired, Form()]) -> Response:
    """Take that back."""
    if not page.given.store.reopen_gap(form.gap):
        raise missing("repaired gap")
    page.given.accounts.note(Event(page.me.actor, "gap.reopened", f"gap:{form.gap}"))
    return page.go("/flow/gaps", page._("The gap is open again."))


def _words(page: Page) -> Words:
    def number(value: float) -> str:
        return str(format_decimal(value, locale=page.locale))

    def ago(away: timedelta) -> str:
        return str(format_timedelta(-away, add_direction=True, threshold=0.9, format="short", locale=page.locale))

    return Words(page._, number, ago)
