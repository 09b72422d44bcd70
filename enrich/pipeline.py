"""The stages in order, over a batch: mentions in, tags out, and one bad mention never costs the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import BrokenStage, ConfigError, Problem
from pipeline.mention import Enriched, Mention, Tags
from pipeline.ports import Draft, Stage

_GIVEN = frozenset({"mention", "doc"})
_TOKENS = "tokens"


@dataclass(frozen=True)
class Refused:
    """A mention that one stage cannot read, to be dead-lettered: which stage, and why, without the text itself."""

    mention: Mention
    stage: str
    reason: str


class _Failed(Exception):
    """A stage raised on a batch."""

    def __init__(self, stage: str, cause: Exception) -> None:
        super().__init__(stage)
        self.stage = stage
        self.cause = cause


class Enrichment:
    """Built once a worker from (name, stage) pairs in the order in which they run, and the shared spaCy pipeline.

    Raises ConfigError when a stage needs what no earlier one provides, or when two provide the same; a stage that
    also needs what it provides does it over, and comes after the one that did it.
    """

    def __init__(self, stages: Sequence[tuple[str, Stage]], nlp: Any) -> None:
        problems = _problems(stages)
        if problems:
            raise ConfigError(problems)
        self._stages = tuple(stages)
        self._nlp = nlp
        self._versions = {name: stage.version for name, stage in stages}

    def __call__(self, mentions: Sequence[Mention]) -> list[Enriched | Refused]:
        """One result per mention, in order.

        When a stage fails on a batch, each mention is tried alone: those that fail alone are Refused, the others go
        on. Raises BrokenStage when more than one was tried and every one failed in the same stage.
        """
        try:
            return self._run(mentions)
        except _Failed as failed:
            if len(mentions) == 1:
                return [_refused(mentions[0], failed)]
            return self._one_by_one(mentions)

    def _run(self, mentions: Sequence[Mention]) -> list[Enriched | Refused]:
        drafts = self._drafts(mentions)
        going: Sequence[Draft] = drafts
        refused: dict[int, Refused] = {}
        for name, stage in self._stages:
            try:
                stage.annotate(going)
            except Exception as error:
                raise _Failed(name, error) from error
            if any(draft.rejected for draft in going):
                refused |= {id(d): Refused(d.mention, name, d.rejected) for d in going if d.rejected}
                going = [draft for draft in going if not draft.rejected]
        return [refused.get(id(draft)) or self._enriched(draft) for draft in drafts]

    def _drafts(self, mentions: Sequence[Mention]) -> list[Draft]:
        # A text that comes again in the batch (a repost, a campaign) is read once; stages only read a doc.
        docs: dict[str, Any] = {}
        drafts = []
        for mention in mentions:
            doc = docs.get(mention.text)
            if doc is None:
                try:
                    doc = docs[mention.text] = self._nlp.make_doc(mention.text)
                except Exception as error:
                    raise _Failed(_TOKENS, error) from error
            drafts.append(Draft(mention=mention, doc=doc))
        return drafts

    def _enriched(self, draft: Draft) -> Enriched:
        tags = Tags(
            brand=draft.brand,
            brands=draft.brands,
            language=draft.language,
            sentiment=draft.sentiment,
            intents=draft.intents,
            topics=draft.topics,
            topic_words=draft.topic_words,
            spam=draft.spam,
            repost=draft.repost,
            cluster=draft.cluster,
            reach=draft.reach,
            urgency=draft.urgency,
            sarcasm=draft.sarcasm,
            target=draft.target,
            shadow=draft.shadow,
            stages=self._versions,
        )
        return Enriched(mention=draft.mention, tags=tags)

    def _one_by_one(self, mentions: Sequence[Mention]) -> list[Enriched | Refused]:
        results: list[Enriched | Refused] = []
        failures: list[_Failed] = []
        for mention in mentions:
            try:
                results += self._run([mention])
            except _Failed as failed:
                failures.append(failed)
                results.append(_refused(mention, failed))
        if len(failures) == len(mentions) and len({failed.stage for failed in failures}) == 1:
            last = failures[-1]
            raise BrokenStage(f"enrich.stages.{last.stage} fails on every mention: {_why(last.cause)}") from last.cause
        return results


def _refused(mention: Mention, failed: _Failed) -> Refused:
    return Refused(mention=mention, stage=failed.stage, reason=_why(failed.cause))


def _why(error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:200]}" if words else type(error).__name__


def _problems(stages: Sequence[tuple[str, Stage]]) -> list[Problem]:
    path = "enrich.stages"
    problems: list[Problem] = []
    provider: dict[str, str] = {}
    for name, stage in stages:
        for field in sorted(stage.needs - _GIVEN - provider.keys()):
            others = [other for other, it in stages if field in it.provides - it.needs and other != name]
            remedy = (
                f"put {others[0]} before {name}"
                if others
                else f"add a stage that provides {field}, or leave out {name}"
            )
            problems.append(Problem(path, f"{name} needs {field}, which no stage before it provides", remedy))
        for field in sorted(stage.provides - stage.needs):
            if field in provider:
                message = f"{name} provides {field}, which {provider[field]} provides already"
                problems.append(Problem(path, message, f"leave out {name} or {provider[field]}"))
            provider.setdefault(field, name)
    return problems
