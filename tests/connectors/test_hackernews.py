"""Reading Hacker News item by item, what changed of it, and searching for what was missed; what every connector
promises is in tests/contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import pytest

from connectors._hackernews_items import hits
from connectors._hackernews_memory import Known, State, restored
from connectors._watch import Terms
from connectors.hackernews import DEEPEST, Config, Connector, Rechecker, queries
from pipeline.clock import ManualClock
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Kind, Mention, Metrics, Removal
from pipeline.ports import Brand, Context, Gap, Page, Rejection
from tests.fixtures.hackernews import START, Site, item
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Told, told

ACME = Brand("acme", terms=("Acme",), handles=("@AcmeCare",), own_accounts={"hackernews": ("acme_care",)})


@pytest.fixture
def site() -> Iterator[Site]:
    with Site().running() as server:
        yield server


class Reading:
    """A connector on a clock moved by hand; `rounds` looks so often, from the saved cursor on."""

    def __init__(self, site: Site, *brands: Brand, **changes: Any) -> None:
        self.clock = ManualClock(START)
        # A budget that is not met: what passes on the clock is then the rest between two rounds.
        given = {"api_base": site.url, "search_base": site.url, "backfill_hours": 0, "requests_a_minute": 1_200}
        self.config = Config(**(given | changes))
        self.context = Context("hn", brands or (ACME,), self.clock)
        self.cursor: str | None = None
        self.again()

    def again(self) -> None:
        """As after a restart."""
        self.connector = Connector(self.config, self.context)

    def rounds(self, number: int = 1, pages: list[Page] | None = None) -> list[Page]:
        pages = [] if pages is None else pages
        with closing(cast(Any, self.connector.pages(self.cursor))) as run:
            rests = len(self.clock.waits)
            for page in run:
                pages.append(page)
                self.cursor = page.cursor or self.cursor
                if sum(self.clock.waits[rests:]) > self.config.poll_secs * (number - 1):
                    break
        return pages


def items(pages: list[Page]) -> list[Item]:
    return [item for page in pages for item in page.items if not isinstance(item, Rejection)]


def ids(pages: list[Page]) -> list[str]:
    return [item.native_id if isinstance(item, Mention) else item.target for item in items(pages)]


def gaps(pages: list[Page]) -> list[Gap]:
    return [gap for page in pages for gap in page.gaps]


def started(site: Site, *brands: Brand, **changes: Any) -> Reading:
    reading = Reading(site, *brands, **changes)
    reading.rounds()
    return reading


def test_everything_new_is_read_and_what_concerns_the_brand_passed_on(site: Site) -> None:
    reading = started(site)
    site.add(
        item(101, "ACME's parcels are late", title="Ask HN"),
        item(102, "Nothing"),
        item(103, "Acmeology"),
        item(104, "hello", by="acme_care"),
        item(105, "@acmecare help", parent=102),
        item(106, "why?", parent=104),
        item(107, title="New label", url="https://www.acme.com/label"),
        item(108, "Acme", dead=True),
        item(109, deleted=True),
    )
    assert ids(reading.rounds()) == ["101", "104", "105", "106", "107"]
    assert ids(reading.rounds()) == []


def test_a_story_and_a_comment_are_told_with_their_thread(site: Site) -> None:
    reading = started(site)
    site.items |= {40: item(40, title="A story"), 41: item(41, "one", parent=40), 42: item(42, "two", parent=41)}
    site.add(
        item(
            101, "<p>Acme &amp; more<p>again", title="Late", url="https://x.example/", score=7, descendants=3, kids=[5]
        ),
        item(102, "Acme", parent=42, kids=[9, 10]),
        item(103, "Acme", parent=42),
    )
    story, comment, other = cast(list[Mention], items(reading.rounds()))
    assert (story.kind, story.title, story.text) == (Kind.POST, "Late", "Acme & more\nagain\nhttps://x.example/")
    assert (story.thread, story.parent, story.metrics) == (story.id, None, Metrics(likes=7, replies=3))
    assert story.url == "https://news.ycombinator.com/item?id=101"
    assert (comment.kind, comment.metrics.replies) == (Kind.COMMENT, 2)
    assert (comment.conversation, comment.parent) == ("hackernews:40", "hackernews:42")
    assert other.conversation == "hackernews:40"
    assert [site.asked_for(id) for id in (40, 41, 42)] == [1, 1, 1], "a thread is climbed once"


def test_a_thread_whose_beginning_is_not_to_be_found_hangs_on_the_parent(site: Site) -> None:
    reading = started(site)
    site.items |= {41: item(41, "one", parent=42), 42: item(42, "two", parent=41), 43: {"id": 43, "kids": "none"}}
    site.add(item(101, "Acme", parent=39), item(102, "Acme", parent=42), item(103, "Acme", parent=43))
    found = cast(list[Mention], items(reading.rounds()))
    assert [one.conversation for one in found] == [one.parent for one in found]


def test_a_comment_whose_thread_cannot_be_climbed_now_waits_and_the_others_do_not(site: Site) -> None:
    reading = started(site)
    site.items[40] = item(40, title="A story")
    site.add(item(101, "Acme", parent=40), item(102, "Acme"))
    site.fail("/item/40.json", Told(500))
    assert ids(reading.rounds()) == ["102"]
    (late,) = cast(list[Mention], items(reading.rounds()))
    assert (late.native_id, late.conversation) == ("101", "hackernews:40")


def test_an_item_that_is_not_there_yet_is_waited_for_across_a_restart_and_given_up_in_the_end(site: Site) -> None:
    reading = started(site)
    site.add(item(103, "Acme"))
    assert ids(reading.rounds()) == ["103"]
    site.items[102] = item(102, "Acme again")
    reading.again()
    assert ids(reading.rounds()) == ["102"]
    reading.clock.advance(700)
    pages = reading.rounds(3)
    assert not [gap for gap in gaps(pages) if "101" in gap.reason], "it may never have been public"
    before = site.asked_for(101)
    reading.rounds()
    assert site.asked_for(101) == before


def test_one_item_that_fails_holds_up_nothing_and_is_a_gap_in_the_end(site: Site) -> None:
    reading = started(site)
    site.add(*(item(id, "Acme") for id in range(101, 106)))
    site.fail("/item/103.json", Told(500))
    assert ids(reading.rounds()) == ["101", "102", "104", "105"]
    assert ids(reading.rounds()) == ["103"]
    site.add(*(item(id, "Acme") for id in range(106, 110)))
    site.fail("/item/107.json", Told(500))
    reading.rounds()
    reading.clock.advance(700)
    site.fail("/item/107.json", Told(500))
    site.add(*(item(id, "Acme") for id in range(110, 114)))
    (lost,) = [gap for gap in gaps(reading.rounds()) if "107" in gap.reason]
    assert not lost.repaired
    assert lost.until - lost.since >= timedelta(seconds=700)


@pytest.mark.parametrize(
    ("at", "answer", "trouble", "wait"),
    [
        ("maxitem.json", Told(503), "http", None),
        ("maxitem.json", told(200, "many"), "http", None),
        ("maxitem.json", told(429, {}, Retry_After="77"), "rate_limited", 77),
        ("updates.json", told(200, []), "http", None),
        ("updates.json", Told(200, b"<html>"), "http", None),
    ],
)
def test_a_fault_is_for_later(site: Site, at: str, answer: Told, trouble: str, wait: float | None) -> None:
    site.fail(at, answer)
    with pytest.raises(SourceUnavailable) as failure:
        Reading(site).rounds()
    assert failure.value.trouble == trouble
    assert failure.value.retry_after == wait


def test_when_most_items_fail_it_is_hacker_news_that_does_and_none_is_passed_over(site: Site) -> None:
    reading = started(site)
    site.add(*(item(id, "Acme") for id in range(101, 105)))
    for id in (101, 102, 103):
        site.fail(f"/item/{id}.json", Told(500))
    pages: list[Page] = []
    with pytest.raises(SourceUnavailable):
        reading.rounds(pages=pages)
    assert ids(pages) == ["104"]
    reading.clock.advance(700)
    assert ids(reading.rounds()) == ["101", "102", "103"]
    for id in (105, 106):
        site.add(item(id, "Acme"))
        site.fail(f"/item/{id}.json", Told(500))
    before = reading.cursor
    with pytest.raises(SourceUnavailable):
        reading.rounds()
    assert reading.cursor == before, "where all fail nothing is passed over"
    site.items[107] = item(107, "Acme")
    assert ids(reading.rounds()) == ["105", "106"]


def test_what_is_no_item_loses_none(site: Site) -> None:
    reading = started(site)
    site.add(item(101, "Acme"))
    for answer in (Told(200, b"<html>"), told(200, {"id": 7, "type": "story"}), told(200, [])):
        site.fail("/item/101.json", answer)
        with pytest.raises(SourceUnavailable):
            reading.rounds()
    assert ids(reading.rounds()) == ["101"]


def test_rewordings_and_removals_of_what_was_passed_on_follow_even_after_a_restart(site: Site) -> None:
    reading = started(site)
    site.items[40] = item(40, title="A story")
    site.add(item(101, "Acme is late", parent=40), item(102, "Acme too", parent=40), item(103, "Nothing"))
    reading.rounds()
    site.items[101]["text"] = "It came"
    site.items[101]["kids"] = [104]
    site.items[102]["dead"] = True
    site.updated = [101, 102, 103, 40]
    reading.again()
    reworded, gone = items(reading.rounds())
    assert isinstance(reworded, Mention)
    assert (reworded.text, reworded.conversation) == ("It came", "hackernews:40")
    assert reworded.edited_at is not None
    assert isinstance(gone, Removal)
    assert (gone.mention, gone.conversation) == ("hackernews:102", "hackernews:40")
    assert site.asked_for(103) == 1, "what was not passed on is not looked at again"
    assert items(reading.rounds()) == []
    site.items[101]["score"] = 9
    assert items(reading.rounds()) == []


def test_only_the_changes_of_the_last_500_are_followed() -> None:
    state = State()
    state.remember({id: Known("words", 0) for id in range(600)})
    state.remember({100: Known("other words", 0)})
    again = restored(state.cursor(), "hn")
    assert list(again.known) == [*range(101, 600), 100]
    assert restored("no cursor", "hn") == State()


def test_on_the_first_start_what_was_said_before_is_searched_for(site: Site) -> None:
    story = item(50, age=3_600, title="Acme", url="https://acme.com", score=3)
    site.add(story, item(51, "Acme", age=3_600, parent=50, root=50), item(52, "acme", age=9e5))
    site.add(*(item(id, f"Acme {id}", age=60) for id in range(60, 80)), item(81, "Acmeology", age=60))
    pages = Reading(site, backfill_hours=24).rounds()
    assert sorted(ids(pages), key=int) == ["50", "51", *map(str, range(60, 80))]
    found = {one.native_id: one for one in items(pages) if isinstance(one, Mention)}
    assert (found["51"].conversation, found["51"].parent) == ("hackernews:50", "hackernews:50")
    assert (found["50"].text, found["50"].metrics.likes) == ("Acme\nhttps://acme.com", 3)
    assert all(page.cursor is None for page in pages if page.items), "a crash begins again"
    assert gaps(pages) == []


def test_the_search_is_read_page_by_page_to_its_end_of_1000(site: Site) -> None:
    site.newest = 1_200
    site.add(*(item(id, "Acme", age=60) for id in range(1, 1_200)))
    assert len(ids(Reading(site, Brand("acme", terms=("Acme",)), backfill_hours=24).rounds())) == 1_000


def test_a_short_pause_is_read_item_by_item_and_is_a_gap_that_was_filled(site: Site) -> None:
    reading = started(site)
    reading.clock.advance(3_600)
    site.add(item(140, "Acme", age=-60))
    pages = reading.rounds()
    assert ids(pages) == ["140"]
    (gap,) = gaps(pages)
    assert gap.repaired
    assert gap.until - gap.since == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=40))


def test_what_a_long_pause_left_out_is_searched_for(site: Site) -> None:
    reading = started(site)
    reading.clock.advance(86_400)
    end = 100 + DEEPEST + 500
    site.add(item(3_000, "Acme in between", age=-40_000), item(end - 3, "Acme at last", age=-86_000), item(end))
    pages = reading.rounds()
    assert ids(pages) == ["3000", str(end - 3)]
    (gap,) = gaps(pages)
    assert gap.repaired
    assert "hn.algolia.com" in gap.note
    assert sum("/item/" in asked.path for asked in site.asked) == 50


def test_no_more_requests_are_made_than_its_own_budget_allows(site: Site) -> None:
    reading = started(site)
    site.add(*(item(id, "no") for id in range(101, 130)))
    reading.config = reading.config.model_copy(update={"requests_a_minute": 10})
    reading.again()
    with closing(cast(Any, reading.connector.pages(reading.cursor))) as run:
        page = next(page for page in run if page.cursor)
    assert reading.clock.monotonic() == pytest.approx(120 + 0.5, abs=1), "maxitem and 29 items, ten a minute"
    assert [(usage.unit, usage.used, usage.limit) for usage in page.usage] == [("requests a minute", 10, 10)]


def test_one_term_is_searched_once_and_everything_new_is_said_to_be_read() -> None:
    config = Config(terms=("acme", "label"))
    whole, *searched = queries(config, [ACME, Brand("other", terms=("ACME",))])
    assert (whole.text, whole.brand) == ("", "")
    assert [(query.text, query.brand) for query in searched] == [
        ('"Acme"', ""),
        ('"AcmeCare"', "acme"),
        ('"label"', ""),
    ]


def test_without_a_term_there_is_nothing_to_listen_for(site: Site) -> None:
    with pytest.raises(SourceRefused, match=r"sources\.hn\.terms"):
        Reading(site, Brand("acme")).rounds()
    assert not Terms([" "])


def test_a_search_result_that_is_none_is_a_fault_and_one_bad_hit_is_not() -> None:
    for body in (b"", b"[]", b'{"hits": []}', b'{"hits": 1, "nbPages": 1}', b"[" * 5_000):
        with pytest.raises(BadItem):
            hits(body)
    assert hits(b'{"hits": [1, {}, {"objectID": "x"}], "nbPages": 1}') == ([], 1)


def test_what_became_of_mentions_is_asked_for(site: Site) -> None:
    site.add(item(1, "Acme lost my parcel"), item(2, "Reworded"), item(3, "x", dead=True), item(4, deleted=True))
    site.items[6] = {"id": 6, "text": "no author"}
    rechecker = Rechecker(Reading(site).config, Context("hn", (), ManualClock(START)))
    asked = [mention(f"hackernews:{id}", conversation="hackernews:40") for id in (1, 2, 3, 4, 5, 6)]
    found = {one.target if isinstance(one, Removal) else one.id: one for one in rechecker.recheck(asked)}
    assert found.keys() == {"hackernews:2", *(f"mention:hackernews:{id}" for id in (3, 4, 5))}
    reworded = found["hackernews:2"]
    assert isinstance(reworded, Mention)
    assert (reworded.text, reworded.edited_at) == ("Reworded", START)
    assert {one.conversation for one in found.values()} == {"hackernews:40"}
    site.fail("/item/1.json", Told(500))
    with pytest.raises(SourceUnavailable):
        rechecker.recheck(asked)
