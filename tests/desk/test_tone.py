"""Thirty good replies raise no warning, thirty bad ones raise exactly theirs, and the words are where they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.tone import Tone, ToneWarning, Vocabulary, vocabulary
from pipeline.errors import ConfigError
from pipeline.mention import Intent, Kind
from tests.fixtures.shapes import mention

REPLIES = yaml.safe_load((Path(__file__).parent / "replies.yaml").read_text(encoding="utf-8"))
TONE = Tone()


def check(reply: str, to: str = "", *, complaint: float = 0.0, tone: Tone = TONE, **changes: Any) -> list[ToneWarning]:
    intents = [Intent(name="complaint", score=complaint)] if complaint else []
    known = {key: changes.pop(key) for key in ("network", "language", "first", "private") if key in changes}
    return list(tone.check(reply, mention("bluesky:1", to, **changes), intents, **known))


def raised(reply: str, to: str = "", **changes: Any) -> list[str]:
    return [warning.code for warning in check(reply, to, **changes)]


def case(row: dict[str, Any]) -> list[str]:
    return raised(
        row["reply"],
        row["to"],
        complaint=row.get("complaint", 0.0),
        network=row.get("on", "bluesky"),
        language=row.get("language"),
    )


@pytest.mark.parametrize("row", REPLIES["good"], ids=lambda row: row["to"])
def test_a_good_reply_raises_no_warning(row: dict[str, Any]) -> None:
    assert case(row) == []


@pytest.mark.parametrize("row", REPLIES["bad"], ids=lambda row: row["reply"][:40])
def test_a_bad_reply_raises_its_warnings_and_no_others(row: dict[str, Any]) -> None:
    assert case(row) == row["warns"]


def test_there_are_thirty_of_each_and_every_code_is_among_the_bad() -> None:
    assert (len(REPLIES["good"]), len(REPLIES["bad"])) == (30, 30)
    others = {"harsh", "no_apology", "asks_in_public", "personal_data", "shouting", "unfilled", "too_long"}
    assert {code for row in REPLIES["bad"] for code in row["warns"]} == others | set(vocabulary().groups)


def test_a_warning_shows_the_words_where_they_stand() -> None:
    draft = "Hello Ana. Honestly, it's your own fault."
    (warning,) = check(draft)
    assert warning.code == "blame"
    assert warning.words == ("your own fault",)
    assert [draft[start:end] for start, end in warning.spans] == ["your own fault"]
    assert warning.sentence.endswith(".")
    assert warning.suggestion.endswith(".")


def test_a_warning_keeps_personal_data_out_of_a_log() -> None:
    (warning,) = check("Ring +44 20 7946 0958")
    assert warning.words == ("+44 20 7946 0958",)
    assert "7946" not in repr(warning)


def test_what_stands_out_is_the_end_that_does_not_fit() -> None:
    (warning,) = check("a" * 290, network="x")
    assert warning.spans == ((280, 290),)
    assert warning.sentence == "It is 10 weighted characters over the 280 that x allows."
    assert raised("a" * 290, network="x", tone=Tone(limits={"x": 25_000})) == []


def test_a_private_answer_may_hold_personal_data_but_no_card() -> None:
    assert raised("We will ring +44 20 7946 0958. What is your order number?", kind=Kind.MESSAGE) == []
    (warning,) = check("Your card 4111 1111 1111 1111 expires soon.", kind=Kind.MESSAGE)
    assert (warning.code, warning.sentence) == ("personal_data", "This shows a card number.")


def test_an_answer_in_private_to_something_public_is_looked_at_as_a_private_one() -> None:
    asks = "Please send your order number. We will ring +44 20 7946 0958."
    assert raised(asks) == ["asks_in_public", "personal_data"]
    assert raised(asks, private=True) == []
    (warning,) = check("Your card 4111 1111 1111 1111 expires soon.", private=True)
    assert (warning.sentence, warning.suggestion) == ("This shows a card number.", "Leave it out.")
    assert raised("Calm down {name}", complaint=0.9, private=True) == ["dismissive", "no_apology", "unfilled"]


def test_a_private_answer_is_as_long_as_a_message_may_be() -> None:
    assert raised("a" * 290, network="x", private=True) == []
    (warning,) = check("a" * 10_001, network="x", private=True)
    assert warning.spans == ((10_000, 10_001),)
    assert warning.sentence == "It is 1 characters over the 10000 that x allows in a private message."
    assert raised("a" * 501, network="mastodon", private=True) == ["too_long"]
    assert raised("a" * 501, network="mastodon", private=True, tone=Tone(limits={"mastodon": 600})) == []


def test_the_brands_own_contacts_may_be_shown() -> None:
    reply = "Write to help@acme.example or ring 020 7946 0958."
    assert raised(reply, tone=Tone(region="GB")) == ["personal_data"]
    assert raised(reply, tone=Tone(region="GB", ours=["acme.example", "+442079460958", "02079460958"])) == []


def test_a_question_for_details_is_fine_when_it_leads_elsewhere() -> None:
    assert raised("Please send your order number.") == ["asks_in_public"]
    assert raised("Please send your order number by DM.") == []
    assert raised("Please leave your order number at https://acme.example/help") == []
    assert raised("Your order number is on the first page of the letter.") == []


def test_only_a_first_answer_lacks_an_apology() -> None:
    assert raised("It leaves today.", complaint=0.9) == ["no_apology"]
    assert raised("It leaves today.", complaint=0.9, first=False) == []
    assert raised("It leaves today.", complaint=0.59) == []
    assert raised("Es geht heute raus.", complaint=0.9, lang="de") == []


def test_the_customers_own_words_and_capitals_are_not_held_against_the_agent() -> None:
    to = "The GIANT PUMPKIN mask is ugly, horrible and nasty"
    assert raised("You call the GIANT PUMPKIN mask ugly, horrible and nasty: what should be different?", to) == []
    assert raised("You call the GIANT PUMPKIN mask ugly, horrible and nasty: what then?") == ["harsh", "shouting"]


def test_other_languages_are_read_for_what_needs_no_words() -> None:
    assert raised("Your own fault {name}", language="fr") == ["unfilled"]
    assert raised("Your own fault {name}", language="en-GB") == ["blame", "unfilled"]


@pytest.mark.parametrize(
    "reply",
    [
        "You should have the parcel by tonight.",
        "You shouldn't have to wait this long.",
        "Because you ordered before noon, it leaves today.",
        "It wasn't your fault, the page was down.",
        "What did you expect to see on the screen?",
        "With respect to your second question: yes.",
        "The shirt is 100% cotton.",
        "It's just a short form, two minutes at most.",
        "Haha, we like that one. Relax, and enjoy the trip!",
        "We'll deal with it first thing tomorrow.",
        "It's on us to put that right.",
        "We'll give you a call at noon.",
        "I can't promise a date, but I'll write on Friday.",
        "You can change your email address in the app, just confirm it there.",
        "Let us know if the phone number on the page does not work.",
        "The ASAP line and the FAQ are on the VPN page.",
        "Whatever you decide, we keep the seat until Friday.",
        "Could you tell us which shop it was?",
        "You fell ill. Refund or a new date, as you like: we may as well refund it.",
    ],
)
def test_what_only_resembles_a_bad_phrase_is_left_alone(reply: str) -> None:
    assert raised(reply) == []


def test_a_straight_a_curly_and_no_apostrophe_are_the_same() -> None:
    for reply in ("You didn't read it", "You didn\N{RIGHT SINGLE QUOTATION MARK}t read it", "you didnt  read it"):
        assert raised(reply) == ["blame"]


def test_an_empty_draft_has_nothing_to_warn_about() -> None:
    assert raised(" \n", complaint=1.0) == []


def test_a_wrong_vocabulary_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "tone.yaml"
    path.write_text("groups: {rude: {sentence: S, sugestion: T, phrases: []}}\nneutrl: []\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        vocabulary(path)
    told = str(caught.value)
    assert "tone.yaml.groups.rude.sugestion" in told
    assert "tone.yaml.groups.rude.phrases" in told
    assert "did you mean neutral?" in told
    path.write_text("groups: [\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"tone\.yaml:2: not YAML"):
        vocabulary(path)


def test_a_care_team_may_bring_its_own_phrases() -> None:
    words = vocabulary().model_dump() | {
        "groups": {"jargon": {"sentence": "S.", "suggestion": "T.", "phrases": ["SKU * code"]}}
    }
    tone = Tone(Vocabulary.model_validate(words))
    assert raised("The sku of this code, and your own fault", tone=tone) == ["jargon"]


def test_every_warning_is_explained_to_agents() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "answering.md").read_text(encoding="utf-8")
    for code in {code for row in REPLIES["bad"] for code in row["warns"]}:
        assert f"| `{code}` |" in page, code


@given(st.text(max_size=120), st.sampled_from(["x", "mastodon", "reddit"]))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_checked_and_spans_hold_the_words(draft: str, network: str) -> None:
    for warning in check(draft, complaint=1.0, network=network):
        assert warning.words == tuple(draft[start:end] for start, end in warning.spans)
        assert all(0 <= start < end <= len(draft) for start, end in warning.spans)
