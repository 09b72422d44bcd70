"""What an agent does besides answering in public, by mouse: an answer in private, a like, hiding on a page of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.fixtures.site import VIA, Opener, Site

NAMED = "${SHOP_SECRET}"
KEYS = dict.fromkeys(("consumer_key", "consumer_secret", "access_token_secret"), NAMED) | {"access_token": f"7-{NAMED}"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One whose source can do all of it."""
    source = {"type": "x", "bearer_token": NAMED, "reply": {"handle": "acme", **KEYS}}
    with Site(tmp_path, sources={VIA: source}).running() as running:
        yield running


def test_words_for_one_person_are_looked_at_as_such_as_soon_as_that_is_ticked(visit: Opener, site: Site) -> None:
    case = site.says("x:1", "@acme lost my parcel")
    page = visit("ana").to(f"/cases/{case}")
    page.wait_for_load_state()
    page.locator("#answer").fill("We are sorry. Please send your order number.")
    expect(page.get_by_text("asks in public")).to_be_visible()
    expect(page.get_by_text("of 280 weighted characters")).to_be_visible()
    page.get_by_label("In private").check()
    expect(page.get_by_text("asks in public")).to_have_count(0)
    expect(page.get_by_text("of 10,000 characters")).to_be_visible()
    page.get_by_role("button", name="Keep as a draft").click()
    expect(page.get_by_text("The draft is kept.")).to_be_visible()
    expect(page.get_by_label("In private")).to_be_checked()
    expect(page.get_by_text("asks in public")).to_have_count(0)
    assert site.parts.drafts.drafts(case).drafts[0].private


def test_a_mention_is_liked_and_one_is_hidden_with_a_reason(visit: Opener, site: Site) -> None:
    case = site.says("x:1", "@acme thank you")
    page = visit("ana").to(f"/cases/{case}")
    page.wait_for_load_state()
    page.get_by_role("button", name="Like it").click()
    expect(page.get_by_text("liked by ana (on its way)")).to_be_visible()
    expect(page.get_by_role("button", name="Like it")).to_have_count(0)
    page.locator("summary", has_text="Hide it").click()
    expect(page.get_by_label("Why (needed)")).to_be_focused()
    page.keyboard.type("it names a neighbour's address")
    page.keyboard.press("Enter")
    expect(page.get_by_text("hidden by ana (on its way): it names a neighbour's address")).to_be_visible()
