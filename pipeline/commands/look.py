"""`harken ledger`, `status`, `explain` and `summary`: what happened, what is happening, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from pipeline.commands.common import ago, parts, safe, show_json, stdout, table
from pipeline.commands.queue import listing
from pipeline.errors import ConfigError, HarkenError, Problem, Unavailable
from pipeline.ledger import Ledger, explained
from pipeline.mention import Tags
from pipeline.store import Story
from pipeline.wiring import Parts

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
COLUMNS = ("taken_in", "queued", "filtered", "dead", "removed", "in_flight", "missing")


def ledger(
    context: typer.Context,
    as_json: AsJson = False,
    release: Annotated[
        bool, typer.Option("--release-missing", help="Let what is missing be taken in when its source brings it again.")
    ] = False,
) -> None:
    """Show, by source and overall, that taken in = queued + filtered + dead + removed + in flight, and how we know.

    Exit status 1 when it does not balance.
    """
    with parts(context) as made:
        made.bus.apply(made.topics)
        found = made.ledger(release)
    if as_json:
        show_json(found.as_json())
    else:
        show_ledger(found)
    if not found.balanced:
        raise typer.Exit(1)


def show_ledger(found: Ledger) -> None:
    """The ledger as a table, with its evidence."""
    figures = found.as_json()
    grid = table("source", *(f">{column.replace('_', ' ')}" for column in COLUMNS), "")
    for source, one in sorted(figures["sources"].items()):
        grid.add_row(safe(source), *(f"{one[column]:,}" for column in COLUMNS), _verdict(one["balanced"]))
    grid.add_row("[bold]all[/bold]", *(f"{figures[column]:,}" for column in COLUMNS), _verdict(figures["balanced"]))
    stdout.print(grid)
    for reason, count in sorted(figures["filtered_by_reason"].items(), key=lambda pair: -pair[1]):
        stdout.print(f"  filtered as {safe(reason)}: {count:,}")
    for line in explained(found):
        stdout.print(f"  {safe(line)}", style="dim")


def _verdict(balanced: bool) -> str:
    return "[green]balanced[/green]" if balanced else "[red]NOT balanced[/red]"


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show lag and rates of each role, the sources, their gaps, the sinks, and how many dead letters wait."""
    with parts(context, "sinks") as made:
        made.bus.apply(made.topics)
        found = _status(made)
    if as_json:
        show_json(found)
        return
    now = datetime.now(UTC)
    grid = table("role", ">lag", ">processes", ">records/s")
    for role in found["roles"]:
        grid.add_row(role["role"], _number(role["lag"]), str(role["processes"]), f"{role['rate']:.1f}")
    stdout.print(grid)
    grid = table("source", "last heard", "last item", ">open gaps", title="\nSources")
    for source in found["sources"]:
        heard, item = (_moment(source[name]) for name in ("last_heard_at", "last_item_at"))
        grid.add_row(safe(source["via"]), ago(heard, now), ago(item, now), str(source["open_gaps"]))
    stdout.print(grid)
    for gap in found["gaps"]:
        stdout.print(f"  gap in {safe(gap['via'])}: {gap['since']} to {gap['until']}, {safe(gap['reason'])}")
    if found["sinks"]:
        grid = table("sink", ">pending", "oldest", ">refused", title="\nSinks")
        for sink in found["sinks"]:
            oldest = ago(_moment(sink["oldest"]), now)
            grid.add_row(safe(sink["name"]), str(sink["pending"]), oldest, str(sink["refused"]))
        stdout.print(grid)
    stdout.print(f"\n{found['dead_letters']:,} dead letters" + (" (harken dead list)" if found["dead_letters"] else ""))


def _status(made: Parts) -> dict[str, Any]:
    try:
        lags: dict[str, int | None] = dict(made.lag())
    except Unavailable as error:
        stdout.print(f"lag unknown: {safe(str(error))}")
        lags = dict.fromkeys(made.inputs)
    alive = made.store.workers()
    gaps = made.store.gaps(open_only=True)
    return {
        "roles": [
            {
                "role": role,
                "lag": lag,
                "processes": sum(worker.role == role for worker in alive),
                "rate": sum(worker.rate for worker in alive if worker.role == role),
            }
            for role, lag in lags.items()
        ],
        "sources": [
            {
                "via": source.via,
                "last_item_at": _iso(source.last_item_at),
                "last_heard_at": _iso(source.last_heard_at),
                "open_gaps": sum(gap.via == source.via for gap in gaps),
            }
            for source in made.store.sources()
        ],
        "gaps": [
            {"via": gap.via, "since": _iso(gap.since), "until": _iso(gap.until), "reason": gap.reason} for gap in gaps
        ],
        "sinks": [
            {"name": sink.name, "pending": log.pending, "oldest": _iso(log.oldest), "refused": log.refused}
            for sink in made.config.sinks
            for log in (made.store.backlog(sink.name),)
        ],
        "dead_letters": made.ledger().as_json()["dead"],
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def explain(
    context: typer.Context, id: Annotated[str, typer.Argument(help="A mention's id.")], as_json: AsJson = False
) -> None:
    """Tell the story of one mention from arrival to queue: what was found, which rule decided, on what evidence."""
    with parts(context) as made:
        story = made.store.story(id)
        known = story.arrival or story.routed or story.letters or story.tombstone or story.removed_at
        if not known:
            raise ConfigError([Problem(id, "no such mention was taken in", "ids look like source:native_id")])
        if as_json:
            show_json(_as_object(story))
        else:
            for line in _told(made, story):
                stdout.print(line, highlight=False)


def _told(made: Parts, story: Story) -> list[str]:
    lines: list[str] = []
    if arrival := story.arrival:
        lines.append(
            f"[bold]Taken in[/bold] {arrival.taken_at:%Y-%m-%d %H:%M:%S} UTC through {safe(arrival.via)}; "
            f"said {arrival.created_at:%Y-%m-%d %H:%M:%S} UTC on {safe(arrival.source)}"
        )
    if routed := story.routed:
        mention, tags, decision = routed.mention, routed.tags, routed.decision
        by = mention.author.handle or mention.author.name or mention.author.id
        lines.append(f"[bold]{safe(mention.kind)}[/bold] by {safe(by)}: {safe(mention.text, 400)}")
        lines.append("[bold]Found[/bold]")
        lines += [f"  {name:<10} {safe(text)}" for name, text in findings(tags)]
        goes = f"queue {decision.queue}" if decision.queue else f"filtered: {decision.filtered}"
        lines.append(
            f"[bold]Decided[/bold] {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC by rule {safe(decision.rule)} "
            f"(rules {safe(decision.rules_version)}): {safe(goes)}, priority {decision.priority}"
        )
        lines += [f"  because {safe(one)}" for one in decision.evidence]
        for label, due in (("first response", decision.first_response_due), ("resolution", decision.resolution_due)):
            if due:
                lines.append(f"  {label} due {due:%Y-%m-%d %H:%M} UTC ({ago(due)})")
        if decision.rules_version == made.router.version:
            lines.append("  rules tried, in order:")
            lines += [
                f"    {'fired' if step.fired else 'no':<6} {safe(step.rule)}: {safe('; '.join(step.saw))}"
                for step in made.router.why(mention, tags, decision.decided_at)
            ]
    lines += [
        f"[bold]Dead letter[/bold] {safe(letter.id)} ({letter.state}): {safe(letter.reason)}, {safe(letter.place)}"
        for letter in story.letters
    ]
    if story.removed_at:
        why = f" ({story.tombstone.reason})" if story.tombstone else ""
        lines.append(f"[bold]Removed[/bold] {story.removed_at:%Y-%m-%d %H:%M:%S} UTC{why}; its text is no longer kept")
    lines += [
        f"[bold]Sink {safe(sent.sink)}[/bold] {sent.kind}: {sent.state}, {sent.attempts} attempt(s)"
        + (f", {safe(sent.last_error)}" if sent.last_error else "")
        for sent in story.dispatches
    ]
    if not (story.routed or story.letters or story.removed_at):
        lines.append("On its way: not yet delivered (harken status shows the lag)")
    return lines


def findings(tags: Tags) -> list[tuple[str, str]]:
    """The tags of a mention, each in one line with what carried it."""
    found = [("brand", tags.brand or "none")]
    if tags.language:
        found.append(("language", f"{tags.language.code} ({tags.language.by}, {tags.language.confidence:.2f})"))
    if it := tags.sentiment:
        found.append(("sentiment", _carried(f"{it.label} {it.score:+.2f} ({it.by})", _weighed(it.words))))
    for one in tags.intents:
        # Before there were models, words came without weights.
        words = _weighed(zip(one.words, one.weights, strict=True)) if one.weights else one.words
        found.append((one.name, _carried(f"{one.score:.2f}", words)))
    if aim := tags.target:
        whom = f"{aim.of} {aim.name}".strip()
        found.append(("target", _carried(f"{whom} {aim.score:.2f}", aim.words)))
    found += [(f"topic {topic}", ", ".join(tags.topic_words.get(topic, ()))) for topic in tags.topics]
    for name in ("urgency", "spam", "sarcasm"):
        if (signal := getattr(tags, name)) and signal.score:
            kinds = f" ({', '.join(signal.kinds)})" if signal.kinds else ""
            found.append((name, _carried(f"{signal.score:.2f}{kinds}", signal.words)))
    found += [("in shadow", line) for line in tags.shadow]
    if tags.cluster:
        found.append(("cluster", f"{tags.cluster.id}, {'first seen' if tags.cluster.first else 'a near duplicate'}"))
    found.append(("reach", f"{tags.reach:,}"))
    if tags.repost:
        found.append(("repost", "yes"))
    found.append(("stages", ", ".join(f"{stage} {version}" for stage, version in tags.stages.items())))
    return found


def _weighed(words: Iterable[tuple[str, float]]) -> list[str]:
    return [f"{word} {weight:+.1f}" for word, weight in words]


def _carried(what: str, words: Iterable[str]) -> str:
    said = ", ".join(words)
    return f"{what}: {said}" if said else what


def _as_object(story: Story) -> dict[str, Any]:
    letters = [
        asdict(letter) | {"payload": letter.payload.decode("utf-8", "backslashreplace")} for letter in story.letters
    ]
    told: dict[str, Any] = msgspec.to_builtins(replace(story, letters=()))
    return told | {"letters": letters}


def _show_incidents(made: Parts) -> None:
    from spikes.incident_records import IncidentFilter

    for it in made.incidents.incidents(IncidentFilter(live=True), limit=5).incidents:
        posts, people = made.incidents.size(it.id)
        kind = str(it.kind).replace("_", " ").capitalize()
        seen = f"{posts:,} posts by {people:,} people" if posts else it.severity
        stdout.print(
            f"\n[bold]{kind}[/bold] around {safe(it.brand)} since {it.extent.onset:%H:%M} UTC "
            f"({ago(it.extent.onset)}): {seen}, {str(it.state).replace('_', ' ')}; harken spikes show {it.id[:8]}",
            highlight=False,
        )


def summary(context: typer.Context) -> None:
    """What came in, what each queue holds, who should answer what first and why, and whether the ledger balances."""
    with parts(context) as made:
        made.bus.apply(made.topics)
        found = made.ledger()
        stdout.print("[bold]What came in, and what became of it[/bold]")
        show_ledger(found)
        for queue in made.store.queues():
            urgent, high, normal, low = queue.by_rank
            stdout.print(
                f"\n[bold]Queue {safe(queue.name)}[/bold]: {queue.waiting} waiting "
                f"({urgent} urgent, {high} high, {normal} normal, {low} low); answer these first:"
            )
            stdout.print(listing(made.store.queue(queue.name, 5)))
        _show_incidents(made)
    stdout.print(
        "\nharken queue list NAME shows a whole queue, harken explain ID the story of one mention, "
        "harken ledger and harken status the state of the pipeline."
    )
    if not found.balanced:
        raise HarkenError("the ledger does not balance")
