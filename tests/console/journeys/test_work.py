"""A case from first to last, by the keyboard; and what happens to it meanwhile elsewhere."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from desk.case import State
from tests.fixtures.site import Opener, Site

WORDS = "Hello, we are sorry. Your parcel arrives tomorrow."


def test_claim_reply_and_resolve_by_the_keyboard_alone(visit: Opener, site: Site) -> None:
    first = site.says("shop:1", "acme lost my violet parcel", author="zoe")
    site.says("shop:2", "acme lost my hat", author="yan")
    page = visit("ana").to("/cases?queue=service")
    page.keyboard.press("j")
    expect(page.locator("[data-item] a:focus")).to_have_count(1)
    while first not in str(page.locator("[data-item] a:focus").get_attribute("href")):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/cases/{first}$"))
    page.wait_for_load_state()  # keys are heard from then on
    page.keyboard.press("c")
    expect(page.get_by_text("You are answering")).to_be_visible()
    page.keyboard.press("r")
    expect(answer(page)).to_be_focused()
    page.keyboard.type(WORDS)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("It is on its way.")).to_be_visible()
    site.send()
    assert site.replier.texts == [WORDS]
    expect(page.get_by_text("The platform has it.")).to_be_visible()
    page.keyboard.press("Escape")  # out of the field one writes in
    page.keyboard.press("e")
    expect(page.locator("[data-part=case-head]").get_by_text("resolved")).to_be_visible()
    assert site.cases.case(first).state is State.RESOLVED


def test_two_agents_collide_and_no_text_is_lost(visit: Opener, site: Site) -> None:
    case = site.says()
    ana, ben = visit("ana"), visit("ben")
    anas, bens = ana.to(f"/cases/{case}"), ben.to(f"/cases/{case}")
    anas.keyboard.press("c")
    expect(anas.get_by_text("You are answering")).to_be_visible()
    expect(bens.get_by_text("ana is answering")).to_be_visible()
    anas.keyboard.press("r")
    anas.keyboard.type(WORDS)
    bens.keyboard.press("o")
    bens.get_by_label("Why you take it over").fill("she is at lunch")
    bens.keyboard.press("Enter")
    expect(bens.get_by_text("You are answering")).to_be_visible()
    expect(anas.get_by_text("ben is answering")).to_be_visible()
    expect(answer(anas)).to_have_value(WORDS)
    ana.may_say("422")  # she no longer has it
    anas.keyboard.press("Control+Enter")
    expect(answer(anas)).to_have_value(WORDS)
    site.send()
    assert site.replier.texts == []
    bens.keyboard.press("r")
    bens.keyboard.type("Ben here.")
    bens.keyboard.press("Control+Enter")
    expect(bens.get_by_text("It is on its way.")).to_be_visible()
    site.send()
    assert site.replier.texts == ["Ben here."]


def test_an_answer_goes_out_once_a_lead_has_approved_it(visit: Opener, site: Site) -> None:
    case = site.says(queue="marketing")
    anas = visit("ana").to(f"/cases/{case}")
    leas = visit("lea").to("/approvals")
    anas.keyboard.press("c")
    expect(anas.get_by_text("You are answering")).to_be_visible()
    anas.keyboard.press("r")
    anas.keyboard.type(WORDS)
    anas.keyboard.press("Control+Enter")
    expect(anas.get_by_text("It waits for somebody's approval.")).to_be_visible()
    expect(leas.get_by_text(WORDS)).to_be_visible()
    site.send()
    assert site.replier.texts == []
    leas.keyboard.press("a")
    expect(leas.get_by_text("Nothing waits for approval")).to_be_visible()
    anas.get_by_role("button", name="Send", exact=True).press("Enter")
    expect(anas.get_by_text("It is on its way.")).to_be_visible()
    site.send()
    assert site.replier.texts == [WORDS]


def test_a_transfer_is_kept_as_a_correction_for_the_rules(visit: Opener, site: Site) -> None:
    case = site.says()
    page = visit("ana").to(f"/cases/{case}")
    page.keyboard.press("c")
    expect(page.get_by_text("You are answering")).to_be_visible()
    page.keyboard.press("t")
    page.keyboard.press("1")
    expect(page.locator("[data-part=case-head]").get_by_role("link", name="marketing")).to_be_visible()
    day = site.clock.now().replace(year=2000), site.clock.now().replace(year=2100)
    kept = list(site.cases.corrections(*day))
    assert [(it.case, it.routed_queue, it.right_queue) for it in kept] == [(case, "service", "marketing")]


def test_a_post_that_is_deleted_while_one_types_takes_no_word_away(visit: Opener, site: Site) -> None:
    case = site.says("shop:1", "acme lost my violet parcel")
    window = visit("ana")
    page = window.to(f"/cases/{case}")
    page.keyboard.press("c")
    expect(page.get_by_text("You are answering")).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.type(WORDS)
    site.take_back("shop:1")
    expect(page.get_by_text("violet")).to_have_count(0)
    expect(page.get_by_text(re.compile("taken back|no longer kept|withdrawn")).first).to_be_visible()
    expect(answer(page)).to_have_value(WORDS)
    site.send()
    assert site.replier.texts == []


def answer(page: Page) -> Locator:
    return page.locator("#answer")
