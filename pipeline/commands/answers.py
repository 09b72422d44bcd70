"""`harken case reply`, `harken draft` and `harken macros`: answers written, looked over, approved and sent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from pipeline.commands.common import ago, parts, safe, show_json, stdout, table
from pipeline.commands.fitting import fitted
from pipeline.commands.working import As, AsJson, CaseId, People, Worker, known_states, working
from pipeline.errors import ConfigError, HarkenError, Problem

if TYPE_CHECKING:
    from desk.case import Case
    from desk.draft_records import DraftView
    from desk.handling import By
    from pipeline.mention import Media
    from pipeline.wiring import Parts

app = typer.Typer(no_args_is_help=True, help="Answers: list, show, edit, submit, approve, reject, discard, send.")

Id = Annotated[str, typer.Argument(metavar="ID", help="A draft's id, as lists show it.")]
Words = Annotated[str, typer.Argument(metavar="[TEXT|-]", help="The answer; - reads standard input.")]
Awaiting = Annotated[bool, typer.Option("--awaiting", help="It asks the customer something: it is their turn then.")]
Macro = Annotated[str | None, typer.Option("--macro", metavar="NAME", help="Take this macro's text.")]
Language = Annotated[str | None, typer.Option(help="The language it is in, two letters.")]

MOST = 10_000
"""Characters read from standard input; an answer has no more."""


def reply(
    context: typer.Context,
    id: CaseId,
    text: Words = "",
    macro: Macro = None,
    language: Language = None,
    to: Annotated[str | None, typer.Option(metavar="MENTION", help="What it answers; else what was said last.")] = None,
    send_it: Annotated[bool, typer.Option("--send", help="Put it on its way at once.")] = False,
    submit_it: Annotated[bool, typer.Option("--submit", help="Ask for somebody's approval at once.")] = False,
    awaiting: Awaiting = False,
    private: Annotated[
        bool, typer.Option("--private", help="To its author alone, where the network has that.")
    ] = False,
    picture: Annotated[
        list[str] | None, typer.Option(metavar="URL=DESCRIPTION", help="A picture that goes with it; repeatable.")
    ] = None,
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Write an answer and show what to look at. Nothing goes out without --send."""
    if send_it and submit_it:
        raise ConfigError([Problem("harken case reply", "either --send or --submit", "leave one of them out")])
    words = _read(text)
    if not words.strip() and macro is None:
        raise ConfigError([Problem("harken case reply", "there are no words", "a text, - or --macro NAME")])
    with working(context, name, "drafts.write", "sources") as me:
        by = me.take(id)
        shown = [_picture(it) for it in picture or ()]
        draft = me.drafts.write(
            id, by, words, mention=to, macro=macro, language=language, private=private, pictures=shown
        )
        try:
            if submit_it:
                draft = me.drafts.submit(draft.id, by)
            elif send_it:
                draft = me.drafts.send(draft.id, by, may_send=me.may("replies.send"), awaiting=awaiting)
        except HarkenError as refusal:
            _show(me.drafts.draft(draft.id), me.people, as_json)
            raise _kept(refusal, draft) from None
        _show(draft, me.people, as_json)


def answered(
    context: typer.Context,
    id: CaseId,
    url: Annotated[str, typer.Option(help="Where the answer is to be seen.")] = "",
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Say that it was answered on the platform itself."""
    from pipeline.commands.case_screen import as_object, standing

    with working(context, name) as me:
        case: Case = me.made.cases.answer_natively(id, me.take(id), url)
        if as_json:
            show_json({"case": as_object(case, me.people)})
        else:
            stdout.print(f"{case.id} is {standing(case, me.people, me.actor)}", highlight=False)


@app.command("list")
def show_list(
    context: typer.Context,
    case: Annotated[str | None, typer.Option(help="Only of this case.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those that stand so; submitted waits for approval.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List answers, the newest first."""
    from desk.drafting import DraftState
    from pipeline.commands.draft_screen import as_object

    states = known_states(None if state is None else [state], DraftState)
    with parts(context, "sources") as made:
        page = made.drafts.drafts(case, next(iter(states), None), None, limit)
        people = _people(made)
        people.know(actor for it in page.drafts for actor in (it.writer, it.approver))
        shown = [as_object(it, people) for it in page.drafts] if as_json else []
    if as_json:
        show_json(shown)
        return
    if not page.drafts:
        stdout.print("No answers.")
        return
    rows = [
        {
            "draft": it.id,
            "case": it.case,
            "state": str(it.state),
            "changed": ago(it.changed_at),
            "by": safe(people.name(it.writer), 12),
            "text": safe(it.text, 200),
        }
        for it in page.drafts
    ]
    stdout.print(fitted(rows, ("changed", "by", "case"), stdout.width))


@app.command()
def show(context: typer.Context, id: Id, as_json: AsJson = False) -> None:
    """Show an answer: its words, what to look at, and whether it can be sent from here."""
    with parts(context, "sources") as made:
        _show(made.drafts.draft(id), _people(made), as_json)


def like(
    context: typer.Context,
    id: CaseId,
    mention: Annotated[str, typer.Argument(help="Which of the case's mentions.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Have a mention of a case liked, where its platform can."""
    _deed(context, id, mention, "like", "", name, as_json)


def hide(
    context: typer.Context,
    id: CaseId,
    mention: Annotated[str, typer.Argument(help="Which of the case's mentions.")],
    why: Annotated[str, typer.Option(help="The reason; the audit log keeps it.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Have a mention of a case hidden on a page of our own. It is no answer, and feeds what it hides."""
    _deed(context, id, mention, "hide", why, name, as_json)


@app.command()
def edit(
    context: typer.Context, id: Id, text: Words = "", macro: Macro = None, name: As = "", as_json: AsJson = False
) -> None:
    """Give it other words. What was submitted or approved is a draft again."""
    words = _read(text)
    with working(context, name, "drafts.write", "sources") as me:
        old = me.drafts.draft(id)
        by = me.take(old.case)
        _show(me.drafts.write(old.case, by, words, macro=macro, id=id, version=old.version), me.people, as_json)


@app.command()
def submit(context: typer.Context, id: Id, name: As = "", as_json: AsJson = False) -> None:
    """Ask for somebody's approval."""
    _change(context, name, as_json, lambda me, by: me.drafts.submit(id, by))


@app.command()
def approve(context: typer.Context, id: Id, name: As = "", as_json: AsJson = False) -> None:
    """Let it be sent as it stands; nobody approves what they wrote themselves."""
    from desk.audit import Event

    with working(context, name, "drafts.approve", "sources") as me:
        draft = me.drafts.approve(id, _bare(me))
        me.accounts.note(Event(me.actor, "draft.approved", f"case:{draft.case}", {"draft": id}))
        _show(draft, me.people, as_json)


@app.command()
def reject(
    context: typer.Context,
    id: Id,
    why: Annotated[str, typer.Option("--why", help="What to change.")],
    name: As = "",
    as_json: AsJson = False,
) -> None:
    """Give it back to its writer, with what to change."""
    with working(context, name, "drafts.approve", "sources") as me:
        _show(me.drafts.reject(id, _bare(me), why), me.people, as_json)


@app.command()
def discard(context: typer.Context, id: Id, name: As = "", as_json: AsJson = False) -> None:
    """Drop it, words and all; one that is queued is taken back."""

    def change(me: Worker, by: By) -> DraftView:
        old = me.drafts.draft(id)
        return me.drafts.discard(id, me.take(old.case) if old.state == "queued" else by)

    _change(context, name, as_json, change)


@app.command()
def send(context: typer.Context, id: Id, awaiting: Awaiting = False, name: As = "", as_json: AsJson = False) -> None:
    """Put it on its way, exactly once, under your lease. Without the right to send only what somebody approved goes."""
    with working(context, name, "drafts.write", "sources") as me:
        old = me.drafts.draft(id)
        by = me.take(old.case)
        try:
            draft = me.drafts.send(id, by, may_send=me.may("replies.send"), awaiting=awaiting)
        except HarkenError as refusal:
            raise _kept(refusal, old) from None
        _show(draft, me.people, as_json)


def show_macros(
    context: typer.Context,
    case: Annotated[str | None, typer.Option(help="Those that fit this case, best first, filled in.")] = None,
    name: As = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List the macros, or those that fit a case."""
    import msgspec

    from desk.handling import By

    with parts(context) as made:
        user = made.accounts.user_named(name) if name else None
        offers = made.drafts.suggest(case, By(user.actor) if user else None) if case else ()
        macros = made.desk.macros.macros
    if as_json:
        show_json([msgspec.to_builtins(it) for it in offers] if case else [it.model_dump() for it in macros])
    elif case:
        _show_offers(case, offers)
    elif not macros:
        stdout.print("There are no macros: desk.macros names their file, see docs/answering.md.", highlight=False)
    else:
        grid = table("macro", "title", "languages", "intents", "topics", "networks")
        for it in macros:
            listed = (it.texts, it.intents, it.topics, it.networks)
            grid.add_row(safe(it.name), safe(it.title, 40), *(safe(", ".join(names)) or "—" for names in listed))
        stdout.print(grid)


def _show_offers(case: str, offers: object) -> None:
    from desk.draft_records import Offer
    from pipeline.commands.draft_screen import body

    found = [it for it in offers if isinstance(it, Offer)] if isinstance(offers, tuple) else []
    if not found:
        stdout.print("No macro fits.")
        return
    for it in found:
        because = safe("; ".join(it.reasons), 120) or "it fits everything"
        stdout.print(f"[bold]{safe(it.macro)}[/bold]  {safe(it.title, 60)} ({it.language}; {because})", highlight=False)
        stdout.print(body(it.text))
        if it.missing:
            stdout.print(f"  [yellow]to fill in: {safe(', '.join(it.missing))}[/yellow]", highlight=False)
    stdout.print(f"harken case reply {safe(case)} --macro {safe(found[0].macro)}", highlight=False)


def _change(context: typer.Context, name: str, as_json: bool, change: Callable[[Worker, By], DraftView]) -> None:
    with working(context, name, "drafts.write", "sources") as me:
        _show(change(me, _bare(me)), me.people, as_json)


def _bare(me: Worker) -> By:
    """Them, without a token."""
    from desk.handling import By

    return By(me.actor)


def _people(made: Parts) -> People:

    return People(made.accounts)


def _deed(
    context: typer.Context, id: str, mention: str, action: Literal["like", "hide"], why: str, name: str, as_json: bool
) -> None:
    from desk.audit import Event
    from desk.handling import By

    with working(context, name, "replies.send", "sources") as me:
        deed = me.made.deeds.ask(id, By(me.actor), mention, action, why)
        if action == "hide":
            me.accounts.note(Event(me.actor, "mention.hidden", f"case:{id}", {"mention": mention, "why": deed.why}))
    if as_json:
        from msgspec.structs import asdict

        show_json({"deed": asdict(deed)})
    else:
        stdout.print(f"The role desk will {action} {safe(mention)}.", highlight=False)


def _picture(given: str) -> Media:
    """`URL=DESCRIPTION`; the description is what follows the last `=`, since addresses hold some too."""
    from pipeline.mention import Media

    url, _, alt = given.rpartition("=")
    if not url or not alt.strip():
        problem = Problem(f"--picture {safe(given, 60)}", "has no description", "write URL=DESCRIPTION")
        raise ConfigError([problem])
    return Media(url=url, alt=alt.strip())


def _read(text: str) -> str:
    if text != "-":
        return text
    words = sys.stdin.read(MOST + 1)
    if len(words) > MOST:
        raise ConfigError([Problem("standard input", f"an answer has at most {MOST:,} characters", "shorten it")])
    return words.strip("\n")


def _kept(refusal: HarkenError, draft: DraftView) -> HarkenError:
    """The refusal to send, with what is left to do."""
    where = (
        f"\nAnswer it there: {draft.deep_link}\nand then: harken case answered {draft.case}" if draft.deep_link else ""
    )
    return HarkenError(f"not sent: {refusal}{where}\nThe words are kept as draft {draft.id}.")


def _show(draft: DraftView, people: People, as_json: bool) -> None:
    from pipeline.commands.draft_screen import as_object, drawn, put

    if as_json:
        show_json({"draft": as_object(draft, people)})
        return
    for part in (*drawn(draft, people), *_next(draft)):
        put(part)


def _next(draft: DraftView) -> tuple[str | Text, ...]:
    from pipeline.commands.draft_screen import link

    id, case = draft.id, draft.case
    match draft.state:
        case "queued":
            return (f"It goes out by the role desk: harken draft show {id} says what came of it.",)
        case "submitted":
            return (f"It waits for somebody else: harken draft approve {id}, or reject {id} --why TEXT",)
        case "sending" | "sent" | "withdrawn" | "discarded":
            return ()
        case "rejected":
            return (f"harken draft edit {id} TEXT",)
    if draft.eligible:
        return (f"Not sent yet: harken draft send {id}, or edit {id} TEXT, submit {id}, discard {id}",)
    there = (link(draft.deep_link, "Answer it there: "),) if draft.deep_link else ()
    why = safe(draft.why_not or "")
    return (f"[red]It cannot be sent from here.[/red] {why}", *there, f"Once you have: harken case answered {case}")
