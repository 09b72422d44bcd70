"""What the log of events and the posts on the platform say of a day at the desk, whatever the people believed.

From the log it follows who held whom, from which event to which: `Tenure`. Events of one author are in the order in
which they were committed, because whoever writes one holds the author. Pure, but for `read_log`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select

from benchmarks.desk.agents import Attempt
from benchmarks.desk.platform import Post
from desk import events
from desk.case import Case, apply, opened
from desk.events import Event, decode
from desk.shelf import read_case
from pipeline.store import Store
from pipeline.store.case_tables import case_events, cases


class Happened(NamedTuple):
    """One line of the log."""

    author: str
    case: str
    event: Event


@dataclass
class Tenure:
    """`owner` held the author under `token` from `since` until `ended_at`, and no longer than `until`."""

    owner: str
    token: int
    since: datetime
    until: datetime
    ended_at: datetime | None = None


class Queued(NamedTuple):
    """An answer that was put on its way, and the tenure that was running; None where none was."""

    author: str
    case: str
    event: events.ReplyQueued
    tenure: Tenure | None


@dataclass
class Record:
    """What the log comes to: who held whom, which answers were queued and sent, and what cannot be right."""

    tenures: dict[str, list[Tenure]] = field(default_factory=dict)
    queued: list[Queued] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def read_log(store: Store) -> tuple[list[Happened], dict[str, Case]]:
    """Every event in order, and how every case stands."""
    query = select(cases.c.author, case_events.c.case_id, case_events.c.body)
    query = query.join(case_events, case_events.c.case_id == cases.c.id).order_by(case_events.c.seq)
    with store._db.read() as transaction:
        log = [Happened(row.author, row.case_id, decode(row.body)) for row in transaction.run(query)]
        stand = {row.id: read_case(row.body) for row in transaction.run(select(cases.c.id, cases.c.body))}
    return log, stand


def followed(log: Iterable[Happened]) -> Record:
    """Follow the log, author by author."""
    record = Record()
    authors: dict[str, _Author] = {}
    pending: set[str] = set()
    for author, case, event in log:
        record.kinds[event.kind] += 1
        held = authors.setdefault(author, _Author(record.tenures.setdefault(author, [])))
        record.faults += [f"{case}: {fault}" for fault in held.follow(case, event)]
        if isinstance(event, events.ReplyQueued):
            record.queued.append(Queued(author, case, event, held.running))
            if event.key in pending:
                record.faults.append(f"{case}: {event.key} was queued while it was on its way")
            pending.add(event.key)
        elif isinstance(event, events.ReplySent):
            record.sent[event.key] += 1
            pending.discard(event.key)
        elif isinstance(event, events.ReplyFailed):
            pending.discard(event.key)
    return record


class _Author:
    """Who holds one author, as the log has it so far."""

    def __init__(self, tenures: list[Tenure]) -> None:
        self._tenures = tenures
        self._open: set[str] = set()

    @property
    def running(self) -> Tenure | None:
        """The tenure that no event has ended."""
        last = self._tenures[-1] if self._tenures else None
        return last if last and last.ended_at is None else None

    def follow(self, case: str, event: Event) -> Iterator[str]:
        """One more event; yields what is wrong about it."""
        now = self.running
        if isinstance(event, events.Claimed | events.TakenOver):
            yield from self._begin(event, now)
        elif isinstance(event, events.LeaseExtended):
            if now is None or now.token != event.token:
                yield f"the lease of token {event.token} was extended, and {_told(now)} held it"
            elif event.at >= now.until:
                yield f"a lease was extended at {event.at} that had run out at {now.until}"
            else:
                now.until = event.until
        elif isinstance(event, events.LeaseExpired | events.Released):
            if event.token != (self._tenures[-1].token if self._tenures else 0):
                yield f"token {event.token} ended, and {_told(now)} held it"
            if now and isinstance(event, events.LeaseExpired) and event.at < now.until:
                yield f"a lease until {now.until} was ended at {event.at}"
            self._end(event.at)
        elif isinstance(event, events.Transferred):
            self._end(event.at)
        elif isinstance(event, events.Opened | events.Reopened):
            self._open.add(case)
        elif isinstance(event, events.Resolved | events.Withdrawn):
            self._open.discard(case)
            if not self._open:  # a lease ends with the last of what it was for
                self._end(event.at)

    def _begin(self, event: events.Claimed | events.TakenOver, now: Tenure | None) -> Iterator[str]:
        if now and (now.owner, now.token) == (event.owner, event.token):  # another case of the same author
            return
        last = self._tenures[-1].token if self._tenures else 0
        if event.token <= last:
            yield f"{event.owner} was given token {event.token} after {last}"
        if now and isinstance(event, events.Claimed):
            yield f"two owners: {event.owner} was given what {now.owner} held until {now.until}"
        self._end(event.at)
        self._tenures.append(Tenure(event.owner, event.token, event.at, event.until))

    def _end(self, at: datetime) -> None:
        if now := self.running:
            now.ended_at = at


def stale(record: Record, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Answers that were queued by somebody who did not hold the author, or under another token than theirs."""
    given = {(it.draft, it.actor, it.token) for it in attempts if it.status in (200, None)}
    accepted = {(it.draft, it.actor, it.token) for it in attempts if it.status == 200}
    queued = set()
    for author, case, event, tenure in record.queued:
        if tenure is None or tenure.owner != event.actor or event.at >= tenure.until:
            yield f"{case}: {event.actor} sent an answer while {_told(tenure)} held {author}"
            continue
        queued.add((event.draft, event.actor, tenure.token))
        if (event.draft, event.actor, tenure.token) not in given:
            yield f"{case}: an answer of {event.actor} was queued that they did not send under token {tenure.token}"
    for draft, actor, token in sorted(accepted - queued):
        yield f"draft {draft}: {actor} was told that it goes out under token {token}, and the log knows nothing of it"


def posted(record: Record, posts: Sequence[Post], slack: timedelta) -> Iterator[str]:
    """Answers that customers see twice, or that nobody sent, or that went out after somebody else had come to hold the
    author. `slack` is by how much a claim may be dated before it was made."""
    kept = [post for post in posts if post.kept]
    keys = {it.event.key for it in record.queued}
    told = Counter(post.key for post in kept if post.told)
    yield from (
        f"{key} was posted again after the platform had said that it has it" for key, n in told.items() if n > 1
    )
    words = Counter(text for _, text in {(post.key, post.text) for post in kept})
    yield from (f"customers see {number} times: {text}" for text, number in words.items() if number > 1)
    yield from (f"{post.key} was posted, and nobody sent it" for post in kept if post.key not in keys)
    visible = {post.key for post in kept}
    sent = {key for key in record.sent if key}
    yield from (f"{key} was sent, says the log, and the platform does not have it" for key in sorted(sent - visible))
    yield from (f"{key} was posted, and the log does not know it" for key in sorted(told.keys() - sent))
    yield from (
        f"{key} was sent {number} times, says the log" for key, number in record.sent.items() if key and number > 1
    )
    senders: dict[str, list[Queued]] = {}
    for it in record.queued:
        senders.setdefault(it.event.key, []).append(it)
    for post in posts:
        if post.began_at and post.key in senders:
            yield from _too_late(record, senders[post.key], post.key, post.began_at, slack)


def _too_late(record: Record, sends: list[Queued], key: str, at: datetime, slack: timedelta) -> Iterator[str]:
    last = [it for it in sends if it.event.at <= at][-1:] or sends[:1]
    for author, case, event, tenure in last:
        for other in record.tenures[author]:
            there = other.since < at - slack and (other.ended_at is None or at < other.ended_at) and at < other.until
            if tenure and there and other.owner != event.actor and other.token > tenure.token:
                yield f"{case}: {key} of {event.actor} was posted at {at}, while {_told(other)} held {author}"


def rebuilt(log: Iterable[Happened], stand: dict[str, Case]) -> Iterator[str]:
    """Cases that are not what their events say."""
    found: dict[str, Case] = {}
    for _, id, event in log:
        found[id] = opened(id, event) if isinstance(event, events.Opened) else apply(found[id], event)
    yield from (f"case {id} is not what its events say" for id in sorted(stand) if found.get(id) != stand[id])


def _told(tenure: Tenure | None) -> str:
    return f"{tenure.owner} (token {tenure.token}, until {tenure.until})" if tenure else "nobody"
