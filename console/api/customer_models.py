"""What the API says of customers, and in figures."""

from __future__ import annotations

from datetime import datetime

from console.api.models import AuthorOut, CaseOut, Person, Told
from desk.figures import Figure


class MonthOut(Told):
    """A calendar month (UTC): how much was said, and the mean sentiment where there is any."""

    month: str
    mentions: int
    sentiment: float | None


class LinkOut(Told):
    """Two accounts are one person, says `actor`, because of this."""

    account: str
    other: str
    evidence: str
    actor: Person
    at: datetime


class LinkedOut(Told):
    """All accounts of one person, and what links them; `id` is null for an account that is linked to no other."""

    id: str | None
    accounts: list[str]
    links: list[LinkOut]


class SaidOut(Told):
    """What was made of all that they said. `sentiment` is a mean of -1 to 1, `trend` the later half less the earlier,
    `advocate` from -100 (against us) to 100; null where there is too little."""

    author: AuthorOut
    first_at: datetime
    last_at: datetime
    mentions: int
    months: list[MonthOut]
    sentiment: float | None
    trend: float | None
    intents: dict[str, int]
    queues: dict[str, int]
    filtered: dict[str, int]
    brands: dict[str, int]
    followers: int | None
    reach: int
    advocate: int


class AnswerOut(Told):
    """What we said to them; `text` is empty where only the platform has it."""

    case: str
    mention: str
    at: datetime
    text: str
    url: str


class CustomerOut(Told):
    """Whoever an account belongs to, over all their accounts. `said` is null where nothing of theirs is kept; `segment`
    is empty and `value` null where no CRM says."""

    id: str
    person: LinkedOut
    said: SaidOut | None
    mentions: int
    cases: int
    open_cases: int
    latest: list[CaseOut]
    answers: list[AnswerOut]
    segment: str
    value: float | None


class FiguresOut(Told):
    """The figures of a period, by group, hour or day."""

    since: datetime
    until: datetime
    by: str
    items: list[Figure]
