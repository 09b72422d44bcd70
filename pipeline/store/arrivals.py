"""What collect writes: what came in, where each source goes on, what it missed, and what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import select, update

from pipeline.ports import Gap, Usage
from pipeline.store import coverage
from pipeline.store.columns import fit
from pipeline.store.database import REMOVALS, Transaction
from pipeline.store.letters import bury, take
from pipeline.store.ours import ours_among
from pipeline.store.part import Part
from pipeline.store.records import DeadLetter, RecordedGap, SourceStatus, Taken
from pipeline.store.tables import cursors, intake, removed
from pipeline.store.tables import gaps as gap_table


class Arrivals(Part):
    """The tables `intake`, `cursors` and `gaps`."""

    def known(self, pairs: Sequence[tuple[str, str]]) -> set[str]:
        """Of (mention id, digest) pairs, the ids that need not be published: taken in with this very content, or
        removed for good."""
        ids = [id for id, _ in pairs]
        with self._db.read() as transaction:
            digests = transaction.run(
                select(intake.c.id, intake.c.digest).where(transaction.among(intake.c.id, ids))
            ).all()
            gone = set(transaction.run(select(removed.c.id).where(transaction.among(removed.c.id, ids))).scalars())
        same = {(row.id, row.digest) for row in digests}
        return {id for id, digest in pairs if fit(id) in gone or (fit(id), fit(digest)) in same}

    def ours(self, ids: Sequence[str]) -> set[str]:
        """Of these mention ids, those of our own answers, as far as the platform's ids for them are kept by now."""
        with self._db.read() as transaction:
            found = ours_among(transaction, ids)
        return {id for id in ids if fit(id) in found}

    def take_in(
        self,
        via: str,
        cursor: str | None,
        taken: Sequence[Taken],
        dead: Sequence[DeadLetter] = (),
        gaps: Sequence[Gap] = (),
        heard: bool = True,
        usage: Sequence[Usage] = (),
    ) -> None:
        """Record one page, once it is durable on the bus, together with the cursor after it (None: as it was).

        The same page again changes nothing but the cursor. `dead` holds what could not be read, each with an
        `intake_id` of its own, by which it counts as taken in.
        """
        now = self._clock.now()
        with self._db.write() as transaction:
            if taken or dead:
                transaction.lock(REMOVALS, shared=True)
            dead_ids = {letter.intake_id for letter in dead}
            fresh = _fresh(transaction, [item.id for item in taken] + list(dead_ids))
            take(transaction, via, [item for item in taken if item.id not in dead_ids], now)
            bury(transaction, dead, now)
            _record(transaction, via, gaps, now)
            if fresh:
                coverage.count(transaction, via, fresh, now)
            if usage:
                coverage.note_usage(transaction, via, usage, now)
            row = {
                "via": via,
                "cursor": None if cursor is None else cursor.encode("utf-8", "surrogatepass"),
                "saved_at": now,
                "last_item_at": now if taken or dead else None,
                "last_heard_at": now if heard else None,
            }
            keep = [name for name in ("cursor", "last_item_at", "last_heard_at") if row[name] is not None]
            transaction.insert(cursors, [row], "via", update=["saved_at", *keep])

    def cursor(self, via: str) -> str | None:
        """Where this source goes on; None for one that never saved a place."""
        with self._db.read() as transaction:
            saved = transaction.run(select(cursors.c.cursor).where(cursors.c.via == via)).scalar()
        return None if saved is None else bytes(saved).decode("utf-8", "surrogatepass")

    def sources(self) -> list[SourceStatus]:
        """Every source that ever saved its place, by name."""
        columns = (cursors.c.via, cursors.c.saved_at, cursors.c.last_item_at, cursors.c.last_heard_at)
        with self._db.read() as transaction:
            rows = transaction.run(select(*columns).order_by(cursors.c.via)).all()
        return [SourceStatus(**row._mapping) for row in rows]

    def gaps(self, open_only: bool = False, limit: int = 1000) -> list[RecordedGap]:
        """The stretches that were not heard, newest first; `open_only` leaves out what was repaired."""
        query = select(
            gap_table.c.id,
            gap_table.c.via,
            gap_table.c.since,
            gap_table.c.until,
            gap_table.c.reason,
            gap_table.c.note,
            gap_table.c.recorded_at,
            gap_table.c.repaired_at,
        ).order_by(gap_table.c.since.desc(), gap_table.c.id)
        if open_only:
            query = query.where(gap_table.c.repaired_at.is_(None))
        with self._db.read() as transaction:
            return [RecordedGap(**row._mapping) for row in transaction.run(query.limit(limit))]

    def repair_gap(self, id: str, note: str = "") -> bool:
        """Mark an open gap as repaired; False when there is none such."""
        with self._db.write() as transaction:
            done = transaction.run(
                update(gap_table)
                .where(gap_table.c.id == id, gap_table.c.repaired_at.is_(None))
                .values(repaired_at=self._clock.now(), note=note)
            )
            return done.rowcount > 0

    def reopen_gap(self, id: str) -> bool:
        """Take that back; False where it is open or unknown."""
        with self._db.write() as transaction:
            done = transaction.run(
                update(gap_table)
                .where(gap_table.c.id == id, gap_table.c.repaired_at.is_not(None))
                .values(repaired_at=None, note="")
            )
            return done.rowcount > 0


def _record(transaction: Transaction, via: str, gaps: Sequence[Gap], now: datetime) -> None:
    rows = {
        id: {
            "id": id,
            "via": via,
            "since": gap.since,
            "until": gap.until,
            "reason": gap.reason,
            "note": gap.note,
            "recorded_at": now,
            "repaired_at": now if gap.repaired else None,
        }
        for gap in sorted(gaps, key=lambda gap: gap.repaired)
        for id in [_gap_id(via, gap)]
    }
    transaction.insert(
        gap_table,
        list(rows.values()),
        "id",
        update=["repaired_at", "note"],
        guard=lambda new: new.repaired_at.is_not(None) & gap_table.c.repaired_at.is_(None),
    )


def _gap_id(via: str, gap: Gap) -> str:
    parts = (via, gap.since.isoformat(), gap.until.isoformat(), gap.reason)
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _fresh(transaction: Transaction, ids: Sequence[str]) -> int:
    """How many of these were never taken in."""
    wanted = {fit(id) for id in ids}
    if not wanted:
        return 0
    query = select(intake.c.id).where(transaction.among(intake.c.id, list(wanted)))
    return len(wanted - set(transaction.run(query).scalars()))
