"""Dead letters: what could not be handled; looked into, sent through again, or given up with a word why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Response
from pydantic import Field

from console.api.problems import Refused, missing
from console.pages.page import Page, Posted, Undo, changes, opens
from console.pages.words import segment, url
from desk.audit import Event, Fact
from desk.refusals import Unfit
from pipeline.store import DeadLetter

router = APIRouter(include_in_schema=False)

SHOWN = 50
"""Letters of a page."""

AT_ONCE = 1000
"""Letters that one button sends through or discards; more are taken by pressing it again."""

BYTES_SHOWN = 20_000
"""Of a letter's bytes."""

TOLD = 20
"""Reasons named of letters that could not be sent through."""

Opens = Annotated[Page, opens("system.read")]
Changes = Annotated[Page, changes("system.manage")]
State = Literal["dead", "retried", "revived", "discarded"]


class Chosen(Posted):
    """Which letters: those ticked, or all that wait of the same fault (`every`), and what to say about it."""

    id: list[str] = []
    every: bool = False
    via: str = ""
    role: str = ""
    reason: str = ""
    why: Annotated[str, Field(max_length=1500)] = ""
    note: str = ""


@router.get("/flow/dead")
def letters(
    page: Opens,
    state: Annotated[State, Query()] = "dead",
    via: str = "",
    role: str = "",
    reason: str = "",
    after: str = "",
) -> Response:
    """Those in one state, newest first, with the faults that most of them died of."""
    store = page.given.store
    last = store.dead_letter(after) if after else None
    found = store.letters(state, via or None, role or None, reason or None, SHOWN + 1, last)
    asked = {"state": state if state != "dead" else None, "via": via or None, "role": role or None}
    asked["reason"] = reason or None
    return page.render(
        "flow/dead.html",
        letters=found[:SHOWN],
        faults=store.faults(),
        state=state,
        via=via,
        role=role,
        reason=reason,
        filtered=bool(via or role or reason),
        sources=[it.name for it in page.given.operations.layout.sources],
        more=url("/flow/dead", **asked, after=found[SHOWN - 1].id) if len(found) > SHOWN else None,
        at_once=AT_ONCE,
    )


@router.get("/flow/dead/{id}")
def letter(page: Opens, id: str) -> Response:
    """One with its bytes, as far as they can be shown."""
    found = page.given.store.dead_letter(id)
    if found is None:
        raise missing("dead letter")
    text = found.payload[:BYTES_SHOWN].decode("utf-8", "backslashreplace")
    return page.render("flow/letter.html", letter=found, text=text, cut=len(found.payload) > BYTES_SHOWN)


@router.post("/flow/dead/retry")
def retry(page: Changes, form: Annotated[Chosen, Form()]) -> Response:
    """Send them through again, from where they died."""
    chosen = _chosen(page, form)
    back, left = page.given.operations.retry(chosen)
    facts: dict[str, Fact] = {"letters": len(chosen), "back": back}
    page.given.accounts.note(Event(page.me.actor, "dead_letters.retried", _about(chosen), facts))
    if left:
        reasons = [f"{id}: {why}" for id, why in list(left.items())[:TOLD]]
        said = page._("%(back)s of %(all)s are on their way again. The others stay:", back=back, all=len(chosen))
        raise Refused(409, " ".join((said, *reasons)))
    said = page._("%(back)s of %(all)s are on their way again.", back=back, all=len(chosen))
    return page.go("/flow/dead", said)


@router.post("/flow/dead/discard")
def discard(page: Changes, form: Annotated[Chosen, Form()]) -> Response:
    """Give them up; each then counts as filtered. Can be taken back at once, and later from its own page."""
    if not form.why.strip():
        raise Unfit("why", "say why: it is kept with the letters and in the ledger's figures")
    chosen = _chosen(page, form)
    note = f"{page.me.user.name}, {page.now:%Y-%m-%d %H:%M:%S} UTC: {form.why.strip()}"
    count = page.given.store.discard([it.id for it in chosen], note)
    facts: dict[str, Fact] = {"letters": count, "why": form.why.strip()}
    page.given.accounts.note(Event(page.me.actor, "dead_letters.discarded", _about(chosen), facts))
    undo = Undo(page._("Undo"), "/flow/dead/restore", {"note": note})
    return page.go("/flow/dead", page._("%(count)s are given up.", count=count), undo)


@router.post("/flow/dead/restore")
def restore(page: Changes, form: Annotated[Chosen, Form()]) -> Response:
    """Have what was given up wait again: those named, or all that were given up together."""
    if not form.id and not form.note:
        raise Unfit("id", "tick those that you mean")
    count = page.given.store.restore(form.id, form.note or None)
    facts: dict[str, Fact] = {"letters": count}
    page.given.accounts.note(Event(page.me.actor, "dead_letters.restored", "dead_letters", facts))
    back = f"/flow/dead/{segment(form.id[0])}" if len(form.id) == 1 else "/flow/dead"
    return page.go(back, page._("%(count)s wait again.", count=count))


def _chosen(page: Page, form: Chosen) -> Sequence[DeadLetter]:
    store = page.given.store
    if form.every:
        return store.letters("dead", form.via or None, form.role or None, form.reason or None, AT_ONCE)
    if not form.id:
        raise Unfit("id", "tick those that you mean")
    found = [store.dead_letter(id) for id in dict.fromkeys(form.id[:AT_ONCE])]
    chosen = [it for it in found if it is not None and it.state == "dead"]
    if not chosen:
        raise Refused(409, "none of them waits any more: somebody was faster")
    return chosen


def _about(chosen: Sequence[DeadLetter]) -> str:
    return f"dead_letter:{chosen[0].id}" if len(chosen) == 1 else "dead_letters"
