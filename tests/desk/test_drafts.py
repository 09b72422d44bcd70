from __future__ import annotations

from typing import Any

import pytest

from desk.desk import Desk
from desk.draft_records import DraftView
from desk.drafting import DraftState
from desk.drafts import Drafts
from desk.eligibility import Account, Powers
from desk.handling import By
from desk.refusals import Conflict, NoSuchCase, NoSuchDraft, Unfit
from pipeline.clock import ManualClock
from pipeline.mention import Kind, Media
from pipeline.store import Store
from tests.desk.answering import FIRST, VIA, Desks, tags, tone
from tests.desk.build import ANA, BEN
from tests.desk.staff import accounts_of, person
from tests.store.samples import minutes, removal

CEM = By("user:cem")


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Desks:
    return Desks(store, clock)


def codes(draft: DraftView) -> list[str]:
    return [warning.code for warning in draft.warnings]


# ------------------------------------------------------------------------------ writing


def test_a_draft_answers_what_was_said_last_and_can_be_read_again(room: Desks) -> None:
    room.hears(conversation="c", created_at=NOW - minutes(9))
    case = room.hears(f"{VIA}:2", conversation="c")
    draft = room.drafts.write(case, ANA, "We are looking for it.")
    assert (draft.case, draft.mention, draft.via, draft.state) == (case, f"{VIA}:2", VIA, DraftState.DRAFT)
    assert (draft.writer, draft.version, draft.eligible, draft.why_not) == ("user:ana", 1, True, None)
    assert room.drafts.draft(draft.id) == draft
    other = room.drafts.write(case, ANA, "To the first.", mention=FIRST)
    assert other.mention == FIRST


def test_a_draft_is_only_written_for_what_the_customer_said_in_an_open_case(room: Desks) -> None:
    case = room.hears()
    elsewhere = room.hears(f"{VIA}:2", author="ben")
    with pytest.raises(Unfit, match="mention"):
        room.drafts.write(case, ANA, "Hello", mention=f"{VIA}:2")
    with pytest.raises(NoSuchCase):
        room.drafts.write("nowhere", ANA, "Hello")
    room.cases.resolve(elsewhere, BEN)
    with pytest.raises(Conflict, match="resolved"):
        room.drafts.write(elsewhere, BEN, "Hello")


@pytest.mark.parametrize("text", ["", " \n ", "a" * 10_001, "half \ud800", "a\0b"])
def test_what_is_no_text_is_no_draft(room: Desks, text: str) -> None:
    case = room.hears()
    with pytest.raises(Unfit, match="text"):
        room.drafts.write(case, ANA, text)
    assert room.drafts.drafts().drafts == ()


def test_any_text_is_kept_as_it_was_written(room: Desks) -> None:
    case = room.hears()
    text = "Grüße \N{PARTY POPPER} '; DROP TABLE drafts; -- \\u0000 {{}}\n" + "ü" * 9_900
    assert room.drafts.write(case, ANA, text).text == text


def test_of_two_who_edit_the_same_version_the_second_is_told(room: Desks) -> None:
    case = room.hears()
    draft = room.drafts.write(case, ANA, "One")
    second = room.drafts.write(case, BEN, "Two", id=draft.id, version=draft.version)
    assert (second.text, second.writer, second.version) == ("Two", "user:ben", 2)
    with pytest.raises(Conflict, match="version 2"):
        room.drafts.write(case, ANA, "Three", id=draft.id, version=draft.version)
    assert room.drafts.draft(draft.id) == second
    with pytest.raises(Unfit, match="version"):
        room.drafts.write(case, ANA, "Three", id=draft.id)


def test_the_same_words_again_change_nothing(room: Desks) -> None:
    case = room.hears()
    draft = room.drafts.write(case, ANA, "One")
    assert room.drafts.write(case, BEN, "One", id=draft.id, version=1) == draft


def test_a_draft_is_edited_in_its_own_case_only(room: Desks) -> None:
    case, other = room.hears(), room.hears(f"{VIA}:2", author="ben")
    draft = room.drafts.write(case, ANA, "One")
    with pytest.raises(NoSuchDraft):
        room.drafts.write(other, ANA, "Two", id=draft.id, version=1)
    with pytest.raises(NoSuchDraft):
        room.drafts.draft("nowhere")
    with pytest.raises(NoSuchDraft):
        room.drafts.submit("nowhere", ANA)


def test_who_lost_the_case_is_told_with_the_next_word(room: Desks) -> None:
    ana, draft = room.ready()
    room.takes_over(draft.case, BEN)
    with pytest.raises(Conflict) as refused:
        room.drafts.write(draft.case, ana, "More", id=draft.id, version=draft.version)
    assert refused.value.holder == "user:ben"
    with pytest.raises(Conflict):
        room.drafts.write(draft.case, ana, "Another")
    assert room.drafts.write(draft.case, ANA, "More", id=draft.id, version=1).text == "More"


def test_the_tone_is_checked_on_every_write_and_blocks_nothing(room: Desks) -> None:
    case = room.hears(tags=tags("complaint"))
    ana = room.takes(case)
    draft = room.drafts.write(case, ana, "You should have read the terms.")
    assert {"blame", "no_apology"} <= set(codes(draft))
    draft = room.drafts.write(case, ana, "I am sorry that it is late.", id=draft.id, version=1)
    assert codes(draft) == []
    draft = room.drafts.write(case, ana, "x" * 501, id=draft.id, version=2)
    assert "too_long" in codes(draft)
    assert [(it.used, it.limit) for it in draft.lengths] == [(501, 500)]
    assert room.drafts.send(draft.id, ana, may_send=True).state is DraftState.QUEUED


def test_a_text_can_be_looked_over_without_being_kept(room: Desks) -> None:
    case = room.hears(tags=tags("complaint"))
    seen = room.drafts.check(case, "Calm down.")
    assert ("dismissive" in {it.code for it in seen.warnings}, seen.eligible) == (True, True)
    assert [it.unit for it in seen.lengths] == ["characters"]
    assert room.drafts.drafts().drafts == ()
    room.take_back(FIRST)
    with pytest.raises(Conflict, match="nothing is left"):
        room.drafts.check(case, "Hello")


def test_drafts_are_listed_newest_first_a_page_at_a_time(room: Desks) -> None:
    case, other = room.hears(), room.hears(f"{VIA}:2", author="ben")
    written = []
    for number in range(5):
        written.append(room.drafts.write(case, ANA, f"Number {number}").id)
        room.clock.advance(number % 2)
    elsewhere = room.drafts.write(other, ANA, "Elsewhere")
    room.drafts.submit(elsewhere.id, ANA)
    listed, after = [], None
    while True:
        page = room.drafts.drafts(case=case, after=after, limit=2)
        listed += [draft.id for draft in page.drafts]
        if (after := page.next) is None:
            break
    assert sorted(listed) == sorted(written)
    assert listed[0] == written[-1]
    assert [draft.id for draft in room.drafts.drafts(state=DraftState.SUBMITTED).drafts] == [elsewhere.id]
    for nonsense in ("x", "ÿ", "bm90IGpzb24"):
        with pytest.raises(Unfit, match="after"):
            room.drafts.drafts(after=nonsense)


# ------------------------------------------------------------------------------- macros


def test_a_macro_is_filled_in_and_a_missing_value_warns_until_it_is_sent(room: Desks) -> None:
    case = room.hears(tags=tags("complaint", topics=("delivery",)))
    ana = room.takes(case)
    draft = room.drafts.write(case, ana, "", macro="late_parcel")
    assert draft.text == f"Hello {{customer.first_name}}, I'm sorry that your parcel is late ({case})."
    assert (draft.macro, draft.language, codes(draft)) == ("late_parcel", "en", ["unfilled"])
    with pytest.raises(Unfit, match=r"text: \{customer\.first_name\} is not filled in"):
        room.drafts.send(draft.id, ana, may_send=True)
    draft = room.drafts.write(case, ana, "Hello Ana, I'm sorry.", id=draft.id, version=draft.version)
    assert draft.macro == "late_parcel"
    assert room.drafts.send(draft.id, ana, may_send=True).state is DraftState.QUEUED


def test_a_variable_nobody_knows_is_refused_when_it_is_sent(room: Desks) -> None:
    ana, draft = room.ready("Hello {customer.shoe_size} and {agent.name} and {customer.shoe_size}")
    assert codes(draft) == ["unfilled"]
    with pytest.raises(Unfit, match=r"\{customer\.shoe_size\} and \{agent\.name\} are not filled in"):
        room.drafts.send(draft.id, ana, may_send=True)


def test_a_macro_that_does_not_exist_or_speak_the_language_is_refused(room: Desks) -> None:
    case = room.hears()
    with pytest.raises(Unfit, match="did you mean late_parcel"):
        room.drafts.write(case, ANA, "", macro="late_parcels")
    with pytest.raises(Unfit, match="texts in en, de"):
        room.drafts.write(case, ANA, "", macro="late_parcel", language="fr")
    with pytest.raises(Unfit, match="language"):
        room.drafts.write(case, ANA, "Hello", language="not a language")
    assert room.drafts.write(case, ANA, "", macro="late_parcel", language="de").text.startswith("Hallo")


def test_the_macros_that_fit_are_offered_filled_in_with_what_is_missing(store: Store, clock: ManualClock) -> None:
    room = Desks(store, clock)
    ben = person(accounts_of(store, clock), "ben")
    case = room.hears(tags=tags("complaint", topics=("delivery",)))
    offers = room.drafts.suggest(case, By(ben.actor))
    assert [(it.macro, it.score, it.reasons) for it in offers] == [
        ("late_parcel", 1.4, ("complaint 0.90", "topic delivery"))
    ]
    assert (offers[0].language, offers[0].missing) == ("en", ("customer.first_name",))
    german = room.hears(f"{VIA}:2", author="ben", tags=tags("complaint", language="de"))
    assert [it.language for it in room.drafts.suggest(german)] == ["de"]
    question = room.hears(f"{VIA}:3", author="cem", tags=tags("question"))
    assert [it.text for it in room.drafts.suggest(question)] == ["You can send it back: https://acme.example/returns"]


# ---------------------------------------------------------------------------- eligible


def test_where_it_cannot_be_answered_from_here_the_draft_says_why_and_where_it_can(room: Desks) -> None:
    case = room.hears(via="somewhere", url="https://social.example/@ana/1")
    ana = room.takes(case)
    draft = room.drafts.write(case, ana, "Hello")
    assert not draft.eligible
    assert draft.why_not == "The brand has no account on Mastodon to answer from."
    assert draft.deep_link == "https://social.example/@ana/1"
    with pytest.raises(Conflict, match="no account on Mastodon"):
        room.drafts.send(draft.id, ana, may_send=True)


def test_a_quote_of_our_own_post_may_be_answered_on_x(store: Store, clock: ManualClock) -> None:
    room = Desks(store, clock)
    desk = Desk(vias={"x": Account("x", "us", "acme")})
    drafts = Drafts(store._db, clock, room.cases, desk, tone())
    room.own("x:77", "x:1", via="x")
    quote = room.say("x:2", via="x", kind=Kind.QUOTE, parent="x:77", text="lol")
    plain = room.say("x:3", via="x", author="ben", text="lol")
    assert drafts.write(quote.id, ANA, "Hello").eligible
    seen = drafts.write(plain.id, ANA, "Hello")
    assert (seen.eligible, seen.deep_link) == (False, "https://x.com/i/status/3")


def test_an_account_that_only_the_connector_knows_is_left_to_the_connector(store: Store, clock: ManualClock) -> None:
    room = Desks(store, clock)
    drafts = Drafts(store._db, clock, room.cases, Desk(vias={"x": None}), tone())
    case = room.say("x:2", via="x", text="lol")
    assert drafts.write(case.id, ANA, "Hello").eligible


# ---------------------------------------------------------------------------- approval


def test_who_may_not_send_needs_somebody_elses_approval(room: Desks) -> None:
    ana, draft = room.ready()
    with pytest.raises(Conflict, match="approve it first"):
        room.drafts.send(draft.id, ana)
    room.drafts.submit(draft.id, ana)
    with pytest.raises(Conflict, match="somebody else"):
        room.drafts.approve(draft.id, ana)
    approved = room.drafts.approve(draft.id, BEN)
    assert (approved.state, approved.approver) == (DraftState.APPROVED, "user:ben")
    assert room.drafts.send(draft.id, ana).state is DraftState.QUEUED
    assert room.kinds(draft.case)[-3:] == ["draft_submitted", "draft_approved", "reply_queued"]


def test_a_queue_may_ask_for_everybodys_answers_to_be_approved(store: Store, clock: ManualClock) -> None:
    room = Desks(store, clock, approval="always")
    ana, draft = room.ready()
    with pytest.raises(Conflict, match="approve it first"):
        room.drafts.send(draft.id, ana, may_send=True)
    room.drafts.submit(draft.id, ana)
    room.drafts.approve(draft.id, BEN)
    assert room.drafts.send(draft.id, ana, may_send=True).state is DraftState.QUEUED


def test_nobody_who_wrote_at_it_approves_it_even_if_somebody_else_wrote_last(room: Desks) -> None:
    ana, draft = room.ready()
    room.drafts.write(draft.case, BEN, "Other words", id=draft.id, version=1)
    room.drafts.submit(draft.id, BEN)
    for hand in (ana, BEN):
        with pytest.raises(Conflict, match="somebody else"):
            room.drafts.approve(draft.id, hand)
    assert room.drafts.approve(draft.id, CEM).approver == "user:cem"


def test_an_edit_takes_the_approval_away(room: Desks) -> None:
    ana, draft = room.ready()
    room.drafts.submit(draft.id, ana)
    version = room.drafts.approve(draft.id, BEN).version
    edited = room.drafts.write(draft.case, ana, "Quite other words", id=draft.id, version=version)
    assert (edited.state, edited.approver) == (DraftState.DRAFT, None)
    with pytest.raises(Conflict, match="approve it first"):
        room.drafts.send(draft.id, ana)


def test_what_was_rejected_is_changed_before_it_is_submitted_again(room: Desks) -> None:
    ana, draft = room.ready()
    with pytest.raises(Conflict, match="is a draft"):
        room.drafts.reject(draft.id, BEN, "no")
    room.drafts.submit(draft.id, ana)
    with pytest.raises(Unfit, match="reason"):
        room.drafts.reject(draft.id, BEN, " ")
    rejected = room.drafts.reject(draft.id, BEN, "Say sorry first")
    assert (rejected.state, rejected.reason) == (DraftState.REJECTED, "Say sorry first")
    for do in (room.drafts.submit, room.drafts.approve):
        with pytest.raises(Conflict, match="rejected"):
            do(draft.id, CEM)
    with pytest.raises(Conflict, match="rejected"):
        room.drafts.send(draft.id, ana, may_send=True)
    again = room.drafts.write(draft.case, ana, "Sorry!", id=draft.id, version=rejected.version)
    assert (again.state, again.reason) == (DraftState.DRAFT, "")
    assert room.drafts.submit(draft.id, ana).state is DraftState.SUBMITTED


# ------------------------------------------------------------------------------ endings


def test_what_is_discarded_is_forgotten(room: Desks) -> None:
    _, draft = room.ready()
    gone = room.drafts.discard(draft.id, BEN)
    assert (gone.state, gone.text) == (DraftState.DISCARDED, "")
    assert room.drafts.discard(draft.id, BEN) == gone
    with pytest.raises(Conflict, match="discarded"):
        room.drafts.write(draft.case, ANA, "More", id=draft.id, version=gone.version)


def test_a_late_delete_withdraws_the_draft_that_somebody_types(room: Desks) -> None:
    room.hears(conversation="c", created_at=NOW - minutes(9))
    case = room.hears(f"{VIA}:2", conversation="c")
    ana = room.takes(case)
    other = room.drafts.write(case, ana, "To the first", mention=FIRST)
    draft = room.drafts.write(case, ana, "To the second")
    room.take_back(f"{VIA}:2")
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.text, seen.reason) == (DraftState.WITHDRAWN, "", "What it answers was taken back.")
    assert not seen.eligible
    with pytest.raises(Conflict, match="taken back"):
        room.drafts.write(case, ana, "More", id=draft.id, version=seen.version)
    assert room.drafts.draft(other.id).state is DraftState.DRAFT
    assert room.kinds(case)[-2:] == ["mention_removed", "draft_withdrawn"]
    assert room.cases.case(case) == room.cases.rebuild(case)


def test_an_authors_removal_withdraws_every_draft_to_them(room: Desks) -> None:
    ana, draft = room.ready()
    submitted = room.drafts.write(draft.case, ana, "Another")
    room.drafts.submit(submitted.id, ana)
    room.hear(removals=[removal(None, author=f"{VIA}:ana", at=room.clock.now() + minutes(600))])
    for id in (draft.id, submitted.id):
        seen = room.drafts.draft(id)
        assert (seen.state, seen.text) == (DraftState.WITHDRAWN, "")


def test_a_resolved_case_withdraws_what_was_not_sent(room: Desks) -> None:
    ana, draft = room.ready()
    room.cases.resolve(draft.case, ana, "called them")
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.reason) == (DraftState.WITHDRAWN, "The case was closed.")
    assert room.cases.case(draft.case) == room.cases.rebuild(draft.case)


NOW = ManualClock().now()


# ------------------------------------------------------------------- for one, and with pictures

PICTURE = Media(url="https://acme.example/map.png", alt="The way to the shop")


def able(room: Desks, store: Store, clock: ManualClock, **powers: Any) -> Drafts:
    return Drafts(store._db, clock, room.cases, Desk(vias={VIA: None}, powers={VIA: Powers(**powers)}), tone())


def test_an_answer_in_private_and_one_with_a_picture_say_so(room: Desks, store: Store, clock: ManualClock) -> None:
    case = room.hears()
    drafts = able(room, store, clock, actions=frozenset({"message"}), pictures=1)
    alone = drafts.write(case, ANA, "What is your phone number?", private=True)
    assert (alone.private, alone.pictures, codes(alone)) == (True, (), [])
    told = drafts.write(case, ANA, alone.text, id=alone.id, version=alone.version, private=False)
    assert codes(told) == ["asks_in_public"]
    looked = [[it.code for it in drafts.check(case, alone.text, private=so).warnings] for so in (False, True)]
    assert looked == [["asks_in_public"], []]
    shown = drafts.write(case, ANA, "Here is the way.", pictures=[PICTURE])
    assert (shown.private, shown.pictures) == (False, (PICTURE,))
    same = drafts.write(case, ANA, "Here it is.", id=shown.id, version=shown.version)
    assert same.pictures == (PICTURE,)
    bare = drafts.write(case, ANA, "Here it is.", id=shown.id, version=same.version, pictures=[])
    assert bare.pictures == ()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"private": True}, "in private"),
        ({"pictures": [PICTURE, PICTURE]}, "1 at most"),
        ({"pictures": [Media(url="file:///etc/passwd", alt="x")]}, "no address"),
        ({"pictures": [Media(url="https://acme.example/x.png", alt=" ")]}, "description"),
    ],
)
def test_what_a_source_cannot_send_is_refused_before_anybody_writes_it(
    room: Desks, store: Store, clock: ManualClock, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(Unfit, match=told):
        able(room, store, clock, pictures=1).write(room.hears(), ANA, "Hello", **asked)


def test_where_a_network_allows_one_private_message_no_other_is_written_or_sent(
    room: Desks, store: Store, clock: ManualClock
) -> None:
    case = room.hears()
    ana = room.takes(case)
    powers = frozenset({"message"})
    drafts = able(room, store, clock, actions=powers, once=powers)
    first, second, public = (drafts.write(case, ana, f"Number {n}?", private=n < 3) for n in (1, 2, 3))
    drafts.send(first.id, ana, may_send=True)
    with pytest.raises(Conflict, match="allows no other"):
        drafts.send(second.id, ana, may_send=True)
    with pytest.raises(Unfit, match="allows no other"):
        drafts.write(case, ana, "Number 4?", private=True)
    with pytest.raises(Unfit, match="allows no other"):
        drafts.write(case, ana, "Number 3?", id=public.id, version=public.version, private=True)
    assert not drafts.write(case, ana, "In public then").private
    unbound = able(room, store, clock, actions=powers)
    assert unbound.write(case, ana, "Number 5?", private=True).private


def test_what_became_of_the_first_private_message_says_whether_there_may_be_another(
    room: Desks, store: Store, clock: ManualClock
) -> None:
    case = room.hears()
    ana = room.takes(case)
    powers = frozenset({"message"})
    drafts = able(room, store, clock, actions=powers, once=powers)
    first = drafts.write(case, ana, "Number 1?", private=True)
    drafts.send(first.id, ana, may_send=True)
    drafts.discard(first.id, ana)
    assert drafts.write(case, ana, "Number 2?", private=True).private
