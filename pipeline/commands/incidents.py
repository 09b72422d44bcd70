"""`harken spikes list`, `show` and what people do with an incident."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.common import parts, safe, show_json, stdout
from pipeline.commands.working import As, AsJson, People, Worker, known_states, working
from pipeline.errors import ConfigError, HarkenError, Problem

if TYPE_CHECKING:
    from spikes.incident_records import Incident

Id = Annotated[str, typer.Argument(metavar="ID", help="An incident's id, or its beginning.")]
Words = Annotated[str, typer.Argument(metavar="TEXT")]
Why = Annotated[str, typer.Option("--why", help="Kept in the timeline.")]


def show_list(
    context: typer.Context,
    brand: Annotated[str | None, typer.Option(help="Only of this brand.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; may be given again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List the incidents that are not closed, the newest first."""
    from pipeline.commands.incident_screen import as_object, listing
    from spikes.incident_records import IncidentFilter, State

    states = known_states(state, State)
    with parts(context) as made:
        wanted = IncidentFilter(brand=brand, states=states, live=None if every or state else True)
        page = made.incidents.incidents(wanted, None, limit)
        people = People(made.accounts)
        people.know(it.work.acknowledged_by for it in page.incidents)
        sizes = {it.id: made.incidents.size(it.id) for it in page.incidents}
        promised = {it.id: made.incidents.promises(it) for it in page.incidents}
    if as_json:
        rows = [as_object(it, people, promised[it.id]) for it in page.incidents]
        show_json([row | {"posts": sizes[row["id"]][0], "authors": sizes[row["id"]][1]} for row in rows])
    elif page.incidents:
        stdout.print(listing(page.incidents, sizes, promised, people, stdout.width))
        if page.next:
            stdout.print(f"The first {len(page.incidents)} of more: --limit, up to 500.")
    else:
        stdout.print("No incident." if every or state else "No incident that is not closed; --all has the others.")


def show(context: typer.Context, id: Id, as_json: AsJson = False) -> None:
    """Show an incident: what it is about, how it grows, who drives it, what to do, what was done."""
    from pipeline.commands.incident_screen import draw, gather, sheet_as_object

    with parts(context) as made:
        people = People(made.accounts)
        sheet = gather(made, id, people)
        if as_json:
            show_json(sheet_as_object(sheet, people))
        else:
            draw(sheet, people)


def show_cases(
    context: typer.Context,
    id: Id,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List the cases that an incident's posts are in."""
    from desk.refusals import NoSuchCase
    from pipeline.commands.case_screen import as_object, listing
    from pipeline.commands.incident_screen import whole_id

    with parts(context) as made:
        incident = made.incidents.incident(whole_id(made, id))
        page = made.incidents.cases_of(incident.id, limit=limit)
        cases = []
        for member in page.cases:
            try:
                cases.append(made.cases.case(member.case))
            except NoSuchCase:  # erased between the two questions
                continue
        people = People(made.accounts)
        people.know(case.owner for case in cases)
        clocks = made.keeper.clocks_of_all([case.id for case in cases])
    if as_json:
        show_json([as_object(case, people) for case in cases])
    elif cases:
        stdout.print(listing(cases, clocks, people, stdout.width))
        if page.next:
            stdout.print(f"The first {len(cases)} of more: --limit, up to 500.")
    else:
        stdout.print("No case.")


def acknowledge(context: typer.Context, id: Id, name: As = "", why: Why = "", as_json: AsJson = False) -> None:
    """Say that you see to it: nobody else is called any more."""
    _do(context, id, name, as_json, lambda me, whole: me.made.incidents.acknowledge(whole, me.actor, text=why))


def note(context: typer.Context, id: Id, text: Words, name: As = "", as_json: AsJson = False) -> None:
    """Write a line into the timeline."""
    _do(context, id, name, as_json, lambda me, whole: me.made.incidents.note(whole, me.actor, text))


def statement(
    context: typer.Context,
    id: Id,
    text: Words,
    url: Annotated[str, typer.Option(help="Where it can be read.")] = "",
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Note what the brand has said, once it is out. This posts nothing."""
    _do(context, id, name, as_json, lambda me, whole: me.made.incidents.statement_out(whole, me.actor, text, url=url))


def calm(context: typer.Context, id: Id, name: As = "", why: Why = "", as_json: AsJson = False) -> None:
    """Say that it is getting less."""
    _do(context, id, name, as_json, lambda me, whole: me.made.incidents.calming(whole, me.actor, text=why))


def close(
    context: typer.Context,
    id: Id,
    why: Annotated[str, typer.Option("--why", help="Kept in the timeline.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Say that it is over."""
    _do(context, id, name, as_json, lambda me, whole: me.made.incidents.close(whole, me.actor, why))


def reopen(context: typer.Context, id: Id, name: As = "", why: Why = "", as_json: AsJson = False) -> None:
    """Say that it is not over: somebody has to acknowledge it anew."""
    _do(context, id, name, as_json, lambda me, whole: me.made.incidents.reopen(whole, me.actor, why))


def follow(
    context: typer.Context,
    id: Id,
    case: Annotated[str, typer.Argument(help="One of its cases: the one that is answered.")],
    why: Annotated[str, typer.Option("--why", help="Kept in the timeline.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Let the open cases of an incident follow one of them, also those that come later: they rest, and are resolved
    when that one is answered. Nothing is posted. What is of another matter, held, answered, urgent or private goes on
    by itself."""
    from pipeline.commands.incident_screen import whole_id
    from spikes.family import let_follow

    with working(context, name, "incidents.work") as me:
        made = me.made
        whole = whole_id(made, id)
        done = let_follow(made.incidents, made.database, made.clock, whole, case, me.actor, why)
    if as_json:
        show_json(done._asdict())
    else:
        stdout.print(f"{done.joined} now follow {safe(case)}, {done.left} go on by themselves", highlight=False)
        stdout.print(f"harken case list --wave {safe(case)}", highlight=False)


def answer(
    context: typer.Context,
    id: Id,
    draft: Annotated[str, typer.Option("--draft", help="The approved answer to the case that the others follow.")] = "",
    stop: Annotated[bool, typer.Option("--stop", help="Send it to nobody else.")] = False,
    why: Why = "",
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Send one approved answer to each case that follows the one it answers, in its own thread, once, at the pace that
    the playbook sets; or stop that, and take back what no platform was asked about."""
    from spikes.answering import answer as begin
    from spikes.answering import stop as end

    if bool(draft) is stop:
        raise ConfigError([Problem("--draft or --stop", "give one of them", f"harken spikes answer {id} --draft ID")])

    def change(me: Worker, whole: str) -> Incident:
        if stop:
            return end(me.made.incidents, whole, me.actor, why)
        if not me.may("replies.send"):
            raise HarkenError(f"{me.user.name} may not do this: it needs the permission replies.send")
        return begin(me.made.incidents, me.made.database, whole, draft, me.actor)

    _do(context, id, name, as_json, change)


def review(context: typer.Context, id: Id, as_json: AsJson = False) -> None:
    """Show how it went: how soon it was seen, acknowledged, answered; what was said; how people sounded."""
    import msgspec

    from pipeline.commands.incident_screen import whole_id
    from pipeline.commands.review_screen import draw

    with parts(context) as made:
        found = made.incidents.review(whole_id(made, id))
    if as_json:
        show_json(msgspec.to_builtins(found))
    else:
        draw(found)


def _do(context: typer.Context, id: str, name: str, as_json: bool, change: Callable[[Worker, str], Incident]) -> None:
    from desk.refusals import Conflict
    from pipeline.commands.incident_screen import as_object, whole_id

    with working(context, name, "incidents.work") as me:
        try:
            incident = change(me, whole_id(me.made, id))
        except Conflict as refusal:
            holder = me.people.name(refusal.holder)
            reason = str(refusal).replace(refusal.holder, holder) if refusal.holder else str(refusal)
            raise HarkenError(f"{reason}; see harken spikes show {id}") from None
        if as_json:
            show_json(as_object(incident, me.people, me.made.incidents.promises(incident)))
            return
        by = me.people.name(incident.work.acknowledged_by)
        holder = f", {safe(by)} sees to it" if by else ""
        stdout.print(f"{incident.id} is {str(incident.state).replace('_', ' ')}{holder}", highlight=False)
