"""What must not move what is heard, and what must: on every fortieth English text of our own corpus. The bounds are
those of docs/models.md."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from enrich._hearing.corpus import load
from tests.enrich.helpers import drafts, stage

SENTIMENT: Any = stage("sentiment")
INTENT: Any = stage("intent")
TEXTS = [one.text for one in load() if one.lang == "en"][::40]
HANDLE = re.compile(r"(?<![\w@])@\w+")

Shares = NDArray[np.float64]


def heard(texts: list[str]) -> tuple[Shares, list[tuple[str, frozenset[str]]]]:
    """The probabilities of every label, and the labels that were given."""
    batch = drafts(texts)
    moods, wishes = SENTIMENT.scores(batch), INTENT.scores(batch)
    SENTIMENT.annotate(batch)
    INTENT.annotate(batch)
    shares = np.array([[*mood.values(), *wish.values()] for mood, wish in zip(moods, wishes, strict=True)])
    given = [(str(one.sentiment and one.sentiment.label), frozenset(it.name for it in one.intents)) for one in batch]
    return shares, given


BEFORE = heard(TEXTS)


def moved(change: Callable[[str], str]) -> tuple[Shares, float]:
    """How far each probability of each text that changed went, and the share of these texts with other labels."""
    after = [change(text) for text in TEXTS]
    which = [number for number, text in enumerate(after) if text != TEXTS[number]]
    assert which, "nothing changed"
    shares, given = heard([after[number] for number in which])
    others = [given[place] != BEFORE[1][number] for place, number in enumerate(which)]
    return np.abs(shares - BEFORE[0][which]), float(np.mean(others))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: HANDLE.sub("@globex_hates_love", text),
        lambda text: re.sub(r"https?://\S+", "https://love.example/great?!?!", text),
        lambda text: f"{text} https://www.example.com/awful",
        lambda text: f"{text} \ufe0f",
        str.lower,
        str.upper,
        lambda text: f"{text} #monday",
        lambda text: f"{text} #Travel #acme https://example.com",
    ],
    ids=[
        "a handle's name",
        "another link",
        "one more link",
        "what cannot be seen",
        "small letters",
        "capitals",
        "a trailing hashtag",
        "trailing hashtags and a link",
    ],
)
def test_what_nobody_says_moves_nothing(change: Callable[[str], str]) -> None:
    shares, others = moved(change)
    assert shares.max() < 0.0011  # intents are rounded to three places
    assert others == 0.0


@pytest.mark.parametrize("emoji", ["\U0001f44d", "\U0001f44e", "\U0001f64f"])
def test_the_tone_of_an_emojis_skin_moves_nothing(emoji: str) -> None:
    plain, _ = heard([f"{text} {emoji}" for text in TEXTS[:60]])
    for tone in ("\U0001f3fb", "\U0001f3fd", "\U0001f3ff"):
        toned, _ = heard([f"{text} {emoji}{tone}" for text in TEXTS[:60]])
        assert np.abs(toned - plain).max() < 0.0011


@pytest.mark.parametrize(
    ("with_not", "without"),
    [
        ("the new app is not good", "the new app is good"),
        ("@acme the app is not working now", "@acme the app is working now"),
        ("i would not recommend acme to anyone", "i would recommend acme to anyone"),
        ("acme is not helpful at all", "acme is really helpful"),
        ("@acme my parcel has not arrived", "@acme my parcel has arrived"),
        ("not happy with my acme phone", "happy with my acme phone"),
    ],
)
def test_not_turns_it_round(with_not: str, without: str) -> None:
    shares, _ = heard([with_not, without])
    mood = shares[:, 2] - shares[:, 0]
    assert mood[0] < mood[1] - 0.25
    assert shares[0, 3] > shares[1, 3], "a complaint is likelier"
