"""Feedback: a public form for each brand, and a message by it is one more mention.

The page works without a script and sets no cookie. The thank-you, with a reference number, is shown only once the
message is durable on the bus; where it cannot be, the form comes back with everything still in it. What looks like a
machine's is taken as well and carries why (`suspicions`): routing puts it aside, and a person can look.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

import msgspec
import structlog
from msgspec import Meta
from msgspec.structs import replace
from pydantic import AfterValidator, Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors import _feedback_form as forms
from connectors import _feedback_page as pages
from connectors._feedback_form import Entry, Form
from connectors._feedback_traps import Limits, Tokens
from connectors._inbox import Inbox
from connectors._listener import BACKOFF, IDLE_SECS, PAGE_ITEMS, RETRY_AFTER, body_of, listening
from connectors._mapping import Mapper
from pipeline.errors import BadItem, SourceUnavailable, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Context, Page, Settings
from pipeline.posting import SigningSecret

log = structlog.get_logger(__name__)

_MOST_BYTES = 262_144
"""Of a filled-in form: its longest message, when every character is four bytes and each of them is escaped, and half as
much again, so that a message that is too long comes back to be shortened."""

_REMEMBERED = 500
"""Messages of which it is known when each came first."""

_NAME = r"[a-z0-9][a-z0-9-]{0,62}"


def _front(path: str) -> str:
    path = path.rstrip("/")
    if path and (not path.startswith("/") or "{" in path):
        raise ValueError("a path begins with / and holds no braces")
    return path


class Config(Settings):
    """Where the forms are, and what is done about machines.

    host, port               the address; port 0 takes a free one. Put a proxy with TLS before anything but 127.0.0.1
    path                     what stands before the form's name: `/feedback/larkline`
    proxies                  addresses whose word on for whom they ask (X-Forwarded-For) is believed
    secret                   signs the forms shown, at least 16 characters
    forms                    the forms by name (small letters, digits, hyphens)
    fill_secs                a form that comes back sooner is suspicious
    open_hours               a form that was open for longer is shown again, with what was written, to be sent again
    links                    a message with more links is suspicious
    per_address, per_form    how many messages one address, and everybody, may send to one form…
    within_minutes           …in so many minutes
    durable_timeout_secs     after so long without durability the sender is asked to send again
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8643, ge=0, le=65535)
    path: Annotated[str, AfterValidator(_front)] = "/feedback"
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    secret: SigningSecret
    forms: dict[Annotated[str, Field(pattern=f"^{_NAME}$")], Form] = Field(min_length=1, max_length=100)
    fill_secs: float = Field(default=3, ge=0)
    open_hours: float = Field(default=24, gt=0)
    links: int = Field(default=3, ge=0)
    per_address: int = Field(default=10, ge=1)
    per_form: int = Field(default=600, ge=1, le=100_000)
    within_minutes: float = Field(default=10, gt=0)
    durable_timeout_secs: float = Field(default=10, gt=0)


class Connector:
    """Listens while its pages are read. `port` is the port it listens on, None when it does not."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = BACKOFF

    def __init__(self, config: Config, context: Context) -> None:
        self.port: int | None = None
        self._config = config
        self._via = context.name
        self._clock = context.clock
        self._tokens = Tokens(config.secret)
        self._limits = Limits(context.clock, config.per_address, config.per_form, config.within_minutes)
        self._first: dict[str, float] = {}

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Listen until closed. Whoever was not thanked is asked to send again; the cursor says when each of the newest
        messages came first, so that one sent again is the same."""
        config, inbox = self._config, Inbox(self._config.durable_timeout_secs)
        self._first = _restored(cursor)
        try:
            with listening("feedback", self._app(inbox), inbox, config.host, config.port, config.proxies) as server:
                self.port = server.port
                log.info("listening for feedback", host=config.host, port=self.port, forms=sorted(config.forms))
                yield Page(heard=False)
                while not self._clock.stopping:
                    if not server.thread.is_alive():
                        raise SourceUnavailable("the listener stopped")
                    messages = inbox.take(PAGE_ITEMS, IDLE_SECS)
                    yield Page(
                        [item for message in messages for item in message.items],
                        cursor=msgspec.json.encode(self._first.copy()).decode() if messages else None,
                        heard=bool(messages),
                    )
                    inbox.durable(messages)
        finally:
            self.port = None

    def parse(self, payload: bytes) -> Sequence[Item]:
        """Read one message, kept as the mention it was, again."""
        return [Mapper(forms.SOURCE, {}, via=self._via).item(payload, self._clock.now())]

    def _app(self, inbox: Inbox) -> Starlette:
        front = self._config.path
        return Starlette(
            routes=[
                Route(f"{front}/form.css", _style),
                Route(f"{front}/{{form}}", self._show, methods=["GET"]),
                Route(f"{front}/{{form}}", self._endpoint(inbox), methods=["POST"]),
            ],
            exception_handlers={HTTPException: _sorry},
        )

    async def _show(self, request: Request) -> Response:
        name, form = self._form(request)
        return self._answer(request, name, form, Entry({}))

    def _endpoint(self, inbox: Inbox) -> Callable[[Request], Awaitable[Response]]:
        async def receive(request: Request) -> Response:
            name, form = self._form(request)
            try:
                entry = forms.read(await body_of(request, _MOST_BYTES, self._config.durable_timeout_secs), form)
            except BadItem as error:
                raise HTTPException(400, str(error)) from error
            stamp = self._tokens.read(name, entry["token"])
            age = (self._clock.now() - stamp.at).total_seconds() if stamp else None
            if stamp is None or age is None or age > self._config.open_hours * 3600:
                # Old enough at once: who reads this and presses Send is no machine for being quick.
                fresh = self._tokens.issue(name, self._clock.now() - timedelta(seconds=self._config.fill_secs))
                return self._answer(request, name, form, entry, 409, notice=("stale", {}), token=fresh)
            if entry.errors:
                return self._answer(request, name, form, entry, 422, token=entry["token"])
            wait = self._limits.refused(name, request.client.host if request.client else "")
            if wait:
                said = ("often", {"minutes": int(wait // 60) + 1})
                later = {"Retry-After": str(int(wait) + 1)}
                return self._answer(request, name, form, entry, 429, later, said, entry["token"])
            reference = self._tokens.reference(name, stamp, entry.content)
            if not await inbox.submit([self._mention(request, entry, form, name, reference, self._signs(entry, age))]):
                return self._answer(request, name, form, entry, 503, RETRY_AFTER, ("later", {}), entry["token"])
            return self._page(
                request, "thanks.html", name, form, 200, {}, reference=reference, answerable=bool(entry["email"])
            )

        return receive

    def _mention(
        self, request: Request, entry: Entry, form: Form, name: str, reference: str, signs: tuple[str, ...]
    ) -> Item:
        page = request.query_params.get("page", "")
        first = self._first.setdefault(reference, self._clock.now().timestamp())
        while len(self._first) > _REMEMBERED:
            del self._first[next(iter(self._first))]
        now = datetime.fromtimestamp(first, UTC)
        found = forms.mention(entry, form, name, reference=reference, page=page, now=now)
        return replace(found, via=self._via, collected_at=found.created_at, suspicions=signs)

    def _signs(self, entry: Entry, age: float) -> tuple[str, ...]:
        """By what this looks like a machine's, in words for a person."""
        links = entry["message"].count("://")
        signs = {
            "a field that people do not see was filled in": bool(entry[forms.TRAP]),
            f"sent {max(age, 0):.1f} s after the form was opened": age < self._config.fill_secs,
            f"{links} links": links > self._config.links,
        }
        return tuple(sign for sign, tripped in signs.items() if tripped)

    def _form(self, request: Request) -> tuple[str, Form]:
        name = request.path_params["form"]
        form = self._config.forms.get(name)
        if form is None:
            raise HTTPException(404, "no such form")
        return name, form

    def _answer(
        self,
        request: Request,
        name: str,
        form: Form,
        entry: Entry,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        notice: tuple[str, Mapping[str, Any]] | None = None,
        token: str = "",
    ) -> Response:
        """The form, with what was written into it and what is wrong."""
        words = pages.words()[_language(request)]
        return self._page(
            request,
            "form.html",
            name,
            form,
            status,
            headers or {},
            entry=entry,
            notice=words[notice[0]].format(**notice[1]) if notice else "",
            token=token or self._tokens.issue(name, self._clock.now()),
        )

    def _page(
        self,
        request: Request,
        template: str,
        name: str,
        form: Form,
        status: int,
        headers: Mapping[str, str],
        **more: Any,
    ) -> Response:
        kept = {key: request.query_params[key] for key in ("lang", "page") if key in request.query_params}
        here = name + (f"?{urlencode(kept)}" if kept else "")
        text = pages.render(template, form, name, _language(request), here=here, **more)
        return HTMLResponse(text, status, {**_headers(form), **headers})


def _restored(cursor: str | None) -> dict[str, float]:
    try:
        return msgspec.json.decode(cursor or "{}", type=dict[str, Annotated[float, Meta(ge=0, le=253402300799)]])
    except msgspec.MsgspecError:
        log.warning("the saved cursor cannot be read: what is sent again may count as changed")
        return {}


def _language(request: Request) -> str:
    return pages.language(request.query_params.get("lang", ""), request.headers.get("accept-language", ""))


def _headers(form: Form | None) -> dict[str, str]:
    """What a browser may do with the page: no script, nothing of another host, framed by whom the form names."""
    ancestors = " ".join(form.sites) if form and form.sites else "'none'"
    policy = f"style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    return {
        "Content-Security-Policy": f"default-src 'none'; {policy}",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


async def _style(request: Request) -> Response:
    del request
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return PlainTextResponse(pages.style(), media_type="text/css", headers=headers)


async def _sorry(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    why = "gone" if status == 404 else "refused"
    text = pages.render("sorry.html", None, "", _language(request), why=why)
    return HTMLResponse(text, status, _headers(None))
