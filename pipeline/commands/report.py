"""`harken report`: a week of a brand in numbers and words, to a file or by mail."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from pipeline.commands.common import new_file, parts, safe, stdout
from pipeline.errors import ConfigError, Problem, Stop, Unavailable
from pipeline.registry import suggestion
from pipeline.wiring import Parts
from spikes._mail import Mail, is_address
from spikes.notify import Later, Refused

STEP = 5000
"""Events taken in at a time before the desk's figures are counted."""

FORMS = {".html": "html", ".txt": "txt"}
"""What the ending of a file's name says it holds."""


def report(
    context: typer.Context,
    brand: Annotated[str, typer.Option(help="Of this brand; without it, of all.")] = "",
    week: Annotated[str, typer.Option(help="2026-W47; without it the last week that is over.")] = "",
    mail: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Mail it there; may be repeated.")] = None,
    out: Annotated[str, typer.Option(metavar="FILE", help="A new file, .html or .txt; - prints it as text.")] = "",
    target: Annotated[str, typer.Option(help="The alert target of type email whose mail server is used.")] = "",
    timezone: Annotated[str, typer.Option(help="Whose week: Europe/Berlin.")] = "UTC",
    language: Annotated[str, typer.Option(help="The language it is written in.")] = "en",
) -> None:
    """Write or mail the weekly report of a brand.

    Volume, sentiment, topics, phrases, incidents and how the desk did.
    """
    from console.pages import report_made  # as large as the pages are
    from console.pages.language import LANGUAGES
    from console.pages.words import url
    from desk.refusals import Unfit

    wanted = list(dict.fromkeys(mail or ()))
    problems = [
        Problem(f"--mail {it}", "is not an address", "such as care@example.org") for it in wanted if not is_address(it)
    ]
    if language not in LANGUAGES:
        problems.append(Problem(f"--language {language}", "is not there", suggestion(language, list(LANGUAGES))))
    if out not in ("", "-") and Path(out).suffix not in FORMS:
        problems.append(Problem(f"--out {out}", "ends in neither .html nor .txt", "name the file so, or give -"))
    if not wanted and not out:
        problems.append(Problem("report", "goes nowhere", "give --mail ADDRESS, or --out FILE, or --out -"))
    zone = _zone(timezone)
    if zone is None:
        problems.append(Problem(f"--timezone {timezone}", "is not a time zone", "such as Europe/Berlin"))
    if problems or zone is None:
        raise ConfigError(problems)
    with parts(context) as made:
        sender = _sender(made, target) if wanted else None
        while made.facts.follow(STEP):
            pass
        _known(made, brand)
        now = made.clock.now()
        try:
            found = report_made.made(made, brand, week or report_made.last_week(now, zone), zone)
        except Unfit as error:
            raise ConfigError([Problem(f"--week {week}", str(error).partition(": ")[2], "such as 2026-W47")]) from None
        paper = report_made.Paper(language, zone, now)
        public = made.config.file.serve.public_url
        address = public + url("/report", brand=brand, week=found.week) if public else ""
        if out == "-":
            typer.echo(report_made.written(found, paper, "txt", address))
        elif out:
            text = report_made.written(found, paper, FORMS[Path(out).suffix], address)
            with new_file(out) as file:
                file.write(text)
            stdout.print(f"written to {safe(out)}", highlight=False)
        if sender is not None:
            _send(sender, wanted, report_made.mail(found, paper, sender.sender, wanted, address))


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _known(made: Parts, brand: str) -> None:
    """Raise ConfigError for a brand that is neither configured nor was ever counted."""
    from spikes.voices import Listening

    names = {*(it.name for it in made.config.brands), *Listening(made.database, made.clock).brands()}
    if brand and brand not in names:
        raise ConfigError([Problem(f"--brand {brand}", "is not known", suggestion(brand, sorted(names)))])


def _sender(made: Parts, name: str) -> Mail:
    """The target of this name, or the only one of type email."""
    found = {key: it for key, it in made.alert_targets.items() if isinstance(it, Mail)}
    if name in found:
        return found[name]
    if not found:
        remedy = "add one to alerts.targets: {type: email, host: …, sender: …, to: […]}"
        raise ConfigError([Problem("alerts.targets", "has no target of type email, whose mail server is used", remedy)])
    if name or len(found) > 1:
        what = f"--target {name}" if name else "--target"
        said = "is no target of type email" if name else "is needed: there are several of type email"
        raise ConfigError([Problem(what, said, suggestion(name, list(found)))])
    return next(iter(found.values()))


def _send(sender: Mail, to: Sequence[str], mail: EmailMessage) -> None:
    """Raises Unavailable where it may be tried again, Stop where not."""
    outcome = sender.hand(mail, to)
    if isinstance(outcome, Later):
        raise Unavailable(f"not mailed: {outcome.reason}; try again later")
    if isinstance(outcome, Refused):
        raise Stop(f"not mailed: {outcome.reason}")
    stdout.print(
        f"mailed to {len(to)} address(es)" + (f": {safe(outcome.note)}" if outcome.note else ""), highlight=False
    )
