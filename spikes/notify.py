"""The targets of alerts, from plain data: `webhook`, `slack`, `email` and `apprise`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from desk._validated import nearest, validated
from pipeline.errors import ConfigError, Problem
from spikes._apprise import Apprise, AppriseSettings
from spikes._mail import Mail, MailSettings
from spikes._slack import Slack, SlackSettings
from spikes._target import Later, Outcome, Refused, Target, TargetSettings, Told
from spikes._webhook import Webhook, WebhookSettings

__all__ = ["KINDS", "Later", "Outcome", "Refused", "Target", "Told", "targets_from"]

KINDS: Mapping[str, type[TargetSettings]] = {
    "webhook": WebhookSettings,
    "slack": SlackSettings,
    "email": MailSettings,
    "apprise": AppriseSettings,
}
"""The settings of each type."""

_MAKERS: Mapping[str, Callable[[Any, str], Target]] = {
    "webhook": lambda settings, _: Webhook(settings),
    "slack": lambda settings, _: Slack(settings),
    "email": lambda settings, _: Mail(settings),
    "apprise": Apprise,
}


def targets_from(values: object, path: str = "alerts.targets") -> dict[str, Target]:
    """The targets by name, each with its `type` and that type's settings; one with `enabled: false` is left out.
    Opens nothing. Raises ConfigError with every problem, and shows no secret in it."""
    if not isinstance(values, Mapping):
        raise ConfigError([Problem(path, "is not a mapping of names to targets", "for example care: {type: slack, …}")])
    made: dict[str, Target] = {}
    problems: list[Problem] = []
    for name, given in values.items():
        try:
            if (target := _target(given, f"{path}.{name}")) is not None:
                made[str(name)] = target
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return made


def _target(given: object, path: str) -> Target | None:
    if not isinstance(given, Mapping):
        raise ConfigError([Problem(path, "is not a mapping", "for example {type: slack, url: ${SLACK_URL}}")])
    rest = dict(given)
    kind, enabled = rest.pop("type", None), rest.pop("enabled", True)
    if not isinstance(enabled, bool):
        raise ConfigError([Problem(f"{path}.enabled", "not true or false", "")])
    if kind not in KINDS:
        said = "is missing" if kind is None else f"there is no {kind!r}"
        raise ConfigError([Problem(f"{path}.type", said, nearest(kind or "", KINDS))])
    if not enabled:  # its variables need not be set, so its settings may not be what they will be
        return None
    return _MAKERS[kind](validated(KINDS[kind], rest, path), path)
