from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from enrich.pipeline import Enrichment, Refused
from pipeline.errors import BrokenStage, ConfigError
from pipeline.mention import Enriched
from pipeline.ports import Draft, Stage
from tests.enrich.helpers import NLP, ORDER, enrichment, stages
from tests.fixtures.shapes import mention


class Fussy:
    """A stage that fails on the texts it is told to."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention"})
    provides: ClassVar[frozenset[str]] = frozenset({"topics"})
    version = "1"

    def __init__(self, fails: Callable[[str], bool], *, rejects: bool = False) -> None:
        self.fails = fails
        self.rejects = rejects
        self.calls: list[int] = []

    def annotate(self, batch: Sequence[Draft]) -> None:
        self.calls.append(len(batch))
        for draft in batch:
            if self.fails(draft.mention.text):
                if self.rejects:
                    draft.rejected = "cannot read it"
                    continue
                raise ValueError(f"no good\n{'x' * 5000}")
            draft.topics = ("fine",)


def run(stage: Stage, texts: list[str]) -> list[Enriched | Refused]:
    names: list[tuple[str, Stage]] = [("fussy", stage), *stages(("brand", "language", "sentiment"))]
    return Enrichment(names, NLP)([mention(id=f"t:{n}", text=text) for n, text in enumerate(texts)])


def test_every_tag_says_which_version_of_which_stage_made_it() -> None:
    (result,) = enrichment()([mention(text="Acme lost my parcel")])
    assert isinstance(result, Enriched)
    assert list(result.tags.stages) == list(ORDER)
    assert all(result.tags.stages.values())


def test_a_batch_keeps_its_order_and_its_mentions() -> None:
    mentions = [mention(id=f"t:{n}", text=f"text number {n}") for n in range(50)]
    assert [result.mention for result in enrichment()(mentions)] == mentions
    assert enrichment()([]) == []


def test_one_mention_that_breaks_a_stage_is_refused_and_the_others_go_on() -> None:
    good, bad, other = run(Fussy(lambda text: text == "bad"), ["good", "bad", "other"])
    assert isinstance(good, Enriched)
    assert isinstance(other, Enriched)
    assert good.tags.topics == ("fine",)
    assert isinstance(bad, Refused)
    assert (bad.stage, bad.mention.text) == ("fussy", "bad")
    assert bad.reason.startswith("ValueError: no good x")
    assert len(bad.reason) < 250


def test_one_mention_that_a_stage_rejects_is_refused_without_a_second_try_and_sees_no_later_stage() -> None:
    stage = Fussy(lambda text: text == "bad", rejects=True)
    results = run(stage, ["good", "bad"])
    assert isinstance(results[0], Enriched)
    assert results[1] == Refused(results[1].mention, "fussy", "cannot read it")
    assert stage.calls == [2]


def test_a_stage_that_fails_on_every_mention_is_broken() -> None:
    with pytest.raises(BrokenStage, match=r"enrich\.stages\.fussy fails on every mention: ValueError"):
        run(Fussy(lambda text: True), ["a", "b"])


def test_a_single_mention_that_fails_is_refused_not_blamed_on_the_stage() -> None:
    (result,) = run(Fussy(lambda text: True), ["a"])
    assert isinstance(result, Refused)


def test_a_text_that_cannot_be_tokenized_is_refused() -> None:
    results = run(Fussy(lambda text: False), ["fine", "lone surrogate \ud800"])
    assert isinstance(results[0], Enriched)
    assert isinstance(results[1], Refused)
    assert results[1].stage == "tokens"


def test_a_need_that_comes_later_is_a_configuration_problem_with_its_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        Enrichment(stages(("brand", "sentiment", "language")), NLP)
    (problem,) = caught.value.problems
    assert problem.path == "enrich.stages"
    assert problem.message == "sentiment needs language, which no stage before it provides"
    assert problem.remedy == "put language before sentiment"


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Enrichment(stages(("urgency", "reach", "reach")), NLP)
    assert {problem.message.split(",")[0] for problem in caught.value.problems} == {
        "urgency needs language",
        "urgency needs reach",
        "urgency needs sentiment",
        "reach provides reach",
    }


def test_a_batch_is_tagged_as_its_mentions_are_one_by_one() -> None:
    texts = [
        "Acme lost my parcel",
        "thanks @acme!",
        "Acme lost my parcel",
        "Can anyone recommend a phone?",
        "RT to win a free phone",
        "¿Cuándo abren?",
    ]
    mentions = [mention(id=f"t:{n}", text=text) for n, text in enumerate(texts)]
    together, alone = enrichment(), enrichment()
    assert together(mentions) == [result for one in mentions for result in alone([one])]
