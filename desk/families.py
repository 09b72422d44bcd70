"""A person lets many cases follow one: those of a firestorm, say, which one public answer settles.

From then on they are a wave (`desk/waves.py`): they rest, only the lead's promises are watched, and when the lead is
answered or resolved so are they. Nothing is posted to anybody. Worked by themselves as before: what is held, being
answered, answered already or worked by hand; what is urgent, or more urgent than the lead; private messages; other
brands. Whoever claims one, or an author who says more, takes it out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from desk import events
from desk.case import Case
from desk.refusals import Conflict, NoSuchCase
from desk.shelf import lock_authors, open_up, read_case, save
from desk.waves import BATCH
from pipeline.mention import Kind, Priority
from pipeline.ports import Clock
from pipeline.store.case_tables import case_mentions, cases
from pipeline.store.database import Database, Transaction
from pipeline.store.tables import mentions


class Followed(NamedTuple):
    """How many cases follow now that did not, and how many of those named go on by themselves (or are closed)."""

    joined: int
    left: int


def follow(database: Database, clock: Clock, lead: str, ids: Sequence[str], actor: str, family: str) -> Followed:
    """Let these cases follow `lead`, some in each transaction; the same again changes nothing. `family` names the wave
    of those that are of none. Raises NoSuchCase, and Conflict where the lead is closed or follows another."""
    joined = left = 0
    wanted = sorted({*ids} - {lead})
    for start in range(0, len(wanted), BATCH):
        some = wanted[start : start + BATCH]
        with database.write() as transaction:
            done, there = _join(transaction, clock, lead, some, actor, family)
        joined += done
        left += len(some) - there
    return Followed(joined, left)


def _join(
    transaction: Transaction, clock: Clock, lead: str, ids: Sequence[str], actor: str, family: str
) -> tuple[int, int]:
    """How many of these have come to follow, and how many follow now."""
    rows = transaction.run(select(cases.c.author).where(transaction.among(cases.c.id, [*ids, lead])))
    leases = lock_authors(transaction, set(rows.scalars()))
    dossiers = open_up(transaction, leases)
    body = transaction.run(select(cases.c.body).where(cases.c.id == lead)).scalar()
    if body is None:
        raise NoSuchCase(f"there is no case {lead}")
    first, now = read_case(body), clock.now()
    if not first.open or first.lead:
        raise Conflict(f"case {lead} {'follows another' if first.open else 'is closed'}: nothing can follow it")
    private = _private(transaction, ids)
    chosen = set(ids)
    joined = there = 0
    for dossier in dossiers.values():
        dossier.lapse(now)
        for case in dossier.open_cases():
            if case.id not in chosen:
                continue
            if case.lead == lead:
                there += 1
            elif case.id not in private and _may_follow(case, first):
                name = case.family or family
                dossier.record(case.id, events.FamilyJoined(at=now, actor=actor, family=name, lead=lead))
                joined += 1
                there += 1
    save(transaction, dossiers.values(), leases)
    return joined, there


def _may_follow(case: Case, lead: Case) -> bool:
    if case.lead or case.alone or case.owner or case.pending or case.answers or case.brand != lead.brand:
        return False
    return case.priority is not Priority.URGENT and case.priority.rank >= lead.priority.rank


def _private(transaction: Transaction, ids: Sequence[str]) -> set[str]:
    """Those of these cases in which something was said that only we can read."""
    query = select(case_mentions.c.case_id).join(mentions, mentions.c.id == case_mentions.c.mention)
    query = query.where(transaction.among(case_mentions.c.case_id, ids), mentions.c.kind == Kind.MESSAGE.value)
    return set(transaction.run(query).scalars())
