"""An incident on a terminal: what to know and what to do, in the order in which one needs it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from pipeline.commands import alert_screen
from pipeline.commands.alert_screen import Alerted
from pipeline.commands.common import safe
from pipeline.commands.draft_screen import link, put
from pipeline.commands.fitting import fitted
from pipeline.commands.spike_chart import axis, chart
from pipeline.commands.working import People
from spikes.detection import Key, Kind
from spikes.growth import Growth, Span
from spikes.incident_records import Happening, Incident, StatementOut
from spikes.incident_shelf import NoSuchIncident
from spikes.playbooks import Playbook, Playbooks, filled
from spikes.readings import Readings, Width
from spikes.story import Story

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.wiring import Parts
    from spikes.answering import Answers
    from spikes.buckets import Bucket
    from spikes.promises import Promise
    from spikes.telling import Told

BEFORE = timedelta(hours=1)
"""So much from before the onset is in the chart."""

AFTER = timedelta(minutes=30)
"""So much from after the last detection is."""

COLUMNS = 70
"""Of the chart."""

HAPPENED = 500
"""Events read."""

_LATEST = 12
"""Events shown."""


@dataclass(frozen=True)
class Sheet:
    """An incident with what belongs to it. `series` are its buckets, an hour's each where those of five minutes would
    be too many for a screen; `cases` counts the cases of its family, `more` says that there are more of them; `answers`
    is how far the statement is that was sent last to these."""

    told: Told
    series: Sequence[Bucket]
    history: Sequence[Happening]
    cases: int
    more: bool
    playbooks: Playbooks
    playbook: Playbook | None
    alerted: Alerted
    promises: Sequence[Promise]
    answers: Answers | None

    @property
    def incident(self) -> Incident:
        """The incident as it stands."""
        return self.told.incident


def gather(made: Parts, id: str, people: People) -> Sheet:
    """Everything about an incident, by its id or the beginning of it. Raises NoSuchIncident."""
    from spikes.answering import answers_of

    incidents = made.incidents
    told = incidents.told(whole_id(made, id))
    incident = told.incident
    history = incidents.timeline(incident.id, max(0, incident.version - HAPPENED), HAPPENED)
    page = incidents.cases_of(incident.id, limit=500)
    playbooks = made.playbooks
    found = answers_of(made.database, incident)
    people.know([incident.work.acknowledged_by, incident.work.closed_by, *(it.event.actor for it in history)])
    return Sheet(
        told=told,
        series=_series(Readings(made.database, made.clock), incident, made.clock.now()),
        history=history,
        cases=len(page.cases),
        more=page.next is not None,
        playbooks=playbooks,
        playbook=playbooks.chosen(incident.kind.value, incident.brand),
        alerted=alert_screen.alerted(made, incident.id),
        promises=incidents.promises(incident),
        answers=found[1] if found else None,
    )


def whole_id(made: Parts, id: str) -> str:
    """The id of which this is the beginning, where there is only one; raises NoSuchIncident."""
    known = [it.id for it in made.incidents.incidents(limit=500).incidents if it.id.startswith(id)] if id else []
    if len(known) > 1 and id not in known:
        raise NoSuchIncident(f"{len(known)} incidents begin with {safe(id, 40)}: write more of it")
    return known[0] if len(known) == 1 else id


def _series(readings: Readings, incident: Incident, now: datetime) -> list[Bucket]:
    since = incident.extent.onset - BEFORE
    until = min(max(now, incident.extent.last_at), incident.extent.last_at + AFTER)
    width: Width = 5 if (until - since) / timedelta(minutes=5) <= COLUMNS else 60
    key = Key(incident.brand) if incident.topic is None else Key(incident.brand, "topic", incident.topic)
    return readings.series(key, since, until, width)[:COLUMNS]


# --------------------------------------------------------------------- for a program


def as_object(incident: Incident, people: People, promised: Sequence[Promise]) -> dict[str, Any]:
    """An incident for a program, with what is promised of it."""
    told: dict[str, Any] = msgspec.to_builtins(incident)
    by = incident.work.acknowledged_by
    told |= {"state": str(incident.state), "acknowledged_by_name": people.name(by) or None}
    return told | {"promises": msgspec.to_builtins(promised)}


def sheet_as_object(sheet: Sheet, people: People) -> dict[str, Any]:
    """A sheet for a program."""
    growth = {name: _finite(value) for name, value in sheet.told.growth._asdict().items()}
    return {
        "incident": as_object(sheet.incident, people, sheet.promises),
        "answers": sheet.answers._asdict() if sheet.answers else None,
        "paragraph": sheet.told.paragraph,
        "story": msgspec.to_builtins(sheet.told.story),
        "growth": growth,
        "series": msgspec.to_builtins(sheet.series),
        "playbook": sheet.playbook.model_dump(mode="json") if sheet.playbook else None,
        "cases": sheet.cases,
        "more_cases": sheet.more,
        "history": [msgspec.to_builtins(it.event) | {"number": it.number} for it in sheet.history],
        "alerts": alert_screen.as_object(sheet.alerted),
        "people": people.known,
    }


def _finite(value: Span | str | None) -> Any:
    """JSON has no infinity: what is not known stands as null."""
    if isinstance(value, tuple):
        return {name: it if math.isfinite(it) else None for name, it in value._asdict().items()}
    return value


# ---------------------------------------------------------------------- for a person


def listing(
    incidents: Sequence[Incident],
    sizes: Mapping[str, tuple[int, int]],
    promised: Mapping[str, Sequence[Promise]],
    people: People,
    width: int,
) -> Table:
    """Incidents, a line each, by the beginning of their ids: commands take that."""
    rows = [
        {
            "incident": it.id[:8],
            "severity": str(it.severity),
            "kind": _words(it.kind),
            "state": _words(it.state),
            "since": f"{it.extent.onset:%m-%d %H:%M}",
            "posts": f"{sizes[it.id][0]:,}",
            "people": f"{sizes[it.id][1]:,}",
            "by": safe(people.name(it.work.acknowledged_by), 12) or "—",
            "due": _due(it, promised[it.id]),
            "brand": safe(f"{it.brand}, {it.topic}" if it.topic else it.brand, 60),
        }
        for it in incidents
    ]
    return fitted(rows, ("posts", "by", "people", "due", "kind"), width)


def _due(incident: Incident, promised: Sequence[Promise]) -> str:
    """What is due next, or overdue."""
    if not incident.live:
        return "—"
    for it in promised:
        if it.at is None:
            return f"{it.name} {'overdue' if it.kept is False else f'{it.due:%H:%M}'}"
    return "—"


def draw(sheet: Sheet, people: People) -> None:
    """Show it."""
    for part in _parts(sheet, people):
        put(part)


def _parts(sheet: Sheet, people: People) -> Iterator[RenderableType]:
    incident = sheet.incident
    by = people.name(incident.work.acknowledged_by)
    seen = f", {safe(by)} sees to it" if by else ", nobody has acknowledged it" if incident.live else ""
    yield (
        f"[bold]{incident.id}[/bold]  {incident.severity} {_words(incident.kind)}, {safe(incident.brand)}"
        f"{f', {safe(incident.topic)}' if incident.topic else ''}: {_words(incident.state)}{seen}"
    )
    if incident.work.into:
        yield f"It turned out to be part of another: harken spikes show {incident.work.into}"
    for it in sheet.promises:
        yield f"  {_promise(it)}"
    yield ""
    yield Text(" ".join(sheet.told.paragraph.split()))
    if sheet.series:
        yield from _title("How it went")
        yield from _chart(sheet)
    if incident.kind is not Kind.SILENCE:
        yield from _outlook(sheet.told.growth)
    if sheet.told.story is not None:
        yield from _story(sheet.told.story, incident)
    yield from _to_do(sheet)
    yield from _title("Told")
    yield from alert_screen.lines(sheet.alerted)
    yield from _title("Done")
    yield from _done(sheet.history, people)
    yield from _title("Next")
    yield from _next(sheet)


def _promise(it: Promise) -> str:
    """A promise in one line."""
    when = f"{it.name}: promised by {it.due:%m-%d %H:%M} UTC"
    if it.kept is None:
        return f"{when}, not done" if it.at is None else when
    return f"{when}, [green]kept[/green]" if it.kept else f"{when}, [red]{'missed' if it.at else 'overdue'}[/red]"


def _chart(sheet: Sheet) -> Iterator[Text]:
    series = sheet.series
    each = "5 minutes" if series[0].minutes < 60 else "hour"
    wide = 2 if len(series) * 2 <= COLUMNS else 1
    lines = [
        *chart(f"mentions of {sheet.incident.brand} in each {each}", [it.mentions for it in series], 4, wide),
        *chart("people who said something against it", [it.negative_authors for it in series], 4, wide),
        *axis([it.at for it in series], sheet.incident.extent.onset, wide),
    ]
    for line in lines:
        yield Text(line, no_wrap=True, overflow="crop")


def _outlook(growth: Growth) -> Iterator[str]:
    told = {
        "growing": "It is growing",
        "steady": "It goes on as it is",
        "fading": "It is fading",
        "over": "It is over, as far as one can see",
        "unknown": "Too little is known to say how it goes on",
    }[growth.course]
    if growth.doubling:
        told += f": twice as many every {growth.doubling.middle:.0f} minutes{_between(growth.doubling, ' minutes')}"
    if growth.halving:
        told += f": half as many every {growth.halving.middle:.0f} minutes{_between(growth.halving, ' minutes')}"
    yield f"  {told}."
    if growth.next_hour and growth.course != "unknown":
        yield f"  In the hour after: {growth.next_hour.middle:,.0f} more posts{_between(growth.next_hour)}."


def _between(span: Span, unit: str = "") -> str:
    high = f"{span.high:,.0f}" if math.isfinite(span.high) else "any number of"
    return f" (nine in ten: {span.low:,.0f} to {high}{unit})"


def _story(story: Story, incident: Incident) -> Iterator[RenderableType]:
    if story.terms:
        yield from _title("Said more than before")
        yield f"  {safe(', '.join(f'{it.text} ({it.authors})' for it in story.terms), 400)}"
    yield from _title("Who drives it")
    crowd = story.crowd
    yield f"  {story.posts:,} posts by {story.authors:,} people, {_percent(crowd.copies)} of them copies and reposts"
    new = "" if crowd.new is None else f", {_percent(crowd.new)} of accounts younger than a month"
    yield f"  {_percent(crowd.suspicious)} new accounts that nobody follows{new}"
    for what, post in (("first", story.first), ("most seen", story.loudest)):
        if post is not None:
            by = f"@{safe(post.handle, 40)} on {safe(post.source)}"
            yield f"  {what}: {by}, {post.said_at:%H:%M} UTC, reach {post.reach:,}"
            yield link(post.url, "    ", style="dim")
    if story.rival:
        whose = "may be theirs" if story.rival.theirs else "is in it too"
        yield f"  {safe(story.rival.brand)} {whose}: named in {story.rival.posts} posts"
    if story.links:
        yield f"  links: {safe(', '.join(f'{url} ({count})' for url, count in story.links[:3]), 300)}"
    if story.places:
        yield f"  places: {safe(', '.join(story.places), 200)}"
    if story.posts_shown:
        yield from _title("In their words")
        for post in story.posts_shown:
            alike = f" ({post.alike} say nearly the same)" if post.alike > 1 else ""
            yield Padding(Text(f"“{safe_text(post.quote)}”{alike}"), (0, 0, 0, 2))
    if story.advocates and incident.group == "storm":
        yield from _title("Who speaks up for the brand")
        for it in story.advocates:
            yield f"  @{safe(it.handle or it.account, 60)} {'now' if it.mention else 'before, silent now'}"


def _to_do(sheet: Sheet) -> Iterator[RenderableType]:
    book, incident = sheet.playbook, sheet.incident
    if book is None or not incident.live:
        return
    yield from _title(f"What to do (playbook {safe(book.name)})")
    for one in book.pause:
        yield Padding(Text(f"pause: {safe_text(one)}"), (0, 0, 0, 2))
    for name in book.statements:
        if statement := sheet.playbooks.statement(name):
            text = filled(sheet.playbooks, statement, incident.brand, incident.id)
            yield Padding(Text(f"to say, once approved ({name}): {safe_text(text)}"), (0, 0, 0, 2))
    for page in book.read:
        yield f"  read: {safe(page.title, 100)}"
        yield link(page.url, "    ", style="dim")
    if sheet.cases:
        more = " and more" if sheet.more else ""
        yield f"  {sheet.cases}{more} cases are of it: harken spikes cases {incident.id}"
    if sheet.answers:
        it = sheet.answers
        yield f"  the statement: {it.sent} sent, {it.waiting} on their way, {it.failed} not sent, {it.left} to come"


def _done(history: Sequence[Happening], people: People) -> Iterator[RenderableType]:
    if len(history) > _LATEST:
        yield f"  [dim]{len(history) - _LATEST} before that: --json has them[/dim]"
    for _, event in history[-_LATEST:]:
        said = " ".join(filter(None, (event.text, event.url if isinstance(event, StatementOut) else "")))
        line = f"{event.at:%m-%d %H:%M} {_words(event.kind)}, {safe_text(people.name(event.actor))}"
        yield Padding(Text(f"{line}: {safe_text(said)}" if said else line), (0, 0, 0, 2))


def _next(sheet: Sheet) -> Iterator[str]:
    id, work = sheet.incident.id[:8], sheet.incident.work
    if work.into:
        return
    ways = [("review", "", "how it went"), ("reopen", " --why TEXT", "it is not over")]
    if sheet.incident.live:
        ways = [] if work.acknowledged_by else [("ack", "", "you see to it")]
        ways.append(("note", " TEXT", "for the others"))
        if work.statement_at is None:
            ways.append(("statement", " TEXT", "what you said, once it is out"))
        if sheet.cases:
            ways.append(("follow", " CASE --why TEXT", "one case for all"))
        if work.answer:
            ways.append(("answer", " --stop", "send it to nobody else"))
        elif work.lead:
            ways.append(("answer", " --draft DRAFT", "one answer for all"))
        ways.append(("close", " --why TEXT", "it is over"))
    for name, more, what in ways:
        yield f"  {f'harken spikes {name} {id}{more}':<48}{what}"


def _title(text: str) -> Iterator[str]:
    yield ""
    yield f"[bold]{text}[/bold]"


def safe_text(text: str) -> str:
    """An outside string for a `Text`, which reads no markup."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _words(name: str) -> str:
    return str(name).replace("_", " ")
