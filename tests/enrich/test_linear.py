"""A model on disk and off it: what it says of drafts, and which files it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors import numpy as tensors

from enrich._hearing import storage
from enrich._hearing.features import Reader
from enrich._hearing.linear import SENTIMENTS, Model
from enrich._hearing.part import Part
from enrich._hearing.words import ROWS, rows
from pipeline.errors import ConfigError
from pipeline.mention import Language
from pipeline.ports import Draft
from tests.enrich.helpers import drafts


def part(labels: int, name: str = "en", languages: tuple[str, ...] = ("en",), **words: list[float]) -> Part:
    """A part that knows nothing but the weights of these words."""
    reader = Reader.shared()
    table = np.zeros((ROWS, labels + 1), dtype=np.float32)
    for word, weights in words.items():
        (number,) = reader.words.ids([word])
        reader.words.settle()
        table[reader.words.own[number], :labels] = weights
    return Part(
        name=name,
        languages=languages,
        english=name == "en",
        table=table,
        signals=np.zeros((len(reader.signals), labels)),
        bias=np.zeros(labels),
        slope=np.ones(labels),
        offset=np.zeros(labels),
        thresholds=np.full(labels, 0.5),
    )


def model() -> Model:
    made = Model("intent", ("complaint", "praise"), (part(2, broken=[2.0, -1.0], lovely=[-1.0, 2.0]),))
    made.version = made.digest()
    return made


def test_a_score_is_the_sum_of_the_weights_of_its_words() -> None:
    (found,) = model().probabilities(drafts(["my broken but lovely broken phone"]))
    # No squared idf in the table, so both blocks are divided by one.
    assert found == pytest.approx([1 / (1 + np.exp(-3.0)), 0.5], abs=1e-6)


def test_sentiment_adds_up_to_one() -> None:
    mood = Model("sentiment", SENTIMENTS, (part(3, broken=[2.0, 0.0, -1.0]),))
    (found,) = mood.probabilities(drafts(["broken"]))
    assert found == pytest.approx(np.exp([2.0, 0.0, -1.0]) / np.exp([2.0, 0.0, -1.0]).sum(), abs=1e-6)


def test_the_words_that_carried_a_label_come_with_their_log_odds() -> None:
    (draft,) = drafts(["My BROKEN and lovely phone"])
    assert model().carried(draft, "complaint") == (("BROKEN", 2.0), ("lovely", -1.0))


def test_neighbours_that_pull_the_same_way_are_one_phrase() -> None:
    (draft,) = drafts(["so broken, broken broken"])
    assert model().carried(draft, "complaint") == (("broken broken", 4.0), ("broken", 2.0))


def test_a_batch_is_judged_as_its_drafts_are_one_by_one_and_in_any_order() -> None:
    texts = ["broken", "", "lovely lovely", "@acme is it broken?"]
    together = model().probabilities(drafts(texts))
    for number, text in enumerate(texts):
        assert np.array_equal(model().probabilities(drafts([text]))[0], together[number])
    assert np.array_equal(model().probabilities(drafts(texts[::-1]))[::-1], together)


def test_a_language_without_a_part_has_no_probability() -> None:
    (draft,) = drafts(["broken"])
    draft.language = _language("fi")
    assert np.isnan(model().probabilities([draft])).all()


def test_what_is_too_short_to_tell_is_english_only_in_latin_letters() -> None:
    latin, arabic = drafts(["broken", "\u0645\u0643\u0633\u0648\u0631"])
    latin.language = arabic.language = _language("und")
    found = model().probabilities([latin, arabic])
    assert not np.isnan(found[0]).any()
    assert np.isnan(found[1]).all()


def _language(code: str) -> Language:
    return Language(code=code, confidence=0.0, by="none")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model().save(tmp_path)
    return tmp_path


def rewritten(folder: Path, **changes: Any) -> None:
    """The description with other values, under a digest that fits."""
    data = (folder / storage.WEIGHTS).read_bytes()
    raw = json.loads((folder / storage.DESCRIPTION).read_text())
    for key, value in changes.items():
        if key in raw["parts"][0]:
            raw["parts"][0][key] = value
        else:
            raw[key] = value
    (folder / storage.DESCRIPTION).write_text(json.dumps(raw))
    _seal(folder, data)


def _seal(folder: Path, data: bytes) -> None:
    try:
        note = msgspec.json.decode((folder / storage.DESCRIPTION).read_bytes(), type=storage.Note)
    except msgspec.MsgspecError:
        return
    sealed = msgspec.structs.replace(note, digest=storage.digest(note, data))
    (folder / storage.DESCRIPTION).write_bytes(msgspec.json.encode(sealed))
    (folder / storage.WEIGHTS).write_bytes(data)


def test_a_model_comes_back_as_it_was_saved(saved: Path) -> None:
    loaded = Model.load(saved)
    assert loaded.version == model().version
    assert loaded.languages == {"en"}
    assert loaded.thresholds == {"en": {"complaint": 0.5, "praise": 0.5}}
    some = drafts(["broken", "lovely"])
    assert np.array_equal(loaded.probabilities(some), model().probabilities(some))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "has the format 2, this version reads 1"),
        ({"kind": "pickle"}, "is no description of a model"),
        ({"surprise": 1}, "is no description of a model"),
        ({"rows": 5}, "was made for other features"),
        ({"labels": ["complaint"]}, "needs one number for each label"),
        ({"labels": ["complaint", "complaint"]}, "names no labels, or one twice"),
        ({"bias": [0.0]}, "needs one number for each label"),
        ({"thresholds": [0.0, 0.5]}, "a threshold is above 0"),
        ({"signals": ["the stars"]}, "knows the signal 'the stars'"),
        ({"name": "other"}, "has no array other.signals"),
        ({"parts": []}, "has no parts"),
        ({"base": "0123456789abcdef"}, "base/model.json: cannot be read"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(saved: Path, changes: dict[str, Any], told: str) -> None:
    rewritten(saved, **changes)
    with pytest.raises(ConfigError) as raised:
        Model.load(saved)
    assert told in str(raised.value)
    assert str(saved) in str(raised.value)


def test_files_that_do_not_belong_together_are_refused(saved: Path) -> None:
    data = bytearray((saved / storage.WEIGHTS).read_bytes())
    data[-1] ^= 1
    (saved / storage.WEIGHTS).write_bytes(data)
    with pytest.raises(ConfigError, match="its digest differs"):
        Model.load(saved)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x04\x95", b"\xff" * 64, (10**9).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}"],
)
def test_weights_that_are_none_are_refused(saved: Path, data: bytes) -> None:
    _seal(saved, data)
    with pytest.raises(ConfigError, match=r"weights.safetensors"):
        Model.load(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(saved: Path, value: float) -> None:
    arrays = {name: array.copy() for name, array in storage.read(saved)[1].items()}
    arrays["en.table"][5, 0] = value
    _seal(saved, tensors.save(arrays))
    with pytest.raises(ConfigError, match=r"has no array en.table of .* finite numbers"):
        Model.load(saved)


def test_a_folder_without_a_model_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model.json: cannot be read: .*give the folder of a model"):
        Model.load(tmp_path / "nowhere")


def test_a_file_that_is_far_too_large_is_not_read(saved: Path) -> None:
    with (saved / storage.DESCRIPTION).open("r+b") as file:
        file.truncate(2_000_000)
    with pytest.raises(ConfigError, match="is larger than"):
        Model.load(saved)


def test_rows_of_words_do_not_depend_on_the_process() -> None:
    assert rows(np.array([1, 2, 3], dtype=np.uint64), 0).tolist() == [175194, 220043, 166880]


def test_drafts_of_two_batches_may_be_judged_in_turn() -> None:
    first: list[Draft] = drafts(["broken", "lovely"])
    second: list[Draft] = drafts(["lovely", "broken"])
    judged = model()
    one = judged.probabilities(first)
    judged.probabilities(second)
    assert np.array_equal(judged.probabilities(first), one)
