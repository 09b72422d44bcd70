"""Every request that the X connector makes, judged by an OpenAPI document of X's API.

`tests/servers/x_openapi.yaml` says of the operations used what X documents of them. With HARKEN_X_OPENAPI naming a copy
of X's own document (api.x.com/2/openapi.json), requests are judged by that instead.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr

from connectors._x_activity import Activity
from connectors._x_api import Api
from connectors._x_subscriptions import subscribe
from connectors.x import Config, Connector, Rechecker, Replier
from pipeline.clock import ManualClock
from pipeline.errors import SourceUnavailable
from pipeline.mention import Author, Kind, Media
from pipeline.ports import Brand, Context
from tests.contract.repliers.x import account
from tests.fixtures.pictures import GIF, PNG, Gallery
from tests.fixtures.prism import Prism, judging
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Asked, StandIn, Told, told
from tests.fixtures.x_server import START, TOKEN, XServer, post, snowflake

DOCUMENT = Path(os.environ.get("HARKEN_X_OPENAPI") or Path(__file__).with_name("x_openapi.yaml"))
BRANDS = (Brand("acme", terms=("Acme",), handles=("AcmeCare",), own_accounts={"x": ("22",)}),)
USED = {
    "GET /2/activity/subscriptions",
    "GET /2/dm_conversations/with/:id/dm_events",
    "GET /2/tweets",
    "GET /2/tweets/:id",
    "GET /2/tweets/search/recent",
    "GET /2/tweets/search/stream",
    "GET /2/tweets/search/stream/rules",
    "GET /2/users/:id/tweets",
    "GET /2/webhooks",
    "POST /2/activity/subscriptions",
    "POST /2/dm_conversations/with/:id/messages",
    "POST /2/media/metadata",
    "POST /2/media/upload",
    "POST /2/tweets",
    "POST /2/tweets/search/stream/rules",
    "POST /2/users/:id/likes",
    "POST /2/webhooks",
    "PUT /2/tweets/:id/hidden",
    "PUT /2/webhooks/:id",
}


class Judge(StandIn):
    """Has each request judged, and answered by the stand-in for X."""

    def __init__(self, prism: Prism, x: XServer) -> None:
        super().__init__()
        self._prism = prism
        self._x = x.url
        self.wrong: dict[str, list[str]] = {}
        self.used: set[str] = set()

    def handle(self, asked: Asked) -> Told:
        target = str(httpx2.URL(asked.path, params={name: values[0] for name, values in asked.query.items()}))
        operation = f"{asked.method} {re.sub(r'/[0-9]+(?=/|$)(?<!/2)', '/:id', asked.path)}"
        self.used.add(operation)
        # Prism does not know OAuth 1.0a: whether it is signed right, the stand-in says.
        signed = asked.headers.get("authorization", "").startswith("OAuth ")
        headers = dict(asked.headers) | ({"authorization": "Bearer x"} if signed else {})
        if wrong := self._prism.judge(asked.method, target, headers, asked.body):
            self.wrong.setdefault(operation, []).extend(wrong)
        if asked.path.endswith("/search/stream"):
            return told(503, {"title": "that it was asked for is enough"})
        headers = {name: asked.headers[name] for name in ("authorization", "content-type") if name in asked.headers}
        answer = httpx2.request(asked.method, self._x + target, headers=headers, content=asked.body, timeout=10)
        return Told(answer.status_code, answer.content, {"Content-Type": "application/json"})


@pytest.fixture(scope="module")
def prism() -> Iterator[Prism]:
    with judging(DOCUMENT) as prism:
        yield prism


@pytest.fixture
def judge(prism: Prism, x_server: XServer) -> Iterator[Judge]:
    with Judge(prism, x_server).running() as judge:
        x_server.url = judge.url  # what the account's signature is over
        yield judge


def test_a_wrong_request_is_seen(prism: Prism) -> None:
    bearer = {"authorization": "Bearer x"}
    assert prism.judge("GET", "/2/tweets/search/recent?query=a&max_results=5", bearer, b"")
    assert prism.judge("GET", "/2/tweets/search/recent?query=a&post.fields=note_tweet", bearer, b"")
    assert prism.judge("GET", "/2/tweets/search/recent?query=a", {}, b"")
    assert prism.judge("GET", "/2/nowhere", bearer, b"")
    assert not prism.judge("GET", "/2/tweets/search/recent?query=a&max_results=10", bearer, b"")


def test_every_request_is_as_x_documents_it(judge: Judge, x_server: XServer) -> None:
    clock = ManualClock(START)
    config = Config(bearer_token=SecretStr(TOKEN), api_base=judge.url, reply=account())
    context = Context("x", BRANDS, clock)
    _listen(config, context)
    _search(config, context, x_server)
    _write(config, context)
    Rechecker(config, context).recheck([mention(f"x:{snowflake(START, serial)}") for serial in range(100)])
    with closing(Api(config.bearer_token, judge.url, 5, clock)) as api:
        api.post(snowflake(START))
        activity = Activity(
            consumer_secret=SecretStr("secret"), accounts=("22",), url="https://acme.example/x", events=EVERY
        )
        subscribe(api, activity)
        x_server.webhooks[0]["valid"] = False
        subscribe(api, activity)
    assert judge.wrong == {}
    assert judge.used == USED


EVERY: Any = ("post.mention.create", "post.reply.create", "post.quote.create", "post.delete", "post.create")


def _listen(config: Config, context: Context) -> None:
    """The rules are made anew, and the stream is asked for."""
    for rules in ((), ('"another" lang:en',), ()):
        stream = Connector(config.model_copy(update={"rules": rules}), context)
        with pytest.raises(SourceUnavailable):
            list(stream.pages(None))


def _search(config: Config, context: Context, x: XServer) -> None:
    """Searches by an id, over several pages, and by times."""
    x.archive = [post(f"Acme {number}", START - timedelta(minutes=number)) for number in range(1, 6)]
    saved = f'{{"heard": "{(START - timedelta(hours=1)).isoformat()}"}}'
    polled = config.model_copy(update={"mode": "poll"})
    with closing(cast(Any, Connector(polled, context).pages(saved))) as pages:
        found = 0
        while found < 5:
            found += len(next(pages).items)
    with closing(Api(config.bearer_token, config.api_base, 5, context.clock)) as api:
        api.search('"Acme"', start=START - timedelta(hours=1), end=START - timedelta(minutes=1))


def _write(config: Config, context: Context) -> None:
    """An answer with pictures, and all that can be done besides."""
    replier, id = Replier(config, context), snowflake(START)
    refs = {"id": id, "mentions": "AcmeCare", "to": "22"}
    asked = mention(f"x:{id}", kind=Kind.REPLY, author=Author(id="11"), reply_ref=refs)
    with Gallery().running() as gallery:
        pictures = [Media(url=gallery.hang_up("/1", PNG), alt="A label"), Media(url=gallery.hang_up("/2", GIF))]
        replier.reply(asked, "See https://acme.example/returns", "key-1", pictures)
    replier.act("like", asked, "", "key-2")
    replier.act("hide", asked, "", "key-3")
    replier.act("message", asked, "Your order number, please?", "key-4")
