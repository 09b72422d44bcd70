"""Reading YouTube within the day's units; what every connector promises is in tests/contract."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from connectors._youtube_items import Reader
from connectors._youtube_quota import Allowance, day_of, resets
from connectors.youtube import Config, Connector, Rechecker, Replier, queries
from pipeline.clock import ManualClock
from pipeline.errors import BadItem, ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Kind, Media, Mention, Removal
from pipeline.ports import Brand, Context, Gap, Page, Usage
from tests.contract.repliers.youtube import settings as answering
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Told, told
from tests.fixtures.youtube import KEY, OURS, START, VIDEO, YouTubeServer, as_json, clip, comment, moment, name, refusal

ACME = Brand("acme", terms=("Acme",), handles=("AcmeCare",))
BEN = f"UC{'b' * 22}"


@pytest.fixture
def youtube() -> Iterator[YouTubeServer]:
    with YouTubeServer().running() as server:
        yield server


class Reading:
    """A connector on a clock moved by hand; `until` reads from the saved cursor on until so many seconds have gone."""

    def __init__(self, youtube: YouTubeServer, *brands: Brand, start: datetime = START, **changes: Any) -> None:
        self.clock = ManualClock(start)
        given = {"api_key": SecretStr(KEY), "channels": (OURS,), "api_base": youtube.url, "search": bool(brands)}
        self.config = Config(**(given | changes))
        self.context = Context("youtube", brands, self.clock)
        self.cursor: str | None = None
        self.connector = Connector(self.config, self.context)

    def until(self, seconds: float, pages: list[Page] | None = None) -> list[Page]:
        pages = [] if pages is None else pages
        end = self.clock.monotonic() + seconds
        with closing(cast(Any, self.connector.pages(self.cursor))) as run:
            for page in run:
                if self.clock.monotonic() > end:
                    break
                if page.items or page.gaps or page.usage:
                    pages.append(page)
                self.cursor = page.cursor or self.cursor
        return pages

    def again(self) -> None:
        """As after a restart."""
        self.connector = Connector(self.config, self.context)


def ids(pages: list[Page]) -> list[str]:
    return [item.native_id for page in pages for item in page.items if isinstance(item, Mention)]


def gaps(pages: list[Page]) -> list[Gap]:
    return [gap for page in pages for gap in page.gaps]


# ------------------------------------------------------------------------------------------------------------- quota


@pytest.mark.parametrize(
    ("now", "day", "end"),
    [
        ("2026-01-05T07:59:59+00:00", "2026-01-04", "2026-01-05T08:00:00+00:00"),
        ("2026-01-05T08:00:00+00:00", "2026-01-05", "2026-01-06T08:00:00+00:00"),
        ("2026-03-08T08:00:00+00:00", "2026-03-08", "2026-03-09T07:00:00+00:00"),  # 23 hours: summer time begins
        ("2026-07-01T07:00:00+00:00", "2026-07-01", "2026-07-02T07:00:00+00:00"),
        ("2026-11-01T07:00:00+00:00", "2026-11-01", "2026-11-02T08:00:00+00:00"),  # 25 hours: it ends
    ],
)
def test_a_day_ends_at_midnight_pacific_time_whatever_its_clocks_do(now: str, day: str, end: str) -> None:
    moment = datetime.fromisoformat(now)
    assert day_of(moment) == day
    assert resets(moment) == datetime.fromisoformat(end)


def test_a_days_units_are_spent_evenly_and_never_exceeded() -> None:
    now = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    end = resets(now)
    allowance = Allowance("units", 240, at_once=5)
    spent: list[datetime] = []
    while True:
        now += timedelta(seconds=allowance.wait(now) + 1e-6)
        if now >= end:
            break
        allowance.spend(1, now)
        spent.append(now)
    assert 238 <= len(spent) <= 240
    assert [one.hour for one in spent[:5]] == [8] * 5
    for hours in range(1, 24):
        so_far = sum(one < end - timedelta(hours=24 - hours) for one in spent)
        assert abs(so_far - 10 * hours) <= 5
    assert allowance.wait(now) == 0


def test_what_was_spent_survives_a_restart_and_ends_with_its_day() -> None:
    allowance = Allowance("units", 10, at_once=5)
    allowance.restore("2026-01-05", 10)
    assert allowance.wait(START) == (resets(START) - START).total_seconds()
    assert allowance.usage(START, 12) == Usage("units", 10, 12, resets(START))
    assert allowance.wait(START + timedelta(days=1)) == 0
    assert allowance.used == 0


# ----------------------------------------------------------------------------------------------------------- reading


def test_a_first_start_takes_so_many_threads_and_no_more(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(number), "late", age=number) for number in range(300)]
    assert len(ids(Reading(youtube).until(50))) == 100
    assert len(ids(Reading(youtube, backfill=150).until(50))) == 150
    assert not ids(Reading(youtube, backfill=0).until(50))


def test_later_looks_bring_what_is_new_and_what_was_edited(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(1), "late", age=60), comment(name(2), "late", age=50)]
    reading = Reading(youtube)
    reading.until(1)
    youtube.comments[0] = comment(name(1), "very late", age=60, updatedAt="2026-01-05T09:00:30Z")
    youtube.comments.append(comment(name(3), "late as well", age=-20))
    first, second = (item for page in reading.until(61) for item in page.items)
    assert isinstance(first, Mention)
    assert (first.native_id, first.text, first.edited_at) == (name(1), "very late", START + timedelta(seconds=30))
    assert isinstance(second, Mention)
    assert second.native_id == name(3)


def test_a_channel_that_was_not_read_for_hours_is_read_back_and_told_as_repaired(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(0), "late", age=7_200)]
    reading = Reading(youtube, lookback_secs=0)
    reading.until(1)
    reading.clock.advance(7_200)
    youtube.comments += [comment(name(number), "late", age=-number) for number in range(1, 251)]
    youtube.comments.append(comment(name(999), "pinned", age=90_000))
    reading.again()
    pages = reading.until(30)
    assert {name(number) for number in range(251)} <= set(ids(pages))
    (gap,) = gaps(pages)
    assert gap.repaired


def test_more_new_threads_than_are_read_back_are_a_gap(youtube: YouTubeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.youtube.DEEPEST", 200)
    youtube.comments = [comment(name(0), "late", age=10)]
    reading = Reading(youtube, lookback_secs=0)
    reading.until(1)
    youtube.comments += [comment(name(number), "late", age=-number) for number in range(1, 251)]
    reading.clock.advance(300)
    (gap,) = gaps(reading.until(30))
    assert not gap.repaired
    assert (gap.since, gap.until) == (START - timedelta(seconds=10), START + timedelta(seconds=51))


def test_replies_that_do_not_come_with_their_thread_are_asked_for(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(1), "late", age=60)]
    youtube.replies[name(1)] = [comment(f"{name(1)}.r{number}", "mine too") for number in range(150)]
    reading = Reading(youtube)
    assert len(ids(reading.until(1))) == 101  # on the first start one page
    youtube.replies[name(1)].insert(0, comment(f"{name(1)}.late", "and mine"))
    pages = reading.until(61)
    assert len(ids(pages)) == 51
    reply = next(item for page in pages for item in page.items if isinstance(item, Mention))
    assert (reply.kind, reply.parent, reply.conversation) == (Kind.REPLY, f"youtube:{name(1)}", f"youtube:{name(1)}")
    assert reply.reply_ref == {"thread": name(1), "video": VIDEO, "channel": OURS}


def test_an_old_thread_that_grows_is_noticed(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(number), "late", age=number) for number in range(150)]
    reading = Reading(youtube, backfill=150)
    reading.until(1)
    youtube.replies[name(149)] = [comment(f"{name(149)}.r{number}", "mine too") for number in range(3)]
    assert set(ids(reading.until(1_200))) == {f"{name(149)}.r{number}" for number in range(3)}


def test_replies_not_read_before_a_restart_are_read_after_it(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(1), "late", age=60)]
    youtube.replies[name(1)] = [comment(f"{name(1)}.r{number}", "mine too") for number in range(9)]
    reading = Reading(youtube)
    youtube.fail("/comments", told(503, {}))
    with pytest.raises(SourceUnavailable):
        reading.until(10)
    youtube.comments += [comment(name(number), "late", age=-number) for number in range(2, 300)]
    reading.again()
    assert {f"{name(1)}.r{number}" for number in range(9)} <= set(ids(reading.until(2_400)))


def test_many_threads_that_grew_do_not_keep_other_videos_waiting(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(number), "late", age=number) for number in range(60)]
    youtube.replies = {
        name(number): [comment(f"{name(number)}.r{i}", "same") for i in range(5)] for number in range(60)
    }
    reading = Reading(youtube, videos=("othervideo1",), daily_units=2_880, reserve_units=0)  # one each 30 s
    reading.until(120)
    youtube.comments.append(comment(name(99), "Acme?", age=-60, channelId=BEN, videoId="othervideo1"))
    assert name(99) in ids(reading.until(240))
    assert len(ids(reading.until(3_600))) > 60


def test_videos_that_name_the_brand_are_passed_on_and_followed(youtube: YouTubeServer) -> None:
    youtube.videos = [clip(), clip("silentvid01", "Acme again"), clip("othervideo1", "Cats")]
    del youtube.videos[1]["statistics"]["commentCount"]
    youtube.comments = [comment(name(1), "I agree", channelId=BEN)]
    reading = Reading(youtube, ACME, channels=())
    items = [item for page in reading.until(10) for item in page.items]
    assert [item.native_id for item in items if isinstance(item, Mention)] == [VIDEO, "silentvid01", name(1)]
    video, _, said = items
    assert isinstance(video, Mention)
    assert (video.title, video.text, video.lang) == ("A look at Acme", "Is Acme any good?", "en")
    assert (video.metrics.views, video.metrics.replies, video.author.name) == (1_000, 3, "Ben")
    assert isinstance(said, Mention)
    assert (said.title, said.parent, said.brand) == ("A look at Acme", f"youtube:{VIDEO}", None)
    assert youtube.paths("/search")[0].query["q"] == ['"Acme"|"AcmeCare"']
    reading.again()
    youtube.comments.append(comment(name(2), "So do I", age=-60, channelId=BEN))
    assert name(2) in ids(reading.until(400))


def test_only_the_newest_found_videos_are_followed_and_for_so_many_days(youtube: YouTubeServer) -> None:
    youtube.videos = [clip(f"acmevideo{number:02}", publishedAt=moment(9_000 - number)) for number in range(5)][::-1]
    reading = Reading(youtube, ACME, channels=(), follow=2, follow_days=1)
    reading.until(10)
    assert {asked.query["videoId"][0] for asked in youtube.paths("/commentThreads")} == {"acmevideo03", "acmevideo04"}
    reading.clock.advance(86_400)
    youtube.asked.clear()
    reading.again()
    youtube.videos.clear()
    reading.until(400)
    assert not youtube.paths("/commentThreads")


def test_a_hundred_searches_are_spread_over_the_day(youtube: YouTubeServer) -> None:
    start = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    reading = Reading(youtube, ACME, start=start, channels=(), daily_searches=96)
    pages = reading.until(3 * 3_600)
    assert 12 <= youtube.searches <= 13
    assert pages[-1].usage[1] == Usage("searches", youtube.searches, 96, start + timedelta(days=1))


def test_the_units_of_a_day_last_until_its_end(youtube: YouTubeServer) -> None:
    reading = Reading(youtube, start=resets(START) - timedelta(hours=2), daily_units=148, reserve_units=100)
    pages = reading.until(3_600)
    assert 32 <= youtube.units <= 36  # 20 at once, and half of the 28 that are left
    pages = reading.until(3_599)
    assert 46 <= youtube.units <= 48
    assert pages[-1].usage[0].used == youtube.units
    reading.until(1_800)
    assert youtube.units > 48


def test_a_quota_used_up_elsewhere_is_waited_for(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(1), "late")]
    youtube.quota = 0
    reading = Reading(youtube, start=resets(START) - timedelta(hours=2))
    pages = reading.until(1_800)
    assert youtube.units == 1
    assert [(usage.used, usage.limit) for usage in pages[-1].usage] == [(8_000, 10_000), (0, 100)]
    assert not pages[-1].heard
    youtube.quota = 10_000
    reading.again()
    assert not ids(reading.until(3_600))
    assert ids(reading.until(3_600)) == [name(1)]


def test_a_reserve_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="nothing is left for listening"):
        Config(api_key=SecretStr(KEY), daily_units=2_000)


@pytest.mark.parametrize("reason", ["commentsDisabled", "videoNotFound"])
def test_a_video_without_comments_is_left_alone_for_hours(youtube: YouTubeServer, reason: str) -> None:
    youtube.closed = {VIDEO: reason}
    Reading(youtube, channels=(), videos=(VIDEO,)).until(5 * 3_600)
    assert youtube.units == 1


def test_an_unknown_channel_and_a_wrong_key_stop_the_source(youtube: YouTubeServer) -> None:
    youtube.closed = {OURS: "channelNotFound"}
    with pytest.raises(SourceRefused, match=r"sources\.youtube\.channels"):
        Reading(youtube).until(10)
    with pytest.raises(SourceRefused, match="API key not valid"):
        Reading(youtube, api_key=SecretStr("wrong")).until(10)
    with pytest.raises(SourceRefused, match=r"sources\.youtube\.channels or \.videos"):
        Reading(youtube, channels=()).until(10)


@pytest.mark.parametrize(
    ("answer", "trouble", "wait", "delays"),
    [
        (told(500, {}), "http", None, [15, 30, 60]),
        (refusal(403, "rateLimitExceeded"), "rate_limited", None, [60, 120, 240]),
        (told(429, {}, Retry_After="20"), "rate_limited", 20, [60, 120, 240]),
        (Told(200, b"<html>"), "http", None, [15, 30, 60]),
        (Told(200, b"[" * 100_000), "http", None, [15, 30, 60]),
        (Told(200, b"[]"), "http", None, [15, 30, 60]),
        (Told(302, b"", {"Location": "/youtube/v3/commentThreads"}), "http", None, [15, 30, 60]),
        (refusal(404, "somethingNew"), "http", None, [15, 30, 60]),
    ],
)
def test_what_fails_is_asked_once_and_again_after_the_stated_delay(
    youtube: YouTubeServer, answer: Told, trouble: str, wait: float | None, delays: list[float]
) -> None:
    youtube.fail("/commentThreads", answer)
    with pytest.raises(SourceUnavailable) as failure:
        Reading(youtube).until(10)
    assert (failure.value.trouble, failure.value.retry_after) == (trouble, wait)
    backoff = Connector.backoff[failure.value.trouble]
    assert [backoff.delay(attempt) for attempt in (1, 2, 3)] == delays
    assert len(youtube.asked) == 1


def test_an_answer_without_end_is_not_read_to_it(youtube: YouTubeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors._youtube_api._MAX_BYTES", 10_000)
    youtube.comments = [comment(name(number), "late " * 100) for number in range(50)]
    with pytest.raises(SourceUnavailable, match="over 10,000 bytes"):
        Reading(youtube).until(10)


# ------------------------------------------------------------------------------------------------------------- items


def read(resource: dict[str, Any]) -> Any:
    (item,) = Reader("youtube", "acme", (OURS,), ()).parse(as_json(resource), START)
    return item


def test_a_comment_says_where_it_stands_and_who_said_it() -> None:
    made = read(comment(name(1), "late", imageUrl="https://yt3.ggpht.com/a.png"))
    assert (made.author.id, made.author.handle, made.author.name) == ("UCanaanaanaanaanaanaana1", "ana", "@ana")
    assert made.url == f"https://www.youtube.com/watch?v={VIDEO}&lc={name(1)}"
    assert (made.conversation, made.parent, made.brand) == (f"youtube:{name(1)}", f"youtube:{VIDEO}", "acme")
    assert made.media == (Media(url="https://yt3.ggpht.com/a.png"),)
    assert read(comment(name(1), "late", channelId=BEN)).brand is None


@pytest.mark.parametrize(
    "resource",
    [
        comment("x", "late"),
        comment(name(1), ""),
        comment(name(1), "late", publishedAt="yesterday"),
        comment(name(1), "late", authorChannelId=None, authorDisplayName=""),
        clip("x"),
        clip(title="", description=" "),
        {"kind": "youtube#commentThread", "id": name(1)},
    ],
)
def test_a_resource_that_makes_no_sense_is_a_bad_item(resource: dict[str, Any]) -> None:
    with pytest.raises(BadItem):
        read(resource)


# ----------------------------------------------------------------------------------------------------------- recheck


def test_what_is_gone_or_reworded_is_told(youtube: YouTubeServer) -> None:
    long = [f"{name(1)}.{number:030}" for number in range(46)]  # an address of more than 2,048 characters
    kept = [read(comment(id, "late", parentId=name(1))) for id in long]
    kept += [read(comment(name(2), "late")), read(comment(name(3), "late")), read(clip()), read(clip("gonevideo01"))]
    youtube.comments = [comment(id, "late", parentId=name(1)) for id in long]
    youtube.comments.append(comment(name(2), "never came", updatedAt="2026-01-05T10:00:00Z"))
    youtube.videos = [clip()]
    reading = Reading(youtube)
    reworded, gone, video = Rechecker(reading.config, reading.context).recheck(kept)
    assert isinstance(reworded, Mention)
    assert (reworded.text, reworded.edited_at) == ("never came", START + timedelta(hours=1))
    assert [item.mention for item in (gone, video) if isinstance(item, Removal)] == [
        f"youtube:{name(3)}",
        "youtube:gonevideo01",
    ]
    assert youtube.units == 4


def test_what_was_left_out_by_mistake_is_not_taken_for_gone(youtube: YouTubeServer) -> None:
    youtube.comments = [comment(name(1), "late")]
    youtube.fail("/comments", told(200, {"items": []}))
    reading = Reading(youtube)
    assert not Rechecker(reading.config, reading.context).recheck([read(comment(name(1), "late"))])


def test_asking_stays_within_half_of_what_listening_leaves(youtube: YouTubeServer) -> None:
    reading = Reading(youtube, reserve_units=480)
    rechecker = Rechecker(reading.config, reading.context)
    batches = 24 * rechecker.per_hour / rechecker.batch
    youtube.comments.append(comment(name(1), "late"))
    before = len(youtube.asked)
    rechecker.recheck([read(comment(name(1), "late")), read(comment(name(2), "gone")), read(clip())])
    assert batches * (len(youtube.asked) - before) <= 480 / 2


# ----------------------------------------------------------------------------------------------------------- queries


def test_terms_become_as_few_searches_as_possible() -> None:
    config = answering("https://youtube.example").model_copy(update={"channels": (OURS,)})
    brand = Brand(
        "acme",
        terms=('Ac"me', "Acme Parcel", "x" * 190),
        handles=("@AcmeCare",),
        own_accounts={"youtube": (OURS, "@acme")},
        exclude=("acme corp",),
        context=("parcel",),
        languages=("de",),
    )
    channel, first, second, third = queries(config, [brand])
    assert channel.place == f"channel {OURS}"
    assert [first.text, third.text] == ['"Ac me"|"Acme Parcel"', '"AcmeCare"|"acme"']
    assert len(second.text) == 192
    assert first.note.endswith("left to the brand stage: exclusions, context words, languages")


# --------------------------------------------------------------------------------------------------------- answering


@pytest.fixture
def replier(youtube: YouTubeServer) -> Replier:
    return Replier(answering(youtube.url), Context("youtube", (), ManualClock(START)))


ON_OURS = mention(f"youtube:{name(1)}.r1", reply_ref={"thread": name(1), "video": VIDEO, "channel": OURS})
ON_BENS = mention(f"youtube:{name(2)}", reply_ref={"thread": name(2), "video": VIDEO, "channel": BEN})


def test_an_answer_to_a_reply_stands_under_the_top_level_comment(youtube: YouTubeServer, replier: Replier) -> None:
    id = replier.reply(ON_OURS, "Sorry", "key-1")
    assert youtube.asked[-1].json == {"snippet": {"parentId": name(1), "textOriginal": "Sorry"}}
    made = read(youtube.replies[name(1)][0])
    assert (made.native_id, made.author.id, made.parent) == (id, OURS, f"youtube:{name(1)}")
    assert youtube.units == 51


def test_a_video_is_answered_by_a_thread_of_our_own(youtube: YouTubeServer, replier: Replier) -> None:
    youtube.comments = [comment(name(3), "Thanks")]
    id = replier.reply(read(clip()), "Thanks", "key-1")
    assert id != name(3)
    assert replier.reply(read(clip()), "Thanks", "key-1") == id
    assert len(youtube.given) == 1


def test_somebody_elses_words_are_not_taken_for_ours(youtube: YouTubeServer, replier: Replier) -> None:
    youtube.replies[name(1)] = [comment(f"{name(1)}.r1", "Sorry", parentId=name(1))]
    replier.reply(ON_OURS, "Sorry", "key-1")
    assert len(youtube.given) == 1


def test_units_used_up_are_waited_for_until_midnight(youtube: YouTubeServer, replier: Replier) -> None:
    youtube.quota = 0
    with pytest.raises(SourceUnavailable) as failure:
        replier.reply(ON_OURS, "Sorry", "key-1")
    assert (failure.value.trouble, failure.value.retry_after) == ("rate_limited", 23 * 3_600)


def test_a_token_that_was_taken_back_is_for_the_operator(youtube: YouTubeServer) -> None:
    config = answering(youtube.url)
    assert config.reply is not None
    reply = config.reply.model_copy(update={"refresh_token": SecretStr("an-old-token")})
    replier = Replier(config.model_copy(update={"reply": reply}), Context("youtube", (), ManualClock()))
    with pytest.raises(ReplyRefused, match="expired or revoked"):
        replier.reply(ON_OURS, "Sorry", "key-1")
    assert len(youtube.asked) == 1


def test_an_access_token_that_ended_early_is_renewed_once(youtube: YouTubeServer, replier: Replier) -> None:
    replier.reply(ON_OURS, "One", "key-1")
    youtube.fail("/comments", refusal(401, "authError"))
    replier.reply(ON_OURS, "Two", "key-2")
    assert (len(youtube.given), youtube.tokens) == (2, 2)


def test_a_comment_on_our_own_video_can_be_hidden_and_no_other(youtube: YouTubeServer, replier: Replier) -> None:
    assert replier.actions == {"hide"}
    assert replier.may("hide", ON_OURS) is None
    assert replier.act("hide", ON_OURS, "", "key-1") == f"{name(1)}.r1"
    assert youtube.moderated == [(f"{name(1)}.r1", "heldForReview")]
    for action, it in (("hide", ON_BENS), ("hide", read(clip())), ("like", ON_OURS)):
        reason = replier.may(cast(Any, action), it)
        assert reason
        with pytest.raises(ReplyRefused) as failure:
            replier.act(cast(Any, action), it, "", "key-2")
        assert failure.value.reason == reason
    youtube.fail("/setModerationStatus", refusal(403, "forbidden", "Not yours."))
    with pytest.raises(ReplyRefused, match=r"Not yours\."):
        replier.act("hide", ON_OURS, "", "key-3")


# ------------------------------------------------------------------------------------------------------------- a day


def test_through_a_day_of_faults_every_comment_and_reply_comes(youtube: YouTubeServer) -> None:
    chance = random.Random(7)  # noqa: S311 - the same day every time
    reading = Reading(youtube, lookback_secs=60)
    pages: list[Page] = []
    met = -1  # a fault is met before the next
    for _ in range(72):
        for _ in range(chance.randint(0, 6)):
            age = (START - reading.clock.now()).total_seconds()
            youtube.comments.append(comment(name(len(youtube.comments)), "late", age=age))
        if youtube.comments and chance.random() < 0.5:
            parent = chance.choice(youtube.comments)["id"]
            replies = youtube.replies.setdefault(parent, [])
            replies.append(comment(f"{parent}.r{len(replies)}", "mine too", parentId=parent))
        fault = chance.choice([None, None, told(503, {}), refusal(403, "quotaExceeded"), Told(200, b"{"), "restart"])
        if isinstance(fault, Told) and len(youtube.asked) > met and (fault.status != 403 or chance.random() < 0.05):
            youtube.fail("", fault)
            met = len(youtube.asked)
        elif fault == "restart":
            reading.again()
        with suppress(SourceUnavailable):
            reading.until(60, pages)
        reading.clock.advance(1_140)
    reading.clock.advance(86_400)
    with suppress(SourceUnavailable):
        reading.until(60, pages)
    reading.until(3_600, pages)
    written = {one["id"] for one in [*youtube.comments, *(one for some in youtube.replies.values() for one in some)]}
    assert written == set(ids(pages))
    assert all(gap.repaired for gap in gaps(pages))
