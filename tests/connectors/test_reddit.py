"""Reading Reddit back to what is known, and asking what became of it; what every connector promises is in
tests/contract."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest
from pydantic import SecretStr, ValidationError

from connectors._reddit_posts import Reader, Thing
from connectors._reddit_reply import Reply
from connectors.reddit import Config, Connector, Rechecker, Replier, queries
from pipeline.clock import ManualClock
from pipeline.errors import BadItem, ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Kind, Media, Mention, Removal
from pipeline.ports import Brand, Context, Gap, Page
from tests.contract.repliers.reddit import settings as answering
from tests.fixtures.reddit import ACCOUNT, AGENT, APP, START, RedditServer, comment, submission
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Told, told

ACME = Brand("acme", terms=("Acme",), handles=("AcmeCare",))


@pytest.fixture
def reddit() -> Iterator[RedditServer]:
    with RedditServer().running() as server:
        yield server


class Reading:
    """A connector on a clock moved by hand; `looks` reads so many listings to their end, from the saved cursor on."""

    def __init__(self, reddit: RedditServer, *brands: Brand, **changes: Any) -> None:
        self.clock = ManualClock(START)
        base = {"oauth_base": reddit.url, "token_base": reddit.url, "search": bool(brands)}
        given = {"client_id": APP[0], "client_secret": SecretStr(APP[1]), "user_agent": AGENT, "subreddits": ("acme",)}
        self.config = Config(**(given | base | changes))
        self.context = Context("reddit", brands, self.clock)
        self.cursor: str | None = None
        self.connector = Connector(self.config, self.context)

    def looks(self, number: int = 2, pages: list[Page] | None = None) -> list[Page]:
        pages = [] if pages is None else pages
        with closing(cast(Any, self.connector.pages(self.cursor))) as run:
            for page in run:
                pages.append(page)
                self.cursor = page.cursor or self.cursor
                number -= page.cursor is not None
                if not number:
                    next(run)  # it learns that the last page is durable
                    break
        return pages

    def again(self) -> None:
        """As after a restart."""
        self.connector = Connector(self.config, self.context)


def ids(pages: list[Page]) -> list[str]:
    return [item.native_id for page in pages for item in page.items if isinstance(item, Mention)]


def gaps(pages: list[Page]) -> list[Gap]:
    return [gap for page in pages for gap in page.gaps]


def test_a_first_start_takes_so_many_things_of_each_listing_and_no_more(reddit: RedditServer) -> None:
    reddit.comments = [comment(f"c{number}", "late", age=number) for number in range(300)]
    assert len(ids(Reading(reddit).looks())) == 100
    pages = Reading(reddit, backfill=150).looks()
    assert len(ids(pages)) == 150
    assert not ids(Reading(reddit, backfill=0).looks())
    assert not gaps(pages)


def test_a_second_look_passes_on_only_what_is_new(reddit: RedditServer) -> None:
    reddit.comments = [comment("c1", "late", age=60)]
    reading = Reading(reddit)
    assert ids(reading.looks()) == ["t1_c1"]
    reddit.comments.append(comment("c2", "later", age=-30))
    assert ids(reading.looks()) == ["t1_c2"]


def test_each_listing_is_looked_at_once_in_its_time(reddit: RedditServer) -> None:
    reading = Reading(reddit, poll_secs=45)
    reading.looks(6)
    assert 90 <= sum(reading.clock.waits) <= 91
    assert [asked.path for asked in reddit.asked[1:]] == ["/r/acme/comments", "/r/acme/new"] * 3


def test_after_a_restart_it_is_read_back_to_what_was_known(reddit: RedditServer) -> None:
    reddit.comments = [comment("old", "late", age=3_600)]
    reading = Reading(reddit, lookback_secs=0)
    reading.looks()
    reading.clock.advance(7_200)
    reddit.comments += [comment(f"c{number}", "late", age=-number) for number in range(250)]
    reading.again()
    pages = reading.looks()
    assert set(ids(pages)) == {"t1_old", *(f"t1_c{number}" for number in range(250))}
    away, _ = gaps(pages)
    assert away.repaired
    assert timedelta(hours=2) <= away.until - away.since < timedelta(hours=2, seconds=2)


def test_a_thing_that_was_deleted_does_not_stop_the_listing(reddit: RedditServer) -> None:
    reddit.comments = [comment("c1", "late", age=60), comment("c2", "late", age=30)]
    reading = Reading(reddit)
    reading.looks()
    del reddit.comments[1]
    reddit.comments.append(comment("c3", "late", age=-10))
    assert ids(reading.looks()) == ["t1_c3"]


def test_a_listing_that_turned_over_is_a_gap_between_what_was_known_and_what_is_left(reddit: RedditServer) -> None:
    reddit.comments = [comment("old", "late", age=10)]
    reading = Reading(reddit, lookback_secs=0)
    reading.looks()
    reading.clock.advance(3_000)
    reddit.comments += [comment(f"c{number}", "late", age=-number) for number in range(1, 2_001)]
    pages = reading.looks(1)
    assert len(ids(pages)) == 1_000
    (gap,) = gaps(pages)
    assert not gap.repaired
    assert gap.since == START - timedelta(seconds=10)
    assert gap.until == START + timedelta(seconds=1_001)
    assert "1,000" in gap.note


def test_a_crash_in_the_middle_of_reading_back_loses_nothing(reddit: RedditServer) -> None:
    reddit.comments = [comment("old", "late")]
    reading = Reading(reddit)
    reading.looks()
    reddit.comments += [comment(f"c{number}", "late", age=-number - 200) for number in range(250)]
    reading.again()
    cursor = reading.cursor
    with closing(cast(Any, reading.connector.pages(cursor))) as run:
        first = next(page for page in run if page.items)
    assert first.cursor is None
    reading.again()
    assert {f"t1_c{number}" for number in range(250)} <= set(ids(reading.looks()))


def test_an_edit_is_passed_on_with_its_time_and_a_deletion_withdraws(reddit: RedditServer) -> None:
    reddit.comments = [comment("c1", "late", age=600), comment("c2", "late", age=500)]
    reading = Reading(reddit)
    reading.looks()
    reddit.comments = [
        comment("c1", "late, no: never", age=600, edited=START.timestamp() - 5),
        comment("c2", "[removed]", age=500, author="[deleted]", author_fullname=None),
    ]
    (edited, removed) = (item for page in reading.looks() for item in page.items)
    assert isinstance(edited, Mention)
    assert (edited.text, edited.edited_at) == ("late, no: never", START - timedelta(seconds=5))
    assert isinstance(removed, Removal)
    assert (removed.mention, removed.reason) == ("reddit:t1_c2", "compliance")
    assert not [item for page in reading.looks() for item in page.items]


def test_searches_find_submissions_anywhere(reddit: RedditServer) -> None:
    reddit.submissions = [submission("s1", "Is Acme down?"), submission("s2", "Nothing of interest")]
    reading = Reading(reddit, ACME, subreddits=())
    assert ids(reading.looks(1)) == ["t3_s1"]
    query = reddit.paths("/search")[0].query
    assert (query["q"], query["type"], query["sort"]) == (['("Acme" OR "AcmeCare")'], ["link"], ["new"])


def test_the_inbox_of_the_account_is_read_where_there_is_one(reddit: RedditServer) -> None:
    answer = comment("r1", "That did not help", parent_id="t1_own0", context="/r/x/comments/far/title/r1/?context=3")
    for name in ("link_id", "permalink"):
        del answer["data"][name]
    reddit.inbox = [answer, {"kind": "t4", "data": {"name": "t4_1", "body": "private"}}]
    config = answering(reddit.url)
    reading = Reading(reddit, subreddits=(), reply=config.reply)
    (item,) = (item for page in reading.looks(1) for item in page.items)
    assert isinstance(item, Mention)
    assert (item.parent, item.conversation) == ("reddit:t1_own0", "reddit:t3_far")
    assert item.url == "https://www.reddit.com/r/x/comments/far/title/r1/"


def test_without_anything_to_listen_for_it_says_what_to_give(reddit: RedditServer) -> None:
    with pytest.raises(SourceRefused, match=r"sources\.reddit\.subreddits"):
        Reading(reddit, subreddits=()).looks()


def test_the_rate_limits_remainder_is_waited_for_and_told(reddit: RedditServer) -> None:
    reddit.remaining, reddit.reset = 40, 120
    reading = Reading(reddit)
    used = reading.looks(1)[-1].usage
    assert [(usage.unit, usage.used, usage.limit) for usage in used] == [("requests", 861, 900)]
    assert used[0].resets == START + timedelta(seconds=120)
    reading.looks(1)
    assert sum(reading.clock.waits) >= 120


def test_no_more_than_a_hundred_queries_are_made_in_a_minute(reddit: RedditServer) -> None:
    reading = Reading(reddit, poll_secs=0.001)
    reading.looks(101)
    assert sum(reading.clock.waits) >= 60


@pytest.mark.parametrize(
    ("answer", "trouble", "delays"),
    [
        (told(503, {}), "http", [15, 30, 60]),
        (told(500, {}), "http", [15, 30, 60]),
        (told(429, {}), "rate_limited", [60, 120, 240]),
        (Told(200, b"<html>"), "http", [15, 30, 60]),
        (Told(200, b"[" * 100_000), "http", [15, 30, 60]),
        (told(200, {"kind": "t2"}), "http", [15, 30, 60]),
    ],
)
def test_what_fails_is_asked_once_and_again_after_the_stated_delay(
    reddit: RedditServer, answer: Told, trouble: str, delays: list[float]
) -> None:
    reddit.fail("/comments", answer)
    with pytest.raises(SourceUnavailable) as failure:
        Reading(reddit).looks()
    assert failure.value.trouble == trouble
    assert len(reddit.paths("/comments")) == 1
    backoff = Connector.backoff[failure.value.trouble]
    assert [backoff.delay(attempt) for attempt in (1, 2, 3)] == delays


@pytest.mark.parametrize(
    ("headers", "wait"), [({"Retry_After": "17"}, 17), ({"X_Ratelimit_Reset": "45"}, 45), ({}, None)]
)
def test_too_many_requests_are_told_with_their_end(
    reddit: RedditServer, headers: dict[str, str], wait: float | None
) -> None:
    reddit.fail("/comments", told(429, {}, **headers))
    with pytest.raises(SourceUnavailable) as failure:
        Reading(reddit).looks()
    assert failure.value.retry_after == wait


def test_an_answer_without_end_is_not_read_to_it(reddit: RedditServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors._reddit_api._MAX_BYTES", 100_000)
    reddit.comments = [comment(f"c{number}", "late " * 500) for number in range(50)]
    with pytest.raises(SourceUnavailable, match="over 100,000 bytes"):
        Reading(reddit).looks()


def test_wrong_credentials_and_a_private_subreddit_stop_the_source_with_reddits_words(reddit: RedditServer) -> None:
    with pytest.raises(SourceRefused, match="does not accept the app"):
        Reading(reddit, client_secret=SecretStr("wrong")).looks()
    with pytest.raises(SourceRefused, match=r"r/private \(403\): Forbidden - private"):
        Reading(reddit, subreddits=("private",)).looks()
    reply = Reply(username=ACCOUNT[0], password=SecretStr("wrong"))
    with pytest.raises(SourceRefused, match="invalid_grant"):
        Reading(reddit, reply=reply).looks()


def test_a_token_taken_back_early_is_asked_for_again(reddit: RedditServer) -> None:
    reddit.tokens_last = 1
    Reading(reddit).looks(4)
    assert reddit.tokens == 4


def test_a_user_agent_that_names_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match="by /u/name"):
        Config(client_id="a", client_secret=SecretStr("b"), user_agent="Mozilla/5.0 and so on")


# ------------------------------------------------------------------------------------------------------------ things


def read(thing: dict[str, Any]) -> Any:
    return Reader("reddit", "acme", frozenset({"acme"})).item(msgspec.convert(thing, Thing), START)


def test_a_comment_hangs_under_its_parent_in_its_submissions_conversation() -> None:
    made = read(comment("c1", "&gt; they said\n\nIt is **late** &amp; wet", parent_id="t1_c0"))
    assert (made.text, made.title, made.kind) == ("> they said\n\nIt is **late** & wet", "Parcels", Kind.COMMENT)
    assert (made.parent, made.conversation, made.brand) == ("reddit:t1_c0", "reddit:t3_post", "acme")
    assert (made.author.id, made.author.handle) == ("t2_ana", "ana")
    assert made.reply_ref == {"name": "t1_c1", "submission": "t3_post", "subreddit": "acme", "closed": ""}
    assert made.url == "https://www.reddit.com/r/acme/comments/post/parcels/c1/"
    assert read(comment("c1", "late", subreddit="elsewhere")).brand is None


def test_a_submission_without_a_text_says_its_title_and_shows_its_pictures() -> None:
    picture = submission("s1", "Look", post_hint="image", url="https://i.redd.it/a.png", is_self=False)
    assert (read(picture).text, read(picture).media) == ("Look", (Media(url="https://i.redd.it/a.png"),))
    gallery = submission(
        "s2",
        "Two",
        selftext="These",
        gallery_data={"items": [{"media_id": "m1", "caption": "Torn"}, {"media_id": "m2"}, "?"]},
        media_metadata={"m1": {"s": {"u": "https://preview.redd.it/1.jpg"}}, "m2": {"status": "failed"}},
    )
    made = read(gallery)
    assert (made.text, made.title) == ("These", "Two")
    assert made.media == (Media(url="https://preview.redd.it/1.jpg", alt="Torn"),)


def test_a_crosspost_is_a_repost_unless_it_says_something_of_its_own() -> None:
    passed_on: dict[str, Any] = {"crosspost_parent": "t3_first", "crosspost_parent_list": [{"title": "Acme is down"}]}
    again = read(submission("s1", "Acme is down", **passed_on))
    assert (again.kind, again.parent) == (Kind.REPOST, "reddit:t3_first")
    assert read(submission("s1", "I told you", **passed_on)).kind is Kind.QUOTE


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        (comment("x", "[deleted]", author="[deleted]"), "deleted"),
        (comment("x", "[removed]", author="[deleted]"), "compliance"),
        (comment("x", "[ Removed by Reddit ]"), "compliance"),
        (comment("x", "It was late", author=None, author_fullname=None), "account_gone"),
        (submission("x", "[deleted by user]", removed_by_category="deleted"), "deleted"),
        (submission("x", "Acme", selftext="[removed]", removed_by_category="moderator"), "compliance"),
        (submission("x", "Acme", author="[deleted]"), "account_gone"),
    ],
)
def test_what_is_gone_is_a_removal(thing: dict[str, Any], reason: str) -> None:
    removal = read(thing)
    assert isinstance(removal, Removal)
    assert (removal.mention, removal.reason) == (f"reddit:{thing['data']['name']}", reason)
    assert removal.conversation in ("reddit:t3_post", "reddit:t3_x")


@pytest.mark.parametrize(
    "changes", [{"name": "x"}, {"created_utc": 1e300}, {"link_id": None}, {"body": "  "}, {"parent_id": "t5_x"}]
)
def test_a_thing_that_makes_no_sense_is_a_bad_item(changes: dict[str, Any]) -> None:
    with pytest.raises(BadItem):
        read(comment("c1", "late", **changes))


# ---------------------------------------------------------------------------------------------------------- recheck


def test_what_is_kept_is_asked_for_by_the_hundred_and_what_is_gone_or_reworded_is_told(reddit: RedditServer) -> None:
    kept = [read(comment(f"c{number}", "late")) for number in range(100)]
    reddit.comments = [comment(f"c{number}", "late") for number in range(97)]
    reddit.comments.append(comment("c97", "never came", edited=START.timestamp() + 60))
    reddit.comments.append(comment("c98", "[deleted]", author="[deleted]"))
    reading = Reading(reddit)
    found = {
        item.id if isinstance(item, Mention) else item.mention: item
        for item in Rechecker(reading.config, reading.context).recheck(kept)
    }
    assert set(found) == {"reddit:t1_c97", "reddit:t1_c98", "reddit:t1_c99"}
    reworded = found["reddit:t1_c97"]
    assert isinstance(reworded, Mention)
    assert (reworded.text, reworded.edited_at) == ("never came", START + timedelta(seconds=60))
    assert reworded.reply_ref == kept[97].reply_ref
    assert [len(asked.query["id"][0].split(",")) for asked in reddit.paths("/info")] == [100, 1]


def test_what_was_left_out_by_mistake_is_not_taken_for_gone(reddit: RedditServer) -> None:
    reddit.comments = [comment("c1", "late")]
    reddit.fail("/info", told(200, {"kind": "Listing", "data": {"after": None, "children": []}}))
    reading = Reading(reddit)
    assert not Rechecker(reading.config, reading.context).recheck([read(comment("c1", "late"))])


# ---------------------------------------------------------------------------------------------------------- queries


def test_terms_become_as_few_searches_as_512_characters_allow() -> None:
    config = answering("https://oauth.reddit.example").model_copy(update={"subreddits": ("acme",)})
    terms = tuple(f"term {number:03}" for number in range(60))
    brand = Brand("acme", terms=terms, handles=("@AcmeCare",), exclude=("acme corp",), languages=("de",))
    subreddit, *found = queries(config, [brand])
    assert subreddit.place == "r/acme"
    assert len(found) == 2
    assert all(len(query.text) <= 512 for query in found)
    assert '"AcmeCare"' in found[-1].text
    assert found[0].note.endswith("left to the brand stage: exclusions, languages")


def test_context_words_narrow_terms_and_not_handles_and_no_term_is_an_operator() -> None:
    config = answering("https://oauth.reddit.example")
    brand = Brand("acme", terms=('Ac"me" OR x',), handles=("AcmeCare",), context=("parcel", "post"))
    assert [query.text for query in queries(config, [brand])] == [
        '("Ac me OR x") AND ("parcel" OR "post")',
        '("AcmeCare")',
    ]
    with pytest.raises(SourceRefused, match="512"):
        queries(config, [Brand("acme", terms=("x" * 600,))])


# -------------------------------------------------------------------------------------------------------- answering


@pytest.fixture
def replier(reddit: RedditServer) -> Replier:
    return Replier(answering(reddit.url), Context("reddit", (), ManualClock()))


ASKED = mention("reddit:t1_asked", reply_ref={"name": "t1_asked"})


def test_our_answer_is_recognised_when_it_is_collected(reddit: RedditServer, replier: Replier) -> None:
    id = replier.reply(ASKED, "Sorry", "key-1")
    made = read(reddit.own[0])
    assert (made.native_id, made.parent, made.author.handle) == (id, "reddit:t1_asked", "AcmeCare")


@pytest.mark.parametrize(
    ("error", "more", "wait"),
    [
        (["RATELIMIT", "Take a break for 9 minutes before trying again.", "ratelimit"], {}, 540),
        (["RATELIMIT", "Take a break.", "ratelimit"], {"ratelimit": 77.5}, 77.5),
        (["RATELIMIT", "Take a break.", "ratelimit"], {}, None),
    ],
)
def test_an_account_that_writes_too_often_waits_as_long_as_reddit_says(
    reddit: RedditServer, replier: Replier, error: list[str], more: dict[str, Any], wait: float | None
) -> None:
    reddit.fail("/api/comment", told(200, {"json": {"errors": [error], **more}}))
    with pytest.raises(SourceUnavailable) as failure:
        replier.reply(ASKED, "Sorry", "key-1")
    assert (failure.value.trouble, failure.value.retry_after) == ("rate_limited", wait)


def test_a_comment_whose_answer_got_lost_is_not_sent_again_by_the_client(
    reddit: RedditServer, replier: Replier
) -> None:
    reddit.lose("/api/comment")
    with pytest.raises(SourceUnavailable):
        replier.reply(ASKED, "Sorry", "key-1")
    assert len(reddit.own) == 1


def test_a_refusal_of_the_credentials_or_the_thread_is_for_good(reddit: RedditServer, replier: Replier) -> None:
    reddit.fail("/api/comment", told(403, {"message": "Forbidden", "explanation": "You are banned here."}))
    with pytest.raises(ReplyRefused, match="You are banned here"):
        replier.reply(ASKED, "Sorry", "key-1")
    reddit.fail("/access_token", told(401, {"message": "Unauthorized"}))
    other = Replier(answering(reddit.url), Context("reddit", (), ManualClock()))
    with pytest.raises(ReplyRefused, match="does not accept this account"):
        other.reply(ASKED, "Sorry", "key-1")


# ------------------------------------------------------------------------------------------------------------ a day


def test_through_a_day_of_faults_everything_comes_once_or_is_in_a_gap(reddit: RedditServer) -> None:
    chance = random.Random(7)  # noqa: S311 - the same day every time
    reading = Reading(reddit, lookback_secs=60)
    reddit.reset, reddit.remaining = 1, 1e6
    pages: list[Page] = []
    for round in range(144):
        for number in range(1_500 if round == 60 else chance.randint(0, 15)):
            age = (START - reading.clock.now()).total_seconds() - number / 10
            reddit.comments.append(comment(f"c{len(reddit.comments)}", "late", age=age))
        reading.clock.advance(600)
        fault = chance.choice([None, None, told(503, {}), told(429, {}), Told(200, b'{"kind"'), "restart"])
        if isinstance(fault, Told):
            reddit.fail(chance.choice(["/comments", "/new"]), fault)
        elif fault == "restart":
            reading.again()
        with suppress(SourceUnavailable):
            reading.looks(2, pages)
    reading.looks(4, pages)
    (lost,) = (gap for gap in gaps(pages) if not gap.repaired)
    missing = {one["data"]["name"]: one["data"]["created_utc"] for one in reddit.comments}
    for id in ids(pages):
        missing.pop(id, None)
    assert len(missing) > 400
    assert all(lost.since <= datetime.fromtimestamp(made, UTC) <= lost.until for made in missing.values())
