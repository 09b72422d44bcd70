"""A firestorm on a network that can be answered, its cases, and everybody who works on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from desk.draft_records import DraftView
from desk.handling import By
from pipeline.clock import ManualClock
from pipeline.mention import Author, Sentiment, Tags
from pipeline.store import Store
from spikes.answering import Answering, Answers, answer, progress
from spikes.family import Family, let_follow
from spikes.incidents import Incidents
from spikes.playbooks import Playbooks, read
from tests.desk.answering import VIA, Desks
from tests.desk.build import ANA
from tests.spikes.seen import at, seen

MARA, LEA = "user:mara", "user:lea"
SORRY = "We left her behind, and we are sorry. Call us and we will bring you home."
ANGRY = Tags(brand="acme", sentiment=Sentiment(label="negative", score=-0.6))
BOOKS = """
playbooks:
  - name: storm
    severity: major
    service_level: {acknowledge: 15m, statement: 1h}
    answers_per_minute: 6
"""


class Storm(Desks):
    """So many angry people, one a minute, each in a case; the first of them leads."""

    def __init__(self, store: Store, clock: ManualClock, people: int = 6) -> None:
        super().__init__(store, clock)
        self.playbooks: Playbooks = read(BOOKS, "playbooks.yaml")
        self.incidents = Incidents(store._db, clock, playbooks=self.playbooks)
        self.ids = [self.angry(number) for number in range(people)]
        with store._db.write() as transaction:
            self.id = self.incidents.detected(transaction, seen(people, onset=0)).id
        self.incidents.gather()
        self.lead = self.ids[0]
        self.restart()

    def restart(self) -> None:
        """Another process takes over."""
        database = self.store._db
        self.family = Family(database, self.clock, self.incidents)
        self.answering = Answering(database, self.clock, self.incidents, self.drafts._desk, self.playbooks)

    def angry(self, number: int, text: str = "", **changes: Any) -> str:
        """One more; returns the case."""
        text = text or f"acme threw a guide dog off the train at Ashmere, number {number}"
        fields = {"author": f"a{number}", "created_at": at(number), "tags": ANGRY, "text": text}
        return self.hears(f"{VIA}:{number + 1}", **(fields | changes))

    def follow(self) -> Any:
        return let_follow(self.incidents, self.store._db, self.clock, self.id, self.lead, MARA, "one answer")

    def approved(self, text: str = SORRY) -> tuple[By, DraftView]:
        """The answer to the lead, written by Ana and approved by Lea."""
        by = self.takes(self.lead)
        draft = self.drafts.write(self.lead, by, text)
        self.drafts.submit(draft.id, by)
        return by, self.drafts.approve(draft.id, By(LEA))

    def answer(self, draft: str) -> None:
        answer(self.incidents, self.store._db, self.id, draft, MARA)

    def work(self, seconds: int = 0) -> None:
        """Let time pass, ten seconds at a time, doing all that is due."""
        for passed in range(seconds // 10 + 1):
            if passed:
                self.clock.advance(10)
            self.cases.settle_waves()
            self.answering.step()
            while self.sender.step():
                pass

    def posted(self) -> dict[str, int]:
        """How often each mention was answered."""
        found: dict[str, int] = {}
        for mention, _ in self.platform.posted.values():
            found[mention] = found.get(mention, 0) + 1
        return found

    def progress(self, draft: str) -> Answers:
        return progress(self.store._db, self.incidents.incident(self.id), draft)

    def events(self) -> list[str]:
        return [it.event.kind for it in self.incidents.timeline(self.id)]


__all__ = ["ANA", "LEA", "MARA", "SORRY", "Author", "Storm", "timedelta"]
