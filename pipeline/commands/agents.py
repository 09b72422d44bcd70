"""`harken agents`: who is given work, what they can do, and whether they are there."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from desk.presence import Agent
from pipeline.commands.common import ago, parts, safe, show_json, stdout, table
from pipeline.commands.people import me
from pipeline.errors import ConfigError, Problem
from pipeline.wiring import Parts

app = typer.Typer(no_args_is_help=True, help="Who works on the desk: list, set.")

_PEOPLE = 10_000
Listed = Annotated[str | None, typer.Option(help="Between commas; an empty one for all of them.")]


@app.command("list")
def show_list(context: typer.Context, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List who is set up, what they are given, and whether they are there."""
    with parts(context) as made:
        agents = made.agents.all()
        names = {user.actor: user.name for user in made.accounts.users(_PEOPLE)}
        there = {agent.user for agent in agents if made.agents.there(agent)}
    if as_json:
        show_json([_plain(agent, names, agent.user in there) for agent in agents])
        return
    if not agents:
        stdout.print("Nobody is set up, so nobody is given work: harken agents set NAME")
        return
    grid = table("name", "team", "queues", "languages", "topics", ">capacity", "presence", "seen")
    for agent in agents:
        presence = agent.presence if agent.user in there or agent.presence == "away" else "not seen"
        grid.add_row(
            safe(names.get(agent.user, agent.user)), safe(agent.team), _all(agent.queues), _all(agent.languages),
            _all(agent.topics), str(agent.capacity), presence, ago(agent.seen_at),
        )  # fmt: skip
    stdout.print(grid)


@app.command("set")
def set_up(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What they sign in with.")],
    team: Annotated[str | None, typer.Option(help="What figures are counted by.")] = None,
    queues: Listed = None,
    languages: Listed = None,
    topics: Listed = None,
    capacity: Annotated[int | None, typer.Option(help="How many customers at a time they are given.")] = None,
) -> None:
    """Set somebody up to be given work, or change how they are; what is not named stays as it is."""
    with parts(context) as made:
        agent = made.agents.set(
            _user(made, name), me(), team=team, queues=_names(queues), languages=_names(languages),
            topics=_names(topics), capacity=capacity,
        )  # fmt: skip
    stdout.print(
        f"{safe(name)}: queues {_all(agent.queues)}, languages {_all(agent.languages)}, topics {_all(agent.topics)}, "
        f"{agent.capacity} customers at a time" + (f", team {safe(agent.team)}" if agent.team else "")
    )


def _user(made: Parts, name: str) -> str:
    account = made.accounts.user_named(name)
    if account is None:
        raise ConfigError([Problem(name, "nobody has this name", "harken users list shows everybody")])
    return account.actor


def _names(written: str | None) -> list[str] | None:
    return None if written is None else [name for name in written.split(",") if name.strip()]


def _all(names: tuple[str, ...]) -> str:
    return safe(", ".join(names)) if names else "all"


def _plain(agent: Agent, names: dict[str, str], there: bool) -> dict[str, Any]:
    return {"name": names.get(agent.user), **msgspec.to_builtins(agent), "there": there}
