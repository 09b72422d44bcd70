"""Looking at reviews, being told of them, what became of them, and the one reply to each; what every connector promises
is in tests/contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr, ValidationError
from starlette.exceptions import HTTPException

from connectors._trustpilot_hooks import Webhook, take
from connectors._trustpilot_reviews import Shaper
from connectors.trustpilot import Config, Connector, Rechecker, Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Kind, Mention, Metrics, Removal
from pipeline.ports import Context, Gap, Page, Rejection
from tests.contract.repliers.trustpilot import asked, settings
from tests.fixtures.stand_in import Told, told
from tests.fixtures.trustpilot import EMAIL, HOOK, KEY, SECRET, START, UNIT, Trustpilot, name, pushed, review, when


@pytest.fixture
def trustpilot() -> Iterator[Trustpilot]:
    with Trustpilot().running() as server:
        yield server


class Reading:
    """A connector on a clock moved by hand; `looks` looks so often at the newest reviews, from the saved cursor on."""

    def __init__(self, server: Trustpilot, **changes: Any) -> None:
        self.clock = ManualClock(START)
        given = {"business_unit": UNIT, "api_key": SecretStr(KEY), "api_secret": SecretStr(SECRET)}
        self.config = Config(**(given | {"api_base": server.url} | changes))
        self.cursor: str | None = None
        self.again()

    def again(self) -> None:
        """As after a restart."""
        self.connector = Connector(self.config, Context("reviews", (), self.clock))

    def looks(self, number: int = 1) -> list[Page]:
        pages: list[Page] = []
        with closing(cast(Any, self.connector.pages(self.cursor))) as run:
            for page in run:
                pages.append(page)
                self.cursor = page.cursor or self.cursor
                number -= page.cursor is not None
                if not number:
                    next(run)  # the page is durable only when the generator goes on
                    break
        return pages


def mentions(pages: list[Page]) -> list[Mention]:
    return [item for page in pages for item in page.items if isinstance(item, Mention)]


def gaps(pages: list[Page]) -> list[Gap]:
    return [gap for page in pages for gap in page.gaps]


def listed(server: Trustpilot) -> int:
    return sum(asked.path.endswith("/reviews") for asked in server.asked)


def test_a_review_is_told_with_its_stars_its_title_and_its_language_and_without_an_address(
    trustpilot: Trustpilot,
) -> None:
    trustpilot.add(review(1, age=60, language="pt_BR", updatedAt=when(-30)))
    (found,) = mentions(Reading(trustpilot, brand="Acme").looks())
    assert (found.kind, found.rating, found.title, found.text) == (Kind.REVIEW, 0.4, "Late", "It came late")
    assert (found.lang, found.brand, found.metrics) == ("pt-BR", "Acme", Metrics(likes=3))
    assert (found.author.id, found.author.name) == (name(10**6 + 1), "Ana")
    assert (found.created_at, found.edited_at) == (START - timedelta(seconds=60), START - timedelta(seconds=30))
    assert found.url == f"https://www.trustpilot.com/reviews/{name(1)}"
    assert found.reply_ref == {"review": name(1), "unit": UNIT}
    assert EMAIL not in repr(found)
    assert "ORDER" not in repr(found)


def test_a_first_start_takes_so_many_reviews_and_no_more(trustpilot: Trustpilot) -> None:
    trustpilot.add(*(review(number, age=number) for number in range(1, 301)))
    assert len(mentions(Reading(trustpilot).looks())) == 100
    assert len(mentions(Reading(trustpilot, backfill=150).looks())) == 150
    assert mentions(Reading(trustpilot, backfill=0).looks()) == []


def test_a_second_look_passes_on_only_what_is_new_or_reworded(trustpilot: Trustpilot) -> None:
    trustpilot.add(review(1, age=600), review(2, age=500), review(3, age=400))
    reading = Reading(trustpilot)
    reading.looks()
    reading.clock.advance(600)
    trustpilot.add(review(1, "It came", age=600, updatedAt=when(60)), review(2, age=500, stars=5), review(4, age=-1))
    trustpilot.reviews[name(3)]["numberOfLikes"] = 9
    reworded, better, new = mentions(reading.looks())
    assert (reworded.text, reworded.edited_at) == ("It came", START + timedelta(seconds=60))
    assert better.rating == 1.0
    assert better.edited_at is not None
    assert new.native_id == name(4)
    assert mentions(reading.looks()) == []


def test_after_a_pause_the_reviews_are_read_back_to_what_was_known(trustpilot: Trustpilot) -> None:
    trustpilot.add(*(review(number, age=7_000 + number) for number in range(1, 150)))
    reading = Reading(trustpilot, backfill=0)
    reading.looks()
    trustpilot.add(*(review(number, age=-number) for number in range(200, 450)))
    reading.clock.advance(7_200)
    reading.again()
    before = listed(trustpilot)
    pages = reading.looks()
    assert {one.native_id for one in mentions(pages)} >= {name(number) for number in range(200, 450)}
    assert listed(trustpilot) - before == 4, "until the lookback of an hour is met"
    (gap,) = gaps(pages)
    assert gap.repaired
    assert gap.until - gap.since == pytest.approx(timedelta(hours=2), abs=timedelta(seconds=1))


def test_more_than_is_read_back_is_a_gap_that_stays(trustpilot: Trustpilot) -> None:
    trustpilot.add(review(1, age=60))
    reading = Reading(trustpilot)
    reading.looks()
    trustpilot.add(*(review(number, age=-number) for number in range(2, 2_100)))
    reading.clock.advance(3_000)
    pages = reading.looks()
    assert len(mentions(pages)) == 2_000
    (gap,) = gaps(pages)
    assert not gap.repaired
    assert (gap.since, gap.until) == (START - timedelta(seconds=60), START + timedelta(seconds=100))


def test_a_crash_in_the_middle_of_reading_back_loses_nothing(trustpilot: Trustpilot) -> None:
    trustpilot.add(*(review(number, age=number) for number in range(1, 151)))
    reading = Reading(trustpilot, backfill=200)
    with closing(cast(Any, reading.connector.pages(None))) as run:
        first = next(page for page in run if page.items)
    assert first.cursor is None
    assert len(mentions(reading.looks())) == 150


def test_one_token_is_used_until_it_ends_or_is_taken_back(trustpilot: Trustpilot) -> None:
    reading = Reading(trustpilot, poll_secs=60)
    reading.looks(3)
    assert trustpilot.tokens == 1
    trustpilot.expire()
    reading.looks()
    assert trustpilot.tokens == 3, "the one taken back, and a new one"
    reading.clock.advance(359_999 - 200)
    reading.looks()
    assert trustpilot.tokens == 4


def test_use_is_told_for_both_windows_and_a_full_one_is_waited_out(trustpilot: Trustpilot) -> None:
    reading = Reading(trustpilot, poll_secs=0.25)
    pages = reading.looks(1)
    assert [(one.unit, one.used, one.limit) for one in pages[-1].usage] == [
        ("requests in 5 minutes", 2, 833),
        ("requests an hour", 2, 10_000),
    ]
    reading.connector._api.pace.spent(833 - 30 - 2)
    since = reading.clock.monotonic()
    reading.looks(1)
    assert reading.clock.monotonic() - since > 290


@pytest.mark.parametrize(
    ("answer", "trouble", "wait", "first"),
    [
        (told(500, {"message": "oops"}), "http", None, 300),
        (told(429, {}, Retry_After="41"), "rate_limited", 41, 300),
        (Told(200, b"<html>"), "http", None, 300),
        (told(200, {"links": []}), "http", None, 300),
    ],
)
def test_a_fault_is_for_later(
    trustpilot: Trustpilot, answer: Told, trouble: str, wait: float | None, first: float
) -> None:
    trustpilot.fail("/reviews", answer)
    reading = Reading(trustpilot)
    with pytest.raises(SourceUnavailable) as failure:
        reading.looks()
    assert failure.value.trouble == trouble
    assert failure.value.retry_after == wait
    assert reading.connector.backoff[failure.value.trouble].delay(1) == first
    assert reading.connector.backoff["http"].delay(9) == 900, "Trustpilot: try again in 5 to 15 minutes"


def test_what_only_the_operator_can_mend_names_the_setting(trustpilot: Trustpilot) -> None:
    with pytest.raises(SourceRefused, match=r"sources\.reviews\.api_key") as refusal:
        Reading(trustpilot, api_secret=SecretStr("another")).looks()
    assert "Unknown apikey" in str(refusal.value)
    for status in (403, 404):
        trustpilot.fail("/reviews", told(status, {"message": "no"}))
        with pytest.raises(SourceRefused, match=r"sources\.reviews\.business_unit"):
            Reading(trustpilot).looks()


def test_a_token_that_is_none_is_a_fault(trustpilot: Trustpilot) -> None:
    trustpilot.fail("/accesstoken", told(200, {"access_token": "a\nb"}))
    with pytest.raises(SourceUnavailable):
        Reading(trustpilot).looks()


def test_settings_that_cannot_work_are_refused() -> None:
    secrets = {"api_key": SecretStr(KEY), "api_secret": SecretStr(SECRET)}
    with pytest.raises(ValidationError, match="nothing is heard"):
        Config.model_validate({"business_unit": UNIT, "poll_secs": 0} | secrets)
    with pytest.raises(ValidationError, match="stands in an address"):
        Webhook(secret=SecretStr("with a / and ? in it"))
    with pytest.raises(ValidationError, match="16 characters"):
        Webhook(secret=SecretStr("short"))


# ----------------------------------------------------------------------------------------------------------- webhooks


def taken(body: bytes) -> list[Item | Rejection]:
    return take(body, Shaper(UNIT, "reviews", "Acme"), START)


def test_events_are_mentions_and_removals() -> None:
    told = {key: value for key, value in review(1, age=60).items() if key not in ("updatedAt", "businessUnit")}
    told["consumer"] = {"id": name(9), "name": "Bob", "link": "https://api.trustpilot.com/v1/consumers/9"}
    new, changed, gone = taken(pushed(("created", told), ("updated", told), ("deleted", {"id": name(2)})))
    assert isinstance(new, Mention)
    assert isinstance(changed, Mention)
    assert isinstance(gone, Removal)
    assert (new.author.name, new.edited_at, new.brand) == ("Bob", None, "Acme")
    assert (changed.id, changed.edited_at) == (new.id, START)
    assert (gone.mention, gone.conversation) == (f"trustpilot:{name(2)}", f"trustpilot:{name(2)}")


def test_what_cannot_be_read_is_kept_and_what_is_not_ours_left() -> None:
    bad, worse = taken(pushed(("created", {"id": "x"}), ("deleted", {"id": "../x"}), ("replied", {})))
    assert isinstance(bad, Rejection)
    assert isinstance(worse, Rejection)
    assert json.loads(bad.payload) == {"id": "x"}
    for body in (b"", b"[]", b'{"events": 1}', b"[" * 9_999):
        with pytest.raises(HTTPException) as refusal:
            taken(body)
        assert refusal.value.status_code == 400
    with pytest.raises(HTTPException):
        taken(pushed(*[("replied", {})] * 501))


def test_only_the_secret_address_is_answered(trustpilot: Trustpilot) -> None:
    webhook = Webhook(port=0, secret=SecretStr(HOOK), durable_timeout_secs=0.2)
    reading = Reading(trustpilot, poll_secs=0, webhook=webhook)
    body = pushed(("created", review(1)))
    with closing(cast(Any, reading.connector.pages(None))) as run, httpx2.Client(trust_env=False) as client:
        next(run)

        def push(path: str, body: bytes) -> int:
            return client.post(f"http://127.0.0.1:{reading.connector.port}{path}", content=body, timeout=5).status_code

        assert push(f"/trustpilot/{HOOK}", body) == 503, "nobody has made it durable"
        assert push(f"/trustpilot/{HOOK}", pushed()) == 200
        assert push("/trustpilot/another-secret-altogether", body) == 404
        assert push("/trustpilot/%FF%C3%A9", body) == 404
        assert push("/trustpilot", body) == 404
        assert push(f"/trustpilot/{HOOK}", b"x" * 2_000_001) == 413
    assert trustpilot.asked == []


# ---------------------------------------------------------------------------------------------------------- rechecking


def recheck(server: Trustpilot, *mentions: Mention) -> list[Item]:
    rechecker = Rechecker(Reading(server).config, Context("reviews", (), ManualClock(START)))
    return list(rechecker.recheck(mentions))


def test_asking_takes_a_quarter_of_what_the_plan_allows(trustpilot: Trustpilot) -> None:
    config = Reading(trustpilot).config
    for calls in (config.calls_a_year, 10_000_000):
        context = Context("reviews", (), ManualClock(START))
        rechecker = Rechecker(config.model_copy(update={"calls_a_year": calls}), context)
        assert rechecker.per_hour * 24 * 365.25 == pytest.approx(calls / 4)
    assert config.calls_a_year == 200_000, "the smallest plan"


def test_what_became_of_reviews_is_asked_for(trustpilot: Trustpilot) -> None:
    reading = Reading(trustpilot)
    trustpilot.add(*(review(number, age=60) for number in range(1, 6)))
    one, two, three, four, five = sorted(mentions(reading.looks()), key=lambda found: found.id)
    trustpilot.add(review(2, "It came", age=60, updatedAt=when(-5)), review(3, age=60, stars=5), review(5, stars="?"))
    del trustpilot.reviews[name(4)]
    reworded, better, gone = recheck(trustpilot, one, two, three, four, five)
    assert isinstance(reworded, Mention)
    assert isinstance(better, Mention)
    assert isinstance(gone, Removal)
    assert (reworded.text, reworded.edited_at) == ("It came", START - timedelta(seconds=5))
    assert (better.id, better.rating, better.edited_at) == (three.id, 1.0, START)
    assert gone.mention == four.id


def test_what_cannot_be_told_is_left_out(trustpilot: Trustpilot) -> None:
    trustpilot.add(review(1))
    trustpilot.fail(f"/reviews/{name(1)}", told(403, {}))
    assert recheck(trustpilot, asked(1)) == []
    trustpilot.fail(f"/reviews/{name(1)}", told(500, {}))
    with pytest.raises(SourceUnavailable):
        recheck(trustpilot, asked(1))


# ----------------------------------------------------------------------------------------------------------- answering


def answering(server: Trustpilot, *, replace: bool = False) -> Replier:
    return Replier(settings(server.url, replace=replace), Context("reviews", (), ManualClock(START)))


def test_an_answer_that_stands_there_in_the_same_words_is_ours(trustpilot: Trustpilot) -> None:
    trustpilot.add(review(1, companyReply={"text": " We are\nsorry ", "createdAt": when(0)}))
    assert answering(trustpilot).reply(asked(), "We are sorry", "key") == f"{name(1)}.reply"
    assert trustpilot.posted == []


def test_another_answer_is_kept_unless_the_operator_allows_its_replacement(trustpilot: Trustpilot) -> None:
    trustpilot.add(review(1, companyReply={"text": "Written by a colleague", "createdAt": when(0)}))
    with pytest.raises(ReplyRefused, match="Written by a colleague"):
        answering(trustpilot).reply(asked(), "We are sorry", "key")
    assert trustpilot.posted == []
    trustpilot.fail("/reply", told(503, {}))
    replier = answering(trustpilot, replace=True)
    with pytest.raises(SourceUnavailable):
        replier.reply(asked(), "We are sorry", "key")
    replier.reply(asked(), "We are sorry", "key")
    assert trustpilot.posted == [(name(1), "We are sorry")]


def test_a_review_that_is_gone_cannot_be_answered(trustpilot: Trustpilot) -> None:
    with pytest.raises(ReplyRefused, match="Review not found"):
        answering(trustpilot).reply(asked(), "We are sorry", "key")
