"""The search over HTTP; what is found is tested below it."""

from __future__ import annotations

import pytest

from tests.console.work import Work


def test_mentions_are_found_with_the_cases_they_are_in(work: Work) -> None:
    case = work.says("mastodon:1", text="acme lost my violet parcel")
    work.says("mastodon:2", text="acme lost my hat", author="ben")
    found = work.agent().get("/search", q='"violet parcel"')
    assert [(it["mention"]["id"], it["case"]) for it in found["items"]] == [("mastodon:1", case)]
    assert found["words"] == ["violet", "parcel"]
    assert found["next"] is None


def test_pages_of_cases_go_on(work: Work) -> None:
    for number in range(3):
        work.says(f"mastodon:{number}", author=f"a{number}")
    api = work.agent()
    first = api.get("/search", q="parcel", kind="case", limit=2)
    rest = api.get("/search", q="parcel", kind="case", limit=2, after=first["next"])
    assert len({it["case"] for it in [*first["items"], *rest["items"]]}) == 3
    assert rest["next"] is None


@pytest.mark.parametrize("asked", [{"q": ""}, {"q": "!?"}, {"q": "a", "kind": "x"}, {"q": "a", "after": "x"}, {}])
def test_what_cannot_be_looked_for_is_refused_with_its_field(work: Work, asked: dict[str, str]) -> None:
    assert work.agent().get("/search", 422, **asked)["errors"]


def test_whoever_may_not_read_cases_finds_nothing(work: Work) -> None:
    work.agent("otto", "operator").get("/search", 403, q="acme")
