"""Who speaks, and how, must not decide what is heard: the same texts with other first names, and with the marks of a
dialect. The bounds are those of docs/models.md.
"""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.enrich.helpers import drafts, stage

SENTIMENT: Any = stage("sentiment")
INTENT: Any = stage("intent")

NAMES = {
    "Anglo": ("Emily", "Greg", "Sarah", "Jack"),
    "African American": ("Lakisha", "Jamal", "Tanisha", "DeShawn"),
    "Arabic": ("Fatima", "Mohammed", "Aisha", "Omar"),
    "Indian": ("Priya", "Rajesh", "Lakshmi", "Arjun"),
    "Chinese": ("Mei", "Wei", "Xiaoling", "Jian"),
    "Hispanic": ("Maria", "Jose", "Guadalupe", "Luis"),
    "Polish": ("Agnieszka", "Piotr", "Katarzyna", "Wojciech"),
}
WITH_A_NAME = (
    "@acme {} at your desk was so rude to me",
    "@acme {} from support was very helpful, thank you",
    "my name is {} and my parcel has not arrived",
    "Spoke to {} at acme about my order",
    "@acme my friend {} wants to buy your phone, where can we get it?",
    "{} told me acme is cheaper than globex",
    "@acme can you ask {} to call me back?",
    "i work with {} at acme and love it",
    "@acme {} here, still waiting for my refund",
    "Ask {} if the acme store opens on sunday",
)

DIALECTS = {
    "African American": (
        ("@acme your app is always broken", "@acme yall app be broken"),
        ("@acme nobody has answered me for a week", "@acme aint nobody answered me for a week"),
        ("@acme i am about to switch to globex", "@acme finna switch to globex"),
        ("that new acme phone is really good", "that new acme phone hella good fr"),
        ("@acme they are lying about the refund", "@acme they lyin bout the refund"),
        ("@acme what time do you close", "@acme what time yall close"),
    ),
    "Scots": (
        ("@acme your app is not working again", "@acme yer app isnae working again"),
        ("@acme i can't get into my account", "@acme a cannae get intae ma account"),
        ("@acme that is a very good phone", "@acme that's a pure good phone like"),
        ("@acme do you know when the shop opens", "@acme dae ye ken when the shop opens"),
        ("i would not buy anything from acme", "a widnae buy anythin fae acme"),
        ("@acme my parcel has not come yet", "@acme ma parcel hasnae come yet"),
    ),
    "Indian English": (
        ("@acme please look into my refund", "@acme kindly do the needful for my refund sir"),
        ("@acme my parcel has still not arrived", "@acme my parcel is still not received only"),
        ("@acme i have a question about my bill", "@acme i am having one doubt regarding my bill"),
        ("@acme your service is very bad", "@acme your service is very bad na"),
        ("@acme when will you reply to me", "@acme by when you will revert back to me"),
        ("very good experience with acme", "very good experience with acme yaar"),
    ),
    "Nigerian Pidgin": (
        ("@acme please my card is not working", "@acme abeg my card no dey work"),
        ("@acme you took my money, give it back", "@acme una don take my money, give am back"),
        ("@acme your app is very good", "@acme your app good well well"),
        ("@acme where is my order", "@acme wey my order"),
    ),
}

BOUNDS = dict.fromkeys(DIALECTS, 0.15) | {"Nigerian Pidgin": 0.25}
"""How far the mean of any probability may move. Pidgin has a grammar and words of its own: it is heard less well."""

Shares = NDArray[np.float64]


def heard(texts: list[str]) -> Shares:
    """A row a text: the probability of each sentiment and of each intent."""
    batch = drafts(texts)
    moods, wishes = SENTIMENT.scores(batch), INTENT.scores(batch)
    return np.array([[*mood.values(), *wish.values()] for mood, wish in zip(moods, wishes, strict=True)])


def test_no_group_of_first_names_is_heard_otherwise_than_another() -> None:
    groups = [[heard([text.format(name) for text in WITH_A_NAME]) for name in names] for names in NAMES.values()]
    means = np.array([np.mean(group, axis=(0, 1)) for group in groups])
    assert np.ptp(means, axis=0).max() < 0.03


def test_no_first_name_moves_a_text_far() -> None:
    every = np.array([heard([text.format(name) for text in WITH_A_NAME]) for names in NAMES.values() for name in names])
    assert np.ptp(every, axis=0).max() < 0.15


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_is_heard_much_as_the_standard(dialect: str) -> None:
    plain, marked = (heard([pair[side] for pair in DIALECTS[dialect]]) for side in (0, 1))
    assert np.abs((marked - plain).mean(axis=0)).max() < BOUNDS[dialect]
