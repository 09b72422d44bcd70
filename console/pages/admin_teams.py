"""Teams and skills: who is set up for work, in which queues and languages, and how much at a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response
from pydantic import Field

from console.api import agents, bodies
from console.api.models import AgentOut
from console.api.problems import Refused, missing
from console.api.schemas import Id
from console.pages.page import Page, Posted, Undo, changes, opens
from console.pages.words import segment
from desk.presence import MOST_CAPACITY
from desk.roles import Action
from desk.users import User

router = APIRouter(include_in_schema=False)

READS: tuple[Action, ...] = ("cases.assign", "users.manage")
"""Whoever has one of these may see it; setting somebody up needs the first."""

MOST_PEOPLE = 500
"""Offered to be set up: as many as the API lists of those who are."""

Opens = Annotated[Page, opens()]


class Setup(Posted):
    """How somebody works. Lists of words are written with commas; empty means all."""

    team: Annotated[str, Field(max_length=200)] = ""
    queues: Annotated[list[str], Field(max_length=200)] = []
    languages: Annotated[str, Field(max_length=2000)] = ""
    topics: Annotated[str, Field(max_length=10_000)] = ""
    capacity: Annotated[int, Field(ge=0, le=MOST_CAPACITY)] = 3


@router.get("/admin/teams")
def teams(page: Opens) -> Response:
    """Everybody who is set up, team by team, and who is not yet."""
    _require(page)
    found = agents.list_agents(page.me, page.given).items
    by_team: dict[str, list[AgentOut]] = {}
    for agent in sorted(found, key=lambda it: (it.team.casefold(), it.user.name or "")):
        by_team.setdefault(agent.team, []).append(agent)
    set_up = {agent.user.id for agent in found}
    everybody = page.given.accounts.users(MOST_PEOPLE)
    others = [it for it in everybody if it.id not in set_up and not it.disabled_at and "cases.work" in it.may]
    return page.render("admin/teams.html", teams=by_team, others=others)


@router.get("/admin/teams/{id}")
def member(page: Opens, id: Id) -> Response:
    """How one of them is set up, to be changed."""
    _require(page)
    user = _known(page, id)
    return page.render(
        "admin/member.html",
        user=user,
        agent=page.given.agents.get(user.actor),
        queues=list(page.given.desk.queues),
        most=MOST_CAPACITY,
    )


@router.post("/admin/teams/{id}")
def set_up(page: Annotated[Page, changes("cases.assign")], id: Id, form: Annotated[Setup, Form()]) -> Response:
    """Set them up so; from the next piece of work on."""
    user = _known(page, id)
    before = page.given.agents.get(user.actor)
    wanted = bodies.AgentChange.model_construct(
        team=form.team.strip(),
        queues=form.queues,
        languages=_words(form.languages.lower()),
        topics=_words(form.topics),
        capacity=form.capacity,
    )
    agents.set_agent(id, wanted, page.me, page.given)
    undo = None
    if before is not None and len(before.queues) < 2:  # a form of one button has each field once
        fields = {
            "team": before.team,
            "languages": ", ".join(before.languages),
            "topics": ", ".join(before.topics),
            "capacity": str(before.capacity),
        } | ({"queues": before.queues[0]} if before.queues else {})
        undo = Undo(page._("Undo"), f"/admin/teams/{segment(id)}", fields)
    return page.go("/admin/teams", page._("%(name)s is set up so from now on.", name=user.name), undo)


def _require(page: Page) -> None:
    if not any(map(page.may, READS)):
        raise Refused(403, f"this needs {' or '.join(READS)}", needs=list(READS))


def _known(page: Page, id: str) -> User:
    user = page.given.accounts.user(id)
    if user is None:
        raise missing("user")
    return user


def _words(written: str) -> list[str]:
    return [word.strip() for word in written.split(",") if word.strip()]
