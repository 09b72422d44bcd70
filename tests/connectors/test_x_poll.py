"""Recent search asked again and again: what a round finds, what it costs, and what it cannot find any more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.x import Config, Connector, queries
from pipeline.clock import ManualClock
from pipeline.errors import SourceUnavailable
from pipeline.ports import Brand, Context, Gap, Page
from tests.fixtures.x_server import START, TOKEN, XServer, post

BRANDS = (Brand("acme", terms=("Acme",)), Brand("delta", terms=("Delta",)))


class Polled:
    """A connector that polls, its clock and X's going together."""

    def __init__(self, x: XServer, **settings: Any) -> None:
        self.x = x
        self.clock = ManualClock(START)
        config = {"bearer_token": SecretStr(TOKEN), "api_base": x.url, "mode": "poll"} | settings
        self.connector = Connector(Config(**config), Context("birds", BRANDS, self.clock))
        self.cursor: str | None = None

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.x.now = self.clock.now()

    def read(self, enough: Callable[[list[Page]], bool]) -> list[Page]:
        """The pages until they are enough, and one more, so that they are durable; `cursor` is then theirs."""
        read: list[Page] = []
        patience = time.monotonic() + 20
        with closing(self._pages()) as pages:
            for page in pages:
                read.append(page)
                if enough(read):
                    next(pages)  # control comes back to it: the last page is durable
                    break
                assert time.monotonic() < patience, "what was awaited did not come"
        self.cursor = [page.cursor for page in read if page.cursor is not None][-1]
        return read

    def round(self) -> list[Page]:
        """One round of searches of both brands."""
        return self.read(lambda read: sum(page.cursor is not None for page in read) > 2)

    def _pages(self) -> Any:
        return self.connector.pages(self.cursor)

    @property
    def searches(self) -> list[dict[str, list[str]]]:
        return [query for _, path, query, _ in self.x.requests if path.endswith("/recent")]


@pytest.fixture
def polled(x_server: XServer) -> Polled:
    x_server.page_size = 100
    return Polled(x_server)


def texts(read: list[Page]) -> list[str]:
    return [item.text for page in read for item in page.items]  # type: ignore[union-attr]  # no rejections here


def gaps(read: list[Page]) -> list[Gap]:
    return [gap for page in read for gap in page.gaps]


def test_each_round_brings_what_is_new_once(polled: Polled) -> None:
    polled.x.archive = [post("Acme before anybody listened", START - timedelta(hours=1))]
    assert texts(polled.round()) == []
    polled.x.archive += [post("Acme one", START + timedelta(seconds=5)), post("Delta", START + timedelta(seconds=6))]
    polled.advance(60)
    assert sorted(texts(polled.round())) == ["Acme one", "Delta"]
    polled.x.archive += [post("Acme, indexed late", START + timedelta(seconds=3))]
    polled.advance(60)
    assert texts(polled.round()) == ["Acme, indexed late"]
    assert all("stream" not in path for _, path, _, _ in polled.x.requests)


def test_after_an_absence_all_pages_are_taken(polled: Polled) -> None:
    polled.round()
    polled.x.page_size = 10
    polled.x.archive = [post(f"Acme {n}", START + timedelta(minutes=n)) for n in range(1, 25)]
    polled.advance(3 * 86_400)
    read = polled.read(lambda read: len(texts(read)) == 24)
    assert gaps(read) == []
    assert {query.get("next_token", ["0"])[0] for query in polled.searches} == {"0", "10", "20"}


def test_a_round_cut_short_is_taken_up_again(polled: Polled) -> None:
    polled.round()
    polled.x.page_size = 10
    polled.x.archive = [post(f"Acme {n}", START + timedelta(minutes=n)) for n in range(1, 25)]
    polled.advance(86_400)
    before = polled.cursor
    first = texts(polled.read(lambda read: bool(texts(read))))
    again = Polled(polled.x)
    again.clock, again.cursor = polled.clock, polled.cursor
    again.connector = Connector(polled.connector._config, Context("birds", BRANDS, polled.clock))
    assert json.loads(before or "")["since"] == json.loads(again.cursor or "")["since"]
    rest = again.read(lambda read: len(texts(read)) == 24)
    assert set(first) < set(texts(rest))


def test_more_than_is_worth_it_becomes_a_gap(x_server: XServer) -> None:
    x_server.page_size = 50
    polled = Polled(x_server, catch_up_posts=100)
    polled.round()
    x_server.archive = [post(f"Acme {n}", START + timedelta(minutes=n)) for n in range(1, 301)]
    polled.advance(86_400)
    read = polled.read(lambda read: bool(gaps(read)))
    (gap,) = gaps(read)
    assert len(texts(read)) == 100
    assert (gap.since, gap.until) == (START, START + timedelta(minutes=201))
    assert not gap.repaired
    assert texts(polled.round()) == []


def test_what_lies_beyond_seven_days_is_a_gap(polled: Polled) -> None:
    polled.round()
    polled.x.archive = [post("Acme too old", START + timedelta(hours=1)), post("Acme", START + timedelta(days=8))]
    polled.advance(9 * 86_400)
    read = polled.round()
    assert texts(read) == ["Acme"]
    first, second = gaps(read)
    assert first == second, "one for each brand"
    assert (first.since, first.repaired) == (START, False)
    assert "7 days" in first.note


def test_requests_are_paced_and_told(x_server: XServer) -> None:
    polled = Polled(x_server, searches_per_15_min=3)
    read = polled.read(lambda read: sum(page.cursor is not None for page in read) > 4)
    assert len(polled.searches) == 4
    assert polled.clock.now() - START >= timedelta(minutes=15)
    (usage,) = [one for one in read[0].usage if one.unit == "requests"]
    assert (usage.used, usage.limit) == (1, 3)


def test_posts_are_paid_for_once_a_day_and_the_cap_is_kept(x_server: XServer) -> None:
    x_server.page_size = 100
    polled = Polled(x_server, monthly_cap_usd=0.01)
    polled.round()
    x_server.archive = [post(f"Acme {n}", START + timedelta(seconds=n), serial=n) for n in (40, 50)]
    polled.advance(60)
    polled.read(lambda read: len(texts(read)) == 2)
    with pytest.raises(SourceUnavailable, match="cap") as stopped:
        polled.read(lambda _: False)
    assert stopped.value.trouble == "rate_limited"
    assert json.loads(polled.cursor or "")["posts"] == 2


def test_a_failed_search_is_told_and_nothing_is_skipped(polled: Polled) -> None:
    polled.round()
    polled.x.archive = [post("Acme", START + timedelta(seconds=5))]
    polled.advance(60)
    polled.x.refuse("search", 503)
    with pytest.raises(SourceUnavailable) as failure:
        polled.round()
    assert failure.value.trouble == "http"
    assert texts(polled.read(lambda read: bool(texts(read)))) == ["Acme"]


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"meta": {}}', b'{"meta": {"result_count": 1}}', b'{"meta": {"result_count": 1}, "data": [7]}']
)
def test_half_an_answer_is_none(polled: Polled, answer: bytes) -> None:
    polled.round()
    polled.x.archive = [post("Acme", START + timedelta(seconds=5))]
    polled.advance(60)
    polled.x.refuse("search", 200, answer)
    with pytest.raises(SourceUnavailable, match="answered a search"):
        polled.round()
    assert texts(polled.read(lambda read: bool(texts(read)))) == ["Acme"]


def test_searches_are_shorter_than_rules() -> None:
    brand = Brand("acme", terms=tuple(f"a fairly long product name {number}" for number in range(40)))
    config = Config(bearer_token=SecretStr(TOKEN), mode="poll")
    assert all(len(query.text) <= 512 and query.brand == "acme" for query in queries(config, [brand]))
    assert len(queries(config, [brand])) > len(queries(Config(bearer_token=SecretStr(TOKEN)), [brand]))
