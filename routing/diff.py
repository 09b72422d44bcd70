"""What new rules would have done with mentions that were already routed: counts and examples, before anything moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.mention import Decision, Routed
from routing.router import Router

EXAMPLES = 5
"""How many examples a change keeps, unless told otherwise."""


@dataclass(frozen=True)
class Example:
    """One mention that would change: its id, and the rules that decided before and now."""

    mention: str
    old_rule: str
    new_rule: str


@dataclass
class Change:
    """How many mentions would go from `old` to `new`, and the first few of them."""

    old: str
    new: str
    count: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass
class Diff:
    """The whole comparison.

    Every mention counts once: as moved (another queue, or filtered, or no longer), else as reprioritised, else as
    retimed (another due time), else as unchanged. `moves` and `priorities` list the changes, the most frequent first.
    `old_places` and `new_places` count where the mentions are and would be.
    """

    old_versions: tuple[str, ...]
    new_version: str
    total: int
    moved: int
    reprioritised: int
    retimed: int
    unchanged: int
    old_places: dict[str, int]
    new_places: dict[str, int]
    moves: list[Change]
    priorities: list[Change]


def place(decision: Decision) -> str:
    """Where a decision sends a mention, in words: the queue, or `filtered: reason`."""
    return decision.queue if decision.queue is not None else f"filtered: {decision.filtered}"


def diff(history: Iterable[Routed], new: Router, examples: int = EXAMPLES) -> Diff:
    """Route `history` again with `new`, each mention as of the time it was decided first. Reads the history once and
    keeps only counts and `examples` ids a change, however long it is."""
    versions: dict[str, None] = {}
    old_places: Counter[str] = Counter()
    new_places: Counter[str] = Counter()
    moves: dict[tuple[str, str], Change] = {}
    priorities: dict[tuple[str, str], Change] = {}
    retimed = 0
    for routed in history:
        before = routed.decision
        after = new.route(routed.mention, routed.tags, before.decided_at)
        versions[before.rules_version] = None
        old, now = place(before), place(after)
        old_places[old] += 1
        new_places[now] += 1
        if old != now:
            changed = moves.setdefault((old, now), Change(old, now))
        elif before.priority is not after.priority:
            was, will_be = f"{old} {before.priority}", f"{now} {after.priority}"
            changed = priorities.setdefault((was, will_be), Change(was, will_be))
        else:
            retimed += _due_times(before) != _due_times(after)
            continue
        changed.count += 1
        if len(changed.examples) < examples:
            changed.examples.append(Example(routed.mention.id, before.rule, after.rule))
    total = old_places.total()
    moved, reprioritised = _count(moves), _count(priorities)
    return Diff(
        old_versions=tuple(versions),
        new_version=new.version,
        total=total,
        moved=moved,
        reprioritised=reprioritised,
        retimed=retimed,
        unchanged=total - moved - reprioritised - retimed,
        old_places=dict(old_places.most_common()),
        new_places=dict(new_places.most_common()),
        moves=_by_count(moves),
        priorities=_by_count(priorities),
    )


def _due_times(decision: Decision) -> tuple[object, object]:
    return decision.first_response_due, decision.resolution_due


def _count(changes: dict[tuple[str, str], Change]) -> int:
    return sum(change.count for change in changes.values())


def _by_count(changes: dict[tuple[str, str], Change]) -> list[Change]:
    return sorted(changes.values(), key=lambda change: (-change.count, change.old, change.new))
