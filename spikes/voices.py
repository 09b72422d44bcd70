"""How much is said of brands, and by whom, over time: lines to draw, added up from the closed buckets alone.

Mentions are never read for it. What is older than `history_days` is there by the hour and the day; the newest ten
minutes are not closed yet, and `counted_to` says how far the counts go.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import ColumnElement, Row, func, select

from desk.refusals import Unfit
from pipeline.store.columns import utc
from pipeline.store.database import Transaction
from pipeline.store.part import Part
from pipeline.store.spike_tables import spike_brands, spike_buckets
from spikes.counting import minute_of, time_of
from spikes.counts import NEW
from spikes.shelf import STEP, series_of

By = Literal["tone", "people", "intent", "topic", "source", "brand"]
"""What lines are told apart by. `tone`: negative mentions and others. `people`: who spoke against the brand, who spoke
for it, and the others, each once in a bucket of the counts (`counted_by`). The rest are mentions; one mention can be of
several topics and intents, but of one source and one brand."""

WHOLE: frozenset[By] = frozenset({"tone", "people", "source", "brand"})
"""Of these the lines together are all there is."""

WIDTHS = (5, 10, 30, 60, 240, 1440, 10_080, 40_320)
"""Minutes of a point: the first that needs no more than POINTS of them."""

POINTS = 200

LINES = 7
"""Lines told apart, the most first; the rest of a whole are one line more, without a name."""

MOST_SERIES = 5000
"""Series whose names are read."""

MOST_BRANDS = 100
"""Brands that are added up."""

LONGEST = timedelta(days=3660)

_MONDAY = 4 * 1440
"""The first Monday of 1970, from which weeks are counted."""


class Line(NamedTuple):
    """One line: its name (empty: all others), a value for each point, and their sum."""

    name: str
    values: tuple[int, ...]
    sum: int


class Voices(NamedTuple):
    """`at` are the beginnings of the points, `minutes` their width. `all` is everything, of which the lines are parts.
    `reach` is by how many each mention could have been seen, added up; `negative` and `mentions` are sums.
    `known_since` is when the first of it was said (None: never); what lies before is not zero but unknown."""

    by: By
    at: tuple[datetime, ...]
    minutes: int
    counted_by: int
    lines: tuple[Line, ...]
    all: Line
    mentions: int
    negative: int
    reach: int
    known_since: datetime | None
    counted_to: datetime | None

    @property
    def told(self) -> range:
        """The points of which something was counted: what comes later is not zero but unknown."""
        end = sum(1 for at in self.at if self.counted_to is not None and at < self.counted_to)
        return range(end)

    def is_whole(self, point: int) -> bool:
        """Whether all of a point was counted."""
        return self.counted_to is not None and self.at[point] + timedelta(minutes=self.minutes) <= self.counted_to

    def share(self, line: Line, point: int) -> float | None:
        """Of all of this point; None where nothing was said."""
        whole = self.all.values[point]
        return line.values[point] / whole if whole else None


class Listening(Part):
    """Questions about what was counted, from any thread and any process."""

    def brands(self) -> list[str]:
        """Every brand of which anything was ever counted, by name; MOST_BRANDS at most."""
        query = select(spike_brands.c.brand).where(spike_brands.c.since != NEW).order_by(spike_brands.c.brand)
        with self._db.read() as transaction:
            return list(transaction.run(query.limit(MOST_BRANDS)).scalars())

    def series(self) -> dict[str, list[str]]:
        """The facets that were ever counted, by brand. Reads one entry of the index for each, however many buckets
        there are; worth keeping for a minute."""
        first = select(func.min(spike_buckets.c.series).label("name")).cte("names", recursive=True)
        following = select(func.min(spike_buckets.c.series)).where(spike_buckets.c.series > first.c.name)
        names = first.union_all(select(following.scalar_subquery()).where(first.c.name.is_not(None)))
        query = select(names.c.name).where(names.c.name.is_not(None)).limit(MOST_SERIES)
        found: defaultdict[str, list[str]] = defaultdict(list)
        with self._db.read() as transaction:
            for name in transaction.run(query).scalars():
                brand, _, facet = name.partition("\n")
                found[brand].append(facet)
        return dict(found)

    def voices(
        self,
        brands: Sequence[str],
        by: By,
        since: datetime,
        until: datetime,
        facets: dict[str, list[str]] | None = None,
    ) -> Voices:
        """What was said of these brands from the point that holds `since` until `until`. `facets` is what `series`
        said a while ago. Raises Unfit."""
        since, until = utc(since), utc(until)
        if by not in get_args(By):
            raise Unfit("by", f"is one of {', '.join(get_args(By))}")
        if since >= until:
            raise Unfit("since", "is not before until")
        if until - since > LONGEST:
            raise Unfit("since", f"is more than {LONGEST.days:,} days before until")
        named = {} if by in ("tone", "people", "brand") else (facets if facets is not None else self.series())
        sums: defaultdict[str, Counter[int]] = defaultdict(Counter)
        whole: Counter[int] = Counter()
        totals: Counter[str] = Counter()
        with self._db.read() as transaction:
            marks = _marks(transaction, brands[:MOST_BRANDS])
            width = width_for(until - since)
            if width < 60 and _is_gone(transaction, marks, minute_of(since)):
                width = 60
            starts = list(_starts(minute_of(since), minute_of(until), width))
            for row in marks:
                inside = [it for it in named.get(row.brand, ()) if it.startswith(f"{by}:")]
                for bucket in _added(transaction, row, ["", *inside], starts[0], minute_of(until), width):
                    _, _, facet = bucket.series.partition("\n")
                    if facet:
                        sums[facet.partition(":")[2]][bucket.start] += bucket.mentions
                        continue
                    totals.update(mentions=bucket.mentions, negative=bucket.negative, reach=bucket.reach)
                    for name, value in _parts(by, row.brand, bucket):
                        sums[name][bucket.start] += value
                    whole[bucket.start] += max(bucket.authors, _sides(bucket)) if by == "people" else bucket.mentions
        everything = _line("", whole, starts)
        return Voices(
            by=by,
            at=tuple(map(time_of, starts)),
            minutes=width,
            counted_by=_base(width),
            lines=_told(by, sums, everything, starts),
            all=everything,
            mentions=totals["mentions"],
            negative=totals["negative"],
            reach=int(totals["reach"]),
            known_since=min((time_of(row.since) for row in marks), default=None),
            counted_to=max((time_of(row.closed) for row in marks), default=None),
        )


def width_for(length: timedelta) -> int:
    """Minutes of a point, so that there are POINTS at most."""
    minutes = length / timedelta(minutes=1)
    return next((width for width in WIDTHS if minutes / width <= POINTS), WIDTHS[-1])


def _base(width: int) -> int:
    """The widest bucket of the counts that such points are made of."""
    return 5 if width < 60 else 60 if width < 1440 else 1440


def _starts(since: int, until: int, width: int) -> Iterator[int]:
    """The points that hold or follow `since`, until before `until`; weeks begin on Mondays."""
    offset = _MONDAY if width % 10_080 == 0 else 0
    first = since - (since - offset) % width
    return iter(range(first, max(until, first + 1), width))


def _marks(transaction: Transaction, brands: Sequence[str]) -> Sequence[Row[Any]]:
    query = select(spike_brands).where(transaction.among(spike_brands.c.brand, list(brands)))
    return transaction.run(query.where(spike_brands.c.since != NEW).order_by(spike_brands.c.brand)).all()


def _is_gone(transaction: Transaction, marks: Sequence[Row[Any]], since: int) -> bool:
    """Whether the buckets of five minutes of then are past their time, and only those of an hour are left."""
    for brand in marks:
        mine = (spike_buckets.c.series == series_of(brand.brand, ""), spike_buckets.c.width == STEP)
        oldest = transaction.run(select(func.min(spike_buckets.c.at)).where(*mine)).scalar()
        first = brand.hours if oldest is None else oldest - 60
        if since < first and brand.since < first:
            return True
    return False


def _added(
    transaction: Transaction, brand: Row[Any], facets: Iterable[str], since: int, until: int, width: int
) -> Iterator[Row[Any]]:
    """The buckets of one brand, added up to points by the database: by the day or the hour as far as those are
    written, by five minutes from there on."""
    bucket, series = spike_buckets.c, [series_of(brand.brand, facet) for facet in facets]
    offset = _MONDAY if width % 10_080 == 0 else 0
    start: ColumnElement[int] = bucket.at - (bucket.at - offset) % width
    names = ("mentions", "negative", "authors", "negative_authors", "positive_authors", "reach")
    upto = since
    for step, written in ((1440, brand.days), (60, brand.hours), (STEP, brand.closed)):
        if step > _base(width) or written <= upto:
            continue
        part = (
            select(bucket.series, start.label("start"), *(func.sum(bucket[name]).label(name) for name in names))
            .where(transaction.among(bucket.series, series), bucket.width == step)
            .where(bucket.at >= upto, bucket.at < min(written, until))
            .group_by("series", "start")
        )
        yield from transaction.run(part)
        upto = written


def _parts(by: By, brand: str, bucket: Row[Any]) -> Iterator[tuple[str, int]]:
    """What all of a brand is made of where that stands in its own buckets."""
    if by == "tone":
        yield "negative", bucket.negative
        yield "other", bucket.mentions - bucket.negative
    elif by == "people":
        yield "against", bucket.negative_authors
        yield "for", bucket.positive_authors
        # Who was both for and against is counted as either, and as nobody else.
        yield "other", max(0, bucket.authors - _sides(bucket))
    elif by == "brand":
        yield brand, bucket.mentions


def _sides(bucket: Row[Any]) -> int:
    sides: int = bucket.negative_authors + bucket.positive_authors
    return sides


def _told(by: By, sums: dict[str, Counter[int]], everything: Line, starts: Sequence[int]) -> tuple[Line, ...]:
    lines = [_line(name, counts, starts) for name, counts in sums.items()]
    if by in ("tone", "people"):
        return tuple(lines)
    lines = sorted((it for it in lines if it.sum), key=lambda it: (-it.sum, it.name))
    told, rest = lines[:LINES], lines[LINES:]
    if rest and by in WHOLE:
        values = tuple(
            all - sum(parts) for all, *parts in zip(everything.values, *(it.values for it in told), strict=True)
        )
        told.append(Line("", values, sum(values)))
    return tuple(told)


def _line(name: str, counts: Counter[int], starts: Sequence[int]) -> Line:
    values = tuple(int(counts[start]) for start in starts)
    return Line(name, values, sum(values))
