"""The stages as a worker builds them, and the tags of one mention."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from enrich import _nlp
from enrich.pipeline import Enrichment
from pipeline.config import STAGES
from pipeline.mention import Enriched, Tags
from pipeline.ports import Brand, Draft, Stage, StageContext
from tests.fixtures.shapes import mention

ORDER = STAGES

NLP = _nlp.build()

BRANDS = (
    Brand("Acme", ("Acme", "acme phone", "Café Acme", "アクメ"), ("acme", "acme.bsky.social"), ("acme of skill",)),
    Brand("Globex", ("Globex", "straße 7", "C++", "7-Up"), ("@globex_help",)),
)


def stage(name: str, brands: Sequence[Brand] = BRANDS, **settings: Any) -> Stage:
    """A stage as the registry builds it."""
    module = import_module(f"enrich.{name}")
    built: Stage = module.Stage(module.Config(**settings), StageContext(brands=brands, nlp=NLP))
    return built


def stages(names: Sequence[str] = ORDER) -> list[tuple[str, Stage]]:
    return [(name, stage(name)) for name in names]


def enrichment() -> Enrichment:
    return Enrichment(stages(), NLP)


@cache
def _shared() -> Enrichment:
    return enrichment()


def tags(text: str = "", **changes: Any) -> Tags:
    """What the whole set finds in one mention. The cluster's memory is shared by a test run: look at other tags."""
    (result,) = _shared()([mention(text=text, **changes)])
    assert isinstance(result, Enriched), result
    return result.tags


def drafts(texts: Sequence[str]) -> list[Draft]:
    return [Draft(mention=mention(id=f"test:{n}", text=text), doc=NLP.make_doc(text)) for n, text in enumerate(texts)]
