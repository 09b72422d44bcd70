"""What route decided, written once: mentions with their outcome, and the removals that take them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace
from sqlalchemy import ColumnElement, delete, exists, literal, null, select, tuple_, update

from pipeline.codec import decode, encode
from pipeline.errors import BadRecord, BrokenStage
from pipeline.mention import Mention, Priority, Removal, Routed
from pipeline.store import search_index
from pipeline.store.columns import NEVER, fit, utc
from pipeline.store.database import REMOVALS, Transaction
from pipeline.store.ours import as_ours, known_for_ours
from pipeline.store.outbox import enqueue, withdraw
from pipeline.store.part import Part, Victim, arrival, ensure_intake, mark_removed, stones_over, target
from pipeline.store.records import Delivered, Withdrawn
from pipeline.store.tables import dead_letters, intake, mentions, removed, tombstones

Also = Callable[[Transaction, Sequence[Routed], Sequence[str]], None]
"""Told what a `deliver` stores anew or otherwise, and the ids of the mentions it takes out."""


class _Fresh(NamedTuple):
    """A record that changes what is stored, its bytes, and whether that is news to a sink."""

    routed: Routed
    body: bytes
    news: bool


_RANKS = {priority: priority.rank for priority in Priority}

_replaced = [column.name for column in mentions.c if column.name != "id"]


class Deliveries(Part):
    """The tables `mentions`, `tombstones` and `removed`, and what goes into `outbox`."""

    def deliver(
        self,
        routed: Sequence[Routed],
        removals: Sequence[Removal] = (),
        sinks: Sequence[str] = (),
        also: Also | None = None,
    ) -> Delivered:
        """Store a batch of decisions and removals, in one transaction, and enqueue them for the sinks.

        Of two records of one mention the later revision wins, then the later decision; the same or an older one
        changes nothing, nor does one that differs only in when it was collected and decided. What lies under a
        tombstone is not stored; what the desk sent is stored as our own. The mentions in `withdrawn` are to be purged
        from the topics, then given to `purged`. `also` is told in the same transaction. Raises BrokenStage for a
        decision with neither a queue nor a reason.
        """
        now = self._clock.now()
        with self._db.write() as transaction:
            transaction.lock(REMOVALS, shared=not removals)
            victims = _take_back(transaction, removals, now) if removals else []
            enqueued = withdraw(transaction, victims, now) if victims else 0
            kept, late = _sorted_out(transaction, known_for_ours(transaction, routed), now)
            fresh = _changed(transaction, kept)
            _store(transaction, fresh, now)
            enqueued += enqueue(transaction, [(it.routed, it.body) for it in fresh if it.news], sinks, now)
            if also is not None:
                also(transaction, [it.routed for it in fresh], [victim.id for victim in victims])
        if victims:
            self._db.checkpoint()
        queued = sum(1 for it in fresh if it.routed.decision.queue is not None)
        return Delivered(
            queued=queued,
            filtered=len(fresh) - queued,
            unchanged=len(routed) - len(fresh) - len(late),
            enqueued=enqueued,
            withdrawn=tuple(Withdrawn(victim.id, victim.conversation) for victim in [*victims, *late]),
        )

    def to_purge(self, limit: int = 1000) -> list[Withdrawn]:
        """Removed mentions whose text may still stand on the topics, oldest first: those of a `deliver` that was cut
        off before `purged` was called."""
        query = select(removed.c.id, removed.c.conversation).where(removed.c.purged_at.is_(None))
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(removed.c.removed_at, removed.c.id).limit(limit)).all()
        return [Withdrawn(row.id, row.conversation) for row in rows]

    def purged(self, ids: Sequence[str]) -> None:
        """Note that the topics hold nothing of these any more, or nothing that their retention will not take."""
        with self._db.write() as transaction:
            transaction.run(
                update(removed)
                .where(transaction.among(removed.c.id, ids))
                .values(purged_at=self._clock.now(), conversation="")
            )


def own_up(transaction: Transaction, id: str, now: datetime) -> None:
    """What is stored under this id, if anything, turns out to be our own answer: it waits for nobody and counts as no
    customer's. Whoever calls holds REMOVALS. The sinks that have it are not told."""
    body = transaction.run(select(mentions.c.body).where(mentions.c.id == id)).scalar()
    it = _read(bytes(body)) if body else None
    if it is not None and not it.mention.own:
        ours = as_ours(replace(it, decision=replace(it.decision, decided_at=max(now, utc(it.decision.decided_at)))))
        _store(transaction, [_Fresh(ours, encode(ours), news=False)], now)


# ---------------------------------------------------------------------- removals


def _take_back(transaction: Transaction, removals: Sequence[Removal], now: datetime) -> list[Victim]:
    """Set the tombstones, take out what lies under them; returns what that is, by id."""
    rows: dict[str, dict[str, Any]] = {}
    for removal in sorted(removals, key=lambda removal: utc(removal.noticed_at)):
        key = target("mention", removal.mention) if removal.mention else target("author", str(removal.author))
        rows[key] = {
            "target": key,
            "source": removal.source,
            "reason": removal.reason,
            "noticed_at": utc(removal.noticed_at),
            "applied_at": now,
        }
    transaction.insert(
        tombstones,
        [rows[key] for key in sorted(rows)],
        "target",
        update=["reason", "noticed_at", "applied_at"],
        guard=lambda new: new.noticed_at > tombstones.c.noticed_at,
    )
    ids = {fit(removal.mention): removal.conversation for removal in removals if removal.mention}
    authors = [removal.author for removal in removals if removal.author]
    stones = stones_over(transaction, ids, authors)
    victims: dict[str, Victim] = {}
    for id, source, author, conversation, known_since in _under(transaction, list(ids), authors):
        if stone := stones.over(id, author, known_since):
            victims[id] = Victim(id, source, conversation or ids.get(id, ""), stone)
        else:
            victims.pop(id, None)
    transaction.run(delete(mentions).where(transaction.among(mentions.c.id, list(victims))))
    search_index.forget(transaction, list(victims))
    mark_removed(transaction, list(victims.values()), now)
    return [victims[id] for id in sorted(victims)]


def _under(transaction: Transaction, ids: list[str], authors: list[str]) -> Iterator[tuple[Any, ...]]:
    """What is known by these ids or of these authors, as (id, source, author, conversation, known since); what is
    only taken in comes first and what is stored last, since the last word on a mention counts."""
    taken = select(intake.c.id, intake.c.source, null(), literal(""), intake.c.created_at).where(
        ~exists().where(removed.c.id == intake.c.id)
    )
    dead = (
        select(
            dead_letters.c.intake_id,
            dead_letters.c.source,
            dead_letters.c.author,
            literal(""),
            dead_letters.c.known_since,
        )
        .where(dead_letters.c.state != "revived")
        .order_by(dead_letters.c.known_since.desc())
    )
    stored = select(
        mentions.c.id, mentions.c.source, mentions.c.author, mentions.c.conversation, mentions.c.known_since
    )
    for query, column, wanted in (
        (taken, intake.c.id, ids),
        (dead, dead_letters.c.author, authors),
        (stored, mentions.c.id, ids),
        (stored, mentions.c.author, authors),
    ):
        if wanted:
            yield from (tuple(row) for row in transaction.run(query.where(transaction.among(column, wanted))).all())


# ----------------------------------------------------------------------- routed


def _sorted_out(
    transaction: Transaction, routed: Sequence[Routed], now: datetime
) -> tuple[dict[str, Routed], list[Victim]]:
    """The last word on each mention of the batch by id, without those that come under a tombstone: these are marked
    as removed and returned apart."""
    latest: dict[str, Routed] = {}
    for it in routed:
        id = fit(it.mention.id)
        if id not in latest or _rank(it) >= _rank(latest[id]):
            latest[id] = it
    stones = stones_over(transaction, latest, {_author(it.mention) for it in latest.values()})
    late = [
        Victim(it.mention.id, it.mention.source, it.mention.thread, stone)
        for it in latest.values()
        if (stone := stones.over(it.mention.id, _author(it.mention), _known_since(it.mention)))
    ]
    ensure_intake(
        transaction,
        [
            arrival(it.mention.id, it.mention.source, it.mention.via, "", now, it.mention.created_at)
            for it in latest.values()
        ],
    )
    mark_removed(transaction, late, now)
    gone = {fit(victim.id) for victim in late}
    return {id: it for id, it in latest.items() if id not in gone}, late


def _changed(transaction: Transaction, latest: dict[str, Routed]) -> list[_Fresh]:
    """Those that say something new, in the order of their ids: two writers then never wait for each other in a
    circle."""
    columns = (mentions.c.id, mentions.c.revision, mentions.c.decided_at, mentions.c.body)
    query = select(*columns).where(transaction.among(mentions.c.id, list(latest)))
    there = {row.id: row for row in transaction.run(query)}
    fresh = []
    for id, it in sorted(latest.items()):
        old = there.get(id)
        if old is None:
            fresh.append(_Fresh(it, encode(it), news=True))
        elif _rank(it) > (old.revision, old.decided_at):
            before = _read(bytes(old.body))
            if before is None or _substance(before) != _substance(it):
                fresh.append(_Fresh(it, encode(it), news=before is None or _saying(before) != _saying(it)))
    return fresh


def _store(transaction: Transaction, fresh: Sequence[_Fresh], now: datetime) -> None:
    if not fresh:
        return
    transaction.insert(
        mentions,
        [_row(it.routed, it.body, now) for it in fresh],
        "id",
        update=_replaced,
        guard=_not_older,
    )
    search_index.add(transaction, [it.routed for it in fresh], now)
    ids = [it.routed.mention.id for it in fresh]
    # A letter about a mention that has arrived after all waits for nobody.
    transaction.run(
        update(dead_letters)
        .where(transaction.among(dead_letters.c.intake_id, ids), dead_letters.c.state == "dead")
        .values(state="retried")
    )


def _not_older(new: Any) -> ColumnElement[bool]:
    return tuple_(new.revision, new.decided_at) >= tuple_(mentions.c.revision, mentions.c.decided_at)


def _row(it: Routed, body: bytes, now: datetime) -> dict[str, Any]:
    mention, decision = it.mention, it.decision
    if decision.queue is None and not decision.filtered:
        raise BrokenStage(f"routing rule {decision.rule} gave neither a queue nor a reason to filter")
    return {
        "id": mention.id,
        "source": mention.source,
        "via": mention.via,
        "kind": mention.kind.value,
        "author": _author(mention),
        "conversation": mention.thread,
        "brand": it.tags.brand or mention.brand,
        "created_at": mention.created_at,
        "known_since": _known_since(mention),
        "revision": mention.revision,
        "outcome": "filtered" if decision.queue is None else "queued",
        "queue": decision.queue,
        "filtered": decision.filtered if decision.queue is None else None,
        "priority": _RANKS[decision.priority],
        "first_response_due": decision.first_response_due or NEVER,
        "resolution_due": decision.resolution_due,
        "rule": decision.rule,
        "rules_version": decision.rules_version,
        "decided_at": decision.decided_at,
        "stored_at": now,
        "body": body,
    }


def _author(mention: Mention) -> str:
    return f"{mention.source}:{mention.author.id}"


def _known_since(mention: Mention) -> datetime:
    # A platform's clock, or an author's lie about the time, must not let a mention outlive its author's removal.
    created = utc(mention.created_at)
    return min(created, utc(mention.collected_at)) if mention.collected_at else created


def _rank(it: Routed) -> tuple[datetime, datetime]:
    return utc(it.mention.revision), utc(it.decision.decided_at)


def _read(body: bytes) -> Routed | None:
    try:
        record = decode(body)
    except BadRecord:
        return None
    return record if isinstance(record, Routed) else None


def _saying(it: Routed) -> tuple[object, ...]:
    """What a sink is told anew: the wording and the decision, without its times."""
    mention, decision = it.mention, it.decision
    said = (utc(mention.revision), mention.title, mention.text)
    return (*said, decision.rule, decision.rules_version, decision.queue, decision.filtered, decision.priority)


def _substance(it: Routed) -> Routed:
    """The record without the times that differ each time the same mention travels the pipeline."""
    mention = replace(it.mention, collected_at=None)
    decision = replace(it.decision, decided_at=NEVER, first_response_due=None, resolution_due=None)
    return replace(it, mention=mention, decision=decision)
