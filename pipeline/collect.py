"""From the sources to the bus. For every page: publish, flush, then save the cursor and what was taken in, in one
transaction; only then does the connector go on. A crash in between repeats a page; ids make that harmless.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import closing
from hashlib import blake2b

import structlog
from msgspec.structs import replace

from pipeline.codec import encode
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.logs import unquoted
from pipeline.mention import Item, Mention, Removal
from pipeline.metrics import (
    ALLOWED,
    GAPS,
    LAST_HEARD,
    REJECTED,
    REMOVALS,
    REPEATED,
    SILENT,
    SOURCE_UP,
    TAKEN_IN,
    USED,
)
from pipeline.patience import Interrupted, patiently
from pipeline.ports import Backoff, Brand, Clock, Connector, Page, Rejection
from pipeline.store import DeadLetter, Store, Taken
from pipeline.worker import Output

log = structlog.get_logger(__name__)

MAX_BYTES = 1024 * 1024
"""A mention whose record would be larger than this is not a mention: the topics take four times as much."""

KEPT_BYTES = 64 * 1024
"""How much of one that is too large is kept in its dead letter."""

IDLE_SAVE_SECS = 15.0
"""How often a source that has nothing new is noted as heard."""

UNEXPECTED = Backoff(first=5.0, factor=2.0, cap=320.0)
"""Between attempts when a connector fails in a way it never announced."""


def own(mention: Mention, brands: Sequence[Brand]) -> bool:
    """Whether one of the brands' own accounts wrote it."""
    return any(
        account.lstrip("@").casefold() in (mention.author.id.casefold(), mention.author.handle.casefold())
        for brand in brands
        for account in brand.own_accounts.get(mention.source, ())
    )


def digest(mention: Mention) -> str:
    """A short hash of what people would call the same version of a mention; counts may change without it."""
    said = (mention.kind, mention.title, mention.text, mention.revision.isoformat(), mention.brand or "")
    return blake2b("\0".join(said).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class Intake:
    """Takes the pages of one source: publishes what is new, then saves cursor and accounts together.

    `read` counts the items seen, `fresh` the mentions among them that were new or reworded.
    """

    def __init__(self, via: str, output: Output, store: Store, brands: Sequence[Brand], clock: Clock) -> None:
        self.via = via
        self.read = 0
        self.fresh = 0
        self._output = output
        self._store = store
        self._brands = brands
        self._clock = clock
        self._saved_at = float("-inf")

    def take(self, page: Page) -> None:
        """Returns when the page is durable on the bus and its cursor saved; waits out an outage of either."""
        mentions: dict[str, Mention] = {}
        removals: list[Removal] = []
        dead: list[DeadLetter] = []
        for item in page.items:
            if isinstance(item, Mention):
                mention = self.adopted(item)
                # A text of so many characters has at least so many bytes; only a long one is encoded to be sure.
                if len(mention.text) > MAX_BYTES // 8 and len(payload := encode(mention)) > MAX_BYTES:
                    reason = f"{len(payload):,} bytes, over the limit of {MAX_BYTES:,}"
                    dead.append(self._letter(Rejection(payload[:KEPT_BYTES], mention.id, reason)))
                    continue
                mentions[item.id] = mention
            elif isinstance(item, Removal):
                removals.append(replace(item, via=self.via))
            else:
                dead.append(self._letter(item))
        self.read += len(page.items)
        taken = [Taken(m.id, m.source, digest(m), m.created_at) for m in mentions.values()]
        pairs = [(one.id, one.digest) for one in taken]
        known = patiently(self._clock, "store", lambda: self._store.known(pairs)) if pairs else set()
        fresh = self._known_for_ours([mention for mention in mentions.values() if mention.id not in known])
        self.publish([*fresh, *removals])
        self._save(page, [one for one in taken if one.id not in known], dead)
        self.fresh += len(fresh)
        self._count(page, len(fresh), len(known), len(removals))

    def adopted(self, mention: Mention) -> Mention:
        """The mention as taken in here: by which source, when, and whether it is our own."""
        return replace(
            mention,
            via=self.via,
            collected_at=mention.collected_at or self._clock.now(),
            own=mention.own or own(mention, self._brands),
        )

    def _known_for_ours(self, fresh: Sequence[Mention]) -> list[Mention]:
        """Whoever wrote it by the platform's account of it: what the desk sent is our own."""
        ids = [mention.id for mention in fresh if not mention.own]
        ours = patiently(self._clock, "store", lambda: self._store.ours(ids)) if ids else set()
        return [replace(mention, own=True) if mention.id in ours else mention for mention in fresh]

    def publish(self, items: Sequence[Item]) -> None:
        """Return when the items are durable on the bus."""
        records = [(item.thread.encode(), encode(item)) for item in items]
        if records:
            patiently(self._clock, "bus", lambda: self._output.write(records))

    def _save(self, page: Page, taken: Sequence[Taken], dead: Sequence[DeadLetter]) -> None:
        eventful = page.items or page.gaps or page.usage or page.cursor is not None
        if not eventful and (not page.heard or self._clock.monotonic() - self._saved_at < IDLE_SAVE_SECS):
            return
        self._saved_at = self._clock.monotonic()
        patiently(
            self._clock,
            "store",
            lambda: self._store.take_in(self.via, page.cursor, taken, dead, page.gaps, page.heard, page.usage),
        )

    def _count(self, page: Page, fresh: int, known: int, removed: int) -> None:
        TAKEN_IN.labels(self.via).inc(fresh)
        REPEATED.labels(self.via).inc(known)
        REMOVALS.labels(self.via).inc(removed)
        rejected = [item for item in page.items if isinstance(item, Rejection)]
        if rejected:
            REJECTED.labels(self.via).inc(len(rejected))
            log.warning(
                "unreadable items",
                via=self.via,
                count=len(rejected),
                place=rejected[0].place,
                reason=unquoted(rejected[0].reason),
            )
        for usage in page.usage:
            USED.labels(self.via, usage.unit).set(usage.used)
            if usage.limit is not None:
                ALLOWED.labels(self.via, usage.unit).set(usage.limit)
        for gap in page.gaps:
            GAPS.labels(self.via, str(gap.repaired).lower()).inc()
            log.warning("gap", via=self.via, since=str(gap.since), until=str(gap.until), reason=gap.reason)

    def _letter(self, rejection: Rejection) -> DeadLetter:
        identity = blake2b(f"{self.via}\0{rejection.place}\0".encode() + rejection.payload, digest_size=12).hexdigest()
        return DeadLetter(
            id=f"collect:{identity}",
            intake_id=f"rejected:{identity}",
            source=self.via,
            via=self.via,
            role="collect",
            stage="parse",
            place=rejection.place,
            reason=rejection.reason,
            payload=rejection.payload,
            died_at=self._clock.now(),
        )


class Supervisor:
    """Keeps one connector running: reconnects as its platform documents, notices silence, isolates its failures."""

    def __init__(
        self, connector: Connector, intake: Intake, store: Store, clock: Clock, silence_secs: float | None = None
    ) -> None:
        self._connector = connector
        self._intake = intake
        self._store = store
        self._clock = clock
        self._silence_secs = silence_secs
        self._heard = clock.monotonic()
        self._silent = False
        self._attempt = 0
        self.refused: str | None = None

    @property
    def taken_in(self) -> int:
        """How many mentions came in through it that were new or reworded."""
        return self._intake.fresh

    def run(self) -> None:
        """Until the source ends, the clock is stopped, or the platform refuses us for good (kept in `refused`)."""
        via = self._intake.via
        try:
            while not self._clock.stopping:
                try:
                    self._listen()
                    log.info("source finished", via=via, read=self._intake.read)
                    return
                except SourceUnavailable as error:
                    self._attempt += 1
                    delay = error.retry_after
                    if delay is None:
                        delay = _jittered(self._connector.backoff[error.trouble].delay(self._attempt))
                    log.warning("source unavailable", via=via, reason=str(error), retry_secs=round(delay, 2))
                except SourceRefused as error:
                    self.refused = str(error)
                    log.error("source refused", via=via, reason=str(error))
                    return
                except (Interrupted, GeneratorExit):
                    return
                except Exception:
                    self._attempt += 1
                    delay = UNEXPECTED.delay(self._attempt)
                    log.exception("connector failed", via=via, retry_secs=delay)
                SOURCE_UP.labels(via).set(0)
                self._rest(delay)
        finally:
            SOURCE_UP.labels(via).set(0)

    def _listen(self) -> None:
        cursor = patiently(self._clock, "store", lambda: self._store.cursor(self._intake.via))
        with closing(self._connector.pages(cursor)) as pages:  # type: ignore[type-var]  # a generator by the port
            for page in pages:
                self._intake.take(page)
                if page.heard:
                    self._attempt = 0
                    self._hear()
                else:
                    self._note_silence()
                SOURCE_UP.labels(self._intake.via).set(1)
                if self._clock.stopping:
                    raise Interrupted("asked to stop")

    def _hear(self) -> None:
        self._heard = self._clock.monotonic()
        LAST_HEARD.labels(self._intake.via).set(self._clock.now().timestamp())
        if self._silent:
            self._silent = False
            SILENT.labels(self._intake.via).set(0)
            log.info("source speaks again", via=self._intake.via)

    def _note_silence(self) -> None:
        quiet = self._clock.monotonic() - self._heard
        if self._silence_secs is not None and quiet > self._silence_secs and not self._silent:
            self._silent = True
            SILENT.labels(self._intake.via).set(1)
            log.error("source is silent", via=self._intake.via, for_secs=round(quiet))

    def _rest(self, delay: float) -> None:
        # in short steps, so that silence is noticed while the source is away
        until = self._clock.monotonic() + delay
        while (left := until - self._clock.monotonic()) > 0 and not self._clock.wait(min(left, 5.0)):
            self._note_silence()


def _jittered(delay: float) -> float:
    """Up to a tenth more, so that many processes do not come back at once; never less than documented."""
    return delay * (1 + random.random() / 10)  # noqa: S311 - spreads load, guards nothing
