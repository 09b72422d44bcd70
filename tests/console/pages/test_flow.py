"""How mentions flow, as the operator sees it: the picture, the ledger, dead letters, gaps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from desk.audit import Audit
from pipeline.clock import ManualClock
from pipeline.mention import Tags
from pipeline.ports import Gap, Usage
from tests.console.pages.plant import HOSTILE, Browser, Plant
from tests.console.pages.test_session_pages import visitor
from tests.fixtures.shapes import mention


@pytest.fixture
def plant(tmp_path: Path, clock: ManualClock) -> Iterator[Plant]:
    made = Plant(tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def operator(plant: Plant) -> Browser:
    return plant.browser("olga", "operator")


def settled(plant: Plant, browser: Browser) -> str:
    """The page once the flow and the ledger were read."""
    for _ in range(50):
        page = browser.see("/flow")
        if "This is being found out." not in page and "It is being read." not in page:
            return page
        plant.clock.advance(120)
    raise AssertionError("the flow was never known")


def test_the_picture_shows_every_part_and_the_tables_say_the_same(plant: Plant, operator: Browser) -> None:
    plant.takes(mention("test:1"), Tags(brand="acme", stages={"intent": "7"}))
    plant.store.beat("route-1", "route", plant.clock.now(), 5, 2.5)
    page = settled(plant, operator)
    picture = page[page.index("<svg class=") : page.index("</svg>")]
    for part in ("reviews", "raw", "enriched", "routed", "route", "service", "archive"):
        assert f">{part}" in picture or f"⚠ {part}" in picture, part
    assert "2.5 a second" in picture
    assert "1 to send" in picture
    assert "⚠ enrich" in picture, "it does not run, and not by colour alone"
    assert re.search(r'<th scope="row">route</th>\s*<td class="n">1</td>\s*<td class="n">2.5</td>', page)
    assert "style=" not in page
    assert "balanced" in page
    assert '<dd class="mono">7</dd>' in page, "the stages that the newest mention went through"
    assert plant.parts.rules.version in page


def test_a_process_that_fell_silent_no_longer_counts(plant: Plant, operator: Browser) -> None:
    plant.store.beat("route-1", "route", plant.clock.now(), 5, 2.5)
    plant.clock.advance(60)
    assert "2.5 a second" not in settled(plant, operator)


def test_what_a_source_has_used_and_brought_is_shown(plant: Plant, operator: Browser) -> None:
    resets = plant.clock.now() + timedelta(days=3)
    usage = [Usage("posts", 1000, None, resets), Usage("USD", 5, 50, resets)]
    plant.store.take_in("<x>", None, [], usage=usage)
    page = settled(plant, operator)
    assert re.search(r"5\s+of 50\s+USD", page)
    assert "1,000 posts" in page
    assert "&lt;x&gt;" in operator.raw("/flow")


def test_who_may_not_see_the_system_sees_nothing_of_it(plant: Plant) -> None:
    agent = plant.browser("ana", "agent")
    for path in ("/flow", "/flow/dead", "/flow/dead/x", "/flow/gaps"):
        agent.see(path, 403)
    admin = plant.browser("max", "admin")  # reads, and changes nothing
    letter = plant.dies(mention("test:1"))
    admin.see("/flow/dead")
    admin.send("/flow/dead/retry", 403, id=letter.id)
    admin.send("/flow/dead/discard", 403, id=letter.id, why="x")
    assert "Send them through again" not in admin.see("/flow/dead")
    assert visitor(plant).get("/flow").headers["location"].startswith("/sign-in")  # type: ignore[arg-type]
    forged = admin.client.post("/flow/ledger", data={"csrf": "0" * 64})
    assert forged.status_code == 403


def test_a_dead_letter_is_inspected_and_sent_through_again(plant: Plant, operator: Browser) -> None:
    letter = plant.dies(mention("test:1", HOSTILE), reason=f"cannot {HOSTILE}")
    raw = operator.raw("/flow/dead") + operator.raw(f"/flow/dead/{letter.id}")
    assert "<script>alert(1)" not in raw
    assert "\u202e" not in raw
    assert "&lt;script&gt;" in raw
    assert "{{ 7*7 }}" in operator.see(f"/flow/dead/{letter.id}")
    assert "1 of 1 are on their way again" in operator.done("/flow/dead/retry", id=letter.id)
    found = plant.store.dead_letter(letter.id)
    assert found is not None
    assert found.state == "retried"
    assert dict(plant.parts.lag(["route"])) == {"route": 1}, "it lies on the topic again"
    operator.send("/flow/dead/retry", 409, id=letter.id)
    assert Audit(plant.services.database, plant.clock).entries(1)[0].action == "dead_letters.retried"


def test_what_cannot_be_read_this_time_either_stays_and_says_why(plant: Plant, operator: Browser) -> None:
    letter = plant.dies(mention("test:1"), role="collect")
    answer = operator.send("/flow/dead/retry", 409, id=letter.id)
    assert "0 of 1 are on their way again" in answer.text
    assert "still unreadable" in answer.text
    found = plant.store.dead_letter(letter.id)
    assert found is not None
    assert found.state == "dead"


def test_many_of_one_fault_are_given_up_together_and_taken_back(plant: Plant, operator: Browser) -> None:
    for number in range(3):
        plant.dies(mention(f"test:{number}"), reason="no such brand")
    other = plant.dies(mention("test:9"), reason="another")
    assert "3 letters" in operator.see("/flow/dead")
    shown = operator.see("/flow/dead?reason=no+such+brand")
    assert "another" not in shown
    operator.send("/flow/dead/discard", 422, every="1", reason="no such brand")
    page = operator.done("/flow/dead/discard", every="1", reason="no such brand", why="a test file")
    assert "3 are given up." in page
    assert [it.id for it in plant.store.dead()] == [other.id]
    note = re.search(r'name="note" value="([^"]*)"', page)
    assert note
    assert "a test file" in note[1]
    assert "3 wait again." in operator.done("/flow/dead/restore", note=note[1])
    assert len(plant.store.dead()) == 4
    one = plant.store.letters(reason="another")[0]
    operator.done("/flow/dead/discard", id=one.id, why="noise")
    assert "It was given up" in operator.see(f"/flow/dead/{one.id}")
    assert "1 wait again." in operator.done("/flow/dead/restore", id=one.id)
    operator.send("/flow/dead/retry", 422)


def test_the_list_of_dead_letters_goes_on_where_its_page_ends(plant: Plant, operator: Browser) -> None:
    for number in range(53):
        plant.dies(mention(f"test:{number}"), reason=f"why {number}")
        plant.clock.advance(1)
    first = operator.see("/flow/dead?role=route")
    assert "why 52" in first
    assert "why 2<" not in first
    more = re.search(r'href="([^"]*)" rel="next"', first)
    assert more
    assert "why 2<" in operator.see(more[1])


def test_a_gap_is_said_to_be_filled_and_that_is_taken_back(plant: Plant, operator: Browser) -> None:
    now = plant.clock.now()
    plant.store.take_in("reviews", None, [], [], [Gap(now, now, "the line was down")], True)
    gap = plant.store.gaps()[0].id
    assert "the line was down" in operator.see("/flow/gaps")
    operator.send("/flow/gaps/repair", 422, gap=gap)
    assert "The gap counts as repaired." in operator.done("/flow/gaps/repair", gap=gap, note="from an export")
    assert "No gap is open." in operator.see("/flow/gaps")
    assert "olga: from an export" in operator.see("/flow/gaps?show=all")
    operator.send("/flow/gaps/repair", 404, gap=gap, note="again")
    assert "The gap is open again." in operator.done("/flow/gaps/reopen", gap=gap)
    assert plant.store.gaps(open_only=True)
