"""The flow as a picture: boxes and the lines between them, with their places; the template draws them as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Literal

from console.operations import Layout, Standing

Tone = Literal["good", "warn", "bad", "quiet"]

WIDTH, HEIGHT = 116, 58
"""Of a box, in the units of the picture."""

ACROSS, DOWN, EDGE = 12, 14, 2

LATE = timedelta(seconds=20)
"""A process that has not said for so long that it works is taken for gone: four of its beats."""

BACKED_UP = timedelta(minutes=5)


@dataclass(frozen=True)
class Box:
    """One part of the flow: where it stands, its name, two lines on how it does, and whether that is well."""

    column: int
    kind: str
    name: str
    lines: tuple[str, ...]
    tone: Tone
    x: int = 0
    y: int = 0

    @property
    def title(self) -> str:
        """All of it in one line."""
        return ": ".join((self.name, ", ".join(self.lines)))


@dataclass(frozen=True)
class Picture:
    """The boxes, the lines from box to box (from where, to where), and how large it all is."""

    boxes: tuple[Box, ...]
    lines: tuple[tuple[int, int, int, int], ...]
    width: int
    height: int


class Words:
    """What the boxes say, in the reader's language; `_` is gettext with values, `number` and `ago` as on the page."""

    def __init__(
        self, say: Callable[..., str], number: Callable[[float], str], ago: Callable[[timedelta], str]
    ) -> None:
        self._ = say
        self.number = number
        self.ago = ago


def picture(layout: Layout, standing: Standing, words: Words) -> Picture:
    """The whole flow, from the sources to the queues and sinks."""
    columns: list[list[Box]] = [[] for _ in range(9)]
    for box in _boxes(layout, standing, words):
        columns[box.column].append(box)
    tallest = max(map(len, columns))
    height = max(1, tallest) * (HEIGHT + DOWN) - DOWN + 2 * EDGE
    placed = [_placed(boxes, column, height) for column, boxes in enumerate(columns)]
    lines = [
        (one.x + WIDTH, one.y + HEIGHT // 2, other.x, other.y + HEIGHT // 2)
        for left, right in pairwise(placed)
        for one in left
        for other in right
        if one.name != "spikes"  # nobody reads what it finds from a topic
    ]
    width = len(columns) * (WIDTH + ACROSS) - ACROSS + 2 * EDGE
    return Picture(tuple(box for boxes in placed for box in boxes), tuple(lines), width, height)


def _placed(boxes: Sequence[Box], column: int, height: int) -> list[Box]:
    top = (height - (len(boxes) * (HEIGHT + DOWN) - DOWN)) // 2
    x = EDGE + column * (WIDTH + ACROSS)
    return [
        Box(box.column, box.kind, box.name, box.lines, box.tone, x, top + number * (HEIGHT + DOWN))
        for number, box in enumerate(boxes)
    ]


def _boxes(layout: Layout, standing: Standing, words: Words) -> Iterator[Box]:
    _ = words._
    for source in layout.sources:
        if source.enabled:
            lines, tone = _source(source.name, source.silence_secs, standing, words)
            yield Box(0, "source", source.name, lines, tone)
    if not any(it.enabled for it in layout.sources):
        yield Box(0, "source", _("no sources"), (_("nothing is collected"),), "quiet")
    roles = {"collect": 1, "enrich": 3, "route": 5, "spikes": 5, "deliver": 7}
    for role, column in roles.items():
        if role in layout.roles:
            lines, tone = _role(role, standing, words)
            yield Box(column, "role", role, lines, tone)
    readers = (("enrich",), ("route", "spikes"), ("deliver",))
    for column, topic, behind in zip((2, 4, 6), layout.topics, readers, strict=True):
        name = topic.rpartition(".")[2]  # what comes before is the same for all three
        yield Box(column, "topic", name, (_lag(behind[0], standing, words),), "quiet")
    for queue in layout.queues:
        waiting = _("%(count)s waiting", count=words.number(standing.waiting.get(queue, 0)))
        yield Box(8, "queue", queue, (waiting,), "quiet")
    for sink in layout.sinks:
        if sink.enabled:
            lines, tone = _sink(sink.name, standing, words)
            yield Box(8, "sink", sink.name, lines, tone)


def _source(name: str, silence: float | None, standing: Standing, words: Words) -> tuple[tuple[str, ...], Tone]:
    status = standing.sources.get(name)
    gaps = sum(it.via == name for it in standing.gaps)
    missed = (words._("open gaps: %(count)s", count=words.number(gaps)),) if gaps else ()
    heard = (status.last_heard_at or status.last_item_at) if status else None
    if heard is None:
        return (words._("not heard yet"), *missed), "warn" if gaps else "quiet"
    away = standing.at - heard
    if silence and away.total_seconds() > silence:
        return (words._("silent: %(ago)s", ago=words.ago(away)), *missed), "bad"
    return (words._("heard %(ago)s", ago=words.ago(away)), *missed), "warn" if gaps else "good"


def alive(role: str, standing: Standing) -> int:
    """How many processes of this role said of late that they work."""
    return sum(it.role == role and standing.at - it.beat_at < LATE for it in standing.workers)


def rate(role: str, standing: Standing) -> float:
    """Records a second that they handle together."""
    return sum(it.rate for it in standing.workers if it.role == role and standing.at - it.beat_at < LATE)


def _role(role: str, standing: Standing, words: Words) -> tuple[tuple[str, ...], Tone]:
    processes = alive(role, standing)
    if not processes:
        return (words._("not running"),), "bad"
    speed = words._("%(count)s a second", count=words.number(round(rate(role, standing), 1)))
    return (speed, words._("processes: %(count)s", count=words.number(processes))), "good"


def _lag(role: str, standing: Standing, words: Words) -> str:
    lag: Mapping[str, int] | None = standing.lag
    if lag is None or role not in lag:
        return words._("not known")
    return words._("%(count)s to do", count=words.number(lag[role]))


def _sink(name: str, standing: Standing, words: Words) -> tuple[tuple[str, ...], Tone]:
    backlog = standing.backlogs.get(name)
    if backlog is None:
        return (), "quiet"
    lines: tuple[str, ...] = (words._("%(count)s to send", count=words.number(backlog.pending)),)
    if backlog.refused:
        lines = (*lines, words._("%(count)s refused", count=words.number(backlog.refused)))
    late = backlog.oldest is not None and standing.at - backlog.oldest > BACKED_UP
    return lines, "bad" if late else "warn" if backlog.refused else "good"
