"""What waits for somebody's approval, with the post it answers: approved or rejected in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict

from console.api.bodies import Text
from console.api.models import AuthorOut, DraftOut
from console.api.views import Names, author_out, drafts_out
from console.pages.marking import cut, marked
from console.pages.page import Page, opens
from console.pages.words import url
from desk.drafting import DraftState
from desk.posts import Posts

router = APIRouter(include_in_schema=False)

MOST = 25
"""On one page."""


class Asked(BaseModel):
    """Which page."""

    model_config = ConfigDict(extra="ignore")

    after: Annotated[Text, Query(max_length=500)] = ""


@dataclass(frozen=True)
class Waiting:
    """An answer that waits: `said` is the post it answers, None where that is gone. `mine`: the reader wrote it, so
    somebody else must approve it."""

    draft: DraftOut
    said: Markup | None
    author: AuthorOut | None
    source: str
    mine: bool


@router.get("/approvals")
def approvals(asked: Annotated[Asked, Query()], page: Annotated[Page, opens("drafts.approve")]) -> Response:
    """Every answer that waits for approval."""
    given = page.given
    found = given.drafts.drafts(state=DraftState.SUBMITTED, after=asked.after or None, limit=MOST)
    posts = Posts(given.database, given.clock).posts([it.mention for it in found.drafts])
    names = Names(given.accounts)
    waiting = []
    for view, draft in zip(found.drafts, drafts_out(found.drafts, names), strict=True):
        routed = posts.get(view.mention)
        waiting.append(
            Waiting(
                draft,
                marked(cut(routed.mention.text), ()) if routed else None,
                author_out(routed.mention.source, routed.mention.author) if routed else None,
                view.mention.partition(":")[0],
                view.writer == page.me.actor,
            )
        )
    more = url("/approvals", after=found.next) if found.next else ""
    return page.render("case/approvals.html", waiting=waiting, more=more, first="/approvals" if asked.after else "")
