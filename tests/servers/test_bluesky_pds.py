"""Answers on Bluesky against a real PDS: the repliers' whole suite, and what only the real one can tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

import httpx2
import pytest
from pydantic import SecretStr

from connectors.bluesky import Config
from deploy.bluesky import pds as deploy
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused
from pipeline.mention import Mention
from pipeline.ports import Actor
from tests.contract.repliers import Given
from tests.contract.repliers.bluesky import alts, over, question
from tests.contract.test_replier import *  # noqa: F403  # every test of the suite, with the fixture below
from tests.contract.test_replier import Suite
from tests.fixtures.stand_in import Asked, StandIn, Told, told

POSTS = "app.bsky.feed.post"


class Relay(StandIn):
    """Passes everything on to the real server, but for the faults a test asks for."""

    def __init__(self, server: str) -> None:
        super().__init__()
        self._server = server

    def handle(self, asked: Asked) -> Told:
        headers = {name: asked.headers[name] for name in ("authorization", "content-type") if name in asked.headers}
        answer = httpx2.request(
            asked.method,
            self._server + asked.path,
            params={name: values[0] for name, values in asked.query.items()},
            content=asked.body,
            headers=headers,
            timeout=10,
        )
        return Told(answer.status_code, answer.content, {"Content-Type": "application/json"})

    def keys(self) -> list[str]:
        """The record keys asked for, in order."""
        return [one.json["rkey"] for one in self.asked if one.path.endswith("putRecord")]


class Account:
    """An account on the server."""

    def __init__(self, server: str, handle: str) -> None:
        self.server, self.handle = server, handle
        body = {"handle": handle, "email": f"{handle}@example.com", "password": "pw-loopback"}
        session = self.call("com.atproto.server.createAccount", body)
        self.did, self._token = session["did"], session["accessJwt"]

    def call(self, method: str, body: dict[str, Any], token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = httpx2.post(f"{self.server}/xrpc/{method}", json=body, headers=headers, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def app_password(self) -> str:
        return str(self.call("com.atproto.server.createAppPassword", {"name": "harken"}, self._token)["password"])

    def post(self, text: str) -> Mention:
        record = {"$type": POSTS, "text": text, "createdAt": "2026-01-05T09:00:00.000Z"}
        body = {"repo": self.did, "collection": POSTS, "record": record}
        made = self.call("com.atproto.repo.createRecord", body, self._token)
        return question(made["uri"], made["cid"])

    def posts(self) -> dict[str, dict[str, Any]]:
        """Its records by uri."""
        query = {"repo": self.did, "collection": POSTS, "limit": 100}
        answer = httpx2.get(f"{self.server}/xrpc/com.atproto.repo.listRecords", params=query, timeout=10)
        return {one["uri"]: one["value"] for one in answer.json()["records"]}


@pytest.fixture(scope="module")
def ana() -> Iterator[Account]:
    """The customer, on a server that is there for this file."""
    try:
        deploy.fetch()
    except deploy.PdsError as error:
        pytest.skip(f"no PDS can be had here: {error}")
    with deploy.Pds() as server:
        yield Account(server.url, "ana.test")


@pytest.fixture
def brand(ana: Account) -> Account:
    """An account of this test's own, so that no other has used its keys."""
    return Account(ana.server, f"care-{uuid4().hex[:8]}.test")


@pytest.fixture
def relay(ana: Account) -> Iterator[Relay]:
    with Relay(ana.server).running() as relay:
        yield relay


@pytest.fixture(name="suite")
def suite_of_the_server(ana: Account, brand: Account, relay: Relay) -> Suite:
    asked = ana.post("Where is my parcel?")

    def replies() -> list[Given]:
        keys, posts = relay.keys(), brand.posts()
        ours = sorted(posts, key=lambda uri: keys.index(uri[-13:]))
        return [Given(uri, posts[uri]["text"], alts(posts[uri])) for uri in ours]

    clock = ManualClock()
    return Suite("bluesky", over(relay, brand.handle, brand.app_password(), asked, replies, clock), clock)


def test_it_hangs_on_its_parent_and_its_root(suite: Suite, brand: Account) -> None:
    refs = suite.stand.mention.reply_ref
    post = {"uri": refs["uri"], "cid": refs["cid"]}
    id = suite.reply()
    assert brand.posts()[id]["reply"] == {"root": post, "parent": post}


def test_links_and_handles_are_marked_as_the_lexicon_asks(suite: Suite, ana: Account, brand: Account) -> None:
    id = suite.reply("Désolé 😀 @ana.test, see https://acme.example/returns.")
    facets = brand.posts()[id]["facets"]
    text = brand.posts()[id]["text"].encode()
    marked = [text[one["index"]["byteStart"] : one["index"]["byteEnd"]] for one in facets]
    assert marked == [b"@ana.test", b"https://acme.example/returns"]
    assert facets[0]["features"][0]["did"] == ana.did
    assert facets[1]["features"][0]["uri"] == "https://acme.example/returns"


def test_a_text_over_the_limit_is_refused_in_the_servers_words(suite: Suite) -> None:
    with pytest.raises(ReplyRefused, match="300"):
        suite.reply("a" * 301)
    assert suite.stand.replies() == []


def test_a_like_is_one_however_often(suite: Suite, brand: Account) -> None:
    replier = cast(Actor, suite.replier)
    id = replier.act("like", suite.stand.mention, "", "key-1")
    assert cast(Actor, suite.build()).act("like", suite.stand.mention, "", "key-2") == id
    query = {"repo": brand.did, "collection": "app.bsky.feed.like"}
    records = httpx2.get(f"{brand.server}/xrpc/com.atproto.repo.listRecords", params=query, timeout=10).json()[
        "records"
    ]
    assert [(one["uri"], one["value"]["subject"]["uri"]) for one in records] == [(id, suite.stand.mention.native_id)]


def test_a_session_that_ran_out_is_renewed(suite: Suite, relay: Relay) -> None:
    suite.reply("First", "key-1")
    relay.fail("putRecord", told(400, {"error": "ExpiredToken", "message": "Token has expired"}))
    suite.reply("Second", "key-2")
    assert [one.path for one in relay.asked if one.path.endswith("refreshSession")]
    assert [given.text for given in suite.stand.replies()] == ["First", "Second"]


def test_a_wrong_password_is_refused_in_the_servers_words(suite: Suite) -> None:
    config = cast(Config, suite.stand.config)
    assert config.reply is not None
    reply = config.reply.model_copy(update={"password": SecretStr("wrong")})
    suite.replier = suite.build(config.model_copy(update={"reply": reply}))
    with pytest.raises(ReplyRefused, match="Invalid identifier or password"):
        suite.reply()
