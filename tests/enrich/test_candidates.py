"""Candidate topics: what texts without a topic have in common, in words and people."""

from __future__ import annotations

from itertools import count, pairwise

from enrich._candidates import Said, candidates

_NUMBER = count()


def said(text: str, author: str = "", copies: str = "") -> Said:
    number = next(_NUMBER)
    words = text.split()
    terms = frozenset([*((word,) for word in words), *pairwise(words)])
    return Said(f"t:{number}", author or f"a{number}", copies or f"t:{number}", terms)


BATTERY = ["battery swells", "battery dead again", "my battery swells", "battery swells fast", "the battery swells"]
SCREEN = ["green screen", "a green screen line", "green screen since monday"]
NOISE = ["unhappy today", "so annoyed", "why though"]
USUAL = ["the parcel is late", "my parcel came", "the shop is open", "a nice shop", "my order", "the app"] * 4


def test_what_people_have_in_common_and_others_do_not_say_is_a_candidate_with_its_words_and_ids() -> None:
    without = [said(text) for text in BATTERY + SCREEN + NOISE]
    found = candidates(without, [said(text) for text in USUAL], fewest=3)
    assert [(it.mentions, it.people) for it in found] == [(5, 5), (3, 3)]
    assert {word for word, _ in found[0].words} == {"battery", "swells", "battery swells"}
    assert found[0].examples == tuple(it.id for it in without[:5])
    assert all(weight > 0 for _, weight in found[0].words)


def test_words_that_everybody_uses_make_no_candidate() -> None:
    without = [said(f"{word} the a my") for word in ("one", "two", "three", "four", "five", "six")]
    without += [said(f"fan rattles {word}") for word in ("loud", "louder", "loudest", "day", "night", "noon")]
    found = candidates(without, [said("the a my") for _ in range(200)], fewest=4, most=1)
    assert found[0].name in ("fan", "rattles", "fan rattles")


def test_people_are_counted_and_copies_once() -> None:
    alone = [said("battery swells", author="ana") for _ in range(9)]
    campaign = [said("boycott now", copies="c1") for _ in range(9)]
    assert candidates([*alone, *campaign], [], fewest=2) == ()


def test_no_more_are_told_than_asked_for_and_nothing_of_nothing() -> None:
    without = [said(text) for text in BATTERY + SCREEN]
    assert len(candidates(without, [], fewest=3, most=1)) == 1
    assert candidates([], [], fewest=2) == ()
