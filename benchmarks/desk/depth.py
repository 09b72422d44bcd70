"""`next` in a queue where little waits beside `next` in one where very much does: both at once, by the same people."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx2

from benchmarks.desk.agents import API, client
from benchmarks.desk.office import LEASE_SECS, Office, Person
from benchmarks.desk.stream import Stream
from benchmarks.machine import BenchError

PEOPLE = 4
TOP_UP = 50
"""After so many resolved cases as many new ones come in."""

WARM_UP = 10
"""Calls of each that are not counted."""


class Depth(NamedTuple):
    """How many cases wait, how long it took to hear of them, and the seconds of each `next`, shortest first."""

    cases: int
    filled_secs: float
    took: list[float]

    def at(self, share: float) -> float:
        """The percentile."""
        return self.took[int(len(self.took) * share)]


class _Side:
    """One of the two."""

    def __init__(self, folder: Path, url: str, cases: int) -> None:
        self.cases = cases
        self.office = Office(folder, url, lease_secs=30 * LEASE_SECS)
        self.took: list[float] = []
        self.filled_secs = 0.0
        self._stream = Stream(seed=cases, per_customer=1)  # so that who is done with one leaves none held
        self._resolved = 0
        self._people: Sequence[Person] = ()

    def open(self) -> None:
        """Fill it and let it answer."""
        self.filled_secs = self.office.fill(self._stream.opening(self.cases, self.office.clock.now()))
        self._people = self.office.people(PEOPLE)
        self.office.open()

    async def take(self, caller: httpx2.AsyncClient, place: int, *, counted: bool) -> None:
        """One of the people takes the next case and is done with it; what was resolved is made up for."""
        url, headers = self.office.addresses[0] + API, {"Authorization": f"Bearer {self._people[place].secret}"}
        begun = time.perf_counter()
        answer = await caller.post(f"{url}/next", headers=headers)
        took = time.perf_counter() - begun
        if answer.status_code != 200:
            raise BenchError(f"next was answered {answer.status_code} with {self.cases:,} cases: {answer.text[:300]}")
        if counted:
            self.took.append(took)
        held = answer.json()
        body = {"token": held["lease"]["token"]}
        await caller.post(f"{url}/cases/{held['case']['id']}/resolve", headers=headers, json=body)
        self._resolved += 1
        if self._resolved % TOP_UP == 0:
            now = self.office.clock.now()
            await asyncio.to_thread(self.office.fill, [*self._stream.opening(TOP_UP, now)])


def compared(folder: Path, urls: tuple[str, str], sizes: tuple[int, int], calls: int) -> tuple[Depth, Depth]:
    """`calls` of `next` on each of two databases, in which so many cases wait."""
    first = _Side(folder / "few", urls[0], sizes[0])
    second = _Side(folder / "many", urls[1], sizes[1])
    with closing(first.office), closing(second.office):
        for side in (first, second):
            side.open()
        asyncio.run(_calls((first, second), calls))
        if wrong := [*first.office.failures(), *second.office.failures()]:
            raise BenchError("\n".join(wrong))
    return _depth(first), _depth(second)


async def _calls(sides: tuple[_Side, _Side], calls: int) -> None:
    async with client(2 * PEOPLE) as shared:
        await asyncio.gather(*(_person(shared, sides, place, calls // PEOPLE) for place in range(PEOPLE)))


async def _person(caller: httpx2.AsyncClient, sides: tuple[_Side, _Side], place: int, calls: int) -> None:
    dice = random.Random(place)  # noqa: S311 - nothing secret
    for number in range(-WARM_UP, calls):
        for side in dice.sample(sides, 2):  # neither always comes first
            await side.take(caller, place, counted=number >= 0)


def _depth(side: _Side) -> Depth:
    return Depth(side.cases, side.filled_secs, sorted(side.took))
