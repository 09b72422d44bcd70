"""`harken queue next` and `harken case`: the work of a queue, from a terminal.

Who works is an account (`--as NAME`, or `$HARKEN_USER`): each change needs a permission of its roles, and stands in the
case's log under it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from desk.accounts import Accounts
from desk.case import Case
from desk.case_records import CaseFilter, Said
from desk.cases import Cases
from desk.handling import By
from desk.roles import allowed
from pipeline.commands.common import ago, parts, safe, show_json, span, stdout, table
from pipeline.errors import ConfigError, HarkenError, Problem

app = typer.Typer(no_args_is_help=True, help="Cases: what one author says in one conversation, with one owner.")

As = Annotated[str, typer.Option("--as", envvar="HARKEN_USER", help="The account that works.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Id = Annotated[str, typer.Argument(help="A case's id, as lists show it.")]
Why = Annotated[str, typer.Option("--why", help="Kept in the case's log.")]


def take_next(
    context: typer.Context,
    queues: Annotated[list[str], typer.Argument(help="Any of these.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Take the most urgent case of these queues that nobody has; with it come all open ones of its author."""
    with _desk(context, name) as (cases, user):
        held = cases.next(user, queues)
        if held is None:
            stdout.print("Nothing waits." if not as_json else "null")
            return
        _show(cases, held.case, as_json)


@app.command("list")
def show_list(
    context: typer.Context,
    queue: Annotated[str | None, typer.Option(help="Only this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List open cases: of a queue by urgency, else the newest first."""
    with parts(context) as made:
        page = made.cases.cases(CaseFilter(queue=queue, open=True), "urgency" if queue else "newest", None, limit)
    if as_json:
        show_json([msgspec.to_builtins(case) for case in page.cases])
        return
    grid = table("case", "queue", "state", "priority", "answer", "author", ">said", "owner")
    for case in page.cases:
        grid.add_row(
            case.id, safe(case.queue), case.state, case.priority, ago(case.due), safe(case.author, 30),
            str(case.mentions), safe(case.owner or "—"),
        )  # fmt: skip
    stdout.print(grid)


@app.command()
def show(context: typer.Context, id: Id, as_json: AsJson = False) -> None:
    """Show a case: what was said, in order, and what was done."""
    with parts(context) as made:
        _show(made.cases, made.cases.case(id), as_json)


@app.command()
def claim(context: typer.Context, id: Id, name: As = "", as_json: AsJson = False) -> None:
    """Take this case, with all open ones of its author; refused with the name of who has it."""
    with _desk(context, name) as (cases, user):
        _show(cases, cases.claim(id, user).case, as_json)


@app.command()
def takeover(context: typer.Context, id: Id, why: Why, name: As = "") -> None:
    """Take it from whoever has it, with a reason; what they still type cannot be sent."""
    with _desk(context, name, "cases.take_over") as (cases, user):
        _done(cases.take_over(id, user, why).case)


@app.command()
def release(context: typer.Context, id: Id, name: As = "") -> None:
    """Give it back to its queue, with everything else of its author."""
    _act(context, name, id, lambda cases, by: cases.release(id, by.user, by.token or 0))


@app.command()
def resolve(context: typer.Context, id: Id, name: As = "", why: Why = "") -> None:
    """Close it."""
    _act(context, name, id, lambda cases, by: cases.resolve(id, by, why))


@app.command()
def reopen(context: typer.Context, id: Id, why: Why, name: As = "") -> None:
    """Open a closed case again."""
    with _desk(context, name) as (cases, user):
        _done(cases.reopen(id, By(user), why))


@app.command()
def transfer(
    context: typer.Context,
    id: Id,
    queue: Annotated[str, typer.Argument(help="Where it goes.")],
    why: Why,
    name: As = "",
    wrong: Annotated[bool, typer.Option("--routed-wrong", help="The rules were wrong: kept as a correction.")] = False,
) -> None:
    """Hand it to another queue, with a reason."""
    with parts(context) as made:
        if queue not in made.rules.queues:
            raise ConfigError([Problem(queue, "there is no such queue", f"one of {', '.join(made.rules.queues)}")])
    _act(context, name, id, lambda cases, by: cases.transfer(id, by, queue, why, wrong_route=wrong))


@app.command()
def snooze(
    context: typer.Context,
    id: Id,
    until: Annotated[str, typer.Argument(help="For how long: 90m, 4h, 2d.")],
    name: As = "",
) -> None:
    """Let it rest for a while; it comes back by itself."""
    rest = span(until, "until")
    _act(context, name, id, lambda cases, by: cases.snooze(id, by, datetime.now(UTC) + rest))


@app.command()
def note(context: typer.Context, id: Id, text: Annotated[str, typer.Argument()], name: As = "") -> None:
    """Write something into its log, for colleagues."""
    with _desk(context, name) as (cases, user):
        _done(cases.note(id, By(user), text))


@contextmanager
def _desk(context: typer.Context, name: str, action: str = "cases.work") -> Iterator[tuple[Cases, str]]:
    if not name:
        raise ConfigError([Problem("--as", "who works?", "name an account, or set HARKEN_USER; harken users list")])
    with parts(context) as made:
        if not made.config.file.desk.cases:
            raise ConfigError([Problem("desk.cases", "cases are switched off", "set it to true and restart deliver")])
        account = Accounts(made.database, made.clock).user_named(name)
        if account is None or account.disabled_at is not None:
            raise ConfigError([Problem("--as", "no active account has this name", "harken users list")])
        if action not in allowed(account.roles):
            raise HarkenError(f"{account.name} may not do this: it needs the permission {action}")
        yield made.cases, account.actor


def _act(context: typer.Context, name: str, id: str, change: Callable[[Cases, By], Case]) -> None:
    """Change a case under its lease: claimed first where nobody has it, refused where somebody else does."""
    with _desk(context, name) as (cases, user):
        held = cases.claim(id, user)
        _done(change(cases, By(user, held.lease.token)))


def _done(case: Case) -> None:
    stdout.print(
        f"{case.id} is {case.state} in {safe(case.queue)}" + (f", with {safe(case.owner)}" if case.owner else "")
    )


def _show(cases: Cases, case: Case, as_json: bool) -> None:
    said, log = cases.said(case.id), cases.history(case.id)
    if as_json:
        show_json(
            {
                "case": msgspec.to_builtins(case),
                "said": [_as_object(one) for one in said],
                "history": [msgspec.to_builtins(one.event) for one in log],
            }
        )
        return
    stdout.print(
        f"[bold]{case.id}[/bold] {case.state} in {safe(case.queue)}, {case.priority}, answer {ago(case.due)}, "
        + (f"held by {safe(case.owner)} until {ago(case.until)}" if case.owner else "held by nobody")
    )
    for one in said:
        mention = one.routed.mention if one.routed else None
        text = safe(mention.text, 400) if mention else "(no longer kept)"
        stdout.print(f"  {one.said_at:%Y-%m-%d %H:%M} {one.part:<7} {safe(one.mention, 40)}  {text}", highlight=False)
    stdout.print("What was done")
    for happening in log:
        event = happening.event
        stdout.print(f"  {event.at:%Y-%m-%d %H:%M} {type(event).__name__} by {safe(event.actor)}", highlight=False)


def _as_object(one: Said) -> dict[str, Any]:
    return {
        "mention": one.mention,
        "part": one.part,
        "said_at": one.said_at.isoformat(),
        "text": one.routed.mention.text if one.routed else None,
    }
