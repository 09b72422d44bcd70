"""Looking at reviews of the App Store, answering them, and what became of them; what every connector promises is in
tests/contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import pytest
from joserfc.jwk import ECKey, RSAKey
from pydantic import SecretStr, ValidationError

from connectors._appstore_api import Key
from connectors.appstore import Config, Connector, Rechecker, Replier
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Kind, Mention, Removal
from pipeline.ports import Context, Gap, Page, Rejection, Usage
from tests.contract.repliers.appstore import asked, settings
from tests.fixtures.appstore import APP, ISSUER, KEY_ID, PRIVATE, START, AppStore, problem, response, review
from tests.fixtures.stand_in import Told, told


@pytest.fixture
def store() -> Iterator[AppStore]:
    with AppStore().running() as server:
        server.base = server.url
        yield server


class Reading:
    """A connector on a clock moved by hand; `looks` looks so often, from the saved cursor on."""

    def __init__(self, store: AppStore, **changes: Any) -> None:
        self.clock = ManualClock(START)
        self.config = settings(store.url).model_copy(update=changes)
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
                    break
        return pages


def mentions(pages: list[Page]) -> list[Mention]:
    return [item for page in pages for item in page.items if isinstance(item, Mention)]


def named(pages: list[Page]) -> list[str]:
    return [mention.native_id for mention in mentions(pages)]


def gaps(pages: list[Page]) -> list[Gap]:
    return [gap for page in pages for gap in page.gaps]


def test_a_review_is_told_with_its_stars_and_the_answer_it_has(store: AppStore) -> None:
    store.reviews[APP] = [review("a1", rating=2, age=60)]
    store.responses["a1"] = response("r1", "Sorry, Ana")
    one, answer = mentions(Reading(store).looks())
    assert (one.kind, one.title, one.text, one.rating) == (Kind.REVIEW, "Late", "It loses my parcels", 0.4)
    assert (one.author.id, one.author.name, one.lang) == ("of-a1", "ana", None), "a territory is no language"
    assert one.created_at == START - timedelta(seconds=60)
    assert one.reply_ref == {"review": "a1", "app": APP, "territory": "GBR"}
    assert (answer.text, answer.parent, answer.conversation, answer.own) == ("Sorry, Ana", one.id, one.id, True)
    assert store.asked[0].query["sort"] == ["-createdDate"]
    assert store.asked[0].query["limit"] == ["200"]


def test_a_first_start_takes_so_many_reviews_and_a_second_look_no_older_ones(store: AppStore) -> None:
    store.reviews[APP] = [review(f"a{number}", age=number) for number in range(20)]
    reading = Reading(store, backfill=5, lookback_secs=0)
    assert named(reading.looks()) == ["a4", "a3", "a2", "a1", "a0"]
    store.reviews[APP].append(review("new", createdDate=(START + timedelta(seconds=5)).isoformat()))
    reading.clock.advance(10)
    assert named(reading.looks()) == ["a0", "new"]
    nothing = Reading(store, backfill=0, lookback_secs=0)
    nothing.clock.advance(10)
    assert named([*nothing.looks(), *nothing.looks()]) == []


def test_only_what_is_new_or_reworded_is_passed_on_again(store: AppStore) -> None:
    store.reviews[APP] = [review("a1", age=60), review("a2", age=30)]
    reading = Reading(store, poll_secs=45)
    with closing(cast(Any, reading.connector.pages(None))) as run:
        assert len(next(run).items) == 2
        store.reviews[APP][0]["attributes"]["body"] = "It came"
        store.responses["a2"] = response("r2", "Sorry")
        page = next(page for page in run if page.cursor)
    edited, answer = mentions([page])
    assert (edited.native_id, edited.text, edited.created_at) == ("a1", "It came", START - timedelta(seconds=60))
    assert edited.edited_at == reading.clock.now()
    assert answer.native_id == "r2"
    assert sum(reading.clock.waits) == pytest.approx(45, abs=1)


def test_what_was_let_through_late_is_found_by_the_lookback(store: AppStore) -> None:
    store.reviews[APP] = [review("a1")]
    reading = Reading(store)
    reading.looks()
    store.reviews[APP].append(review("late", age=80_000))
    reading.clock.advance(300)
    assert "late" in named(reading.looks())


def test_a_pause_is_read_back_page_by_page(store: AppStore) -> None:
    store.reviews[APP] = [review("a1", age=600)]
    reading = Reading(store, lookback_secs=0)
    reading.looks()
    store.per_page = 10
    later = [review(f"b{number}", createdDate=(START + timedelta(minutes=number)).isoformat()) for number in range(25)]
    store.reviews[APP] += later
    reading.clock.advance(7_200)
    pages = reading.looks()
    assert set(named(pages)) == {"a1", *(f"b{number}" for number in range(25))}
    (gap,) = gaps(pages)
    assert (gap.since, gap.until, gap.repaired) == (START, START + timedelta(hours=2), True)
    assert len(store.asked) == 4


def test_more_than_is_read_back_is_a_gap_that_stays(store: AppStore) -> None:
    store.reviews[APP] = [review("a1", age=60)]
    reading = Reading(store)
    reading.looks()
    store.reviews[APP] += [
        review(f"b{number}", createdDate=(START + timedelta(seconds=number)).isoformat()) for number in range(5_100)
    ]
    reading.clock.advance(6_000)
    (gap,) = gaps(reading.looks())
    assert not gap.repaired
    assert (gap.since, gap.until) == (START - timedelta(seconds=60), START + timedelta(seconds=100))


def test_what_apple_says_is_left_is_believed_and_told(store: AppStore) -> None:
    store.rate = "user-hour-lim:3600;user-hour-rem:150;"
    reading = Reading(store)
    (page,) = reading.looks()
    assert [(one.unit, one.used, one.limit) for one in page.usage] == [("requests an hour", 3_450, 3_600)]
    reading.looks()
    assert reading.clock.monotonic() == pytest.approx(300, abs=1), "the last 200 are for answers and checks"
    store.rate = "user-hour-lim:x"
    assert isinstance(reading.looks()[-1].usage[0], Usage)


def test_a_token_is_used_for_a_quarter_of_an_hour(store: AppStore) -> None:
    reading = Reading(store, poll_secs=300)
    reading.looks(5)
    tokens = [one.headers["authorization"] for one in store.asked]
    assert len(set(tokens)) == 2


def test_a_persons_own_key_has_no_issuer(store: AppStore) -> None:
    key = Key(key_id=KEY_ID, private_key=SecretStr(PRIVATE.replace("\n", "\\n")))
    assert Reading(store, key=key).looks()


@pytest.mark.parametrize(
    ("answer", "trouble", "wait"),
    [
        (problem(500, "x"), "http", None),
        (problem(429, "x"), "rate_limited", None),
        (problem(429, "x", Retry_After="41"), "rate_limited", 41),
        (Told(200, b"<html>"), "http", None),
        (told(200, {"data": {}}), "http", None),
    ],
)
def test_a_fault_is_for_later(store: AppStore, answer: Told, trouble: str, wait: float | None) -> None:
    store.fail("/customerReviews", answer)
    with pytest.raises(SourceUnavailable) as failure:
        Reading(store).looks()
    assert (failure.value.trouble, failure.value.retry_after) == (trouble, wait)


@pytest.mark.parametrize(("status", "setting"), [(401, "key"), (403, "key"), (404, "apps"), (302, "api_base")])
def test_what_only_the_operator_can_mend_names_the_setting(store: AppStore, status: int, setting: str) -> None:
    store.fail("/customerReviews", problem(status, "No."))
    with pytest.raises(SourceRefused, match=rf"sources\.reviews\.{setting}"):
        Reading(store).looks()


def test_the_token_follows_no_link_elsewhere(store: AppStore) -> None:
    store.base = "https://elsewhere.example"
    store.per_page = 1
    store.reviews[APP] = [review("a1"), review("a2")]
    with pytest.raises(SourceUnavailable, match="elsewhere"):
        Reading(store).looks()


def test_what_cannot_be_read_is_kept_once(store: AppStore) -> None:
    store.reviews[APP] = [
        review("a1"),
        {"id": "b"},
        review("c", rating=9),
        review("d", createdDate="1960-01-01T00:00:00Z"),
    ]
    pages = Reading(store).looks(3)
    kept = [item for page in pages for item in page.items if isinstance(item, Rejection)]
    assert len(kept) == 3
    assert named(pages) == ["a1"]


@pytest.mark.parametrize(
    "pem",
    [
        "no key",
        RSAKey.generate_key(2_048, private=True).as_pem(private=True).decode(),
        ECKey.generate_key("P-384", private=True).as_pem(private=True).decode(),
        ECKey.generate_key("P-256", private=True).as_pem(private=False).decode(),
    ],
    ids=["nonsense", "rsa", "P-384", "public"],
)
def test_a_key_that_cannot_sign_is_refused_and_not_shown(pem: str) -> None:
    with pytest.raises(ValidationError, match="P-256") as refusal:
        Key(key_id=KEY_ID, issuer_id=ISSUER, private_key=SecretStr(pem))
    assert pem not in str(refusal.value)


# ----------------------------------------------------------------------------------------------------------- answering


def replier(store: AppStore) -> Replier:
    return Replier(settings(store.url), Context("reviews", (), ManualClock(START)))


def test_a_second_answer_takes_the_place_of_the_first(store: AppStore) -> None:
    store.reviews[APP] = [review("a1")]
    replier(store).reply(asked(), "First", "key-1")
    replier(store).reply(asked(), "Second", "key-2")
    assert store.responses["a1"]["attributes"]["responseBody"] == "Second"


def test_our_answer_comes_back_as_our_own(store: AppStore) -> None:
    store.reviews[APP] = [review("a1")]
    id = replier(store).reply(asked(), "Sorry", "key")
    _, answer = mentions(Reading(store).looks())
    assert (answer.native_id, answer.own) == (id, True)


def test_a_key_that_may_not_answer_says_so(store: AppStore) -> None:
    store.reviews[APP] = [review("a1")]
    store.fail("/customerReviewResponses", problem(403, "This role may not."))
    with pytest.raises(ReplyRefused, match="This role may not"):
        replier(store).reply(asked(), "Sorry", "key")
    with pytest.raises(ReplyRefused, match="no such review"):
        replier(store).reply(asked("a2"), "Sorry", "key")


# ---------------------------------------------------------------------------------------------------------- rechecking


def recheck(store: AppStore, *mentions: Mention) -> list[Item]:
    config: Config = settings(store.url)
    return list(Rechecker(config, Context("reviews", (), ManualClock(START))).recheck(mentions))


def test_what_became_of_reviews_is_asked_for(store: AppStore) -> None:
    store.reviews[APP] = [review("a1", "Acme lost my parcel", title=None), review("a2", "It came", rating=5)]
    store.fail("a4", problem(500, "x"))
    reworded, gone = recheck(store, asked("a1"), asked("a2"), asked("a3"), asked("a9", app="42"))
    assert isinstance(reworded, Mention)
    assert (reworded.native_id, reworded.text, reworded.rating) == ("a2", "It came", 1.0)
    assert isinstance(gone, Removal)
    assert gone.mention == "appstore:a3"
    with pytest.raises(SourceUnavailable):
        recheck(store, asked("a4"))
    store.fail("a1", problem(401, "No."))
    with pytest.raises(SourceRefused):
        recheck(store, asked("a1"))


def test_an_app_that_can_no_longer_be_seen_withdraws_nothing(store: AppStore) -> None:
    store.reviews = {}
    assert recheck(store, asked("a1"), asked("a2")) == []
    assert len(store.asked) == 3
