"""The small function that every loop runs: JSON in, VADER and tokens, JSON out. One message at a time, since that is
how the rivals hand them over."""

from __future__ import annotations

import json
from typing import Any

import spacy
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer


class Work:
    """Holds the lexicon and spaCy's blank English pipeline."""

    def __init__(self) -> None:
        self._vader = SentimentIntensityAnalyzer()
        self._nlp = spacy.blank("en")

    def __call__(self, payload: bytes) -> bytes:
        """JSON to JSON."""
        return json.dumps(self.tagged(json.loads(payload))).encode()

    def tagged(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message with its scores and tokens."""
        text = message["text"]
        message["sentiment"] = self._vader.polarity_scores(text)
        message["tokens"] = [token.text for token in self._nlp(text)]
        return message
