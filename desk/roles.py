"""Who may do what, as data: a role is a set of actions, and an API token's scopes are actions too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, cast, get_args

Role = Literal["agent", "lead", "marketer", "operator", "admin", "draft_only"]
"""What a person is on the desk; one person may be several."""

Action = Literal[
    "cases.read",  # queues, cases, macros and the stream of events
    "cases.work",  # claim, heartbeat, release, note, tag, snooze, transfer, ask, watch, resolve, reopen
    "cases.take_over",  # take a case that somebody else holds, with a reason
    "cases.assign",  # give work to somebody else
    "drafts.write",  # write a draft and submit it for approval
    "drafts.approve",  # approve what somebody else wrote
    "replies.send",  # send without asking
    "customers.read",  # a customer's profile across time
    "customers.link",  # say that two accounts are one person
    "customers.export",  # everything held on someone
    "customers.erase",  # remove someone everywhere
    "incidents.read",  # firestorms: what they are about, who drives them, how they grow
    "incidents.work",  # acknowledge, note, statement, calm, close, reopen, and let their cases follow one
    "figures.read",
    "corrections.export",  # the training data that wrong routes leave behind
    "macros.write",
    "calendars.write",
    "rules.write",  # who gets which mention, and the examples that say so
    "system.read",  # status, ledger, dead letters
    "system.manage",  # retry and discard dead letters
    "users.manage",  # accounts, roles and everybody's tokens
    "audit.read",
]
"""Everything that is asked permission for."""

ROLES: tuple[Role, ...] = get_args(Role)
ACTIONS: tuple[Action, ...] = get_args(Action)

_DRAFTS: frozenset[Action] = frozenset({"cases.read", "cases.work", "drafts.write", "customers.read"})
_ANSWERS: frozenset[Action] = _DRAFTS | {"cases.take_over", "replies.send", "customers.link"}

PERMISSIONS: dict[Role, frozenset[Action]] = {
    "draft_only": _DRAFTS,
    "agent": _ANSWERS | {"incidents.read"},
    "marketer": _ANSWERS | {"incidents.read", "incidents.work", "figures.read"},
    "lead": _ANSWERS
    | {
        "incidents.read",
        "incidents.work",
        "cases.assign",
        "drafts.approve",
        "figures.read",
        "corrections.export",
        "macros.write",
        "calendars.write",
        "rules.write",
    },
    "operator": frozenset({"system.read", "system.manage", "figures.read", "incidents.read", "rules.write"}),
    # An admin cares for people's accounts and rights; whoever also answers customers is an agent or a lead as well.
    "admin": frozenset(
        {
            "users.manage",
            "audit.read",
            "customers.read",
            "customers.export",
            "customers.erase",
            "incidents.read",
            "macros.write",
            "calendars.write",
            "system.read",
        }
    ),
}
"""What each role may do; nothing else is allowed."""


def may(role: Role, action: Action) -> bool:
    """Whether this role may do this; an unknown role or action may not."""
    return action in PERMISSIONS.get(role, frozenset())


def allowed(roles: Iterable[Role]) -> frozenset[Action]:
    """Everything that somebody with all these roles may do."""
    return frozenset().union(*(PERMISSIONS.get(role, frozenset()) for role in roles))


def parse_roles(names: Iterable[str]) -> tuple[Role, ...]:
    """The roles of these names, sorted, each once; raises ValueError naming the ones there are."""
    return cast(tuple[Role, ...], _known(names, ROLES, "role"))


def parse_scopes(names: Iterable[str]) -> tuple[Action, ...]:
    """The actions of these names, sorted, each once; raises ValueError naming the ones there are."""
    return cast(tuple[Action, ...], _known(names, ACTIONS, "scope"))


def _known(names: Iterable[str], known: tuple[str, ...], what: str) -> tuple[str, ...]:
    given = sorted(set(names))
    if not given:
        raise ValueError(f"at least one {what} is needed: {', '.join(known)}")
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"no {what} {unknown[0][:40]!r}; there are {', '.join(known)}")
    return tuple(given)
