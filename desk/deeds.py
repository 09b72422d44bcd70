"""What is done with a mention besides answering it: liked, or hidden on a page of our own.

A deed is asked for in one transaction and done by whoever looks after its source, again and again until the platform
has said yes or no. Done twice it has no second effect (`pipeline.ports.Actor`), so a crash in between needs no care.
To hide is not to answer: it wants a reason, and the customer's turn does not change by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, cast, get_args

import structlog
from msgspec import Struct
from sqlalchemy import select, update

from desk.desk import Desk
from desk.draft_queries import asked_in
from desk.eligibility import Powers
from desk.handling import By, said
from desk.refusals import Conflict, Unfit
from desk.replies import TERM, USUAL, mention_of, readable
from desk.shelf import dossier_of
from pipeline.errors import HarkenError, ReplyRefused, SourceUnavailable, Trouble
from pipeline.mention import Mention
from pipeline.ports import Actor, Backoff, Clock
from pipeline.store.answer_tables import deeds
from pipeline.store.columns import fit
from pipeline.store.database import Database, Transaction
from pipeline.store.part import Part

log = structlog.get_logger(__name__)

Kind = Literal["like", "hide"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Outcome = Literal["done", "failed", "retried"]


class Deed(Struct, frozen=True, kw_only=True):
    """A row of `deeds`, without what only the doer needs."""

    case: str
    mention: str
    action: Kind
    state: Literal["waiting", "done", "failed"]
    actor: str
    why: str
    asked_at: datetime
    changed_at: datetime
    reason: str


class Deeds(Part):
    """Asks for deeds. Raises NoSuchCase; Unfit; Conflict where it is on its way or done already."""

    def __init__(self, database: Database, clock: Clock, desk: Desk) -> None:
        super().__init__(database, clock)
        self._desk = desk

    def ask(self, case: str, by: By, mention: str, action: Kind, why: str = "") -> Deed:
        """Have it done. To hide wants a reason. What failed may be asked for again."""
        why = said("why", why) if action == "hide" or why.strip() else ""
        with self._db.write() as transaction:
            dossier = dossier_of(transaction, case)
            dossier.open_case(case)
            asked = asked_in(transaction, case, mention)
            if action not in self._desk.powers.get(asked.mention.via, Powers()).actions:
                raise Unfit("action", f"nobody can {action} a mention through the source {asked.mention.via}")
            id, now = _id(action, mention), self._clock.now()
            state = transaction.run(select(deeds.c.state).where(deeds.c.id == id)).scalar()
            if state in ("waiting", "done"):
                raise Conflict("it is done already" if state == "done" else "it is on its way")
            row = {
                "id": id,
                "case_id": case,
                "author": asked.case.author,
                "mention": fit(mention),
                "via": asked.mention.via,
                "action": action,
                "state": "waiting",
                "actor": by.user,
                "why": why,
                "asked_at": now,
                "changed_at": now,
                "attempts": 0,
                "next_at": now,
                "reason": "",
            }
            transaction.insert(deeds, [row], "id", update=[name for name in row if name != "id"])
            return _read(transaction, id)

    def of_case(self, case: str) -> list[Deed]:
        """What was asked for in this case, oldest first."""
        query = select(deeds).where(deeds.c.case_id == case).order_by(deeds.c.asked_at, deeds.c.id)
        with self._db.read() as transaction:
            return [_deed(row) for row in transaction.run(query)]


class Doer(Part):
    """Does what is asked for through one source. One thread calls it; doers in other processes may be at work."""

    def __init__(
        self, database: Database, clock: Clock, via: str, actor: Actor, backoff: Mapping[Trouble, Backoff]
    ) -> None:
        super().__init__(database, clock)
        self._via = via
        self._actor = actor
        self._backoff = backoff
        self._resting = 0.0

    def step(self, told: Callable[[Outcome], object] = lambda outcome: None) -> bool:  # noqa: ARG005 - nobody listens
        """Do the one that is due first; whether there was one. `told` hears what came of it."""
        if self._clock.monotonic() < self._resting or (taken := self._take()) is None:
            return False
        id, attempts, action, mention = taken
        told(self._settle(id, attempts, self._done(action, mention, id)))
        return True

    def _take(self) -> tuple[str, int, Kind, Mention | None] | None:
        now = self._clock.now()
        due = (deeds.c.via == self._via, deeds.c.next_at <= now)
        with self._db.read() as transaction:
            if transaction.run(select(deeds.c.id).where(*due).limit(1)).first() is None:
                return None
        with self._db.write() as transaction:
            query = select(deeds).where(*due).order_by(deeds.c.next_at, deeds.c.id).limit(1)
            row = transaction.run(query.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            attempts = row.attempts + 1
            mine = update(deeds).where(deeds.c.id == row.id)
            transaction.run(mine.values(next_at=now + TERM, attempts=attempts))
            mention = mention_of(transaction, row.mention)
        return str(row.id), int(attempts), cast(Kind, row.action), mention

    def _done(self, action: Kind, mention: Mention | None, key: str) -> HarkenError | None:
        """None where the platform did it, else what kept it."""
        if mention is None:
            return ReplyRefused("The mention was taken back.")
        try:
            if reason := self._actor.may(action, mention):
                return ReplyRefused(reason)
            self._actor.act(action, mention, "", key[:200])
        except HarkenError as error:
            return error
        except Exception as error:  # a connector's fault is its own: the desk goes on
            log.exception("connector failed", via=self._via, action=action)
            return ReplyRefused(f"The connector failed ({type(error).__name__}); the log says more.")
        return None

    def _settle(self, id: str, attempts: int, trouble: HarkenError | None) -> Outcome:
        now = self._clock.now()
        values: dict[str, Any] = {"state": "done", "next_at": None, "reason": "", "changed_at": now}
        outcome: Outcome = "done"
        if isinstance(trouble, SourceUnavailable):
            delay = trouble.retry_after
            if delay is None:
                delay = self._backoff.get(trouble.trouble, USUAL).delay(attempts)
            if trouble.trouble == "rate_limited":
                self._resting = self._clock.monotonic() + delay
            values = {"next_at": now + timedelta(seconds=delay), "reason": readable(str(trouble)), "changed_at": now}
            outcome = "retried"
        elif trouble is not None:
            values |= {"state": "failed", "reason": readable(str(trouble))}
            outcome = "failed"
        with self._db.write() as transaction:
            mine = update(deeds).where(deeds.c.id == id, deeds.c.attempts == attempts, deeds.c.state == "waiting")
            transaction.run(mine.values(**values))
        return outcome


def _id(action: Kind, mention: str) -> str:
    return fit(f"{action} {mention}")


def _read(transaction: Transaction, id: str) -> Deed:
    return _deed(transaction.run(select(deeds).where(deeds.c.id == id)).one())


def _deed(row: Any) -> Deed:
    return Deed(case=row.case_id, **{name: getattr(row, name) for name in Deed.__struct_fields__ if name != "case"})
