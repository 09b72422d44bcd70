"""Dead letters: what could not be handled, kept with its reason and bytes until a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, case, delete, func, or_, select, update

from pipeline.store.columns import fit, utc
from pipeline.store.database import REMOVALS, Transaction, beneath, beyond
from pipeline.store.part import Part, Victim, arrival, ensure_intake, mark_removed, stones_over
from pipeline.store.records import DeadLetter, Fault, LetterState, Taken
from pipeline.store.tables import dead_letters, intake, mentions

columns = [column for column in dead_letters.c if column.name != "known_since"]


class Letters(Part):
    """The table `dead_letters`."""

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep dead letters. The same one again changes nothing, unless it was retried in between and died again."""
        with self._db.write() as transaction:
            transaction.lock(REMOVALS, shared=True)
            bury(transaction, letters, self._clock.now())

    def dead(self, limit: int = 100, after: DeadLetter | None = None) -> list[DeadLetter]:
        """Those that wait for a person, oldest first; `after` is the last of the page before."""
        query = select(*columns).where(dead_letters.c.state == "dead")
        if after is not None:
            query = query.where(beyond((dead_letters.c.died_at, dead_letters.c.id), (after.died_at, after.id)))
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(dead_letters.c.died_at, dead_letters.c.id).limit(limit)).all()
        return [letter(row) for row in rows]

    def dead_letter(self, id: str) -> DeadLetter | None:
        """One letter in whatever state."""
        with self._db.read() as transaction:
            row = transaction.run(select(*columns).where(dead_letters.c.id == id)).first()
        return letter(row) if row else None

    def letters(
        self,
        state: LetterState = "dead",
        via: str | None = None,
        role: str | None = None,
        reason: str | None = None,
        limit: int = 100,
        before: DeadLetter | None = None,
    ) -> list[DeadLetter]:
        """Those in this state that came through `via`, died in `role` and for exactly this reason, where these are
        given; the newest first. `before` is the last of the page before."""
        query = select(*columns).where(dead_letters.c.state == state)
        for column, value in ((dead_letters.c.via, via), (dead_letters.c.role, role), (dead_letters.c.reason, reason)):
            if value is not None:
                query = query.where(column == value)
        order = (dead_letters.c.died_at, dead_letters.c.id)
        if before is not None:
            query = query.where(beneath(order, (before.died_at, before.id)))
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(*(it.desc() for it in order)).limit(limit)).all()
        return [letter(row) for row in rows]

    def faults(self, limit: int = 20) -> list[Fault]:
        """What those that wait died of, the most frequent first: many with one reason are one fault."""
        kind = (dead_letters.c.role, dead_letters.c.stage, dead_letters.c.reason)
        newest, count = func.max(dead_letters.c.died_at).label("newest"), func.count().label("letters")
        query = select(*kind, newest, count).where(dead_letters.c.state == "dead").group_by(*kind)
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(count.desc(), newest.desc()).limit(limit)).all()
        return [Fault(**row._mapping) for row in rows]

    def restore(self, ids: Sequence[str], note: str | None = None) -> int:
        """Take back that these, or with a `note` all that bear it, were discarded: they wait for a person again.
        Returns how many were discarded."""
        with self._db.write() as transaction:
            chosen = transaction.among(dead_letters.c.id, ids) if note is None else dead_letters.c.note == note
            return transaction.run(
                update(dead_letters).where(chosen, dead_letters.c.state == "discarded").values(state="dead", note="")
            ).rowcount

    def retrying(self, letters: Sequence[DeadLetter]) -> int:
        """Note, once their bytes are durable on the bus again, that these are back in flight; returns how many are.

        Letters as they were read: one that has died again since then stays dead.
        """
        with self._db.write() as transaction:
            return sum(
                transaction.run(
                    update(dead_letters)
                    .where(
                        dead_letters.c.id == letter.id,
                        dead_letters.c.died_at == letter.died_at,
                        dead_letters.c.state == "dead",
                    )
                    .values(state="retried")
                ).rowcount
                for letter in letters
            )

    def discard(self, ids: Sequence[str], note: str) -> int:
        """Give these up, with who and why; each counts as filtered (`discarded`). Returns how many were dead."""
        with self._db.write() as transaction:
            return transaction.run(
                update(dead_letters)
                .where(transaction.among(dead_letters.c.id, ids), dead_letters.c.state == "dead")
                .values(state="discarded", note=note)
            ).rowcount

    def revive(self, id: str, taken: Sequence[Taken]) -> bool:
        """Put the mentions that were read from an unreadable item, once durable on the bus, in its place; False when
        the letter is not dead (any more)."""
        now = self._clock.now()
        with self._db.write() as transaction:
            transaction.lock(REMOVALS, shared=True)
            found = transaction.run(
                select(dead_letters.c.intake_id, dead_letters.c.via)
                .where(dead_letters.c.id == id, dead_letters.c.state == "dead")
                .with_for_update()
            ).first()
            if found is None:
                return False
            transaction.run(delete(intake).where(intake.c.id == found.intake_id))
            take(transaction, found.via, taken, now)
            transaction.run(
                update(dead_letters)
                .where(dead_letters.c.intake_id == found.intake_id)
                .values(state="revived", payload=b"")
            )
            return True


def take(transaction: Transaction, via: str, taken: Sequence[Taken], now: datetime) -> None:
    """Take in mentions; what lies under a tombstone counts as removed at once."""
    items = {fit(item.id): item for item in taken}
    rows = [arrival(item.id, item.source, via, item.digest, now, item.created_at) for _, item in sorted(items.items())]
    transaction.insert(intake, rows, "id", update=["digest", "via"], guard=lambda new: new.digest != intake.c.digest)
    stones = stones_over(transaction, (item.id for item in items.values()))
    gone = [(item, stone) for item in items.values() if (stone := stones.over(item.id))]
    mark_removed(transaction, [Victim(item.id, item.source, "", stone) for item, stone in gone], now)


def bury(transaction: Transaction, letters: Sequence[DeadLetter], now: datetime) -> None:
    """Keep dead letters, within a transaction that holds the lock; nothing of what was taken back."""
    if not letters:
        return
    stones = stones_over(transaction, (it.intake_id for it in letters), (it.author for it in letters if it.author))
    revived = set(
        transaction.run(
            select(dead_letters.c.id).where(
                transaction.among(dead_letters.c.id, [it.id for it in letters]), dead_letters.c.state == "revived"
            )
        ).scalars()
    )
    rows: dict[str, dict[str, Any]] = {}
    arrivals, victims = [], []
    for it in letters:
        if fit(it.id) in revived:
            continue
        known_since = utc(it.created_at or it.died_at)
        arrivals.append(arrival(it.intake_id, it.source, it.via, "", now, known_since))
        if stone := stones.over(it.intake_id, it.author, known_since):
            victims.append(Victim(it.intake_id, it.source, "", stone))
        else:
            rows[fit(it.id)] = _row(it, known_since)
    ensure_intake(transaction, arrivals)
    transaction.insert(
        dead_letters,
        [rows[id] for id in sorted(rows)],
        "id",
        update=["place", "stage", "reason", "payload", "died_at", "state"],
        guard=lambda new: (
            or_(dead_letters.c.state == "dead", dead_letters.c.state == "retried")
            & (new.died_at > dead_letters.c.died_at)
        ),
        attempts=lambda _: dead_letters.c.attempts + case((dead_letters.c.state == "retried", 1), else_=0),
    )
    # Where the mention itself is kept, said after its author's removal, only the letter about it goes.
    kept = select(mentions.c.id).where(transaction.among(mentions.c.id, [it.id for it in victims]))
    stored = set(transaction.run(kept).scalars()) if victims else set()
    mark_removed(transaction, [it for it in victims if fit(it.id) not in stored], now)


def letter(row: Row[Any]) -> DeadLetter:
    """A row of the table as a record."""
    return DeadLetter(
        id=row.id,
        intake_id=row.intake_id,
        source=row.source,
        via=row.via,
        role=row.role,
        stage=row.stage,
        place=row.place,
        reason=row.reason,
        payload=bytes(row.payload),
        died_at=row.died_at,
        author=row.author,
        state=cast(LetterState, row.state),
        attempts=row.attempts,
        note=row.note,
    )


def _row(it: DeadLetter, known_since: datetime) -> dict[str, Any]:
    return {
        "id": it.id,
        "intake_id": it.intake_id,
        "source": it.source,
        "via": it.via,
        "author": it.author,
        "role": it.role,
        "stage": it.stage,
        "place": it.place,
        "reason": it.reason,
        "payload": it.payload,
        "known_since": known_since,
        "died_at": utc(it.died_at),
        "state": "dead",
        "attempts": 1,
        "note": "",
    }
