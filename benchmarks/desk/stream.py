"""What customers say while people work: new customers, customers who say more, posts that are taken back, and our own
answers as they come back."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from benchmarks.desk.office import QUEUES, VIA
from pipeline.mention import Kind, Priority, Removal, Routed
from tests.store.samples import routed

URGENT_MINUTES = 15

ANSWERED_BACK = 0.7
"""Of our answers, so many come back on the stream."""


class Stream:
    """Mentions in the order of a seed; customers have `per_customer` cases each at the opening, on average."""

    def __init__(self, seed: int, per_customer: float = 1.5) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - nothing secret
        self._per_customer = per_customer
        self._said: deque[Routed] = deque(maxlen=1000)
        self._number = 0

    def opening(self, number: int, now: datetime) -> Iterator[Routed]:
        """So many cases, said over the last hours."""
        for _ in range(number):
            new = not self._said or self._dice.random() * self._per_customer < 1
            author = f"c{self._number}" if new else self._dice.choice(self._said).mention.author.id
            yield self._kept(self._new(author, now - timedelta(seconds=self._dice.uniform(60, 20_000))))

    def more(self, number: int, now: datetime) -> tuple[list[Routed], list[Removal]]:
        """So many news, and what is taken back of what was said."""
        news = [self._kept(self._one(now)) for _ in range(number)]
        return news, [self._taken_back(now) for _ in range(number) if self._dice.random() < 0.05]

    def ours(self, answers: list[tuple[str, str, str]], now: datetime) -> Iterator[Routed]:
        """What was answered, as it comes back: mention, the answer's id there, its words."""
        for mention, id, text in answers:
            if self._dice.random() < ANSWERED_BACK:
                yield routed(
                    f"{VIA}:{id}",
                    text=text,
                    author="brand",
                    own=True,
                    kind=Kind.REPLY,
                    parent=mention,
                    queue=None,
                    filtered="own",
                    via=VIA,
                    created_at=now,
                )

    def _kept(self, it: Routed) -> Routed:
        self._said.append(it)
        return it

    def _one(self, now: datetime) -> Routed:
        if not self._said or self._dice.random() < 0.5:
            return self._new(f"n{self._number}", now)
        before = self._dice.choice(self._said)
        if self._dice.random() < 0.4:
            return self._new(before.mention.author.id, now)
        return self._new(before.mention.author.id, now, before.mention.conversation)

    def _new(self, author: str, said_at: datetime, conversation: str | None = None) -> Routed:
        self._number += 1
        id = f"{VIA}:{self._number}"
        priority = self._dice.choice(list(Priority))
        return routed(
            id,
            author=author,
            conversation=conversation or id,
            via=VIA,
            queue=self._dice.choice(QUEUES),
            priority=priority,
            first_response_due=said_at + timedelta(minutes=URGENT_MINUTES * 4**priority.rank),
            created_at=said_at,
        )

    def _taken_back(self, now: datetime) -> Removal:
        mention = self._dice.choice(self._said).mention
        return Removal(source=VIA, reason="deleted", noticed_at=now, mention=mention.id)
