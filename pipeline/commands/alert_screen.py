"""The alerts of an incident on a terminal, and for a program: who was told what and when, who is called next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from pipeline.commands.common import safe
from spikes.standings import Called, Standing, Standings

if TYPE_CHECKING:
    from pipeline.wiring import Parts

_NOT_YET = {"waiting": "waits", "held": "waits for the end of quiet hours", "sending": "is being told"}
_FAILED = {"unsure": "may not have arrived", "refused": "was refused"}


@dataclass(frozen=True)
class Alerted:
    """How the alerts of one incident stand."""

    called: Called | None
    targets: Sequence[Standing]


def alerted(made: Parts, incident: str) -> Alerted:
    """Those of this incident."""
    standings = Standings(made.database, made.clock)
    return Alerted(standings.called(incident), standings.standings(incident))


def as_object(found: Alerted) -> dict[str, Any]:
    """For a program; times as ISO 8601 when they are written."""
    called = found.called
    return {
        "playbook": called.playbook if called else "",
        "calls": called.made if called else 0,
        "next_call_at": called.next_at.isoformat() if called and called.next_at else None,
        "targets": [
            {name: it.isoformat() if hasattr(it, "isoformat") else it for name, it in target._asdict().items()}
            for target in found.targets
        ],
    }


def lines(found: Alerted) -> Iterator[Padding]:
    """A line for each target, and one for the next call."""
    if not found.targets:
        yield _line("nobody" if found.called else "nobody yet")
    for it in found.targets:
        name = safe(it.target, 60)
        parts = [f"called {it.since:%m-%d %H:%M}"]
        if it.last_at is not None and it.state not in _FAILED:
            parts.append(f"told {it.last_at:%m-%d %H:%M} that it is {it.last_state.replace('_', ' ')}")
        if said := _NOT_YET.get(it.state) or _FAILED.get(it.state):
            tried = f" after {it.attempts} attempts" if it.attempts > 1 else ""
            again = f", next {it.next_at:%m-%d %H:%M}" if it.next_at and it.state != "sending" else ""
            parts.append(f"{said}{tried}{again}")
        if it.reason:
            parts.append(safe(it.reason, 200))
        yield _line(f"{name}: {'; '.join(parts)}")
    if found.called and found.called.next_at:
        yield _line(f"call {found.called.made + 1} at {found.called.next_at:%m-%d %H:%M}, unless it is acknowledged")


def _line(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 2))
