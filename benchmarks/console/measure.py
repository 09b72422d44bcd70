"""The console with 100,000 open cases and 5 million mentions behind it, and 50 people on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from sqlalchemy import select

from benchmarks.console.fill import CASES, MENTIONS, fill
from benchmarks.console.load import PAGES, Seen, news, weight, work
from benchmarks.desk.office import Office
from benchmarks.machine import BenchError
from benchmarks.measures import Bench
from benchmarks.results import Gate, Row
from desk.accounts import Accounts
from desk.handling import By
from desk.passwords import Passwords
from desk.roles import Role
from pipeline.store import Store
from pipeline.store.case_tables import cases

PEOPLE = 50
PAUSE_SECS = 5.0
"""Between two pages, on average: fifty people ask for ten pages a second."""

ROLES: tuple[Role, ...] = ("agent", "lead", "marketer")
PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist

SOON = Gate(0.3, at_most=True)
LIGHT = Gate(200, at_most=True)
HEARD = Gate(2, at_most=True)


def measure(bench: Bench) -> Iterator[Row]:
    """Fill a database, then let people work on it."""
    open_cases, mentions = bench.scaled(CASES, 10_000), bench.scaled(MENTIONS, 200_000)
    bench.say(f"console: {open_cases:,} open cases, {mentions:,} mentions")
    url = bench.servers.database()
    fill(url, open_cases, mentions, bench.say)
    yield from visited(bench, url, f"{open_cases:,} open cases, {mentions:,} mentions")


def visited(bench: Bench, url: str, what: str) -> Iterator[Row]:
    """The rows of a database that is filled."""
    with closing(Office(bench.folder / "console", url)) as office:
        cookies = sessions(office.store, PEOPLE)
        office.open(1)
        address, some = office.addresses[0], _some_cases(office.store, 500)
        bench.say(f"console: {PEOPLE} people")
        asyncio.run(work(address, cookies, some, len(PAGES), 1.0))  # what is read for the first time is not counted
        seen = asyncio.run(work(address, cookies, some, bench.scaled(40, 12), PAUSE_SECS))
        if seen.wrong:
            raise BenchError("\n".join(seen.wrong[:10]))
        yield from _pages(seen, what)
        for page, path in (("inbox", "/cases?queue=service"), ("case", f"/cases/{some[0]}"), ("board", "/board")):
            kilobytes = weight(address, cookies[0], path) / 1000
            yield Row("console", f"first visit of the {page}, without the chart library", kilobytes, "kB", gate=LIGHT)
        took = asyncio.run(_heard(office, address, cookies[0], some))
        yield Row("console", "a case is taken until an open page hears of it, worst of 20", max(took), "s", gate=HEARD)
        if failures := office.failures():
            raise BenchError("\n".join(failures[:10]))


def sessions(store: Store, number: int) -> list[str]:
    """The cookies of so many people who have signed in."""
    clock = store._clock
    accounts = Accounts(store._db, clock, Passwords(PasswordHasher.from_parameters(CHEAPEST)))
    found = []
    for place in range(number):
        _, invitation = accounts.add_user(f"person-{place}", ROLES, "system:load")
        user = accounts.accept(invitation.get_secret_value(), PASSWORD)
        found.append(accounts.sign_in(user.name, PASSWORD).secret.get_secret_value())
    return found


def _some_cases(store: Store, number: int) -> list[str]:
    with store._db.read() as transaction:
        found = transaction.run(select(cases.c.id).where(cases.c.standing == 0).limit(number * 20)).scalars().all()
    return random.Random(3).sample(list(found), min(number, len(found)))  # noqa: S311 - nothing secret


def _pages(seen: Seen, what: str) -> Iterator[Row]:
    for page in PAGES:
        took = seen.took[page]
        note = f"p50 {seen.at(page, 0.5) * 1000:.0f} ms, worst {max(took) * 1000:.0f} ms, {len(took):,} views"
        yield Row("console", f"{PEOPLE} people, {what}: p95 of {page}", seen.at(page, 0.95), "s", gate=SOON, note=note)


async def _heard(office: Office, address: str, cookie: str, some: Sequence[str]) -> list[float]:
    def noted(case: str) -> object:
        return office.cases.note(case, By("system:load"), "seen")

    return [await news(address, cookie, partial(noted, case)) for case in some[:20]]
