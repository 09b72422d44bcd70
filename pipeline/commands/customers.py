"""`harken customer`: one person's profile, which accounts are theirs, and what the CRM says of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from typer.core import TyperGroup

from desk.crm import Crm
from desk.crm_table import CrmTable
from desk.customers import Customer
from desk.links import Links, Person
from desk.profiles import Profile, Profiles
from pipeline.commands.common import ago, parts, safe, show_json, stderr, stdout
from pipeline.commands.working import permitted
from pipeline.errors import ConfigError, Problem
from pipeline.mention import Author


class _Customers(TyperGroup):
    """`harken customer ACCOUNT` means `harken customer show ACCOUNT`: an account's name holds a colon, a command's
    does not."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_Customers, no_args_is_help=True, help="Customers: show, link, unlink, import.")

AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="source:author_id, or source:@handle.")]
OtherId = Annotated[str, typer.Argument(metavar="OTHER", help="Another account of theirs.")]
As = Annotated[str, typer.Option("--as", envvar="HARKEN_USER", help="The account that says so.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@app.command()
def show(context: typer.Context, account: AccountId, as_json: AsJson = False) -> None:
    """Show a customer: what they said over time on all their accounts, how they felt, their cases, our last answers,
    what they are worth."""
    _check(account)
    with parts(context) as made:
        found = Profiles(made.database, made.clock).profile(account)
    if found is None:
        raise ConfigError([Problem(account, "nothing of theirs is kept", "an account is named source:author_id")])
    if as_json:
        show_json(_as_object(found))
        return
    for line in _told(found):
        stdout.print(line, highlight=False)


@app.command()
def link(
    context: typer.Context,
    account: AccountId,
    other: OtherId,
    evidence: Annotated[str, typer.Option(help="How you know.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Say that two accounts are one person, and how you know. Never for Reddit."""
    with _linking(context, name) as (links, actor):
        _show_person(links.link(account, other, evidence, actor), as_json)


@app.command()
def unlink(context: typer.Context, account: AccountId, other: OtherId, name: As = "", as_json: AsJson = False) -> None:
    """Take a link back."""
    with _linking(context, name) as (links, actor):
        _show_person(links.unlink(account, other, actor), as_json)


@app.command("import")
def read_crm(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A CSV file; else the table that desk.crm names.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read the CRM's table in the place of what was read before; exit status 1 when rows of it are broken."""
    with parts(context) as made:
        crm = made.crm if file is None else Crm(made.database, made.clock, CrmTable(csv=file), path=str(file))
        found = crm.refresh()
    if as_json:
        show_json(asdict(found))
    else:
        stdout.print(
            f"{found.rows:,} accounts read, {found.broken:,} rows broken, {found.linked:,} links made and "
            f"{found.unlinked:,} ended on the CRM's word",
            highlight=False,
        )
        for problem in found.problems:
            stderr.print(safe(problem), highlight=False)
    if found.broken:
        raise typer.Exit(1)


@contextmanager
def _linking(context: typer.Context, name: str) -> Iterator[tuple[Links, str]]:
    if not name:
        raise ConfigError([Problem("--as", "who says so?", "name an account, or set HARKEN_USER; harken users list")])
    with parts(context) as made:
        yield made.links, permitted(made, name, "customers.link").actor


def _check(account: str) -> None:
    source, _, id = account.partition(":")
    if not source or not id:
        raise ConfigError([Problem(account, "is not an account", "an account is named source:author_id")])


# ------------------------------------------------------------------------ showing


def _as_object(found: Profile) -> Any:
    profile = asdict(found.customer) if found.customer else {}
    rest = {name: getattr(found, name) for name in ("account", "person", "mentions", "cases", "open_cases")}
    more = {name: getattr(found, name) for name in ("latest", "answers", "segment", "value")}
    return msgspec.to_builtins(profile | rest | more)


def _show_person(person: Person, as_json: bool) -> None:
    if as_json:
        show_json(msgspec.to_builtins(asdict(person)))
    else:
        stdout.print(f"One person: {', '.join(map(safe, person.accounts))}", highlight=False)


def _told(found: Profile) -> Iterator[str]:
    yield from _who(found)
    if found.customer:
        yield from _said(found.customer)
    if found.cases:
        yield f"[bold]Cases[/bold] {found.cases:,}, open {found.open_cases:,}"
        for case in found.latest[:5]:
            yield f"  {_day(case.since)}  {case.id}  {safe(case.queue)}  {case.state}, {case.answers} answers"
    if found.answers:
        yield "[bold]Last answers[/bold]"
        for answer in found.answers:
            yield f"  {_day(answer.at)}  {safe(answer.text or 'on the platform', 200)}"


def _who(found: Profile) -> Iterator[str]:
    author = found.customer.author if found.customer else Author(id="")
    handle = author.handle and f"@{author.handle.lstrip('@')}"
    by = " ".join(dict.fromkeys(filter(None, (author.name, handle))))
    yield f"[bold]{safe(found.account)}[/bold] {safe(by)}" + (" (verified)" if author.verified else "")
    for one in found.person.links:
        pair = f"{safe(one.account)} is {safe(one.other)}"
        yield f"  {pair}, says {safe(one.actor)} {_day(one.at)}: {safe(one.evidence, 200)}"
    if found.segment or found.value is not None:
        value = "" if found.value is None else f", value {found.value:,.2f}"
        yield f"segment {safe(found.segment) or 'unknown'}{value}"
    yield f"{found.mentions:,} mentions"


def _said(customer: Customer) -> Iterator[str]:
    followers = "unknown" if customer.followers is None else f"{customer.followers:,}"
    yield f"from {customer.first_at:%Y-%m-%d} to {customer.last_at:%Y-%m-%d}"
    yield f"reach up to {customer.reach:,} people, followers {followers}, advocate score {customer.advocate:+d} of 100"
    if customer.sentiment is not None:
        trend = "" if customer.trend is None else f", {customer.trend:+.2f} from the earlier half to the later"
        yield f"sentiment {customer.sentiment:+.2f}{trend}"
    for label, counts in (("wanted", customer.intents), ("queues", customer.queues), ("filtered", customer.filtered)):
        if counts:
            yield f"{label}: " + ", ".join(f"{safe(name)} {count:,}" for name, count in counts.items())
    for month in customer.months[-12:]:
        felt = "" if month.sentiment is None else f", sentiment {month.sentiment:+.2f}"
        yield f"  {month.month}  {month.mentions:,} mentions{felt}"
    yield "[bold]Last decisions[/bold]"
    for one in customer.last:
        goes = one.decision.queue or f"filtered: {one.decision.filtered}"
        yield f"  {_day(one.created_at)}  {safe(one.mention, 60)}  {safe(goes)} by {safe(one.decision.rule)}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d} ({ago(moment)})"
