"""The agent's first screen, lists of cases, and search."""

from __future__ import annotations

import re

import pytest

from tests.console.pages.test_session_pages import signed_in, token
from tests.console.work import Work

HOSTILE = "<script>alert(1)</script> \u202egnp.exe <img src=x onerror=alert(1)> {{ 7*7 }} =cmd|' /C calc'!A0"


def names(page: str) -> list[str]:
    """The links of a list of cases, in its order."""
    return re.findall(r'class="case-link"><bdi>(?:mastodon:)?([^<]*)</bdi>', page)


def test_the_desk_shows_what_is_mine_what_waits_and_gives_the_next(work: Work) -> None:
    work.person("ana")
    work.says("mastodon:1", author="kim", text="where is my parcel")
    client = signed_in(work)
    page = client.get("/desk").text
    assert "Nothing is yours right now." in page
    assert re.search(r"<strong>service</strong>.*?<strong>1</strong> waiting", page, re.DOTALL)
    taken = client.post("/desk/next", data={"csrf": token(client)})
    assert re.fullmatch(r"/cases/[0-9a-f]+", taken.headers["location"])
    assert names(client.get("/desk").text) == ["kim"]
    assert client.post("/desk/next", data={"csrf": token(client)}).headers["location"] == "/desk"
    assert "Nothing waits that you may take." in client.get("/desk").text


def test_what_was_taken_can_be_given_back_at_once(work: Work) -> None:
    work.person("ana")
    case = work.says()
    client = signed_in(work)
    client.post("/desk/next", data={"csrf": token(client)})
    undo = client.get("/me").text  # wherever one goes next
    assert f'action="/cases/{case}/release"' in undo
    assert f'action="/cases/{case}/release"' not in client.get("/me").text, "it is said once"


def test_the_filters_of_a_list_are_its_address(work: Work) -> None:
    work.person("ana")
    for number, (author, queue) in enumerate([("kim", "service"), ("lou", "marketing"), ("max", "service")]):
        work.says(f"mastodon:{number}", author=author, queue=queue)
    client = signed_in(work)
    assert sorted(names(client.get("/cases").text)) == ["kim", "lou", "max"]
    assert sorted(names(client.get("/cases?queue=service").text)) == ["kim", "max"]
    # as a form sends it: what was not chosen is empty
    assert names(client.get("/cases?queue=marketing&state=&owner=&priority=&due=&show=open&order=").text) == ["lou"]
    assert names(client.get("/cases?owner=me").text) == []
    assert "Forget the filters" in client.get("/cases?owner=me").text


def test_a_list_goes_on_where_its_page_ends(work: Work) -> None:
    work.person("ana")
    for number in range(5):
        work.says(f"mastodon:{number}", author=f"a{number}")
    client = signed_in(work)
    seen, path = [], "/cases?queue=service&limit=2"
    while path:
        page = client.get(path).text
        seen += names(page)
        more = re.search(r'href="([^"]*)" rel="next"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert sorted(seen) == [f"a{number}" for number in range(5)]


@pytest.mark.parametrize("asked", ["state=nonsense", "due=1'--", "order=<b>", "after=%00", "limit=100000"])
def test_a_filter_that_cannot_be_is_said_and_not_shown_back(work: Work, asked: str) -> None:
    work.person("ana")
    answer = signed_in(work).get(f"/cases?{asked}")
    assert answer.status_code == 422
    assert "<b>" not in answer.text


def test_what_a_stranger_wrote_is_shown_and_nothing_of_it_runs(work: Work) -> None:
    work.person("ana")
    work.says(text=HOSTILE, author="<b>kim</b>")
    client = signed_in(work)
    for path in ("/cases", "/search?q=gnp", "/search?q=gnp&kind=mention"):
        page = client.get(path).text
        assert "&lt;script&gt;" in page
        assert "{{ 7*7 }}" in page
        assert not re.search(r"<(script>|img src=x|b>kim)|\u202e", page)


def test_search_finds_cases_and_posts_by_what_was_said(work: Work) -> None:
    work.person("ana")
    case = work.says(text="my parcel never came")
    client = signed_in(work)
    assert f'href="/cases/{case}"' in client.get("/search?q=parcel+never").text
    assert f'href="/cases/{case}"' in client.get("/search?q=parcel&kind=mention").text
    assert "Nothing has these words." in client.get("/search?q=train").text
    assert client.get("/search").status_code == 200


def test_who_may_not_read_cases_sees_no_list(work: Work) -> None:
    work.person("otto", "operator")
    client = signed_in(work, "otto")
    for path in ("/desk", "/cases", "/search?q=x"):
        assert client.get(path).status_code == 403
    assert client.post("/desk/next", data={"csrf": token(client)}).status_code == 403
