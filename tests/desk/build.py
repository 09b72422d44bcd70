"""A store with its cases wired in, as the pipeline has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from desk.case import Case
from desk.cases import Cases
from desk.handling import By
from desk.hearing import CaseSettings
from pipeline.mention import Kind, Removal, Routed
from pipeline.ports import Clock
from pipeline.store import Store
from tests.store.samples import NOON, removal, routed

ANA, BEN = By("user:ana"), By("user:ben")
TERM = timedelta(seconds=300)


class Room:
    """The store, the cases, and the shortest ways to say what a test is about."""

    def __init__(self, store: Store, clock: Clock, settings: CaseSettings | None = None) -> None:
        self.store = store
        self.cases = Cases(store._db, clock, settings)

    def hear(self, *batch: Routed, removals: Sequence[Removal] = ()) -> None:
        self.store.deliver(batch, removals, also=self.cases.take_in)

    def say(self, id: str = "test:1", **changes: Any) -> Case:
        """A mention arrives; returns the case it is in."""
        self.hear(routed(id, **changes))
        return self.of(id)

    def take_back(self, id: str) -> None:
        self.hear(removals=[removal(id, at=NOON)])

    def own(self, id: str, parent: str, **changes: Any) -> None:
        """One of our own posts comes back on the stream."""
        fields = {
            "queue": None,
            "filtered": "own",
            "author": "brand",
            "own": True,
            "parent": parent,
            "kind": Kind.REPLY,
        }
        self.hear(routed(id, **(fields | changes)))

    def of(self, mention: str) -> Case:
        id = self.cases.case_of(mention)
        assert id is not None, f"{mention} is in no case"
        return self.cases.case(id)

    def every(self) -> list[Case]:
        return list(self.cases.cases(order="oldest").cases)

    def kinds(self, id: str) -> list[str]:
        return [it.event.kind for it in self.cases.history(id)]

    def send(self, id: str, by: By, key: str = "k1") -> None:
        with self.store._db.write() as transaction:
            self.cases.reply_queued(transaction, id, by, "draft:1", key)

    def sent(self, id: str, mention: str, key: str = "k1", *, awaiting: bool = False) -> Case:
        with self.store._db.write() as transaction:
            return self.cases.reply_sent(transaction, id, "system:sender", mention, key, awaiting=awaiting)
