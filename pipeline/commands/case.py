"""`harken queue next` and `harken case`: the work of a queue, from a terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands import answers, clocks
from pipeline.commands.clocks import show_clocks
from pipeline.commands.common import parts, safe, show_json, span, stdout
from pipeline.commands.working import As, AsJson, CaseId, People, Worker, known_queue, known_states, working
from pipeline.errors import ConfigError, HarkenError, Problem
from pipeline.registry import suggestion

if TYPE_CHECKING:
    from desk.case import Case
    from desk.handling import By

app = typer.Typer(no_args_is_help=True, help="Cases: what one author says in one conversation, with one owner.")
app.command("clocks")(show_clocks)

Why = Annotated[str, typer.Option("--why", help="Kept in the case's log.")]
Full = Annotated[bool, typer.Option("--full", help="Every word, however long.")]


def take_next(
    context: typer.Context,
    queues: Annotated[
        list[str] | None, typer.Argument(help="Any of these; without one, all that you are set up for.")
    ] = None,
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Take the most urgent case of these queues that nobody has; with it come all open ones of its author."""
    with working(context, name, "cases.work", "sources") as me:
        agent = me.made.agents.get(me.actor)
        own = agent.queues if agent else ()
        for queue in queues or ():
            if own and known_queue(me.made, queue) not in own:
                raise HarkenError(f"{me.user.name} is not set up for {queue}, but for {', '.join(own)}")
        wanted = [known_queue(me.made, queue) for queue in queues or own or me.made.rules.queues]
        languages, topics = (agent.languages, agent.topics) if agent else ((), ())
        held = me.made.cases.next(me.actor, wanted, languages, topics)
        if held is None:
            stdout.print("Nothing waits." if not as_json else "null")
            return
        _show(me, held.case.id, as_json)


@app.command("list")
def show_list(
    context: typer.Context,
    queue: Annotated[str | None, typer.Option(help="Only this queue, by urgency.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; may be given again.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only what --as holds.")] = False,
    customer: Annotated[str | None, typer.Option(help="Only of this customer, source:author_id.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    wave: Annotated[str | None, typer.Option(help="Only what follows this case.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="What is closed, in place of what is open.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    name: As = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List open cases: of a queue, and one's own, by urgency, else the newest first."""
    from desk.case import State
    from desk.case_records import CaseFilter
    from pipeline.commands.case_screen import as_object, listing

    states = known_states(state, State)
    with parts(context) as made:
        if queue is not None and not made.cases.cases(CaseFilter(queue=queue), limit=1).cases:
            known_queue(made, queue)
        accounts = made.accounts
        me = accounts.user_named(name) if mine else None
        if mine and me is None:
            raise ConfigError([Problem("--as", "no active account has this name", "harken users list")])
        wanted = CaseFilter(
            queue=queue,
            states=states,
            owner=me.actor if me else None,
            author=customer,
            tag=tag,
            lead=wave,
            open=None if wave else not closed,
        )
        page = made.cases.cases(wanted, "urgency" if queue or me else "newest", None, limit)
        people = People(accounts)
        people.know(case.owner for case in page.cases)
        clocks = made.keeper.clocks_of_all([case.id for case in page.cases])
    if as_json:
        show_json([as_object(case, people) for case in page.cases])
    elif page.cases:
        stdout.print(listing(page.cases, clocks, people, stdout.width))
        if page.next:
            stdout.print(f"The first {len(page.cases)} of more: --limit, up to 500.")
    else:
        stdout.print("No case.")


@app.command()
def show(context: typer.Context, id: CaseId, full: Full = False, name: As = "", as_json: AsJson = False) -> None:
    """Show a case: what was said, what was answered, what was promised, who has it, what can be done."""
    from pipeline.commands.case_screen import draw, gather, sheet_as_object

    with parts(context, "sources") as made:
        accounts = made.accounts
        viewer = accounts.user_named(name) if name else None
        people = People(accounts)
        sheet = gather(made, id, people, viewer.actor if viewer else None)
    if as_json:
        show_json(sheet_as_object(sheet, people))
    else:
        draw(sheet, people, full=full)


@app.command()
def claim(context: typer.Context, id: CaseId, name: As = "", as_json: AsJson = False) -> None:
    """Take this case, with all open ones of its author; refused with the name of who has it. Again, it keeps them."""
    with working(context, name, "cases.work", "sources") as me:
        me.take(id)
        _show(me, id, as_json)


@app.command()
def takeover(context: typer.Context, id: CaseId, why: Why, name: As = "", as_json: AsJson = False) -> None:
    """Take it from whoever has it, with a reason; what they still type cannot be sent."""
    from desk.audit import Event

    with working(context, name, "cases.take_over", "sources") as me:
        held = me.made.cases.take_over(id, me.actor, why)
        me.accounts.note(Event(me.actor, "case.taken_over", f"case:{id}", {"token": held.lease.token}))
        _show(me, id, as_json)


@app.command()
def assign(
    context: typer.Context,
    id: CaseId,
    person: Annotated[str, typer.Argument(help="What they sign in with.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Give it to somebody, with all open ones of its author."""
    with working(context, name, "cases.assign") as me:
        user = me.accounts.user_named(person)
        if user is None or user.disabled_at or "cases.work" not in user.may:
            raise ConfigError([Problem(safe(person, 60), "nobody of this name works on cases", "harken users list")])
        _done(me, me.made.cases.claim(id, user.actor, actor=me.actor).case, as_json)


@app.command()
def release(context: typer.Context, id: CaseId, name: As = "", as_json: AsJson = False) -> None:
    """Give it back to its queue, with everything else of its author."""
    _act(context, name, id, as_json, lambda me, by: me.made.cases.release(id, by.user, by.token or 0))


@app.command()
def resolve(context: typer.Context, id: CaseId, name: As = "", why: Why = "", as_json: AsJson = False) -> None:
    """Close it."""
    _act(context, name, id, as_json, lambda me, by: me.made.cases.resolve(id, by, why))


@app.command()
def reopen(context: typer.Context, id: CaseId, why: Why, name: As = "", as_json: AsJson = False) -> None:
    """Open a closed case again."""
    _add(context, name, as_json, lambda me, by: me.made.cases.reopen(id, by, why))


@app.command()
def transfer(
    context: typer.Context,
    id: CaseId,
    queue: Annotated[str, typer.Argument(help="Where it goes.")],
    why: Why,
    name: As = "",
    wrong: Annotated[bool, typer.Option("--routed-wrong", help="The rules were wrong: kept as a correction.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hand it to another queue, with a reason."""

    def change(me: Worker, by: By) -> Case:
        return me.made.cases.transfer(id, by, queue, why, wrong_route=wrong)

    with parts(context) as made:
        known_queue(made, queue)
    _act(context, name, id, as_json, change)


@app.command()
def snooze(
    context: typer.Context,
    id: CaseId,
    until: Annotated[str, typer.Argument(help="For how long: 90m, 4h, 2d.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Let it rest for a while; it comes back by itself, or when its author says more."""
    rest = span(until, "until")
    _act(context, name, id, as_json, lambda me, by: me.made.cases.snooze(id, by, datetime.now(UTC) + rest))


@app.command()
def wake(context: typer.Context, id: CaseId, name: As = "", as_json: AsJson = False) -> None:
    """End a snooze."""
    _add(context, name, as_json, lambda me, by: me.made.cases.wake(id, by))


@app.command()
def priority(
    context: typer.Context,
    id: CaseId,
    level: Annotated[str, typer.Argument(help="urgent, high, normal or low.")],
    why: Why = "",
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Set how soon a person should look."""
    from pipeline.mention import Priority

    if level not in list(Priority):
        raise ConfigError([Problem(safe(level, 40), "is no priority", suggestion(level, [*Priority]))])
    _act(context, name, id, as_json, lambda me, by: me.made.cases.prioritise(id, by, Priority(level), why))


@app.command()
def note(
    context: typer.Context, id: CaseId, text: Annotated[str, typer.Argument()], name: As = "", as_json: AsJson = False
) -> None:
    """Write something into its log, for colleagues; the customer never sees it."""
    _add(context, name, as_json, lambda me, by: me.made.cases.note(id, by, text))


@app.command()
def tag(
    context: typer.Context,
    id: CaseId,
    tags: Annotated[list[str] | None, typer.Argument(help="Put on.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Taken off; may be given again.")] = None,
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Put tags on, or take them off."""
    _add(context, name, as_json, lambda me, by: me.made.cases.tag(id, by, tags or (), remove or ()))


@app.command()
def ask(
    context: typer.Context,
    id: CaseId,
    question: Annotated[str, typer.Argument()],
    queue: Annotated[str | None, typer.Option(help="Ask whoever works this queue.")] = None,
    person: Annotated[str | None, typer.Option("--user", help="Ask one person, by what they sign in with.")] = None,
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Ask another queue, or one person, without giving it up."""

    def change(me: Worker, by: By) -> Case:
        user = me.accounts.user_named(person) if person else None
        if person and user is None:
            raise ConfigError([Problem(safe(person, 60), "nobody has this name", "harken users list")])
        asked = known_queue(me.made, queue) if queue else None
        return me.made.cases.ask(id, by, question, queue=asked, user=user.actor if user else None)

    if bool(queue) == bool(person):
        raise ConfigError([Problem("harken case ask", "whom?", "name either --queue or --user")])
    _add(context, name, as_json, change)


@app.command()
def escalate(context: typer.Context, id: CaseId, why: Why, name: As = "", as_json: AsJson = False) -> None:
    """Ask for a lead."""
    _add(context, name, as_json, lambda me, by: me.made.cases.escalate(id, by, why))


@app.command()
def watch(
    context: typer.Context,
    id: CaseId,
    stop: Annotated[bool, typer.Option("--stop", help="No longer.")] = False,
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Be one of those who hear of it."""
    _add(context, name, as_json, lambda me, by: me.made.cases.watch(id, by, stop=stop))


app.command("reply")(answers.reply)
app.command("answered")(answers.answered)
app.command("like")(answers.like)
app.command("hide")(answers.hide)
app.command("clocks")(clocks.show_clocks)


def _act(context: typer.Context, name: str, id: str, as_json: bool, change: Callable[[Worker, By], Case]) -> None:
    """Change a case under its lease: claimed first where nobody has it, refused where somebody else does."""
    with working(context, name) as me:
        _done(me, change(me, me.take(id)), as_json)


def _add(context: typer.Context, name: str, as_json: bool, change: Callable[[Worker, By], Case]) -> None:
    """Do what needs no lease."""
    from desk.handling import By

    with working(context, name) as me:
        _done(me, change(me, By(me.actor)), as_json)


def _done(me: Worker, case: Case, as_json: bool) -> None:
    from pipeline.commands.case_screen import as_object, standing

    if as_json:
        show_json({"case": as_object(case, me.people)})
    else:
        stdout.print(f"{case.id} is {standing(case, me.people, me.actor)}", highlight=False)


def _show(me: Worker, id: str, as_json: bool) -> None:
    from pipeline.commands.case_screen import draw, gather, sheet_as_object

    sheet = gather(me.made, id, me.people, me.actor)
    if as_json:
        show_json(sheet_as_object(sheet, me.people))
    else:
        draw(sheet, me.people)
