"""The marketer's board."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from console.pages.charting import LIBRARY, placeholders
from pipeline.mention import Intent
from tests.console.pages.counted import count, gap, heard
from tests.console.pages.test_session_pages import signed_in
from tests.console.work import Work, storm

HOSTILE = "</script><script>alert(1)</script>=1+1"


def data(page: str, name: str = "volume") -> Any:
    found = re.search(rf'<script type="application/json" id="data-{name}">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def table(answer: Any) -> list[list[str]]:
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


@pytest.fixture
def board(work: Work) -> Any:
    """What a marketer sees of what was said: three were angry, one was not, an hour later."""
    work.person("ana", "marketer")
    count(
        work, *(heard(work, f"a{n}", -0.6, 3) for n in range(3)), heard(work, "b", 0.6, 2), heard(work, "end", 0, 0.1)
    )
    return signed_in(work)


def test_the_chart_its_table_and_its_file_say_the_same(board: Any) -> None:
    page = board.get("/board?range=24h").text
    chart = data(page)
    assert [(name, sum(values)) for name, values in chart["lines"]] == [("Negative", 3), ("Not negative", 1)]
    shares = dict(data(page, "share")["lines"])
    point = chart["lines"][0][1].index(3)
    assert (shares["Negative"][point], shares["Not negative"][point]) == (1, 0)
    assert None in shares["Negative"], "where nothing was said there is no share"
    assert re.search(r"<td class=\"n\">3</td><td class=\"n\">3 \(100%\)</td><td class=\"n\">0 \(0%\)</td>", page)
    header, *rows = table(board.get("/board.csv?range=24h"))
    assert header == ["since", "minutes", "all", "Negative", "Not negative", "Negative (share)", "Not negative (share)"]
    assert ["3", "3", "0", "1.0", "0.0"] in [row[2:] for row in rows]
    assert len(rows) == len(chart["x"])


def test_the_address_says_what_is_shown(board: Any) -> None:
    assert [name for name, _ in data(board.get("/board?by=topic&brand=acme").text)["lines"]] == ["delay"]
    assert [name for name, _ in data(board.get("/board?by=people").text)["lines"]] == ["Against", "For", "Neither"]
    page = board.get("/board?since=2026-01-04&until=2026-01-05T08:00").text
    assert data(page)["span"] == ["2026-01-04T00:00:00", "2026-01-05T08:00:00"]
    assert 'value="2026-01-04T00:00"' in page
    closer = re.search(r'href="(/board\?[^"]*)" data-key="\+"', page)
    assert closer
    assert data(board.get(closer[1].replace("&amp;", "&")).text)["span"] == [
        "2026-01-04T08:00:00",
        "2026-01-05T00:00:00",
    ]
    assert "Later" in page
    assert 'data-key="]"' not in board.get("/board").text, "nothing is later than now"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("by=colour", "is one of tone, people"),
        ("range=1y", "is one of 24h"),
        ("since=yesterday", "is not a date such as"),
        ("since=2999-01-01", "not before the end"),
        ("since=0001-01-01", "3,660 days"),
        ("since=2026-01-05&until=0001-01-01T00:00", "is not before the end"),
    ],
)
def test_what_cannot_be_shown_is_said(board: Any, asked: str, said: str) -> None:
    answer = board.get(f"/board?{asked}")
    assert answer.status_code == 422
    assert said in answer.text


def test_gaps_are_shaded_and_named(work: Work, board: Any) -> None:
    gap(work, 5, "rate <limit>")
    gap(work, 200, "long ago")
    page = board.get("/board?range=24h").text
    assert ["2026-01-05T04:00:00", "2026-01-05T05:00:00", "bluesky"] in data(page)["gaps"]
    assert "rate &lt;limit&gt;" in page
    assert "long ago" not in page


def test_before_anything_was_heard_is_not_zero(board: Any) -> None:
    assert data(board.get("/board").text)["gaps"][0][2] == "not listened to yet"


def test_open_incidents_are_listed_marked_and_told(work: Work, board: Any) -> None:
    id = storm(work)
    page = board.get("/board?range=24h").text
    assert f'href="/incidents/{id}"' in page
    assert data(page)["marks"] == [["2026-01-05T08:40:00", 1]]
    story = board.get(f"/board/incidents/{id}").text
    assert "Acme is being criticised more than usual" in story
    assert 'data-part="story"' in story
    assert board.get("/board/incidents/nothing").status_code == 404


def test_a_share_of_voice_is_among_all_brands(work: Work, board: Any) -> None:
    assert "Share of voice</p>" not in board.get("/board?brand=acme").text
    count(
        work,
        *(heard(work, f"g{n}", 0, 1, brand="globex") for n in range(12)),
        heard(work, "e", 0, 0.05, brand="globex"),
    )
    work.clock.advance(120)
    page = board.get("/board?brand=acme&range=24h&by=brand").text
    assert dict(data(page)["lines"]).keys() == {"acme", "globex"}
    assert '<p class="number">25%</p>' in page


def test_names_from_outside_are_harmless_in_page_picture_and_file(work: Work) -> None:
    work.person("ana", "marketer")
    intents = (Intent(name="_$\\frac{1", score=0.9),)
    count(
        work,
        heard(work, "1", topics=(HOSTILE,), intents=intents, brand=HOSTILE),
        heard(work, "end", 0, 0.1, brand=HOSTILE),
    )
    client = signed_in(work)
    page = client.get("/board?by=topic").text
    assert "<script>alert" not in page
    assert [name for name, _ in data(page)["lines"]] == [HOSTILE]
    picture = client.get("/board.png?by=intent&show=share")
    assert picture.content.startswith(b"\x89PNG")
    assert table(client.get("/board.csv?by=brand"))[0][3].startswith("</script>")
    count(work, heard(work, "2", topics=("=1+1",)), heard(work, "end2", 0, 0.1))
    work.clock.advance(120)
    assert table(client.get("/board.csv?by=topic"))[0][3:5] == [HOSTILE, "'=1+1"]


def test_an_empty_board_says_what_to_do(work: Work) -> None:
    work.person("ana", "marketer")
    client = signed_in(work)
    page = client.get("/board").text
    assert "Nothing has been counted yet." in page
    assert client.get("/board.png").content.startswith(b"\x89PNG")
    assert client.get("/report").status_code == 200


def test_the_board_is_for_those_who_may_read_figures(work: Work, board: Any) -> None:
    work.person("ben", "agent")
    agent = signed_in(work, "ben")
    for path in ("/board", "/board.csv", "/board.png", "/phrases", "/advocates", "/report"):
        assert agent.get(path).status_code == 403, path
    assert agent.get("/leads").status_code == 200
    work.person("olga", "operator")
    operator = signed_in(work, "olga")
    assert operator.get("/board").status_code == 200
    assert operator.get("/leads").status_code == 403
    assert operator.get("/advocates").status_code == 403, "it names people"


def test_the_chart_library_comes_from_here_and_puts_no_style_into_the_page(board: Any) -> None:
    page = board.get("/board").text
    answer = board.get(LIBRARY)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    plain = board.get(LIBRARY, headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content
    assert "content-encoding" not in plain.headers
    for id in placeholders():
        assert f'<meta id="{id}" class="no-inline-styles">' in page
        assert id.removesuffix("global").encode() in plain.content
    assert "unsafe-inline" not in board.get("/board").headers["content-security-policy"]
