"""A brand's terms in the browser: tried on what is stored, with what that costs, then saved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import ManualClock
from pipeline.ports import Usage
from tests.console.pages.plant import HOSTILE, Browser, Plant
from tests.store.samples import routed, taken

HERE = "/admin/brands"
TEXTS = ("acme lost my parcel", f"my widget broke {HOSTILE}", "the widget from acme is fine", "Acme of perfection")


@pytest.fixture
def plant(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    monkeypatch.setenv("X_TOKEN", "7-secret")
    sources = {
        "heard": {"type": "x", "bearer_token": "${X_TOKEN}", "price_per_post_usd": 0.03},
        "reviews": {"type": "replay", "path": str(tmp_path / "none.csv")},
    }
    brands = {"acme": {"terms": ["acme"], "competitors": {"Globex": ["globex"]}}, "initech": {"terms": ["initech"]}}
    made = Plant(tmp_path, clock, sources=sources, brands=brands)
    for number, text in enumerate(TEXTS):
        it = routed(f"x:{number}", text=text, via="heard", created_at=clock.now() - timedelta(days=number))
        used = (Usage("USD", 0.5, 1.0, clock.now() + timedelta(days=9)),)
        made.store.take_in("heard", None, [taken(it)], usage=used)
        made.store.deliver([it], [])
    yield made
    made.close()


@pytest.fixture
def otto(plant: Plant) -> Browser:
    return plant.browser("otto", "operator")


def typed(**changes: Any) -> dict[str, Any]:
    return {"brand": "acme", "terms": "acme\r\nwidget\r\n", "expected": "0", "days": "30"} | changes


def tried(page: str) -> str:
    """What the form says was tried."""
    return page.partition('name="tried" value="')[2].partition('"')[0]


def test_terms_are_tried_on_what_is_stored_before_they_are_saved(plant: Plant, otto: Browser) -> None:
    assert "acme</textarea>" in otto.see(f"{HERE}?brand=acme")
    changes = typed(exclude="acme of perfection")
    page = otto.send(HERE, 200, **changes, do="preview").text
    for told in (
        "Tried on 4 mentions",
        '<span class="number">3</span> are about the brand by these terms',
        '<span class="number">+1</span> gained',
        '<span class="number">\N{MINUS SIGN}1</span> lost',
        "my widget broke",
        "(&#34;acme&#34; OR &#34;widget&#34;)",
        "In 30 days about $0.90 for as many; for those in force $0.90.",
        "Used: 0.5 of 1 USD",
    ):
        assert told in page, told
    assert plant.services.documents.current("brands").version == 0
    said = otto.done(HERE, **changes, do="save", tried=tried(page), why="the widget is out")
    assert "Version 1 is saved" in said
    assert "acme\nwidget</textarea>" in said
    body = plant.services.documents.current("brands").body
    assert all(it in body for it in ("- widget", "Globex", "initech"))


def test_terms_that_would_cost_more_than_their_source_may_spend_are_marked(otto: Browser) -> None:
    assert "more than it may spend" in otto.send(HERE, 200, **typed()).text
    assert "more than it may spend" not in otto.send(HERE, 200, **typed(terms="widget")).text


def test_nothing_is_saved_that_was_not_seen_and_explained(plant: Plant, otto: Browser) -> None:
    unseen = otto.send(HERE, 409, **typed(do="save", why="x")).text
    assert "look at what it would change" in unseen
    seen = tried(unseen)
    assert "Say why in a few words" in otto.send(HERE, 422, **typed(do="save", tried=seen, why=" ")).text
    otto.send(HERE, 409, **typed(do="save", tried=seen, why="x", terms="acme\nother"))
    assert plant.services.documents.current("brands").version == 0


def test_of_two_who_change_brands_the_later_is_told_and_keeps_the_others_change(plant: Plant, otto: Browser) -> None:
    seen = tried(otto.send(HERE, 200, **typed(do="preview")).text)
    documents = plant.services.documents
    documents.save("brands", documents.current("brands").body + "hooli:\n  terms: [hooli]\n", "user:lea", "new", 0)
    late = otto.send(HERE, 409, **typed(do="save", tried=seen, why="x")).text
    assert "somebody saved version 1" in late
    otto.send(HERE, **typed(do="save", tried=seen, why="x", expected="1"))
    body = documents.current("brands").body
    assert "hooli:\n  terms: [hooli]\n" in body
    assert "- widget\n" in body


def test_a_new_brand_is_one_that_there_is_not(otto: Browser) -> None:
    assert 'name="new" value="1"' in otto.see(f"{HERE}?new=1")
    assert "There is a brand of this name already." in otto.send(HERE, 422, **typed(new="1", do="save")).text
    globex = typed(new="1", brand="Globex", terms="globex", handles="@globex, @globex_care")
    page = otto.send(HERE, 200, **globex).text
    said = otto.done(HERE, **globex, do="save", why="new", tried=tried(page))
    assert "What Globex is known by" in said
    assert "globex\nglobex_care</textarea>" in said


def test_what_cannot_be_is_said_at_its_field_and_what_was_typed_is_kept(otto: Browser) -> None:
    for changes, told in (
        ({"terms": " "}, "at least one term or account"),
        ({"terms": "\n".join(map(str, range(101)))}, "100 at most."),
        ({"terms": "x" * 201}, "Each has at most 200 characters."),
        ({"languages": "en english"}, "two letters"),
        ({"brand": " ", "new": "1"}, "A brand has a name"),
    ):
        for do, status in (("preview", 200), ("save", 422)):
            page = otto.send(HERE, status, **typed(do=do, context="my very own word", **changes)).text
            assert told in page
            assert "my very own word" in page


def test_what_strangers_said_does_nothing_on_the_page(otto: Browser) -> None:
    page = otto.send(HERE, 200, **typed(terms=f"widget\n{HOSTILE}", exclude=HOSTILE, do="preview")).text
    assert "<script>alert(1)" not in page
    assert "my widget broke" in page
    assert "\u202e" not in page.partition("What they would have found")[2]


def test_only_who_may_change_brands_sees_it(plant: Plant, otto: Browser) -> None:
    assert f'href="{HERE}?brand=acme"' in otto.see("/admin/documents/brands")
    lea = plant.browser("lea", "lead", "admin")
    assert HERE not in lea.see("/admin/documents/brands")
    lea.see(HERE, 403)
    lea.send(HERE, 403, **typed())
    otto.see(f"{HERE}?brand=nobody", 404)
