"""X's own local playground, which says some things otherwise than X: what the connector makes of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr

from connectors._x_account import Reply
from connectors.x import Config, Connector, Rechecker, Replier
from pipeline.clock import SystemClock
from pipeline.errors import ReplyRefused
from pipeline.mention import Author, Mention, Removal
from pipeline.ports import Brand, Context, Page
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told
from tests.fixtures.x_playground import Playground

BRANDS = (Brand("acme", terms=("acme",), handles=("acmecare",)),)
PATIENCE = 20.0


@pytest.fixture
def playground() -> Iterator[Playground]:
    with Playground().running() as playground:
        yield playground


def config(playground: Playground, **settings: Any) -> Config:
    secret = SecretStr("any")
    reply = Reply(
        handle="playground_user",
        consumer_key=secret,
        consumer_secret=secret,
        access_token=SecretStr("0-any"),
        access_token_secret=secret,
        tier="enterprise",
    )
    return Config(bearer_token=SecretStr("test_token"), api_base=playground.url, reply=reply, **settings)


def context() -> Context:
    return Context("x", BRANDS, SystemClock())


class Stream:
    """What the connector hears."""

    def __init__(self, pages: Iterator[Page]) -> None:
        self._pages = pages
        self.items: list[Any] = []

    def until(self, count: int) -> None:
        """Pages until there are so many items, and with 0 until it is connected."""
        end = time.monotonic() + PATIENCE
        while True:
            self.items += next(self._pages).items
            if len(self.items) >= count:
                return
            assert time.monotonic() < end


@pytest.fixture
def stream(playground: Playground) -> Iterator[Stream]:
    connector = Connector(config(playground, batch_secs=0.05), context())
    with closing(cast(Any, connector.pages(None))) as pages:
        yield Stream(pages)


def test_server_sent_events_are_read_as_lines(playground: Playground, stream: Stream) -> None:
    while not playground.streams:
        stream.until(0)
    ids = [playground.post("acme lost my parcel"), playground.post("acme is great")]
    stream.until(2)
    assert [(one.text, one.id, one.author.id) for one in stream.items] == [
        ("acme lost my parcel", f"x:{ids[0]}", "0"),
        ("acme is great", f"x:{ids[1]}", "0"),
    ]
    assert datetime.now(UTC) - stream.items[0].created_at < timedelta(minutes=1)


def test_rules_of_a_dry_run_that_were_kept_are_no_fault(playground: Playground, stream: Stream) -> None:
    while not playground.streams:
        stream.until(0)
    assert [(rule["value"], rule["tag"]) for rule in playground.rules] == [('("acme" OR @acmecare)', "harken:acme:1")]


def test_an_answer_goes_out_whatever_can_be_expanded(playground: Playground) -> None:
    id = playground.post("acme lost my parcel")
    said = mention(f"x:{id}", author=Author(id="0"), reply_ref={"id": id})
    sent = Replier(config(playground), context()).reply(said, "Which parcel was it?", "key-1")
    assert playground.posts[sent]["text"] == "Which parcel was it?"
    assert playground.given == [{"text": "Which parcel was it?", "reply": {"in_reply_to_tweet_id": id}}]


def test_a_refusal_says_what_x_says_of_single_parameters(playground: Playground) -> None:
    problem = {"parameters": {"reply.in_reply_to_tweet_id": ["1"]}, "message": "Your reply tweet ID is invalid."}
    said = {"title": "Invalid Request", "detail": "One or more parameters to your request was invalid."}
    playground.fail("/2/tweets", told(400, said | {"errors": [problem]}))
    with pytest.raises(ReplyRefused, match=r"was invalid\.; Your reply tweet ID is invalid\."):
        Replier(config(playground), context()).reply(mention("x:1", reply_ref={"id": "1"}), "Hello", "key-1")


def test_a_message_is_sent_once_though_its_list_is_not_counted(playground: Playground) -> None:
    replier = Replier(config(playground), context())
    said = mention("x:1", author=Author(id="7"), reply_ref={"id": "1"})
    assert [replier.act("message", said, "Your order number, please?", "key-1") for _ in range(2)] == ["90", "90"]
    assert len(playground.messages) == 1


def test_what_is_gone_is_found_though_the_list_is_silent_about_it(playground: Playground) -> None:
    ids = [playground.post("acme") for _ in range(3)]
    del playground.posts[ids[1]]
    later = datetime.now(UTC) + timedelta(seconds=1)
    stored = [mention(f"x:{id}", created_at=later) for id in ids]
    (gone,) = Rechecker(config(playground), context()).recheck(stored)
    assert isinstance(gone, Removal)
    assert (gone.mention, gone.reason) == (f"x:{ids[1]}", "deleted")


def test_posts_are_looked_up_by_the_names_that_bring_author_and_time(playground: Playground) -> None:
    id = playground.post("acme found my parcel")
    (anew,) = Rechecker(config(playground), context()).recheck([mention(f"x:{id}", text="acme lost it")])
    assert isinstance(anew, Mention)
    assert (anew.text, anew.author.id) == ("acme found my parcel", "0")
    assert datetime.now(UTC) - anew.created_at < timedelta(minutes=1)
