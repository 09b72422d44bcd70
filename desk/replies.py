"""From a queued draft to the platform: posted once, whoever crashes when.

A draft is handed over in three steps: a transaction that checks whether it may still go out and makes it this sender's
for a while; the posting, outside any transaction; a transaction that says what came of it. Whoever dies in between
leaves it `sending`; when its time is over another sender posts it under the same key, which the platform's connector
posts once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import blake2b
from typing import Literal, NamedTuple, cast

import structlog
from sqlalchemy import ColumnElement, and_, func, select

from desk import drafting
from desk.cases import Cases
from desk.draft_shelf import held, put_drafts
from desk.drafting import SENDER, Draft, DraftState
from desk.refusals import NoSuchCase
from desk.shelf import dossier_of, save
from pipeline.codec import decode
from pipeline.errors import HarkenError, ReplyRefused, SourceUnavailable, StoreUnavailable, Trouble
from pipeline.mention import Mention, Routed
from pipeline.ports import Actor, Backoff, Clock, Replier
from pipeline.store.answer_tables import drafts
from pipeline.store.case_tables import case_authors
from pipeline.store.database import REMOVALS, Database, Transaction
from pipeline.store.part import Part
from pipeline.store.tables import mentions

log = structlog.get_logger(__name__)

TERM = timedelta(seconds=180)
"""How long an answer is its sender's: longer than a platform may take, short enough to be sent again after a crash."""

USUAL = Backoff(first=5.0, factor=2.0, cap=320.0)
"""Between attempts where a connector states nothing for a trouble, seconds."""

OUTAGE = Backoff(first=0.5, factor=2.0, cap=10.0)
"""Between attempts while the store does not answer, seconds."""

IDLE_SECS = 0.5

Outcome = Literal["sent", "failed", "retried", "returned"]
"""What came of an attempt. returned: it was not handed to the platform, because it may not go out any more."""


class _Posted(NamedTuple):
    native_id: str


class _Failed(NamedTuple):
    reason: str
    doubtful: bool


class _Later(NamedTuple):
    reason: str
    trouble: Trouble
    retry_after: float | None


_Result = _Posted | _Failed | _Later


class _Taken(NamedTuple):
    """A draft that is this sender's, and what it answers."""

    draft: Draft
    mention: Mention


class Sender(Part):
    """Sends what is queued through these repliers, by configured source: of each source one answer at a time, over all
    processes, in the order in which they became due. `backoffs` are the connectors' own; `told` hears of every outcome,
    with the source. One thread calls it; any number of senders, in any number of processes, may be at work."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cases: Cases,
        repliers: Mapping[str, Replier],
        backoffs: Mapping[str, Mapping[Trouble, Backoff]],
        told: Callable[[str, Outcome], None] = lambda via, outcome: None,  # noqa: ARG005 - nobody listens
    ) -> None:
        super().__init__(database, clock)
        self._cases = cases
        self._repliers = repliers
        self._backoffs = backoffs
        self._told = told
        self._unsaid: dict[str, tuple[_Taken, _Result]] = {}
        self._resting: dict[str, float] = {}

    def run(self) -> None:
        """Until the clock is stopped. A store that does not answer is waited out."""
        outages = 0
        while not self._clock.stopping:
            try:
                done = self.step()
            except StoreUnavailable as error:
                outages += 1
                if outages == 1:
                    log.warning("answers wait for the store", reason=str(error))
                self._clock.wait(OUTAGE.delay(outages))
                continue
            if outages:
                log.info("answers go on")
                outages = 0
            if not done:
                self._clock.wait(IDLE_SECS)

    def step(self) -> int:
        """One round: of every source the answer that is due first, if any. Returns how many were dealt with. Raises
        StoreUnavailable; what was posted by then is remembered and said first in the next round."""
        return sum(self._one(via) for via in self._repliers)

    def waiting(self) -> dict[str, int]:
        """How many answers wait or are being sent, by source."""
        query = select(drafts.c.via, func.count().label("counted")).where(drafts.c.next_at.is_not(None))
        with self._db.read() as transaction:
            found = {row.via: row.counted for row in transaction.run(query.group_by(drafts.c.via))}
        return {via: found.get(via, 0) for via in self._repliers}

    def _one(self, via: str) -> int:
        if via not in self._unsaid:
            if self._clock.monotonic() < self._resting.get(via, 0.0) or not self._any_due(via):
                return 0
            taken = self._take(via)
            if taken is None:
                return 0
            if isinstance(taken, str):
                self._told(via, "returned")
                return 1
            self._unsaid[via] = taken, self._post(via, taken)
        self._say(via, *self._unsaid[via])
        del self._unsaid[via]
        return 1

    # ------------------------------------------------------------------------- taking

    def _any_due(self, via: str) -> bool:
        """Looked up without holding anything, so that an idle sender does not take SQLite's only pen."""
        query = select(drafts.c.id).where(drafts.c.via == via, drafts.c.next_at <= self._clock.now()).limit(1)
        with self._db.read() as transaction:
            return transaction.run(query).first() is not None

    def _take(self, via: str) -> _Taken | Literal["returned"] | None:
        """Make the first answer that is due this sender's, or put it back where it may not go out any more; None where
        another sender is at work on this source, or nothing is due that nobody else holds."""
        now = self._clock.now()
        with self._db.write() as transaction:
            transaction.lock(_number(via))
            if transaction.run(select(drafts.c.id).where(_sending(via), drafts.c.next_at > now).limit(1)).first():
                return None
            first = (
                select(drafts.c.id, drafts.c.case_id)
                .join(case_authors, case_authors.c.author == drafts.c.author)
                .where(drafts.c.via == via, drafts.c.next_at <= now)
                .order_by(drafts.c.next_at, drafts.c.id)
                .limit(1)
                .with_for_update(of=case_authors, skip_locked=True)
            )
            row = transaction.run(first).first()
            if row is None:
                return None
            dossier = dossier_of(transaction, row.case_id)
            draft = held(transaction, row.id)
            if draft.next_at is None or draft.next_at > now:  # changed between our look and our lock
                return None
            mention = mention_of(transaction, draft.mention)
            before = {dossier.lease.author: dossier.lease}
            draft = drafting.begin(dossier, draft, now, TERM, there=mention is not None)
            save(transaction, [dossier], before)
            put_drafts(transaction, [draft])
        if draft.state is DraftState.SENDING and mention is not None:
            return _Taken(draft, mention)
        log.info("answer not sent", draft=draft.id, via=via, reason=draft.reason)
        return "returned"

    # ------------------------------------------------------------------------ posting

    def _post(self, via: str, taken: _Taken) -> _Result:
        draft, mention = taken
        replier = self._repliers[via]
        try:
            # Once it was handed over it may be there, so what speaks against it now is no reason any more.
            if draft.attempts == 1 and (reason := _why_not(replier, mention, draft)):
                return _Failed(readable(reason), doubtful=False)
            if draft.private:
                native_id = cast(Actor, replier).act("message", mention, draft.text, str(draft.key))
            else:
                native_id = replier.reply(mention, draft.text, str(draft.key), draft.pictures)
            native_id.encode()
        except SourceUnavailable as error:
            return _Later(readable(str(error)), error.trouble, error.retry_after)
        except ReplyRefused as error:
            return _Failed(readable(error.reason), doubtful=False)
        except HarkenError as error:
            log.error("replier refused", via=via, draft=draft.id, reason=str(error))
            return _Failed(readable(str(error)), doubtful=True)
        except Exception as error:  # a connector's fault is its own: other answers, and other sources, go on
            log.exception("replier failed", via=via, draft=draft.id)
            return _Failed(f"The connector failed ({type(error).__name__}); the log says more.", doubtful=True)
        if not native_id:
            return _Failed("The connector did not say what became of it.", doubtful=True)
        return _Posted(native_id)

    # ------------------------------------------------------------------------- saying

    def _say(self, via: str, taken: _Taken, result: _Result) -> None:
        draft = taken.draft
        try:
            with self._db.write() as transaction:
                if isinstance(result, _Posted):  # it may be coming back at this moment
                    transaction.lock(REMOVALS)
                outcome = self._settle(transaction, via, taken, result)
        except NoSuchCase:  # erased meanwhile, the draft with it
            log.warning("answer of a case that is gone", draft=draft.id, via=via)
            return
        if outcome:
            self._told(via, outcome)
        if outcome == "failed":
            log.warning("answer failed", draft=draft.id, via=via)

    def _settle(self, transaction: Transaction, via: str, taken: _Taken, result: _Result) -> Outcome | None:
        """Write down what came of it; None where another sender has taken it over meanwhile and will say."""
        now, key = self._clock.now(), str(taken.draft.key)
        dossier = dossier_of(transaction, taken.draft.case)
        before = {dossier.lease.author: dossier.lease}
        draft = held(transaction, taken.draft.id)
        if isinstance(result, _Posted):
            answer = f"{taken.mention.source}:{result.native_id}"
            self._cases.reply_sent(transaction, draft.case, SENDER, answer, key, awaiting=draft.awaiting)
            draft = held(transaction, draft.id)
            if draft.key == key:  # whatever we thought of it meanwhile: the platform has it
                put_drafts(transaction, [drafting.sent(draft, now, answer)])
            else:
                log.warning("answer sent and changed meanwhile", draft=draft.id, via=via)
            return "sent"
        if (draft.state, draft.key, draft.attempts) != (DraftState.SENDING, key, taken.draft.attempts):
            return None
        outcome: Outcome = "failed"
        if isinstance(result, _Later):
            delay = self._delay(via, draft.attempts, result)
            draft = drafting.again(dossier, draft, now, result.reason, delay)
            outcome = "retried"
        else:
            draft = drafting.failed(dossier, draft, now, result.reason, doubtful=result.doubtful)
        save(transaction, [dossier], before)
        put_drafts(transaction, [draft])
        return outcome

    def _delay(self, via: str, attempt: int, result: _Later) -> float:
        delay = result.retry_after
        if delay is None:
            delay = self._backoffs.get(via, {}).get(result.trouble, USUAL).delay(attempt)
        if result.trouble == "rate_limited":  # it is the account that must wait, not this answer
            self._resting[via] = self._clock.monotonic() + delay
        return delay


def _why_not(replier: Replier, mention: Mention, draft: Draft) -> str | None:
    """Why this answer cannot be given, as far as the connector knows without asking anybody."""
    if not draft.private:
        return replier.eligible(mention)
    if "message" not in getattr(replier, "actions", ()):
        return "Nobody can be written to in private through this source."
    return cast(Actor, replier).may("message", mention)


def readable(reason: str) -> str:
    """A platform's words, so that they can be kept."""
    return reason.encode("utf-8", "replace").decode().strip() or "It was refused without a reason."


def _sending(via: str) -> ColumnElement[bool]:
    return and_(drafts.c.via == via, drafts.c.state == DraftState.SENDING.value)


def _number(via: str) -> int:
    """The advisory lock of a source."""
    return int.from_bytes(blake2b(f"answers\0{via}".encode(), digest_size=8).digest(), "big", signed=True)


def mention_of(transaction: Transaction, id: str) -> Mention | None:
    """What was said, where it is still kept."""
    body = transaction.run(select(mentions.c.body).where(mentions.c.id == id)).scalar()
    return cast(Routed, decode(bytes(body))).mention if body else None
