"""Answering on X: finding our own answer again, and X's own words. What every replier promises is in tests/contract."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors._x_account import Reply
from connectors.x import Config, Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Author, Kind, Media, Mention
from pipeline.ports import Context
from tests.contract.repliers.x import account
from tests.fixtures.pictures import GIF, PNG, Gallery
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


@pytest.mark.parametrize(
    ("status", "body"), [(503, b"{}"), (200, b"{}"), (200, b'{"meta":{"result_count":1},"data":7}')]
)
def test_it_is_not_posted_when_nobody_can_say_whether_it_was(
    x_server: XServer, replier: Replier, status: int, body: bytes
) -> None:
    x_server.refuse("own", status, body)
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
    ("changes", "may"),
    [
        ({"reply_ref": {"id": ASKED, "mentions": "ben acmecare"}}, True),
        ({"reply_ref": {"id": ASKED, "mentions": "22"}}, True),
        ({"reply_ref": {"id": ASKED, "mentions": "ben"}}, False),
        ({"reply_ref": {"id": ASKED, "mentions": ""}}, False),
        ({"reply_ref": {"id": ASKED}}, True),
        ({"reply_ref": {"id": ASKED, "mentions": ""}, "kind": Kind.QUOTE}, True),
        ({"reply_ref": {"id": ASKED, "mentions": "ben", "quoted": "11"}, "kind": Kind.QUOTE}, False),
    ],
)
def test_only_who_summoned_the_account_is_answered_unless_the_contract_says_so(
    x_server: XServer, replier: Replier, clock: ManualClock, changes: dict[str, Any], may: bool
) -> None:
    asked = mention(f"x:{ASKED}", **changes)
    assert (replier.eligible(asked) is None) is may
    if not may:
        assert "mention or quote" in str(replier.eligible(asked))
    enterprise = account().model_copy(update={"tier": "enterprise"})
    config = Config(bearer_token=SecretStr(TOKEN), api_base=x_server.url, reply=enterprise)
    assert Replier(config, Context("x", (), clock)).eligible(asked) is None


def test_pictures_go_up_before_the_answer_and_not_again_when_it_is_there(x_server: XServer, replier: Replier) -> None:
    with Gallery().running() as gallery:
        media = [Media(url=gallery.hang_up("/1", PNG), alt="One"), Media(url=gallery.hang_up("/2", GIF))]
        id = replier.reply(question(), "Look", "key-1", media)
        assert x_server.shown == {id: ("One", "")}
        x_server.requests.clear()
        assert replier.reply(question(), "Look", "key-1", media) == id
    assert x_server.paths("POST") == []


def test_a_picture_that_x_refuses_is_told_in_its_words(x_server: XServer, replier: Replier) -> None:
    x_server.refuse("/2/media/upload", 400, b'{"title":"Invalid Request","detail":"media type unrecognized."}')
    with Gallery().running() as gallery, pytest.raises(ReplyRefused, match="media type unrecognized"):
        replier.reply(question(), "Look", "key-1", [Media(url=gallery.hang_up("/1", PNG))])
    assert x_server.told == {}


def test_a_like_and_a_hidden_reply_are_what_they_are_however_often(x_server: XServer, replier: Replier) -> None:
    reply = mention(f"x:{ASKED}", kind=Kind.REPLY, reply_ref={"id": ASKED, "to": "22"})
    for _ in range(2):
        assert replier.act("like", reply, "", "key-1") == ASKED
        assert replier.act("hide", reply, "", "key-2") == ASKED
    assert (set(x_server.liked), set(x_server.hidden)) == ({ASKED}, {ASKED})
    assert x_server.told == {}


def test_only_replies_in_our_own_threads_can_be_hidden(replier: Replier) -> None:
    root: dict[str, Any] = {"parent": "x:7", "conversation": "x:7", "kind": Kind.REPLY}
    assert "began" in str(replier.may("hide", question()))
    assert "began" in str(replier.may("hide", mention(f"x:{ASKED}", **root, reply_ref={"id": ASKED, "to": "11"})))
    assert replier.may("hide", mention(f"x:{ASKED}", **root, reply_ref={"id": ASKED, "to": "22"})) is None
    with pytest.raises(ReplyRefused, match="began"):
        replier.act("hide", question(), "", "key-1")


def test_a_message_reaches_the_author_once(x_server: XServer, replier: Replier) -> None:
    asked = mention(f"x:{ASKED}", author=Author(id="11"), reply_ref={"id": ASKED})
    id = replier.act("message", asked, "Your order number, please?", "key-1")
    assert replier.act("message", asked, "Your order number, please?", "key-1") == id
    assert replier.act("message", asked, "Thank you!", "key-2") != id
    assert [(one["to"], one["text"]) for one in x_server.messages] == [
        ("11", "Your order number, please?"),
        ("11", "Thank you!"),
    ]
    assert replier.may("message", question()) == "The id of the author is not known."


def test_who_takes_no_messages_is_left_alone_in_x_s_words(x_server: XServer, replier: Replier) -> None:
    words = b'{"title":"Forbidden","detail":"You cannot send messages to this user."}'
    x_server.refuse("/2/dm_conversations/with/11/messages", 403, words)
    asked = mention(f"x:{ASKED}", author=Author(id="11"), reply_ref={"id": ASKED})
    with pytest.raises(ReplyRefused, match="cannot send messages to this user"):
        replier.act("message", asked, "Hello", "key-1")


@pytest.mark.parametrize(
    "wrong", [{"handle": "acme care"}, {"consumer_key": "in-the-file"}, {"access_token": SecretStr("no-user-id")}]
)
def test_a_wrong_account_is_told_before_it_is_used(wrong: dict[str, object]) -> None:
    right = dict(account())
    assert Reply.model_validate(right)
    with pytest.raises(ValidationError) as refusal:
        Reply.model_validate(right | wrong)
    assert "no-user-id" not in refusal.value.errors()[0]["msg"]
