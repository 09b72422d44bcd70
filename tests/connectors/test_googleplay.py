"""Looking at reviews of Google Play, answering them, and what became of them; what every connector promises is in
tests/contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from connectors.googleplay import Config, Connector, Rechecker, Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Kind, Mention, Removal
from pipeline.ports import Context, Gap, Page, Rejection
from tests.contract.repliers.googleplay import asked, settings
from tests.fixtures.googleplay import APP, PRIVATE, START, Play, key_file, problem, review, when
from tests.fixtures.stand_in import Told, told


@pytest.fixture
def play() -> Iterator[Play]:
    with Play().running() as server:
        yield server


class Reading:
    """A connector on a clock moved by hand; `looks` looks so often, from the saved cursor on."""

    def __init__(self, play: Play, **changes: Any) -> None:
        self.play = play
        self.clock = ManualClock(START)
        self.config = settings(play.url).model_copy(update=changes)
        self.cursor: str | None = None
        self.connector = Connector(self.config, Context("reviews", (), self.clock))

    def later(self, seconds: float) -> None:
        """Let so much time pass, here and there."""
        self.clock.advance(seconds)
        self.play.now = self.clock.now()

    def looks(self, number: int = 1) -> list[Page]:
        pages: list[Page] = []
        with closing(cast(Any, self.connector.pages(self.cursor))) as run:
            for page in run:
                pages.append(page)
                self.cursor = page.cursor or self.cursor
                number -= page.cursor is not None
                if not number:
                    break
        return pages


def mentions(pages: list[Page]) -> list[Mention]:
    return [item for page in pages for item in page.items if isinstance(item, Mention)]


def named(pages: list[Page]) -> list[str]:
    return [mention.native_id.removeprefix(f"{APP}/") for mention in mentions(pages)]


def gaps(pages: list[Page]) -> list[Gap]:
    return [gap for page in pages for gap in page.gaps]


def test_a_review_is_told_with_its_stars_and_the_answer_it_has(play: Play) -> None:
    play.reviews[APP] = [review("gp:a1", "Lost\tIt loses parcels", stars=2, age=60)]
    play.reviews[APP][0]["comments"].append({"developerComment": {"text": "Sorry", "lastModified": when(START)}})
    one, answer = mentions(Reading(play).looks())
    assert (one.kind, one.title, one.text, one.rating) == (Kind.REVIEW, "Lost", "It loses parcels", 0.4)
    assert (one.author.id, one.author.name, one.lang) == (f"of-{APP}/gp:a1", "Ana", None), "a device's is no text's"
    assert (one.created_at, one.metrics.likes) == (START - timedelta(seconds=60), 3)
    assert one.reply_ref == {"app": APP, "review": "gp:a1", "language": "en_GB"}
    assert (answer.native_id, answer.parent, answer.own) == (f"{APP}/gp:a1/reply", one.id, True)


def test_a_translated_review_is_told_in_its_own_words(play: Play) -> None:
    play.reviews[APP] = [review("a1", "It is good", originalText="Es ist gut"), review("a2", "\tNo title")]
    assert [one.text for one in mentions(Reading(play).looks())] == ["No title", "Es ist gut"]


def test_an_edited_review_keeps_its_time_and_tells_when_it_was_changed(play: Play) -> None:
    play.reviews[APP] = [review("a1", age=600), review("a2", age=500)]
    reading = Reading(play, poll_secs=60)
    with closing(cast(Any, reading.connector.pages(None))) as run:
        assert len(next(run).items) == 2
        play.reviews[APP][0] = review("a1", "It came", stars=5, age=-30)
        (edited,) = mentions([next(page for page in run if page.cursor)])
    assert (edited.text, edited.rating) == ("It came", 1.0)
    assert edited.created_at == START - timedelta(seconds=600)
    assert edited.edited_at == START + timedelta(seconds=30)


def test_a_pause_of_days_is_read_back_and_of_more_than_a_week_is_a_gap(play: Play) -> None:
    play.reviews[APP] = [review("a1", age=60)]
    reading = Reading(play)
    reading.looks()
    reading.later(6 * 86_400)
    play.per_page = 10
    play.reviews[APP] += [review(f"b{number}", age=-3_600 * number) for number in range(1, 26)]
    pages = reading.looks()
    assert {f"b{number}" for number in range(1, 26)} <= set(named(pages))
    assert [gap.repaired for gap in gaps(pages)] == [True]
    before = reading.clock.now()
    reading.later(9 * 86_400)
    (gap,) = gaps(reading.looks())
    assert (gap.since, gap.until, gap.repaired) == (before, before + timedelta(days=2), False)


def test_a_first_start_takes_so_many_reviews(play: Play) -> None:
    play.reviews[APP] = [review(f"a{number}", age=number) for number in range(20)]
    assert named(Reading(play, backfill=3).looks()) == ["a2", "a1", "a0"]
    assert named(Reading(play, backfill=0).looks()) == []


def test_an_app_is_asked_150_times_an_hour_at_most(play: Play) -> None:
    reading = Reading(play, poll_secs=1)
    pages = reading.looks(151)
    assert reading.clock.monotonic() == pytest.approx(3_600, abs=2)
    used = [page.usage[0] for page in pages if page.usage]
    assert (used[149].unit, used[149].used, used[149].limit) == (f"{APP} requests an hour", 150, 200)


def test_a_token_is_used_until_shortly_before_its_end_and_renewed_when_taken_back(play: Play) -> None:
    reading = Reading(play, poll_secs=1_000)
    reading.looks(4)
    assert play.tokens == 1
    play.tokens += 1  # the one that was given is no longer taken
    reading.looks()
    assert play.tokens == 3
    reading.clock.advance(3_500)
    reading.looks()
    assert play.tokens == 4


@pytest.mark.parametrize(
    ("at", "answer", "trouble", "wait"),
    [
        ("/reviews", problem(500, "x"), "http", None),
        ("/reviews", problem(429, "x", Retry_After="41"), "rate_limited", 41),
        ("/reviews", problem(403, "x", reason="quotaExceeded"), "rate_limited", None),
        ("/reviews", Told(200, b"<html>"), "http", None),
        ("/reviews", told(200, {"reviews": {}}), "http", None),
        ("/token", told(503, {}), "http", None),
        ("/token", told(200, {"access_token": "two words\n"}), "http", None),
    ],
)
def test_a_fault_is_for_later(play: Play, at: str, answer: Told, trouble: str, wait: float | None) -> None:
    play.fail(at, answer)
    with pytest.raises(SourceUnavailable) as failure:
        Reading(play).looks()
    assert (failure.value.trouble, failure.value.retry_after) == (trouble, wait)


@pytest.mark.parametrize(
    ("at", "answer", "setting"),
    [
        ("/token", told(400, {"error": "invalid_grant", "error_description": "No such account."}), "service_account"),
        ("/reviews", problem(403, "The caller does not have permission"), "service_account"),
        ("/reviews", problem(404, "No application"), "apps"),
        ("/reviews", problem(302, ""), "api_base"),
    ],
)
def test_what_only_the_operator_can_mend_names_the_setting(play: Play, at: str, answer: Told, setting: str) -> None:
    play.fail(at, answer)
    with pytest.raises(SourceRefused, match=rf"sources\.reviews\.{setting}"):
        Reading(play).looks()


def test_what_cannot_be_read_is_kept(play: Play) -> None:
    nobody = {"reviewId": "b", "comments": [{"developerComment": {"text": "Hi", "lastModified": when(START)}}]}
    play.reviews[APP] = [review("a1"), nobody, review("c", stars=9), review("d", lastModified={"seconds": "1e999"})]
    play.fail("/reviews", told(200, {"reviews": play.reviews[APP]}))
    pages = Reading(play).looks()
    assert len([item for page in pages for item in page.items if isinstance(item, Rejection)]) == 3
    assert named(pages) == ["a1"]


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        json.dumps({"client_email": "a@b", "private_key": "no key"}),
        json.dumps({"private_key": PRIVATE}),
        json.dumps({"client_email": "a@b", "private_key": PRIVATE, "token_uri": "http://elsewhere.example/token"}),
    ],
)
def test_a_key_file_that_is_none_is_refused_and_not_shown(content: str) -> None:
    with pytest.raises(ValidationError, match="key file") as refusal:
        Config(service_account=SecretStr(content), apps=(APP,))
    assert content not in str(refusal.value)


# ----------------------------------------------------------------------------------------------------------- answering


def replier(play: Play) -> Replier:
    return Replier(settings(play.url), Context("reviews", (), ManualClock(START)))


def test_a_second_answer_takes_the_place_of_the_first_and_comes_back_as_our_own(play: Play) -> None:
    play.reviews[APP] = [review("gp:a1")]
    replier(play).reply(asked(), "First", "key-1")
    id = replier(play).reply(asked(), "Second", "key-2")
    _, answer = mentions(Reading(play).looks())
    assert (answer.text, answer.native_id, answer.own) == ("Second", id, True)


def test_an_answer_whose_tags_were_stripped_is_recognised(play: Play) -> None:
    play.reviews[APP] = [review("gp:a1")]
    replier(play).reply(asked(), "We are <b>sorry</b>", "key")
    replier(play).reply(asked(), "We are <b>sorry</b>", "key")
    assert play.sent == [("gp:a1", "We are <b>sorry</b>")]


def test_who_may_not_answer_hears_why(play: Play) -> None:
    play.reviews[APP] = [review("gp:a1")]
    play.fail(":reply", problem(403, "Enable the permission to reply to reviews"))
    with pytest.raises(ReplyRefused, match="Enable the permission"):
        replier(play).reply(asked(), "Sorry", "key")
    with pytest.raises(ReplyRefused, match="was not found"):
        replier(play).reply(asked("gp:a2"), "Sorry", "key")
    play.fail("/token", told(400, {"error": "invalid_grant"}))
    with pytest.raises(ReplyRefused, match="invalid_grant"):
        replier(play).reply(asked(), "Sorry", "key")


# ---------------------------------------------------------------------------------------------------------- rechecking


def recheck(play: Play, *mentions: Mention) -> list[Item]:
    clock = ManualClock(START)
    return list(Rechecker(settings(play.url), Context("reviews", (), clock)).recheck(mentions))


def test_what_became_of_reviews_is_asked_for_within_the_week(play: Play) -> None:
    play.reviews[APP] = [review("a1", "Acme lost my parcel"), review("a2", "It came", stars=5)]
    reworded, gone = recheck(play, asked("a1"), asked("a2"), asked("a3"), asked("a4", app="com.other.app"))
    assert isinstance(reworded, Mention)
    assert (reworded.text, reworded.rating, reworded.edited_at) == ("It came", 1.0, START)
    assert isinstance(gone, Removal)
    assert gone.mention == f"googleplay:{APP}/a3"
    old = asked("a3")
    assert recheck(play, Mention(**{**_fields(old), "created_at": START - timedelta(days=8)})) == []
    play.fail("/token", told(400, {"error": "invalid_grant"}))
    with pytest.raises(SourceRefused):
        recheck(play, asked("a1"))


def test_checking_leaves_the_hour_to_looking(play: Play) -> None:
    recheck(play, *(asked(f"a{number}") for number in range(60)))
    assert len([one for one in play.asked if "/reviews" in one.path]) == 50


def _fields(mention: Mention) -> dict[str, Any]:
    return {name: getattr(mention, name) for name in mention.__struct_fields__}


def test_the_key_file_of_a_real_account_is_taken() -> None:
    assert Config(service_account=SecretStr(key_file("https://oauth2.googleapis.com")), apps=(APP,)).apps == (APP,)


def test_an_app_that_can_no_longer_be_seen_withdraws_nothing(play: Play) -> None:
    play.reviews = {}
    assert recheck(play, asked("a1"), asked("a2")) == []
    assert len(play.asked) == 4, "a token, both reviews, and the app once"
