"""Answering on X: finding our own answer again, and X's own words. What every replier promises is in tests/contract."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr, ValidationError

from connectors._x_reply import Reply
from connectors.x import Config, Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Mention
from pipeline.ports import Context
from tests.contract.repliers.x import account
from tests.fixtures.shapes import mention
from tests.fixtures.x_server import START, TOKEN, XServer, snowflake

ASKED = snowflake(START)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def replier(x_server: XServer, clock: ManualClock) -> Replier:
    config = Config(bearer_token=SecretStr(TOKEN), api_base=x_server.url, reply=account())
    return Replier(config, Context("x", (), clock))


def question(id: str = ASKED) -> Mention:
    return mention(f"x:{id}", reply_ref={"id": id})


def test_the_version_to_answer_is_the_one_that_was_read_last(x_server: XServer, replier: Replier) -> None:
    replier.reply(mention("x:1", reply_ref={"id": ASKED}), "Hello", "key-1")
    assert x_server.requests[-1][3] == {"text": "Hello", "reply": {"in_reply_to_tweet_id": ASKED}}


@pytest.mark.parametrize(
    ("posted", "text"),
    [
        ("@ana @ben See acme.example/returns", "See https://acme.example/returns"),
        ("@ana A &amp; B &lt;3", "A & B <3"),
        ("@ana Caf\u00e9 au\nlait", "  Cafe\u0301 au\nlait "),
    ],
)
def test_an_answer_is_recognised_as_x_shows_it(x_server: XServer, replier: Replier, posted: str, text: str) -> None:
    x_server.own.append({"id": "9" * 19, "text": posted, "referenced_tweets": [{"type": "replied_to", "id": ASKED}]})
    assert replier.reply(question(), text, "key-1") == "9" * 19
    assert not x_server.told


def test_a_link_that_x_shortened_is_compared_by_where_it_leads(x_server: XServer, replier: Replier) -> None:
    urls = [{"url": "https://t.co/abc", "expanded_url": "https://acme.example/returns"}]
    post = {"id": "9" * 19, "text": "@ana See https://t.co/abc", "entities": {"urls": urls}}
    x_server.own.append(post | {"referenced_tweets": [{"type": "replied_to", "id": ASKED}]})
    assert replier.reply(question(), "See acme.example/returns", "key-1") == "9" * 19


def test_the_same_words_to_somebody_else_are_another_answer(x_server: XServer, replier: Replier) -> None:
    x_server.refuses_duplicates = False
    other = snowflake(START - timedelta(hours=1))
    assert replier.reply(question(other), "Sorry!", "key-1") != replier.reply(question(), "Sorry!", "key-2")
    assert len(x_server.own) == 2


def test_what_x_calls_a_duplicate_was_posted_if_it_is_found_then(x_server: XServer, replier: Replier) -> None:
    id = replier.reply(question(), "Sorry!", "key-1")
    x_server.requests.clear()
    x_server.refuse("own", 200, b'{"meta":{"result_count":0}}')  # not shown yet, when it is looked for first
    assert replier.reply(question(), "Sorry!", "key-1") == id
    assert len(x_server.own) == 1
    assert x_server.paths("POST") == ["/2/tweets"]


def test_what_x_calls_a_duplicate_and_nobody_finds_is_refused_in_its_words(x_server: XServer, replier: Replier) -> None:
    replier.reply(question(snowflake(START - timedelta(hours=1))), "Sorry!", "key-1")
    with pytest.raises(ReplyRefused, match="duplicate content"):
        replier.reply(question(), "Sorry!", "key-2")


def test_it_is_not_posted_when_nobody_can_say_whether_it_was(x_server: XServer, replier: Replier) -> None:
    x_server.refuse("own", 503)
    with pytest.raises(SourceUnavailable):
        replier.reply(question(), "Sorry!", "key-1")
    assert x_server.paths("POST") == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "refuses the answer"),
        (401, "does not accept this account's tokens"),
        (403, "X refuses"),
        (404, "X refuses"),
    ],
)
def test_what_x_will_never_take_is_refused(x_server: XServer, replier: Replier, status: int, reason: str) -> None:
    x_server.refuse("post", status, b'{"title":"T","errors":[{"message":"The author did not mention you."}]}')
    with pytest.raises(ReplyRefused, match=reason) as refusal:
        replier.reply(question(), "Hello", "key-1")
    assert "The author did not mention you." in refusal.value.reason


@pytest.mark.parametrize("status", [302, 402, 500, 503])
def test_what_may_pass_is_for_later(x_server: XServer, replier: Replier, status: int) -> None:
    x_server.refuse("post", status, location="https://elsewhere.example/")
    with pytest.raises(SourceUnavailable) as failure:
        replier.reply(question(), "Hello", "key-1")
    assert failure.value.trouble == "http"


def test_a_days_limit_is_waited_for_when_it_is_the_one_that_is_spent(
    x_server: XServer, replier: Replier, clock: ManualClock
) -> None:
    now = round(clock.now().timestamp())
    x_server.refuse(
        "post",
        429,
        x_rate_limit_remaining="17",
        x_rate_limit_reset=str(now + 60),
        x_user_limit_24hour_remaining="0",
        x_user_limit_24hour_reset=str(now + 7_200),
    )
    with pytest.raises(SourceUnavailable) as failure:
        replier.reply(question(), "Hello", "key-1")
    assert failure.value.trouble == "rate_limited"
    assert failure.value.retry_after == pytest.approx(7_200, abs=2)


def test_an_answer_that_is_no_json_is_for_later(x_server: XServer, replier: Replier) -> None:
    x_server.refuse("post", 200, b"<html>")
    with pytest.raises(SourceUnavailable, match="JSON"):
        replier.reply(question(), "Hello", "key-1")


@pytest.mark.parametrize(
    "wrong", [{"handle": "acme care"}, {"consumer_key": "in-the-file"}, {"access_token": SecretStr("no-user-id")}]
)
def test_a_wrong_account_is_told_before_it_is_used(wrong: dict[str, object]) -> None:
    right = dict(account())
    assert Reply.model_validate(right)
    with pytest.raises(ValidationError) as refusal:
        Reply.model_validate(right | wrong)
    assert "no-user-id" not in refusal.value.errors()[0]["msg"]
