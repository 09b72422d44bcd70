"""Fifty people on the console: each opens a page, reads, and opens the next, as fast as people do."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin

import httpx2

from benchmarks.machine import BenchError
from benchmarks.texts import BRANDS

PAGES = ("inbox", "case", "search", "board")

SOUGHT = (
    "refund", "delivery terrible", "the", '"worst service ever"', "larkline ticket", "cancelled flight", "love the app",
    "@a4242", "battery price", '"thank you so much for"', "acme", "horrible", "phone number",
    "zzz nothing", "brand new train",
)  # fmt: skip
"""Common and rare words, phrases, a handle, and what nobody said."""

LIBRARY = re.compile(r"plotly|chart.*\.js")
"""The chart library is not counted in the first page's weight."""


@dataclass
class Seen:
    """The seconds of each page, in no order, and what was answered otherwise than with a page."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)

    def at(self, page: str, share: float) -> float:
        """The percentile."""
        found = sorted(self.took[page])
        return found[int(len(found) * share)]


async def work(address: str, cookies: Sequence[str], cases: Sequence[str], views: int, pause: float) -> Seen:
    """Each person (a session's cookie each) opens so many pages, and reads each for `pause` seconds on average."""
    seen = Seen()
    limits = httpx2.Limits(max_connections=len(cookies))
    async with httpx2.AsyncClient(base_url=address, timeout=30, limits=limits) as client:
        await asyncio.gather(
            *(_person(client, cookie, number, cases, views, pause, seen) for number, cookie in enumerate(cookies))
        )
    return seen


async def _person(
    client: httpx2.AsyncClient,
    cookie: str,
    number: int,
    cases: Sequence[str],
    views: int,
    pause: float,
    seen: Seen,
) -> None:
    dice = random.Random(number)  # noqa: S311 - nothing secret
    await asyncio.sleep(dice.uniform(0, pause))
    for view in range(views):
        page = PAGES[(number + view) % len(PAGES)]
        begun = time.perf_counter()
        answer = await client.get(_path(page, cases, dice), headers={"Cookie": f"harken_session={cookie}"})
        seen.took[page].append(time.perf_counter() - begun)
        if answer.status_code != 200:
            seen.wrong.append(f"{page}: {answer.status_code} {answer.text[:200]}")
        await asyncio.sleep(dice.expovariate(1 / pause))


def _path(page: str, cases: Sequence[str], dice: random.Random) -> str:
    if page == "inbox":
        return f"/cases?queue={dice.choice(('service', 'marketing'))}"
    if page == "case":
        return f"/cases/{dice.choice(cases)}"
    if page == "search":
        query = str(httpx2.QueryParams({"q": dice.choice(SOUGHT), "kind": dice.choice(("case", "mention"))}))
        return f"/search?{query}"
    return f"/board?brand={dice.choice(('', *BRANDS))}"


def weight(address: str, cookie: str, path: str) -> int:
    """Bytes of a page with everything it asks for but the chart library, as they come over the wire."""
    with httpx2.Client(base_url=address, timeout=30, headers={"Cookie": f"harken_session={cookie}"}) as client:
        page = client.get(path)
        asked, total, more = {path}, _size(page), [*re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)]
        while more:
            one = more.pop()
            if one in asked or LIBRARY.search(one):
                continue
            asked.add(one)
            answer = client.get(one)
            if answer.status_code != 200:
                raise BenchError(f"{one} was answered {answer.status_code}")
            total += _size(answer)
            if one.partition("?")[0].endswith(".js"):
                more += [urljoin(one, it) for it in re.findall(r'(?:import|from)\s*"(\.[^"]+)"', answer.text)]
    return total


def _size(answer: httpx2.Response) -> int:
    head = sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)
    return head + answer.num_bytes_downloaded


async def news(address: str, cookie: str, act: Callable[[], object]) -> float:
    """Seconds from something that happens to a case until a page that is open hears of it."""
    headers = {"Cookie": f"harken_session={cookie}"}
    async with (
        httpx2.AsyncClient(base_url=address, timeout=30, headers=headers) as client,
        client.stream("GET", "/api/v1/events") as stream,
    ):
        await asyncio.sleep(1)  # the stream is open, and what was before is not told
        begun = time.perf_counter()
        await asyncio.to_thread(act)
        async for line in stream.aiter_lines():
            if line.startswith("event:"):
                return time.perf_counter() - begun
    raise BenchError("the stream of events ended")
