"""The routing rules in the browser: what a change would do is shown before it is in force."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clock import ManualClock
from pipeline.mention import Intent, Tags
from routing.rules import DEFAULT
from tests.console.pages.plant import HOSTILE, Browser, Plant
from tests.fixtures.shapes import mention

RULES = DEFAULT.read_text(encoding="utf-8")


@pytest.fixture
def plant(tmp_path: Path, clock: ManualClock) -> Iterator[Plant]:
    made = Plant(tmp_path, clock)
    for number in range(3):
        made.takes(
            mention(f"test:{number}", f"my parcel {HOSTILE}"),
            Tags(brand="acme", intents=(Intent(name="complaint", score=0.6),)),
        )
    yield made
    made.close()


@pytest.fixture
def lead(plant: Plant) -> Browser:
    return plant.browser("lea", "lead")


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found
    return found[1]


SILENT = """version: quiet
queues: [service, marketing]
rules:
  - name: all
    when: always
    queue: marketing
"""


def test_the_rules_in_force_are_read_one_by_one(lead: Browser) -> None:
    page = lead.see("/rules")
    assert "As the configuration says" in page
    assert re.search(r'<th scope="row">spam</th><td><span class="badge quiet">filtered</span> spam</td>', page)
    assert "pass" in lead.see("/rules/examples")


def test_what_is_wrong_is_said_by_line_and_the_text_is_kept(lead: Browser) -> None:
    wrong = RULES.replace("intents.complaint", "intents.complant", 1)
    line = wrong[: wrong.index("intents.complant")].count("\n") + 1
    page = lead.send("/rules/rules/edit", 200, body=wrong, why="typo").text
    assert f"Line {line} " in page
    assert "did you mean intents.complaint?" in page
    assert f"<b>✗ {line}</b>" in page
    assert "intents.complant:" in page
    assert 'value="typo"' in page
    lead.send("/rules/rules/edit", 422, body=wrong, why="typo", do="save")


def test_a_change_is_saved_once_its_effect_was_seen_and_failing_examples_are_known(plant: Plant, lead: Browser) -> None:
    unseen = lead.send("/rules/rules/edit", 409, body=SILENT, why="quiet", do="save").text
    assert "look at what it would change" in unseen
    page = lead.send("/rules/rules/edit", 200, body=SILENT, why="quiet").text
    assert "3 to another place" in page
    assert "(complaint → all)" in page
    assert "<script>alert(1)" not in page
    assert "fail" in page
    tried = hidden(page, "tried")
    form = {"body": SILENT, "why": "quiet", "tried": tried, "expected": "0", "do": "save"}
    assert "Examples may fail" in lead.send("/rules/rules/edit", 409, **form).text
    lead.send("/rules/rules/edit", 422, **form | {"why": " ", "anyway": "1"})
    assert "Version 1 is saved" in lead.done("/rules/rules/edit", **form, anyway="1")
    assert plant.parts.outdated(["route", "serve"]) == {"rules": 1}
    assert plant.parts.outdated(["enrich"]) == {}
    plant.parts.prepare()
    assert plant.parts.rules.version.startswith("quiet+")
    late = lead.send("/rules/rules/edit", 409, **form, anyway="1").text
    assert "somebody saved version 1" in late


def test_an_old_version_is_looked_at_with_what_it_would_move_and_put_back(plant: Plant, lead: Browser) -> None:
    plant.parts.documents.save("rules", SILENT, "user:x", "quiet", 0)
    page = lead.see("/rules/rules/versions/1")
    assert "quiet" in page
    back = lead.see("/rules/rules/versions/0")
    assert "What it would move" in back
    done = lead.done("/rules/rules/put-back", version="0", expected="1", why="it was better")
    assert "as version 2" in done
    assert plant.parts.documents.current("rules").body == RULES
    lead.send("/rules/rules/put-back", 409, version="1", expected="1", why="late")
    lead.see("/rules/rules/versions/9", 404)


def test_examples_are_changed_too_and_may_say_what_is_not_so_yet(lead: Browser) -> None:
    text = "- name: Praise goes to service\n  mention: {text: well}\n  expect: {queue: nowhere}\n"
    page = lead.send("/rules/examples/edit", 200, body=text).text
    assert "expected nowhere" in page
    lead.done("/rules/examples/edit", body=text, why="to be done", tried=hidden(page, "tried"), expected="0", do="save")
    assert "expected nowhere" in lead.see("/rules/examples")


def test_only_who_may_change_rules_does(plant: Plant) -> None:
    agent, admin, operator = (plant.browser(role, role) for role in ("agent", "admin", "operator"))
    agent.see("/rules", 403)
    assert "/rules/rules/edit" not in admin.see("/rules")
    admin.see("/rules/rules/edit", 403)
    admin.send("/rules/rules/edit", 403, body=SILENT)
    admin.send("/rules/rules/put-back", 403, version="0", expected="0", why="x")
    operator.see("/rules/rules/edit")
