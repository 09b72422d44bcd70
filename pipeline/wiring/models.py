"""Which models are in force: the document `models`, over what config.yaml says of the stages.

A small mapping: for `sentiment` and `intent` the directory of the `model` (none: what ships) and of the one in
`shadow`, each with the digest of its content. A directory that is not there any more, or holds something else than
was put in force, is refused before anything runs on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import yaml

from pipeline.config import Adapter, Config, validated
from pipeline.errors import ConfigError, Problem
from pipeline.ports import Settings

if TYPE_CHECKING:
    from enrich._hearing.linear import Model

Kind = Literal["sentiment", "intent"]
KINDS: tuple[Kind, ...] = get_args(Kind)

HEADER = "# Which models are in force: docs/models.md says how. Without a model: what ships with harken.\n"


class Chosen(Settings):
    """Of one stage: the model in force (None: what ships; `none`: no model, but the vocabularies) and the one that runs
    in shadow, with their digests."""

    model: Path | Literal["none"] | None = None
    digest: str = ""
    shadow: Path | None = None
    shadow_digest: str = ""


class Models(Settings):
    """The document."""

    sentiment: Chosen = Chosen()
    intent: Chosen = Chosen()

    def of(self, kind: Kind) -> Chosen:
        """What is chosen for one stage."""
        return cast(Chosen, getattr(self, kind))

    def having(self, kind: Kind, **changes: Any) -> Models:
        """The same with something else chosen for one stage."""
        return self.model_copy(update={kind: self.of(kind).model_copy(update=changes)})

    def in_force(self) -> tuple[tuple[object, str], ...]:
        """The model and digest of every stage, without those in shadow."""
        return tuple((self.of(kind).model, self.of(kind).digest) for kind in KINDS)

    def text(self) -> str:
        """As the document says it."""
        tree = self.model_dump(mode="json", exclude_defaults=True)
        return HEADER + yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)


def read(text: str) -> Models:
    """The document. Raises ConfigError with what is wrong with its form; see `verify` for what it names."""
    from routing.documents import parsed

    return validated(Models, parsed(text, "models") or {}, "models")


def verify(models: Models) -> None:
    """Raise ConfigError with every directory that holds no such model as is said here."""
    problems = [problem for kind in KINDS for problem in _problems(kind, models.of(kind))]
    if problems:
        raise ConfigError(problems)


def given(config: Config) -> Models:
    """What config.yaml says of the stages."""
    said: dict[str, Any] = {}
    for name, settings in config.file.enrich.items():
        kind = settings.get("type", name)
        if kind in KINDS:
            said[kind] = {key: settings[key] for key in ("model", "shadow") if settings.get(key)}
    return validated(Models, said, "enrich")


def put(config: Config, text: str) -> Config:
    """The configuration with the models of this document in its stages. Raises ConfigError where a stage that is to
    run would run on something else than the document says."""
    if not config.stages:
        return config
    models = read(text)
    verify(models)
    return replace(config, stages=tuple(_overlaid(stage, models) for stage in config.stages))


def shipped(kind: Kind) -> Path:
    """The directory of the model that ships."""
    from enrich._hearing.chosen import SHIPPED

    return SHIPPED / kind


def load(directory: Path) -> Model:
    """The model of a directory. Raises ConfigError where there is none."""
    from enrich._hearing.linear import Model

    return Model.load(directory)


def knows(model: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels and the languages that it judges, with those of the model that it builds on."""
    whole = (model, model.base) if model.base else (model,)
    labels = dict.fromkeys(label for one in whole for label in one.labels)
    return tuple(labels), tuple(sorted({language for one in whole for language in one.languages}))


def _overlaid(stage: Adapter, models: Models) -> Adapter:
    name = stage.module.__name__.rpartition(".")[2]
    if name not in KINDS:
        return stage
    chosen = models.of(name)
    return replace(stage, settings=stage.settings.model_copy(update={"model": chosen.model, "shadow": chosen.shadow}))


def _problems(kind: Kind, chosen: Chosen) -> Iterator[Problem]:
    from enrich._hearing.chosen import loaded

    both: Mapping[str, tuple[Path | None, str]] = {
        "model": (None if chosen.model == "none" else chosen.model, chosen.digest),
        "shadow": (chosen.shadow, chosen.shadow_digest),
    }
    for name, (directory, digest) in both.items():
        place = f"models.{kind}.{name}"
        if directory is None:
            continue
        try:
            model = loaded(directory, kind)
        except ConfigError as error:
            yield from (Problem(place, f"{it.path}: {it.message}", it.remedy) for it in error.problems)
            continue
        if digest and model.version != digest:
            message = f"{directory} holds version {model.version}, not {digest} as it was put in force"
            yield Problem(place, message, "bring that version back, or put the new one in force: harken models promote")
