"""A site with a story, comments of which some name the brand, items that are not there, and two that cannot be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from connectors.hackernews import Config
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.hackernews import Site, item
from tests.fixtures.stand_in import Asked, Told


class HackerNewsHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with Site().running() as site:
            site.newest = 99
            now = int(time.time()) - 60
            site.items = {id: item(id, f"Acme is late, {id}", title="Late", time=now) for id in range(90, 96)}
            answered = site.handle

            def meet(asked: Asked) -> Told:
                # What is written after the search has answered is read item by item, the first time.
                answer = answered(asked)
                if site.newest == 99 and asked.path.endswith("search_by_date"):
                    now = site.items[90]["time"]
                    site.add(*(item(id, f"ACME, {id}", time=now, parent=90) for id in range(100, 106)))
                    site.add(item(106, "Nothing of interest", time=now, parent=90), item(107, time=now, dead=True))
                    site.add(item(108, "Acme", time=now, parent=90, by=""), item(109, time=now, url="http://acme.com"))
                    site.newest = 110
                return answer

            site.handle = meet  # type: ignore[method-assign]  # of this one site

            def config(base: str) -> Config:
                return Config(terms=("Acme",), poll_secs=0.2, timeout_secs=1.5, api_base=base, search_base=base)

            def add(moment: datetime) -> str:
                id = max(site.newest, 110) + 1
                site.add(item(id, "Acme again", time=int(moment.timestamp())))
                return f"hackernews:{id}"

            def set_time(moment: datetime) -> None:
                # The first time the suite's clock is told, everything was said a minute before.
                if not told_time:
                    told_time.append(moment)
                    site.items |= {id: one | {"time": int(moment.timestamp()) - 60} for id, one in site.items.items()}

            told_time: list[datetime] = []
            numbers = [*range(90, 96), *range(100, 106)]
            yield Ready(
                config=config(front(site.url)),
                source="hackernews",
                expected=frozenset(f"hackernews:{number}" for number in numbers),
                bad=2,
                failing=config("http://127.0.0.1:9"),
                add=add,
                time=set_time,
                at_once=4,
                at_least=20,  # the number of the newest, then a page of items with what is above them
            )


harness = HackerNewsHarness()
