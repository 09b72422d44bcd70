"""The weekly report, on the screen, on paper and in the mail."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from console.pages import report_made
from console.pages.report_made import Paper
from desk.refusals import Unfit
from tests.console.pages.counted import count, gap, heard
from tests.console.pages.test_board import HOSTILE, table
from tests.console.pages.test_session_pages import signed_in
from tests.console.work import Work, storm

ZONE = ZoneInfo("Europe/Berlin")


@pytest.fixture
def week(work: Work) -> Work:
    """Wednesday: twice as much was said as the week before, half of it negative."""
    work.clock.advance(2 * 86_400)
    work.person("ana", "marketer")
    topics = ("delay", HOSTILE)
    now = [
        heard(work, f"n{n}", -0.6 if n % 2 else 0.6, 10, "complaint" if n % 2 else "praise", topics=topics)
        for n in range(8)
    ]
    before = [heard(work, f"b{n}", 0.6, 10 + 7 * 24) for n in range(4)]
    count(work, *before)
    count(work, *now, heard(work, "end", 0, 0.1))
    return work


def test_the_week_is_told_against_the_week_before(week: Work) -> None:
    page = signed_in(week).get("/report?brand=acme&week=2026-W02").text
    assert "Week 2026-W02" in page
    assert (
        '<td class="n" align="right">8</td><td class="n" align="right">4</td><td class="n" align="right">+100%</td>'
        in page
    )
    assert '<td class="n" align="right">50%</td><td class="n" align="right">0%</td>' in page
    assert "this week is not over" in page
    assert "/board.png?brand=acme" in page
    rows = table(signed_in(week).get("/report.csv?brand=acme&week=2026-W02"))
    assert ["mentions", "", "8", "4"] in rows
    assert ["intent", "complaint", "4", "0"] in rows


def test_without_a_week_it_is_the_last_that_is_over(week: Work) -> None:
    page = signed_in(week).get("/report").text
    assert "Week 2026-W01" in page
    assert "2026-W02" in page, "one can go on"


@pytest.mark.parametrize("asked", ["2026-W54", "2026-47", "next", "9999-W53", "2027-W01"])
def test_a_week_that_is_none_or_lies_ahead_is_refused(week: Work, asked: str) -> None:
    assert signed_in(week).get(f"/report?week={asked}").status_code == 422
    with pytest.raises(Unfit, match="week"):
        report_made.made(week.services, "", asked, ZONE)


def test_a_week_begins_on_monday_in_the_zone(week: Work) -> None:
    made = report_made.made(week.services, "acme", "2026-W02", ZONE)
    assert made.since == datetime(2026, 1, 4, 23, tzinfo=UTC)
    assert report_made.last_week(datetime(2026, 1, 4, 22, tzinfo=UTC), ZONE) == "2025-W52"
    assert report_made.last_week(datetime(2026, 1, 4, 23, tzinfo=UTC), ZONE) == "2026-W01"


def test_gaps_and_incidents_are_in_it(week: Work) -> None:
    storm(week)
    gap(week, 5)
    page = signed_in(week).get("/report?week=2026-W02").text
    assert "Not everything was heard this week" in page
    assert "12 posts by 12 people" in page


def test_a_mail_is_read_with_and_without_pictures(week: Work) -> None:
    storm(week)
    made = report_made.made(week.services, "acme", "2026-W02", ZONE)
    paper = Paper("en", ZONE, week.clock.now())
    address = "https://desk.acme.example/report?brand=acme&week=2026-W02"
    mail = report_made.mail(made, paper, "care@acme.example", ["kim@acme.example"], address, draw=lambda *_: b"PNG")
    read: Any = message_from_bytes(mail.as_bytes(), policy=default)
    assert (read["Subject"], read["To"], read["From"]) == ("acme 2026-W02", "kim@acme.example", "care@acme.example")
    plain, html = (read.get_body((form,)).get_content() for form in ("plain", "html"))
    assert "Mentions: 8 (4)" in plain
    assert "Negative: 50% (0%)" in plain
    assert "firestorm, acme (major), 12 posts by 12 people" in plain
    assert address in plain
    assert address.replace("&", "&amp;") in html
    assert HOSTILE in plain
    assert "<script>" not in html
    (picture,) = [part for part in read.walk() if part.get_content_type() == "image/png"]
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html


def test_the_same_report_has_the_same_message_id(week: Work) -> None:
    made = report_made.made(week.services, "acme", "2026-W02", ZONE)
    paper = Paper("en", ZONE, week.clock.now())

    def id(*to: str) -> str:
        return str(report_made.mail(made, paper, "care@acme.example", to, draw=lambda *_: b"")["Message-ID"])

    assert id("a@x.example", "b@x.example") == id("b@x.example", "a@x.example") != id("a@x.example")


def test_the_picture_is_one(week: Work) -> None:
    made = report_made.made(week.services, "acme", "2026-W02", ZONE)
    assert report_made.picture(made, Paper("en", ZONE, week.clock.now())).startswith(b"\x89PNG")
