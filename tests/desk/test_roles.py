from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.roles import ACTIONS, PERMISSIONS, ROLES, Action, Role, allowed, may, parse_roles, parse_scopes


def test_every_role_has_permissions_and_every_action_somebody_who_may() -> None:
    assert set(PERMISSIONS) == set(ROLES)
    assert allowed(ROLES) == set(ACTIONS)


@pytest.mark.parametrize(
    ("role", "action", "answer"),
    [
        ("agent", "replies.send", True),
        ("agent", "drafts.approve", False),
        ("agent", "users.manage", False),
        ("draft_only", "drafts.write", True),
        ("draft_only", "replies.send", False),
        ("draft_only", "cases.take_over", False),
        ("marketer", "replies.send", True),
        ("marketer", "customers.erase", False),
        ("lead", "drafts.approve", True),
        ("lead", "cases.assign", True),
        ("lead", "audit.read", False),
        ("operator", "system.manage", True),
        ("operator", "cases.read", False),
        ("admin", "users.manage", True),
        ("admin", "customers.erase", True),
        ("admin", "replies.send", False),
    ],
)
def test_who_may_do_what(role: Role, action: Action, answer: bool) -> None:
    assert may(role, action) is answer


def test_only_an_admin_manages_people_erases_customers_and_reads_the_log() -> None:
    for action in ("users.manage", "customers.erase", "audit.read"):
        assert [role for role in ROLES if action in PERMISSIONS[role]] == ["admin"]


def test_an_unknown_role_or_action_may_nothing() -> None:
    assert not may("owner", "cases.read")  # type: ignore[arg-type] # from an older database, say
    assert not may("admin", "everything")  # type: ignore[arg-type] # the same
    assert allowed(["owner"]) == frozenset()  # type: ignore[list-item] # the same


@given(st.lists(st.sampled_from(ROLES)))
def test_two_roles_together_may_what_either_may_and_no_more(roles: list[Role]) -> None:
    assert allowed(roles) == {action for action in ACTIONS if any(may(role, action) for role in roles)}


def test_names_are_parsed_sorted_and_once_each() -> None:
    assert parse_roles(["lead", "agent", "lead"]) == ("agent", "lead")
    assert parse_scopes(["figures.read", "cases.read"]) == ("cases.read", "figures.read")


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no role 'boss'; there are agent, .*draft_only"):
        parse_roles(["agent", "boss"])
    with pytest.raises(ValueError, match="at least one scope"):
        parse_scopes([])
