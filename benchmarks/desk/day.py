"""A day at the desk: customers write, people work, answers go out; then the books are looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from benchmarks.desk import audit
from benchmarks.desk.agents import Attempt, Doings, Floor, client
from benchmarks.desk.audit import Happened
from benchmarks.desk.office import Office, Person
from benchmarks.desk.platform import Platform, Post
from benchmarks.desk.stream import Stream
from desk.case import Case

ARRIVAL_SECS = 0.25
SETTLE_SECS = 60


@dataclass
class Day:
    """What is left of it: what people did, the log, the posts, how every case stands, and the seconds it took."""

    doings: Doings
    log: list[Happened]
    stand: dict[str, Case]
    posts: list[Post]
    seconds: float
    pace: float
    logged: Sequence[str] = ()

    @cached_property
    def record(self) -> audit.Record:
        """The log, followed."""
        return audit.followed(self.log)

    def faults(self) -> list[str]:
        """Everything that should not have been."""
        record = self.record
        return [
            *self.doings.faults,
            *self.logged,
            *record.faults,
            *audit.stale(record, self.doings.attempts),
            *audit.posted(record, self.posts, timedelta(seconds=self.pace)),
            *audit.rebuilt(self.log, self.stand),
        ]

    def late(self) -> list[Attempt]:
        """Attempts to send that were refused."""
        return [it for it in self.doings.attempts if it.status == 409]


def spend(
    office: Office,
    *,
    people: int,
    actions: int,
    cases: int,
    pause: float,
    seed: int,
    servers: int = 1,
    arriving: float = 10.0,
) -> Day:
    """One day: `people` do `actions` things in all, thinking for `pause` seconds on average in between, while
    `arriving` mentions a second come in; `cases` wait when it begins. The office is still open then."""
    stream = Stream(seed)
    office.fill(stream.opening(cases, office.clock.now()))
    staff = office.people(people)
    platform = Platform(seed, office.began)
    with platform.running():
        office.open(servers, platform.url)
        begun = time.perf_counter()
        doings = asyncio.run(_work(office, platform, stream, staff, actions, pause, seed, arriving))
        seconds = time.perf_counter() - begun
        platform.calm = True
        deadline = time.monotonic() + SETTLE_SECS
        while (left := office.on_their_way()) and time.monotonic() < deadline:
            time.sleep(0.1)
        logged = [f"{left} answers are still on their way"] if left else []
        logged += office.leave() + office.failures()
    log, stand = audit.read_log(office.store)
    return Day(doings, log, stand, platform.posts, seconds, office.pace, logged)


async def _work(
    office: Office,
    platform: Platform,
    stream: Stream,
    staff: Sequence[Person],
    actions: int,
    pause: float,
    seed: int,
    arriving: float,
) -> Doings:
    async with client(len(staff)) as calls:
        floor = Floor(calls, pause=pause, lapse=1.2 * office.lease_secs / office.pace)
        arrivals = asyncio.create_task(_arrive(office, platform, stream, arriving))
        try:
            await floor.work(staff, office.addresses, actions, seed)
        finally:
            arrivals.cancel()
            with suppress(asyncio.CancelledError):
                await arrivals
        return floor.doings


async def _arrive(office: Office, platform: Platform, stream: Stream, per_second: float) -> None:
    while True:
        now = office.clock.now()
        news, gone = stream.more(max(1, round(per_second * ARRIVAL_SECS)), now)
        ours = stream.ours(platform.came_back(), now)
        await asyncio.to_thread(office.hear, [*news, *ours], gone)
        await asyncio.sleep(ARRIVAL_SECS)
