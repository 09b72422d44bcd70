"""What cases came to, in tables that figures are counted from.

A follower of the cases' events: whenever a case changes, its rows are made anew from all its events, from what was
found in its mentions, from the macro of its last answer and from the team of whoever answered. So they can be made
anew at any time, and say the same. Erasing a person takes their rows with their cases; nothing of them stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import delete, exists, select

from desk import handles
from desk.case import State
from desk.desk import Desk, QueueRules
from desk.events import Event
from desk.events import decode as decode_event
from desk.feed import Feed
from desk.outcome import Outcome, open_times, outcome
from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.ports import Clock
from pipeline.store.answer_tables import drafts
from pipeline.store.case_tables import case_events, cases, followers
from pipeline.store.columns import NEVER
from pipeline.store.database import REMOVALS, Database, Transaction
from pipeline.store.fact_tables import case_breaches, case_facts, case_spans
from pipeline.store.part import Part
from pipeline.store.tables import mentions
from pipeline.store.work_tables import agents

NAME = "facts"
"""The follower's name."""

_TABLES = (case_facts, case_spans, case_breaches)


class Facts(Part):
    """The tables `case_facts`, `case_spans` and `case_breaches`."""

    def __init__(self, database: Database, clock: Clock, desk: Desk | None = None) -> None:
        super().__init__(database, clock)
        self._desk = desk or Desk()
        self._feed = Feed(database, clock)

    def follow(self, limit: int = 1000) -> int:
        """Take in what happened since the last time, up to `limit` events; returns how many. For a timer."""
        return self._feed.follow(NAME, self._make, limit)

    def rebuild(self, batch: int = 500) -> int:
        """Make every row anew, some cases in each transaction, for when a calendar, a promise or a team was corrected;
        returns how many cases there are. Following waits meanwhile."""
        total, last = 0, ""
        while True:
            with self._db.write() as transaction:
                transaction.insert(followers, [{"name": NAME, "xid": 0, "seq": 0}], "name")
                transaction.run(select(followers).where(followers.c.name == NAME).with_for_update())
                query = select(cases.c.id).where(cases.c.id > last).order_by(cases.c.id).limit(batch)
                ids = list(transaction.run(query).scalars())
                self._make(transaction, ids)
                if not last:
                    for table in _TABLES:
                        transaction.run(delete(table).where(~exists().where(cases.c.id == table.c.case_id)))
            total += len(ids)
            if len(ids) < batch:
                return total
            last = ids[-1]

    def _make(self, transaction: Transaction, ids: Sequence[str]) -> None:
        # As whoever writes mentions does: so that nothing is written of somebody who is being erased.
        transaction.lock(REMOVALS, shared=True)
        histories = _histories(transaction, ids)
        made = {id: outcome(id, history) for id, history in histories.items()}
        _note_handles(transaction, made.values())
        macros = _macros(transaction, made.values())
        teams = _teams(transaction, made.values())
        scores = _scores(transaction, made.values())
        for table in _TABLES:
            transaction.run(delete(table).where(transaction.among(table.c.case_id, ids)))
        rows: list[dict[str, Any]] = []
        for id, it in made.items():
            policy = self._desk.queues.get(it.case.queue, QueueRules()).policy
            response, resolution = open_times(it, histories[id], policy)
            before, after = _sentiments(it, scores)
            rows.append(
                {
                    **_row(it),
                    "first_response_open_secs": response,
                    "resolution_open_secs": resolution,
                    "team": teams.get(it.agent, ""),
                    "macro": macros.get(it.draft or "") if it.resolved_at else None,
                    "sentiment_before": before,
                    "sentiment_after": after,
                }
            )
        transaction.insert(case_facts, rows, "case_id")
        spans = [row for id in made for row in _spans(id, made[id])]
        breaches = [{"case_id": id, "number": n, "due": due} for id in made for n, due in made[id].breaches]
        for table, found in ((case_spans, spans), (case_breaches, breaches)):
            if found:
                transaction.run(table.insert(), found)


def _histories(transaction: Transaction, ids: Sequence[str]) -> dict[str, list[Event]]:
    query = select(case_events.c.case_id, case_events.c.body).where(transaction.among(case_events.c.case_id, ids))
    found: dict[str, list[Event]] = {}
    for row in transaction.run(query.order_by(case_events.c.case_id, case_events.c.number)):
        found.setdefault(row.case_id, []).append(decode_event(row.body))
    return found


def _row(it: Outcome) -> dict[str, Any]:
    case, response, resolution = it.case, it.first_response, it.resolution
    return {
        "case_id": case.id,
        "author": case.author,
        "queue": case.queue,
        "brand": case.brand or "",
        "source": case.author.partition(":")[0],
        "agent": it.agent,
        "opened_at": case.opened_at,
        "answered_at": it.answered_at,
        "first_response_secs": None if response is None else response.total_seconds(),
        "resolved_at": it.resolved_at,
        "resolution_secs": None if resolution is None else resolution.total_seconds(),
        "breaches": len(it.breaches),
        "reopenings": case.reopenings,
        "answers": case.answers,
        "handled_secs": it.held.total_seconds(),
    }


def _spans(id: str, it: Outcome) -> list[dict[str, Any]]:
    return [
        {
            "case_id": id,
            "number": number,
            "since": span.since,
            "until": span.until or NEVER,
            "ending": span.ending,
            "undone": number < len(it.spans),
        }
        for number, span in enumerate(it.spans, start=1)
    ]


def _macros(transaction: Transaction, made: Iterable[Outcome]) -> dict[str, str]:
    wanted = sorted({it.draft for it in made if it.draft and it.resolved_at})
    if not wanted:
        return {}
    query = select(drafts.c.id, drafts.c.macro).where(
        transaction.among(drafts.c.id, wanted), drafts.c.macro.is_not(None)
    )
    return {row.id: row.macro for row in transaction.run(query)}


def _teams(transaction: Transaction, made: Iterable[Outcome]) -> dict[str, str]:
    wanted = sorted({it.agent for it in made if it.agent})
    if not wanted:
        return {}
    query = select(agents.c.user, agents.c.team).where(transaction.among(agents.c.user, wanted))
    return {row.user: row.team for row in transaction.run(query)}


def _scores(transaction: Transaction, made: Iterable[Outcome]) -> dict[str, float]:
    """How the mentions of answered cases sound; not those that only repeat what somebody else said."""
    wanted = sorted({mention for it in made if it.answered_at for mention in it.said})
    if not wanted:
        return {}
    query = select(mentions.c.id, mentions.c.body).where(transaction.among(mentions.c.id, wanted))
    found: dict[str, float] = {}
    for row in transaction.run(query):
        tags = cast(Routed, decode(bytes(row.body))).tags
        if tags.sentiment is not None and not tags.repost:
            found[row.id] = tags.sentiment.score
    return found


def _sentiments(it: Outcome, scores: Mapping[str, float]) -> tuple[float | None, float | None]:
    if it.answered_at is None:
        return None, None
    before = [scores[id] for id, at in it.said.items() if id in scores and at <= it.answered_at]
    after = [scores[id] for id, at in it.said.items() if id in scores and at > it.answered_at]
    return _mean(before), _mean(after)


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None


def _note_handles(transaction: Transaction, made: Iterable[Outcome]) -> None:
    """Remember the handles of new cases' authors; forget those of authors who took everything back."""
    every = {it.case.id: it for it in made}
    known = set(
        transaction.run(
            select(case_facts.c.case_id).where(transaction.among(case_facts.c.case_id, sorted(every)))
        ).scalars()
    )
    wanted = sorted(mention for id, it in every.items() if id not in known for mention in it.said)
    seen: dict[str, str] = {}
    if wanted:
        query = select(mentions.c.author, mentions.c.body).where(transaction.among(mentions.c.id, wanted))
        for row in transaction.run(query.order_by(mentions.c.created_at)):
            mention = cast(Routed, decode(bytes(row.body))).mention
            if mention.author.handle:
                seen[handles.handle_key(mention.source, mention.author.handle)] = row.author
    handles.remember(transaction, seen)
    silent = sorted({it.case.author for it in every.values() if it.case.state is State.WITHDRAWN})
    handles.drop_unheard(transaction, silent)
