"""Erase a person: what to tell the pipeline, and what to do where no removal reaches.

The pipeline does most of it, by an ordinary removal of the author with the reason `erased`: every role, sink and later
copy obeys that. What is left to do by hand when it was applied is here: dead letters that nobody could read, the
removal itself on the topics, their cases, what our people wrote of them elsewhere, what the audit log says about them,
ids that tell who wrote a post, and the remains in the files' free pages.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from desk import crm, links
from desk.audit import Audit, Event
from desk.person import Person, person
from desk.traces import Files, Survey, erases, records, survey
from desk.wording import Wording
from pipeline.codec import decode
from pipeline.errors import BadRecord
from pipeline.mention import Author, Enriched, Mention, Removal, Routed
from pipeline.ports import Bus, Clock
from pipeline.store import DeadLetter, Store
from pipeline.store.database import Database

ACTOR = "system:erase"
"""Who the audit log says it was: whoever may run the command on this machine."""


def known_as(store: Store, author: str, also: Iterable[str] = ()) -> Person:
    """The person as the store knows them: handles, names and texts of everything kept, and the words given."""
    authors: dict[Author, None] = {}
    texts: list[str] = []
    for mention in _said(store, author):
        authors[mention.author] = None
        texts += [mention.title, mention.text]
    return person(author, authors, texts, also)


def _said(store: Store, author: str) -> Iterable[Mention]:
    for routed in store.mentions_of(author):
        yield routed.mention
    for letter in store.letters_of(author):
        if (mention := mention_in(letter)) is not None:
            yield mention


def mention_in(letter: DeadLetter) -> Mention | None:
    """The mention that a dead letter holds, where it can be read."""
    try:
        shape = decode(letter.payload)
    except BadRecord:
        return None
    if isinstance(shape, Enriched | Routed):
        return shape.mention
    return shape if isinstance(shape, Mention) else None


class Erasure:
    """One erasure, in order: `look()`, publish `removals()`, wait until the pipeline has applied them, `finish()`,
    `look(to_the_byte=True)`. Every step may be repeated; an erasure cut short is started again."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        topics: Sequence[str],
        files: Files,
        person: Person,
        database: Database,
        clock: Clock,
    ) -> None:
        self.person = person
        self._store = store
        self._bus = bus
        self._topics = topics
        self._files = files
        self._db = database
        self._audit = Audit(database, clock)
        self._wording = Wording(database, clock)
        self._clock = clock
        self._named: list[str] = []
        self._ids = [mention.id for mention in _said(store, person.author)]
        self._ours = set(store.answers_to(person.author))

    def look(self, *, to_the_byte: bool = False) -> Survey:
        """Where they are to be found now."""
        found = survey(self._store, self._bus, self._topics, self._files, self.person, to_the_byte=to_the_byte)
        self._ours |= found.ours
        self._named = sorted(found.cases)
        return found

    def removals(self) -> list[Removal]:
        """What the pipeline must be told: the author's removal, and one for each mention that it would not cover, and
        for each of our own answers to them."""
        now = self._clock.now()
        source, author = self.person.source, self.person.author
        others = [*self._store.known_after(author, now), *sorted(self._ours)]
        return [Removal(source=source, reason="erased", noticed_at=now, author=author)] + [
            Removal(source=id.partition(":")[0], reason="erased", noticed_at=now, mention=id) for id in others
        ]

    def owed(self) -> dict[str, int]:
        """How many deliveries about their mentions wait, by sink; an erasure that was cut short counts too."""
        return self._store.owed(self.person.source, [*self._ids, *self._ours])

    def finish(self) -> int:
        """Do what the removal could not; returns how many ids were renamed."""
        letters = [it for it in self._store.letters_of_nobody() if self._tells(it)]
        if letters:
            self._store.erase_letters(letters)
        self._purge()
        if letters:
            self._store.purged([it.intake_id for it in letters])
        with self._db.write() as transaction:
            links.forget(transaction, self.person.author)
            crm.forget(transaction, self.person.author)
        cases = self._store.erase_cases(self.person.author, self.person.accounts)
        self._store.reword(self.person.without)
        self._wording.reword(self._named, self.person.without)
        self._redact(cases)
        renamed = self._rename()
        for archive in self._files.archives:
            archive.forget(self.person.in_id)
        return renamed

    def _tells(self, letter: DeadLetter) -> bool:
        text = "\n".join((letter.place, letter.reason, letter.note)).encode("utf-8", "surrogatepass")
        return self.person.told_by(letter.payload) or self.person.told_by(text)

    def _purge(self) -> None:
        """Take off the topics whatever is theirs there: unreadable records, the removal that did its work, and what
        was never delivered. A bus that cannot keeps it until its retention."""
        for topic in self._topics:
            if erases(self._bus, topic):
                keys = {it.key for it in records(self._bus, topic) if self.person.wrote_bytes(it.value)}
                self._bus.purge(topic, sorted(keys), self.person.wrote_bytes)

    def _redact(self, cases: Sequence[str]) -> None:
        """Take out of the audit log what it says about them, their cases and their mentions; that somebody did
        something then stays. The erasure is noted, without a name."""
        theirs = {self.person.author, *cases, *self._ids}
        about: set[str] = set()
        for found in self._store.rows("audit"):
            said = str(found.row["about"] or "")
            facts = str(found.row["facts"] or "").encode()
            known = said in theirs or said.partition(":")[2] in theirs
            if said and (known or self.person.told_by(said.encode()) or self.person.told_by(facts)):
                about.add(said)
        rows = self._audit.redact(sorted(about), ACTOR, "a person was erased") if about else 0
        self._audit.note(Event(ACTOR, "customer.erased", "customer", {"cases": len(cases), "redacted": rows}))

    def _rename(self) -> int:
        """A platform whose post ids hold the account's id (Bluesky's do) would name the person in the ledger."""
        person, salt = self.person, secrets.token_bytes(16)
        removed = {id for word in person.fragments for id in self._store.removed_with(word) if person.in_id(id)}
        stones = {id for word in person.fragments for id in self._store.stones_with(word) if person.in_id(id)}
        if stones:
            self._store.drop_stones(sorted(stones))
        names = {
            id: f"{person.source}:erased-{blake2b(id.encode(), key=salt, digest_size=12).hexdigest()}" for id in removed
        }
        return self._store.rename(names) if names else 0
