"""What is set at the desk and not in a file: macros, calendars, promises, brands, playbooks, retention. Each is read in
plain view, changed as the text it is, checked before it is in force, and can be put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Form, Query, Response
from pydantic import Field

from console.api.problems import Refused, missing
from console.pages.differences import differences
from console.pages.document_views import readable
from console.pages.language import marked as _
from console.pages.page import Page, Posted, changes, opens
from console.pages.versions import Number, PutBack, beside, people
from console.pages.words import segment, url
from desk.documents import Documents, Unsound
from desk.places import Finding
from desk.refusals import Conflict
from desk.roles import Action

router = APIRouter(include_in_schema=False)

SHOWN = 20
"""Versions on one page."""


class Kind(NamedTuple):
    """One kind of document: what it is called, what it is, where that is explained, and what changing it needs."""

    label: str
    hint: str
    page: str
    needs: tuple[Action, ...]


KINDS: Mapping[str, Kind] = {
    "macros": Kind(_("Macros"), _("Answers written once, with names filled in."), "answering.md", ("macros.write",)),
    "calendars": Kind(
        _("Calendars"),
        _("When somebody is there to answer, and which days are off."),
        "service-levels.md",
        ("calendars.write",),
    ),
    "service_levels": Kind(
        _("Service levels"),
        _("What customers are promised, and on which calendar."),
        "service-levels.md",
        ("calendars.write",),
    ),
    "brands": Kind(
        _("Brands"), _("Whom harken listens for, by their names and accounts."), "configuration.md", ("system.manage",)
    ),
    "playbooks": Kind(
        _("Playbooks"),
        _("What is done when an incident opens: who is called, what may be said."),
        "alerts.md",
        ("incidents.work", "macros.write"),
    ),
    "retention": Kind(
        _("Retention"),
        _("How long things are kept before they are removed for good."),
        "privacy.md",
        ("customers.erase",),
    ),
}
"""Those that are edited here; the rules have a page of their own. Whoever may remove one person everywhere may say when
everybody's words go."""

READS: tuple[Action, ...] = ("macros.write", "calendars.write", "system.read", "users.manage")
"""Whoever has one of these may read all of them."""

Opens = Annotated[Page, opens()]


class Edited(Posted):
    """A text to look into, or to put in force."""

    body: str = ""
    why: Annotated[str, Field(max_length=20_000)] = ""
    expected: Number = 0
    do: Literal["check", "save"] = "check"


def shown(page: Page) -> list[tuple[str, Kind]]:
    """The documents that the reader may look at."""
    return list(KINDS.items()) if any(map(page.may, READS)) else []


@router.get("/admin/documents/{kind}")
def document(page: Opens, kind: str, before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None) -> Response:
    """What is in force, in plain view, and how it came to be so."""
    found = _known(page, kind)
    documents = _documents(page)
    current = documents.current(kind)
    versions = documents.versions(kind, SHOWN + 1, before)
    more = url(f"/admin/documents/{kind}", before=versions[SHOWN - 1].version) if len(versions) > SHOWN else None
    return page.render(
        "admin/document.html",
        kind=kind,
        what=found,
        kinds=shown(page),
        current=current,
        view=readable(kind, current.body),
        versions=versions[:SHOWN],
        people=people(page, versions),
        more=more,
        before=before,
        writable=all(map(page.may, found.needs)),
    )


@router.get("/admin/documents/{kind}/edit")
def edit(page: Opens, kind: str) -> Response:
    """The text in force, to be changed."""
    found = _known(page, kind)
    for action in found.needs:
        page.me.require(action)
    current = _documents(page).current(kind)
    return _editor(page, kind, current.body, current.version)


@router.post("/admin/documents/{kind}/edit")
def change(page: Annotated[Page, changes()], kind: str, form: Annotated[Edited, Form()]) -> Response:
    """Look into a text, or put it in force; what is wrong is said beside it, and nothing that was typed is lost."""
    found = _known(page, kind)
    for action in found.needs:
        page.me.require(action)
    documents = _documents(page)
    body = form.body.replace("\r\n", "\n")
    if form.do == "check":
        return _editor(
            page, kind, body, form.expected, why=form.why, findings=documents.check(kind, body), checked=True
        )
    if not form.why.strip():
        unexplained = page._("Say why in a few words: others will want to know.")
        return _editor(page, kind, body, form.expected, 422, why_error=unexplained)
    try:
        saved = documents.save(kind, body, page.me.actor, form.why, form.expected)
    except Unsound as error:
        return _editor(page, kind, body, form.expected, 422, why=form.why, findings=error.findings, checked=True)
    except Conflict as error:
        newest = documents.current(kind).version
        return _editor(page, kind, body, newest, 409, why=form.why, conflict=str(error))
    said = page._("Version %(version)s is saved and in force within seconds.", version=saved.version)
    return page.go(f"/admin/documents/{segment(kind)}", said)


@router.get("/admin/documents/{kind}/versions/{number}")
def version(page: Opens, kind: str, number: int) -> Response:
    """One version: what it changed, and what putting it back would change now."""
    found = _known(page, kind)
    return page.render(
        "admin/version.html",
        kind=kind,
        what=found,
        sound=True,  # whether it goes with the rest is looked at when it is put back
        put_back=f"/admin/documents/{kind}/put-back",
        writable=all(map(page.may, found.needs)),
        **beside(page, kind, number),
    )


@router.post("/admin/documents/{kind}/put-back")
def put_back(page: Annotated[Page, changes()], kind: str, form: Annotated[PutBack, Form()]) -> Response:
    """Put an old version in force again, as a new one."""
    found = _known(page, kind)
    for action in found.needs:
        page.me.require(action)
    saved = _documents(page).roll_back(kind, form.version, page.me.actor, form.why, form.expected)
    said = page._("It is in force again within seconds, as version %(version)s.", version=saved.version)
    return page.go(f"/admin/documents/{segment(kind)}", said)


def _editor(
    page: Page,
    kind: str,
    body: str,
    expected: int,
    status: int = 200,
    *,
    why: str = "",
    why_error: str = "",
    findings: Sequence[Finding] = (),
    checked: bool = False,
    conflict: str = "",
) -> Response:
    current = _documents(page).current(kind)
    lines = body.splitlines()
    return page.render(
        "admin/edit.html",
        status,
        kind=kind,
        what=KINDS[kind],
        body=body,
        expected=expected,
        why=why,
        why_error=why_error,
        findings=[(it, lines[it.line - 1] if it.line and it.line <= len(lines) else "") for it in findings],
        checked=checked,
        conflict=conflict,
        changed=differences(current.body, body) if checked or conflict else [],
        rows=min(40, max(16, len(lines) + 2)),
    )


def _known(page: Page, kind: str) -> Kind:
    if not any(map(page.may, READS)):
        raise Refused(403, f"this needs one of {', '.join(READS)}", needs=list(READS))
    if kind not in KINDS:
        raise missing("document")
    return KINDS[kind]


def _documents(page: Page) -> Documents:
    return page.given.documents
