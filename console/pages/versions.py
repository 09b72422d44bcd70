"""What the rules and the other documents share: one version seen beside the one in force, and putting it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from console.api.problems import missing
from console.api.views import Names
from console.pages.differences import differences
from console.pages.page import Page, Posted
from desk.documents import Version

Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""Of a version; 0 is what the configuration says."""


class PutBack(Posted):
    """Which version to put in force again, and why."""

    version: Number = 0
    why: Annotated[str, Field(max_length=20_000)] = ""
    expected: Number = 0


def beside(page: Page, kind: str, number: int) -> dict[str, Any]:
    """What `versions.html` shows of one version: its text, what it changed, and what putting it back would change now.
    Raises 404 where there is none of this number."""
    documents = page.given.documents
    this = documents.version(kind, number) if number > 0 else None
    if number < 0 or (number and this is None):
        raise missing("version")
    given = documents.kinds[kind].given()
    current = documents.current(kind)
    earlier = documents.version(kind, number - 1) if number > 1 else None
    body = this.body if this and this.body is not None else given
    before = earlier.body if earlier and earlier.body is not None else given
    return {
        "number": number,
        "this": this,
        "current": current,
        "body": body,
        "changed": differences(before, body) if number else [],
        "back": differences(current.body, body),
        "people": people(page, [this] if this else []),
    }


def people(page: Page, versions: Sequence[Version]) -> Names:
    """The names of those who saved them, with one question."""
    names = Names(page.given.accounts)
    names.know(it.actor for it in versions)
    return names
