"""Around every request: whose name it was sent to, how large its body is, what a browser may do with the answer, one
line in the log, and what becomes of a fault of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from ipaddress import ip_address
from traceback import extract_tb
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.api.problems import problem
from pipeline.ports import Clock

log = structlog.get_logger(__name__)

MOST_BYTES = 1_048_576
"""Of a body."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer that has not its own, as pages have (OWASP, REST Security Cheat Sheet)."""

_HOST = re.compile(r"\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9._-]+)")


@dataclass
class Call:
    """What is known of a request by its end; `caller` fills in the user's id."""

    user: str | None = None
    status: int = 0


class Guard:
    """The middleware. `public_url` is how browsers reach us; empty where that was not said."""

    def __init__(self, app: ASGIApp, clock: Clock, public_url: str) -> None:
        self._app = app
        self._clock = clock
        self._own = {"localhost", urlsplit(public_url).hostname or "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = scope["harken.call"] = Call()
        began = self._clock.monotonic()

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._answer(scope, receive, dressed)
        except Exception as error:
            # A stack trace ends in the error's text, which may quote what was sent: we say where it was raised.
            log.error("request failed", route=_route(scope), error=type(error).__name__, where=_where(error))
            if call.status:
                raise Broken from None  # half an answer is out: the server breaks the connection off
            await _refused(scope, 500, "something went wrong here, not with what you sent")(scope, receive, dressed)
        finally:
            took = round((self._clock.monotonic() - began) * 1000, 1)
            log.info(
                "request", method=scope["method"], route=_route(scope), status=call.status, ms=took, user=call.user
            )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if not self._ours(headers.get("host", "")):
            detail = "this server does not go by that name: its operator sets serve.public_url"
            await _refused(scope, 421, detail)(scope, receive, send)
            return
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            detail = f"a body has at most {MOST_BYTES} bytes"
            await _refused(scope, 413, detail, {"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _bounded(receive), send)

    def _ours(self, host: str) -> bool:
        """Whether a browser that sent this meant us. A name that somebody else's DNS points at us is refused (DNS
        rebinding); an address needs no DNS and is always right."""
        found = _HOST.match(host)
        if found is None or not re.fullmatch(r"(:\d{0,5})?", host[found.end() :]):
            return False
        name = (found["six"] or found["name"]).lower()
        if name in self._own:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


class Broken(Exception):
    """An answer that was begun cannot be ended."""


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > MOST_BYTES:
                raise HTTPException(413)
        return message

    return bounded


def _refused(scope: Scope, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    if scope["path"].startswith("/api/"):
        return problem(status, detail, headers)
    phrase = HTTPStatus(status).phrase
    body = f"<!doctype html><html lang=en><title>{phrase}</title><h1>{phrase}</h1><p>{escape(detail)}</p></html>"
    return HTMLResponse(body, status, headers)


def _route(scope: Scope) -> str:
    """The path as the API writes it, without the values in it."""
    route: Any = scope.get("route")
    return getattr(route, "path", "-")


def _where(error: BaseException) -> str:
    return " < ".join(f"{it.name}:{it.lineno}" for it in reversed(extract_tb(error.__traceback__)[-6:]))
