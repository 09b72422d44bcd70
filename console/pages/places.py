"""Where the navigation leads, and who may go there."""

from __future__ import annotations

from typing import NamedTuple

from console.pages.language import marked as _
from desk.roles import Action


class Place(NamedTuple):
    """One entry: shown to whoever has one of `needs`; `first` says whose first screen it is."""

    label: str
    path: str
    needs: tuple[Action, ...]


PLACES = (
    Place(_("Desk"), "/desk", ("cases.work",)),
    Place(_("Cases"), "/cases", ("cases.read",)),
    Place(_("Approvals"), "/approvals", ("drafts.approve",)),
    Place(_("Incidents"), "/incidents", ("incidents.read",)),
    Place(_("Board"), "/board", ("figures.read",)),
    Place(_("Leads"), "/leads", ("cases.read",)),
    Place(_("Flow"), "/flow", ("system.read",)),
    Place(_("Rules"), "/rules", ("figures.read", "system.read")),
    Place(
        _("Administration"),
        "/admin",
        ("users.manage", "audit.read", "macros.write", "calendars.write", "system.manage"),
    ),
)

HOMES = {
    "operator": "/flow",
    "marketer": "/board",
    "lead": "/desk",
    "agent": "/desk",
    "draft_only": "/desk",
    "admin": "/admin",
}
"""The first screen of each role; who has several gets that of the first of these roles."""


def places(may: frozenset[Action]) -> list[Place]:
    """Those one may go to."""
    return [place for place in PLACES if may.intersection(place.needs)]


def home(roles: tuple[str, ...]) -> str:
    """The first screen of somebody with these roles."""
    return next((path for role, path in HOMES.items() if role in roles), "/me")
