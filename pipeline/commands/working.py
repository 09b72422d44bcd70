"""Who works at this terminal: an account (`--as NAME`, or `$HARKEN_USER`) with what its roles allow, and the names of
everybody else. Each change stands in the case's log under that account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipeline.commands.common import ago, parts, safe
from pipeline.errors import ConfigError, HarkenError, Problem
from pipeline.registry import suggestion

if TYPE_CHECKING:
    from desk.accounts import Accounts
    from desk.case_records import Held
    from desk.drafts import Drafts
    from desk.handling import By
    from desk.roles import Action
    from desk.users import User
    from pipeline.wiring import Parts

S = TypeVar("S", bound=StrEnum)

As = Annotated[str, typer.Option("--as", envvar="HARKEN_USER", help="The account that works.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
CaseId = Annotated[str, typer.Argument(metavar="ID", help="A case's id, as lists show it.")]


class People:
    """The names of users, each looked up once."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._known: dict[str, str] = {}

    def know(self, actors: Iterable[str | None]) -> None:
        """Look up all of these in one question."""
        ids = {it.removeprefix("user:") for it in actors if it and it.startswith("user:")}
        if unknown := ids - self._known.keys():
            self._known |= dict.fromkeys(unknown, "") | self._accounts.names(unknown)

    def name(self, actor: str | None) -> str:
        """What `user:ID` signs in with; any other actor, and a user who is not known (any more), as it is."""
        if actor is None or not actor.startswith("user:"):
            return actor or ""
        self.know([actor])
        return self._known[actor.removeprefix("user:")] or actor

    @property
    def known(self) -> dict[str, str]:
        """Everybody looked up so far, by actor."""
        return {f"user:{id}": name for id, name in sorted(self._known.items()) if name}


@dataclass(frozen=True)
class Worker:
    """Somebody with the right to do what they are about to do."""

    made: Parts
    user: User

    @property
    def actor(self) -> str:
        """As events name them."""
        return self.user.actor

    @cached_property
    def people(self) -> People:
        """Everybody's names."""
        return People(self.made.accounts)

    def may(self, action: Action) -> bool:
        """Whether their roles allow this."""
        return action in self.user.may

    def take(self, id: str) -> By:
        """Take the case, or keep it for another term; raises Conflict where somebody else has it."""
        return self.under(self.made.cases.claim(id, self.actor))

    def under(self, held: Held) -> By:
        """Them, under the token of this lease."""
        from desk.handling import By

        return By(self.actor, held.lease.token)

    @property
    def drafts(self) -> Drafts:
        """The answers."""
        return self.made.drafts

    @property
    def accounts(self) -> Accounts:
        """People, their rights, and the audit log."""
        return self.made.accounts


def permitted(made: Parts, name: str, action: Action) -> User:
    """The account of this name; raises ConfigError where no active one has it, HarkenError where it may not do this."""
    user = made.accounts.user_named(name)
    if user is None or user.disabled_at is not None:
        raise ConfigError([Problem("--as", "no active account has this name", "harken users list")])
    if action not in user.may:
        raise HarkenError(f"{user.name} may not do this: it needs the permission {action}")
    return user


@contextmanager
def working(context: typer.Context, name: str, action: Action = "cases.work", *sections: str) -> Iterator[Worker]:
    """The account of this name, where it may do this, with the adapters of these sections of the configuration. A
    refusal because somebody else has the customer is told with their name and the way out."""
    from desk.refusals import Conflict

    if not name:
        raise ConfigError([Problem("--as", "who works?", "name an account, or set HARKEN_USER; harken users list")])
    with parts(context, *sections) as made:
        if not made.config.file.desk.cases:
            raise ConfigError([Problem("desk.cases", "cases are switched off", "set it to true and restart deliver")])
        user = permitted(made, name, action)
        worker = Worker(made, user)
        made.agents.seen(user.actor)
        try:
            yield worker
        except Conflict as refusal:
            if refusal.holder in (None, user.actor):
                raise
            holder = worker.people.name(refusal.holder)
            raise HarkenError(
                f"{holder} has this customer; the lease ends {ago(refusal.until)} unless they keep it up.\n"
                "To take it all the same: harken case takeover ID --why TEXT"
            ) from None


def known_states(names: Sequence[str] | None, states: type[S]) -> tuple[S, ...]:
    """The states of these names; raises ConfigError with the nearest."""
    for name in names or ():
        if name not in list(states):
            raise ConfigError([Problem(f"--state {safe(name, 40)}", "is no state", suggestion(name, [*states]))])
    return tuple(states(name) for name in names or ())


def known_queue(made: Parts, name: str) -> str:
    """The name of a queue of the rules; raises ConfigError with the nearest."""
    if name not in made.rules.queues:
        raise ConfigError([Problem(safe(name, 60), "there is no such queue", suggestion(name, [*made.rules.queues]))])
    return name
