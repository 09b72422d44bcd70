"""How an incident went, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from pipeline.commands.common import safe
from pipeline.commands.draft_screen import put
from pipeline.commands.incident_screen import safe_text

if TYPE_CHECKING:
    from spikes.telling import Review


def draw(review: Review) -> None:
    """Show it."""
    for part in _parts(review):
        put(part)


def _parts(review: Review) -> Iterator[RenderableType]:
    yield f"[bold]{review.incident}[/bold]  began {review.onset:%Y-%m-%d %H:%M} UTC"
    yield f"{review.posts:,} posts by {review.authors:,} people in {review.cases:,} cases, {review.answered:,} answered"
    yield ""
    yield "[bold]From its beginning until[/bold]"
    for what, length in (
        ("it was noticed (in the time of the posts)", review.to_detection),
        ("it was opened", review.to_opening),
        ("somebody acknowledged it", review.to_acknowledgement),
        ("the first answer", review.to_first_answer),
        ("the statement", review.to_statement),
        ("it was closed", review.to_closing),
    ):
        yield f"  {what:<44}{_length(length)}"
    for it in review.promises:
        yield f"  {f'{it.name} was promised by':<44}{it.due:%H:%M} UTC, {_KEPT[it.kept]}"
    yield ""
    yield "[bold]How people sounded[/bold] (-1 to 1)"
    for when, mean in (("the week before", review.before), ("during", review.during), ("the day after", review.after)):
        yield f"  {when:<44}{'—' if mean is None else f'{mean:+.2f}'}"
    if review.what:
        yield ""
        yield f"[bold]It was about[/bold] {safe(', '.join(review.what), 300)}"
    for said in review.statements:
        yield Padding(Text(f"We said: {safe_text(said)}"), (0, 0, 0, 2))


_KEPT = {True: "kept", False: "missed", None: "not needed"}


def _length(length: timedelta | None) -> str:
    if length is None:
        return "—"
    minutes = round(length.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"
