"""Figures: how much came, how soon it was answered and settled, what it cost. Counted by the database from what
`desk/facts.py` keeps. docs/figures.md defines each in a sentence.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from csv import writer as csv_writer
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    column,
    func,
    select,
    values,
)

from desk.periods import Period, cut, whole
from desk.refusals import Unfit
from pipeline.ports import Clock
from pipeline.store.account_tables import users
from pipeline.store.columns import Moment
from pipeline.store.database import Database, Transaction
from pipeline.store.fact_tables import case_breaches, case_facts, case_spans
from pipeline.store.part import Part

Dimension = Literal["queue", "team", "agent", "source", "brand", "hour", "day"]
"""What figures are told apart by."""

MOST_GROUPS = 1000
"""More queues, teams, agents, sources or brands than this are refused rather than cut off."""

_FORMULA = re.compile("[\\t\\r\\n]|\\s*[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20]")
"""How a formula begins, for one program or another; the last four are the full-width forms."""


@dataclass(frozen=True)
class Figure:
    """The figures of one group, or of one hour or day. docs/figures.md defines each; None where there is nothing to
    count from. `key` is the group (empty: none), or the local start of the hour or day in ISO 8601; `name` is what
    people call it. Seconds are by the clock on the wall, `open` ones in the open time of the queue's calendar."""

    key: str
    name: str
    volume: int
    backlog: int
    answered: int
    first_response_median_secs: float | None
    first_response_p90_secs: float | None
    first_response_open_median_secs: float | None
    first_response_open_p90_secs: float | None
    resolutions: int
    resolution_median_secs: float | None
    resolution_p90_secs: float | None
    resolution_open_median_secs: float | None
    resolution_open_p90_secs: float | None
    breaches: int
    reopened: int
    reopen_rate: float | None
    sentiment_cases: int
    sentiment_before: float | None
    sentiment_after: float | None
    held_hours: float
    cost_per_resolution: float | None
    deflected: int
    deflection_rate: float | None


class Figures(Part):
    """Figures of a period, by group or over time. `hour_cost` is what an hour of an agent costs; 0: nobody says."""

    def __init__(self, database: Database, clock: Clock, hour_cost: float = 0.0) -> None:
        super().__init__(database, clock)
        self._hour_cost = hour_cost

    def figures(
        self,
        since: datetime,
        until: datetime,
        by: Dimension = "queue",
        *,
        queue: str | None = None,
        team: str | None = None,
        agent: str | None = None,
        source: str | None = None,
        brand: str | None = None,
        timezone: str = "UTC",
    ) -> list[Figure]:
        """One Figure for each group that has anything to count, by key; or one for each hour or day as the clocks of
        the time zone show them, in order. `until` is not part of the period. Raises Unfit, naming since, until, by or
        timezone."""
        wanted = {"queue": queue, "team": team, "agent": agent, "source": source, "brand": brand}
        filters = [case_facts.c[name] == value for name, value in wanted.items() if value is not None]
        if by == "hour" or by == "day":
            periods = cut(since, until, by, timezone)
        elif by in wanted:
            periods = [whole(since, until)]
        else:
            raise Unfit("by", "is one of queue, team, agent, source, brand, hour, day")
        series = by == "hour" or by == "day"
        with self._db.read() as transaction:
            counted = _Count(transaction, periods, None if series else case_facts.c[by], filters).all()
            keys: Sequence[Any] = range(len(periods)) if series else sorted(counted.keys())
            names = _names(transaction, keys) if by == "agent" else {}
        if len(keys) > max(MOST_GROUPS, len(periods)):
            raise Unfit("by", f"there are more than {MOST_GROUPS} of them in this period: ask for a part")
        made: list[Figure] = []
        backlog = counted.backlog.get("", 0)
        for key in keys:
            if series:
                backlog += counted.begun.get(key, 0) - counted.ended.get(key, 0)
            else:
                backlog = counted.backlog.get(key, 0) + counted.begun.get(key, 0) - counted.ended.get(key, 0)
            label = periods[key].label if series else key
            made.append(self._figure(label, names.get(key, label), backlog, counted, key))
        return made

    def _figure(self, label: str, name: str, backlog: int, counted: _Counted, key: Any) -> Figure:
        answered, settled = counted.answered.get(key, _NOTHING), counted.settled.get(key, _NOTHING)
        undone = counted.undone.get(key, 0)
        resolutions = settled.cases + undone
        hours = settled.held / 3600
        response, resolution = counted.response.get(key, _NO_SPREAD), counted.resolution.get(key, _NO_SPREAD)
        response_open = counted.response_open.get(key, _NO_SPREAD)
        resolution_open = counted.resolution_open.get(key, _NO_SPREAD)
        return Figure(
            key=label,
            name=name,
            volume=counted.volume.get(key, 0),
            backlog=backlog,
            answered=answered.cases,
            first_response_median_secs=response.median,
            first_response_p90_secs=response.p90,
            first_response_open_median_secs=response_open.median,
            first_response_open_p90_secs=response_open.p90,
            resolutions=resolutions,
            resolution_median_secs=resolution.median,
            resolution_p90_secs=resolution.p90,
            resolution_open_median_secs=resolution_open.median,
            resolution_open_p90_secs=resolution_open.p90,
            breaches=counted.breaches.get(key, 0),
            reopened=undone,
            reopen_rate=undone / resolutions if resolutions else None,
            sentiment_cases=answered.both,
            sentiment_before=answered.before,
            sentiment_after=answered.after,
            held_hours=hours,
            cost_per_resolution=hours * self._hour_cost / settled.cases if settled.cases and self._hour_cost else None,
            deflected=settled.deflected,
            deflection_rate=settled.deflected / resolutions if resolutions else None,
        )


def csv(figures: Sequence[Figure]) -> str:
    """The figures as CSV with a header line. A name that a spreadsheet program would take for a formula begins with an
    apostrophe, as OWASP's page on CSV injection advises."""
    out = io.StringIO()
    writer = csv_writer(out)
    writer.writerow(field.name for field in fields(Figure))
    for figure in figures:
        writer.writerow(cell(value) for value in asdict(figure).values())
    return out.getvalue()


def cell(value: object) -> object:
    """A value for a CSV file that a spreadsheet program may open: no formula, and no more digits than say something."""
    if isinstance(value, str) and _FORMULA.match(value):
        return "'" + value
    return round(value, 4) if isinstance(value, float) else value


# ------------------------------------------------------------------------ counting


class _Spread(NamedTuple):
    median: float | None
    p90: float | None


class _Tally(NamedTuple):
    cases: int = 0
    both: int = 0
    before: float | None = None
    after: float | None = None
    held: float = 0.0
    deflected: int = 0


_NO_SPREAD = _Spread(None, None)
_NOTHING = _Tally()


@dataclass(frozen=True)
class _Counted:
    """By group, or by the number of the hour or day. `backlog` is that at the beginning; `begun` and `ended` are how
    often cases began and ended to be open in the period."""

    volume: dict[Any, int]
    backlog: dict[Any, int]
    begun: dict[Any, int]
    ended: dict[Any, int]
    undone: dict[Any, int]
    breaches: dict[Any, int]
    answered: dict[Any, _Tally]
    settled: dict[Any, _Tally]
    response: dict[Any, _Spread]
    response_open: dict[Any, _Spread]
    resolution: dict[Any, _Spread]
    resolution_open: dict[Any, _Spread]

    def keys(self) -> set[Any]:
        """Every group that has something to count."""
        open_cases = {key for key, count in self.backlog.items() if count}
        return open_cases.union(self.volume, self.begun, self.ended, self.breaches, self.answered, self.settled)


class _Count:
    """The questions to the database, all of one moment."""

    def __init__(
        self,
        transaction: Transaction,
        periods: Sequence[Period],
        group: Column[Any] | None,
        filters: Sequence[ColumnElement[bool]],
    ) -> None:
        self._transaction = transaction
        self._filters = filters
        self._first = periods[0].since
        columns = (column("number", Integer), column("since", Moment), column("until", Moment))
        rows = [(number, period.since, period.until) for number, period in enumerate(periods)]
        self._periods = values(*columns, name="given").data(rows).cte("periods")
        self._group: ColumnElement[Any] = self._periods.c.number if group is None else group
        self._whole = group is None

    def all(self) -> _Counted:
        """Everything."""
        facts = case_facts.c
        both = and_(facts.sentiment_before.is_not(None), facts.sentiment_after.is_not(None))
        settled_by_macro = and_(facts.macro.is_not(None), facts.reopenings == 0)
        answered = self._of(
            facts.answered_at,
            func.count().label("cases"),
            func.sum(case((both, 1), else_=0)).label("both"),
            func.avg(case((both, facts.sentiment_before))).label("before"),
            func.avg(case((both, facts.sentiment_after))).label("after"),
        )
        settled = self._of(
            facts.resolved_at,
            func.count().label("cases"),
            func.sum(facts.handled_secs).label("held"),
            func.sum(case((settled_by_macro, 1), else_=0)).label("deflected"),
        )
        undone = and_(case_spans.c.ending == "resolved", case_spans.c.undone)
        return _Counted(
            volume=self._number(self._of(facts.opened_at, func.count())),
            backlog=self._before(),
            begun=self._number(self._of(case_spans.c.since, func.count())),
            ended=self._number(self._of(case_spans.c.until, func.count())),
            undone=self._number(self._of(case_spans.c.until, func.count()).where(undone)),
            breaches=self._number(self._of(case_breaches.c.due, func.count())),
            answered={row.key: _Tally(row.cases, row.both, row.before, row.after) for row in self._run(answered)},
            settled={row.key: _Tally(row.cases, held=row.held, deflected=row.deflected) for row in self._run(settled)},
            response=self._spread(facts.answered_at, facts.first_response_secs),
            response_open=self._spread(facts.answered_at, facts.first_response_open_secs),
            resolution=self._spread(facts.resolved_at, facts.resolution_secs),
            resolution_open=self._spread(facts.resolved_at, facts.resolution_open_secs),
        )

    def _of(self, moment: Column[Any], *counted: ColumnElement[Any]) -> Select[Any]:
        """What is counted of that which happened at this moment, by group."""
        return self._among(moment, self._group.label("key"), *counted).group_by(self._group)

    def _among(self, moment: Column[Any], *columns: ColumnElement[Any]) -> Select[Any]:
        source: FromClause = case_facts
        if moment.table is not case_facts:
            source = moment.table.join(case_facts, case_facts.c.case_id == moment.table.c.case_id)
        within = and_(moment >= self._periods.c.since, moment < self._periods.c.until)
        return select(*columns).select_from(self._periods.join(source, within)).where(*self._filters)

    def _before(self) -> dict[Any, int]:
        """How many cases were open when the period began."""
        spans = case_spans.c
        source = case_spans.join(case_facts, case_facts.c.case_id == spans.case_id)
        query = select(func.count().label("counted")).select_from(source)
        query = query.where(spans.since < self._first, spans.until >= self._first, *self._filters)
        if self._whole:
            return {"": self._transaction.run(query).scalar_one()}
        return self._number(query.add_columns(self._group.label("key")).group_by(self._group))

    def _spread(self, moment: Column[Any], seconds: Column[Any]) -> dict[Any, _Spread]:
        """The median and the ninetieth percentile, between the two nearest values in proportion, as PostgreSQL's
        `percentile_cont` has it, which SQLite has not."""
        ranked = self._among(
            moment,
            self._group.label("key"),
            seconds.label("seconds"),
            (func.row_number().over(partition_by=self._group, order_by=seconds) - 1).label("place"),
            (func.count().over(partition_by=self._group) - 1).label("last"),
        )
        ranks = ranked.where(seconds.is_not(None)).subquery()

        def at(share: float) -> ColumnElement[Any]:
            distance = func.abs(ranks.c.place - ranks.c.last * share)
            return func.sum(case((distance < 1, ranks.c.seconds * (1 - distance)), else_=0.0))

        query = select(ranks.c.key, at(0.5).label("median"), at(0.9).label("p90")).group_by(ranks.c.key)
        return {row.key: _Spread(float(row.median), float(row.p90)) for row in self._run(query)}

    def _number(self, query: Select[Any]) -> dict[Any, int]:
        rows = [row._mapping for row in self._run(query)]
        return {row["key"]: next(value for name, value in row.items() if name != "key") for row in rows}

    def _run(self, query: Select[Any]) -> Sequence[Any]:
        return self._transaction.run(query).all()


def _names(transaction: Transaction, agents: Sequence[str]) -> dict[str, str]:
    """What agents (`user:ID`) are called."""
    ids = [agent.removeprefix("user:") for agent in agents]
    rows = transaction.run(select(users.c.id, users.c.name).where(transaction.among(users.c.id, ids)))
    return {f"user:{row.id}": row.name for row in rows}
