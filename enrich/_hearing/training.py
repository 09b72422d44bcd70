"""Training: labelled examples in, a Model out; the same examples in the same order give the same bytes.

Logistic regression over the features of features.py (scikit-learn's lbfgs, one thread): multinomial for sentiment, one
against the rest for each intent. Calibration and thresholds are fitted on scores from five-fold cross-validation: a
slope and an offset by likelihood, then for each label the threshold with the best macro-F1 of it against the rest.

Needs scikit-learn (the extra `train`), which nothing else here does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from enrich._hearing import linear
from enrich._hearing.corpus import Example
from enrich._hearing.features import Batch, Reader
from enrich._hearing.linear import SENTIMENTS, Model
from enrich._hearing.part import SMOOTH, Floats, Part, sigmoid, softmax
from enrich._hearing.words import ROWS, Words
from pipeline.errors import ConfigError, Problem
from pipeline.mention import Author, BrandMatch, Language, Mention
from pipeline.ports import Draft

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_WHEN = datetime(2026, 1, 1, tzinfo=UTC)
_FOLDS = 5
_FEWEST = 10
"""So many examples of a label, and as many without it, are the least that can teach it."""


_LEANING = {"complaint": -0.01, "praise": 0.005}
"""Thresholds by the cost of a mistake: which way one leans from the best, and how much macro-F1 that may cost. A
complaint that is overlooked costs more than a mention that is looked at in vain, so the lowest; praise that is none
more than praise that is overlooked, so the highest."""


class Recipe(NamedTuple):
    """How strongly a model is held back from learning its examples by heart: `strength` is scikit-learn's C, `signals`
    what they are multiplied by before, `least` in how many texts a row must stand to count, `balanced` how far each
    label is weighed as if all were as common (0 not at all, 1 fully). `others` is what `strength` is multiplied by for
    languages other than English, where words alone have to speak. `addressed` is how many examples one counts for that
    opens with a handle (what a brand is asked to answer), `vivid` one of our own written vividly. `modest` is
    what the calibrated log-odds are multiplied by: what ships hears texts of other kinds than it learned from, and on
    such the odds found on held-out ones are twice too sure (measured across data sets). On the stream that taught it
    a model is as sure as it should be."""

    strength: float
    signals: float = 0.25
    least: int = 2
    balanced: float = 1.0
    others: float = 1.0
    addressed: float = 4.0
    vivid: float = 0.33
    modest: float = 1.0


SENTIMENT = Recipe(strength=0.5, others=2.0, addressed=1.0, vivid=0.5, modest=0.4)
INTENT = Recipe(strength=0.9, modest=0.5)
ON_BASE = Recipe(strength=0.3)
"""By cross-validation: of sentiment and of intents as they ship, and of what is trained upon them."""


Fit = Callable[[Any, Any, Any], tuple[Floats, Floats]]


class _Columns(NamedTuple):
    # What a part learns from: texts by kept rows and signals, and what takes the weights back to the table.
    matrix: csr_matrix
    addressed: NDArray[np.float64]
    kept: NDArray[np.int64]
    idf: Floats


def train_sentiment(
    examples: Sequence[Example], seed: int = 0, base: Model | None = None, recipe: Recipe | None = None
) -> Model:
    """A model of the sentiment towards the brand: one part for English, one for all other languages. Of `base` see
    `train_intents`. Raises ConfigError where there are too few examples."""
    recipe = recipe or (SENTIMENT if base is None else ON_BASE)
    labelled = [one for one in examples if one.sentiment in SENTIMENTS]
    parts = []
    for name, some in _by_part(labelled).items():
        truth = np.array([SENTIMENTS.index(str(one.sentiment)) for one in some])
        _enough(Counter(SENTIMENTS[number] for number in truth), SENTIMENTS, len(some), f"sentiment, {name}")
        columns = _columns(_drafts(some), name == "en", base, recipe)
        counted = _counted_for(some, columns, recipe)
        weights = _weights(counted, truth, recipe)

        fit = _fitting(recipe, name, seed)
        held = _held_out(fit, columns.matrix, truth, weights, len(SENTIMENTS), seed)
        coefficients, bias = fit(columns.matrix, truth, weights)
        slope, offset = (recipe.modest * one for one in _softmax_calibration(held, truth, counted))
        thresholds = _largest_thresholds(softmax(held * slope + offset), truth)
        parts.append(_part(name, some, columns, coefficients, bias, slope, offset, thresholds, recipe))
    return _sealed(Model("sentiment", SENTIMENTS, tuple(parts), _made(labelled, seed, recipe), base))


def train_intents(
    examples: Sequence[Example],
    names: Sequence[str],
    seed: int = 0,
    base: Model | None = None,
    recipe: Recipe | None = None,
) -> Model:
    """A model of these intents. Each learns from the examples that say whether it holds. With a `base` (the model that
    ships) its scores are further signals, so that a few hundred labels of one's own go a long way.
    Raises ConfigError where there are too few examples."""
    recipe = recipe or (INTENT if base is None else ON_BASE)
    labelled = [one for one in examples if any(one.says(name) is not None for name in names)]
    parts = []
    for part, some in _by_part(labelled).items():
        columns = _columns(_drafts(some), part == "en", base, recipe)
        counted = _counted_for(some, columns, recipe)
        coefficients = np.zeros((columns.matrix.shape[1], len(names)))
        bias, slope, offset, thresholds = np.zeros((4, len(names)))
        fit = _fitting(recipe, part, seed)
        for number, name in enumerate(names):
            said = np.array([place for place, one in enumerate(some) if one.says(name) is not None], dtype=np.int64)
            truth = np.array([int(bool(some[place].says(name))) for place in said])
            _enough(Counter(("no", "yes")[one] for one in truth), ("no", "yes"), len(said), f"{name}, {part}")
            weights, rows = _weights(counted[said], truth, recipe), columns.matrix[said]
            held = _held_out(fit, rows, truth, weights, 1, seed)[:, 0]
            found, start = fit(rows, truth, weights)
            coefficients[:, number], bias[number] = found[:, 0], start[0]
            slope[number], offset[number] = (recipe.modest * one for one in _platt(held, truth, counted[said]))
            shares = sigmoid(held * slope[number] + offset[number])
            thresholds[number] = _best_threshold(shares, truth, _LEANING.get(name, 0.0))
        parts.append(_part(part, some, columns, coefficients, bias, slope, offset, thresholds, recipe))
    return _sealed(Model("intent", tuple(names), tuple(parts), _made(labelled, seed, recipe), base))


def draft(example: Example) -> Draft:
    """The draft that the stages before would hand over."""
    mention = Mention(
        id="example:0", source="example", text=example.text, author=Author(id="0"), created_at=_WHEN, lang=example.lang
    )
    doc = Reader.shared().nlp.make_doc(example.text)
    named = (
        tuple(
            BrandMatch(brand=example.brand, term=found[0], start=found.start(), end=found.end())
            for found in re.finditer(rf"(?<!\w){re.escape(example.brand)}(?!\w)", doc.user_data["text"], re.IGNORECASE)
        )
        if example.brand
        else ()
    )
    language = Language(code=example.lang, confidence=1.0, by="source")
    return Draft(mention=mention, doc=doc, brands=named, brand=example.brand or None, language=language)


def _drafts(examples: Sequence[Example]) -> list[Draft]:
    return [draft(one) for one in examples]


def _by_part(examples: Sequence[Example]) -> dict[str, list[Example]]:
    english = [one for one in examples if one.lang == "en"]
    others = [one for one in examples if one.lang != "en"]
    return {name: some for name, some in (("en", english), ("others", others)) if some}


def _columns(drafts: Sequence[Draft], english: bool, base: Model | None, recipe: Recipe) -> _Columns:
    import scipy.sparse as sp

    reader = Reader.shared()
    under = linear.beneath(base, drafts) if base is not None else np.zeros((len(drafts), 0))
    batch = reader.read(drafts, english)
    words, grams = _counts(batch, reader.words)
    signals = sp.csr_matrix(np.hstack([batch.signals, under]) * recipe.signals)
    texts = np.bincount(np.concatenate([words.indices, grams.indices]), minlength=ROWS)
    idf = np.where(texts >= recipe.least, np.log((1.0 + len(drafts)) / (1.0 + texts)) + 1.0, 0.0)
    # As the model will: the square is kept in half precision.
    idf = np.sqrt((idf * idf).astype(np.float16).astype(np.float64))
    kept = np.flatnonzero(idf)
    rows = sum(_weighed(found[:, kept], idf[kept]) for found in (words, grams))
    return _Columns(sp.hstack([rows, signals]).tocsr(), batch.addressed, kept, idf)


def _counts(batch: Batch, words: Words) -> tuple[csr_matrix, csr_matrix]:
    # How often each row stands in each text: of the words, and of the n-grams.
    text = np.repeat(np.arange(len(batch.starts)), batch.lengths)
    own = np.concatenate([words.own[batch.ids], batch.pairs, batch.negations])
    grams = np.concatenate(words.grams)
    lengths = np.array(words.lengths)
    starts, lengths = (np.cumsum(lengths) - lengths)[batch.ids], lengths[batch.ids]
    place = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    return (
        _counted(np.concatenate([text, text, text[batch.negated]]), own, len(batch.starts)),
        _counted(np.repeat(text, lengths), grams[place], len(batch.starts)),
    )


def _counted(text: NDArray[np.int64], rows: NDArray[np.int64], texts: int) -> csr_matrix:
    import scipy.sparse as sp

    said = rows > 0
    found = sp.csr_matrix((np.ones(int(said.sum())), (text[said], rows[said])), shape=(texts, ROWS))
    found.sum_duplicates()
    return found


def _weighed(found: csr_matrix, idf: Floats) -> csr_matrix:
    # Each text's row times idf, divided by its length, as part.py does.
    import scipy.sparse as sp

    length = np.sqrt(found @ (idf * idf) + SMOOTH)
    return sp.diags(1.0 / length) @ found @ sp.diags(idf)


def _fitting(recipe: Recipe, part: str, seed: int) -> Fit:
    # What fits weights (columns, scores) and offsets (scores) to rows, their labels and how much each counts.
    from sklearn.linear_model import LogisticRegression

    strength = recipe.strength * (1.0 if part == "en" else recipe.others)

    def fit(rows: csr_matrix, truth: NDArray[np.int64], weights: Floats) -> tuple[Floats, Floats]:
        found = LogisticRegression(C=strength, max_iter=400, random_state=seed)
        found.fit(rows, truth, sample_weight=weights)
        return found.coef_.T, found.intercept_

    return fit


def _counted_for(examples: Sequence[Example], columns: _Columns, recipe: Recipe) -> Floats:
    # How many ordinary examples each counts for.
    weights: Floats = np.array([one.weight for one in examples])
    vivid = np.array([one.style == "vivid" for one in examples])
    return weights * np.where(columns.addressed > 0, recipe.addressed, 1.0) * np.where(vivid, recipe.vivid, 1.0)


def _weights(weights: Floats, truth: NDArray[np.int64], recipe: Recipe) -> Floats:
    shares = np.bincount(truth, weights=weights) / weights.sum()
    found: Floats = weights * (1.0 / (len(shares) * shares[truth])) ** recipe.balanced
    return found


def _held_out(fit: Fit, rows: csr_matrix, truth: NDArray[np.int64], weights: Floats, scores: int, seed: int) -> Floats:
    # Scores of each row by a model that has not seen it.
    fold = np.zeros(len(truth), dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(truth))
    for label in np.unique(truth):
        some = order[truth[order] == label]
        fold[some] = np.arange(len(some)) % _FOLDS
    found = np.zeros((len(truth), scores))
    for number in range(_FOLDS):
        inside, out = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        coefficients, bias = fit(rows[inside], truth[inside], weights[inside])
        found[out] = rows[out] @ coefficients + bias
    return found


def _platt(scores: Floats, truth: NDArray[np.int64], weights: Floats) -> tuple[float, float]:
    # The slope and offset with which a score is the label's log-odds.
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=1e6, max_iter=1000).fit(scores[:, None], truth, sample_weight=weights)
    return max(float(found.coef_[0, 0]), 0.05), float(found.intercept_[0])


def _softmax_calibration(scores: Floats, truth: NDArray[np.int64], weights: Floats) -> tuple[Floats, Floats]:
    from scipy.optimize import minimize

    labels = scores.shape[1]

    def loss(values: Floats) -> float:
        shares = softmax(scores * np.exp(values[0]) + np.append(values[1:], 0.0))
        return float(-np.average(np.log(shares[np.arange(len(truth)), truth] + 1e-12), weights=weights))

    found = minimize(loss, np.zeros(labels), method="L-BFGS-B").x
    return np.full(labels, np.exp(found[0])), np.append(found[1:], 0.0)


def _best_threshold(shares: Floats, truth: NDArray[np.int64], leaning: float) -> float:
    # The share from which the label is given: that with the best macro-F1 against the rest, or the lowest (`leaning`
    # below 0) or highest that costs no more of it than `leaning`.
    steps = np.arange(0.2, 0.71, 0.01)
    reached = np.array([_macro_f1((shares >= step).astype(int), truth, 2) for step in steps])
    good = np.flatnonzero(reached >= reached.max() - abs(leaning))
    return float(steps[good[-1 if leaning > 0 else 0]].round(2))


def _largest_thresholds(shares: Floats, truth: NDArray[np.int64]) -> Floats:
    steps = np.arange(0.5, 1.61, 0.05)
    best, found = -1.0, np.ones(3)
    for negative in steps:
        for positive in steps:
            tried = np.array([negative, 1.0, positive])
            reached = _macro_f1((shares / tried).argmax(axis=1), truth, 3)
            if reached > best + 1e-9:
                best, found = reached, tried
    return found.round(2)


def _macro_f1(told: NDArray[np.int64], truth: NDArray[np.int64], labels: int) -> float:
    table = np.bincount(truth * labels + told, minlength=labels * labels).reshape(labels, labels)
    right = np.diag(table)
    return float(np.mean(2.0 * right / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1)))


def _part(
    name: str,
    examples: Sequence[Example],
    columns: _Columns,
    coefficients: Floats,
    bias: Floats,
    slope: Floats,
    offset: Floats,
    thresholds: Floats,
    recipe: Recipe,
) -> Part:
    labels = coefficients.shape[1]
    table = np.zeros((ROWS, labels + 1), dtype=np.float16)
    kept = len(columns.kept)
    table[columns.kept, :labels] = coefficients[:kept] * columns.idf[columns.kept, None]
    table[:, labels] = columns.idf**2
    return Part(
        name=name,
        languages=tuple(sorted({one.lang for one in examples})),
        english=name == "en",
        table=table.astype(np.float32),
        # Rounded well above what the order of a sum may change, so that every run writes the same bytes.
        signals=(coefficients[kept:] * recipe.signals).round(5).astype(np.float32).astype(np.float64),
        bias=bias.round(6),
        slope=slope.round(6),
        offset=offset.round(6),
        thresholds=thresholds,
    )


def _made(examples: Sequence[Example], seed: int, recipe: Recipe) -> Mapping[str, Any]:
    from sklearn import __version__

    return {
        "examples": len(examples),
        "sources": dict(sorted(Counter(one.source or "given" for one in examples).items())),
        "languages": dict(sorted(Counter(one.lang for one in examples).items())),
        "seed": seed,
        "recipe": {key: float(value) for key, value in recipe._asdict().items()},
        "scikit-learn": __version__,
    }


def _sealed(model: Model) -> Model:
    # The version is the digest of what would be written.
    model.version = model.digest()
    return model


def _enough(seen: Counter[str], labels: Sequence[str], texts: int, what: str) -> None:
    for label in labels:
        if seen[label] < _FEWEST:
            raise ConfigError(
                [
                    Problem(
                        "examples",
                        f"{what}: only {seen[label]} of {texts} are {label}",
                        f"label at least {_FEWEST} of each",
                    )
                ]
            )
