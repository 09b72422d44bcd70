"""Somebody comes in, and goes: here and everywhere."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.fixtures.site import PASSWORD, Opener, focus_by_tab


def test_whoever_signs_in_by_the_keyboard_is_at_their_own_first_screen(visit: Opener) -> None:
    for name, path in (("ana", "/desk"), ("mia", "/board"), ("otto", "/flow"), ("ada", "/admin")):
        page = visit(None).to("/")
        expect(page).to_have_url(re.compile("/sign-in"))
        come_in(page, name, PASSWORD)
        expect(page).to_have_url(re.compile(f"{path}$"))


def come_in(page: Page, name: str, password: str) -> None:
    focus_by_tab(page, page.get_by_label("Name"))
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_a_wrong_password_says_so_and_keeps_the_name(visit: Opener) -> None:
    window = visit(None)
    window.may_say("401")
    page = window.to("/sign-in")
    come_in(page, "ana", "wrong")
    expect(page.get_by_text("The name or the password is wrong.")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("ana")


def test_after_signing_in_one_is_where_one_wanted_to_go(visit: Opener) -> None:
    page = visit(None).to("/cases?queue=service")
    come_in(page, "ana", PASSWORD)
    expect(page).to_have_url(re.compile(r"/cases\?queue=service$"))


def test_a_sign_out_everywhere_ends_every_window(visit: Opener) -> None:
    here, there, bens = visit("ana"), visit("ana"), visit("ben")
    there.to("/desk")
    bens.to("/desk")
    page = here.to("/me")
    button = page.get_by_role("button", name="Sign out everywhere")
    focus_by_tab(page, button)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/sign-in"))
    there.may_say("401")  # its stream of events ends, and is refused when it comes back
    expect(there.to("/desk")).to_have_url(re.compile("/sign-in"))
    expect(bens.to("/desk")).to_have_url(re.compile("/desk$"))
