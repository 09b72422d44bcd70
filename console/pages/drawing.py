"""A chart as a picture, drawn on the server: for print, for mail, and to save.

Matplotlib's pyplot keeps one state for the whole process; figures of their own do not, but its fonts and warnings are
shared, so one picture is drawn at a time. Names come from outside: none is taken for a formula.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from console.pages.charting import Chart

WIDTH, HEIGHT, DOTS = 10.0, 4.2, 120
"""Inches, and dots an inch: 1200 by 504."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#000000", "#777777")
"""Told apart by people who do not see all colours (M. Okabe, K. Ito, "Color Universal Design", 2008), the yellow
darkened to stand out from white."""

DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)), (0, (3, 3)))
HATCHES = ("", "//", "..", "\\\\", "xx", "--", "++", "oo")

T = TypeVar("T")

_one_at_a_time = threading.Lock()


def png(chart: Chart, title: str) -> bytes:
    """The picture, on white."""
    from matplotlib.artist import Artist
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # as large as all else a page needs
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    def at(text: str) -> float:
        return float(date2num(datetime.fromisoformat(text)))  # type: ignore[no-untyped-call]

    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of characters that the font lacks: they are drawn as boxes
        figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DOTS, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        x = [at(it) for it in chart.x]
        places = range(len(chart.lines))
        drawn: Sequence[Artist]
        values = [[0.0 if value is None else value for value in line] for _, line in chart.lines]
        if chart.stacked and x and values:
            areas = drawn = axes.stackplot(x, *values, colors=[_of(COLOURS, it) for it in places], alpha=0.75)
            for number, area in enumerate(areas):
                area.set_hatch(_of(HATCHES, number))
                area.set_edgecolor("white")
        else:
            drawn = [
                axes.plot(x, line, color=_of(COLOURS, number), linestyle=_of(DASHES, number), linewidth=1.8)[0]
                for number, line in enumerate(values)
            ]
        for since, until, _ in chart.gaps:
            axes.axvspan(at(since), at(until), color="#bbbbbb", alpha=0.5)
        for moment, number in chart.marks:
            axes.axvline(at(moment), color="#444444", linewidth=0.8)
            axes.annotate(str(number), (at(moment), 1), xycoords=("data", "axes fraction"), fontsize=8)
        axes.set_xlim(*map(at, chart.span))
        axes.set_ylim(0, 1 if chart.stacked else None)
        axes.set_ylabel(chart.unit)
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]  # as are others of its makers
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        axes.yaxis.set_major_formatter(
            PercentFormatter(1, 0) if chart.percent else FuncFormatter(lambda value, _: f"{value:,.0f}")
        )
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title[:120], loc="left", parse_math=False)
        if drawn:
            # Named by number first: a name of its own may begin with an underscore, which would leave it out.
            legend = figure.legend(drawn, [str(it) for it in places], loc="outside lower left", ncols=4, frameon=False)
            for text, (name, _) in zip(legend.get_texts(), chart.lines, strict=True):
                text.set_parse_math(False)
                text.set_text(name[:40])
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
        return out.getvalue()


def _of(several: tuple[T, ...], number: int) -> T:
    return several[number % len(several)]
