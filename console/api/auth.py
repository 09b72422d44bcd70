"""Who calls, and whether they may: an API token, or the session of a browser with its CSRF token.

An endpoint says what it needs with its first parameter, `me: Annotated[Caller, needs("cases.work")]`. The document of
the API then names it too, and a test walks over all of them there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from pydantic import SecretStr

from console.api.problems import Refused
from console.api.services import Given, Services
from desk.roles import Action
from desk.sessions import csrf_matches
from desk.tokens import KIND as TOKEN
from desk.users import User

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1): a page of another site may cause them, and learns nothing by it."""

CSRF_HEADER = "X-CSRF-Token"

CHALLENGE = {"WWW-Authenticate": "Bearer"}

_token = HTTPBearer(scheme_name="token", bearerFormat=f"harken_{TOKEN}_…", auto_error=False)
_session = APIKeyCookie(name="harken_session", scheme_name="session", auto_error=False)


@dataclass(frozen=True)
class Caller:
    """Who calls, what this call may do, and how they showed who they are; `ends_at` is when that ends if nothing more
    comes."""

    user: User
    actions: frozenset[Action]
    by: Literal["token", "session"]
    secret: SecretStr
    ends_at: datetime

    @property
    def actor(self) -> str:
        """As events and the audit log name them: `user:ID`."""
        return self.user.actor

    def may(self, action: Action) -> bool:
        """Whether they may do this as well."""
        return action in self.actions

    def require(self, action: Action) -> None:
        """Raise 403 unless they may do this as well: for what only some values of a request need."""
        _require(self.actions, [action])


def needs(*actions: Action) -> Any:
    """What a parameter of type Caller is annotated with: raises 401 unless somebody is known to call, 403 unless they
    may do all of this. Without actions anybody with an account may."""
    return Security(caller, scopes=list(actions))


def cookie_name(https: bool) -> str:
    """Of the session. `__Host-` has the browser refuse one that another host, or a page without TLS, planted (RFC
    6265bis, 4.1.3.2); it may only be used with https."""
    return "__Host-harken_session" if https else "harken_session"


def caller(
    request: Request,
    given: Given,
    scopes: SecurityScopes,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_token)],
    _cookie: Annotated[str | None, Security(_session)],
) -> Caller:
    """Who calls; see `needs`."""
    found = _by_token(given, bearer) if "authorization" in request.headers else _by_cookie(given, request)
    request.scope["harken.call"].user = found.user.id
    _require(found.actions, scopes.scopes)
    return found


def still(given: Services, me: Caller) -> Caller | None:
    """The same caller as they stand now: None once the token or the session has ended. No use of the session."""
    secret = me.secret.get_secret_value()
    if me.by == "token":
        held = given.accounts.by_token(secret)
        return Caller(held.user, held.may, "token", me.secret, held.token.expires_at) if held else None
    session = given.accounts.by_session(secret, touch=False)
    return Caller(session.user, session.may, "session", me.secret, session.ends_at) if session else None


def same_origin(request: Request, given: Given) -> None:
    """Raise 403 where a browser says that a page of another site sent this.

    What is no browser says neither; then there is no cookie that it could not know better than to send.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        raise Refused(403, "this was sent by a page of another site")
    own = request.headers.get("host", "")
    if origin is not None and origin != given.public_url and origin.partition("://")[2] != own:
        raise Refused(403, "this was sent by a page of another site")


def _by_token(given: Services, bearer: HTTPAuthorizationCredentials | None) -> Caller:
    held = given.accounts.by_token(bearer.credentials) if bearer else None
    if bearer is None or held is None:
        raise Refused(401, "the token is not known, has expired or was revoked", CHALLENGE)
    return Caller(held.user, held.may, "token", SecretStr(bearer.credentials), held.token.expires_at)


def _by_cookie(given: Services, request: Request) -> Caller:
    secret = request.cookies.get(cookie_name(given.https))
    session = given.accounts.by_session(secret) if secret else None
    if secret is None or session is None:
        raise Refused(401, "sign in, or send an API token", CHALLENGE)
    if request.method not in SAFE:
        same_origin(request, given)
        if not csrf_matches(secret, request.headers.get(CSRF_HEADER, "")):
            raise Refused(403, f"the header {CSRF_HEADER} is missing, or is not this session's")
    return Caller(session.user, session.may, "session", SecretStr(secret), session.ends_at)


def _require(actions: frozenset[Action], wanted: list[Any]) -> None:
    if lacking := sorted(set(wanted) - actions):
        raise Refused(403, f"this needs {', '.join(lacking)}", needs=lacking)
