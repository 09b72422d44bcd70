"""Answers on Bluesky against a real PDS: the repliers' whole suite, and what only the real one can tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import httpx2
import pytest
from pydantic import SecretStr

from connectors.bluesky import Config
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused
from pipeline.ports import Actor
from tests.contract.repliers import Given
from tests.contract.repliers.bluesky import alts, over, question
from tests.contract.test_replier import *  # noqa: F403  # every test of the suite, with the fixture below
from tests.contract.test_replier import Suite
from tests.fixtures.bluesky_network import Account, Bluesky
from tests.fixtures.stand_in import Asked, StandIn, Told, told


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


@pytest.fixture(scope="module")
def ana(bluesky_network: Bluesky) -> Account:
    """The customer."""
    return bluesky_network.account("ana")


@pytest.fixture
def brand(bluesky_network: Bluesky) -> Account:
    """An account of this test's own, so that no other has used its keys."""
    return bluesky_network.account("care")


@pytest.fixture
def relay(ana: Account) -> Iterator[Relay]:
    with Relay(ana.server).running() as relay:
        yield relay


@pytest.fixture(name="suite")
def suite_of_the_server(ana: Account, brand: Account, relay: Relay) -> Suite:
    asked = question(**ana.post("Where is my parcel?"))

    def replies() -> list[Given]:
        keys, posts = relay.keys(), brand.records()
        ours = sorted(posts, key=lambda uri: keys.index(uri[-13:]))
        return [Given(uri, posts[uri]["text"], alts(posts[uri])) for uri in ours]

    clock = ManualClock()
    return Suite("bluesky", over(relay, brand.handle, brand.app_password(), asked, replies, clock), clock)


def test_it_hangs_on_its_parent_and_its_root(suite: Suite, brand: Account) -> None:
    refs = suite.stand.mention.reply_ref
    post = {"uri": refs["uri"], "cid": refs["cid"]}
    id = suite.reply()
    assert brand.records()[id]["reply"] == {"root": post, "parent": post}


def test_links_and_handles_are_marked_as_the_lexicon_asks(suite: Suite, ana: Account, brand: Account) -> None:
    id = suite.reply(f"Désolé 😀 @{ana.handle}, see https://acme.example/returns.")
    facets = brand.records()[id]["facets"]
    text = brand.records()[id]["text"].encode()
    marked = [text[one["index"]["byteStart"] : one["index"]["byteEnd"]] for one in facets]
    assert marked == [f"@{ana.handle}".encode(), b"https://acme.example/returns"]
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
    likes = brand.records("app.bsky.feed.like")
    assert {uri: one["subject"]["uri"] for uri, one in likes.items()} == {id: suite.stand.mention.native_id}


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
