"""`python -m benchmarks.models DATA_DIR`: each way of hearing, trained without a set and tried on it, as macro-F1.

DATA_DIR holds the sets named in docs/models.md (`airline.csv`, `complaints.csv`...). Ours are trained here: on the
corpus, and on those of the sets that a model may be trained on, less the texts that are also in what is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import f1_score

from benchmarks.models.rivals import Trained, bag_of_words, cues, tfidf, vader
from enrich._hearing.corpus import Example, load, read_csv
from enrich._hearing.linear import SENTIMENTS, Model
from enrich._hearing.sources import SOURCES
from enrich._hearing.training import draft, train_intents, train_sentiment
from pipeline.mention import Language

INTENTS = ("complaint", "praise", "lead", "question")
Codes = NDArray[np.int64]
Row = tuple[str, str, float]


def main(
    data: Annotated[Path, typer.Argument(help="The folder of the sets.")],
    quick: Annotated[bool, typer.Option(help="Without the rivals that are trained here.")] = False,
) -> None:
    """Print a table: the set, the way of hearing, macro-F1."""
    rows = [*_intents(data, quick), *_sentiment(data, quick), *_languages(data)]
    table = Table("set", "by", "macro-F1")
    for name, by, value in rows:
        table.add_row(name, by, f"{value:.3f}")
    Console().print(table)


def _rows(path: Path) -> list[dict[str, str]]:
    return [row for _, row in read_csv(path)[1]]


def _public(data: Path, name: str) -> list[Example]:
    path = data / f"{name}.csv"
    return list(SOURCES[name].read(name, path, read_csv(path)[1]))


def _f1(truth: Codes, found: Codes) -> float:
    return float(f1_score(truth, found, average="macro"))


def _intents(data: Path, quick: bool) -> list[Row]:
    ours = [one for one in load() if one.lang == "en"]
    model = train_intents(ours, INTENTS)
    complaints = [row for row in _rows(data / "complaints.csv") if not row["domain"].startswith("random")]
    airline = _rows(data / "airline.csv")
    buying = _rows(data / "purchase_iphonex.csv")
    tried = (
        ("complaints to brands", "complaint", complaints, ("complaint",)),
        ("airline, negative as complaint", "complaint", airline, ("negative",)),
        ("airline, positive as praise", "praise", airline, ("positive",)),
        ("purchase, yes or pi as lead", "lead", buying, ("yes", "pi")),
    )
    rows: list[Row] = []
    rivals: dict[str, list[tuple[str, Trained]]] = {}  # trained once an intent
    for name, intent, some, positive in tried:
        texts = [row["text"] for row in some]
        truth = np.array([int(row["label"] in positive) for row in some])
        if intent not in rivals:
            labelled = [(one.text, int(bool(one.says(intent)))) for one in ours]
            rivals[intent] = [("cues alone", cues(intent)), *([] if quick else _rivals(labelled))]
        ways = [*rivals[intent], ("harken", _by_model(model, intent))]
        rows += [(name, by, _f1(truth, way(texts))) for by, way in ways]
    fired = _by_model(model, "lead")([row["text"] for row in complaints if row["label"] == "complaint"])
    return [*rows, ("leads found among complaints (a share)", "harken", float(fired.mean()))]


def _rivals(labelled: Sequence[tuple[str, int]]) -> list[tuple[str, Trained]]:
    return [("TF-IDF, logistic regression", tfidf(labelled)), ("spaCy bag of words", bag_of_words(labelled))]


def _by_model(model: Model, intent: str) -> Trained:
    column = model.labels.index(intent)

    def judge(texts: Sequence[str]) -> Codes:
        shares = model.probabilities([draft(Example(text=text)) for text in texts])[:, column]
        found: Codes = (shares >= model.parts[0].thresholds[column]).astype(np.int64)
        return found

    return judge


def _sentiment(data: Path, quick: bool) -> list[Row]:
    rows: list[Row] = []
    every = [one for one in (*load(), *_public(data, "xlmt"), *_public(data, "vader_tweets")) if one.lang == "en"]
    tried = {name: _labelled(data / f"{name}.csv") for name in _TRIED}
    seen = {text for some in tried.values() for text, _ in some}
    train = [one for one in every if one.text not in seen]
    model = train_sentiment(train)
    ways: list[tuple[str, Trained]] = [("VADER alone", vader), ("harken", _moods(model))]
    if not quick:
        labelled = [(one.text, SENTIMENTS.index(one.sentiment)) for one in train if one.sentiment in SENTIMENTS]
        ways += _rivals(labelled)
    for name, some in tried.items():
        truth = np.array([label for _, label in some])
        rows += [(name, by, _f1(truth, way([text for text, _ in some]))) for by, way in ways]
    return rows


_TRIED = ("airline", "sxsw_brands", "brand_entities", "semeval_val_test")


def _labelled(path: Path) -> list[tuple[str, int]]:
    return [
        (row["text"], SENTIMENTS.index(label)) for row in _rows(path) for label in SENTIMENTS if row["label"] == label
    ]


def _moods(model: Model, lang: str = "en") -> Trained:
    def judge(texts: Sequence[str]) -> Codes:
        drafts = [draft(Example(text=text, lang=lang)) for text in texts]
        for one in drafts:
            one.language = Language(code=lang, confidence=1.0, by="source")
        part = next(part for part in model.parts if lang in part.languages)
        found: Codes = (model.probabilities(drafts) / part.thresholds).argmax(axis=1)
        return found

    return judge


def _languages(data: Path) -> list[Row]:
    path = data / "xlmt.csv"
    held = [one for one, row in zip(_public(data, "xlmt"), _rows(path), strict=True) if row["split"] != "train"]
    texts = {one.text for one in held}
    train = [one for one in (*load(), *_public(data, "xlmt"), *_public(data, "vader_tweets")) if one.text not in texts]
    model = train_sentiment(train)
    rows: list[Row] = []
    for lang in sorted({one.lang for one in held}):
        some = [one for one in held if one.lang == lang]
        truth = np.array([SENTIMENTS.index(one.sentiment) for one in some if one.sentiment in SENTIMENTS])
        rows.append((f"xlmt, {lang}", "harken", _f1(truth, _moods(model, lang)([one.text for one in some]))))
    mean = float(np.mean([value for *_, value in rows]))
    return [*rows, ("xlmt, mean of the languages", "harken", mean)]


if __name__ == "__main__":
    typer.run(main)
