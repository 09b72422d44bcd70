"""Has a heavier model judge again what the fast ones are in doubt about. Optional; off unless it is told whom to ask.

In doubt is a text one of whose intents, or whose feeling, has a score in the middle (`uncertain`), and one whose tags
contradict each other: a complaint in a positive text, praise in a negative or a sarcastic one. Personal data is taken
out before a text leaves (`_redact.py`). A failure, a time-out, an answer that is not as agreed or a spent budget leave
the fast answer standing; a line of the log counts them, batch by batch.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

import structlog
from pydantic import Field, field_validator, model_validator

from enrich import _nlp
from enrich._heavier import INTENTS, Endpoint, Judge, Pipeline, Verdict
from enrich._redact import redacted
from enrich._version import trace
from pipeline.mention import Intent, Kind, Sentiment
from pipeline.ports import Brand, Draft, Secret, Settings, StageContext

log = structlog.get_logger(__name__)

_HOLDS = 0.5
"""An intent holds from this score on."""

_HOUR = 3600.0

_PAUSE = 60.0
"""Seconds for which nobody is asked after a batch of which nothing was answered."""

_SARCASTIC = 0.6

_Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Config(Settings):
    """Whom to ask, about what, and how much. Without `url` and `spacy` nothing happens."""

    url: str | None = None
    """An OpenAI-compatible server, up to what stands before `/chat/completions`: `https://llm.example/v1`."""

    api_key: Secret | None = None
    model: str = Field(default="", max_length=100, pattern=r"^[\w./:@-]*$")
    """The server's name for the model."""

    spacy: Path | None = None
    """Instead of a server: the folder of a spaCy pipeline with a text categoriser. Loading it runs what it names: use
    none that you do not trust."""

    uncertain: tuple[_Share, _Share] = (0.35, 0.65)
    timeout_secs: float = Field(default=5.0, gt=0.0, le=60.0)
    """For one text."""

    batch_secs: float = Field(default=10.0, gt=0.0, le=120.0)
    """For all texts of a batch: so long a worker may wait before it goes on."""

    per_batch: int = Field(default=20, ge=1, le=500)
    budget_per_hour: int = Field(default=200, ge=0, le=100_000)
    """Texts that each worker asks about in an hour, at most."""

    parallel: int = Field(default=4, ge=1, le=32)

    @field_validator("url")
    @classmethod
    def _is_safe(cls, value: str | None) -> str | None:
        url = urlsplit(value or "")
        local = url.hostname in ("localhost", "127.0.0.1", "::1")
        if value is None or (url.hostname and (url.scheme == "https" or (url.scheme == "http" and local))):
            return value
        raise ValueError("begins with https://, or is on this machine")

    @model_validator(mode="after")
    def _asks_one(self) -> Config:
        if self.url is not None and self.spacy is not None:
            raise ValueError("ask either a server (url) or a spaCy pipeline (spacy)")
        if self.url is not None and not self.model:
            raise ValueError("url needs model: the server's name for the model")
        if self.uncertain[0] > self.uncertain[1]:
            raise ValueError("uncertain goes from the lower score to the higher")
        return self


class Stage:
    """Provides `sentiment` and `intents` anew, of those in doubt. What it says depends on another machine and on how
    much it has asked in the last hour, which it remembers: it is the one stage that need not give the same twice."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc", "brand", "sentiment", "intents"})
    provides: ClassVar[frozenset[str]] = frozenset({"sentiment", "intents"})

    def __init__(self, config: Config, context: StageContext, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._monotonic = monotonic
        self._judge = _judge(config)
        self._known = {handle: name for brand in context.brands for handle, name in _handles(brand)}
        self._asked: deque[float] = deque()
        self._resting = float("-inf")
        told = config.model_dump(include={"uncertain", "url", "spacy"}, mode="json")
        self.version = f"{trace('1', told)}:{self._judge.name}" if self._judge else trace("1", "off")

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Replace `sentiment` and `intents` of the drafts in doubt that the model answers for."""
        if self._judge is None or self._monotonic() < self._resting:
            return
        doubtful: dict[tuple[str, str], list[Draft]] = {}
        for draft in batch:
            if self._doubtful(draft):
                doubtful.setdefault(self._text(draft), []).append(draft)
        if not doubtful:
            return
        asked = list(doubtful)[: self._allowed()]
        self._asked.extend([self._monotonic()] * len(asked))
        verdicts = self._judge.judge(asked, self._config.batch_secs) if asked else []
        failures: Counter[str] = Counter()
        for text, verdict in zip(asked, verdicts, strict=True):
            if isinstance(verdict, str):
                failures[verdict] += 1
            else:
                for draft in doubtful[text]:
                    _apply(draft, verdict)
        answered = len(asked) - failures.total()
        if asked and not answered:
            self._resting = self._monotonic() + _PAUSE
        told = log.warning if failures else log.info
        told(
            "asked a heavier model",
            model=self._judge.name,
            answered=answered,
            failed=dict(failures),
            over_budget=len(doubtful) - len(asked),
        )

    def _doubtful(self, draft: Draft) -> bool:
        if draft.sentiment is None or draft.mention.rating is not None:
            return False  # a review's stars are its author's own verdict
        if draft.mention.own or draft.repost or draft.mention.kind is Kind.REPOST:
            return False
        low, high = self._config.uncertain
        scores = {intent.name: intent.score for intent in draft.intents}
        if low <= abs(draft.sentiment.score) <= high or any(low <= score <= high for score in scores.values()):
            return True
        feeling = draft.sentiment.label
        sarcastic = draft.sarcasm is not None and draft.sarcasm.score >= _SARCASTIC
        return (
            (feeling == "positive" and ("complaint" in scores or sarcastic))
            or ("praise" in scores and (feeling == "negative" or "complaint" in scores or sarcastic))
            or (feeling == "negative" and not scores)
        )

    def _text(self, draft: Draft) -> tuple[str, str]:
        text = _nlp.text(draft.doc)
        if self._judge is not None and self._judge.leaves:
            text = redacted(text, self._known)
        return draft.brand or "", text

    def _allowed(self) -> int:
        hour_ago = self._monotonic() - _HOUR
        while self._asked and self._asked[0] <= hour_ago:
            self._asked.popleft()
        return max(0, min(self._config.per_batch, self._config.budget_per_hour - len(self._asked)))


def _judge(config: Config) -> Judge | None:
    if config.url is not None:
        return Endpoint(config.url, config.model, config.api_key, config.timeout_secs, config.parallel)
    return Pipeline(config.spacy) if config.spacy is not None else None


def _handles(brand: Brand) -> list[tuple[str, str]]:
    ours = [("@" + handle.lstrip("@").lower(), brand.name) for handle in brand.handles]
    theirs = [(term.lower(), name) for name, terms in brand.competitors.items() for term in terms if term[:1] == "@"]
    return theirs + ours


def _apply(draft: Draft, verdict: Verdict) -> None:
    sign = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}[verdict.sentiment]
    draft.sentiment = Sentiment(label=verdict.sentiment, score=round(sign * verdict.sure, 3) + 0.0, by="model")
    intents = [
        Intent(name=name, score=round(score, 3), words=verdict.words)
        for name in INTENTS
        if (score := getattr(verdict, name)) >= _HOLDS
    ]
    draft.intents = tuple(sorted(intents, key=lambda intent: -intent.score))
