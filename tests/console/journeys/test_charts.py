"""The board's charts in a browser: drawn, zoomed and read out, under the pages' own policy."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import Page, expect

from pipeline.mention import Enriched
from spikes.counts import Counts
from tests.fixtures.site import Opener, Site, angry
from tests.store.samples import routed


def talk(site: Site) -> None:
    """Two hours of it: one mention every five minutes, every other one angry."""
    begun = site.clock.now() - timedelta(hours=2)
    said = []
    for number in range(24):
        at = begun + timedelta(minutes=5 * number)
        tags = angry(score=-0.6 if number % 2 else 0.6, topics=("<b>late</b>", "price"))
        it = routed(f"shop:{number}", author=f"a{number}", created_at=at, collected_at=at, tags=tags)
        said.append(Enriched(mention=it.mention, tags=it.tags))
    with site.database.write() as transaction:
        Counts(site.database, site.clock).count(transaction, said)


SPAN = "document.querySelector('#chart-volume .plot').layout.xaxis.range.map((it) => Date.parse(it.replace(' ', 'T')))"


def span(page: Page) -> list[float]:
    found: list[float] = page.evaluate(SPAN)
    return found


def test_a_chart_is_drawn_zoomed_and_read_out(site: Site, visit: Opener) -> None:
    talk(site)
    page = visit("mia").to("/board?range=24h&by=topic")
    expect(page.locator(".plot .nsewdrag")).to_have_count(2)
    expect(page.locator("#chart-volume .legendtext").first).to_have_text("<b>late</b>")
    plot = page.locator("#chart-volume .plot")
    plot.focus()
    page.keyboard.press("End")
    expect(page.locator("[data-reads=volume]")).to_have_text(re.compile(r"<b>late</b> \d+, price \d+"))
    expect(page.locator("#chart-volume .hoverlayer")).to_contain_text("price")
    before = span(page)
    plot.scroll_into_view_if_needed()
    box = page.locator("#chart-volume .nsewdrag").bounding_box()
    assert box
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x + 0.4 * box["width"], y)
    page.mouse.down()
    page.mouse.move(x + 0.6 * box["width"], y, steps=5)
    page.mouse.up()
    page.wait_for_function(f"was => {SPAN}[0] > was", arg=before[0])
    assert before[0] < span(page)[0] < span(page)[1] < before[1]


def test_what_takes_longer_comes_after_the_page(site: Site, visit: Opener) -> None:
    talk(site)
    page = visit("mia").to("/board")
    expect(page.get_by_role("heading", name="Complaints")).to_be_visible()
    expect(page.get_by_text("Nobody praised us in this time.")).to_be_visible()


def test_without_scripts_there_are_pictures_and_numbers(site: Site, visit: Opener) -> None:
    talk(site)
    page = visit("mia", java_script_enabled=False).to("/board?range=24h")
    pictures = page.locator(".chart noscript img, .chart img")
    expect(pictures).to_have_count(2)
    page.get_by_text("The same in numbers").click()
    expect(page.get_by_role("columnheader", name="Not negative")).to_be_visible()
    page.get_by_role("link", name="Zoom in").click()
    expect(page).to_have_url(re.compile("since="))


def test_the_report_prints_without_what_is_for_the_screen(site: Site, visit: Opener) -> None:
    talk(site)
    page = visit("mia").to("/report")
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    for hidden in (page.get_by_role("navigation", name="Main"), page.get_by_role("button", name="Show")):
        expect(hidden).to_be_hidden()
