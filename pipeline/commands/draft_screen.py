"""An answer on a terminal: its words, how long they are, what to look at, and whether it can be sent from here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from pipeline.commands.common import ago, safe, stdout
from pipeline.commands.working import People

if TYPE_CHECKING:
    from desk.draft_records import DraftView

_CHARS, _LINES = 1200, 20
"""So much of a text is shown unless all of it was asked for."""


def body(text: str, *, full: bool = True, indent: int = 4) -> Padding:
    """What somebody wrote, line by line, indented: for any screen, without control characters."""
    shown = text if full else text[:_CHARS]
    lines = [line for line in shown.splitlines() if line.strip()]
    cut = lines if full else lines[:_LINES]
    left = len(text) - len(shown) + sum(map(len, lines[len(cut) :]))
    made = Text.from_markup("\n".join(map(safe, cut)), emoji=False)
    if left:
        made.append(f"\n… {left:,} more characters: --full", style="dim")
    return Padding(made, (0, 0, 0, indent))


def link(url: str, before: str = "", style: str = "") -> Text:
    """An address on one line, however long."""
    made = Text.from_markup(before + safe(url), style=style, emoji=False, overflow="ignore")
    made.no_wrap = True
    return made


def put(part: RenderableType) -> None:
    """Show a part of a screen; an address is left for the terminal to break, so that it can be copied whole."""
    stdout.print(part, highlight=False, emoji=False, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))


def as_object(draft: DraftView, people: People) -> dict[str, Any]:
    """An answer for a program."""
    return {name: msgspec.to_builtins(getattr(draft, name)) for name in draft.__struct_fields__} | {
        "lengths": [it._asdict() | {"over": it.over} for it in draft.lengths],
        "writer_name": people.name(draft.writer),
        "approver_name": people.name(draft.approver) or None,
    }


def drawn(draft: DraftView, people: People, *, brief: bool = False) -> Iterator[RenderableType]:
    """It, for a person; `brief` cuts its words, and only names what to look at."""
    by = safe(people.name(draft.writer))
    approved = f", approved by {safe(people.name(draft.approver))}" if draft.approver else ""
    made = f"from macro {safe(draft.macro)}, " if draft.macro else ""
    yield Text.from_markup(
        f"[bold]{draft.id}[/bold]  {_state(draft)}, {made}version {draft.version} by {by}{approved}, "
        f"{ago(draft.changed_at)}", emoji=False
    )  # fmt: skip
    if draft.reason:
        yield Text.from_markup(f"{safe(draft.reason, 400)}", emoji=False, style="yellow")
    yield body(draft.text or "(no words are left)", full=not brief)
    for one in draft.lengths:
        limit = f" of {one.limit:,}" if one.limit is not None else ""
        over = f", [red]{one.over:,} too many[/red]" if one.over else ""
        yield Text.from_markup(f"{one.used:,}{limit} {one.unit}{over}", style="dim")
    if brief and draft.warnings:
        yield Text.from_markup(f"[yellow]look at: {safe(', '.join(it.code for it in draft.warnings))}[/yellow]")
    for warning in () if brief else draft.warnings:
        words = f" ({safe('; '.join(warning.words), 80)})" if warning.words else ""
        yield Text.from_markup(
            f"[yellow]{safe(warning.code)}[/yellow] {safe(warning.sentence)}{words} {safe(warning.suggestion)}",
            emoji=False,
        )
    if draft.url and not brief:
        yield link(draft.url)


def _state(draft: DraftView) -> str:
    if draft.state == "queued" and draft.next_at:
        tries = f", tried {draft.attempts} times" if draft.attempts else ""
        return f"queued, goes out {ago(draft.next_at)}{tries}"
    return f"[red]{draft.state}[/red]" if draft.state == "failed" else str(draft.state)
