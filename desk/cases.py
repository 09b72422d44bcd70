"""Cases as the desk works with them: who takes what, what they do with it, and what mentions make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import exists, select

from desk import handling, taking, waves
from desk.case import Case
from desk.case_queries import CaseQueries, case_in
from desk.case_records import Held
from desk.corrected import correct
from desk.dossier import Dossier, Lease
from desk.handling import By
from desk.hearing import CaseSettings
from desk.intake import place_answer, take_in
from desk.refusals import Unfit
from desk.shelf import dossier_of, save
from pipeline.codec import decode
from pipeline.mention import Priority, Routed
from pipeline.ports import Clock
from pipeline.store.case_tables import case_mentions
from pipeline.store.database import REMOVALS, Database, Transaction, beyond
from pipeline.store.tables import mentions

SWEEP = 20
"""How many authors one `next` looks after on its way; `sweep` sees to the others."""


class Cases(CaseQueries):
    """The cases, on the store's database. A method without a `transaction` runs in one of its own: it has happened when
    the method returns, and has left no trace when it raises. One with a `transaction` (`pipeline.store`'s, for
    writing) is part of that one.

    Users are actors: `user:ID`. Raises Conflict with who holds the case, NoSuchCase, Unfit for a value that cannot be
    used; StoreUnavailable as the store does. Safe to share among threads.
    """

    def __init__(self, database: Database, clock: Clock, settings: CaseSettings | None = None) -> None:
        super().__init__(database, clock)
        self._settings = settings or CaseSettings()
        self._term = timedelta(seconds=self._settings.lease_seconds)

    # ----------------------------------------------------------------- from mentions

    def take_in(self, transaction: Transaction, fresh: Sequence[Routed], withdrawn: Sequence[str]) -> None:
        """Let cases know what was stored anew or otherwise, and which mentions were taken out: made to be the `also` of
        `Store.deliver`. The same again changes nothing. Filtered and own mentions open no case."""
        take_in(transaction, fresh, withdrawn, self._clock, self._settings)

    def catch_up(self, batch: int = 500) -> int:
        """Make cases of the mentions that were stored before there were cases, oldest first, some in each transaction;
        returns how many mentions had none. To be called once, while `deliver` is at work or not."""
        order = (mentions.c.created_at, mentions.c.id)
        placed = exists().where(case_mentions.c.mention == mentions.c.id)
        query = select(*order, mentions.c.body).where(~placed).order_by(*order).limit(batch)
        page, total = query, 0
        while True:
            with self._db.write() as transaction:
                transaction.lock(REMOVALS, shared=True)
                rows = transaction.run(page).all()
                self.take_in(transaction, [cast(Routed, decode(bytes(row.body))) for row in rows], [])
            total += len(rows)
            if len(rows) < batch:
                return total
            page = query.where(beyond(order, (rows[-1].created_at, rows[-1].id)))

    # ------------------------------------------------------------------- taking work

    def next(
        self, user: str, queues: Sequence[str], languages: Sequence[str] = (), topics: Sequence[str] = ()
    ) -> Held | None:
        """Take the most urgent case of these queues: by priority, then by when its answer is due, then by age; None
        where there is none. `languages` (ISO 639-1) and `topics` are what this person can do, empty for anything; a
        case whose language or topic is not known suits everybody. With the case come all open ones of its author."""
        with self._db.write() as transaction:
            now = self._clock.now()
            taking.sweep(transaction, now, SWEEP)
            id = taking.most_urgent(transaction, queues, languages, topics)
            if id is None:
                return None
            with _opened(transaction, id) as dossier:
                lease = dossier.claim(id, user, user, now, self._term)
            return Held(case_in(transaction, id), lease)

    def claim(self, id: str, user: str, actor: str | None = None) -> Held:
        """Take this case, with all open ones of its author, for `user`; `actor` is who gave it to them, if not they
        themselves. Whose it is already keeps it, and the token, for another term."""
        return self._lead(id, lambda dossier, now: dossier.claim(id, user, actor or user, now, self._term))

    def take_over(self, id: str, user: str, reason: str) -> Held:
        """Take it from whoever has it. Their token is worth nothing from then on."""
        return self._lead(id, lambda dossier, now: dossier.take_over(id, user, reason, now, self._term))

    def heartbeat(self, id: str, user: str, token: int) -> Held:
        """Say that its owner is still there. Once a minute is plenty."""
        return self._lead(id, lambda dossier, now: dossier.heartbeat(token, user, now, self._term))

    def release(self, id: str, user: str, token: int) -> Case:
        """Give it back, with everything else of its author."""
        return self._change(id, lambda dossier, now: dossier.release(token, user, now))

    def sweep(self, limit: int = 500) -> int:
        """Give back what was held under leases that have run out, and wake what has slept its time, some at a time;
        returns how many authors that concerned. `next` does so on its way, and no lease is good after its end whether
        or not anybody swept: this keeps the lists right when nobody asks for work. For a timer."""
        with self._db.write() as transaction:
            return taking.sweep(transaction, self._clock.now(), limit)

    def settle_waves(self, limit: int = 1000) -> int:
        """Resolve the copies of what was answered or resolved, and let the next of them lead where the one they
        followed is gone, some in each transaction; returns how many cases that concerned. For a timer."""
        return waves.settle(self._db, self._clock, self._settings.wave_hours, limit)

    def check_token(self, transaction: Transaction, id: str, token: int, user: str | None = None) -> None:
        """Return where this token is good, and remains so until the transaction ends; else raise Conflict. For the
        transaction that sends."""
        dossier_of(transaction, id).check(token, user, self._clock.now())

    # ----------------------------------------------------------------- working on it

    def transfer(self, id: str, by: By, queue: str, reason: str, *, wrong_route: bool = False) -> Case:
        """Hand it to another queue; the author's lease ends. `wrong_route` keeps a correction: what the rules saw, and
        where it belongs."""
        with self._db.write() as transaction:
            with _opened(transaction, id) as dossier:
                now = self._clock.now()
                case = handling.transfer(dossier, id, by, now, queue, reason, wrong_route=wrong_route)
            if wrong_route:
                correct(transaction, case, by.user, now, reason)
            return case_in(transaction, id)

    def snooze(self, id: str, by: By, until: datetime) -> Case:
        """Let it rest until then, or until its author says more."""
        return self._change(id, lambda dossier, now: handling.snooze(dossier, id, by, now, until))

    def wake(self, id: str, by: By) -> Case:
        """End a snooze."""
        return self._change(id, lambda dossier, now: handling.wake(dossier, id, by.user, now))

    def resolve(self, id: str, by: By, reason: str = "") -> Case:
        """Close it."""
        return self._change(id, lambda dossier, now: handling.resolve(dossier, id, by, now, reason))

    def reopen(self, id: str, by: By, reason: str) -> Case:
        """Take up again what was resolved."""
        return self._change(id, lambda dossier, now: handling.reopen(dossier, id, by, now, reason))

    def prioritise(self, id: str, by: By, priority: Priority, reason: str = "") -> Case:
        """Set how soon a person should look."""
        return self._change(id, lambda dossier, now: handling.prioritise(dossier, id, by, now, priority, reason))

    def note(self, id: str, by: By, text: str) -> Case:
        """Write something down for colleagues."""
        return self._change(id, lambda dossier, now: handling.note(dossier, id, by, now, text))

    def tag(self, id: str, by: By, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Case:
        """Put tags on and take tags off."""
        return self._change(id, lambda dossier, now: handling.tag(dossier, id, by, now, tuple(add), tuple(remove)))

    def ask(self, id: str, by: By, question: str, *, queue: str | None = None, user: str | None = None) -> Case:
        """Ask another queue, or one person, without giving the case up."""
        return self._change(
            id, lambda dossier, now: handling.ask(dossier, id, by, now, question, queue=queue, user=user)
        )

    def escalate(self, id: str, by: By, reason: str) -> Case:
        """Ask for a lead."""
        return self._change(id, lambda dossier, now: handling.escalate(dossier, id, by, now, reason))

    def watch(self, id: str, by: By, *, stop: bool = False) -> Case:
        """Hear of it from now on, or no longer."""
        return self._change(id, lambda dossier, now: handling.watch(dossier, id, by, now, stop=stop))

    def answer_natively(self, id: str, by: By, url: str = "") -> Case:
        """Say that it was answered on the platform itself."""
        return self._change(id, lambda dossier, now: handling.answer_natively(dossier, id, by, now, url))

    # ----------------------------------------------------------------------- answers

    def reply_queued(
        self, transaction: Transaction, id: str, by: By, draft: str, key: str, *, awaiting: bool = False
    ) -> Case:
        """Say that an answer goes out with this transaction; raises Conflict unless `by` holds the author now, and
        while another answer of the case is on its way."""
        with _opened(transaction, id) as dossier:
            return handling.queue_reply(dossier, id, by, self._clock.now(), draft, key, awaiting=awaiting)

    def reply_sent(
        self, transaction: Transaction, id: str, actor: str, mention: str, key: str, *, awaiting: bool = False
    ) -> Case:
        """Say that the platform has it as `mention` (`source:native_id`). It may have come back on the stream before
        this was said: then it counts once, and a case that it opened meanwhile is withdrawn. The transaction holds
        REMOVALS, so that it is either stored by now or known for ours when it is."""
        source, _, native_id = mention.partition(":")
        if not source or not native_id:
            raise Unfit("mention", "is source:native_id")
        news = place_answer(transaction, mention, id, self._clock, self._settings)
        with _opened(transaction, id) as dossier:
            now = self._clock.now()
            if news or key in dossier.cases[id].pending:
                handling.reply_sent(dossier, id, actor, now, native_id, key, awaiting=awaiting)
            return dossier.cases[id]

    def reply_failed(self, transaction: Transaction, id: str, actor: str, key: str, reason: str) -> Case:
        """Say that the platform refused it."""
        with _opened(transaction, id) as dossier:
            return handling.reply_failed(dossier, id, actor, self._clock.now(), key, reason)

    # ------------------------------------------------------------------------ inside

    def _change(self, id: str, command: Callable[[Dossier, datetime], object]) -> Case:
        with self._db.write() as transaction:
            with _opened(transaction, id) as dossier:
                command(dossier, self._clock.now())
            return case_in(transaction, id)

    def _lead(self, id: str, command: Callable[[Dossier, datetime], Lease]) -> Held:
        with self._db.write() as transaction:
            with _opened(transaction, id) as dossier:
                lease = command(dossier, self._clock.now())
            return Held(case_in(transaction, id), lease)


@contextmanager
def _opened(transaction: Transaction, id: str) -> Iterator[Dossier]:
    """The dossier this case is in, held; saved at the end of the block."""
    dossier = dossier_of(transaction, id)
    before = {dossier.lease.author: dossier.lease}
    yield dossier
    save(transaction, [dossier], before)
