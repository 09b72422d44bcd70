"""A room of agents, each a thread, who take cases, answer, let leases lapse, take over and try tokens that are stale;
and an audit of the log they leave: it shows who held whom when, whatever the agents believed.

The clock is moved by the agents, so that leases run out in the middle of things without anybody waiting.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select

from desk import events
from desk.case_records import Held
from desk.cases import Cases
from desk.events import decode
from desk.handling import By
from desk.refusals import Refusal
from pipeline.clock import ManualClock
from pipeline.mention import Priority, Routed
from pipeline.store import Store
from pipeline.store.case_tables import case_events, cases
from tests.store.samples import routed

QUEUES = ("service", "marketing")

ACTIONS = (
    *("send",) * 8,
    *("heartbeat",) * 4,
    *("claim",) * 4,
    *("take over",) * 2,
    *("release",) * 2,
    *("resolve",) * 2,
    *("hear",) * 2,
    "transfer",
    "lapse",
)
"""What an agent may do with a case they know of, as often as it stands here."""

T = TypeVar("T")


class SharedClock(ManualClock):
    """A clock that many threads move."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._moving = threading.Lock()

    def advance(self, seconds: float) -> None:
        with self._moving:
            super().advance(seconds)


@dataclass
class Report:
    """What was done, how often and how long it took (seconds), and what the audit found wrong."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    took: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Simulation:
    """`agents` threads do `actions` things in all; `seed` makes their choices, though not their order, repeatable."""

    def __init__(self, store: Store, cases: Cases, clock: SharedClock, *, agents: int, actions: int, seed: int) -> None:
        self._store = store
        self._cases = cases
        self._clock = clock
        self._agents = agents
        self._actions = actions
        self._seed = seed
        self._authors = 1
        self._ids: list[str] = []
        self._keys: dict[str, int] = {}
        self._report = Report()
        self._lock = threading.Lock()

    def fill(self, mentions: int, authors: int) -> None:
        """Let so many mentions of so many authors come in."""
        dice = random.Random(self._seed)  # noqa: S311 - nothing secret
        for start in range(0, mentions, 500):
            batch = [self._mention(dice, f"test:{n}", authors) for n in range(start, min(start + 500, mentions))]
            self._store.deliver(batch, also=self._cases.take_in)
        self._authors = authors
        self._ids = [case.id for case in self._cases.cases(limit=500).cases]

    def run(self) -> Report:
        """Let them work, then look at what they left."""
        with ThreadPoolExecutor(self._agents) as threads:
            for done in [threads.submit(self._work, number) for number in range(self._agents)]:
                done.result()
        self._audit()
        return self._report

    def _mention(self, dice: random.Random, id: str, authors: int) -> Routed:
        return routed(
            id,
            author=f"a{dice.randrange(authors)}",
            conversation=id,
            queue=dice.choice(QUEUES),
            priority=dice.choice(list(Priority)),
            created_at=self._clock.now(),
        )

    # ------------------------------------------------------------------------ agents

    def _work(self, number: int) -> None:
        dice = random.Random(self._seed * 1000 + number)  # noqa: S311 - nothing secret
        user = f"user:{number}"
        known: list[Held] = []  # what was lost stays among it: people have old pages open
        for step in range(self._actions // self._agents):
            self._clock.advance(dice.random())
            if not known or dice.random() < 0.25:
                taken = self._timed("next", self._cases.next, user, QUEUES)
                known += [taken] if taken else []
                continue
            held = dice.choice(known[-8:])
            id, by = held.case.id, By(user, held.lease.token)
            action = dice.choice(ACTIONS)
            if action == "send":
                self._timed(action, self._send, id, by, f"{user}/{step}")
            elif action == "heartbeat":
                self._timed(action, self._cases.heartbeat, id, user, held.lease.token)
            elif action == "claim":
                taken = self._timed(action, self._cases.claim, self._anybodys(dice), user)
                known += [taken] if taken else []
            elif action == "take over":
                taken = self._timed(action, self._cases.take_over, self._anybodys(dice), user, "they went home")
                known += [taken] if taken else []
            elif action == "release":
                self._timed(action, self._cases.release, id, user, held.lease.token)
            elif action == "resolve":
                self._timed(action, self._cases.resolve, id, by)
            elif action == "transfer":
                self._timed(action, self._cases.transfer, id, by, dice.choice(QUEUES), "yours")
            elif action == "hear":
                it = self._mention(dice, f"test:{user}/{step}", self._authors)
                self._timed(action, self._store.deliver, [it], (), (), self._cases.take_in)
            else:
                self._clock.advance(45)

    def _send(self, id: str, by: By, key: str) -> None:
        with self._store._db.write() as transaction:
            self._cases.check_token(transaction, id, by.token or 0, by.user)
            self._cases.reply_queued(transaction, id, by, f"draft:{key}", key)
        self._keys[key] = by.token or 0
        with self._store._db.write() as transaction:
            self._cases.reply_sent(transaction, id, "system:sender", f"test:answer/{key}", key)

    def _anybodys(self, dice: random.Random) -> str:
        return dice.choice(self._ids)

    def _timed(self, name: str, do: Callable[..., T], *given: object) -> T | None:
        start = time.perf_counter()
        try:
            result = do(*given)
        except Refusal as refusal:
            with self._lock:
                self._report.refused[f"{name}: {type(refusal).__name__}"] += 1
            return None
        with self._lock:
            self._report.done[name] += 1
            self._report.took.setdefault(name, []).append(time.perf_counter() - start)
        return result

    # ------------------------------------------------------------------------- audit

    def _audit(self) -> None:
        """Read the whole log in order, author by author, and follow who held them."""
        query = select(cases.c.author, case_events.c.case_id, case_events.c.body).join(
            case_events, case_events.c.case_id == cases.c.id
        )
        with self._store._db.read() as transaction:
            rows = transaction.run(query.order_by(case_events.c.seq)).all()
        holders: dict[str, Holder] = {}
        for row in rows:
            holder = holders.setdefault(row.author, Holder())
            holder.follow(row.case_id, decode(row.body), self._fault)
        queued = Counter(event.key for row in rows if isinstance(event := decode(row.body), events.ReplyQueued))
        if set(queued.values()) - {1} or queued.keys() != self._keys.keys():
            self._fault("an answer was queued twice, or not at all")
        for id in {row.case_id for row in rows}:
            if self._cases.rebuild(id) != self._cases.case(id):
                self._fault(f"case {id} is not what its events say")
        for key, token in self._keys.items():
            if not any(holder.sent.get(key) == token for holder in holders.values()):
                self._fault(f"{key} was sent under a stale token")

    def _fault(self, what: str) -> None:
        self._report.faults.append(what)


class Holder:
    """Who holds one author, as the log has it so far."""

    def __init__(self) -> None:
        self.owner: str | None = None
        self.token = 0
        self.until: datetime | None = None
        self.open: set[str] = set()
        self.sent: dict[str, int] = {}

    def follow(self, case: str, event: events.Event, fault: Callable[[str], None]) -> None:
        """One more event."""
        if isinstance(event, events.Claimed | events.TakenOver):
            same = (event.owner, event.token) == (self.owner, self.token)  # on another case of the author
            if event.token < self.token or (event.token == self.token and not same):
                fault(f"{case}: token {event.token} of {event.owner} after {self.token} of {self.owner}")
            if isinstance(event, events.Claimed) and self.owner not in (None, event.owner):
                fault(f"{case}: {event.owner} claimed what {self.owner} held")
            self.owner, self.token, self.until = event.owner, event.token, event.until
        elif isinstance(event, events.LeaseExtended):
            if event.token != self.token:
                fault(f"{case}: a lease under token {event.token} was extended after {self.token}")
            self.until = event.until
        elif isinstance(event, events.LeaseExpired | events.Released):
            if event.token != self.token:
                fault(f"{case}: token {event.token} ended while {self.token} was the last")
            self.owner = None
        elif isinstance(event, events.Transferred):
            self.owner = None
        elif isinstance(event, events.Opened | events.Reopened):
            self.open.add(case)
        elif isinstance(event, events.Resolved | events.Withdrawn):
            self.open.discard(case)
            if not self.open:  # a lease ends with the last of what it was for
                self.owner = None
        elif isinstance(event, events.ReplyQueued):
            if event.actor != self.owner or self.until is None or event.at >= self.until:
                fault(f"{case}: {event.actor} answered while {self.owner} held it until {self.until}")
            self.sent[event.key] = self.token
