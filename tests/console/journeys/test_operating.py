"""What an operator and a lead do to the machine: rules that change where mentions go, and letters that died."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import expect

from tests.fixtures.site import Opener, Site, focus_by_tab
from tests.store.samples import letter


def test_a_rule_is_changed_once_its_effect_was_seen_and_put_back(visit: Opener, site: Site) -> None:
    site.says("shop:1", "acme lost my parcel")
    page = visit("otto").to("/rules/rules/edit")
    text = page.get_by_label("The text")
    before = text.input_value()
    assert "queue: service" in before
    text.fill("rules: [nonsense")
    focus_by_tab(page, page.get_by_role("button", name="Check it"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("nothing was saved")).to_be_visible()
    expect(page.get_by_label("The text")).to_have_value("rules: [nonsense")
    page.get_by_label("The text").fill(before.replace("first_response: 4h", "first_response: 2h"))
    focus_by_tab(page, page.get_by_role("button", name="Check it"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("first_response: 2h").first).to_be_visible()
    focus_by_tab(page, page.get_by_label("Examples may fail"))  # one says four hours
    page.keyboard.press("Space")
    page.get_by_label("Why", exact=True).fill("people wait too long")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text(re.compile("Version 1 is saved"))).to_be_visible()
    kept = site.parts.documents.current("rules")
    assert kept.version == 1
    assert "first_response: 2h" in kept.body


def test_a_dead_letter_is_looked_at_and_sent_through_again(visit: Opener, site: Site) -> None:
    now = site.clock.now()
    dead = letter("l1", "shop:9", at=now - timedelta(minutes=5), source="shop", via="shop", reason="the model was away")
    site.store.bury([dead])
    page = visit("otto").to("/flow/dead")
    expect(page.get_by_text("the model was away").first).to_be_visible()
    box = page.get_by_role("checkbox", name=re.compile("Letter of shop"))
    focus_by_tab(page, box)
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    button = page.get_by_role("button", name="Send them through again")
    focus_by_tab(page, button)
    page.keyboard.press("Enter")
    expect(page.get_by_text("No dead letter waits.")).to_be_visible()
    found = site.store.dead_letter("l1")
    assert found is not None
    assert found.state == "retried"
