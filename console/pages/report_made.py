"""A week of a brand in numbers and words: for the report's page, and for its mail."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import blake2b
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from babel import Locale

from console.pages.charting import Reader, charts
from console.pages.drawing import png
from console.pages.language import locale, translations
from console.pages.page import environment
from desk.figures import Figure, Figures
from desk.refusals import Unfit
from pipeline.ports import Clock
from pipeline.store import Store
from pipeline.store.database import Database
from pipeline.store.records import RecordedGap
from spikes.incident_records import Incident, IncidentFilter
from spikes.incidents import Incidents
from spikes.phrases import Hearsay, Phrases
from spikes.voices import By, Listening, Voices

LISTED = 8
"""Topics, sources and intents told."""

INCIDENTS = 20

_WEEK = re.compile(r"(\d{4})-W(\d{2})")


class Parts(Protocol):
    """What a report is made from: the services of the pages, or the parts of a command."""

    @property
    def database(self) -> Database:
        """The store's."""
        ...

    @property
    def store(self) -> Store:
        """For the gaps."""
        ...

    @property
    def clock(self) -> Clock:
        """Today."""
        ...

    @property
    def incidents(self) -> Incidents:
        """What went on."""
        ...

    @property
    def figures(self) -> Figures:
        """How the desk did."""
        ...


class Compared(NamedTuple):
    """So many mentions this week and the week before; `change` is None where there were none before."""

    name: str
    now: int
    before: int

    @property
    def change(self) -> float | None:
        """The difference as a share of the week before."""
        return self.now / self.before - 1 if self.before else None


class Happened(NamedTuple):
    """An incident of the week, with how many posts and people it had."""

    incident: Incident
    posts: int
    authors: int


@dataclass(frozen=True)
class Report:
    """One week. `brand` is empty for all. `lists` are by what they are of: topics, intents, sources and, for all
    brands, brands. `figures` are the desk's, one for each brand that had cases."""

    brand: str
    week: str
    since: datetime
    until: datetime
    voices: Voices
    before: Voices
    lists: tuple[tuple[By, tuple[Compared, ...]], ...]
    phrases: Phrases
    incidents: tuple[Happened, ...]
    figures: tuple[Figure, ...]
    gaps: tuple[RecordedGap, ...]

    @property
    def mentions(self) -> Compared:
        """All that was said."""
        return Compared("", self.voices.mentions, self.before.mentions)

    @property
    def reach(self) -> Compared:
        """By how many each could have been seen, added up."""
        return Compared("", self.voices.reach, self.before.reach)

    @property
    def negative(self) -> tuple[float | None, float | None]:
        """The share of it that was negative, this week and the week before."""
        return _share(self.voices), _share(self.before)


def week_of(day: date) -> str:
    """The ISO week that a day lies in, `2026-W47`."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def last_week(now: datetime, zone: ZoneInfo) -> str:
    """The last week that is over."""
    return week_of(now.astimezone(zone).date() - timedelta(days=7))


def monday(week: str) -> date:
    """The first day of a week. Raises Unfit."""
    found = _WEEK.fullmatch(week)
    try:
        if found is not None and 1970 <= int(found[1]) < 9999:
            return date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        pass
    raise Unfit("week", "is not a week such as 2026-W47")


def made(parts: Parts, brand: str, week: str, zone: ZoneInfo) -> Report:
    """The report of a week, Monday to Sunday in this zone, as far as it has gone. Raises Unfit."""
    first = monday(week)
    since, until = (datetime.combine(it, time(), zone).astimezone(UTC) for it in (first, first + timedelta(days=7)))
    if since > parts.clock.now():
        raise Unfit("week", "has not begun: choose an earlier one")
    listening = Listening(parts.database, parts.clock)
    every = listening.brands()
    names = [brand] if brand else every
    facets = listening.series()
    earlier = since - timedelta(days=7)

    def counted(by: By, since: datetime, until: datetime) -> Voices:
        return listening.voices(names, by, since, until, facets)

    kinds: list[By] = ["topic", "intent", "source"]
    if not brand and len(every) > 1:
        kinds.append("brand")
    lists = tuple((by, _compared(counted(by, since, until), counted(by, earlier, since))) for by in kinds)
    wanted = IncidentFilter(brand=brand or None, since=since)
    found = [it for it in parts.incidents.incidents(wanted, limit=100).incidents if it.extent.onset < until]
    return Report(
        brand=brand,
        week=week,
        since=since,
        until=until,
        voices=counted("tone", since, until),
        before=counted("tone", earlier, since),
        lists=lists,
        phrases=Hearsay(parts.database, parts.clock).phrases(since, until, [brand] if brand else None),
        incidents=tuple(Happened(it, *parts.incidents.size(it.id)) for it in found[:INCIDENTS]),
        figures=tuple(parts.figures.figures(since, until, "brand", brand=brand or None)),
        gaps=tuple(it for it in parts.store.gaps(open_only=True) if it.since < until and it.until > since),
    )


def _share(voices: Voices) -> float | None:
    return voices.negative / voices.mentions if voices.mentions else None


def _compared(now: Voices, before: Voices) -> tuple[Compared, ...]:
    earlier = {line.name: line.sum for line in before.lines}
    return tuple(Compared(it.name, it.sum, earlier.get(it.name, 0)) for it in now.lines if it.name)[:LISTED]


# ------------------------------------------------------------------------- on paper


class Paper:
    """A reader who is nobody in particular: what templates ask a page for."""

    def __init__(self, language: str, zone: ZoneInfo, now: datetime) -> None:
        self.language = language
        self.zone = zone
        self.now = now

    @property
    def locale(self) -> Locale:
        """How dates and numbers are written."""
        return locale(self.language)

    def _(self, text: str) -> str:
        """A text in the language."""
        return translations(self.language).gettext(text)


def written(report: Report, paper: Paper, form: str, address: str = "", picture: str = "") -> str:
    """The report as `html` or `txt`. `address` is where its page is, `picture` where its chart is."""
    template = environment(paper.language).get_template(f"board/mail.{form}")
    return template.render(page=paper, now=paper.now, report=report, address=address, picture=picture)


def picture(report: Report, paper: Paper) -> bytes:
    """The week's chart."""
    reader = Reader(paper._, paper.locale, paper.zone)
    marked = [it.incident for it in reversed(report.incidents) if it.incident.extent.onset >= report.since]
    volume, _ = charts(report.voices, sorted(report.gaps, key=lambda it: it.since), marked, reader)
    return png(volume, "")


def mail(
    report: Report,
    paper: Paper,
    sender: str,
    to: Sequence[str],
    address: str = "",
    draw: Callable[[Report, Paper], bytes] = picture,
) -> EmailMessage:
    """The report as a mail, readable as plain text too. The same report to the same people has the same Message-ID, so
    that a mail system which has it already shows it once."""
    domain = sender.rpartition("@")[2]
    what = "\n".join((report.brand, report.week, sender, *sorted(to)))
    id = blake2b(what.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    message = EmailMessage(SMTP)
    message["From"], message["To"] = sender, ", ".join(to)
    message["Subject"] = " ".join(f"{report.brand or 'harken'} {report.week}".split())
    message["Date"] = paper.now
    message["Message-ID"] = f"<report-{id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    message.set_content(written(report, paper, "txt", address))
    chart = f"chart-{id}@{domain}"
    message.add_alternative(written(report, paper, "html", address, f"cid:{chart}"), subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]  # a mail with two forms is a list of them
    html.add_related(draw(report, paper), "image", "png", cid=f"<{chart}>", filename="chart.png")  # type: ignore[union-attr]
    return message
