"""People and API tokens: everybody's for whoever manages them, one's own for anybody who is signed in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from console.api.auth import Caller, needs
from console.api.problems import Refused, missing
from console.api.schemas import V1, Asked, Id, Line, Part
from console.api.services import Given, Services
from console.api.session import UserOut, user_out
from desk.refusals import Unfit
from desk.roles import Action, Role
from desk.tokens import LONGEST, ApiToken
from desk.users import User

router = APIRouter(prefix=V1, tags=["accounts"])

Admin = Annotated[Caller, needs("users.manage")]
Roles = Annotated[list[Role], Field(min_length=1, max_length=20)]


class NewUser(Asked):
    """An account to make."""

    name: Line
    roles: Roles
    email: Annotated[str, StringConstraints(max_length=320)] | None = None


class NewRoles(Asked):
    """The roles to have instead."""

    roles: Roles


class NewToken(Asked):
    """A token to make: what it may do, and for how many days."""

    scopes: Annotated[list[Action], Field(min_length=1, max_length=50)]
    days: Annotated[int, Field(ge=1, le=LONGEST.days)]
    label: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f]*$")] = ""


class Invited(BaseModel):
    """An account and its invitation, shown this once: its owner sets a password by it within three days."""

    user: UserOut
    invitation: str


class TokenOut(BaseModel):
    """What is known of a token; never its secret."""

    id: str
    user_id: str
    label: str
    scopes: list[Action]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class Issued(BaseModel):
    """A new token and its secret, shown this once."""

    token: TokenOut
    secret: str


class UserPage(BaseModel):
    """Some users, by name; `next` is what to ask for `after`."""

    items: list[UserOut]
    next: str | None


class TokenPage(BaseModel):
    """Some tokens of one person, oldest first; `next` is what to ask for `after`."""

    items: list[TokenOut]
    next: str | None


@router.get("/users")
def list_users(_me: Admin, given: Given, part: Annotated[Part, Query()]) -> UserPage:
    """Everybody with an account."""
    found = given.accounts.users(part.limit + 1, part.after or "")
    return UserPage(
        items=[user_out(it) for it in found[: part.limit]],
        next=found[part.limit - 1].name if len(found) > part.limit else None,
    )


@router.post("/users", status_code=201)
def add_user(me: Admin, given: Given, body: NewUser) -> Invited:
    """Make an account without a password, and its invitation."""
    user, secret = given.accounts.add_user(body.name, body.roles, me.actor, body.email)
    return Invited(user=user_out(user), invitation=secret.get_secret_value())


@router.get("/users/{id}")
def show_user(_me: Admin, given: Given, id: Id) -> UserOut:
    """One of them."""
    return user_out(_known(given, id))


@router.put("/users/{id}/roles")
def set_roles(me: Admin, given: Given, id: Id, body: NewRoles) -> UserOut:
    """Give these roles instead; in force at once, for open sessions and tokens too."""
    if _known(given, id).id == me.user.id and "admin" not in body.roles and "admin" in me.user.roles:
        raise Refused(409, "you cannot stop being an admin yourself: another admin can do that")
    return user_out(given.accounts.set_roles(id, body.roles, me.actor))


@router.post("/users/{id}/disable")
def disable(me: Admin, given: Given, id: Id) -> UserOut:
    """End an account, with every session, token and invitation, at once. What they did stays."""
    if _known(given, id).id == me.user.id:
        raise Refused(409, "you cannot disable yourself: another admin can do that")
    return user_out(given.accounts.disable(id, me.actor))


@router.post("/users/{id}/enable")
def enable(me: Admin, given: Given, id: Id) -> UserOut:
    """Let somebody in again with the password they had; tokens have to be made anew."""
    _known(given, id)
    return user_out(given.accounts.enable(id, me.actor))


@router.post("/users/{id}/invitation", status_code=201)
def invite(me: Admin, given: Given, id: Id) -> Invited:
    """A new invitation, for whoever lost the first or forgot the password; the one before ends."""
    user = _known(given, id)
    return Invited(user=user_out(user), invitation=given.accounts.invite(id, me.actor).get_secret_value())


@router.get("/users/{id}/tokens")
def list_tokens(_me: Admin, given: Given, id: Id, part: Annotated[Part, Query()]) -> TokenPage:
    """The tokens of one of them."""
    return _tokens(given, _known(given, id), part)


@router.post("/users/{id}/tokens", status_code=201)
def issue_token(me: Admin, given: Given, id: Id, body: NewToken) -> Issued:
    """Make a token that acts as this person, as far as their roles allow it."""
    return _issue(given, me, _known(given, id), body)


@router.delete("/tokens/{id}", status_code=204)
def revoke_token(me: Admin, given: Given, id: Id) -> None:
    """End anybody's token at once."""
    if not given.accounts.revoke(id, me.actor):
        raise missing("token in force")


@router.get("/me/tokens")
def my_tokens(me: Annotated[Caller, needs()], given: Given, part: Annotated[Part, Query()]) -> TokenPage:
    """The caller's own tokens."""
    return _tokens(given, me.user, part)


@router.post("/me/tokens", status_code=201)
def issue_my_token(me: Annotated[Caller, needs()], given: Given, body: NewToken) -> Issued:
    """Make a token that acts as the caller. For whoever is signed in: a token makes no tokens, or it could outgrow its
    scopes and outlast its end."""
    if me.by != "session":
        raise Refused(403, "a token makes no tokens: sign in")
    return _issue(given, me, me.user, body)


@router.delete("/me/tokens/{id}", status_code=204)
def revoke_my_token(me: Annotated[Caller, needs()], given: Given, id: Id) -> None:
    """End one of the caller's tokens at once."""
    token = given.accounts.token(id)
    if token is None or token.user_id != me.user.id or not given.accounts.revoke(id, me.actor):
        raise missing("token in force")


def _known(given: Services, id: str) -> User:
    user = given.accounts.user(id)
    if user is None:
        raise missing("user")
    return user


def _tokens(given: Services, user: User, part: Part) -> TokenPage:
    last = given.accounts.token(part.after) if part.after else None
    if part.after and (last is None or last.user_id != user.id):
        raise Unfit("after", "is not the `next` of a page of this list")
    found = given.accounts.tokens(user.id, part.limit + 1, last)
    return TokenPage(
        items=[_out(it) for it in found[: part.limit]],
        next=found[part.limit - 1].id if len(found) > part.limit else None,
    )


def _issue(given: Services, me: Caller, owner: User, body: NewToken) -> Issued:
    token, secret = given.accounts.issue_token(owner.id, body.scopes, timedelta(days=body.days), me.actor, body.label)
    return Issued(token=_out(token), secret=secret.get_secret_value())


def _out(token: ApiToken) -> TokenOut:
    return TokenOut.model_validate(token, from_attributes=True)
