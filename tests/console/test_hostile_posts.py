"""What somebody posts to do harm is stored as it is, and shown, searched and saved to files harmlessly."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser

import httpx2
import pytest

from desk.search import Search
from pipeline.mention import Author, Intent, Language, Sentiment, Tags
from tests.console.tour import HOSTILE
from tests.fixtures.site import Site
from tests.store.samples import routed

NAME = '=cmd|"/c calc"!A1<script>1</script>'
"""What they call themselves."""

LEAD = Tags(
    brand="acme",
    language=Language(code="en", confidence=0.9, by="detector"),
    sentiment=Sentiment(label="positive", score=0.8, words=(("=2+5", 1.3),)),
    intents=(Intent(name="lead", score=0.95, words=('=HYPERLINK("x")', "@SUM(1)")),),
    topics=("=topic", "<b>bold</b>"),
    reach=9000,
)


class Parsed(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def cases(site: Site) -> list[str]:
    """A case for each post."""
    now = site.clock.now()
    made = []
    for number, text in enumerate(HOSTILE):
        id = f"shop:h{number}"
        said_at = now - timedelta(hours=2, minutes=number)
        it = routed(id, text=text, via="shop", queue="marketing", tags=LEAD, created_at=said_at, decided_at=said_at)
        author = Author(id=f"h{number}", handle=f"+h{number}", name=NAME, url="javascript:alert(1)", followers=10**6)
        mention = type(it.mention)(
            **{name: getattr(it.mention, name) for name in it.mention.__struct_fields__}
            | {"author": author, "title": "<svg onload=alert(1)>", "url": "javascript:alert(2)"}
        )
        site.room.hear(type(it)(mention=mention, tags=it.tags, decision=it.decision))
        made.append(str(site.cases.case_of(id)))
    while site.parts.facts.follow():
        pass
    return made


@pytest.fixture
def lea(site: Site) -> Iterator[httpx2.Client]:
    cookies = {"harken_session": site.secret("lea")}
    with httpx2.Client(base_url=site.url, cookies=cookies, timeout=60) as client:
        yield client


def test_every_word_of_it_is_kept_as_it_was_said(site: Site, cases: list[str], lea: httpx2.Client) -> None:
    for case, text in zip(cases, HOSTILE, strict=True):
        mention = lea.get(f"/api/v1/cases/{case}").json()["mentions"][0]
        assert mention["text"] == text
        assert mention["author"]["name"] == NAME


def test_no_page_makes_anything_of_it_but_text(cases: list[str], lea: httpx2.Client) -> None:
    paths = [f"/cases/{case}" for case in cases]
    paths += [
        "/cases?show=all",
        "/search?q=acme",
        "/search?q=drop+table&kind=mention",
        "/leads",
        "/advocates",
        "/board",
        "/report",
    ]
    for path in paths:
        answer = lea.get(path)
        assert answer.status_code == 200, path
        page = Parsed(answer.text)
        for tag, attributes in page.elements:
            assert tag not in ("iframe", "object", "embed", "base", "form") or "evil" not in str(attributes), path
            assert not any(name.startswith("on") for name in attributes), (path, tag, attributes)
            assert tag not in ("b", "svg") or "onload" not in attributes
            for name in ("href", "src", "action", "formaction"):
                to = (attributes.get(name) or "").strip().lower()
                assert not to.startswith(("javascript:", "data:", "vbscript:")), (path, to)
            if tag == "script":
                assert str(attributes.get("src", "/")).startswith("/"), path
                assert "src" in attributes or attributes.get("type") == "application/json", path
        assert "49" not in page.text.split("7*7")[0][-4:], path


def test_the_words_are_shown_in_full(cases: list[str], lea: httpx2.Client) -> None:
    shown = Parsed(lea.get(f"/cases/{cases[0]}").text).text
    assert "<script>document.title='owned'</script>" in unescape(shown)
    sql = Parsed(lea.get(f"/cases/{cases[5]}").text).text
    assert "DROP TABLE mentions" in sql


def test_what_is_searched_for_is_found_and_nothing_else_happens(site: Site, cases: list[str]) -> None:
    finder = Search(site.database, site.clock)
    for number, typed in (
        (0, "onerror"),
        (3, "zerowidthjoinedmarks"),
        (5, '"drop table mentions"'),
        (6, "__subclasses__"),
        (7, "hyperlink"),
    ):
        assert f"shop:h{number}" in [it.routed.mention.id for it in finder.mentions(typed).items], typed
    assert len(finder.mentions("acme").items) >= 2


@pytest.mark.parametrize("path", ["/leads.csv", "/advocates.csv", "/phrases.csv", "/board.csv", "/report.csv"])
def test_no_cell_of_a_file_is_a_formula(cases: list[str], lea: httpx2.Client, path: str) -> None:
    answer = lea.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    cells = [cell for row in csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))) for cell in row]
    assert cells
    for cell in cells:
        if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
            float(cell)  # a number may have a sign
    if path == "/leads.csv":
        assert any("HYPERLINK" in cell for cell in cells)
