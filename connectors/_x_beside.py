"""What X pushes, beside what it is asked for: the listener goes on answering while the rest is in trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import structlog

from connectors._aside import Stopping, aside, resting
from connectors._inbox import Waiting
from connectors._listener import PAGE_ITEMS
from connectors._x_activity import Hooks, billed
from connectors._x_intake import Batch
from connectors._x_session import Session
from pipeline.errors import SourceRefused, SourceUnavailable, Trouble
from pipeline.ports import Backoff, Page

_log = structlog.get_logger(__name__)

_SEE_TO_SECS = 3_600.0
"""X checks an address every hour and gives up one that did not answer: so often it is seen to."""
_SOON_SECS = 300.0
"""After a failure, sooner."""


class Beside:
    """Merges the two. `asked` is the pages from a cursor on, `subscribe` brings the subscriptions to what they should
    be (None: somebody else does)."""

    def __init__(
        self,
        session: Session,
        hooks: Hooks,
        asked: Callable[[str | None], Iterator[Page]],
        subscribe: Callable[[], None] | None,
        backoff: Mapping[Trouble, Backoff],
    ) -> None:
        self._session = session
        self._clock = session.clock
        self._hooks = hooks
        self._asked = asked
        self._subscribe = subscribe
        self._backoff = backoff
        self._see_to_at = self._clock.monotonic()

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Each page of what is asked for, with what was pushed meanwhile; the senders are answered when it is
        durable."""
        with closing(self._patiently(cursor)) as pages:  # type: ignore[type-var]  # a generator
            for page in pages:
                taken = self._hooks.take(PAGE_ITEMS - len(page.items))
                yield from self._merged(page, taken) if taken else (page,)
                self._hooks.durable(taken)

    def _merged(self, page: Page, taken: Sequence[Waiting]) -> Iterator[Page]:
        session, batch = self._session, Batch()
        session.intake.pushed(billed(taken), batch)
        session.intake.take([item for waiting in taken for item in waiting.items], batch)
        usage = {one.unit: one for one in (*page.usage, *session.meter.usage(self._clock.now()))}
        yield replace(page, items=[*page.items, *batch.items], heard=True, usage=list(usage.values()))
        session.intake.remember(batch)

    def _patiently(self, cursor: str | None) -> Iterator[Page]:
        """What is asked for, its troubles waited out as `backoff` says."""
        attempt = 0
        try:
            while not self._clock.stopping:
                try:
                    for page in self._asked(cursor if attempt == 0 else self._session.saved or cursor):
                        yield page
                        attempt = 0 if page.heard else attempt
                        yield from self._see_to()
                    return
                except SourceUnavailable as error:
                    attempt += 1
                    wait = error.retry_after
                    wait = self._backoff[error.trouble].delay(attempt) if wait is None else wait
                    _log.warning("X is heard only as far as it pushes", said=str(error), again_secs=round(wait))
                    yield from self._waiting(wait)
        except Stopping:
            return

    def _waiting(self, secs: float) -> Iterator[Page]:
        until = self._clock.monotonic() + secs
        for page in resting(secs, self._clock):
            yield page
            yield from self._see_to()
            if self._clock.monotonic() >= until:
                return

    def _see_to(self) -> Iterator[Page]:
        """Bring the subscriptions up to date where that is due."""
        if self._subscribe is None or self._clock.monotonic() < self._see_to_at:
            return
        wait = _SEE_TO_SECS
        try:
            yield from aside(self._subscribe, self._clock)
        except SourceUnavailable as error:
            wait = _SOON_SECS if error.retry_after is None else error.retry_after
            _log.warning("X's subscriptions cannot be seen to for now", said=str(error))
        except SourceRefused as error:
            _log.error("X refuses the subscriptions: what it is to push does not come", said=str(error))
        self._see_to_at = self._clock.monotonic() + wait
