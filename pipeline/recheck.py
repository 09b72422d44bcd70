"""Where a platform sends no deletes: ask it, a few at a time and over and over, what became of the mentions we keep.

What is gone comes out as a Removal and what was reworded as the Mention anew, by the way everything else comes in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog
from msgspec.structs import replace

from pipeline.collect import Intake
from pipeline.config import RecheckSettings
from pipeline.errors import SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention, Removal
from pipeline.metrics import RECHECKED
from pipeline.patience import patiently
from pipeline.ports import Backoff, Clock, Page, Rechecker
from pipeline.store import Store

log = structlog.get_logger(__name__)

NOTHING_SECS = 60.0
"""How long to wait where nothing is kept of the source."""


class Rechecking:
    """Walks through a source's stored mentions, `settings.per_hour` of them an hour or as many as the platform leaves
    room for (`Rechecker.per_hour`), whichever is less. After a restart it goes on where it was; a batch that was asked
    and not settled is asked again."""

    def __init__(
        self,
        rechecker: Rechecker,
        intake: Intake,
        store: Store,
        clock: Clock,
        backoff: Mapping[Trouble, Backoff],
        settings: RecheckSettings,
    ) -> None:
        self._rechecker = rechecker
        self._intake = intake
        self._store = store
        self._clock = clock
        self._backoff = backoff
        self._days = settings.days
        self._per_hour = min(float(settings.per_hour), rechecker.per_hour)
        self._size = min(rechecker.batch, max(1, int(self._per_hour)))
        self._attempt = 0

    def run(self) -> None:
        """Until the clock is stopped, or the platform refuses us for good; at once where none may be asked about."""
        if self._per_hour <= 0:
            log.warning("stored mentions are not checked: their source leaves no room for it", via=self._intake.via)
            return
        while not self._clock.stopping:
            try:
                asked = self.step()
            except SourceUnavailable as error:
                self._attempt += 1
                delay = error.retry_after
                if delay is None:
                    delay = self._backoff[error.trouble].delay(self._attempt)
                log.warning("stored mentions cannot be checked", via=self._intake.via, reason=str(error))
            except SourceRefused as error:
                log.error("stored mentions cannot be checked", via=self._intake.via, reason=str(error))
                return
            else:
                self._attempt = 0
                delay = 3600.0 * asked / self._per_hour if asked else NOTHING_SECS
            self._clock.wait(delay)

    def step(self) -> int:
        """Check the next few; returns how many were asked about, 0 at the end of a round."""
        via, size = self._intake.via, self._size
        since = self._clock.now() - timedelta(days=self._days)
        before = patiently(self._clock, "store", self._store.rounds).get(via)
        position = before.position if before else ""
        some = patiently(
            self._clock, "store", lambda: self._store.said_on(self._rechecker.source, position, since, size)
        )
        mine = [mention for mention in some if mention.via == via]
        found = self._rechecker.recheck(mine) if mine else []
        self._intake.take(Page(_changed(mine, found), heard=False))
        gone = sum(isinstance(item, Removal) for item in found)
        reworded = len(found) - gone
        for name, number in (("gone", gone), ("reworded", reworded), ("same", len(mine) - len(found))):
            RECHECKED.labels(via, name).inc(max(0, number))
        if some or position:
            last = some[-1].id if some else ""
            patiently(self._clock, "store", lambda: self._store.checked(via, last, len(mine), gone, reworded))
        return len(some)


def _changed(asked: Sequence[Mention], found: Sequence[Item]) -> list[Item]:
    """What was found of those that were asked about; a removal with the conversation it was in."""
    threads = {mention.id: mention.thread for mention in asked}
    return [
        replace(item, conversation=item.conversation or threads.get(item.mention or "", ""))
        if isinstance(item, Removal)
        else item
        for item in found
    ]
