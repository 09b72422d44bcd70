"""Signing in and out, coming in by a link or an invitation, and what one may set for oneself."""

from __future__ import annotations

from functools import partial
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import Field, SecretStr

from console.api.auth import cookie_name, same_origin
from console.api.schemas import V1
from console.api.services import Given
from console.api.session import hashing, set_session
from console.pages.language import LANGUAGE_COOKIE, LANGUAGES, THEME_COOKIE, THEMES
from console.pages.page import Page, Posted, changes, opens, own, visitor
from console.pages.places import home
from desk.accounts import SignedIn, TooManyAttempts, WrongCredentials
from desk.passwords import WeakPassword
from desk.presence import Presence
from desk.refusals import Unfit
from desk.secret import looks_issued
from desk.users import INVITED, AccountError

router = APIRouter(include_in_schema=False)

YEAR_SECS = 31_536_000

Anybody = Annotated[Page, Depends(visitor)]
Mine = Annotated[Page, opens()]
Changes = Annotated[Page, changes()]
_SHORT = Field(default="", max_length=2000)


class Credentials(Posted):
    """A name and a password."""

    name: Annotated[str, Field(max_length=200)] = ""
    password: Annotated[SecretStr, Field(max_length=1000)] = SecretStr("")


class NewPassword(Posted):
    """A password to set, and the one there is."""

    password: Annotated[SecretStr, Field(max_length=1000)] = SecretStr("")
    current: Annotated[SecretStr, Field(max_length=1000)] = SecretStr("")


@router.get("/")
def start(page: Mine) -> Response:
    """Everybody's own first screen."""
    return page.go(home(page.me.user.roles))


@router.get("/sign-in")
def ask(page: Anybody, next: Annotated[str, _SHORT] = "", left: bool = False) -> Response:
    """The form."""
    if page.me_or_nobody is not None:
        return page.go(own(next or "/"))
    return _ask(page, next, left=left)


@router.post("/sign-in", dependencies=[Depends(same_origin)])
async def sign_in(
    request: Request,
    page: Anybody,
    given: Given,
    form: Annotated[Credentials, Form()],
    next: Annotated[str, _SHORT] = "",
) -> Response:
    """Come in with a name and a password."""
    address = request.client.host if request.client else None
    password = form.password.get_secret_value()
    try:
        signed_in = await hashing(
            partial(given.accounts.sign_in, form.name, password, address, _cookie(request, given))
        )
    except WrongCredentials:
        return _ask(page, next, 401, name=form.name, wrong=page._("The name or the password is wrong."))
    except TooManyAttempts as error:
        wrong = page._("Too many attempts: try again in %(secs)s seconds.", secs=error.retry_after)
        answer = _ask(page, next, 429, name=form.name, wrong=wrong)
        answer.headers["Retry-After"] = str(error.retry_after)
        return answer
    return _in(page, signed_in, next or "/")


@router.post("/sign-out")
def sign_out(page: Changes) -> Response:
    """End this session."""
    page.given.accounts.sign_out(page.me.secret.get_secret_value())
    return _out(page)


@router.post("/sign-out-everywhere")
def sign_out_everywhere(page: Changes) -> Response:
    """End all sessions of one's own."""
    page.given.accounts.sign_out_everywhere(page.me.user.id, page.me.actor)
    return _out(page)


@router.get("/welcome/{secret}")
def welcome(page: Anybody, secret: str) -> Response:
    """What a link or an invitation leads to. Looking at it uses nothing up: programs look at links, too."""
    return _welcome(page, secret)


@router.post("/welcome/{secret}", dependencies=[Depends(same_origin)])
async def come_in(
    request: Request, page: Anybody, given: Given, secret: str, form: Annotated[NewPassword, Form()]
) -> Response:
    """Use it."""
    previous, password = _cookie(request, given), form.password.get_secret_value()
    try:
        if looks_issued(INVITED, secret):
            user = await hashing(partial(given.accounts.accept, secret, password))
            signed_in = await hashing(partial(given.accounts.sign_in, user.name, password, _address(request), previous))
        else:
            signed_in = await hashing(partial(given.accounts.sign_in_by_link, secret, previous))
    except (AccountError, WeakPassword) as error:
        return _welcome(page, secret, 422, str(error))
    return _in(page, signed_in, "/")


@router.get("/me")
def me(page: Mine) -> Response:
    """One's own settings."""
    may_work = page.may("cases.work")
    return page.render("session/me.html", agent=page.given.agents.get(page.me.actor) if may_work else None)


@router.post("/me/view")
def set_view(page: Changes) -> Response:
    """Language and colours, kept in this browser."""
    answer = page.go("/me")
    for cookie, field, known in ((LANGUAGE_COOKIE, "language", LANGUAGES), (THEME_COOKIE, "theme", THEMES)):
        value = page.form.get(field)
        if value not in known:
            raise Unfit(field, f"is one of {', '.join(known)}")
        answer.set_cookie(
            cookie, str(value), YEAR_SECS, path="/", secure=page.given.https, httponly=True, samesite="lax"
        )
    return answer


@router.post("/me/presence")
def set_presence(page: Annotated[Page, changes("cases.work")]) -> Response:
    """Whether one takes work."""
    page.given.agents.present(page.me.actor, cast(Presence, page.form.get("presence")))
    return page.go("/me", page._("So be it."))


@router.post("/me/password")
async def set_password(request: Request, page: Changes, given: Given) -> Response:
    """A new password, for who knows the one there is; every session ends."""
    form = NewPassword.model_validate(dict(page.form))
    user, address = page.me.user, _address(request)
    if user.has_password:
        try:
            await hashing(partial(given.accounts.sign_in, user.name, form.current.get_secret_value(), address))
        except WrongCredentials:
            raise Unfit("current", "is not your password") from None
    await hashing(partial(given.accounts.set_password, user.id, form.password.get_secret_value(), user.actor))
    return _out(page)


def _cookie(request: Request, given: Given) -> str | None:
    return request.cookies.get(cookie_name(given.https))


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


def _ask(page: Page, next: str, status: int = 200, *, name: str = "", wrong: str = "", left: bool = False) -> Response:
    provider = f"{V1}/oidc/sign-in" if page.given.provider else None
    return page.render(
        "session/sign_in.html",
        status,
        next=own(next) if next else None,
        name=name,
        wrong=wrong,
        left=left,
        provider=provider,
    )


def _welcome(page: Page, secret: str, status: int = 200, wrong: str = "") -> Response:
    return page.render(
        "session/welcome.html", status, secret=secret, invitation=looks_issued(INVITED, secret), wrong=wrong
    )


def _in(page: Page, signed_in: SignedIn, path: str) -> Response:
    page.request.scope["harken.call"].user = signed_in.user.id
    answer = page.go(path)
    set_session(answer, page.given, signed_in)
    return answer


def _out(page: Page) -> Response:
    answer = page.go("/sign-in?left=1")
    answer.delete_cookie(
        cookie_name(page.given.https), path="/", secure=page.given.https, httponly=True, samesite="lax"
    )
    return answer
