"""Every text of the pages is there in every language, and says the same."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from console.pages import language

CONSOLE = Path(language.__file__).parent.parent
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
METHODS = [("pages/**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
OPTIONS = {"newstyle_gettext": "true", "trimmed": "true"}


@cache
def written() -> dict[str, str]:
    """Every text in the pages, with where it stands."""
    found = extract_from_dir(CONSOLE, METHODS, {"templates/**.html": OPTIONS, "templates/**.txt": OPTIONS})
    return {text if isinstance(text, str) else text[0]: f"{file}:{line}" for file, line, text, _, _ in found}


@cache
def catalogue(code: str) -> dict[str, Message]:
    with (language.FOLDER / f"{code}.po").open("rb") as file:
        return {it.id if isinstance(it.id, str) else it.id[0]: it for it in read_po(file, locale=code) if it.id}


def texts(message: Message) -> list[str]:
    found = message.string
    return [found] if isinstance(found, str) else list(found or ())


def test_there_is_a_language_besides_english() -> None:
    assert len(language.LANGUAGES) > 1
    assert len(written()) > 100


@pytest.mark.parametrize("code", language.LANGUAGES[1:])
def test_no_text_is_left_untranslated_and_none_is_left_over(code: str) -> None:
    known = catalogue(code)
    missing = {text: where for text, where in written().items() if text not in known}
    assert not missing, f"`make translations`, then translate: {missing}"
    empty = [id for id, message in known.items() if not all(texts(message)) or message.fuzzy]
    assert not empty, f"{code}.po says nothing, or only perhaps, for {empty}"
    assert not known.keys() - written().keys(), "no page says this any more: `make translations`"


@pytest.mark.parametrize("code", language.LANGUAGES[1:])
def test_what_is_put_into_a_text_is_put_into_its_translation(code: str) -> None:
    for id, message in catalogue(code).items():
        for text in texts(message):
            assert Counter(PLACEHOLDER.findall(text)) == Counter(PLACEHOLDER.findall(id)), id
            assert text.count("%%") == id.count("%%"), id


def test_the_reader_gets_the_language_they_chose_or_their_browser_asks_for() -> None:
    assert language.chosen_language("de", "en") == "de"
    assert language.chosen_language("", "de-AT;q=0.5, en;q=0.4") == "de"
    assert language.chosen_language("", "en, de;q=0.9") == "en"
    for odd in ("", "xx", "*", "de;q=9", ";;;", "\x00", "a" * 10_000):
        assert language.chosen_language(odd, odd) == "en"


def test_a_zone_that_is_none_is_utc() -> None:
    assert language.chosen_zone("Europe/Berlin").key == "Europe/Berlin"
    for odd in ("", "../../etc/passwd", "Mars/Olympus", "/etc/localtime", "\x00"):
        assert language.chosen_zone(odd).key == "UTC"
