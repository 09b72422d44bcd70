"""How values are shown, in every language: times of today and of other days, durations, and what strangers wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.runtime import Context

from console.pages import language, words

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def reader(code: str = "en", zone: str = "Europe/Berlin") -> Context:
    page = SimpleNamespace(now=NOW, zone=ZoneInfo(zone), locale=language.locale(code))
    return cast(Context, {"page": page})


def shown(code: str, at: datetime, zone: str = "Europe/Berlin") -> str:
    found: Any = words.time(reader(code, zone), at)
    return str(found.striptags()).replace("\u202f", " ")


def test_a_time_of_today_is_an_hour_and_of_another_day_has_its_day() -> None:
    assert shown("de", NOW) == "10:30"
    assert shown("de", NOW - timedelta(days=3)) == "19. Nov., 10:30"
    assert shown("en", NOW - timedelta(days=3)) == "Nov 19, 10:30 AM"
    assert "2024" in shown("en", datetime(2024, 2, 29, tzinfo=UTC))


def test_today_is_that_of_the_reader() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    assert shown("de", late) == "00:30"
    assert shown("de", late, "UTC") == "21. Nov., 23:30"


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(language.LANGUAGES),
)
def test_every_time_can_be_shown_and_is_exact_on_hover(at: datetime, code: str) -> None:
    for found in (words.time(reader(code), at), words.ago(reader(code), at)):
        assert f'datetime="{at.isoformat()}"' in found
        assert str(at.astimezone(ZoneInfo("Europe/Berlin")).year) in found


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 sec"),
        (59, "59 sec"),
        (60, "1 min"),
        (3660, "1 hr 1 min"),
        (90_000, "1 day 1 hr"),
        (-90, "\u22121 min 30 sec"),
    ],
)
def test_a_duration_has_its_two_greatest_units(seconds: float, said: str) -> None:
    assert words.span(reader(), seconds) == said


@given(st.text(st.sampled_from("<>&\"'ab \n" + MARKS + "\x00\x1b\u0085")))
def test_what_a_stranger_wrote_holds_no_tag_and_turns_no_text(text: str) -> None:
    found = str(words.said(text)).removeprefix('<span class="said" dir="auto">').removesuffix("</span>")
    assert "<" not in found.replace("<br>", "")
    assert not set(found) & {*MARKS, "\x00", "\x1b", "\u0085"}


def test_only_http_becomes_a_link_and_its_end_is_not_its_full_stop() -> None:
    found = str(words.said("see https://a.example/x?y=1&z=2. or javascript:alert(1) http://"))
    assert 'href="https://a.example/x?y=1&amp;z=2"' in found
    assert 'rel="noopener noreferrer nofollow ugc"' in found
    assert found.count("<a ") == 1


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "http://",
        "https://a\u202eb.example",
        "",
        None,
        "http://[",
    ],
)
def test_what_is_no_harmless_address_becomes_no_link(url: str | None) -> None:
    assert words.safe_url(url) == ""


def test_an_address_of_ours_leaves_out_what_was_not_given() -> None:
    assert words.url("/cases", queue="a b", state=None, tag="", open=True, ids=["1", "2"]) == (
        "/cases?queue=a+b&open=True&ids=1&ids=2"
    )
    assert words.segment("x:1/2") == "x%3A1%2F2"
