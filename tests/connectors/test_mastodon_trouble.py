"""Mastodon: how gaps are filled, and what servers in trouble cost. The promises of all are in tests/contract."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest
import structlog
from pydantic import SecretStr

from connectors._mastodon_api import Allowance
from connectors._mastodon_cursor import Cursor, Place, load
from connectors._mastodon_found import Filled
from connectors._mastodon_pages import back
from connectors.mastodon import Config, Connector, Rechecker, Server
from pipeline.clock import ManualClock
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.mention import Removal
from pipeline.ports import Context
from tests.fixtures.ear import heard
from tests.fixtures.mastodon import ANA, Mastodon
from tests.fixtures.mastodon_listening import NOBODY, WIRES, Ahead, connector, settled, speak, standing
from tests.fixtures.mastodon_streams import TOKEN
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told


@pytest.fixture
def town() -> Iterator[Mastodon]:
    with Mastodon().running() as town:
        yield town


@pytest.fixture
def village() -> Iterator[Mastodon]:
    with Mastodon("village.example", "clerk").running() as village:
        yield village


@WIRES
def test_nothing_is_lost_when_the_connection_is(town: Mastodon, wire: str) -> None:
    clock = Ahead()
    made = connector(town, clock=clock, **speak(town, wire))
    with heard(made) as ear:
        town.post("One #acme")
        ear.until(lambda: settled(ear) and len(ear.items) == 1)
        town.end("close" if wire == "sse" else "reset")
        town.post("@care two", visibility="direct")
        with pytest.raises(SourceUnavailable):
            ear.until(lambda: False)
    town.post("Three #acme")
    clock.by = 2
    with heard(made, ear.cursor) as again:
        again.until(lambda: bool(again.gaps))
        town.post("Four #acme")
        again.until(lambda: "Four #acme" in again.texts)
    assert sorted(ear.texts + again.texts) == ["@care two", "Four #acme", "One #acme", "Three #acme"]
    (gap,) = again.gaps
    assert gap.repaired
    assert gap.since < gap.until


def test_a_server_that_is_down_does_not_stop_the_others(town: Mastodon) -> None:
    with heard(connector(NOBODY, town)) as ear:
        ear.until(lambda: any('"hashtag:acme"' in str(page.cursor) for page in ear.pages))
        town.post("Still here #acme")
        ear.until(lambda: "Still here #acme" in ear.texts)


def test_where_all_are_down_it_fails_and_says_when_the_first_is_tried_again() -> None:
    with heard(connector(NOBODY, "http://localhost:9")) as ear, pytest.raises(SourceUnavailable) as failure:
        ear.until(lambda: False)
    assert failure.value.retry_after is not None
    assert 0 <= failure.value.retry_after <= 1


def test_the_delays_are_those_documented() -> None:
    delays = {
        name: [backoff.delay(attempt) for attempt in (1, 2, 3, 20)] for name, backoff in Connector.backoff.items()
    }
    assert delays["network"] == delays["silent"] == [1, 2, 4, 60]
    assert delays["http"] == [5, 10, 20, 320]
    assert delays["rate_limited"] == [60, 120, 240, 300]


def test_a_server_in_trouble_is_tried_again_later_each_time_and_its_gap_told(town: Mastodon, village: Mastodon) -> None:
    clock = Ahead()
    with structlog.testing.capture_logs() as lines, heard(connector(village, town, clock=clock)) as ear:
        ear.until(lambda: settled(ear))
        village.refusals = [503, 503]
        village.end("reset")
        for attempt in (1, 2, 3):
            ear.until(partial(lambda count: sum("again_secs" in line for line in lines) == count, attempt))
            village.post(f"Missed {attempt} #acme")
            clock.by += 25
        ear.until(lambda: bool(ear.gaps))
    assert [line["again_secs"] for line in lines if "again_secs" in line] == [1, 10, 20]
    assert {"Missed 1 #acme", "Missed 2 #acme", "Missed 3 #acme"} <= set(ear.texts)
    assert ear.gaps[0].repaired


def test_after_a_long_absence_it_asks_page_by_page(town: Mastodon) -> None:
    start = town.now()
    town.now = standing(start)
    town.post("Old #acme")
    with heard(connector(town)) as ear:
        ear.until(lambda: settled(ear))
    town.asked.clear()
    for number in range(95):
        town.now = standing(start + timedelta(minutes=number))
        town.post(f"{number} #acme")
    with heard(connector(town), ear.cursor) as again:
        again.until(lambda: bool(again.gaps))
    assert again.texts[-95:] == [f"{number} #acme" for number in range(95)]
    pages = [one.query for one in town.asked if one.path.endswith("/tag/acme")]
    assert [page["limit"] for page in pages] == [["40"]] * 4
    assert again.gaps[0].repaired
    assert "edits and deletions" in again.gaps[0].note


def test_an_absence_too_long_to_be_made_good_is_told(town: Mastodon) -> None:
    start = town.now()
    town.now = standing(start)
    with heard(connector(town)) as ear:
        ear.until(lambda: settled(ear))
    for number in range(50):
        town.now = standing(start + timedelta(minutes=number))
        town.post(f"{number} #acme")
    with heard(connector(town, fill_pages=1), ear.cursor) as again:
        again.until(lambda: bool(again.gaps))
    assert len(again.texts) == 40
    assert not again.gaps[0].repaired
    assert "more than 40 posts" in again.gaps[0].note


def test_a_post_that_reached_the_server_late_is_found(town: Mastodon) -> None:
    start = town.now()
    town.post("First #acme")
    with heard(connector(town)) as ear:
        ear.until(lambda: settled(ear))
    town.now = standing(start - timedelta(seconds=30))
    town.post("Written before, arrived after #acme")
    with heard(connector(town), ear.cursor) as again:
        again.until(lambda: bool(again.gaps))
    assert "Written before, arrived after #acme" in again.texts


def test_an_earlier_place_is_reckoned_only_where_ids_tell_the_time() -> None:
    assert back(str(1_767_600_000_000 << 16 | 77), 60) == str(1_767_599_940_000 << 16)
    assert back("4711", 60) == "4711"
    assert back("01HZX3Y4QJ8A9B0C1D2E3F4G5H", 60) == "01HZX3Y4QJ8A9B0C1D2E3F4G5H"


def test_a_limit_is_obeyed_as_long_as_it_says(town: Mastodon) -> None:
    clock = Ahead()
    town.post("One #acme")
    town.fail("/tag/acme", told(429, {"error": "Too many requests"}, Retry_After="300"))
    with heard(connector(town, clock=clock)) as ear:
        ear.until(lambda: any(one.path.endswith("/tag/acme") for one in town.asked))
        asked = len(town.asked)
        for seconds in (0, 299):
            clock.by = seconds
            for _ in range(5):
                ear.pull()
            assert len(town.asked) == asked
        clock.by = 301
        ear.until(lambda: ear.texts == ["One #acme"])


def test_a_limit_at_the_door_is_the_sources_and_its_rest_is_told(town: Mastodon) -> None:
    town.limit = (40, 300)
    with heard(connector(town)) as ear:
        ear.until(lambda: settled(ear))
        usage = ear.pages[-1].usage[0]
    assert (usage.unit, usage.limit, bool(usage.resets)) == (
        f"requests to {town.url.removeprefix('http://')}",
        300,
        True,
    )
    assert 260 < usage.used < 270
    town.fail("/instance", told(429, {"error": "Too many requests"}, x_ratelimit_reset="nonsense", retry_after="77"))
    with heard(connector(town)) as ear, pytest.raises(SourceUnavailable) as failure:
        ear.until(lambda: False)
    assert (failure.value.trouble, failure.value.retry_after) == ("rate_limited", 77)


def test_what_a_limit_does_not_let_be_asked_is_left_for_another_time_and_not_waited_for(town: Mastodon) -> None:
    clock = ManualClock()
    posts = [town.post(f"{number} #acme") for number in range(3)]
    refs = [{"server": town.url, "id": post["id"], "visibility": "public", "acct": ANA} for post in posts]
    kept = [mention(f"mastodon:{post['uri']}", "#acme", reply_ref=ref) for post, ref in zip(posts, refs, strict=True)]
    town.delete(posts[1]["id"])
    config = Config(servers=(Server(url=town.url, access_token=SecretStr(TOKEN)),))
    rechecker = Rechecker(config, Context("toots", (), clock))
    reset = (clock.now() + timedelta(seconds=60)).isoformat()
    town.fail("/statuses", told(404, {}, x_ratelimit_limit="300", x_ratelimit_remaining="0", x_ratelimit_reset=reset))
    before = len(town.asked)
    assert list(rechecker.recheck(kept)) == []
    assert len(town.asked) == before + 1
    with pytest.raises(SourceUnavailable) as failure:
        rechecker.recheck(kept)
    assert failure.value.retry_after == pytest.approx(60)
    clock.advance(61)
    (gone,) = rechecker.recheck(kept)
    assert isinstance(gone, Removal)
    assert len(town.asked) > before + 1


def test_without_a_word_from_the_server_it_keeps_to_the_documented_limit() -> None:
    clock = ManualClock()
    allowance = Allowance("town.example", clock)
    for _ in range(280):
        assert allowance.wait_secs() == 0
        allowance.spent()
        clock.advance(0.5)
    assert allowance.wait_secs() == pytest.approx(160)
    assert allowance.scarce
    clock.advance(161)
    assert allowance.wait_secs() == 0


def test_an_event_over_the_limit_ends_the_connection_and_not_the_memory(town: Mastodon) -> None:
    for wire in ("sse", "websocket"):
        with heard(connector(town, max_message_bytes=10_000, **speak(town, wire))) as ear:
            ear.until(partial(settled, ear))
            town.raw('{"stream": ["user"], "event": "update", "payload": "' + "x" * 50_000 + '"}')
            with pytest.raises(SourceUnavailable) as failure:
                ear.until(lambda: False)
        assert failure.value.trouble == "network"


@pytest.mark.parametrize("wire", ["websocket", "sse"])
def test_a_stream_without_a_sign_of_life_is_left(town: Mastodon, wire: str) -> None:
    if wire != "sse":
        town.deaf = True
    with (
        heard(connector(town, silence_secs=0.3, **speak(town, wire))) as ear,
        pytest.raises(SourceUnavailable) as failure,
    ):
        ear.until(lambda: False)
    assert failure.value.trouble == "silent"


def test_a_token_that_is_refused_is_for_the_operator_and_does_not_show(town: Mastodon) -> None:
    town.refusals = [401]
    with heard(connector(town)) as ear, pytest.raises(SourceRefused, match="refuses") as failure:
        ear.until(lambda: False)
    assert TOKEN not in str(failure.value)


def test_a_stream_is_not_followed_into_the_private_network_nor_without_encryption(town: Mastodon) -> None:
    for address, trouble in (("wss://127.0.0.2:1", SourceUnavailable), ("ws://example.com", SourceRefused)):
        town.socket_url = address
        with heard(connector(town)) as ear, pytest.raises(trouble, match=r"private|encryption"):
            ear.until(lambda: False)


def test_a_cursor_of_something_else_is_for_the_operator(town: Mastodon) -> None:
    with heard(connector(town), "[]") as ear, pytest.raises(SourceRefused, match="not one of Mastodon's"):
        ear.pull()


def test_what_is_heard_while_a_gap_is_filled_does_not_shorten_it() -> None:
    morning = datetime(2026, 1, 5, 9, tzinfo=UTC)
    place = Place(heard=morning, last={"hashtag:acme": "5", "hashtag:gone": "5"})
    place.begin(["hashtag:acme", "user"], morning + timedelta(hours=1))
    place.advance("hashtag:acme", "12")
    assert place.fill(Filled("town", "hashtag:acme", "7")) == []
    again = load(msgspec.json.encode(Cursor({"town": place})).decode()).servers["town"]
    assert again.behind == {"hashtag:acme": "7", "user": None}
    assert again.last == {"hashtag:acme": "12"}
    again.heard = morning + timedelta(hours=1)
    again.begin(["hashtag:acme", "user"], morning + timedelta(hours=2))
    assert again.fill(Filled("town", "hashtag:acme", "", done=True)) == []
    (gap,) = again.fill(Filled("town", "user", "", done=True))
    assert (gap.since, gap.until, gap.repaired) == (morning, morning + timedelta(hours=2), True)
    assert again.last == {"hashtag:acme": "12", "user": "0"}
