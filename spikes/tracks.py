"""What the detectors of all series know, at the times at which windows are judged.

A window is judged by what was known when its lateness had not begun: all buckets that ended LATENESS before it. So the
verdict is the same whenever the window is looked at, and by whichever worker. For that the states of a few buckets
back are remembered; what is stored lags behind, and is brought up to date from the closed buckets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from pipeline.store.database import Transaction
from pipeline.store.spike_tables import spike_states
from spikes._silence import Quiet
from spikes.counting import time_of
from spikes.counts import Scope
from spikes.detector import Detector, DetectorState, Verdict
from spikes.recent import LATENESS, Side
from spikes.shelf import STEP, digest, history, series_of

WIDTH = timedelta(minutes=STEP)
"""Of the buckets that detectors know."""

SAVED = 30
"""Minutes of event time after which a state is stored again."""

BEHIND = 60
"""A series that nobody asks for learns when it is so many minutes behind."""

DAY = 1440

REST: Mapping[Side, int] = MappingProxyType({"negative": 2 * DAY, "positive": 2 * DAY, "mentions": 7 * DAY})
"""A series that has said nothing for so many minutes rests: what was usual is known as it was then, its silence is told
no more, and once it speaks again it has to bring as much as before to be missed again. So years between two mentions
cost no more than a week."""

FADE = 0.5 ** (STEP / DAY)
"""The usual share of a side among authors forgets half in a day."""

PRIOR = (1.0, 4.0)
"""Before anything is known, one of four authors is of a side."""

_columns = {
    "negative": ("negative_authors", "authors"),
    "positive": ("positive_authors", "authors"),
    "mentions": ("mentions", "mentions"),
}


class Known(msgspec.Struct):
    """What is known of one side of a series: its detector's state, and how many spoke of late, of this side and in
    all."""

    detector: DetectorState
    side: float = 0.0
    all: float = 0.0
    heard: int = 0
    """The end of the last bucket in which anybody spoke; of a series that is new, where it begins."""

    def share(self, whole: Known | None = None) -> float:
        """The usual share of this side among the authors of the series, or among those of all of the brand."""
        if whole is None:
            return (self.side + PRIOR[0]) / (self.all + PRIOR[1])
        return (self.side + PRIOR[0] / PRIOR[1]) / (whole.all + PRIOR[1])


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Known).decode

_NOTHING = _encode(Known(DetectorState()))


class Name(NamedTuple):
    """Which series, and which side of it."""

    brand: str
    facet: str
    side: Side


class Step(NamedTuple):
    """A bucket that a detector learned from: its end, and the verdict on it."""

    end: int
    verdict: Verdict
    since: int
    """For silence: the end of the last bucket in which there was no sign of it."""


class _Track:
    """One detector: its states by the end of the last bucket they know, oldest first."""

    __slots__ = ("past", "saved", "states")

    def __init__(self, through: int, body: bytes, saved: int) -> None:
        self.states = [(through, body)]
        self.saved = saved
        self.past: dict[int, tuple[int, ...]] = {}


class _Ahead(NamedTuple):
    """What a detector would know by then if no more came. `basis` is what it started from."""

    basis: tuple[int, int, int]
    through: int
    known: Known


class Tracks:
    """The detectors of the series that are in memory."""

    def __init__(self) -> None:
        self._tracks: dict[Name, _Track] = {}
        self._ahead: dict[Name, _Ahead] = {}
        self._changed: set[Name] = set()

    def __len__(self) -> int:
        return len(self._tracks)

    def load(self, transaction: Transaction, wanted: Iterable[tuple[Scope, str, Side]]) -> None:
        """Have these ready, from the table or new. A new series is taken to have been silent since the day before its
        first mention, but not for longer than the brand is known."""
        scopes = {Name(scope.brand, facet, side): scope for scope, facet, side in wanted}
        ids = {digest(*name): name for name in scopes if name not in self._tracks}
        if ids:
            query = select(spike_states.c.id, spike_states.c.through, spike_states.c.body)
            for row in transaction.run(query.where(transaction.among(spike_states.c.id, list(ids)))):
                self._tracks[ids[row.id]] = _Track(row.through, bytes(row.body), row.through)
        for name in ids.values():
            if name not in self._tracks:
                self._tracks[name] = _Track(_beginning(scopes[name], name.facet), _NOTHING, -DAY)
        self._catch_up(transaction, scopes)

    def _catch_up(self, transaction: Transaction, scopes: dict[Name, Scope]) -> None:
        """Read what was closed between what they know and what is in memory."""
        for side, columns in _columns.items():
            behind = {
                series_of(name.brand, name.facet): self._tracks[name]
                for name, scope in scopes.items()
                if name.side == side and self._tracks[name].states[-1][0] < scope.recent.complete_from
            }
            if behind:
                since = min(track.states[0][0] for track in behind.values())
                for series, counts in history(transaction, behind, since, columns).items():
                    behind[series].past |= counts

    def at(self, scope: Scope, facet: str, side: Side, end: int) -> Known:
        """What a window that ends then is judged by."""
        return self._advance(scope, Name(scope.brand, facet, side), _through(end))[0]

    def keep_up(self, scope: Scope, facet: str, side: Side) -> None:
        """Learn from what is closed by now, now and then: nobody asks for the series' verdict."""
        name = Name(scope.brand, facet, side)
        if self._tracks[name].states[-1][0] <= scope.closed - BEHIND:
            self._advance(scope, name, scope.closed)

    def steps(self, scope: Scope, facet: str, side: Side) -> list[Step]:
        """Learn from all buckets that are closed by now; the verdicts on those not learned from before."""
        return self._advance(scope, Name(scope.brand, facet, side), scope.closed)[1]

    def foresee(self, scope: Scope, facet: str, side: Side, until: int) -> list[Step]:
        """The verdicts on the buckets that would be closed if no more came until then, each told once; nothing is
        learned."""
        name = Name(scope.brand, facet, side)
        track = self._tracks[name]
        known_to, body = track.states[-1]
        ahead = self._ahead.get(name)
        basis = (known_to, scope.recent.seq, scope.recent.epoch)
        if ahead is None or ahead.basis != basis:
            ahead = _Ahead(basis, known_to, _decode(body))
        through = max(ahead.through, until // STEP * STEP)
        steps = list(_learned(ahead.known, scope, name, track, ahead.through, through))
        self._ahead[name] = ahead._replace(through=through)
        return steps

    def _state(self, name: Name, through: int) -> tuple[int, bytes]:
        states = self._tracks[name].states
        return next((it for it in reversed(states) if it[0] <= through), states[0])

    def _advance(self, scope: Scope, name: Name, through: int) -> tuple[Known, list[Step]]:
        track = self._tracks[name]
        known_to, body = self._state(name, through)
        known = _decode(body)
        steps = list(_learned(known, scope, name, track, known_to, through))
        if through > known_to:
            track.states.append((through, _encode(known)))
            track.states.sort()
            self._changed.add(name)
        return known, steps

    def save(self, transaction: Transaction, scopes: Sequence[Scope]) -> None:
        """Store what has moved on, and forget states too old to be asked for."""
        rows: list[dict[str, Any]] = []
        oldest = {scope.brand: _through(scope.judged - LATENESS) for scope in scopes}
        for name in self._changed & self._tracks.keys():
            track = self._tracks[name]
            needed = oldest.get(name.brand)
            while needed is not None and len(track.states) > 1 and track.states[1][0] <= needed:
                del track.states[0]
            through, body = track.states[0]
            track.past = {at: counts for at, counts in track.past.items() if at >= through}
            if through >= track.saved + SAVED:
                track.saved = through
                rows.append(
                    {
                        "id": digest(*name),
                        "brand": name.brand,
                        "facet": name.facet,
                        "side": name.side,
                        "through": through,
                        "body": body,
                    }
                )
        self._changed.clear()
        rows.sort(key=lambda row: row["id"])
        transaction.insert(spike_states, rows, "id", update=["through", "body"])

    def lost(self) -> None:
        """Forget everything: it may know what was not committed."""
        self._tracks.clear()
        self._ahead.clear()
        self._changed.clear()

    def keep(self, in_memory: Iterable[tuple[str, str]]) -> None:
        """Forget all but these series (brand, facet)."""
        kept = set(in_memory)
        self._tracks = {name: it for name, it in self._tracks.items() if (name.brand, name.facet) in kept}
        self._ahead = {name: it for name, it in self._ahead.items() if name in self._tracks}


def _through(end: int) -> int:
    """The end of the last bucket that a window ending then is judged by."""
    return (end - LATENESS) // STEP * STEP


def _beginning(scope: Scope, facet: str) -> int:
    series = scope.recent.series.get(facet)
    first = series.first if series else scope.judged
    known = scope.since - scope.since % STEP
    return max(known, first // DAY * DAY - DAY)


def _learned(known: Known, scope: Scope, name: Name, track: _Track, since: int, until: int) -> Iterator[Step]:
    """Learn from the buckets of this time, one after the other, but for those in which the series rests."""
    if since >= until:
        return
    detector = Detector(WIDTH, known.detector)
    rest = REST[name.side]
    known.heard = known.heard or since
    spoken = _spoken(scope, name, track, since, until)
    for at in _awake(spoken, known.heard, since, until, rest):
        if at > known.heard + rest:
            known.detector.quiet = Quiet()
        side, all = _counts(scope, name, track, at) if at in spoken else (0, 0)
        verdict = detector.step(time_of(at), side)
        known.side, known.all = FADE * known.side + side, FADE * known.all + all
        if at in spoken:
            known.heard = at + STEP
        yield Step(at + STEP, verdict, at + STEP - STEP * known.detector.quiet.buckets)


def _awake(spoken: Collection[int], heard: int, since: int, until: int, rest: int) -> Iterator[int]:
    """The beginnings of the buckets of this time that are less than `rest` after one in which somebody spoke, the last
    of which ended at `heard` before, and of those in which somebody did."""
    at = since
    for begin in (*sorted(spoken), until):
        yield from range(at, min(begin, heard + rest), STEP)
        if begin < until:
            yield begin
        at = heard = begin + STEP


def _spoken(scope: Scope, name: Name, track: _Track, since: int, until: int) -> set[int]:
    """The beginnings of the buckets of this time in which anybody spoke."""
    known_from = scope.recent.complete_from
    found = {at for at in track.past if since <= at < min(until, known_from)}
    if series := scope.recent.series.get(name.facet):
        found |= {at - at % STEP for at in series.spoken(max(since, known_from), until)}
    return found


def _counts(scope: Scope, name: Name, track: _Track, at: int) -> tuple[int, int]:
    """How many of the side, and how many in all, in the bucket that begins then: somebody spoke in it."""
    if at < scope.recent.complete_from:
        found = track.past[at]
        return found[0], found[1]
    series = scope.recent.series[name.facet]
    side = series.voices(name.side, at + STEP, STEP)
    return side, series.authors(at + STEP, STEP) if name.side != "mentions" else side
