"""A few made examples in, a model out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from enrich._hearing.corpus import Example
from enrich._hearing.linear import SENTIMENTS, Model
from enrich._hearing.sources import public
from enrich._hearing.training import Recipe, _best_threshold, draft, train_intents, train_sentiment
from pipeline.errors import ConfigError

THINGS = ["parcel", "router", "ticket", "card", "phone", "order", "bag", "bill", "app", "seat", "room", "meal"]
BAD = ["never arrived", "is broken again", "was lost by you"]
GOOD = ["is wonderful", "came early, thank you", "works like a dream"]
PLAIN = ["opens on monday", "is blue", "comes in two sizes"]


def made(lang: str = "en") -> list[Example]:
    return [
        Example(
            text=f"@acme my {thing} {said}",
            sentiment=mood,
            intents=frozenset(intents),
            lang=lang,
            source="made",
        )
        for thing in THINGS
        for mood, intents, sayings in (
            ("negative", ["complaint"], BAD),
            ("positive", ["praise"], GOOD),
            ("neutral", [], PLAIN),
        )
        for said in sayings
    ]


@cache
def intents() -> Model:
    return train_intents(made(), ("complaint", "praise"))


@cache
def sentiment() -> Model:
    return train_sentiment(made() + made("de"))


def shares(model: Model, text: str, lang: str = "en") -> dict[str, float]:
    row = model.probabilities([draft(Example(text=text, lang=lang))])[0]
    return dict(zip(model.labels, row.tolist(), strict=True))


def test_a_model_of_intents_learns_what_it_is_shown() -> None:
    assert shares(intents(), "@acme my suitcase never arrived")["complaint"] > 0.5
    assert shares(intents(), "@acme my suitcase never arrived")["praise"] < 0.5
    assert shares(intents(), "@acme my suitcase came early, thank you")["praise"] > 0.5


def test_a_model_of_sentiment_has_a_part_for_english_and_one_for_the_others() -> None:
    assert [part.languages for part in sentiment().parts] == [("en",), ("de",)]
    for lang in ("en", "de"):
        found = shares(sentiment(), "@acme my suitcase is broken again", lang)
        assert max(found, key=lambda label: found[label]) == "negative"
        assert sum(found.values()) == pytest.approx(1.0, abs=1e-5)


def test_a_language_that_was_not_trained_has_no_probability() -> None:
    assert np.isnan(list(shares(intents(), "koira", "fi").values())).all()


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    intents().save(tmp_path / "one")
    train_intents(made(), ("complaint", "praise")).save(tmp_path / "other")
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_other_examples_give_another_version() -> None:
    assert train_intents(made()[:-3], ("complaint", "praise")).version != intents().version


def test_what_was_saved_judges_as_what_was_trained(tmp_path: Path) -> None:
    sentiment().save(tmp_path)
    loaded = Model.load(tmp_path)
    drafts = [draft(one) for one in made()[:20]]
    assert loaded.probabilities(drafts) == pytest.approx(sentiment().probabilities(drafts), abs=1e-6)
    assert loaded.version == sentiment().version
    assert (loaded.kind, loaded.labels) == ("sentiment", SENTIMENTS)


def test_a_label_learns_only_from_examples_that_speak_of_it() -> None:
    known = frozenset({"lead"})
    buys = [Example(text=f"i want a {thing}", intents=known, known=known) for thing in THINGS]
    idle = [Example(text=f"i had a {thing}", intents=frozenset(), known=known) for thing in THINGS]
    model = train_intents([*buys, *idle, *made()], ("lead", "complaint"))
    assert shares(model, "i want a suitcase")["lead"] > shares(model, "i had a suitcase")["lead"]
    assert model.made["examples"] == len(buys) + len(idle) + len(made())


def test_a_model_of_ones_own_builds_on_another_and_takes_it_along(tmp_path: Path) -> None:
    known = frozenset({"complaint"})
    own = [
        Example(text=one.text, intents=frozenset(one.intents or ()) & known, known=known, source="own")
        for one in made()
    ]
    model = train_intents(own, ("complaint",), base=intents())
    model.save(tmp_path)
    loaded = Model.load(tmp_path)
    assert loaded.base is not None
    assert loaded.base.version == intents().version
    text = "@acme my suitcase was lost by you"
    assert shares(loaded, text)["complaint"] == pytest.approx(shares(model, text)["complaint"], abs=1e-6)


def test_too_few_examples_are_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"complaint, en: only 3 of 15 are yes \(label at least 10 of each\)"):
        train_intents([*made()[:3], *made()[-3:] * 4], ("complaint",))


def test_probabilities_are_calibrated_on_what_was_held_out() -> None:
    # Labels that nothing in the text foretells: a model that believed itself would say 0 or 1.
    some = made()
    noise = np.random.default_rng(4).integers(0, 2, len(some))
    mixed = [
        Example(text=one.text, intents=frozenset({"lead"}) if yes else frozenset())
        for one, yes in zip(some, noise, strict=True)
    ]
    model = train_intents(mixed, ("lead",), recipe=Recipe(strength=10.0))
    found = model.probabilities([draft(one) for one in some])[:, 0]
    assert found.min() > 0.2
    assert found.max() < 0.8


@pytest.mark.parametrize(("leaning", "found"), [(0.0, 0.31), (0.02, 0.6), (-0.02, 0.2)])
def test_a_threshold_leans_to_where_the_dearer_mistake_is_avoided(leaning: float, found: float) -> None:
    shares = np.array([0.1] * 50 + [0.305, 0.485] + [0.605] * 50)
    truth = np.array([0] * 50 + [0, 1] + [1] * 50)
    assert _best_threshold(shares, truth, leaning) == pytest.approx(found)


def test_of_the_posts_on_the_iphone_those_that_nobody_was_sure_of_are_no_leads(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("text,label\na,yes\nb,pi\nc,no\nd,undefined\n", encoding="utf-8")
    assert [one.says("lead") for one in public("purchase_iphonex", path)] == [True, True, False, False]
