"""By what a brand is known: its terms tried on what is stored, with what each platform would be asked and would bill,
and then saved as a new version of the document of brands."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Response
from pydantic import Field

from console.api.brands import DAYS, TERM_CHARS, TERMS, PreviewOut, once, preview_out
from console.api.problems import Refused, missing
from console.pages.brand_text import brands, with_brand
from console.pages.differences import differences
from console.pages.page import Page, Posted, changes, opens
from console.pages.versions import Number
from console.pages.words import url
from desk.documents import Unsound
from desk.places import Finding
from desk.refusals import Conflict
from pipeline.errors import ConfigError
from pipeline.ports import Brand

router = APIRouter(include_in_schema=False)

HERE = "/admin/brands"
KIND = "brands"
PERIODS = (7, 30, 90, 365)
"""Days one may look back."""

USUAL = 30
NAME_CHARS = 100

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Listed = Annotated[str, Field(max_length=TERMS * TERM_CHARS)]


class Edited(Posted):
    """By what a brand, or a `new` one, would be known: one on a line; accounts and languages also beside each other.
    `tried` is of what was tried."""

    brand: Annotated[str, Field(max_length=1000)] = ""
    new: bool = False
    terms: Listed = ""
    handles: Listed = ""
    exclude: Listed = ""
    context: Listed = ""
    languages: Listed = ""
    days: Annotated[int, Field(ge=1, le=DAYS)] = USUAL
    why: Annotated[str, Field(max_length=20_000)] = ""
    expected: Number = 0
    tried: str = ""
    do: Literal["preview", "save"] = "preview"

    @property
    def name(self) -> str:
        """Of the brand."""
        return self.brand.strip()

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """As the document has them."""
        return {
            "terms": once(self.terms.splitlines()),
            "handles": once(it.lstrip("@") for it in re.split(r"[\s,]+", self.handles)),
            "exclude": once(self.exclude.splitlines()),
            "context": once(self.context.splitlines()),
            "languages": once(re.split(r"[\s,]+", self.languages.lower())),
        }

    @property
    def digest(self) -> str:
        """Of what would be saved."""
        said = repr((self.name, sorted(self.lists.items())))
        return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass
class Shown:
    """What the page says besides the form: what is wrong, by field; what the document's check found; what the terms
    would find."""

    wrong: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    preview: PreviewOut | None = None
    notice: str = ""
    conflict: bool = False


@router.get(HERE)
def terms(
    page: Annotated[Page, opens("system.manage")],
    brand: Annotated[str | None, Query(max_length=1000)] = None,
    new: bool = False,
) -> Response:
    """The terms of a brand as they are in force: of the first, where none is named."""
    current = page.given.documents.current(KIND)
    known = _known(page, current.body)
    if brand is not None and brand not in known:
        raise missing("brand")
    name = "" if new else brand or next(iter(known), "")
    written = known.get(name, {})
    form = Edited(
        brand=name,
        new=not name,
        **{kind: "\n".join(map(str, written.get(kind) or ())) for kind in ("terms", "handles", "exclude", "context")},
        languages=" ".join(map(str, written.get("languages") or ())),
        expected=current.version,
    )
    return _shown(page, form, Shown())


@router.post(HERE)
def change(page: Annotated[Page, changes("system.manage")], form: Annotated[Edited, Form()]) -> Response:
    """Try these terms, or save what was tried; nothing that was typed is lost."""
    documents = page.given.documents
    current = documents.current(KIND)
    if wrong := _wrong(page, form, _known(page, current.body)):
        return _shown(page, form, Shown(wrong=wrong), 200 if form.do == "preview" else 422)
    body = with_brand(current.body, form.name, form.lists)
    if found := documents.check(KIND, body):
        return _shown(page, form, Shown(findings=found), 200 if form.do == "preview" else 422)
    if form.do == "preview" or form.tried != form.digest:
        unseen = page._("Not saved yet: look at what it would change, then save it.") if form.do == "save" else ""
        tried = form.model_copy(update={"tried": form.digest})
        shown = Shown(preview=_tried(page, form, current.body), notice=unseen)
        return _shown(page, tried, shown, 409 if unseen else 200)
    if not form.why.strip():
        unexplained = page._("Say why in a few words: others will want to know.")
        return _shown(page, form, Shown(wrong={"why": unexplained}), 422)
    try:
        saved = documents.save(KIND, body, page.me.actor, form.why, form.expected)
    except Unsound as error:
        return _shown(page, form, Shown(findings=error.findings), 422)
    except Conflict as error:
        newest = form.model_copy(update={"expected": documents.current(KIND).version})
        return _shown(page, newest, Shown(notice=str(error), conflict=True), 409)
    said = page._("Version %(version)s is saved and in force within seconds.", version=saved.version)
    return page.go(url(HERE, brand=form.name), said)


def _tried(page: Page, form: Edited, body: str) -> PreviewOut:
    """What these terms find; what else is said of the brand stays as it is written."""
    written = _known(page, body).get(form.name, {})
    proposed = Brand(
        form.name,
        **form.lists,
        own_accounts=_by_name(written.get("own_accounts")),
        competitors=_by_name(written.get("competitors")),
    )
    return preview_out(form.name, page.given.listening.preview(proposed, form.days))


def _by_name(written: Any) -> dict[str, tuple[str, ...]]:
    return {str(name): tuple(map(str, these)) for name, these in (written or {}).items()}


def _wrong(page: Page, form: Edited, known: Collection[str]) -> dict[str, str]:
    """What cannot be, by field, in words."""
    found: dict[str, str] = {}
    if not form.name or len(form.name) > NAME_CHARS or _CONTROL.search(form.name):
        found["brand"] = page._("A brand has a name of at most %(count)s characters.", count=NAME_CHARS)
    elif form.new and form.name in known:
        found["brand"] = page._("There is a brand of this name already.")
    for kind, these in form.lists.items():
        if len(these) > TERMS:
            found[kind] = page._("%(count)s at most.", count=TERMS)
        elif any(len(it) > TERM_CHARS or _CONTROL.search(it) for it in these):
            found[kind] = page._("Each has at most %(count)s characters.", count=TERM_CHARS)
    lists = form.lists
    if any(not re.fullmatch("[a-z]{2}", it) for it in lists["languages"]):
        found["languages"] = page._("A language is two letters: en, de, pt.")
    if not lists["terms"] and not lists["handles"]:
        found["terms"] = page._("A brand is known by at least one term or account.")
    return found


def _known(page: Page, body: str) -> dict[str, dict[str, Any]]:
    try:
        return brands(body)
    except ConfigError:
        raise Refused(409, page._("The brands in force cannot be read: mend their text first.")) from None


def _shown(page: Page, form: Edited, shown: Shown, status: int = 200) -> Response:
    current = page.given.documents.current(KIND)
    known = _known(page, current.body)
    sound = shown.preview or shown.conflict
    body = with_brand(current.body, form.name, form.lists) if sound else current.body
    return page.render(
        "admin/terms.html",
        status,
        here=HERE,
        brands=list(known),
        form=form,
        shown=shown,
        found=shown.preview,
        periods=[(days, page._("the last %(count)s days", count=days)) for days in PERIODS],
        changed=differences(current.body, body),
        sound=sound,
    )
