"""Answers on Mastodon: whom they address, in which visibility, from which server, and what else an account can do.
The promises of all are in tests/contract."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from pydantic import ValidationError

from connectors._mastodon_reply import Reply
from connectors.mastodon import Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Author, Media, Mention
from pipeline.ports import Context
from tests.contract.repliers.mastodon import config, question
from tests.fixtures.mastodon import ANA, Mastodon
from tests.fixtures.pictures import PNG, Gallery
from tests.fixtures.stand_in import told


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def town(clock: ManualClock) -> Iterator[Mastodon]:
    with Mastodon().running() as town:
        town.now = clock.now
        yield town


@pytest.fixture
def replier(town: Mastodon, clock: ManualClock) -> Replier:
    return Replier(config(town.url), Context("toots", (), clock))


def seen_elsewhere(asked: Mention, **changes: str) -> Mention:
    """The same post, seen on a server where nobody of ours can answer."""
    refs = asked.reply_ref | {"server": "https://other.example", "id": "77", "acct": "ana"} | changes
    return msgspec.structs.replace(asked, reply_ref=refs, author=Author(id=ANA, handle=ANA))


def answer(town: Mastodon) -> dict[str, object]:
    return town.statuses[list(town.statuses)[-1]]


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_an_answer_is_seen_by_those_who_saw_the_question(town: Mastodon, replier: Replier, visibility: str) -> None:
    replier.reply(question(town, visibility), "We are on it", "key-1")
    assert answer(town)["visibility"] == visibility


def test_its_author_is_addressed_once(town: Mastodon, replier: Replier) -> None:
    asked = question(town)
    for number, (text, sent) in enumerate(
        [
            ("We are on it", f"@{ANA} We are on it"),
            (f"Thank you @{ANA.upper()}!", f"Thank you @{ANA.upper()}!"),
            (f"Not @{ANA}.org", f"@{ANA} Not @{ANA}.org"),
        ]
    ):
        replier.reply(asked, text, f"key-{number}")
        assert list(town.sources.values())[-1] == sent


def test_a_post_seen_on_another_server_is_answered_from_the_accounts_own(town: Mastodon, replier: Replier) -> None:
    asked = question(town)
    replier.reply(seen_elsewhere(asked), "We are on it", "key-1")
    assert answer(town)["in_reply_to_id"] == asked.reply_ref["id"]
    assert list(town.sources.values()) == [f"@{ANA} We are on it"]
    town.statuses.clear()
    with pytest.raises(ReplyRefused, match="cannot find the post"):
        replier.reply(seen_elsewhere(asked), "We are on it", "key-2")


def test_what_was_said_in_private_on_another_server_is_not_for_us(town: Mastodon, replier: Replier) -> None:
    asked = seen_elsewhere(question(town, "direct"))
    assert "https://other.example" in str(replier.eligible(asked))
    assert "only that one" in str(replier.may("message", asked))


def test_an_hour_later_the_answer_is_looked_for_and_found(town: Mastodon, replier: Replier, clock: ManualClock) -> None:
    asked = question(town)
    first = replier.reply(asked, "We are on it", "key-1")
    clock.advance(120)
    second = replier.reply(asked, "We are on it", "key-2")
    assert second != first, "an answer of its own, though with the same words"
    clock.advance(2 * 3_600)
    assert replier.reply(asked, "We are on it", "key-1") in (first, second)
    assert len(town.sources) == 2


def test_a_picture_is_waited_for_until_it_is_ready(town: Mastodon, replier: Replier, clock: ManualClock) -> None:
    with Gallery().running() as gallery:
        media = [Media(url=gallery.hang_up("/a.png", PNG), alt="A label")]
        for _ in range(3):
            town.fail("/api/v1/media/1", told(206, {"id": "1"}))
        replier.reply(question(town), "Look", "key-1", media)
        assert answer(town)["media_attachments"] == [{"id": "1", "description": "A label", "url": "https://x/"}]
        assert clock.waits == [1, 1, 1, 1]
        for _ in range(30):
            town.fail("/api/v1/media/2", told(206, {"id": "2"}))
        with pytest.raises(SourceUnavailable, match="not done with the picture"):
            replier.reply(question(town), "Look", "key-2", media)
        town.fail("/api/v2/media", told(422, {"error": "File is broken"}))
        with pytest.raises(ReplyRefused, match="refuses the picture: File is broken"):
            replier.reply(question(town), "Look", "key-3", media)


def test_a_description_over_the_servers_limit_is_refused(town: Mastodon, replier: Replier) -> None:
    with pytest.raises(ReplyRefused, match="1,500"):
        replier.reply(question(town), "Look", "key-1", [Media(url="https://acme.example/a.png", alt="a" * 1_501)])


def test_it_likes_and_writes_in_private_and_cannot_hide(town: Mastodon, replier: Replier) -> None:
    asked = question(town)
    assert replier.act("like", asked, "", "key-1") == replier.act("like", asked, "", "key-1") == asked.native_id
    assert town.statuses[asked.reply_ref["id"]]["favourited"]
    sent = replier.act("message", asked, "Your address, please", "key-2")
    assert replier.act("message", asked, "Your address, please", "key-2") == sent
    assert answer(town)["uri"] == sent
    assert answer(town)["visibility"] == "direct"
    assert "hide" not in replier.actions
    assert replier.may("hide", asked)
    with pytest.raises(ReplyRefused):
        replier.act("hide", asked, "", "key-3")


def test_a_post_that_is_gone_is_refused_in_the_servers_words(town: Mastodon, replier: Replier) -> None:
    asked = question(town)
    town.delete(asked.reply_ref["id"])
    with pytest.raises(ReplyRefused, match="Record not found"):
        replier.reply(asked, "We are on it", "key-1")


def test_settings_that_cannot_be_meant_are_refused() -> None:
    for wrong in (
        {"server": "http://town.example"},
        {"server": "https://town.example/api"},
        {"access_token": "two words"},
    ):
        with pytest.raises(ValidationError) as refused:
            Reply.model_validate({"server": "https://town.example", "access_token": "t"} | wrong)
        assert "two words" not in str(refused.value.errors(include_input=False))
