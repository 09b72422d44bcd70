"""Hacker News with comments under one story. It shows `null` where nothing is any more, and wants no credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.hackernews import Config
from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.recheckers import GARBAGE, Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE
from tests.fixtures.hackernews import Site, item
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told

STORY = "hackernews:90"
SAID = "Acme is late"


class HackerNewsHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Site().running() as site:

            def config(base: str, patience: float = PATIENCE) -> Config:
                return Config(terms=("Acme",), timeout_secs=patience, api_base=base, search_base=base)

            def fill(number: int) -> list[Mention]:
                numbers = range(100, 100 + number)
                site.add(*(item(one, SAID, parent=90) for one in numbers))
                return [
                    mention(f"hackernews:{one}", SAID, conversation=STORY, parent=STORY, brand="Acme")
                    for one in numbers
                ]

            def remove(gone: Mention) -> None:
                del site.items[int(gone.native_id)]

            def reword(said: Mention, text: str) -> None:
                site.items[int(said.native_id)] |= {"text": text}

            yield Stand(
                config=config(site.url),
                impatient=config(site.url, IMPATIENCE),
                unreachable=config(NOBODY),
                fill=fill,
                strange=[mention("hackernews:nonsense")],
                remove=remove,
                reword=reword,
                spoil=spoiling(site),
                hang=lambda: site.hang(""),
                limited=lambda seconds: told(429, {}, Retry_After=str(seconds)),
                denied=None,
                secrets=(),
                garbage=[body for body in GARBAGE if body != b"null"],
            )


harness = HackerNewsHarness()
