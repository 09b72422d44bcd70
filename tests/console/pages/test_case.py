"""One case as an agent sees it, and everything they do with it by its forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest

from console.api.views import Names
from console.pages.case_story import entry
from desk import events
from desk.case import Case
from desk.handling import By
from desk.labels import Labels
from pipeline.mention import Cluster, Kind, Media, Priority
from tests.console.pages.seat import Page, Seat, words
from tests.console.work import ANGRY, Work
from tests.store.samples import NOON, minutes, removal, routed

HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> javascript:alert(3) [x](javascript:alert(4)) "
    "\u202egnp.exe\u202c \u200b\u200b \U0001f621 '; DROP TABLE cases; -- {{ 7*7 }} {% raw %} =HYPERLINK(1) &lt;b&gt;"
)


@pytest.fixture
def ana(work: Work) -> Seat:
    return Seat(work, "ana", "agent")


def take(work: Work, seat: Seat, case: str) -> int:
    seat.send(f"/cases/{case}/claim")
    return work.services.cases.case(case).token


def take_back(work: Work, id: str) -> None:
    work.room.hear(removals=[msgspec.structs.replace(removal(id, at=NOON), source=id.partition(":")[0])])


# ----------------------------------------------------------------------------- reading


def test_a_case_shows_the_thread_in_order_and_what_is_not_of_it_quieter(work: Work, ana: Seat) -> None:
    own: dict[str, Any] = {"queue": None, "filtered": "own", "own": True, "author": "brand"}
    work.room.hear(routed("mastodon:0", conversation="mastodon:0", text="our offer", created_at=NOON, **own))
    reply: dict[str, Any] = {"conversation": "mastodon:0", "parent": "mastodon:0", "kind": Kind.REPLY}
    case = work.says("mastodon:1", text="you lost my parcel", created_at=NOON + minutes(1), **reply)
    work.room.hear(routed("mastodon:2", author="lou", text="mine too", created_at=NOON + minutes(2), **reply))
    shown = ana.get(f"/cases/{case}")
    assert shown.index("our offer") < shown.index("my parcel") < shown.index("mine too")
    posts = [it["class"] for it in Page(shown).all("article")]
    assert posts == ["post context ours", "post", "post context"]


def test_the_words_that_led_here_are_marked_where_they_stand(work: Work, ana: Seat) -> None:
    case = work.says("mastodon:1", text="You LOST my parcel, lostness & all", evidence=("text=my parcel", "reach=120"))
    shown = ana.get(f"/cases/{case}")
    assert "You <mark>LOST</mark> <mark>my parcel</mark>, lostness &amp; all" in shown
    assert '<code dir="auto">text=my parcel</code>' in shown
    read = words(shown)
    assert "Rule complaints → service v1" in read
    assert "complaint 90%, lost" in read
    assert "reach 120" in read


def test_media_are_told_by_their_description_and_never_loaded(work: Work, ana: Seat) -> None:
    media = (Media(url="https://m.example/1.png", alt="a torn box"), Media(url="javascript:alert(1)", alt=""))
    shown = ana.get(f"/cases/{work.says(media=media)}")
    assert "a torn box" in shown
    assert "no description" in shown
    assert 'href="https://m.example/1.png"' in shown
    assert "javascript:" not in shown
    assert [it["src"] for it in Page(shown).all("img") if not it["src"].startswith("/static/")] == []


def test_a_hostile_post_is_shown_and_does_nothing(work: Work, ana: Seat) -> None:
    case = work.says(text=HOSTILE, title=HOSTILE, url="javascript:alert(5)", evidence=(f"text={HOSTILE}",))
    work.services.cases.note(case, By("user:x"), HOSTILE)
    work.services.cases.tag(case, By("user:x"), ["<b>&\"'"])
    shown = ana.get(f"/cases/{case}")
    page = Page(shown)
    assert [it for it in page.all("script") if not it["src"].startswith("/static/")] == []
    assert page.all("img", src="x") == []
    assert not any(it.get("href", "").startswith("javascript") for it in page.all("a"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{ 7*7 }}" in shown
    assert "\u202e" not in shown


def test_a_long_post_is_cut_with_all_of_it_a_press_away(work: Work, ana: Seat) -> None:
    text = "The depot lost it. " * 526 + "the very end"
    shown = ana.get(f"/cases/{work.says(text=text)}")
    assert "Show the whole post: 10,006 characters" in shown
    assert "…" in shown.split('class="cut"')[1][:5000]
    assert "the very end" in shown


def test_what_was_taken_back_is_gone_without_its_words(work: Work, ana: Seat) -> None:
    case = work.says("mastodon:1", text="something private")
    take_back(work, "mastodon:1")
    shown = ana.get(f"/cases/{case}")
    assert "something private" not in shown
    assert "These words are no longer kept." in shown
    assert "Nothing is left to answer: the customer took everything back." in shown


def test_promises_are_counted_down_and_say_why(work: Work, ana: Seat) -> None:
    now = work.clock.now()
    shown = ana.get(f"/cases/{work.says(created_at=now, decided_at=now)}")
    assert f'data-due="{(now + minutes(30)).isoformat()}"' in shown
    assert "First response running" in words(shown)
    assert "Nothing is promised in this queue." in ana.get(f"/cases/{work.says('mastodon:9', queue='marketing')}")


def test_it_says_who_is_answering_and_until_when(work: Work, ana: Seat) -> None:
    case = work.says()
    assert "Nobody has it." in ana.get(f"/cases/{case}")
    take(work, ana, case)
    assert "You are answering, until" in ana.get(f"/cases/{case}")
    ben = Seat(work, "ben", "agent")
    shown = words(ben.get(f"/cases/{case}"))
    assert "ana is answering, until" in shown
    assert "Take it over" in shown
    assert "Take it c" not in shown


def test_the_customers_other_cases_and_what_the_crm_says_stand_beside_it(work: Work, ana: Seat) -> None:
    first = work.says("mastodon:1", author="kim")
    other = work.says("mastodon:2", author="kim", queue="marketing", brand="zenith", conversation="mastodon:2")
    work.services.cases.resolve(other, By("user:x"))
    shown = ana.get(f"/cases/{first}")
    assert f'href="/cases/{other}"' in shown
    assert 'href="/customers/mastodon%3Akim"' in shown


def test_a_wave_says_how_many_follow_and_a_copy_leads_to_the_first(work: Work, ana: Seat) -> None:
    tags = msgspec.structs.replace(ANGRY, cluster=Cluster(id="w", first=True))
    text = "everybody must hear that acme has lost every parcel of ours"
    cases = [work.says(f"mastodon:{n}", author=f"a{n}", text=text, tags=tags, conversation=f"c{n}") for n in range(3)]
    assert "2 copies follow it" in ana.get(f"/cases/{cases[0]}")
    assert f'href="/cases/{cases[0]}">Go to the first one' in ana.get(f"/cases/{cases[2]}")


def test_the_timeline_tells_who_did_what_the_newest_first(work: Work, ana: Seat) -> None:
    case = work.says()
    token = take(work, ana, case)
    ana.send(f"/cases/{case}/note", text="called the\r\ndepot")
    ana.send(f"/cases/{case}/escalate", reason="it is the mayor")
    ana.send(f"/cases/{case}/resolve", token=token)
    shown = ana.get(f"/cases/{case}")
    story = words(shown.split("What happened")[1])
    told = ["ana resolved it", "ana called a lead", "it is the mayor", "ana noted", "ana took it", "It came to service"]
    assert [story.index(it) for it in told] == sorted(story.index(it) for it in told)
    assert "called the<br>depot" in shown


def test_every_kind_of_event_has_a_sentence(work: Work, ana: Seat) -> None:
    class Reader:
        def _(self, text: str, **values: Any) -> str:
            return text % values if values else text

    names, reader = Names(work.accounts), Reader()
    samples: dict[Any, Any] = {str: "x", int: 1, bool: False, Priority: Priority.LOW}
    for kind in get_args(events.Event):
        needed = [it for it in msgspec.structs.fields(kind) if it.required]
        values = {it.name: samples.get(it.type, NOON) for it in needed}
        values |= {
            name: given for name, given in (("label", "lead"), ("found", "no"), ("right", "yes")) if name in values
        }
        told = entry(reader, names, kind(**values))  # type: ignore[arg-type]
        assert told.text, kind
        assert "%(" not in told.text, kind


def test_who_may_only_look_gets_no_forms_and_who_may_not_gets_nothing(work: Work) -> None:
    case = work.says()
    operator = Seat(work, "olga", "operator")
    operator.get(f"/cases/{case}", 403)
    for what in ("claim", "note", "tag", "resolve", "transfer", "snooze", "reply", "label", "watch"):
        operator.send(f"/cases/{case}/{what}", 403, text="x", queue="marketing")
    assert work.services.cases.case(case).version == 1


def test_a_case_that_is_not_there_is_not_found(ana: Seat) -> None:
    ana.get("/cases/nowhere", 404)
    ana.send("/cases/nowhere/claim", 404)


# ------------------------------------------------------------------------------ working

Action = tuple[str, dict[str, Any]]


@pytest.mark.parametrize(
    "what", ["claim", "release", "note", "tag", "transfer", "snooze", "wake", "resolve", "label", "reply", "check"]
)
def test_a_form_of_another_site_or_session_changes_nothing(work: Work, ana: Seat, what: str) -> None:
    case = work.says()
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        csrf = "" if not headers else ana.csrf
        answer = ana.client.post(f"/cases/{case}/{what}", data={"csrf": csrf, "text": "x"}, headers=headers)
        assert answer.status_code == 403
    assert work.services.cases.case(case).version == 1


def test_what_was_claimed_can_be_given_back_at_once(work: Work, ana: Seat) -> None:
    case = work.says()
    shown = ana.after(f"/cases/{case}/claim")
    assert "It is yours" in shown
    undo = Page(shown).all("form", action=f"/cases/{case}/release")
    assert undo
    token = work.services.cases.case(case).token
    assert "It is back in its queue." in ana.after(f"/cases/{case}/release", token=token)
    assert work.services.cases.case(case).owner is None


def test_somebody_elses_case_is_refused_with_who_has_it(work: Work, ana: Seat) -> None:
    case = work.says()
    take(work, ana, case)
    ben = Seat(work, "ben", "agent")
    for what in ("claim", "resolve", "transfer", "snooze", "priority"):
        fields = {"queue": "marketing", "span": "1h", "priority": "low"}
        assert "ana has it now." in words(ben.send(f"/cases/{case}/{what}", 409, **fields))


def test_a_take_over_needs_a_reason_and_tells_who_lost_it(work: Work, ana: Seat) -> None:
    case = work.says()
    take(work, ana, case)
    ben = Seat(work, "ben", "agent")
    ben.send(f"/cases/{case}/takeover", 422, reason="  ")
    ben.send(f"/cases/{case}/takeover", reason="I know <her>")
    shown = ana.get(f"/cases/{case}")
    assert "ben took this customer over. You can send nothing to them now; what you wrote is still here." in shown
    assert "I know &lt;her&gt;" in shown
    take_over = [it.action for it in work.accounts.entries(about=f"case:{case}")]
    assert take_over == ["case.taken_over"]
    writer = Seat(work, "dan", "draft_only")
    writer.send(f"/cases/{case}/takeover", 403, reason="mine")


def test_a_lease_that_ran_out_is_told(work: Work, ana: Seat) -> None:
    case = work.says()
    take(work, ana, case)
    work.clock.advance(301)
    work.services.cases.sweep()
    assert "Your time on this case ran out." in ana.get(f"/cases/{case}")
    take(work, ana, case)
    assert "ran out" not in ana.get(f"/cases/{case}").split("What happened")[0]


def test_the_page_keeps_the_lease_up_and_hears_when_it_is_lost(work: Work, ana: Seat) -> None:
    case = work.says()
    token = take(work, ana, case)
    work.clock.advance(200)
    ana.send(f"/cases/{case}/heartbeat", 204, token=token)
    until = work.services.cases.case(case).until
    assert until is not None
    assert until > work.clock.now() + timedelta(seconds=290)
    ana.send(f"/cases/{case}/heartbeat", 422)
    work.services.cases.take_over(case, "user:x", "mine")
    ana.send(f"/cases/{case}/heartbeat", 409, token=token)


def test_a_transfer_is_a_correction_and_its_undo_takes_that_back(work: Work, ana: Seat) -> None:
    case = work.says()
    shown = ana.get(f"/cases/{case}")
    assert Page(shown).all("button", name="queue", value="marketing")[0]["data-choice"] == "1"
    after = ana.after(f"/cases/{case}/transfer", queue="marketing", wrong="1")
    assert work.services.cases.case(case).queue == "marketing"
    [kept] = work.services.cases.corrections(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    assert (kept.right_queue, kept.reason) == ("marketing", "belongs in marketing")
    undo = re.search(r'action="/cases/\w+/transfer">(.*?)<button class="plain" data-key="u"', after, re.DOTALL)
    assert undo
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', undo[1]))
    ana.send(f"/cases/{case}/transfer", **(fields | {"csrf": ana.csrf}))
    assert work.services.cases.case(case).queue == "service"
    assert not list(work.services.cases.corrections(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)))
    ana.send(f"/cases/{case}/transfer", 422, queue="nowhere")


def test_labels_are_corrected_and_stand_beside_what_was_found(work: Work, ana: Seat) -> None:
    case = work.says("mastodon:1")
    page = Page(ana.get(f"/cases/{case}"))
    assert {it["data-choice"]: it["value"] for it in page.all("button", name="choice")} == {
        "1": "sentiment:positive",
        "2": "sentiment:neutral",
        "3": "sentiment:negative",
        "4": "complaint:no",
        "5": "praise:yes",
        "6": "lead:yes",
        "7": "question:yes",
    }
    ana.send(f"/cases/{case}/label", mention="mastodon:1", choice="sentiment:neutral")
    shown = ana.after(f"/cases/{case}/label", mention="mastodon:1", choice="complaint:no")
    read = words(shown)
    assert "neutral corrected by ana: it was tagged negative" in read
    assert "corrected by ana: it was tagged complaint yes" in read
    assert "ana corrected sentiment from negative to neutral" in read
    ana.send(f"/cases/{case}/label", mention="mastodon:1", label="complaint", right="yes")
    labels = Labels(work.services.database, work.clock)
    assert [(it.label, it.right) for it in labels.of_case(case)] == [("sentiment", "neutral")]
    for wrong in ("sentiment:yes", "x", "lead:"):
        ana.send(f"/cases/{case}/label", 422, mention="mastodon:1", choice=wrong)
    ana.send(f"/cases/{case}/label", 422, mention="mastodon:2", choice="lead:yes")


def test_a_snooze_ends_when_its_name_says_in_the_readers_zone(work: Work, ana: Seat) -> None:
    case = work.says()
    ana.client.cookies.set("harken_zone", "Europe/Berlin", domain="localhost.local")
    ana.send(f"/cases/{case}/snooze", span="tomorrow")
    wakes = work.services.cases.case(case).wakes_at
    assert wakes is not None
    assert (wakes.hour, wakes.date() - work.clock.now().date()) == (8, timedelta(days=1))
    assert "rests until" in ana.get(f"/cases/{case}")
    ana.send(f"/cases/{case}/wake")
    local = (work.clock.now() + timedelta(days=2)).strftime("%Y-%m-%dT10:30")
    ana.send(f"/cases/{case}/snooze", until=local)
    assert work.services.cases.case(case).wakes_at == (work.clock.now() + timedelta(days=2)).replace(
        hour=9, minute=30, second=0, microsecond=0
    )
    ana.send(f"/cases/{case}/snooze", 422, until="soon")
    ana.send(f"/cases/{case}/snooze", 422, until="2001-01-01T10:00")


def test_notes_tags_priority_questions_and_watching(work: Work, ana: Seat) -> None:
    case = work.says()
    ben = work.person("ben", "agent")

    def held() -> Case:
        return work.services.cases.case(case)

    ana.send(f"/cases/{case}/tag", add="vip, parcel ,,")
    assert held().tags == ("parcel", "vip")
    ana.send(f"/cases/{case}/tag", remove="vip")
    assert held().tags == ("parcel",)
    ana.send(f"/cases/{case}/priority", priority="urgent", reason="press")
    assert held().priority is Priority.URGENT
    ana.send(f"/cases/{case}/watch")
    assert held().watchers == (ana.user.actor,)
    assert "Stop watching" in ana.get(f"/cases/{case}")
    ana.send(f"/cases/{case}/watch", stop="1")
    assert held().watchers == ()
    ana.send(f"/cases/{case}/ask", whom=f"user:{ben.id}", question="is it there?")
    ana.send(f"/cases/{case}/ask", whom="queue:marketing", question="yours?")
    told = words(ana.get(f"/cases/{case}"))
    assert "ana asked ben" in told
    assert "ana asked marketing" in told
    for whom in ("queue:nowhere", "user:nobody", "nobody"):
        ana.send(f"/cases/{case}/ask", 422, whom=whom, question="?")
    kept = ana.send(f"/cases/{case}/note", 422, text="x" * 10_001)
    assert "x" * 10_001 in kept, "what was typed is not lost"


def test_a_resolved_case_is_reopened_by_its_undo(work: Work, ana: Seat) -> None:
    case = work.says()
    shown = ana.after(f"/cases/{case}/resolve", reason="")
    assert "It is resolved." in shown
    assert "Open it again" in shown
    assert Page(shown).all("input", name="reason", value="resolved by mistake")
    ana.send(f"/cases/{case}/reopen", reason="resolved by mistake")
    assert work.services.cases.case(case).open
    ana.send(f"/cases/{case}/reopen", 409, reason="again")


def test_a_lead_gives_a_case_to_somebody_and_an_agent_does_not(work: Work, ana: Seat) -> None:
    case = work.says()
    lead = Seat(work, "lea", "lead")
    assert 'id="assign-user"' in lead.get(f"/cases/{case}")
    assert 'id="assign-user"' not in ana.get(f"/cases/{case}")
    lead.send(f"/cases/{case}/assign", user=ana.user.id)
    assert work.services.cases.case(case).owner == ana.user.actor
    ana.send(f"/cases/{case}/assign", 403, user=lead.user.id)
    lead.send(f"/cases/{case}/assign", 422, user="nobody")


def test_every_state_of_a_case_has_a_page(work: Work, ana: Seat) -> None:
    given = work.services.cases
    by = By(ana.user.actor)
    states: dict[str, Callable[[str], object]] = {
        "new": lambda id: None,
        "claimed": lambda id: given.claim(id, by.user),
        "snoozed": lambda id: given.snooze(id, by, work.clock.now() + minutes(5)),
        "resolved": lambda id: given.resolve(id, by),
        "replied": lambda id: given.answer_natively(id, by, "https://m.example/7"),
        "waiting": lambda id: _wait(work, id, By(by.user, given.claim(id, by.user).lease.token)),
        "reopened": lambda id: (given.resolve(id, by), given.reopen(id, by, "not yet")),
        "withdrawn": lambda id: take_back(work, "mastodon:withdrawn"),
    }
    for state, make in states.items():
        case = work.says(f"mastodon:{state}", author=state, conversation=f"mastodon:{state}")
        make(case)
        assert given.case(case).state == state
        assert state in words(ana.get(f"/cases/{case}"))


def _wait(work: Work, id: str, by: By) -> None:
    work.room.send(id, by)
    work.room.sent(id, f"mastodon:answer-{id}", awaiting=True)
