"""Lists that fit the screen: a line a row, whatever the width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from pipeline.commands.common import table

LEFT = 16
"""So much of a line is left for the last column."""


def fitted(rows: Sequence[Mapping[str, str]], droppable: Sequence[str], width: int) -> Table:
    """A table of these rows (markup; all of one shape), whose last column takes what is left of the line. Where that is
    too little, the `droppable` columns go, in this order."""
    *names, last = rows[0]
    taken = {name: max(Text.from_markup(it).cell_len for it in (name, *(row[name] for row in rows))) for name in names}
    for name in droppable:
        if sum(taken[it] + 2 for it in names) + LEFT > width:
            names.remove(name)
    grid = table(*names, last)
    for column, name in zip(grid.columns, names, strict=False):
        column.no_wrap, column.min_width = True, taken[name]
    grid.columns[-1].no_wrap, grid.columns[-1].overflow = True, "ellipsis"
    for row in rows:
        grid.add_row(*(row[name] for name in (*names, last)))
    return grid
