"""What the case page offers besides a public answer where the source can: in private, with a picture, liked, hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.audit import Audit
from desk.deeds import Deeds
from pipeline.clock import ManualClock
from tests.console.pages.plant import HOSTILE, Browser, Plant
from tests.store.samples import routed, taken

POST = "x:1"


@pytest.fixture
def plant(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    secrets = ("X_TOKEN", "X_KEY", "X_SECRET", "X_ACCESS", "X_ACCESS_SECRET")
    for name in secrets:
        monkeypatch.setenv(name, "7-secret")
    reply = {
        "handle": "acme",
        "consumer_key": "${X_KEY}",
        "consumer_secret": "${X_SECRET}",
        "access_token": "${X_ACCESS}",
        "access_token_secret": "${X_ACCESS_SECRET}",
    }
    made = Plant(tmp_path, clock, sources={"ours": {"type": "x", "bearer_token": "${X_TOKEN}", "reply": reply}})
    yield made
    made.close()


@pytest.fixture
def ana(plant: Plant) -> Browser:
    return plant.browser("ana", "agent")


@pytest.fixture
def case(plant: Plant) -> str:
    said = routed(POST, text="@acme my parcel is lost", via="ours")
    plant.store.take_in("ours", None, [taken(said)])
    plant.store.deliver([said], also=plant.parts.cases.take_in)
    return str(plant.parts.cases.case_of(POST))


def test_the_composer_offers_what_the_source_can_and_keeps_it_with_the_draft(
    plant: Plant, ana: Browser, case: str
) -> None:
    page = ana.see(f"/cases/{case}")
    assert "In private: only they can read it" in page
    assert "A picture with it" in page
    said = {"do": "save", "text": "Your number, please?", "mention": POST}
    ana.done(f"/cases/{case}/reply", **said, private="1")
    ana.done(f"/cases/{case}/reply", do="save", text="Here", mention=POST, picture="https://a.example/m.png", alt="Map")
    drafts = plant.parts.drafts.drafts(case).drafts
    assert {(it.text, it.private, len(it.pictures)) for it in drafts} == {
        ("Your number, please?", True, 0),
        ("Here", False, 1),
    }
    said = {"text": "Please send your order number.", "mention": POST}
    assert "asks in public" in ana.send(f"/cases/{case}/check", 200, **said).text
    alone = ana.send(f"/cases/{case}/check", 200, **said, private="1").text
    assert "asks in public" not in alone
    assert "of 10,000 characters" in alone
    again = ana.send(f"/cases/{case}/reply", 200, **said, private="1", do="check").text
    assert 'name="private" value="1" checked' in again
    told = ana.send(f"/cases/{case}/reply", 422, do="save", text="x", mention=POST, picture="https://a.example/m.png")
    assert "description" in told.text


def test_who_did_not_name_us_on_x_can_be_written_to_in_private_alone(plant: Plant, ana: Browser) -> None:
    said = routed(POST, text="my parcel is lost, acme", via="ours")
    plant.store.take_in("ours", None, [taken(said)])
    plant.store.deliver([said], also=plant.parts.cases.take_in)
    case = str(plant.parts.cases.case_of(POST))
    words = {"text": "We are sorry. Which parcel?", "mention": POST}
    assert "It cannot be sent from here:" in ana.send(f"/cases/{case}/check", 200, **words).text
    assert "It cannot be sent from here:" not in ana.send(f"/cases/{case}/check", 200, **words, private="1").text
    page = ana.done(f"/cases/{case}/claim")
    held = page.partition('name="token" value="')[2].partition('"')[0]
    ana.send(f"/cases/{case}/reply", 409, **words, do="send", token=held)
    ana.send(f"/cases/{case}/reply", 303, **words, do="send", token=held, private="1")


def test_a_mention_is_liked_or_hidden_with_a_reason_that_is_kept(plant: Plant, ana: Browser, case: str) -> None:
    assert "Like it" in ana.see(f"/cases/{case}")
    ana.done(f"/cases/{case}/deed", mention=POST, action="like")
    ana.send(f"/cases/{case}/deed", 409, mention=POST, action="like")
    ana.send(f"/cases/{case}/deed", 422, mention=POST, action="hide")
    ana.done(f"/cases/{case}/deed", mention=POST, action="hide", why=HOSTILE)
    page = ana.raw(f"/cases/{case}")
    assert "liked by" in page
    assert "<script>alert(1)" not in page
    deeds = Deeds(plant.services.database, plant.clock, plant.services.desk).of_case(case)
    assert {(it.action, it.state) for it in deeds} == {("like", "waiting"), ("hide", "waiting")}
    assert Audit(plant.services.database, plant.clock).entries(1)[0].action == "mention.hidden"


def test_who_may_not_send_neither_likes_nor_hides(plant: Plant, case: str) -> None:
    dan = plant.browser("dan", "draft_only")
    assert "Like it" not in dan.see(f"/cases/{case}")
    dan.send(f"/cases/{case}/deed", 403, mention=POST, action="like")
