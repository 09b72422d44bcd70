"""A case on a terminal: everything somebody needs who works on it, in the order in which they need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from desk import events
from desk.case import Case
from desk.case_records import CaseFilter, Happening, Said
from desk.explanations import why
from desk.service_levels import Clock, ClockState, soonest
from pipeline.commands.clocks import as_object as clock_as_object
from pipeline.commands.common import ago, safe
from pipeline.commands.draft_screen import as_object as draft_as_object
from pipeline.commands.draft_screen import body, drawn, link, put
from pipeline.commands.fitting import fitted
from pipeline.commands.working import People
from pipeline.mention import Kind, Mention, Routed

if TYPE_CHECKING:
    from rich.table import Table

    from desk.draft_records import DraftView
    from desk.eligibility import Eligibility
    from pipeline.wiring import Parts

MENTIONS, AROUND, HAPPENED, OTHERS, DRAFTS = 200, 20, 500, 10, 20
"""The most that is read of each."""

_LATEST = 12
"""So many things that happened are shown, the latest."""

_CLOCKS = {"first_response": "first answer", "next_response": "next answer", "resolution": "settled"}
_SILENT = (events.LeaseExtended, events.MentionAdded, events.CustomerReplied, events.MentionRemoved)
_NOT_TOLD = frozenset({"at", "actor", "kind", "token", "mention", "created_at", "draft", "key", "author"}) | {
    "conversation", "rule", "rules_version", "language", "topic", "brand", "due", "wrong_route", "family",
}  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """A case with what belongs to it. `around` is what others said in its conversations; `verdict` whether what its
    author said last can be answered from here, None where nothing of it is left; `lead` and `copies` are of its
    wave."""

    case: Case
    said: Sequence[Said]
    around: Sequence[Routed]
    history: Sequence[Happening]
    drafts: Sequence[DraftView]
    clocks: Sequence[Clock]
    others: Sequence[Case]
    lead: str
    copies: int
    verdict: Eligibility | None
    viewer: str | None

    @property
    def last(self) -> Routed | None:
        """What its author said last, as far as that is kept."""
        return next((it.routed for it in reversed(self.said) if it.part == "said" and it.routed), None)


def gather(made: Parts, id: str, people: People, viewer: str | None) -> Sheet:
    """Everything about a case, for `viewer`. Raises NoSuchCase."""
    from desk.eligibility import through

    cases = made.cases
    case, said, around = cases.case(id), cases.said(id, MENTIONS), cases.thread(id, AROUND)
    wave = cases.family(id, limit=1)
    others = cases.cases(CaseFilter(author=case.author, open=True), limit=OTHERS + 1).cases
    happened = cases.history(id, max(0, case.version - HAPPENED), HAPPENED)
    drafts = made.drafts.drafts(id, limit=DRAFTS).drafts
    last = next((it.routed.mention for it in reversed(said) if it.part == "said" and it.routed), None)
    ours = {it.mention.id for it in around if it.mention.own}
    quotes = last is not None and last.kind is Kind.QUOTE and last.parent in ours
    people.know([case.owner, *case.watchers, *(it.event.actor for it in happened), *(it.writer for it in drafts)])
    return Sheet(
        case=case,
        said=said,
        around=around,
        history=happened,
        drafts=drafts,
        clocks=made.keeper.clocks_of(id),
        others=[it for it in others if it.id != id][:OTHERS],
        lead=wave.lead.id,
        copies=wave.copies,
        verdict=through(last, made.desk.vias, quotes_ours=quotes) if last else None,
        viewer=viewer,
    )


# --------------------------------------------------------------------- for a program


def as_object(case: Case, people: People) -> dict[str, Any]:
    """A case for a program: all of its fields, with the name of its owner."""
    return {name: msgspec.to_builtins(getattr(case, name)) for name in case.__struct_fields__} | {
        "owner_name": people.name(case.owner) or None
    }


def sheet_as_object(sheet: Sheet, people: People) -> dict[str, Any]:
    """A sheet for a program; the token only for whoever holds the case."""
    case, verdict = sheet.case, sheet.verdict
    mine = case.owner is not None and case.owner == sheet.viewer
    return {
        "case": as_object(case, people),
        "lease": {
            "holder": case.owner,
            "until": case.until and case.until.isoformat(),
            "token": case.token if mine else None,
        },
        "said": [_said_as_object(it) for it in sheet.said],
        "around": [_said_as_object(Said(it.mention.id, "context", it.mention.created_at, it)) for it in sheet.around],
        "drafts": [draft_as_object(it, people) for it in sheet.drafts],
        "clocks": [clock_as_object(it) for it in sheet.clocks],
        "others": [as_object(it, people) for it in sheet.others],
        "wave": {"lead": sheet.lead, "copies": sheet.copies},
        "answerable": verdict and {
            "eligible": not hasattr(verdict, "reason"),
            "why_not": getattr(verdict, "reason", None),
            "deep_link": getattr(verdict, "deep_link", None) or None,
        },
        "history": [msgspec.to_builtins(it.event) for it in sheet.history],
        "people": people.known,
    }  # fmt: skip


def _said_as_object(one: Said) -> dict[str, Any]:
    mention = one.routed.mention if one.routed else None
    return {
        "mention": one.mention,
        "part": one.part,
        "said_at": one.said_at.isoformat(),
        "author": mention and (mention.author.handle or mention.author.name or mention.author.id),
        "text": mention and mention.text,
        "url": mention and mention.url,
    }


# ---------------------------------------------------------------------- for a person


def listing(cases: Sequence[Case], clocks: Mapping[str, Sequence[Clock]], people: People, width: int) -> Table:
    """Cases, a line each; on a narrow screen without what can best be missed."""
    rows = [
        {
            "case": safe(case.id),
            "queue": safe(case.queue, 12),
            "state": "follows" if case.lead and not case.owner else str(case.state),
            "priority": str(case.priority),
            "due": _due(case, clocks.get(case.id, ()), name_it=False),
            "said": str(case.mentions),
            "owner": safe(people.name(case.owner), 12) or "—",
            "customer": safe(case.author, 60),
        }
        for case in cases
    ]
    return fitted(rows, ("said", "owner", "priority", "queue", "state"), width)


def standing(case: Case, people: People, viewer: str | None) -> str:
    """`claimed in service, yours for 4 min more`."""
    holder = ""
    if case.owner:
        whose = "yours" if case.owner == viewer else f"with {safe(people.name(case.owner))}"
        holder = f", {whose} until {case.until:%H:%M} UTC"
    return f"{case.state} in {safe(case.queue)}{holder}"


def draw(sheet: Sheet, people: People, *, full: bool = False) -> None:
    """Show it."""
    for part in _parts(sheet, people, full):
        put(part)


def _parts(sheet: Sheet, people: People, full: bool) -> Iterator[RenderableType]:
    yield from _head(sheet, people)
    yield _title("Said")
    yield from _thread(sheet, people, full)
    if waiting := [it for it in sheet.drafts if it.state != "sent"]:
        yield _title("Answers")
        for draft in waiting[:3]:
            yield from (Padding(it, (0, 0, 0, 2)) for it in drawn(draft, people, brief=not full))
        if len(waiting) > 3:
            yield f"  {len(waiting) - 3} more: harken draft list --case {sheet.case.id}"
    if sheet.clocks:
        yield _title("Promised")
        yield from _promised(sheet.clocks)
    if sheet.others:
        yield _title("Other open cases of this customer")
        for case in sheet.others:
            yield f"  {case.id}  {standing(case, people, sheet.viewer)}, {case.priority}, {case.mentions} said"
    yield _title("Done")
    yield from _done(sheet.history, people)
    yield _title("Next")
    yield from _next(sheet)


def _head(sheet: Sheet, people: People) -> Iterator[RenderableType]:
    case, last = sheet.case, sheet.last
    yield f"[bold]{safe(case.id)}[/bold]  {_urgent(case.priority)}, {standing(case, people, sheet.viewer)}"
    due = _due(case, sheet.clocks)
    yield "Nothing is due." if due == "—" else f"due {due}"
    if last:
        yield _who(last.mention)
    yield f"[dim]customer {safe(case.author, 120)}" + (f", brand {safe(case.brand)}" if case.brand else "") + "[/dim]"
    evidence = "; ".join(last.decision.evidence) if last and last.decision.rule == case.rule else ""
    if case.rule:
        yield f"[dim]here because {safe(f'{case.rule}: {evidence}' if evidence else case.rule, 200)}[/dim]"
    if sheet.lead != case.id:
        yield f"Worked through {sheet.lead}, with {sheet.copies} copies: claim this one to answer it by itself."
    elif sheet.copies:
        yield f"{sheet.copies} copies follow it, one answer settles them: harken case list --wave {case.id}"
    if case.tags or case.watchers or case.escalated:
        marks = ["escalated"] if case.escalated else []
        marks += [f"tags {', '.join(map(safe, case.tags))}"] if case.tags else []
        marks += [f"watched by {', '.join(safe(people.name(it)) for it in case.watchers)}"] if case.watchers else []
        yield "; ".join(marks)


def _who(mention: Mention) -> str:
    author = mention.author
    handle = f"@{author.handle.lstrip('@')}" if author.handle else ""
    by = " ".join(dict.fromkeys(filter(None, (safe(author.name, 60), safe(handle, 60))))) or safe(author.id, 60)
    reach = "" if author.followers is None else f", {author.followers:,} followers"
    return f"{by}{' (verified)' if author.verified else ''} on {safe(mention.source)}{reach}"


def _thread(sheet: Sheet, people: People, full: bool) -> Iterator[RenderableType]:
    sent = {f"{it.mention.partition(':')[0]}:{it.native_id}": it for it in sheet.drafts if it.native_id}
    lines = [(it.said_at, it) for it in sheet.said]
    lines += [(it.mention.created_at, Said(it.mention.id, "", it.mention.created_at, it)) for it in sheet.around]
    for at, one in sorted(lines, key=lambda it: (it[0], it[1].mention)):
        draft = sent.get(one.mention)
        mention = one.routed.mention if one.routed else None
        text = f"{mention.title}\n{mention.text}".strip() if mention else draft.text if draft else ""
        yield Text.from_markup(
            f"{at:%a %Y-%m-%d %H:%M} ({ago(at)})  {_speaker(one, draft, people)}", emoji=False, overflow="ellipsis"
        )
        yield body(text or "(no longer kept)", full=full)
        if mention and mention.url and one.part == "said":
            yield link(mention.url, "    ", style="dim")


def _speaker(one: Said, draft: DraftView | None, people: People) -> str:
    mention = one.routed.mention if one.routed else None
    if one.part == "answer":
        return "[green]we[/green]" + (f", {safe(people.name(draft.writer))}" if draft else "")
    author = mention.author if mention else None
    by = safe(author.handle or author.name or author.id, 30) if author else "customer"
    if one.part == "said":
        return f"[bold]{by}[/bold]" + (", edited" if mention and mention.edited_at else "")
    return f"{by} [dim](taken back)[/dim]" if one.part == "dropped" else f"{by} [dim](in the same thread)[/dim]"


def _promised(clocks: Sequence[Clock]) -> Iterator[str]:
    for clock in clocks:
        first, *rest = why(clock)
        late = clock.state is ClockState.BREACHED
        yield f"  [red]{safe(first)}[/red]" if late and clock.live else f"  {safe(first)}"
        if late:
            yield from (f"    [dim]{safe(line)}[/dim]" for line in rest[:5])


def _done(history: Sequence[Happening], people: People) -> Iterator[str]:
    told = [it.event for it in history if not isinstance(it.event, _SILENT)]
    if len(told) > _LATEST:
        yield f"  [dim]{len(told) - _LATEST} before that: --json has them[/dim]"
    for event in told[-_LATEST:]:
        said = _details(event, people)
        yield f"  {event.at:%m-%d %H:%M} {event.kind.replace('_', ' ')}, {safe(people.name(event.actor))}" + (
            f": {safe(said, 300)}" if said else ""
        )


def _details(event: events.Event, people: People) -> str:
    """What an event says beside its kind, without what is only for programs."""
    fields: dict[str, Any] = msgspec.structs.asdict(event)
    told: list[str] = []
    for name, value in fields.items():
        if name in _NOT_TOLD or not value or (name in ("owner", "user") and value == event.actor):
            continue
        if name == "until" and not isinstance(event, events.Snoozed):  # of the lease, which the head shows
            continue
        told.append(_detail(name, value, people))
    if fields.get("wrong_route"):
        told.append("routed wrong")
    return ", ".join(told)


def _detail(name: str, value: Any, people: People) -> str:
    if name in ("reason", "text", "question", "url"):
        return str(value)
    if isinstance(value, datetime):
        return f"{name} {value:%m-%d %H:%M}"
    if value is True:
        return name
    if isinstance(value, tuple):
        value = " ".join(value)
    return f"{name} {people.name(value) if name in ('owner', 'user') else value}"


def _next(sheet: Sheet) -> Iterator[RenderableType]:
    from desk.eligibility import Ineligible

    case, id = sheet.case, sheet.case.id
    verdict = sheet.verdict
    if not case.open:
        if case.state == "resolved":
            yield f"  harken case reopen {id} --why TEXT"
        return
    if case.owner and sheet.viewer and case.owner != sheet.viewer:
        yield f"  harken case takeover {id} --why TEXT"
        yield f"  harken case note {id} TEXT"
        return
    if isinstance(verdict, Ineligible):
        yield f"  It cannot be answered from here. {safe(verdict.reason)}"
        if verdict.deep_link:
            yield link(verdict.deep_link, "  Answer it there: ")
        yield f"  harken case answered {id}                once you have"
    else:
        yield f"  harken macros --case {id}                what fits"
        yield f"  harken case reply {id} TEXT              or --macro NAME; --send"
    yield f"  harken case resolve {id}"
    yield f"  harken case transfer {id} QUEUE --why TEXT"


def _title(text: str) -> str:
    return f"[bold]{text}[/bold]"


def _due(case: Case, clocks: Sequence[Clock], *, name_it: bool = True) -> str:
    """By when the next thing must happen, and what that is: as the clocks of the service level have it now, where there
    are any, else as the rules said."""
    at = soonest(clocks) if clocks else case.due
    if at is None:
        return "—"
    clock = next((it for it in clocks if it.live and it.due == at), None)
    what = f", {_CLOCKS[clock.name]}" if clock and name_it else ""
    when = ago(at)
    return f"[red]{when.removesuffix(' ago')} late[/red]{what}" if when.endswith(" ago") else f"{when}{what}"


def _urgent(priority: str) -> str:
    return f"[bold]{priority}[/bold]" if priority in ("urgent", "high") else str(priority)
