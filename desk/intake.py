"""Mentions into cases, a batch at a time, inside the transaction that stores them: either both are kept or neither."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select, update

from desk import hearing
from desk.case import Case
from desk.dossier import Dossier
from desk.hearing import CaseSettings
from desk.shelf import lock_authors, open_up, save
from desk.waves import Leads, leads_of
from pipeline.mention import Mention, Routed
from pipeline.ports import Clock
from pipeline.store.case_tables import case_mentions, cases, corrections
from pipeline.store.columns import fit
from pipeline.store.database import Transaction
from pipeline.store.deliveries import own_up
from pipeline.store.ours import ANSWER

SAID, DROPPED = "said", "dropped"
"""What a mention is to its case: said by its author; said, but taken back or filtered; our answer."""


class Place(NamedTuple):
    """The case a mention belongs to, as what, and whose case that is."""

    case: str
    part: str
    author: str


def take_in(
    transaction: Transaction,
    fresh: Sequence[Routed],
    withdrawn: Sequence[str],
    clock: Clock,
    settings: CaseSettings,
    why: str = "taken back",
) -> None:
    """Let cases know what was stored and what was taken back, and why. The same again changes nothing."""
    if not fresh and not withdrawn:
        return
    # In the order in which it was said: an answer comes after what it answers.
    items = sorted(fresh, key=lambda it: (it.mention.created_at, it.mention.id))
    gone = [fit(id) for id in withdrawn]
    parents = [fit(str(it.mention.parent)) for it in items if it.mention.own and hearing.answers(it.mention)]
    # What opens no case concerns only the author of the case it is in already, if any.
    known = _places(transaction, [*gone, *parents, *(fit(it.mention.id) for it in items if not _counts(it))])
    authors = {_author(it.mention) for it in items if _counts(it)} | {place.author for place in known.values()}
    if not authors:
        return
    leases = lock_authors(transaction, authors)
    places = _places(transaction, [*gone, *parents, *(fit(it.mention.id) for it in items)])
    if others := {place.author for place in places.values()} - leases.keys():  # placed meanwhile, or under another name
        leases |= lock_authors(transaction, others)
    now = clock.now()
    since = now - timedelta(hours=settings.reopen_hours)
    dossiers = open_up(transaction, leases, closed_since=since, ids=sorted({place.case for place in places.values()}))
    batch = _Batch(dossiers, places, now, settings)
    opening = [it for it in items if _counts(it) and fit(it.mention.id) not in places]
    batch.know_leads(leads_of(transaction, opening, settings.wave_hours))
    for id in gone:
        batch.withdraw(id, why)
    for it in items:
        batch.hear(it)
    save(transaction, dossiers.values(), leases)
    _write_places(transaction, batch)
    if gone:
        transaction.run(
            update(corrections).where(transaction.among(corrections.c.mention, gone)).values(body=b"", mention=None)
        )


class _Batch:
    """One batch on its way: every dossier it touches, and which mention belongs where by now."""

    def __init__(
        self,
        dossiers: dict[str, Dossier],
        places: dict[str, Place],
        now: datetime,
        settings: CaseSettings,
    ) -> None:
        self._dossiers = dossiers
        self._by_case = {id: dossier for dossier in dossiers.values() for id in dossier.cases}
        self._places = places
        self._now = now
        self._settings = settings
        self._leads = Leads(self._as_it_stands, settings)
        self.placed: dict[str, dict[str, Any]] = {}

    def know_leads(self, found: Sequence[Case]) -> None:
        """Of what was stored before, these may lead copies in this batch."""
        for case in found:
            self._leads.add(case)

    def withdraw(self, id: str, why: str) -> None:
        """It counts no more."""
        place = self._places.get(id)
        if place and place.part == SAID:
            hearing.taken_back(self._ready(place.case), place.case, id, self._now, why)
            self._place(id, place.case, DROPPED, self._now)

    def hear(self, it: Routed) -> None:
        """It was stored, or changed."""
        mention = it.mention
        id = fit(mention.id)
        place = self._places.get(id)
        if mention.own:
            parent = self._places.get(fit(mention.parent)) if mention.parent and hearing.answers(mention) else None
            if place is None and parent is not None:
                hearing.answered(self._ready(parent.case), parent.case, mention, self._now)
                self._place(id, parent.case, ANSWER, mention.created_at)
        elif place is not None:
            dossier, before = self._ready(place.case), place.part == DROPPED
            dropped = hearing.decided_again(dossier, place.case, it, self._now, dropped=before)
            if dropped is not before:
                self._place(id, place.case, DROPPED if dropped else SAID, mention.created_at)
        elif it.decision.queue is not None:
            dossier = self._dossiers[_author(mention)]
            dossier.lapse(self._now)
            case = hearing.said(dossier, it, self._now, self._settings, self._leads.leader)
            self._by_case[case.id] = dossier
            self._leads.add(case)
            self._place(id, case.id, SAID, mention.created_at)

    def _as_it_stands(self, case: Case) -> Case:
        dossier = self._by_case.get(case.id)
        return dossier.cases[case.id] if dossier else case

    def _ready(self, case: str) -> Dossier:
        dossier = self._by_case[case]
        dossier.lapse(self._now)
        return dossier

    def _place(self, id: str, case: str, part: str, said_at: datetime) -> None:
        self._places[id] = Place(case, part, self._by_case[case].lease.author)
        self.placed[id] = {"mention": id, "case_id": case, "part": part, "said_at": said_at}


def place_answer(transaction: Transaction, id: str, case: str, clock: Clock, settings: CaseSettings) -> bool:
    """Note that this mention id is our own answer in a case; whether that was news. What came back before, and was
    taken for a customer's, leaves the case that it is in."""
    mention, now = fit(id), clock.now()
    part = transaction.run(select(case_mentions.c.part).where(case_mentions.c.mention == mention)).scalar()
    if part == ANSWER:
        return False
    if part is not None:
        take_in(transaction, [], [mention], clock, settings, "it is our own answer")
    own_up(transaction, mention, now)
    row = {"mention": mention, "case_id": case, "part": ANSWER, "said_at": now}
    transaction.insert(case_mentions, [row], "mention", update=["case_id", "part", "said_at"])
    return True


def _counts(it: Routed) -> bool:
    return it.decision.queue is not None and not it.mention.own


def _author(mention: Mention) -> str:
    return fit(f"{mention.source}:{mention.author.id}")


def _places(transaction: Transaction, ids: Sequence[str]) -> dict[str, Place]:
    if not ids:
        return {}
    query = select(case_mentions.c.mention, case_mentions.c.case_id, case_mentions.c.part, cases.c.author)
    query = query.join(cases, cases.c.id == case_mentions.c.case_id)
    found = transaction.run(query.where(transaction.among(case_mentions.c.mention, ids)))
    return {row.mention: Place(row.case_id, row.part, row.author) for row in found}


def _write_places(transaction: Transaction, batch: _Batch) -> None:
    rows = [batch.placed[id] for id in sorted(batch.placed)]
    transaction.insert(case_mentions, rows, "mention", update=["case_id", "part"])
