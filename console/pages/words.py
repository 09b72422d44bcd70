"""How values are shown: times in the reader's zone, durations, numbers, and what strangers wrote.

Filters of the templates. Everything that comes from outside is escaped here and isolated from the direction of the text
around it (Unicode Standard Annex #9, 6.3: HTML's `dir=auto` and `bdi`).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from babel.dates import format_datetime, format_skeleton, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

_LINK = re.compile(r"https?://[^\s<>\"'`\u200b-\u200f\u202a-\u202e\u2066-\u2069]{1,2000}", re.IGNORECASE)
_TRAILING = ".,;:!?)]}\u00bb\u201d\u2019"
_TURNING = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]
_CONTROLS = {
    # What would reverse or hide the text around it is shown as what it is: a mark.
    **dict.fromkeys(_TURNING, "\N{REPLACEMENT CHARACTER}"),
    **dict.fromkeys([*range(0, 9), 11, 12, *range(14, 32), 127, *range(128, 160)], ""),
}


@pass_context
def time(context: Context, at: datetime | None) -> Markup:
    """A moment in the reader's zone: the hour of today, the day and the hour else; exact on hover."""
    if at is None:
        return Markup("")
    page = context["page"]
    here, today = at.astimezone(page.zone), page.now.astimezone(page.zone)
    if here.date() == today.date():
        shown = format_time(here, "short", page.zone, page.locale)
    elif here.year == today.year:
        day = format_skeleton("MMMd", here, page.zone, locale=page.locale)
        shown = f"{day}, {format_time(here, 'short', page.zone, page.locale)}"
    else:
        shown = format_datetime(here, "medium", page.zone, page.locale)
    return _time(context, at, shown)


@pass_context
def ago(context: Context, at: datetime | None) -> Markup:
    """How long ago it was, or how far ahead it is; exact on hover."""
    if at is None:
        return Markup("")
    page = context["page"]
    away = at - page.now
    shown = format_timedelta(away, add_direction=True, locale=page.locale, threshold=0.9)
    return _time(context, at, shown)


def _time(context: Context, at: datetime, shown: str) -> Markup:
    page = context["page"]
    exact = format_datetime(at.astimezone(page.zone), "full", page.zone, page.locale)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), exact, shown)


@pass_context
def span(context: Context, seconds: float | timedelta | None) -> str:
    """A duration in its two greatest units."""
    if seconds is None:
        return ""
    page = context["page"]
    total = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    sign, total = ("\N{MINUS SIGN}" if total < 0 else ""), abs(total)
    units: list[tuple[Literal["day", "hour", "minute", "second"], int]] = [
        ("day", total // 86400),
        ("hour", total // 3600 % 24),
        ("minute", total // 60 % 60),
        ("second", total % 60),
    ]
    first = next((number for number, (_, count) in enumerate(units) if count), 3)
    some = [(unit, count) for unit, count in units[first : first + 2] if count or first == 3]
    shown = [
        format_timedelta(timedelta(**{f"{unit}s": count}), unit, threshold=1e9, format="short", locale=page.locale)
        for unit, count in some
    ]
    return sign + " ".join(shown)


@pass_context
def number(context: Context, value: float | None) -> str:
    """A number as the reader groups it."""
    return "" if value is None else format_decimal(value, locale=context["page"].locale)


@pass_context
def usd(context: Context, amount: float | None) -> str:
    """An amount of US dollars, as the reader writes it."""
    return "" if amount is None else format_currency(amount, "USD", locale=context["page"].locale)


@pass_context
def percent(context: Context, share: float | None) -> str:
    """A share of one, in per cent."""
    return "" if share is None else format_percent(share, locale=context["page"].locale)


def plain(text: object) -> str:
    """What a stranger wrote, as one may show it: without controls, those that turn or hide text made visible."""
    return str(text).translate(_CONTROLS)


def said(text: object) -> Markup:
    """What a stranger wrote, escaped, its lines kept, its http links followable but not vouched for."""
    shown, parts, end = plain(text), [], 0
    for link in _LINK.finditer(shown):
        address = link[0].rstrip(_TRAILING)
        if not safe_url(address):
            continue
        parts.append(_lines(shown[end : link.start()]))
        parts.append(
            Markup('<a href="{0}" rel="noopener noreferrer nofollow ugc" target="_blank">{0}</a>').format(address)
        )
        end = link.start() + len(address)
    parts.append(_lines(shown[end:]))
    return Markup('<span class="said" dir="auto">{}</span>').format(Markup("").join(parts))


def _lines(text: str) -> Markup:
    return escape(text).replace("\r\n", "\n").replace("\n", Markup("<br>"))


def safe_url(url: object) -> str:
    """An address one may make a link of: http or https with a host; empty else."""
    written = str(url or "").strip()
    try:
        parts = urlsplit(written)
    except ValueError:
        return ""
    harmless = written.isprintable() and not any(ord(it) in _CONTROLS for it in written)
    return written if harmless and parts.scheme in ("http", "https") and parts.hostname else ""


def url(path: str, /, **query: Any) -> str:
    """One of our own addresses; what is None, False or empty is left out, a list is given several times."""
    asked = {name: value for name, value in query.items() if value not in (None, "", False, [], ())}
    return path + ("?" + urlencode(asked, doseq=True) if asked else "")


def segment(value: object) -> str:
    """An id as one segment of a path."""
    return quote(str(value), safe="")


FILTERS = {
    "time": time,
    "ago": ago,
    "span": span,
    "number": number,
    "usd": usd,
    "percent": percent,
    "plain": plain,
    "said": said,
    "safe_url": safe_url,
    "segment": segment,
}
