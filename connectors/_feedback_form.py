"""What somebody wrote into the form: read, checked field by field, and made a mention."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from pipeline.errors import BadItem
from pipeline.mention import Author, Kind, Mention
from pipeline.ports import Settings

LONGEST = 10_000
"""Characters of a message."""

STARS = 5

TRAP = "website"
"""The field that a person does not see: its name is what programs that fill in forms look for."""

SOURCE = "feedback"

_FIELDS = ("message", "rating", "topic", "name", "email", "token", TRAP)
_MOST_FIELDS = 20
_LONGEST_NAME, _LONGEST_EMAIL = 200, 320
_EMAIL = re.compile(r"[^@\s<>\"]{1,64}@[^@\s<>\"]{1,251}\.[^@\s<>\".]{2,63}")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::\d{1,5})?")
_UNSEEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127])
"""Control characters but tab, line feed and carriage return: no keyboard writes them."""


def _origin(site: str) -> str:
    site = site.lower().rstrip("/")
    if not _ORIGIN.fullmatch(site):
        raise ValueError("a site is written https://www.example.org, without a path")
    return site


def _web(url: str) -> str:
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("an address begins with https://")
    return url


class Form(Settings):
    """One brand's form.

    brand        whose it is; left out, the form's own name
    title        the heading; left out, a sentence with the brand's name
    topics       what a sender may choose from; none and the question is not asked
    rating       whether stars are asked for
    anonymous    whether a message without an e-mail address is taken
    sites        who may show the form inside a page of theirs, and of whom an address given as `page` is kept
    privacy_url  where it says what becomes of what is sent
    """

    brand: str | None = None
    title: Annotated[str, StringConstraints(max_length=200)] = ""
    topics: tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...] = Field((), max_length=50)
    rating: bool = True
    anonymous: bool = True
    sites: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    privacy_url: Annotated[str, AfterValidator(_web)] = ""


@dataclass(frozen=True)
class Entry:
    """A filled-in form. `errors` maps a field to the word for what is wrong with it; empty where it can be taken."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def content(self) -> str:
        """All that was said, as one text: what makes two sendings the same."""
        return "\0".join(self[name] for name in ("message", "rating", "topic", "name", "email"))


def read(body: bytes, form: Form) -> Entry:
    """The fields of a form's body, and what is wrong with them; raises BadItem where it is no form's body."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except (ValueError, UnicodeError) as error:
        raise BadItem("not a filled-in form") from error
    given = {name: _clean(value) for name, value in pairs if name in _FIELDS}
    return Entry(given, dict(_wrong(given, form)))


def mention(entry: Entry, form: Form, name: str, *, reference: str, page: str, now: datetime) -> Mention:
    """The message as a mention: a private one (`message`) from whoever gave an address, else from nobody known.

    The address is taken at its word: nobody has shown that it is theirs.
    """
    email = entry["email"].lower()
    return Mention(
        id=f"{SOURCE}:{reference}",
        source=SOURCE,
        text=entry["message"],
        author=Author(id=email or f"anonymous-{reference}", handle=email, name=entry["name"]),
        created_at=now,
        kind=Kind.MESSAGE,
        title=entry["topic"],
        rating=int(entry["rating"]) / STARS if entry["rating"] else None,
        url=_page(page, form),
        brand=form.brand or name,
    )


def _page(page: str, form: Form) -> str:
    """The address somebody wrote from, where it is of a site that may show the form: others prove nothing."""
    try:
        parts = urlsplit(page)
    except ValueError:
        return ""
    known = f"{parts.scheme}://{parts.netloc}".lower() in form.sites
    return page if known and page.isprintable() and " " not in page and len(page) <= 2000 else ""


def _clean(value: str) -> str:
    return value.translate(_UNSEEN).replace("\r\n", "\n").replace("\r", "\n").strip()


def _wrong(given: Mapping[str, str], form: Form) -> list[tuple[str, str]]:
    wrong = []
    message, email = given.get("message", ""), given.get("email", "")
    if not message:
        wrong.append(("message", "empty"))
    elif len(message) > LONGEST:
        wrong.append(("message", "long"))
    rating = given.get("rating", "")
    if rating and (not form.rating or rating not in map(str, range(1, STARS + 1))):
        wrong.append(("rating", "choice"))
    if given.get("topic") and given["topic"] not in form.topics:
        wrong.append(("topic", "choice"))
    if len(given.get("name", "")) > _LONGEST_NAME or "\n" in given.get("name", ""):
        wrong.append(("name", "name"))
    if email and (len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email)):
        wrong.append(("email", "email"))
    elif not email and not form.anonymous:
        wrong.append(("email", "wanted"))
    return wrong
