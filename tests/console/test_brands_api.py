"""What a brand's terms would have found, over HTTP: for whoever may change them, bounded, and never two at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console.listening import Busy, Preview
from pipeline.clock import ManualClock
from pipeline.ports import Brand
from pipeline.wiring import relevance
from pipeline.wiring.relevance import Terms
from tests.console.work import Api, Work

TEXTS = ("acme lost my parcel", "my widget broke", "the widget from acme is fine", "Acme of perfection, this cake")


@pytest.fixture
def otto(work: Work) -> Api:
    for number, text in enumerate(TEXTS):
        work.says(f"x:{number}", text=text, author=f"a{number}", created_at=work.clock.now() - timedelta(days=number))
    return work.agent("otto", "operator")


def test_a_term_more_tells_what_it_would_have_found(otto: Api) -> None:
    found = otto.post("/brands/acme/preview", terms=["acme", "widget", " acme "], exclude=["acme of perfection"])
    assert [(it["term"], it["mentions"], it["new"]) for it in found["terms"]] == [("acme", 2, 0), ("widget", 2, 1)]
    assert [it["id"] for it in found["terms"][1]["examples"]] == ["x:1"]
    assert [it["text"] for it in found["lost_examples"]] == [TEXTS[3]]
    assert (found["read"], found["before"], found["after"], found["gained"], found["lost"]) == (4, 3, 3, 1, 1)
    assert [(it["source"], it["before"], it["after"]) for it in found["sources"]] == [("ours", 3, 3)]


def test_what_is_left_out_stays_as_it_is_in_force_and_nothing_is_saved(otto: Api) -> None:
    assert otto.post("/brands/acme/preview", days=1)["after"] == 1
    assert otto.post("/brands/acme/preview", handles=["acmecare"])["after"] == 3
    new = otto.post("/brands/globex/preview", terms=["widget"])
    assert (new["brand"], new["before"], new["after"]) == ("globex", 0, 2)
    assert otto.post("/brands/globex/preview", terms=["parcel"])["before"] == 0


def test_what_cannot_be_tried_is_refused_by_its_field(work: Work) -> None:
    otto = work.agent("otto", "operator")
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("globex", {}, "terms"),
        ("acme", {"terms": []}, "terms"),
        ("acme", {"terms": ["a"] * 101}, "terms"),
        ("acme", {"terms": ["a" * 201]}, "terms.0"),
        ("acme", {"terms": [" "]}, "terms.0"),
        ("acme", {"terms": ["a\nb"]}, "terms.0"),
        ("acme", {"languages": ["english"]}, "languages.0"),
        ("acme", {"days": 367}, "days"),
        ("acme", {"term": ["a"]}, "term"),
    ]
    for name, body, field in refused:
        told = otto.post(f"/brands/{name}/preview", 422, **body)
        assert [it["field"] for it in told["errors"]] == [field], body


class Hasty(ManualClock):
    """A second passes with every look at it."""

    def monotonic(self) -> float:
        self.advance(1)
        return super().monotonic()


def test_what_was_not_looked_at_in_time_is_left_out_and_said_to_be(
    work: Work, otto: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    del otto
    monkeypatch.setattr(relevance, "SLICE", 1)
    clock = Hasty(work.clock.now())
    terms = Terms(work.services.database, work.services.store, clock, [Brand("acme", ("acme",))], [])
    found = terms.preview(Brand("acme", ("widget",)), 30)
    assert (found.whole, found.read) == (False, 2)
    assert found.oldest == work.clock.now() - timedelta(days=1)
    few = terms.look(Brand("acme", ("widget",)), timedelta(days=30), most=3)
    assert (few.whole, few.read) == (False, 3)
    assert terms.look(Brand("acme", ("widget",)), timedelta(days=30), most=4).whole


class Taken:
    """Somebody else's preview is being made."""

    def brand(self, name: str) -> Brand | None:
        return Brand(name, ("acme",))

    def preview(self, proposed: Brand, days: int) -> Preview:
        raise Busy("another preview is being made here")


def test_while_another_is_being_made_one_is_told_to_come_back(work: Work) -> None:
    otto = work.agent("otto", "operator")
    object.__setattr__(work.services, "listening", Taken())
    answer = otto.client.post("/api/v1/brands/acme/preview", json={})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "another preview" in answer.json()["detail"]


def test_two_are_not_made_at_once(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relevance, "WAIT_SECS", 0)
    terms = work.services.listening
    assert isinstance(terms, Terms)
    with terms._one, pytest.raises(Busy):
        terms.preview(Brand("acme", ("acme",)), 1)
    assert terms.preview(Brand("acme", ("acme",)), 1).read == 0
