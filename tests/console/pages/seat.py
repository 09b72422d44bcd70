"""Somebody at the console: a signed-in browser without scripts, who reads pages and sends their forms."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from starlette.testclient import TestClient

from desk.users import User
from tests.console.work import Work
from tests.desk.staff import PASSWORD


class Seat:
    """One person's browser. `get` gives the page's HTML; `send` a form, and with it the address it leads to."""

    def __init__(self, work: Work, name: str, *roles: str) -> None:
        self.user: User = work.person(name, *roles)
        self.client = TestClient(work.app, base_url="http://localhost", follow_redirects=False)
        answer = self.client.post("/sign-in", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.client.get("/me").text)
        assert found
        self.csrf = found[1]

    def get(self, path: str, status: int = 200, /, **query: Any) -> str:
        """A page; what it holds is well-formed, and no script or style stands in it."""
        answer = self.client.get(path, params=query or None)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text[:2000]}"
        checked(answer.text)
        return answer.text

    def send(self, path: str, status: int = 303, /, **fields: Any) -> str:
        """A form; returns where it leads, or the page that says why it was not done."""
        answer = self.client.post(path, data={"csrf": self.csrf, **fields})
        assert answer.status_code == status, f"{answer.status_code}: {words(answer.text)[:1500]}"
        if status == 303:
            return str(answer.headers["location"])
        if answer.text:
            checked(answer.text)
        return answer.text

    def after(self, path: str, /, **fields: Any) -> str:
        """Send a form and read the page it leads to."""
        return self.get(self.send(path, **fields))


class Page(HTMLParser):
    """What a page holds: the elements with their attributes, and ids that stand there twice."""

    VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        self.wrong += [f"{tag} has {name}" for name in given if name == "style" or name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """The attributes of every such element."""
        return [it for name, it in self.elements if name == tag and attributes.items() <= it.items()]


def checked(text: str) -> Page:
    """The page, once it is right: every element closed, no id twice, every field labelled, nothing inline."""
    page = Page(text)
    assert (page.wrong, page.open) == ([], [])
    ids = [it["id"] for _, it in page.elements if "id" in it]
    assert len(ids) == len(set(ids)), sorted(it for it in ids if ids.count(it) > 1)
    labelled = {it["for"] for it in page.all("label") if "for" in it}
    for tag, it in page.elements:
        if tag in ("textarea", "select") or (tag == "input" and it.get("type") not in ("hidden", "checkbox")):
            assert it.get("id") in labelled or "aria-label" in it, it
    for it in page.all("script"):
        assert it.get("src", "").startswith("/static/"), it
    return page


def words(text: str) -> str:
    """What one reads on a page, without its elements."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)).strip()
