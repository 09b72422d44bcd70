"""The alternatives: VADER, the cues of the vocabularies, TF-IDF with logistic regression, spaCy's text categoriser."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import spacy
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from spacy.training import Example
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from enrich import _nlp, intent
from enrich._hearing.corpus import Example as Labelled
from enrich._hearing.training import draft
from pipeline.ports import StageContext

Trained = Callable[[Sequence[str]], NDArray[np.int64]]

_EDGE = 0.05
_ROUNDS = 3
_MOST = 6000


def vader(texts: Sequence[str]) -> NDArray[np.int64]:
    """Three-way, by the package's own edges: 0 negative, 1 neutral, 2 positive."""
    score = SentimentIntensityAnalyzer().polarity_scores
    compounds = np.array([score(text)["compound"] for text in texts])
    found: NDArray[np.int64] = 1 + (compounds >= _EDGE).astype(np.int64) - (compounds <= -_EDGE)
    return found


def cues(name: str) -> Trained:
    """One intent by the vocabularies alone."""
    stage = intent.Stage(intent.Config(model="none"), StageContext(brands=(), nlp=_nlp.build()))

    def judge(texts: Sequence[str]) -> NDArray[np.int64]:
        drafts = [draft(Labelled(text=text)) for text in texts]
        return np.array([int(found[name] >= 0.5) for found in stage.scores(drafts)])

    return judge


def tfidf(labelled: Sequence[tuple[str, int]]) -> Trained:
    """Words, pairs of words and characters within words, by logistic regression; each label weighed alike."""
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True),
    )
    model = make_pipeline(features, LogisticRegression(max_iter=400, class_weight="balanced"))
    model.fit([text for text, _ in labelled], [label for _, label in labelled])
    return lambda texts: np.array(model.predict(list(texts)), dtype=np.int64)


def bag_of_words(labelled: Sequence[tuple[str, int]]) -> Trained:
    """spaCy's `textcat` with its bag of words, on 6,000 of the texts: on all it takes half an hour."""
    labelled = random.Random(0).sample(labelled, min(_MOST, len(labelled)))  # noqa: S311 - the same in every run
    nlp = spacy.blank("en")
    names = [str(label) for label in sorted({label for _, label in labelled})]
    bag = {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": True,
        "ngram_size": 2,
        "no_output_layer": False,
    }
    config = {"model": bag}
    nlp.add_pipe("textcat", config=config)
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {name: float(name == str(label)) for name in names}})
        for text, label in labelled
    ]
    chance = random.Random(0)  # noqa: S311 - the same order in every run
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(_ROUNDS):
        chance.shuffle(examples)
        for start in range(0, len(examples), 64):
            nlp.update(examples[start : start + 64], sgd=optimizer)

    def judge(texts: Sequence[str]) -> NDArray[np.int64]:
        return np.array([int(max(doc.cats, key=lambda name: doc.cats[name])) for doc in nlp.pipe(texts)])

    return judge
