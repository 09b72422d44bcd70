"""The demo's mentions are what docs/quickstart.md says they are."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipeline import codec
from pipeline.mention import Kind, Mention, Removal

FILE = Path(__file__).parents[2] / "examples" / "demo" / "mentions.jsonl"

REAL_NAMES = re.compile(
    r"\b(amtrak|avanti|lner|eurostar|sncf|thalys|trenitalia|renfe|ryanair|easyjet|lufthansa|uber|amazon|google|microsoft"
    r"|northwind|contoso|facebook|instagram|tiktok|twitter|youtube|whatsapp|starbucks|costa|trustpilot|visa|paypal)\b"
)

STORM_FROM = datetime.fromisoformat("2026-03-12T08:31:00Z")
STORM_TO = datetime.fromisoformat("2026-03-12T08:58:00Z")
STORM_WORDS = re.compile(
    r"wexley|wheelchair|fauteuil|next ?one|guard|ramp|muffin|shame|sack him|left her|leaving people|the door"
    r"|that platform|assistance|horrified|annual pass|never again|got home|camera|larkline thing|disgust|that video"
    r"|cruel|vile|clip|orla|disabled|fined|boycott|outrage|apology|shaking|furious|shouted|complaint sent"
    r"|lost this family",
    re.I,
)


@pytest.fixture(scope="module")
def items() -> list[Mention | Removal]:
    decoded = [codec.decode(line) for line in FILE.read_bytes().splitlines()]
    assert all(isinstance(item, Mention | Removal) for item in decoded)
    return [item for item in decoded if isinstance(item, Mention | Removal)]


@pytest.fixture(scope="module")
def mentions(items: list[Mention | Removal]) -> list[Mention]:
    return [item for item in items if isinstance(item, Mention)]


def when(item: Mention | Removal) -> datetime:
    return item.revision if isinstance(item, Mention) else item.noticed_at


def test_there_are_some_hundreds_in_order_of_time_within_about_three_hours(items: list[Mention | Removal]) -> None:
    times = [when(item) for item in items]
    assert 380 <= len(items) <= 440
    assert times == sorted(times)
    assert timedelta(hours=2.5) <= times[-1] - times[0] <= timedelta(hours=3.5)
    assert all(time.utcoffset() == timedelta(0) for time in times)


def test_an_id_comes_twice_only_where_a_post_was_edited(mentions: list[Mention]) -> None:
    twice = [id for id, count in Counter(mention.id for mention in mentions).items() if count > 1]
    assert len(twice) == 1
    first, second = (mention for mention in mentions if mention.id == twice[0])
    assert first.edited_at is None
    assert second.edited_at is not None
    assert second.edited_at > first.created_at == second.created_at
    assert first.text != second.text


def test_ids_name_their_source_and_threads_and_parents_come_first(mentions: list[Mention]) -> None:
    threads: dict[str, str] = {}
    for mention in mentions:
        assert mention.id == f"{mention.source}:{mention.native_id}"
        if mention.parent is not None:
            assert mention.parent in threads, f"{mention.id} answers {mention.parent}, which did not come before it"
        if mention.conversation != mention.id:
            assert mention.parent is not None
            assert threads[mention.parent] == mention.conversation
        if mention.kind in (Kind.REPLY, Kind.QUOTE, Kind.REPOST, Kind.COMMENT):
            assert mention.parent is not None
        threads[mention.id] = mention.thread


def test_removals_take_back_what_came_before(items: list[Mention | Removal], mentions: list[Mention]) -> None:
    removals = [item for item in items if isinstance(item, Removal)]
    assert {removal.reason for removal in removals} == {"deleted", "compliance", "account_gone"}
    for removal in removals:
        assert (removal.mention is None) != (removal.author is None)
        gone = [
            mention
            for mention in mentions
            if mention.created_at < removal.noticed_at
            and removal.target in (f"mention:{mention.id}", f"author:{mention.source}:{mention.author.id}")
        ]
        assert gone, f"{removal.target} was never said"
    assert sum(removal.author is not None for removal in removals) == 1


def test_every_source_kind_and_language_is_there(mentions: list[Mention]) -> None:
    sources = Counter(mention.source for mention in mentions)
    kinds = Counter(mention.kind for mention in mentions)
    languages = Counter(mention.lang for mention in mentions)
    assert set(sources) == {"x", "bluesky", "mastodon", "reddit", "reviews", "forum", "mail", "rss"}
    assert min(sources.values()) >= 5
    assert set(kinds) == set(Kind)
    assert languages[None] >= 40
    assert {"en", "de", "fr", "es", "it", "nl", "pt", "pl"} <= set(languages)
    assert 25 <= sum(count for code, count in languages.items() if code not in ("en", None)) <= 90


def test_reviews_have_stars_and_only_private_sources_name_the_brand(mentions: list[Mention]) -> None:
    for mention in mentions:
        assert (mention.rating is not None) == (mention.kind is Kind.REVIEW)
        assert mention.rating is None or 0 <= mention.rating <= 1
        assert (mention.brand == "larkline") == (mention.source in ("reviews", "mail"))


def test_the_audience_goes_from_a_handful_to_nearly_a_million(mentions: list[Mention]) -> None:
    followers = [mention.author.followers for mention in mentions if mention.author.followers is not None]
    assert min(followers) <= 5
    assert 800_000 <= max(followers) <= 900_000


def test_the_firestorm_builds_slowly_then_bursts_with_distinct_authors(mentions: list[Mention]) -> None:
    storm = [m for m in mentions if STORM_FROM <= m.created_at < STORM_TO and STORM_WORDS.search(m.text)]
    slow = [mention for mention in storm if mention.created_at < STORM_FROM + timedelta(minutes=10)]
    burst = [mention for mention in storm if mention.created_at >= STORM_TO - timedelta(minutes=13)]
    assert 70 <= len(storm) <= 100
    assert len({mention.author.id for mention in storm}) >= 50
    assert len(slow) < len(burst) / 4
    assert sum(mention.kind is Kind.REPOST for mention in storm) >= 10


def test_our_own_account_answers_and_customers_come_back(mentions: list[Mention]) -> None:
    own = {mention.id for mention in mentions if mention.own}
    assert len(own) >= 8
    assert sum(mention.parent in own and not mention.own for mention in mentions) >= 5
    voices = Counter(mention.author.id for mention in mentions if not mention.own)
    assert sum(count > 1 for count in voices.values()) >= 10


def test_hardly_any_two_texts_are_made_from_one_mould(mentions: list[Mention]) -> None:
    texts = [frozenset(words(mention.text)) for mention in mentions if mention.kind is not Kind.REPOST]
    alike = [
        one
        for place, one in enumerate(texts)
        if any(len(one & other) > 0.6 * len(one | other) for other in texts[:place])
    ]
    assert 8 <= len(alike) <= len(texts) / 10, (
        "few but the petition and the giveaway, which are waves of near-duplicates"
    )


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def test_no_real_company_is_named_and_every_address_is_an_example(items: list[Mention | Removal]) -> None:
    text = FILE.read_text(encoding="utf-8").casefold()
    assert REAL_NAMES.findall(text) == []
    hosts = re.findall(r"https?://([^/\"\s]+)", text)
    assert hosts
    assert all(host.endswith(".example") for host in hosts)


def test_the_mention_that_the_quickstart_explains_is_there(mentions: list[Mention]) -> None:
    page = (FILE.parents[2] / "docs" / "quickstart.md").read_text(encoding="utf-8")
    named = re.findall(r"harken explain (\S+:\S+)", page)
    assert named
    assert set(named) <= {mention.id for mention in mentions}
