"""A firestorm: it opens before one's eyes, somebody sees to it, and all its customers are answered once."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import expect

from desk.handling import By
from desk.replies import Sender
from pipeline.clock import ManualClock
from spikes.answering import Answering
from spikes.detection import Detection, Evidence, Key, Kind, Severity
from tests.fixtures.site import VIA, Opener, Site

POSTS = 6
WORDS = "We are sorry. All trains run again from noon."


def break_out(site: Site) -> str:
    """So many people in cases of their own, and what the watch saw; returns the incident's id."""
    onset = site.clock.now() - timedelta(minutes=20)
    for number in range(POSTS):
        said_at = onset + timedelta(minutes=number)
        text = f"acme left me standing in the rain at gate {number}"
        site.says(f"shop:storm{number}", text, author=f"angry{number}", created_at=said_at)
    evidence = Evidence(minutes=15, mentions=POSTS, authors=POSTS, negative_authors=POSTS, negative=POSTS)
    seen = Detection(
        key=Key("acme"),
        at=onset + timedelta(minutes=15),
        onset=onset,
        kind=Kind.FIRESTORM,
        severity=Severity.MAJOR,
        score=0.95,
        evidence=evidence,
    )
    with site.database.write() as transaction:
        id = site.parts.incidents.detected(transaction, seen).id
    site.parts.incidents.gather()
    return id


def test_a_firestorm_opens_is_acknowledged_and_answered_once(visit: Opener, site: Site) -> None:
    page = visit("mia").to("/incidents")
    expect(page.get_by_text("Nothing is out of the ordinary.")).to_be_visible()
    id = break_out(site)
    link = page.locator(f"a[href='/incidents/{id}']").first
    expect(link).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/incidents/{id}$"))
    page.wait_for_load_state()  # keys are heard from then on
    page.keyboard.press("a")
    expect(page.get_by_text("mia sees to it")).to_be_visible()
    page.locator("#follow > summary").press("Enter")
    page.locator("#follow-text").fill("one storm, one answer")
    page.get_by_role("button", name="Let the others follow").press("Enter")
    expect(page.get_by_text("Its cases follow one that is answered for all of them.")).to_be_visible()
    approved(site, str(site.parts.incidents.incident(id).work.lead))
    page.reload()
    page.get_by_role("button", name=re.compile("^Send it to each")).press("Enter")
    expect(page.get_by_role("button", name="Send it to nobody else")).to_be_visible()
    answer_all(site)
    assert len(site.replier.posted) == POSTS - 1
    assert len({mention for mention, _ in site.replier.posted.values()}) == POSTS - 1
    assert set(site.replier.texts) == {WORDS}


def approved(site: Site, case: str) -> None:
    """Ana writes the answer for the one case, and Lea approves it."""
    by = site.claimed(case)
    draft = site.parts.drafts.write(case, by, WORDS)
    site.parts.drafts.submit(draft.id, by)
    site.parts.drafts.approve(draft.id, By(site.users["lea"].actor))


def answer_all(site: Site) -> None:
    """What the roles spikes and desk do in an hour, at the pace that one account may have."""
    clock = ManualClock(site.clock.now())
    parts = site.parts
    answering = Answering(site.database, clock, parts.incidents, parts.desk, parts.playbooks)
    sender = Sender(site.database, clock, site.cases, {VIA: site.replier}, {VIA: {}})
    for _ in range(60):
        clock.advance(60)
        answering.step()
        while sender.step():
            pass
