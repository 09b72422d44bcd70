"""Who is there, and what they can do: what decides to whom work is given."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from console.api import bodies
from console.api.auth import Caller, needs
from console.api.models import AgentOut, Page
from console.api.problems import missing
from console.api.queues import Reads
from console.api.refusals import answers
from console.api.schemas import V1, Id
from console.api.services import Given, Services
from console.api.views import Names, actor_of
from desk.presence import Agent
from desk.refusals import Conflict

router = APIRouter(prefix=V1, tags=["agents"])

MOST = 500
"""People shown: more than a desk has."""


@router.get("/agents", responses=answers())
def list_agents(me: Reads, given: Given) -> Page[AgentOut]:
    """Everybody who is set up for work, and whether they are there."""
    del me
    everybody = given.agents.all()[:MOST]
    names = Names(given.accounts)
    names.know(agent.user for agent in everybody)
    return Page(items=[_out(given, agent, names) for agent in everybody])


@router.put("/agents/{user}", responses=answers(404))
def set_agent(
    user: Id, body: bodies.AgentChange, me: Annotated[Caller, needs("cases.assign")], given: Given
) -> AgentOut:
    """Set somebody up for work, or change how they are."""
    if given.accounts.user(user) is None:
        raise missing("user")
    agent = given.agents.set(actor_of(user), me.actor, **body.model_dump(exclude_none=True))
    return _out(given, agent, Names(given.accounts))


@router.put("/me/presence", responses=answers(409))
def be_present(body: bodies.Presence, me: Annotated[Caller, needs("cases.work")], given: Given) -> AgentOut:
    """Say whether one may be given work; refused to who is not set up for that."""
    if given.agents.get(me.actor) is None:
        raise Conflict("you are not set up to be given work: ask a lead")
    return _out(given, given.agents.present(me.actor, body.presence), Names(given.accounts))


def _out(given: Services, agent: Agent, names: Names) -> AgentOut:
    return AgentOut(
        user=names.person(agent.user),
        team=agent.team,
        queues=list(agent.queues),
        languages=list(agent.languages),
        topics=list(agent.topics),
        capacity=agent.capacity,
        presence=agent.presence,
        there=given.agents.there(agent),
        seen_at=agent.seen_at,
    )
