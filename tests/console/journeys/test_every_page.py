"""Every page in both themes: accessible as axe-core sees it, walked by Tab with the focus in sight, still for whoever
asks for stillness, and no wider than a phone."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.console.tour import STOPS, Stop, Toured, furnished
from tests.fixtures.site import Opener, Visit, windows

pytestmark = pytest.mark.long

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
"""axe-core as the package brings it."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]

FOCUSED = """() => {
  const it = document.activeElement;
  if (!it || it === document.body) return null;
  const style = getComputedStyle(it), box = it.getBoundingClientRect();
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';
  return {what: it.outerHTML.slice(0, 120), ring, seen: box.width > 0 && box.height > 0 && it.checkVisibility()};
}"""

MOVING = """() => document.getAnimations().filter((it) => it.effect.getComputedTiming().duration > 10).length"""

WIDE = """() => [...document.querySelectorAll('body *')].filter((it) => {
  const box = it.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 1 && !it.closest('.scroll, pre, .editor, .visually-hidden, .skip')
    && getComputedStyle(it).position !== 'fixed';
}).slice(0, 3).map((it) => it.outerHTML.slice(0, 160))"""


PROGRAMS = "main script:not([type='application/json']), main img[onerror], iframe, object, embed"


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toured]:
    made = furnished(tmp_path_factory.mktemp("tour"))
    with made.site.running():
        yield made


@pytest.fixture
def opener(chromium: Browser, toured: Toured) -> Iterator[Opener]:
    with windows(chromium, toured.site) as opened:
        yield opened


def at(opener: Opener, toured: Toured, stop: Stop, **options: Any) -> Visit:
    """Somebody at this stop."""
    window = opener(stop.who, **options)
    toured.open(window, stop)
    return window


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_page_is_accessible_in_both_themes(opener: Opener, toured: Toured, stop: Stop) -> None:
    window = at(opener, toured, stop, bypass_csp=True)  # axe is a script that no page allows
    found: list[str] = []
    for theme in ("light", "dark"):
        window.page.emulate_media(color_scheme=theme)
        found += violations(window.page, theme)
    assert not found, "\n".join(found)


def violations(page: Page, theme: str) -> list[str]:
    """What axe-core finds, element by element."""
    page.evaluate(AXE)
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    result = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{theme} {it['id']}: {it['help']}: {node['html'][:200]} {(node['failureSummary'] or '')[:300]}"
        for it in result["violations"]
        for node in it["nodes"]
    ]


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_page_fits_a_phone_holds_still_and_shows_where_the_focus_is(
    opener: Opener, toured: Toured, stop: Stop
) -> None:
    window = at(opener, toured, stop, viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    page = window.page
    assert page.evaluate(MOVING) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, page.evaluate(WIDE)
    page.locator("body").evaluate("it => it.focus()")
    for _ in range(25):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        assert focused["seen"], focused
        assert focused["ring"], focused


def test_nothing_hostile_runs_wherever_it_is_shown(opener: Opener, toured: Toured) -> None:
    window = opener("lea")
    for path in (
        "/cases?show=all",
        "/search?q=owned&kind=mention",
        "/search?q=7",
        toured.places["hostile"],
        "/board",
        "/leads",
    ):
        page = window.to(path if path.startswith("/") else f"/cases/{path}")
        page.wait_for_load_state("networkidle") if "search" in path else None
        assert "owned" not in page.title(), path
        assert page.evaluate(f"document.querySelectorAll({PROGRAMS!r}).length") == 0
        links = page.evaluate("[...document.querySelectorAll('a[href]')].map((it) => it.protocol)")
        assert set(links) <= {"http:", "https:"}, path
        assert page.get_by_text("49", exact=True).count() == 0 or "{{ 7*7 }}" in page.content()
