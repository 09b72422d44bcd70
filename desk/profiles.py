"""One customer over all their accounts: what they said, their cases, what we answered, what they are worth.

Accounts belong together only where somebody linked them (`desk/links.py`). Every list is bounded, and so is what is
read: of somebody who has said very much, the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import func, select

from desk.case import Case, Standing
from desk.crm import known
from desk.customers import Customer, profile
from desk.links import Person, person_of, resolved
from desk.shelf import read_case
from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.answer_tables import drafts
from pipeline.store.case_tables import case_mentions, cases
from pipeline.store.database import Transaction
from pipeline.store.part import Part
from pipeline.store.tables import mentions

SAID = 5000
"""So many mentions are read, the newest."""

CASES, ANSWERS = 20, 5
"""So many cases and answers are shown, the newest."""


@dataclass(frozen=True)
class Answer:
    """What we said to them: `mention` is its id; `text` is empty where only the platform has it, or it was removed."""

    case: str
    mention: str
    at: datetime
    text: str
    url: str


@dataclass(frozen=True)
class Profile:
    """`account` is the one asked for. `customer` is made from the newest 5,000 mentions of all their accounts, None
    where none is kept; `mentions`, `cases` and `open_cases` count all there are. `latest` and `answers` are newest
    first. `segment` is empty and `value` None where no CRM says; where it knows several of their accounts, it is the
    one asked for, else the first by name."""

    account: str
    person: Person
    customer: Customer | None
    mentions: int
    cases: int
    open_cases: int
    latest: tuple[Case, ...]
    answers: tuple[Answer, ...]
    segment: str
    value: float | None


class Profiles(Part):
    """Customers as the desk shows them. Reading one is to be noted in the audit log, by whoever knows who reads."""

    def profile(self, account: str) -> Profile | None:
        """The profile of whoever this account (`source:author_id`, or a handle that is known) belongs to; None where
        nothing at all is known of them."""
        with self._db.read() as transaction:
            return self._read(transaction, account)

    def _read(self, transaction: Transaction, account: str) -> Profile | None:
        person = person_of(transaction, account)
        asked = resolved(transaction, account)
        crm = known(transaction, [asked, *person.accounts])
        bodies, said = _said(transaction, person.accounts)
        by_standing = _cases(transaction, person.accounts)
        if not (said or by_standing or crm or person.id):
            return None
        return Profile(
            account=asked,
            person=person,
            customer=profile(asked, (cast(Routed, decode(body)) for body in bodies), self._clock.now()),
            mentions=said,
            cases=sum(by_standing.values()),
            open_cases=sum(count for standing, count in by_standing.items() if standing < Standing.CLOSED.value),
            latest=_latest(transaction, person.accounts),
            answers=_answers(transaction, person.accounts),
            segment=crm.segment if crm else "",
            value=crm.value if crm else None,
        )


def _said(transaction: Transaction, accounts: Sequence[str]) -> tuple[list[bytes], int]:
    """The newest of what they said, oldest first, and how much there is in all."""
    theirs = transaction.among(mentions.c.author, accounts)
    newest = (mentions.c.created_at.desc(), mentions.c.id.desc())
    query = select(mentions.c.body).where(theirs).order_by(*newest).limit(SAID)
    bodies = [bytes(body) for body in transaction.run(query).scalars()]
    total = transaction.run(select(func.count()).select_from(mentions).where(theirs)).scalar_one()
    return bodies[::-1], total


def _cases(transaction: Transaction, accounts: Sequence[str]) -> dict[int, int]:
    query = select(cases.c.standing, func.count().label("counted")).where(transaction.among(cases.c.author, accounts))
    return {row.standing: row.counted for row in transaction.run(query.group_by(cases.c.standing))}


def _latest(transaction: Transaction, accounts: Sequence[str]) -> tuple[Case, ...]:
    query = select(cases.c.body).where(transaction.among(cases.c.author, accounts))
    query = query.order_by(cases.c.since.desc(), cases.c.id.desc()).limit(CASES)
    return tuple(read_case(body) for body in transaction.run(query).scalars())


def _answers(transaction: Transaction, accounts: Sequence[str]) -> tuple[Answer, ...]:
    """Our answers in their cases, in the words of our own post where it came back to us, else of the draft sent."""
    query = (
        select(
            case_mentions.c.mention, case_mentions.c.case_id, case_mentions.c.said_at, mentions.c.body, drafts.c.text
        )
        .join(cases, cases.c.id == case_mentions.c.case_id)
        .join(mentions, mentions.c.id == case_mentions.c.mention, isouter=True)
        .join(drafts, drafts.c.answer == case_mentions.c.mention, isouter=True)
        .where(transaction.among(cases.c.author, accounts), case_mentions.c.part == "answer")
        .order_by(case_mentions.c.said_at.desc(), case_mentions.c.mention.desc())
        .limit(ANSWERS)
    )
    found: list[Answer] = []
    for row in transaction.run(query):
        post = cast(Routed, decode(bytes(row.body))).mention if row.body else None
        text = post.text if post else row.text or ""
        found.append(Answer(row.case_id, row.mention, row.said_at, text, post.url if post else ""))
    return tuple(found)
