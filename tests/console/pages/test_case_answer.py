"""Answers at a case: written, looked at, approved, sent; and what becomes of the words if something comes between."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from sqlalchemy import update

from desk.drafting import DraftState
from desk.handling import By
from pipeline.store.answer_tables import drafts as table
from tests.console.pages.seat import Page, Seat, words
from tests.console.pages.test_case import take, take_back
from tests.console.work import Work
from tests.store.samples import NOON, minutes

SORRY = "We are sorry that your parcel is lost. We are looking for it."


@pytest.fixture
def ana(work: Work) -> Seat:
    return Seat(work, "ana", "agent")


@pytest.fixture
def lea(work: Work) -> Seat:
    return Seat(work, "lea", "lead")


@pytest.fixture
def dan(work: Work) -> Seat:
    return Seat(work, "dan", "draft_only")


def drafts(work: Work, case: str) -> list[tuple[str, str]]:
    return [(it.state.value, it.text) for it in work.services.drafts.drafts(case=case).drafts]


def composer(shown: str) -> dict[str, str]:
    """What the composer would send as it stands, its words too."""
    form = shown.split('id="composer"')[1].split("</form>")[0]
    fields = {it["name"]: it["value"] for it in Page(shown).all("input", type="hidden") if it["name"] != "csrf"}
    text = form.split("<textarea")[1].split(">", 1)[1].split("</textarea>")[0]
    names = ("token", "draft", "version", "mention", "macro")
    return {**{name: value for name, value in fields.items() if name in names}, "text": unescape(text)}


# ----------------------------------------------------------------------------- writing


def test_words_are_looked_at_as_the_platform_counts_them(work: Work, ana: Seat) -> None:
    case = work.says()
    shown = ana.send(f"/cases/{case}/reply", 200, do="check", text="Calm down, it is {customer.first_name}'s <fault>")
    read = words(shown)
    assert "of 500 characters" in read
    assert "dismissive" in read
    assert "unfilled" in read
    assert composer(shown)["text"] == "Calm down, it is {customer.first_name}'s <fault>"
    part = ana.send(f"/cases/{case}/check", 200, text="x" * 501)
    assert "1 characters too many (501 of 500)" in words(part)
    assert "<html" not in part
    assert drafts(work, case) == []


def test_a_macro_fills_the_composer_by_its_link(work: Work, ana: Seat) -> None:
    case = work.says()
    [link] = [it for it in Page(ana.get(f"/cases/{case}")).all("a") if it.get("data-macro") == "sorry"]
    assert link["data-insert"].startswith("Hello {customer.first_name}, we are sorry.")
    filled = ana.get(link["href"].partition("#")[0])
    assert composer(filled)["text"].startswith("Hello {customer.first_name}, we are sorry.")
    assert composer(filled)["macro"] == "sorry"
    assert composer(ana.get(f"/cases/{case}", macro="none"))["text"] == ""


def test_which_mention_is_answered_can_be_chosen(work: Work, ana: Seat) -> None:
    case = work.says("mastodon:1", text="first", created_at=NOON)
    work.says("mastodon:2", text="second", created_at=NOON + minutes(1))
    assert composer(ana.get(f"/cases/{case}"))["mention"] == "mastodon:2"
    shown = ana.get(f"/cases/{case}", answer="mastodon:1")
    assert composer(shown)["mention"] == "mastodon:1"
    ana.send(f"/cases/{case}/reply", do="save", text=SORRY, mention="mastodon:1")
    assert work.services.drafts.drafts(case=case).drafts[0].mention == "mastodon:1"
    assert composer(ana.get(f"/cases/{case}"))["mention"] == "mastodon:1", "the draft is gone on with"


def test_a_draft_is_kept_gone_on_with_and_discarded(work: Work, ana: Seat) -> None:
    case = work.says()
    ana.send(f"/cases/{case}/reply", do="save", text="one\r\ntwo")
    assert drafts(work, case) == [("draft", "one\ntwo")]
    fields = composer(ana.get(f"/cases/{case}"))
    assert fields["text"] == "one\ntwo"
    ana.send(f"/cases/{case}/reply", do="save", **(fields | {"text": "three"}))
    assert drafts(work, case) == [("draft", "three")]
    stale = ana.send(f"/cases/{case}/reply", 409, do="save", **(fields | {"text": "four is not lost"}))
    assert "somebody changed it meanwhile" in words(stale)
    assert "four is not lost" in stale
    ana.send(f"/cases/{case}/reply", do="discard", **composer(ana.get(f"/cases/{case}")))
    assert drafts(work, case) == [("discarded", "")]
    assert composer(ana.get(f"/cases/{case}"))["text"] == ""


def test_an_answer_goes_out_once_and_can_be_taken_back_before(work: Work, ana: Seat) -> None:
    case = work.says()
    take(work, ana, case)
    fields = composer(ana.get(f"/cases/{case}")) | {"text": SORRY}
    shown = ana.after(f"/cases/{case}/reply", do="send", awaiting="1", **fields)
    assert "It is on its way." in shown
    assert "It goes out as soon as the platform takes it." in shown
    assert drafts(work, case) == [("queued", SORRY)]
    [draft] = work.services.drafts.drafts(case=case).drafts
    ana.send(f"/drafts/{draft.id}/back", token=fields["token"], version=draft.version)
    assert drafts(work, case) == [("draft", SORRY)]
    again = composer(ana.get(f"/cases/{case}"))
    ana.send(f"/cases/{case}/reply", do="", **again)
    assert drafts(work, case) == [("queued", SORRY)], "a key sends what the button sends"


def test_nothing_is_sent_without_the_case_and_the_words_stay(work: Work, ana: Seat) -> None:
    case = work.says()
    shown = ana.get(f"/cases/{case}")
    assert 'value="send"' not in shown
    assert "Take the case to send." in shown
    kept = ana.send(f"/cases/{case}/reply", 422, do="send", text=SORRY)
    assert SORRY in kept
    token = take(work, ana, case)
    ana.send(f"/cases/{case}/reply", do="send", text=SORRY, token=token)
    assert drafts(work, case) == [("queued", SORRY)], "what could not be sent before is not kept twice"


def test_who_lost_the_case_while_writing_is_told_and_keeps_every_word(work: Work, ana: Seat) -> None:
    case = work.says()
    take(work, ana, case)
    fields = composer(ana.get(f"/cases/{case}")) | {"text": SORRY}
    work.services.cases.take_over(case, work.person("ben", "agent").actor, "she knows me")
    told = ana.send(f"/cases/{case}/reply", 409, do="send", **fields)
    assert "ben has it now." in words(told)
    assert SORRY in told
    assert drafts(work, case) == []
    assert "ben has this customer: what you keep is a draft." in ana.get(f"/cases/{case}")


def test_what_is_deleted_while_one_writes_is_told_and_the_words_stay(work: Work, ana: Seat) -> None:
    case = work.says("mastodon:1")
    work.says("mastodon:2", text="another one", created_at=NOON + minutes(1))
    take(work, ana, case)
    fields = composer(ana.get(f"/cases/{case}")) | {"text": SORRY}
    take_back(work, "mastodon:2")
    assert "The customer took a post back. What you wrote is still here" in ana.get(f"/cases/{case}")
    told = ana.send(f"/cases/{case}/reply", 422, do="send", **fields)
    assert SORRY in told
    take_back(work, "mastodon:1")
    gone = ana.get(f"/cases/{case}")
    assert "Nothing is left to answer: the customer took everything back." in gone
    assert 'id="composer"' not in gone


def test_what_cannot_be_answered_from_here_says_where_it_can(work: Work, ana: Seat) -> None:
    case = work.says("hackernews:7", via="hn")
    shown = ana.get(f"/cases/{case}")
    assert "It cannot be sent from here:" in shown
    assert 'href="https://news.ycombinator.com/item?id=7"' in shown
    ana.send(f"/cases/{case}/answered", url="https://news.ycombinator.com/item?id=8")
    assert work.services.cases.case(case).state == "replied"


def test_a_refused_answer_says_why_and_what_to_do(work: Work, ana: Seat) -> None:
    case = work.says()
    token = take(work, ana, case)
    ana.send(f"/cases/{case}/reply", do="send", text=SORRY, token=token)
    [draft] = work.services.drafts.drafts(case=case).drafts
    _set_state(work, draft.id, state=DraftState.FAILED, reason="the platform said <no>", next_at=None)
    shown = ana.get(f"/cases/{case}")
    assert "It did not go out: the platform said &lt;no&gt;" in " ".join(shown.split())
    assert composer(shown)["text"] == SORRY


def test_every_state_of_an_answer_is_shown(work: Work, ana: Seat) -> None:
    case = work.says()
    ana.send(f"/cases/{case}/reply", do="save", text=SORRY)
    [draft] = work.services.drafts.drafts(case=case).drafts
    for state in DraftState:
        sent = {"answer": "mastodon:77", "key": "k"} if state is DraftState.SENT else {}
        _set_state(work, draft.id, state=state, reason="because", attempts=2, **sent)
        shown = words(ana.get(f"/cases/{case}"))
        ended = state in (DraftState.WITHDRAWN, DraftState.DISCARDED)
        assert (SORRY in shown) is not ended, state


def _set_state(work: Work, id: str, **changes: Any) -> None:
    with work.services.database.write() as transaction:
        transaction.run(update(table).where(table.c.id == id).values(**changes))


# ----------------------------------------------------------------------------- approval


def test_who_may_not_send_asks_and_somebody_else_approves_in_place(work: Work, dan: Seat, lea: Seat) -> None:
    case = work.says("mastodon:1", text="where is <my> parcel")
    token = take(work, dan, case)
    shown = dan.get(f"/cases/{case}")
    assert 'value="send"' not in shown
    dan.send(f"/cases/{case}/reply", 409, do="send", text=SORRY, token=token)
    dan.send(f"/cases/{case}/reply", do="", text=SORRY, token=token)
    [draft] = work.services.drafts.drafts(case=case).drafts
    assert draft.state is DraftState.SUBMITTED
    listed = lea.get("/approvals")
    assert "where is &lt;my&gt; parcel" in listed
    assert SORRY in listed
    assert Page(listed).all("form", action=f"/drafts/{draft.id}/approve")
    dan.get("/approvals", 403)
    dan.send(f"/drafts/{draft.id}/approve", 403)
    assert "Nothing waits for approval" in lea.after(f"/drafts/{draft.id}/approve", back="/approvals")
    assert [it.action for it in work.accounts.entries(about=f"case:{case}")] == ["draft.approved"]
    assert "approved by lea" in dan.get(f"/cases/{case}")
    dan.send(f"/drafts/{draft.id}/send", token=token)
    assert drafts(work, case) == [("queued", SORRY)]


def test_a_rejected_answer_comes_back_with_what_to_change(work: Work, dan: Seat, lea: Seat) -> None:
    case = work.says()
    dan.send(f"/cases/{case}/reply", do="submit", text=SORRY)
    [draft] = work.services.drafts.drafts(case=case).drafts
    lea.send(f"/drafts/{draft.id}/reject", 422, reason="")
    assert lea.send(f"/drafts/{draft.id}/reject", reason="say <when>") == f"/cases/{case}"
    shown = dan.get(f"/cases/{case}")
    assert "It came back: say &lt;when&gt;" in " ".join(shown.split())
    dan.send(f"/cases/{case}/reply", do="submit", **(composer(shown) | {"text": SORRY + " Tomorrow."}))
    assert drafts(work, case) == [("submitted", SORRY + " Tomorrow.")]


def test_nobody_approves_their_own_words(work: Work, lea: Seat) -> None:
    case = work.says(queue="marketing")
    lea.send(f"/cases/{case}/reply", do="", text=SORRY)
    [draft] = work.services.drafts.drafts(case=case).drafts
    assert draft.state is DraftState.SUBMITTED, "the queue has every answer approved"
    assert "You wrote it: somebody else must approve it." in lea.get("/approvals")
    lea.send(f"/drafts/{draft.id}/approve", 409)


def test_after_an_approval_nobody_is_led_elsewhere(work: Work, dan: Seat, lea: Seat) -> None:
    case = work.says()
    dan.send(f"/cases/{case}/reply", do="submit", text=SORRY)
    [draft] = work.services.drafts.drafts(case=case).drafts
    assert lea.send(f"/drafts/{draft.id}/approve", back="https://evil.example") == f"/cases/{case}"


def test_a_list_of_what_waits_has_pages(work: Work, lea: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.pages.approvals.MOST", 2)
    for number in range(3):
        case = work.says(f"mastodon:{number}", author=str(number), conversation=str(number), text=f"post {number}")
        by = By(f"user:{number}")
        work.services.drafts.submit(work.services.drafts.write(case, by, SORRY).id, by)
        work.clock.advance(1)
    first = lea.get("/approvals")
    assert ("post 2" in first, "post 0" in first) == (True, False)
    [more] = Page(first).all("a", rel="next")
    assert "post 0" in lea.get(more["href"])
    lea.get("/approvals", 422, after="nonsense")
