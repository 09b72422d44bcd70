"""Signing in with a name and a password, signing out, who one is, and the first password by an invitation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from console.api.auth import Caller, cookie_name, needs, same_origin
from console.api.problems import Refused
from console.api.schemas import V1, Asked, Line, Secret
from console.api.services import Given, Services
from desk.accounts import SignedIn
from desk.roles import Action, Role
from desk.sessions import csrf
from desk.users import User

T = TypeVar("T")

HASHING = 4
"""Requests with a password at work at a time. Two hashes are computed at a time; the threads that wait for them are not
to be all the threads there are."""

WAITING = 40
"""Such requests waiting; more are told to come again."""

router = APIRouter(prefix=V1, tags=["session"])
_slots = CapacityLimiter(HASHING)


class UserOut(BaseModel):
    """A person with an account."""

    id: str
    name: str
    email: str | None
    roles: list[Role]
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None


class SignIn(Asked):
    """Who wants to come in."""

    name: Line
    password: Secret


class Acceptance(Asked):
    """An invitation, and the password to set by it."""

    invitation: Secret
    password: Secret


class SignedInOut(BaseModel):
    """A session was begun, and its cookie set. `csrf` goes into the header X-CSRF-Token of what changes something."""

    user: UserOut
    csrf: str


class Ways(BaseModel):
    """How one can sign in: by a password here, and at the address of the provider where there is one."""

    password: bool = True
    provider: str | None = None


class Me(BaseModel):
    """The caller, what this call may do, and until when; `csrf` for a session."""

    user: UserOut
    actions: list[Action]
    by: str
    ends_at: datetime
    csrf: str | None = None


def user_out(user: User) -> UserOut:
    """As the API shows a user."""
    return UserOut.model_validate(user, from_attributes=True)


def set_session(response: Response, given: Services, signed_in: SignedIn) -> None:
    """Put the session's secret in its cookie. It lasts as long as the browser is open, and no longer than the session.

    Lax: a link to us from elsewhere arrives signed in, as after signing in at a provider; what changes something needs
    the CSRF token besides.
    """
    response.set_cookie(
        cookie_name(given.https),
        signed_in.secret.get_secret_value(),
        path="/",
        secure=given.https,
        httponly=True,
        samesite="lax",
    )


async def hashing(work: Callable[[], T]) -> T:
    """Do what hashes a password on a thread; raises 503 where too many wait for that."""
    if _slots.statistics().tasks_waiting >= WAITING:
        raise Refused(503, "too many are signing in: try again", {"Retry-After": "5"})
    return await anyio.to_thread.run_sync(work, limiter=_slots)


@router.get("/session")
def ways(given: Given) -> Ways:
    """How one can sign in, for the page that asks."""
    return Ways(provider=f"{V1}/oidc/sign-in" if given.provider else None)


@router.post("/session", dependencies=[Depends(same_origin)])
async def sign_in(request: Request, response: Response, given: Given, body: SignIn) -> SignedInOut:
    """Sign in: 401 where the name or the password is wrong, 429 with Retry-After after too many wrong ones."""
    address = request.client.host if request.client else None
    previous = request.cookies.get(cookie_name(given.https))
    password = body.password.get_secret_value()
    signed_in = await hashing(partial(given.accounts.sign_in, body.name, password, address, previous))
    request.scope["harken.call"].user = signed_in.user.id
    set_session(response, given, signed_in)
    return SignedInOut(user=user_out(signed_in.user), csrf=signed_in.csrf.get_secret_value())


@router.delete("/session", status_code=204)
def sign_out(me: Annotated[Caller, needs()], given: Given, response: Response) -> None:
    """End this session."""
    if me.by != "session":
        raise Refused(409, "this is a token, not a session: revoke it instead")
    given.accounts.sign_out(me.secret.get_secret_value())
    response.delete_cookie(cookie_name(given.https), path="/", secure=given.https, httponly=True, samesite="lax")


@router.get("/me")
def who_am_i(me: Annotated[Caller, needs()]) -> Me:
    """The caller."""
    token = csrf(me.secret.get_secret_value()).get_secret_value() if me.by == "session" else None
    return Me(user=user_out(me.user), actions=sorted(me.actions), by=me.by, ends_at=me.ends_at, csrf=token)


@router.post("/invitations/accept", dependencies=[Depends(same_origin)])
async def accept_invitation(given: Given, body: Acceptance) -> UserOut:
    """Set a password by an invitation, which is used up then. Sign in with it afterwards."""
    invitation, password = body.invitation.get_secret_value(), body.password.get_secret_value()
    return user_out(await hashing(partial(given.accounts.accept, invitation, password)))
