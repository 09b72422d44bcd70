"""The form as people see it: two templates, one style sheet, and the words in each language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml
from babel.numbers import format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined

from connectors._feedback_form import LONGEST, STARS, TRAP, Form

FALLBACK = "en"


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """The texts of the form by language; every language has every one."""
    found: Mapping[str, Mapping[str, str]] = yaml.safe_load(_file("words.yaml"))
    return found


def style() -> str:
    """The style sheet."""
    return _file("form.css")


def language(asked: str, accepted: str) -> str:
    """The language asked for in the address, else the best of an Accept-Language header (RFC 9110, section 12.5.4)
    that there are words in."""
    ranked = []
    for place, part in enumerate(accepted[:1000].split(",")):
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.replace(" ", "").removeprefix("q=") or 1)
        except ValueError:
            quality = 0.0
        ranked.append((-quality, place, tag))
    tags = [asked, *(tag for quality, _, tag in sorted(ranked) if quality < 0)]
    known = (tag.strip().lower().partition("-")[0] for tag in tags)
    return next((tag for tag in known if tag in words()), FALLBACK)


def render(template: str, form: Form | None, name: str, tongue: str, /, **context: Any) -> str:
    """A page in that language, for that form."""
    said = words()[tongue]
    brand = form.brand or name if form else ""
    return (
        _environment()
        .get_template(template)
        .render(
            form=form,
            brand=brand,
            tongue=tongue,
            say=lambda key, **values: said[key].format(**values),
            longest=format_decimal(LONGEST, locale=tongue),
            most=LONGEST,
            stars=STARS,
            trap=TRAP,
            **context,
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("connectors", "_feedback"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _file(name: str) -> str:
    return (resources.files("connectors") / "_feedback" / name).read_text(encoding="utf-8")
