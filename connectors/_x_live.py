"""The filtered stream: its rules brought to ours, its lines read, its holes searched for beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import structlog

from connectors._aside import Stopping, aside
from connectors._x_api import Api
from connectors._x_intake import KEEP_BYTES, Batch
from connectors._x_posts import Message, read
from connectors._x_repair import Hole, Repair
from connectors._x_rules import PREFIX, Rule, difference
from connectors._x_session import Session
from connectors._x_stream import Line, Lines
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable
from pipeline.ports import Page, Rejection

_log = structlog.get_logger(__name__)

_BATCH_LINES = 200


@dataclass(frozen=True)
class Limits:
    """Seconds without a byte after which the connection counts as dead, seconds a page is gathered for, and whether
    holes are searched for."""

    silence_secs: float
    batch_secs: float
    repair: bool


class Live:
    """One connector's stream; `why` is why it was last lost."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self._session = session
        self._clock = session.clock
        self._limits = limits
        self._ours: frozenset[str] = frozenset()
        self._why = "the stream was not connected"

    def pages(self, api: Api, rules: Sequence[Rule], repair: Repair) -> Iterator[Page]:
        """What matches these rules from now on, and what the holes held."""
        if self._session.meter.reached:
            yield from self._stop(repair)
        try:
            yield from aside(lambda: self._sync(api, rules), self._clock)
            with closing(Lines(api.stream(self._limits.silence_secs + 5), self._clock)) as lines:
                yield from self._listen(api, lines, repair)
        except SourceUnavailable as error:
            self._why = str(error)
            raise
        except Stopping:
            return

    # ----------------------------------------------------------------------------------------------------- rules

    def _sync(self, api: Api, wanted: Sequence[Rule]) -> None:
        """Make X hold exactly our rules: asked first whether it would, and before the stream is opened, so that
        nothing is missed between deleting and adding."""
        present = api.rules()
        added, stale = difference(wanted, present)
        if added:
            _refuse(api.add_rules(added, dry_run=True))
        if stale:
            api.delete_rules(stale)
        if added:
            _refuse(api.add_rules(added))
            present = api.rules()
        if added or stale:
            _log.info("rules synchronised", added=len(added), deleted=len(stale))
        values = {rule.value for rule in wanted}
        self._ours = frozenset(rule.id for rule in present if rule.value in values)

    # --------------------------------------------------------------------------------------------------- reading

    def _listen(self, api: Api, lines: Lines, repair: Repair) -> Iterator[Page]:
        session, now = self._session, self._clock.now()
        if session.heard is not None and session.heard < now:
            repair.holes.append(Hole(session.heard, now, self._why))
        session.heard = now
        # Not a sign of life: an answer of 200 that ends at once must not reset the backoff.
        yield Page(cursor=session.cursor, heard=False)
        session.saved = session.cursor
        last = self._clock.monotonic()
        while True:
            batch, searched = Batch(), False
            if repair.holes and not self._limits.repair:
                batch.gaps += repair.give_up("not repaired: repair is switched off")
            elif repair.due and not session.meter.reached:
                answer, gaps = yield from aside(repair.step, self._clock)
                batch.gaps += gaps
                session.intake.searched(answer, batch, again=True)
                searched = True
            self._gather(lines, batch)
            # Judged by what had come by now: a page that took long to become durable is not X's silence.
            silence = self._clock.monotonic() - last
            if batch.heard is None and batch.fault is None and silence >= self._limits.silence_secs:
                raise SourceUnavailable(f"X sent no byte for {self._limits.silence_secs:g} seconds", trouble="silent")
            if batch.heard is not None:
                last = self._clock.monotonic()
            yield from session.paged(batch, api.searches.usage if searched else ())
            if session.meter.reached:
                yield from self._stop(repair)
            if batch.fault is not None:
                raise batch.fault
            if self._clock.stopping:
                return

    def _stop(self, repair: Repair) -> Iterator[Page]:
        unheard = self._session.heard is None or self._session.heard < self._session.meter.resets(self._clock.now())
        gaps = repair.give_up(f"not repaired: {self._session.cap_reached}") if unheard else []
        yield from self._session.stop_at_cap(gaps)

    def _gather(self, lines: Lines, batch: Batch) -> None:
        until = self._clock.monotonic() + self._limits.batch_secs
        for _ in range(_BATCH_LINES):
            try:
                line = lines.take(self._limits.batch_secs)
                if line is None:
                    break
                self._take(line, batch)
            except SourceUnavailable as error:
                batch.fault = error
                break
            # A heartbeat says that X has nothing more for now.
            if not line.text or self._session.meter.reached or self._clock.monotonic() > until:
                break

    def _take(self, line: Line, batch: Batch) -> None:
        batch.heard = line.arrived
        if not line.text.strip():
            return
        try:
            message = read(line.text)
            if message.data is None and message.errors:
                raise _ended(message)
            if message.is_post:
                self._session.intake.count(1, batch)
            elif message.data is not None:
                _log.info("a message that is no post", keys=sorted(message.data)[:10])
            if self._for_us(message):
                self._session.intake.keep(message, batch)
        except BadItem as error:
            place = f"stream line of {line.arrived.isoformat()}"
            batch.items.append(Rejection(line.text[:KEEP_BYTES], place, str(error)))

    def _for_us(self, message: Message) -> bool:
        """Whether one of our rules matched: others' rules on the same application send their posts here too."""
        return not message.matching_rules or any(
            (match.tag or "").startswith(PREFIX) or match.id in self._ours for match in message.matching_rules
        )


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise SourceRefused(f"X does not take these rules: {' | '.join(problems)[:1_000]}")


def _ended(message: Message) -> SourceUnavailable:
    """A line of nothing but errors: X is about to disconnect (`operational-disconnect`), or cannot go on."""
    problem = message.errors[0]
    operational = bool(problem.disconnect_type) or "disconnect" in problem.title
    said = problem.detail or problem.title
    return SourceUnavailable(f"X ended the stream: {said[:200]}", trouble="network" if operational else "http")
