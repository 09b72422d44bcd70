from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mention import BrandMatch, Cluster, Intent
from spikes._posts import QUOTE_CHARS, quote
from spikes._terms import FEWEST, terms
from spikes._words import Words
from spikes.detection import Kind
from spikes.growth import Growth, Span
from spikes.incident_records import Acknowledged, Event, Incident, Opened, StatementOut, extent, fold, group_of
from spikes.paragraph import count, paragraph
from spikes.story import MOST, Story, sample, story
from tests.spikes.seen import at, crowd, saying, seen

EVERYDAY = ["the train is late again", "heating is broken in coach four", "app logged me out", "no seats this morning"]
DOG = "they threw a guide dog off at Ashmere"


def everyday(number: int = 200) -> list[Any]:
    return [saying(f"old{n}", EVERYDAY[n % 4] + " acme", -1000 - n, author=f"regular{n % 90}") for n in range(number)]


def told(now: Any, **given: Any) -> Story:
    found = story("acme", now, given.pop("before", everyday()), **given)
    assert found is not None
    return found


def words(found: Story) -> list[str]:
    return [term.text for term in found.terms]


# ------------------------------------------------------------------------------ terms


def test_what_is_said_now_and_was_not_before_is_what_it_is_about() -> None:
    found = told([*crowd(20, DOG), *crowd(20, EVERYDAY[0], since=1)])
    assert words(found)[0] == "guide dog"
    assert not {"train", "late", "train is late"} & set(words(found))
    assert found.terms[0].authors == 20
    assert found.terms[0].before == 0


def test_one_person_who_repeats_themselves_is_no_crowd() -> None:
    angry = [saying(f"angry{n}", "zebra zebra refund", n, author="one") for n in range(50)]
    assert "zebra" not in words(told([*angry, *crowd(10, DOG)]))


@pytest.mark.parametrize(
    "private", ["@zelda.quince", "zelda@example.org", "https://x.example/zelda", "www.zelda.example", "0171-5550199"]
)
def test_no_term_is_a_handle_a_link_an_address_or_a_number(private: str) -> None:
    for term in words(told(crowd(20, f"{DOG} says {private} today"))):
        assert "zelda" not in term
        assert not re.search(r"[\d@/]", term)


def test_a_handle_without_its_sign_is_no_term_either() -> None:
    by_her = saying("first", DOG, author="z", author_fields={"handle": "zeldaquince"})
    assert not any("zelda" in term for term in words(told([by_her, *crowd(20, "zeldaquince saw a guide dog fall")])))


def test_the_brands_own_words_are_no_news() -> None:
    match = (BrandMatch(brand="acme", term="Acme Rail", start=0, end=9),)
    found = told(crowd(20, "Acme Rail threw a guide dog off", tags={"brands": match}))
    assert not any(term.startswith(("acme", "rail")) or term.endswith(("acme", "rail")) for term in words(found))


def test_what_fewer_than_three_people_say_is_nobodys_business() -> None:
    found = terms([*crowd(FEWEST - 1, "blue giraffe"), *crowd(9, "green parrot", since=9)], everyday())
    assert "green parrot" in {term.text for term in found}
    assert not any("giraffe" in term.text for term in found)


def test_ordinary_talk_has_nothing_that_sets_it_apart() -> None:
    now = [saying(f"n{n}", EVERYDAY[n % 4] + " acme", n % 30, author=f"regular{n}") for n in range(60)]
    assert terms(now, everyday(), ["acme"]) == ()


def test_on_a_brands_first_day_the_terms_are_what_most_people_say() -> None:
    found = terms([*crowd(20, DOG), *crowd(2, "blue giraffe", since=1)], [])
    assert [(term.text, term.z) for term in found] == [("guide dog", 0.0)]


@settings(max_examples=60)
@given(st.lists(st.text(max_size=60), max_size=8), st.lists(st.text(max_size=60), max_size=8))
def test_any_text_has_terms_that_may_be_shown(now: list[str], before: list[str]) -> None:
    said = [saying(f"{n}-{k}", text, author=f"a{k}") for n, text in enumerate(now) for k in range(3)]
    earlier = [saying(f"b{n}", text, -100) for n, text in enumerate(before)]
    for term in terms(said, earlier):
        assert not re.search(r"[\d@]|https?:", term.text)
        assert 1 <= len(term.text.split()) <= 3


# ---------------------------------------------------------------------- who and where


def test_the_first_post_the_widest_and_the_crowd() -> None:
    young = {"created_at": at(-60), "followers": 1}
    new = [saying(f"new{n}", DOG, 20 + n, author_fields=young) for n in range(5)]
    old = crowd(15, DOG, author_fields={"created_at": at(-(10**6))})
    loud = saying("loud", DOG, 19, author="crier", tags={"reach": 90_000}, author_fields={"created_at": at(-(10**6))})
    found = told([*old, loud, *new])
    assert found.first is not None
    assert found.loudest is not None
    assert (found.first.mention, found.loudest.mention, found.loudest.reach) == ("x:crowd0-0", "x:loud", 90_000)
    assert found.crowd.authors == 21
    assert found.crowd.new == pytest.approx(5 / 21)
    assert found.crowd.suspicious == pytest.approx(5 / 21)
    assert found.places == ("Ashmere",)


def test_links_are_told_without_what_may_name_who_shared_them() -> None:
    shared = [saying(f"l{n}", f"{DOG} https://Vid.example/9?from=user{n}", n, author=f"l{n}") for n in range(4)] + [
        saying("other", f"{DOG} http://[bad https://mine.example/me")
    ]
    assert told(shared).links == (("https://vid.example/9", 4),)


def test_near_copies_are_shown_by_the_one_in_their_middle() -> None:
    texts = ["shame on acme for the dog", "shame on acme for the poor dog", "shame on acme for the poor dog ok bye"]
    copies = [
        saying(f"c{n}", texts[n % 3], n, author=f"c{n}", tags={"cluster": Cluster(id="k", first=n == 0)})
        for n in range(9)
    ]
    shown = told([*copies, *crowd(5, DOG)]).posts_shown
    assert (shown[0].quote, shown[0].alike) == (texts[1], 9)
    assert len({post.quote for post in shown}) == len(shown)


def test_who_speaks_up_now_stands_before_who_did_earlier() -> None:
    kind: dict[str, Any] = {"tags": {"intents": (Intent(name="praise", score=0.9),)}, "score": 0.8}
    words = "acme staff were so kind and helpful to my mother today"
    before = [
        *everyday(),
        saying("fan0", words, -500, author="fan", **kind),
        saying("old", words, -50, author="o", **kind),
    ]
    now = [saying("fan1", words, 5, author="fan", **kind), saying("thanks", "thanks!", 6, author="t", **kind)]
    found = told(crowd(9, DOG), before=before, around=now).advocates
    assert [(it.account, it.mention) for it in found] == [("x:fan", "x:fan1"), ("x:o", None)]
    assert found[0].score > found[1].score > 0


def test_another_brand_is_told_of_when_it_is_their_storm() -> None:
    def named(*brands: str) -> dict[str, Any]:
        return {"brands": tuple(BrandMatch(brand=it, term=it, start=0, end=3) for it in brands)}

    theirs = [*crowd(9, DOG, tags=named("veloce")), *crowd(3, DOG, since=1, tags=named("acme", "veloce"))]
    rival = told(theirs).rival
    assert rival is not None
    assert (rival.brand, rival.posts, rival.theirs) == ("veloce", 12, True)
    some = told([*crowd(9, DOG, tags=named("acme")), *crowd(6, DOG, since=1, tags=named("acme", "veloce"))]).rival
    assert some is not None
    assert not some.theirs
    assert told(crowd(9, DOG, tags=named("acme"))).rival is None


def test_the_same_mentions_make_the_same_story_in_any_order() -> None:
    now = [*crowd(30, DOG), *crowd(9, "acme is a scam", since=3)]
    assert told(now) == told(list(reversed(now)))
    many = [saying(str(n)) for n in range(MOST + 50)]
    assert len(sample(many)) == MOST
    assert sample(many) == sample(list(reversed(many)))


def test_of_nothing_there_is_no_story() -> None:
    assert story("acme", []) is None


@settings(max_examples=60)
@given(st.text(max_size=400))
def test_a_quotation_is_short_and_names_nobody(text: str) -> None:
    short = quote(text + " @zelda https://x.example/zelda zelda@example.org +44 171 5550199")
    assert len(short) <= QUOTE_CHARS
    assert "\n" not in short
    assert "zelda" not in short.replace(quote(text), "") or "zelda" in text
    assert "5550199" not in short or "5550199" in text


def test_words_are_cut_at_what_ends_a_phrase() -> None:
    found = {" ".join(term) for term in Words().terms("Train late. Guide dog thrown off, 12 people watching")}
    assert {"train late", "guide dog", "guide dog thrown"} <= found
    assert "late guide" not in found
    assert "thrown off" not in found


# -------------------------------------------------------------------------- paragraph

GROWING = Growth("growing", Span(12.2, 9.0, 18.0), None, Span(87.0, 31.0, 214.0))


def incident(kind: Kind = Kind.FIRESTORM, *events: Event, **evidence: Any) -> Incident:
    detection = seen(20, onset=0, kind=kind, **evidence)
    work = fold([Opened(at=at(20), actor="system:spikes"), *events])
    whole, group = extent([detection]), group_of(kind)
    return Incident(id="i", strand="s", number=1, brand="acme", group=group, topic=None, extent=whole, work=work)


def test_the_paragraph_of_a_firestorm_can_be_forwarded_as_it_is() -> None:
    found = told([*crowd(40, DOG), *crowd(9, "shame on you, a guide dog is not luggage", since=2)])
    text = paragraph(incident(), found, GROWING, at(30))
    assert text == (
        "Acme is being criticised more than usual: 49 people have complained since about 08:40 UTC (30 minutes ago), "
        "at the height 15 of them within 15 minutes, where about 2 would be usual. The talk is of \u201cguide "
        "dog\u201d and \u201cluggage\u201d; the place named is Ashmere. They say: \u201cshame on you, a guide dog is "
        "not luggage\u201d, \u201cthey threw a guide dog off at Ashmere\u201d. It doubles about every 10 minutes; "
        "expect some 87 more posts in the next hour (31 to 210). Many different people say so; nothing points to a "
        "campaign. Next: name one person to take it on, say publicly that we know and what we do about it, and hold "
        "back planned posts."
    )


@pytest.mark.parametrize("kind", [it for it in Kind if it is not Kind.SILENCE])
def test_each_kind_says_what_to_do_next(kind: Kind) -> None:
    text = paragraph(incident(kind), told(crowd(9, DOG)), None, at(30))
    assert "Next: " in text
    assert "None" not in text
    assert 40 < len(text.split()) < 150


def test_silence_is_told_without_a_story() -> None:
    text = paragraph(incident(Kind.SILENCE, mentions=0, minutes=60, expected=40.0), None, None, at(30))
    assert text == (
        "It has gone quiet about Acme since about 08:40 UTC (30 minutes ago): nothing at all within an hour, where "
        "about 40 would be usual. Next: check that the source still delivers before reading anything into it."
    )


def test_what_was_done_is_not_asked_for_again() -> None:
    taken = Acknowledged(at=at(21), actor="user:ana")
    assert "name one person" not in paragraph(incident(Kind.FIRESTORM, taken), told(crowd(9, DOG)), None, at(30))
    out = StatementOut(at=at(25), actor="user:ana", text="We are sorry.")
    text = paragraph(incident(Kind.FIRESTORM, out), told(crowd(9, DOG)), None, at(30))
    assert text.endswith("Our statement has been out since 09:05 UTC: answer who still asks, with the same words.")


def test_the_paragraph_names_nobody() -> None:
    found = told(
        crowd(9, "@zelda.quince " + DOG + " https://x.example/zelda", author_fields={"handle": "zelda.quince"})
    )
    assert "zelda" not in paragraph(incident(), found, GROWING, at(30))


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (7.4, "7"), (99, "99"), (212, "about 210"), (12_345, "about 12,000"), (99_999, "about 100,000")],
)
def test_numbers_are_rounded_honestly(number: float, said: str) -> None:
    assert count(number) == said


@settings(max_examples=80)
@given(
    st.sampled_from(list(Kind)),
    st.integers(0, 10**6),
    st.floats(0, 10**5),
    st.sampled_from(["growing", "steady", "fading", "over", "unknown"]),
    st.floats(0.5, 10**4),
    st.integers(0, 10**5),
)
def test_any_incident_can_be_told(kind: Kind, heads: int, usual: float, course: Any, pace: float, later: int) -> None:
    span = Span(pace, pace / 2, pace * 3)
    text = paragraph(
        incident(kind, negative_authors=heads, authors=heads, expected=usual),
        story("acme", crowd(heads % 4, DOG)),
        Growth(course, span, span, span),
        at(20) + timedelta(minutes=later),
    )
    assert text[0].isupper()
    assert text.endswith(".")
    assert not re.search(r"None|nan|inf\b|  ", text)
