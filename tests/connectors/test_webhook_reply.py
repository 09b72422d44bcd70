"""Answers pushed over HTTP: the request, redirects, and bad answers. The promises of all are in tests/contract."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import SecretStr, ValidationError

from connectors._webhook_reply import Reply
from connectors.webhook import Config, Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.ports import Context
from tests.contract.repliers.webhook import SECRET, Shop
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Told, told

QUESTION = mention("shop:4711", via="shop")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop().running() as shop:
        yield shop


@pytest.fixture
def replier(shop: Shop) -> Replier:
    secret = SecretStr(SECRET)
    reply = Reply(url=SecretStr(f"{shop.url}/answers"), secret=secret)
    return Replier(Config(secret=secret, source="shop", reply=reply), Context("shop", (), ManualClock()))


def test_the_request_says_what_is_answered_and_with_which_words(shop: Shop, replier: Replier) -> None:
    assert replier.reply(QUESTION, "Hello", "key 1") == "answer-1"
    (asked,) = shop.asked
    assert (asked.method, asked.path) == ("POST", "/answers")
    assert asked.json == {
        "mention": "shop:4711",
        "native_id": "4711",
        "text": "Hello",
        "media": [],
        "key": "key 1",
    }
    assert asked.headers["idempotency-key"] == "key%201"


def test_a_redirect_is_not_followed(shop: Shop, replier: Replier) -> None:
    shop.fail("", told(307, {}, Location=f"{shop.url}/elsewhere"))
    with pytest.raises(SourceUnavailable, match="redirects are not followed"):
        replier.reply(QUESTION, "Hello", "key-1")
    assert [asked.path for asked in shop.asked] == ["/answers"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
def test_a_refusal_is_for_good(shop: Shop, replier: Replier, status: int) -> None:
    shop.fail("", Told(status, b"The question is closed."))
    with pytest.raises(ReplyRefused, match=r"127\.0\.0\.1 refuses the answer: The question is closed\."):
        replier.reply(QUESTION, "Hello", "key-1")


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503])
def test_other_statuses_are_for_later(shop: Shop, replier: Replier, status: int) -> None:
    shop.fail("", told(status, {}, Retry_After="30"))
    with pytest.raises(SourceUnavailable) as failure:
        replier.reply(QUESTION, "Hello", "key-1")
    assert (failure.value.trouble, failure.value.retry_after) == ("http", 30)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"id": ""}', b'{"id": true}', b'{"id": "a\\nb"}', json.dumps({"id": "x" * 501}).encode()],
)
def test_an_answer_without_an_id_is_asked_for_again(shop: Shop, replier: Replier, body: bytes) -> None:
    shop.fail("", Told(200, body))
    with pytest.raises(SourceUnavailable, match="without the reply's id"):
        replier.reply(QUESTION, "Hello", "key-1")
    assert replier.reply(QUESTION, "Hello", "key-1") == "answer-1"


def test_an_id_may_be_a_number(shop: Shop, replier: Replier) -> None:
    shop.fail("", Told(200, b'{"id": 42}'))
    assert replier.reply(QUESTION, "Hello", "key-1") == "42"


def test_an_endless_answer_is_cut_off(shop: Shop, replier: Replier) -> None:
    shop.fail("", Told(422, b"no" * 1_000_000))
    with pytest.raises(ReplyRefused) as refusal:
        replier.reply(QUESTION, "Hello", "key-1")
    assert len(refusal.value.reason) < 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "ftp://shop.example"},
        {"url": "https://user:hidden-word@shop.example"},
        {"secret": "correct-horse-battery-staple"},
        {"secret": SecretStr("short")},
    ],
)
def test_a_wrong_address_is_told_before_it_is_used(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"url": "https://shop.example/answers", "secret": SecretStr(SECRET)}
    assert Reply.model_validate(right)
    with pytest.raises(ValidationError) as refusal:
        Reply.model_validate(right | wrong)
    assert "hidden-word" not in refusal.value.errors()[0]["msg"]
