"""Counts over time as columns of blocks: for any terminal of 80 columns, without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

_BLOCKS = " ▁▂▃▄▅▆▇█"
_MARGIN = 7
"""Columns left of the chart, for numbers."""
_APART = 15
"""Columns from one time to the next, at least."""


def columns(values: Sequence[int], height: int = 4, wide: int = 1) -> list[str]:
    """The lines of a chart, the top one first: each value is a column `wide` characters wide, and what is not nothing
    is seen."""
    most = max(values, default=0)
    steps = height * 8
    heights = [max(1, round(value / most * steps)) if value else 0 for value in values]
    return [
        "".join(_BLOCKS[min(8, max(0, it - 8 * floor))] * wide for it in heights).rstrip()
        for floor in range(height - 1, -1, -1)
    ]


def chart(title: str, values: Sequence[int], height: int = 4, wide: int = 1) -> Iterator[str]:
    """The lines with a title that says the highest value, and numbers at the left."""
    most = max(values, default=0)
    yield f"  {title}, {most:,} at most"
    for number, line in enumerate(columns(values, height, wide)):
        yield f"{f'{most:,}' if number == 0 else '':>{_MARGIN - 1}} {line}".rstrip()


def axis(times: Sequence[datetime], marked: datetime, wide: int = 1) -> Iterator[str]:
    """Two lines below a chart: where its columns stand in time (UTC), and where the one is that holds `marked`."""
    line, last = " " * _MARGIN, -_APART
    for number, at in enumerate(times):
        place = number * wide
        if place - last >= _APART and at.minute % 30 == 0:
            line = f"{line:<{_MARGIN + place}}{at:%H:%M}"
            last = place
    mark = max((number for number, at in enumerate(times) if at <= marked), default=0)
    yield line
    yield f"{'':{_MARGIN + mark * wide}}▲ onset {marked:%H:%M} UTC"
