"""API tokens: everybody's for whoever manages people, one's own for anybody."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Form, Query, Response
from pydantic import Field

from console.api import accounts
from console.api.problems import missing
from console.api.schemas import Id, Part
from console.pages.page import Page, Posted, changes, opens
from console.pages.words import segment, url
from desk.roles import Action
from desk.tokens import LONGEST
from desk.users import User

router = APIRouter(include_in_schema=False)

SHOWN = 50
"""Tokens on one page."""

DAYS = (7, 30, 90, LONGEST.days)
"""How long a token may be made to last."""

After = Annotated[str, Query(max_length=200)]


class NewToken(Posted):
    """A token to make."""

    label: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")] = ""
    days: Annotated[int, Field(ge=1, le=LONGEST.days)] = 90
    scopes: Annotated[list[Action], Field(max_length=len(get_args(Action)))] = []


@router.get("/me/tokens")
def mine(page: Annotated[Page, opens()], after: After = "") -> Response:
    """The reader's own."""
    part = accounts.my_tokens(page.me, page.given, Part(limit=SHOWN, after=after or None))
    more = url("/me/tokens", after=part.next) if part.next else None
    return page.render(
        "admin/tokens.html",
        tokens=part.items,
        owners={page.me.user.id: page.me.user.name},
        more=more,
        mine=True,
        scopes=sorted(page.me.actions),
        days=DAYS,
    )


@router.post("/me/tokens")
def make_mine(page: Annotated[Page, changes()], form: Annotated[NewToken, Form()]) -> Response:
    """Make one for oneself, and show its secret this once."""
    issued = accounts.issue_my_token(page.me, page.given, _wanted(form))
    return _once(page, page.me.user, issued, "/me/tokens")


@router.post("/me/tokens/{id}/revoke")
def revoke_mine(page: Annotated[Page, changes()], id: Id) -> Response:
    """End one of one's own."""
    accounts.revoke_my_token(page.me, page.given, id)
    return page.go("/me/tokens", page._("The token has ended: nobody can use it any more."))


@router.get("/admin/tokens")
def everybodys(page: Annotated[Page, opens("users.manage")], after: After = "") -> Response:
    """All there are, oldest first."""
    last = page.given.accounts.token(after) if after else None
    found = page.given.accounts.tokens(limit=SHOWN + 1, after=last)
    shown = found[:SHOWN]
    more = url("/admin/tokens", after=shown[-1].id) if len(found) > SHOWN else None
    owners = page.given.accounts.names(it.user_id for it in shown)
    return page.render("admin/tokens.html", tokens=shown, owners=owners, more=more, mine=False, scopes=[], days=DAYS)


@router.post("/admin/people/{id}/tokens")
def make(page: Annotated[Page, changes("users.manage")], id: Id, form: Annotated[NewToken, Form()]) -> Response:
    """Make one that acts as this person, and show its secret this once."""
    user = page.given.accounts.user(id)
    if user is None:
        raise missing("user")
    issued = accounts.issue_token(page.me, page.given, id, _wanted(form))
    return _once(page, user, issued, f"/admin/people/{segment(id)}")


@router.post("/admin/tokens/{id}/revoke")
def revoke(page: Annotated[Page, changes("users.manage")], id: Id) -> Response:
    """End anybody's."""
    accounts.revoke_token(page.me, page.given, id)
    return page.go("/admin/tokens", page._("The token has ended: nobody can use it any more."))


def _wanted(form: NewToken) -> accounts.NewToken:
    return accounts.NewToken.model_construct(scopes=form.scopes, days=form.days, label=form.label.strip())


def _once(page: Page, user: User, issued: accounts.Issued, back: str) -> Response:
    return page.render(
        "admin/once.html", 201, kind="token", user=user, secret=issued.secret, good=issued.token.expires_at, back=back
    )
