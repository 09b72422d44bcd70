"""One request of a page: who reads it, in which language and zone, and the answer.

A page's endpoint names what it needs with its parameter: `page: Annotated[Page, opens("cases.read")]` shows something,
`page: Annotated[Page, changes("cases.work")]` does something that a form asked for, and answers with `page.go(...)`.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import cache, cached_property
from hashlib import sha256
from hmac import compare_digest
from hmac import new as hmac
from typing import Annotated, Any, NamedTuple, get_args
from zoneinfo import ZoneInfo

import jinja2
from babel import Locale
from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.datastructures import FormData

from console.api.auth import SAFE, Caller, cookie_name, same_origin
from console.api.problems import Refused
from console.api.services import Given, Services
from console.pages import language, names, words
from console.pages.assets import asset
from console.pages.places import Place, places
from desk.events import Event
from desk.roles import Action
from desk.sessions import csrf, csrf_matches
from pipeline.errors import HarkenError

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # Not no-referrer: a browser would then send `Origin: null` with our own forms (Fetch, 3.1).
    "Referrer-Policy": "same-origin",
}
"""Of every page, besides those of every answer."""

SAID_COOKIE = "harken_said"
SAID_SECS = 60
_LONGEST = 1500


EVENT_NAMES = " ".join(
    [*sorted(str(it.__struct_config__.tag) for it in get_args(Event)), "incident.opened", "incident.changed"]
)
"""What the stream of events calls them: a browser hears only those that it names."""


class Posted(BaseModel):
    """What a form sends, as `form: Annotated[MyForm, Form()]`; `csrf` is looked at by `changes`."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SignInFirst(HarkenError):
    """Nobody is signed in; `back` is where they wanted to go."""

    def __init__(self, back: str) -> None:
        super().__init__("sign in first")
        self.back = back


class Undo(NamedTuple):
    """How to take back what was just done: a form of one button."""

    label: str
    path: str
    fields: Mapping[str, str] = {}


class Page:
    """One request. `me` is None where nobody is signed in."""

    def __init__(self, request: Request, given: Services, me: Caller | None) -> None:
        self.request = request
        self.given = given
        self.me_or_nobody = me
        cookies, headers = request.cookies, request.headers
        self.language = language.chosen_language(
            cookies.get(language.LANGUAGE_COOKIE, ""), headers.get("accept-language", "")
        )
        self.zone: ZoneInfo = language.chosen_zone(cookies.get(language.ZONE_COOKIE, ""))
        self.theme = cookies.get(language.THEME_COOKIE, "auto")
        if self.theme not in language.THEMES:
            self.theme = "auto"
        self.now: datetime = given.clock.now()

    @property
    def me(self) -> Caller:
        """Who reads it; raises SignInFirst."""
        if self.me_or_nobody is None:
            raise SignInFirst(self.here)
        return self.me_or_nobody

    @property
    def locale(self) -> Locale:
        """How dates and numbers are written."""
        return language.locale(self.language)

    @property
    def here(self) -> str:
        """The path and what was asked for."""
        url = self.request.url
        return url.path + (f"?{url.query}" if url.query else "")

    @property
    def form(self) -> FormData:
        """What was sent; after `changes`."""
        found = self.request.scope.get("harken.form")
        return found if isinstance(found, FormData) else FormData()

    @cached_property
    def csrf(self) -> str:
        """What every form sends along; empty where nobody is signed in."""
        me = self.me_or_nobody
        return csrf(me.secret.get_secret_value()).get_secret_value() if me else ""

    def _(self, text: str, **values: Any) -> str:
        """The text in the reader's language, with values put in by `%(name)s`."""
        found = language.translations(self.language).gettext(text)
        return found % values if values else found

    @property
    def places(self) -> list[Place]:
        """Where the reader may go."""
        return places(self.me_or_nobody.actions) if self.me_or_nobody else []

    def may(self, action: Action) -> bool:
        """Whether the reader may do this."""
        return self.me_or_nobody is not None and self.me_or_nobody.may(action)

    def render(self, template: str, status: int = 200, /, **context: Any) -> Response:
        """The page."""
        said = self._said()
        text = (
            environment(self.language)
            .get_template(template)
            .render(
                page=self,
                me=self.me_or_nobody,
                may=self.may,
                csrf=self.csrf,
                path=self.request.url.path,
                now=self.now,
                flash=said,
                **context,
            )
        )
        answer = HTMLResponse(text, status, headers=dict(HEADERS))
        if said is not None:
            answer.delete_cookie(SAID_COOKIE, path="/")
        return answer

    def go(self, path: str, said: str = "", undo: Undo | None = None) -> Response:
        """On to one of our own pages, which says once what was done."""
        answer = RedirectResponse(own(path), 303, headers=dict(HEADERS))
        if said and self.me_or_nobody is not None:
            what = json.dumps({"said": said[:300], "undo": undo and [undo.label, undo.path, dict(undo.fields)]})
            if len(what) > _LONGEST:
                what = json.dumps({"said": said[:300], "undo": None})
            body = urlsafe_b64encode(what.encode()).decode()
            answer.set_cookie(
                SAID_COOKIE,
                f"{body}.{self._mac(body)}",
                SAID_SECS,
                path="/",
                secure=self.given.https,
                httponly=True,
                samesite="lax",
            )
        return answer

    def _said(self) -> dict[str, Any] | None:
        body, _, mac = self.request.cookies.get(SAID_COOKIE, "").partition(".")
        if not body or self.me_or_nobody is None or not compare_digest(self._mac(body).encode(), mac.encode()):
            return None
        found: dict[str, Any] = json.loads(urlsafe_b64decode(body))
        undo = found["undo"]
        return {"said": found["said"], "undo": Undo(*undo) if undo else None}

    def _mac(self, body: str) -> str:
        # With the session's secret: nobody else can have the page say something.
        secret = self.me.secret.get_secret_value().encode()
        return hmac(secret, b"harken said 1" + body.encode(), sha256).hexdigest()


def own(path: str) -> str:
    """This path where it is one of ours; the start page where it would lead elsewhere (an open redirect)."""
    harmless = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if harmless else "/"


def visitor(request: Request, given: Given) -> Page:
    """A page that anybody may see, by whom they are if they are anybody: `page: Annotated[Page, Depends(visitor)]`."""
    return Page(request, given, _caller(request, given))


def opens(*actions: Action) -> Any:
    """What the parameter of a page that shows something is annotated with: whoever is not signed in is asked to, and
    who lacks one of these actions is told so (403)."""

    def page(request: Request, given: Given) -> Page:
        me = _caller(request, given)
        if me is None:
            raise SignInFirst(words.url(request.url.path, **_query(request)) if request.method in SAFE else "/")
        for action in actions:
            me.require(action)
        return Page(request, given, me)

    return Depends(page)


def changes(*actions: Action) -> Any:
    """The same for what a form does: it must have been sent by a page of ours (403), in this very session."""

    def page(request: Request, given: Given, form: Annotated[FormData, Depends(_form)]) -> Page:
        me = _caller(request, given)
        if me is None:
            raise SignInFirst("/")
        same_origin(request, given)
        sent = form.get("csrf") or request.headers.get("x-csrf-token", "")
        if not isinstance(sent, str) or not csrf_matches(me.secret.get_secret_value(), sent):
            raise Refused(403, "this form is not of your session: open the page again and send it once more")
        for action in actions:
            me.require(action)
        return Page(request, given, me)

    return Depends(page)


async def _form(request: Request) -> FormData:
    form = await request.form()
    request.scope["harken.form"] = form
    return form


def _query(request: Request) -> dict[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params}


def _caller(request: Request, given: Services) -> Caller | None:
    secret = request.cookies.get(cookie_name(given.https))
    session = given.accounts.by_session(secret) if secret else None
    if secret is None or session is None:
        return None
    request.scope["harken.call"].user = session.user.id
    return Caller(session.user, session.may, "session", SecretStr(secret), session.ends_at)


@cache
def environment(code: str) -> jinja2.Environment:
    """What templates are read and filled with for readers of this language."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= words.FILTERS | {"named": names.named}
    environment.globals |= {
        "url": words.url,
        "asset": asset,
        "event_names": EVENT_NAMES,
        "languages": [(it, language.locale(it).display_name) for it in language.LANGUAGES],
    }
    found = language.translations(code)
    environment.install_gettext_callables(found.gettext, found.ngettext, newstyle=True)  # type: ignore[attr-defined]
    return environment
