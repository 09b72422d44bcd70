"""The outbox: what each sink is to get, enqueued with the decision itself, so that a sink that is down loses nothing
and holds up nobody. What was settled is taken away after a while (`prune`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

from sqlalchemy import and_, bindparam, delete, exists, func, or_, select, update

from pipeline.codec import decode, encode
from pipeline.errors import BadRecord
from pipeline.mention import Removal, Routed
from pipeline.ports import Delivery
from pipeline.store.columns import utc
from pipeline.store.database import Transaction
from pipeline.store.part import Part, Victim
from pipeline.store.records import Backlog, Parcel, Refusal
from pipeline.store.tables import mentions, outbox

_pending = outbox.c.state == "pending"


class Outbox(Part):
    """The table `outbox`."""

    def due(self, sink: str, limit: int, lease_seconds: float) -> list[Parcel]:
        """Claim what this sink should get now, in the order it was enqueued, for so many seconds.

        Nobody else is handed a claimed delivery until it is settled or its lease ends, nor a later one of the same
        mention while an earlier one is pending: a sink sees each mention's story in order.
        """
        now = self._clock.now()
        with self._db.write() as transaction:
            seqs = _claimable(transaction, sink, limit, now)
            if not seqs:
                return []
            rows = transaction.run(
                update(outbox)
                .where(outbox.c.seq.in_(seqs))
                .values(leased_until=now + timedelta(seconds=lease_seconds), attempts=outbox.c.attempts + 1)
                .returning(outbox.c.seq, outbox.c.key, outbox.c.payload, outbox.c.attempts)
            ).all()
        parcels, unreadable = [], []
        for row in sorted(rows):
            try:
                record = decode(bytes(row.payload))
            except BadRecord as error:
                unreadable.append((row.key, str(error)))
                continue
            if isinstance(record, Routed | Removal):
                parcels.append(Parcel(Delivery(row.key, record), row.attempts))
        if unreadable:
            self.settle(refused=unreadable)
        return parcels

    def settle(
        self,
        sent: Sequence[str] = (),
        refused: Sequence[tuple[str, str]] = (),
        retry: Sequence[tuple[str, str, datetime]] = (),
    ) -> None:
        """Say what became of claimed deliveries, by key: the sink has it, refuses it for good (with the reason), or
        is to be asked again at a time (with the error). Of what was sent the record is not kept a second time."""
        now = self._clock.now()
        open_row = and_(outbox.c.key == bindparam("the_key"), _pending)
        with self._db.write() as transaction:
            if sent:
                transaction.run(
                    update(outbox)
                    .where(transaction.among(outbox.c.key, sent), _pending)
                    .values(state="sent", sent_at=now, payload=b"", leased_until=None, last_error="")
                )
            if refused:
                transaction.run(
                    update(outbox)
                    .where(open_row)
                    .values(state="refused", leased_until=None, last_error=bindparam("error")),
                    [{"the_key": key, "error": reason} for key, reason in refused],
                )
            if retry:
                transaction.run(
                    update(outbox)
                    .where(open_row)
                    .values(leased_until=None, last_error=bindparam("error"), next_attempt_at=bindparam("at")),
                    [{"the_key": key, "error": error, "at": at} for key, error, at in retry],
                )

    def backlog(self, sink: str) -> Backlog:
        """What a sink has yet to get."""
        waiting = select(func.count().label("pending"), func.min(outbox.c.seq).label("first")).where(
            outbox.c.sink == sink, _pending
        )
        with self._db.read() as transaction:
            row = transaction.run(waiting).one()
            oldest = transaction.run(select(outbox.c.enqueued_at).where(outbox.c.seq == row.first)).scalar()
            refused = transaction.run(
                select(func.count()).where(outbox.c.sink == sink, outbox.c.state == "refused")
            ).scalar_one()
        return Backlog(row.pending, oldest, refused)

    def refusals(self, limit: int = 10) -> list[Refusal]:
        """What sinks refused for good, the newest first."""
        columns = (outbox.c.sink, outbox.c.mention_id, outbox.c.kind, outbox.c.last_error, outbox.c.enqueued_at)
        query = select(*columns).where(outbox.c.state == "refused").order_by(outbox.c.seq.desc()).limit(limit)
        with self._db.read() as transaction:
            return [Refusal(**row._mapping) for row in transaction.run(query)]


def _claimable(transaction: Transaction, sink: str, limit: int, now: datetime) -> list[int]:
    """The numbers of what may be sent now, locked against other claimants. In two steps, the second by
    mention alone: before its statistics are fresh, PostgreSQL would compare the whole backlog with itself."""
    unclaimed = or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= now)
    mine = and_(outbox.c.sink == sink, _pending)
    first = func.min(outbox.c.seq).filter(mine).label("first")
    chosen: list[int] = []
    last = 0
    while len(chosen) < limit:
        page = transaction.run(
            select(outbox.c.seq, outbox.c.mention_id)
            .where(mine, outbox.c.next_attempt_at <= now, unclaimed, outbox.c.seq > last)
            .order_by(outbox.c.seq)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        ids = [row.mention_id for row in page]
        firsts = transaction.run(
            select(outbox.c.mention_id, first)
            .where(transaction.among(outbox.c.mention_id, ids))
            .group_by(outbox.c.mention_id)
        ).all()
        first_of = {row.mention_id: row.first for row in firsts}
        chosen += [row.seq for row in page if row.seq == first_of[row.mention_id]]
        if len(page) < limit:
            break
        last = page[-1].seq
    return chosen[:limit]


def enqueue(transaction: Transaction, said: Sequence[tuple[Routed, bytes]], sinks: Sequence[str], now: datetime) -> int:
    """Put these records, with their bytes, into the outbox of every sink; returns how many deliveries that makes.
    The key holds what tells one record of a mention from another, so that the same record is enqueued once."""
    rows = [
        _row(sink, it.mention.id, "routed", f"{utc(it.mention.revision)}\0{utc(it.decision.decided_at)}", body, now)
        for it, body in said
        for sink in sinks
    ]
    transaction.insert(outbox, rows, "key")
    return len(rows)


def withdraw(transaction: Transaction, victims: Sequence[Victim], now: datetime) -> int:
    """Take these mentions out of the outbox and send a removal to every sink that could have got one; returns how
    many removals that makes."""
    ids = [victim.id for victim in victims]
    routed = and_(transaction.among(outbox.c.mention_id, ids), outbox.c.kind == "routed")
    columns = (outbox.c.mention_id, outbox.c.sink, outbox.c.attempts, outbox.c.leased_until)
    # A delivery under way may reach the sink until its lease ends; only then is it safe to send the removal after it.
    reached: dict[tuple[str, str], datetime] = {}
    for row in transaction.run(select(*columns).where(routed, outbox.c.attempts > 0)):
        free_at = max(now, row.leased_until or now)
        reached[row.mention_id, row.sink] = max(free_at, reached.get((row.mention_id, row.sink), now))
    transaction.run(delete(outbox).where(routed, _pending))
    transaction.run(update(outbox).where(routed).values(payload=b"", last_error=""))
    by_id = {victim.id: victim for victim in victims}
    rows = [
        _row(sink, id, "removal", "", _removal(by_id[id]), now) | {"next_attempt_at": free_at}
        for (id, sink), free_at in sorted(reached.items())
    ]
    transaction.insert(outbox, rows, "key")
    return len(rows)


def prune(transaction: Transaction, place: int | None, before: datetime, limit: int) -> tuple[int, int | None]:
    """Look at so many rows beyond this place and take away what was settled before then and says nothing any more; an
    emptied row of a mention that is kept says which sinks must hear when it is taken back, and stays. Returns how many
    went and where to go on, None at the end."""
    later = outbox.alias("later")
    newer = exists().where(
        later.c.mention_id == outbox.c.mention_id,
        later.c.sink == outbox.c.sink,
        later.c.seq > outbox.c.seq,
        later.c.kind == "routed",
        later.c.attempts > 0,
    )
    kept = exists().where(mentions.c.id == outbox.c.mention_id)
    told = or_(outbox.c.kind == "removal", ~kept, newer).label("superfluous")
    columns = (outbox.c.seq, outbox.c.state, outbox.c.enqueued_at, outbox.c.sent_at, told)
    query = select(*columns).where(outbox.c.seq > (place or 0)).order_by(outbox.c.seq).limit(limit)
    rows = transaction.run(query).all()
    settled = [row for row in rows if row.state != "pending" and (row.sent_at or row.enqueued_at) < before]
    gone = [row.seq for row in settled if row.superfluous]
    transaction.run(delete(outbox).where(outbox.c.seq.in_(gone)))
    emptied = update(outbox).where(outbox.c.seq.in_([row.seq for row in settled if row.state == "refused"]))
    transaction.run(emptied.values(payload=b"", last_error=""))
    return len(gone), rows[-1].seq if len(rows) == limit else None


def _row(
    sink: str, mention_id: str, kind: Literal["routed", "removal"], version: str, payload: bytes, now: datetime
) -> dict[str, Any]:
    identity = "\0".join((sink, kind, mention_id, version)).encode("utf-8", "surrogatepass")
    return {
        "key": blake2b(identity, digest_size=16).hexdigest(),
        "sink": sink,
        "mention_id": mention_id,
        "kind": kind,
        "payload": payload,
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": now,
        "last_error": "",
        "enqueued_at": now,
    }


def _removal(victim: Victim) -> bytes:
    # Of the reasons a removal can have, an own rule about how long to keep things is nearest to compliance.
    reason = "compliance" if victim.stone.reason == "expired" else victim.stone.reason
    return encode(
        Removal(
            source=victim.source,
            reason=reason,
            noticed_at=victim.stone.noticed_at,
            mention=victim.id,
            conversation=victim.conversation,
        )
    )
