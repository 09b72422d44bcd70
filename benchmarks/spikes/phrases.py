"""What the made mentions say: a few sentences for each theme and mood, filled in from lists."""

from __future__ import annotations

from dataclasses import dataclass

PLACES = ("Leeds", "Porto", "Lyon", "Graz", "Turku", "Ghent", "Krakow", "Malmo", "Cork", "Bilbao", "Trento", "Bern")
PEOPLE = ("my sister", "my dad", "my neighbour", "a colleague", "my flatmate", "my gran", "a friend", "my cousin")
TIMES = ("this morning", "last night", "since noon", "twice today", "all week", "just now", "on my way home", "again")
ENDINGS = ("", " :(", " #fail", " what is going on", " seriously", " can anyone explain?", " unbelievable", " not ok")
BRIGHT = ("", " :)", " well done", " love it", " finally", " more of this please", " made my day", " so good")


@dataclass(frozen=True)
class Theme:
    """What it is about, as a topic stage would say, and its sentences by mood."""

    topic: str
    bad: tuple[str, ...]
    plain: tuple[str, ...]
    good: tuple[str, ...]


_PLAIN = ("{brand} was mentioned by {person} {time}", "anyone in {place} with {brand}?", "reading about {brand} {time}")
_GOOD = (
    "{person} is so happy with {brand}",
    "{brand} in {place} was lovely {time}",
    "good work {brand}, says {person}",
)

THEMES = (
    Theme(
        "service",
        bad=(
            "on hold with {brand} {time}, nobody answers",
            "{brand} lost the parcel of {person}",
            "the {brand} shop in {place} was rude to {person}",
            "the {brand} site is slow {time}",
        ),
        plain=_PLAIN,
        good=_GOOD,
    ),
    Theme(
        "campaign",
        bad=("another {brand} advert {time}, enough", "the {brand} raffle is a joke, {person} never won"),
        plain=("{brand} gives away a year of coffee, share to win", "saw the {brand} poster in {place} {time}"),
        good=("the new {brand} film is sweet, {person} cried", "{person} won at the {brand} raffle in {place}"),
    ),
    Theme(
        "product",
        bad=("the new {brand} costs more than {person} earns", "the new {brand} came scratched {time}"),
        plain=("{brand} shows its new model in {place}", "does {person} need the new {brand}?"),
        good=("the new {brand} is beautiful, {person} ordered it", "tried the new {brand} in {place} {time}"),
    ),
    Theme(
        "match",
        bad=("that {brand} penalty {time}", "{brand} cup night and {person} fell asleep"),
        plain=("watching the {brand} cup with {person}", "the {brand} cup is in {place} tonight"),
        good=("what a goal at the {brand} cup!", "{person} sings in the {brand} stand in {place}"),
    ),
    Theme(
        "billing",
        bad=(
            "{brand} charged {person} twice for the same order",
            "double charge from {brand} in {place}, no refund",
            "my bank shows two payments to {brand} {time}",
            "{brand} took the money twice and the app says all is well, asks {person}",
        ),
        plain=("did {brand} charge anyone in {place} twice?", "{person} asks about the {brand} double charge"),
        good=("{brand} refunded {person} within the hour", "calm down, {brand} fixed it for {person}"),
    ),
    Theme(
        "advert",
        bad=(
            "who at {brand} thought this advert about nurses was funny, {person} is one",
            "the {brand} advert mocks nurses in {place}, take it down",
            "cancelled {brand} {time} because of the nurse advert",
            "{person} works nights as a nurse and {brand} laughs at that",
        ),
        plain=("what is the {brand} nurse advert about?", "{person} sent me the {brand} advert {time}"),
        good=("people, the {brand} advert is harmless, says {person}", "{person} the nurse liked the {brand} advert"),
    ),
    Theme(
        "drivers",
        bad=(
            "{brand} makes its drivers work in the storm in {place}",
            "a {brand} driver collapsed in {place} and was told to go on",
            "boycott {brand} until the drivers get breaks, says {person}",
            "{person} drives for {brand} and has had no break {time}",
        ),
        plain=("what happened to the {brand} driver in {place}?", "{person} saw the {brand} vans {time}"),
        good=("our {brand} driver in {place} is a star", "{brand} gave the driver of {person} a day off"),
    ),
)

NUMBERS = {theme.topic: number for number, theme in enumerate(THEMES)}
STORIES = ("billing", "advert", "drivers")
"""What storms are about."""


def wording(brand: str, theme: int, mood: int, words: int) -> str:
    """The text with this number."""
    about = THEMES[theme]
    several = about.bad if mood < 0 else about.good if mood > 0 else about.plain
    rest, which = divmod(words, len(several))
    rest, place = divmod(rest, len(PLACES))
    rest, person = divmod(rest, len(PEOPLE))
    rest, time = divmod(rest, len(TIMES))
    ending = (BRIGHT if mood > 0 else ENDINGS if mood < 0 else ("",))[rest % (len(ENDINGS) if mood else 1)]
    filled = several[which].format(brand=brand, place=PLACES[place], person=PEOPLE[person], time=TIMES[time])
    return filled + ending


ALL_WORDINGS = 4 * len(PLACES) * len(PEOPLE) * len(TIMES) * len(ENDINGS)
"""Numbers below this are different texts, as good as."""
