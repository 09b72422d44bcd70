"""Leads, advocates and phrases as pages and files."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.pages.counted import count, heard
from tests.console.pages.test_board import table
from tests.console.pages.test_session_pages import signed_in
from tests.console.work import Work

FORMULA = "=cmd|' /C calc'!A0 <b>buy</b>"


@pytest.fixture
def client(work: Work) -> Any:
    work.person("ana", "marketer")
    return signed_in(work)


def test_leads_lead_to_their_case_and_say_why(work: Work, client: Any) -> None:
    count(work, heard(work, "1", intent="lead", text=FORMULA, author="kim"))
    case = work.room.of("x:1").id
    page = client.get("/leads").text
    assert f'<a href="/cases/{case}"><bdi>kim</bdi></a>' in page
    assert "<mark><bdi>a lead</bdi></mark>" in page
    assert "&lt;b&gt;buy&lt;/b&gt;" in page
    (row,) = table(client.get("/leads.csv"))[1:]
    assert row[1:5] == ["x", "kim", "'" + FORMULA, "a lead"]
    assert row[-2] == case


def test_leads_of_another_brand_or_time_are_not_shown(work: Work, client: Any) -> None:
    count(work, heard(work, "1", intent="lead", hours_ago=30))
    assert "No lead" in client.get("/leads?brand=globex").text
    assert "No lead" in client.get("/leads?range=24h").text
    assert "No lead" not in client.get("/leads?range=7d").text
    assert client.get("/leads?after=nonsense").status_code == 422


def test_advocates_lead_to_the_customer(work: Work, client: Any) -> None:
    count(work, *(heard(work, str(n), 0.9, n + 1, "praise", author="kim", reach=1000) for n in range(3)))
    page = client.get("/advocates").text
    assert '<a href="/customers/x%3Akim"><bdi>kim</bdi></a>' in page
    assert "praised 3 times" in page
    (row,) = table(client.get("/advocates.csv"))[1:]
    assert (row[0], row[4], row[5]) == ("x:kim", "3", "1000")


def test_phrases_lead_to_their_posts(work: Work, client: Any) -> None:
    count(work, *(heard(work, f"b{n}", -0.6, 30, text="the train is late") for n in range(40)))
    count(work, *(heard(work, f"n{n}", -0.6, 2, text="refund form is broken") for n in range(20)))
    page = client.get("/phrases?range=24h").text
    assert 'href="/search?q=%22refund+form' in page
    assert "From 20 posts, against 40 from before." in page
    assert ["complaint", "20", "0"] in [[row[0], *row[2:4]] for row in table(client.get("/phrases.csv?range=24h"))]


def test_empty_lists_say_what_to_do(client: Any) -> None:
    assert "Look further back" in client.get("/leads").text
    assert "Choose more time" in client.get("/advocates").text
    assert "No word or phrase stands out" in client.get("/phrases").text
