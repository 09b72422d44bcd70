"""What comes from X by whatever way, gathered for one page: each post once, counted and paid for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog

from connectors._x_meter import Meter, Prices
from connectors._x_posts import Message, Reader, results
from pipeline.errors import BadItem, SourceUnavailable
from pipeline.mention import Item, Kind, Mention
from pipeline.ports import Clock, Gap, Rejection

_log = structlog.get_logger(__name__)

KEEP_BYTES = 65_536
"""What is kept of a line that cannot be read."""
_RECENT = 50_000
"""Post ids known as passed on: more than the stream's 250 a second in 3 minutes."""
_NEARLY = 0.8


class Batch:
    """What one page gathers; `ids` become known as passed on once the page is durable, `billed` says that the meter
    has moved."""

    def __init__(self) -> None:
        self.items: list[Item | Rejection] = []
        self.gaps: list[Gap] = []
        self.ids: dict[str, None] = {}
        self.heard: datetime | None = None
        self.billed = False
        self.fault: SourceUnavailable | None = None


class Intake:
    """`writes` says that this source's account writes, too: what that cost is seen when it comes back."""

    def __init__(self, reader: Reader, meter: Meter, clock: Clock, prices: Prices, writes: bool) -> None:
        self._reader = reader
        self._meter = meter
        self._clock = clock
        self._prices = prices
        self._writes = writes
        self._recent: OrderedDict[str, None] = OrderedDict()

    def clear(self) -> None:
        """Forget what was passed on: it may be gone."""
        self._recent.clear()

    def count(self, posts: int, batch: Batch) -> None:
        """So many posts were read."""
        before = self._meter.spent
        self._meter.count(posts, self._clock.now())
        self._counted(before, batch)

    def pushed(self, events: int, batch: Batch) -> None:
        """So many events that are billed were pushed."""
        if events:
            self.bill(events * self._prices.event, batch)

    def bill(self, usd: float, batch: Batch, answers: int = 0) -> None:
        """Something else was billed."""
        before = self._meter.spent
        self._meter.bill(usd, self._clock.now(), answers)
        self._counted(before, batch)

    def keep(self, message: Message, batch: Batch) -> None:
        """Take what the message holds, unless it was passed on lately; raises BadItem."""
        id = str(message.data.get("id")) if message.data is not None and message.is_post else ""
        if id and self.known(id, batch):
            return
        self.take(self._reader.items(message, self._clock.now()), batch)

    def take(self, items: Sequence[Item | Rejection], batch: Batch) -> None:
        """Take these, less the posts passed on lately."""
        for item in items:
            if isinstance(item, Mention):
                id = item.reply_ref["id"]
                if self.known(id, batch):
                    continue
                batch.ids[id] = None
                if item.own and self._writes:
                    answer = item.kind is Kind.REPLY
                    self.bill(self._prices.answer if answer else self._prices.own_post, batch, int(answer))
            batch.items.append(item)

    def known(self, id: str, batch: Batch) -> bool:
        """Whether this version of a post was passed on lately, or is about to be."""
        return id in self._recent or id in batch.ids

    def searched(self, answer: Mapping[str, Any], batch: Batch, *, again: bool) -> list[str]:
        """Take what a search found, and return the posts' ids. X bills a post once a day, however often a search brings
        it (docs.x.com/x-api/getting-started/pricing): what was found before counts only with `again`."""
        ids = []
        for message in results(answer):
            ids.append(id := str((message.data or {}).get("id")))
            if again or not self.known(id, batch):
                self.count(1, batch)
            try:
                self.keep(message, batch)
            except BadItem as error:
                payload = msgspec.json.encode({"data": message.data})
                batch.items.append(Rejection(payload[:KEEP_BYTES], "recent search", str(error)))
        return ids

    def remember(self, batch: Batch) -> None:
        """The page is durable: what was known before that would be lost as a duplicate if it were not."""
        self._recent.update(batch.ids)
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    def _counted(self, before: float, batch: Batch) -> None:
        batch.billed, cap = True, self._meter.cap
        if cap is not None and before < _NEARLY * cap <= self._meter.spent:
            _log.warning("reading X has nearly reached the monthly cap", spent_usd=round(self._meter.spent, 2), cap=cap)
