"""Watching what was counted: after each batch, every window that it changed is judged, in event time.

A window ends with a minute in which somebody of its side spoke. It is judged when that minute is touched, complete or
not (late mentions only add to it), and again whenever a mention changes it, until LATENESS is over. So of the windows
of a day the same ones are found to be out of the ordinary in whatever order, how often and by whom its mentions were
brought. What a window was last found to be stands in `spike_detections`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import delete, select

from pipeline.store.database import Transaction
from pipeline.store.spike_tables import spike_detections, spike_states
from spikes.counting import key_of, minute_of, time_of
from spikes.counts import Scope, Touched
from spikes.detection import Detection, Evidence, Kind, Severity
from spikes.detector import Sensitivity
from spikes.judging import FEW, LOUD, WINDOWS, fires, judged, kind_of, severity_of, stands_out
from spikes.recent import KEPT, Series, Side, Window
from spikes.shelf import STEP, digest
from spikes.tracks import Known, Step, Tracks

Detected = Callable[[Transaction, Detection], object]
"""Told of a detection, in the transaction that counted what it is made of. The same window (key, `at` and side of the
matter) may be told again, with another kind, severity or onset, as late mentions come."""

GAP = 2
"""Buckets in which a rise may pause."""

_body = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(Detection).decode


class Watch:
    """Judges what `Counts` touched. One object is used by one thread at a time, and goes with one `Counts`."""

    def __init__(self, sensitivity: Sensitivity = "normal", detected: Detected | None = None) -> None:
        self._sensitivity: Sensitivity = sensitivity
        self._detected = detected
        self._tracks = Tracks()
        self._found: dict[str, dict[tuple[str, Side], dict[int, Detection]]] = {}
        self._sources: dict[str, set[str]] = {}

    def look(self, transaction: Transaction, touched: Touched) -> list[Detection]:
        """Judge every window that is due; returns what is new, or is seen otherwise than before. `lost()` must be
        called when the transaction is not committed."""
        due = [(scope, facet, ends) for scope in touched.scopes for facet, ends in scope.recent.due(scope.judged)]
        closing = [scope for scope in touched.scopes if scope.closed > scope.closed_before]
        wanted: list[tuple[Scope, str, Side]] = [(scope, facet, "negative") for scope, facet, _ in due]
        wanted += [(scope, "", "positive") for scope, facet, _ in due if not facet]
        listening = [(scope, facet) for scope in closing for facet in self._listened(transaction, scope)]
        wanted += [(scope, facet, "mentions") for scope, facet in listening]
        self._tracks.load(transaction, wanted)
        self._recall(transaction, touched.scopes)
        seen: list[_Seen] = []
        for scope, facet, side in wanted[: len(wanted) - len(listening)]:
            self._tracks.keep_up(scope, facet, side)
        for scope, facet, ends in due:
            series = scope.recent.series[facet]
            for end in ends:
                seen.append(self._see(scope, facet, "negative", end, self._trouble(scope, facet, series, end)))
                if not facet:
                    seen.append(self._see(scope, facet, "positive", end, self._praise(scope, series, end)))
        for scope, facet in listening:
            for detection in self._silences(scope, facet):
                seen.append(self._see(scope, facet, "mentions", minute_of(detection.at), detection))
        fresh = self._note(transaction, seen)
        self._tracks.save(transaction, touched.scopes)
        self._let_go(touched.scopes)
        return self._tell(transaction, fresh)

    def listen(self, transaction: Transaction, scopes: Sequence[Scope], until: int) -> list[Detection]:
        """Judge the silence of brands of which nothing came, up to this minute. What it finds is what `look` will find
        when something is said again."""
        listening = [(scope, facet) for scope in scopes for facet in self._listened(transaction, scope)]
        self._tracks.load(transaction, [(scope, facet, "mentions") for scope, facet in listening])
        self._recall(transaction, scopes)
        seen = []
        for scope, facet in listening:
            for step in self._tracks.foresee(scope, facet, "mentions", until):
                if _is_silent(step):
                    seen.append(self._see(scope, facet, "mentions", step.end, _silence(scope, facet, step)))
        return self._tell(transaction, self._note(transaction, seen))

    def forget_all_but(self, scopes: Iterable[tuple[str, str]]) -> None:
        """Keep in memory only what these series (brand, facet) need."""
        kept = set(scopes)
        self._tracks.keep(kept)
        brands = {brand for brand, _ in kept}
        self._found = {brand: found for brand, found in self._found.items() if brand in brands}
        self._sources = {brand: found for brand, found in self._sources.items() if brand in brands}

    def lost(self) -> None:
        """Forget what is remembered: it may hold what was not committed."""
        self._tracks.lost()
        self._found.clear()
        self._sources.clear()

    # ---------------------------------------------------------------- one window

    def _trouble(self, scope: Scope, facet: str, series: Series, end: int) -> Detection | None:
        if (known := self._known(scope, facet, "negative", series, end)) is None:
            return None
        counts = series.all_voices("negative", end, WINDOWS)
        loud = counts[2] <= FEW and series.negative(end, WINDOWS[2]) >= LOUD
        if loud:
            counts = [series.negative(end, width) for width in WINDOWS]
        found = judged(known.detector, end, counts)
        voices = counts[WINDOWS.index(found.minutes)]
        if not fires(found.score, voices, self._sensitivity):
            return None
        window = series.window(end, found.minutes)
        if not loud and not self._stands_out(scope, facet, known, voices, window, end):
            return None
        kind = kind_of(window)
        before = series.voices("negative", end - STEP, 2 * STEP) / 2
        severity = severity_of(kind, window, window.negative_authors, (counts[0] + 0.5) / (before + 0.5))
        onset = self._onset(scope, facet, "negative", series, end, found.expected * STEP / found.minutes)
        evidence = _evidence(window, found.expected, found.rare_per_week)
        return _detection(scope, facet, end, onset, kind, severity, found.score, evidence)

    def _known(self, scope: Scope, facet: str, side: Side, series: Series, end: int) -> Known | None:
        """What the windows that end then are judged by; None where they cannot be out of the ordinary, even if no
        account spoke twice: the more speak, the higher is the score."""
        most = series.at_most(side, end, WINDOWS)
        if most is not None and not fires(1.0, max(most), self._sensitivity):
            return None
        known = self._tracks.at(scope, facet, side, end)
        if most is not None and not fires(judged(known.detector, end, most).score, max(most), self._sensitivity):
            return None
        return known

    def _stands_out(self, scope: Scope, facet: str, known: Known, voices: int, window: Window, end: int) -> bool:
        """Is the negative share unusual: among those who speak of this, and of this among all who speak of the brand?
        (An intent is of one tone by itself.)"""
        if facet:
            whole = self._tracks.at(scope, "", "negative", end)
            all = scope.recent.series[""].authors(end, window.minutes)
            if not stands_out(voices, all, known.share(whole)):
                return False
        return facet.startswith("intent:") or stands_out(voices, window.authors, known.share())

    def _praise(self, scope: Scope, series: Series, end: int) -> Detection | None:
        if (known := self._known(scope, "", "positive", series, end)) is None:
            return None
        counts = series.all_voices("positive", end, WINDOWS)
        found = judged(known.detector, end, counts)
        voices = counts[WINDOWS.index(found.minutes)]
        window = series.window(end, found.minutes)
        if not fires(found.score, voices, self._sensitivity):
            return None
        if not stands_out(voices, window.authors, known.share()):
            return None
        severity = severity_of(Kind.PRAISE, window, voices, 1.0)
        onset = self._onset(scope, "", "positive", series, end, found.expected * STEP / found.minutes)
        evidence = _evidence(window, found.expected, found.rare_per_week)
        return _detection(scope, "", end, onset, Kind.PRAISE, severity, found.score, evidence)

    def _onset(self, scope: Scope, facet: str, side: Side, series: Series, end: int, expected: float) -> int:
        """The first bucket of the rise: that of the window before it, where that was out of the ordinary too; else the
        earliest to which one gets, going back, without meeting more than GAP buckets in a row that are as usual."""
        earlier = self._found.get(scope.brand, {}).get((facet, side), {})
        last = max((at for at in earlier if end - WINDOWS[-1] <= at < end), default=None)
        if last is not None:
            return minute_of(earlier[last].onset)
        bucket = (end - 1) // STEP * STEP
        onset, pause = bucket, 0
        for at in range(bucket, max(end - WINDOWS[-1], scope.recent.complete_from) - 1, -STEP):
            if series.voices(side, at + STEP, STEP) > max(1.0, 2 * expected):
                onset, pause = at, 0
            else:
                pause += 1
                if pause > GAP:
                    break
        return onset

    def _silences(self, scope: Scope, facet: str) -> Iterator[Detection]:
        """Told once an hour while a series is silent."""
        for step in self._tracks.steps(scope, facet, "mentions"):
            if _is_silent(step):
                yield _silence(scope, facet, step)

    # ---------------------------------------------------------------------- memory

    def _listened(self, transaction: Transaction, scope: Scope) -> set[str]:
        """The series whose silence matters: the brand, and each of its sources."""
        sources = self._sources.get(scope.brand)
        if sources is None:
            query = select(spike_states.c.facet).where(
                spike_states.c.brand == scope.brand, spike_states.c.side == "mentions"
            )
            sources = self._sources[scope.brand] = {"", *transaction.run(query).scalars()}
        sources |= {facet for facet in scope.recent.series if facet.startswith("source:")}
        return sources

    def _recall(self, transaction: Transaction, scopes: Sequence[Scope]) -> None:
        """The detections of the last hour, which a rise goes on from."""
        since = {scope.brand: scope.judged_before - KEPT for scope in scopes if scope.brand not in self._found}
        if not since:
            return
        query = select(spike_detections).where(
            transaction.among(spike_detections.c.brand, sorted(since)), spike_detections.c.at >= min(since.values())
        )
        for brand in since:
            self._found[brand] = {}
        for row in transaction.run(query):
            if row.at >= since[row.brand]:
                self._found[row.brand].setdefault((row.facet, row.side), {})[row.at] = _read(bytes(row.body))

    def _see(self, scope: Scope, facet: str, side: Side, at: int, detection: Detection | None) -> _Seen:
        """Remember what a window is found to be."""
        found = self._found[scope.brand].setdefault((facet, side), {})
        before = found.pop(at, None)
        if detection is not None:
            found[at] = detection
        return _Seen(digest(scope.brand, facet, side, at), facet, side, at, before, detection)

    def _note(self, transaction: Transaction, seen: Sequence[_Seen]) -> list[Detection]:
        """Write what windows are found to be; returns what is told."""
        gone = [it.id for it in seen if it.detection is None and it.before is not None]
        changed = {it.id: it for it in seen if it.detection is not None and it.detection != it.before}
        if gone:
            transaction.run(delete(spike_detections).where(transaction.among(spike_detections.c.id, gone)))
        rows = [_row(changed[id]) for id in sorted(changed)]
        transaction.insert(spike_detections, rows, "id", update=["onset", "kind", "severity", "body"])
        return [it.detection for it in changed.values() if it.detection is not None and it.is_news]

    def _tell(self, transaction: Transaction, fresh: list[Detection]) -> list[Detection]:
        if self._detected is not None:
            for detection in fresh:
                self._detected(transaction, detection)
        return fresh

    def _let_go(self, scopes: Sequence[Scope]) -> None:
        for scope in scopes:
            if scope.judged == scope.judged_before:
                continue
            for found in self._found.get(scope.brand, {}).values():
                for at in [at for at in found if at < scope.judged - KEPT]:
                    del found[at]


class _Seen(NamedTuple):
    """A window, by its id, and what it was and is found to be."""

    id: str
    facet: str
    side: Side
    at: int
    before: Detection | None
    detection: Detection | None

    @property
    def is_news(self) -> bool:
        """Is there something to tell?"""
        if self.before is None or self.detection is None:
            return self.detection is not None
        return _told(self.before) != _told(self.detection)


def _told(detection: Detection) -> tuple[object, ...]:
    return detection.onset, detection.kind, detection.severity


def _evidence(window: Window, expected: float, rare_per_week: float) -> Evidence:
    return Evidence(
        minutes=window.minutes,
        mentions=window.mentions,
        negative=window.negative,
        authors=window.authors,
        negative_authors=window.negative_authors,
        reposts=window.reposts,
        reach=window.reach,
        suspicious=window.suspicious,
        expected=round(expected, 3),
        rare_per_week=round(rare_per_week, 4),
    )


def _detection(
    scope: Scope,
    facet: str,
    end: int,
    onset: int,
    kind: Kind,
    severity: Severity,
    score: float,
    evidence: Evidence,
) -> Detection:
    return Detection(
        key=key_of(scope.brand, facet),
        at=time_of(end),
        onset=time_of(onset),
        kind=kind,
        severity=severity,
        score=round(score, 4),
        evidence=evidence,
    )


def _is_silent(step: Step) -> bool:
    """Told once an hour."""
    return step.verdict.silent and step.end % 60 == 0


def _silence(scope: Scope, facet: str, step: Step) -> Detection:
    minutes = max(STEP, step.end - step.since)
    usual = Evidence(
        minutes=minutes,
        expected=round(step.verdict.expected * minutes / STEP, 3),
        rare_per_week=0.0,
    )
    return _detection(scope, facet, step.end, step.since, Kind.SILENCE, Severity.MINOR, 0.99, usual)


def _row(it: _Seen) -> dict[str, Any]:
    detection = it.detection
    assert detection is not None  # noqa: S101 - for the type checker: only what was detected is written
    return {
        "id": it.id,
        "brand": detection.key.brand,
        "facet": it.facet,
        "side": it.side,
        "at": it.at,
        "onset": minute_of(detection.onset),
        "kind": detection.kind.value,
        "severity": detection.severity.value,
        "body": _body(detection),
    }
