"""Which language and which zone a reader has, and the words in it.

The catalogues are gettext's, kept as text (`console/translations/LANGUAGE.po`) and read when first needed: whoever
installs the wheel compiles nothing.
"""

from __future__ import annotations

import re
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent.parent / "translations"

SOURCE = "en"
"""The language that the pages are written in."""

LANGUAGES: tuple[str, ...] = (SOURCE, *sorted(file.stem for file in FOLDER.glob("*.po")))
"""Those one can choose, and for each its own name: `locale(code).display_name`."""

LANGUAGE_COOKIE = "harken_language"
ZONE_COOKIE = "harken_zone"
THEME_COOKIE = "harken_theme"
THEMES = ("auto", "light", "dark")

_ACCEPTED = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")


@cache
def locale(language: str) -> Locale:
    """How dates and numbers are written in a language."""
    return Locale.parse(language)


@cache
def translations(language: str) -> NullTranslations:
    """The words of a language; the source language has its own."""
    if language == SOURCE:
        return NullTranslations()
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def chosen_language(cookie: str, accepted: str) -> str:
    """Of LANGUAGES: what the reader chose, or else what their browser asks for first (RFC 9110, 12.5.4)."""
    if cookie in LANGUAGES:
        return cookie
    wanted = []
    for number, part in enumerate(accepted[:500].split(",")):
        if (found := _ACCEPTED.fullmatch(part)) and found[1].lower() in LANGUAGES:
            wanted.append((-float(found[2] or 1), number, found[1].lower()))
    return min(wanted)[2] if wanted else SOURCE


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return None
    except KeyError:
        return None


def chosen_zone(cookie: str) -> ZoneInfo:
    """The reader's time zone as their browser told it; UTC as long as it has not."""
    found = _zone(cookie) if re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]{0,60}", cookie) else None
    return found or ZoneInfo("UTC")


def marked(text: str) -> str:
    """The text itself: imported as `_` it marks one for the catalogue that is put into the reader's language later."""
    return text
