"""`python -m tests.console.shots [NAME…]`: a picture of every page, light and dark, on a desktop and on a phone, in
var/shots; the few that the documentation shows, in docs/shots."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import Browser, sync_playwright

from tests.console.tour import STOPS, Stop, Toured, furnished
from tests.fixtures.site import chromium_of, windows

ROOT = Path(__file__).parent.parent.parent
VAR, DOCS = ROOT / "var" / "shots", ROOT / "docs" / "shots"

SIZES = {"desktop": (1440, 900), "phone": (360, 740)}
THEMES = ("light", "dark")
TALLEST = 4000

SHOWN = {
    ("desk", "desktop", "light"),
    ("case", "desktop", "light"),
    ("case", "desktop", "dark"),
    ("case", "phone", "light"),
    ("board", "desktop", "light"),
    ("incident", "desktop", "light"),
    ("flow", "desktop", "light"),
    ("rules-edit", "desktop", "light"),
}
"""What stands in the documentation: what one sees at first, not the whole page."""


def main(names: Annotated[list[str] | None, typer.Argument(help="Pages; all unless given.")] = None) -> None:
    """Take them."""
    stops = [stop for stop in STOPS if not names or stop.name in names]
    VAR.mkdir(parents=True, exist_ok=True)
    DOCS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="harken-shots-") as folder, sync_playwright() as playwright:
        toured = furnished(Path(folder))
        browser = chromium_of(playwright)
        with toured.site.running():
            for size in SIZES:
                for theme in THEMES:
                    _take(browser, toured, stops, size, theme)
        browser.close()
    typer.echo(f"{len(stops) * len(SIZES) * len(THEMES)} pictures are in {VAR.relative_to(ROOT)}")


def _take(browser: Browser, toured: Toured, stops: list[Stop], size: str, theme: str) -> None:
    width, height = SIZES[size]
    with windows(browser, toured.site) as opener:
        for stop in stops:
            window = opener(
                stop.who,
                viewport={"width": width, "height": height},
                color_scheme=theme,
                reduced_motion="reduce",
            )
            toured.beat()
            page = toured.open(window, stop)
            page.wait_for_function("document.fonts.status === 'loaded'")
            page.wait_for_timeout(300)  # charts draw themselves
            tall = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST)
            clip = {"x": 0, "y": 0, "width": width, "height": max(tall, height)}
            page.screenshot(path=VAR / f"{stop.name}-{size}-{theme}.png", full_page=True, clip=clip)  # type: ignore[arg-type]  # a FloatRect
            if (stop.name, size, theme) in SHOWN:
                page.screenshot(path=DOCS / f"{stop.name}-{size}-{theme}.png")
            window.context.close()


if __name__ == "__main__":
    typer.run(main)
