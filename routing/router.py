"""The router: every mention gets exactly one decision, the same for the same mention, tags and rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.mention import Decision, Mention, Tags
from routing import durations
from routing.fields import Facts
from routing.rules import Rule, Rules


@dataclass(frozen=True)
class Step:
    """One rule as it was tried: whether it fired, and what its conditions saw (`field=value`) that made it so."""

    rule: str
    fired: bool
    saw: tuple[str, ...]


class Router:
    """Applies one set of rules. It keeps no state: two routers with the same rules decide alike."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._tries = tuple((rule.condition.holds, rule) for rule in rules.rules)

    @property
    def version(self) -> str:
        """What every decision carries as `rules_version`."""
        return self.rules.version

    def route(self, mention: Mention, tags: Tags, now: datetime) -> Decision:
        """Where the mention goes and why. Due times count from the mention's own time; `now` (aware) is when the
        decision is made, and what the field `age` is measured against."""
        facts = Facts(mention, tags, now)
        for holds, rule in self._tries:
            if holds(facts):
                return self._decision(rule, facts)
        raise AssertionError("the last rule always holds")  # kept by rules.parse

    def why(self, mention: Mention, tags: Tags, now: datetime) -> tuple[Step, ...]:
        """The rules tried, in order, up to and including the one that fired."""
        facts = Facts(mention, tags, now)
        steps = []
        for holds, rule in self._tries:
            fired = holds(facts)
            steps.append(Step(rule.name, fired, tuple(dict.fromkeys(rule.condition.reasons(facts, fired)))))
            if fired:
                break
        return tuple(steps)

    def _decision(self, rule: Rule, facts: Facts) -> Decision:
        start = facts.mention.created_at
        return Decision(
            rule=rule.name,
            rules_version=self.rules.version,
            decided_at=facts.now,
            queue=rule.queue,
            filtered=rule.filtered,
            priority=rule.priority,
            first_response_due=durations.due(start, rule.first_response),
            resolution_due=durations.due(start, rule.resolution),
            evidence=tuple(dict.fromkeys(rule.condition.reasons(facts, True))),
        )
