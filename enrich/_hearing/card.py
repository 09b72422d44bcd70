"""The card that lies beside a trained model: what it is, what it learned from, how well it did, where it ends.

Written by the training itself, from nothing but its inputs, so that the same inputs give the same card.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from enrich._hearing.corpus import Example
from pipeline.errors import ConfigError, Problem

YOURS = "yours; nothing says that it may be passed on"


class Origin(NamedTuple):
    """Where examples came from: the files with their digests, the licence, how many there are, and what was left out,
    by reason."""

    name: str
    about: str
    licence: str
    paths: Sequence[Path]
    examples: Sequence[Example]
    skipped: Mapping[str, int]

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the files' SHA-256s."""
        whole = sha256()
        for path in self.paths:
            whole.update(sha256(path.read_bytes()).digest())
        return whole.hexdigest()[:16]


def card(
    kind: str,
    version: str,
    labels: Sequence[str],
    languages: Sequence[str],
    origins: Sequence[Origin],
    command: str,
    made_with: str,
    figures: Sequence[tuple[str, Mapping[str, Any]]] = (),
    base: str = "",
) -> str:
    """The text of CARD.md. `figures` are what `harken eval --json` printed, each with a name; `base` is the version of
    the model from which what was not trained here was taken."""
    return "\n".join(_lines(kind, version, labels, languages, origins, command, made_with, figures, base)) + "\n"


def read_figures(path: Path) -> dict[str, Any]:
    """What `harken eval --json` printed: the last line of a file. Raises ConfigError where it is not that."""
    try:
        found = json.loads(path.read_text(encoding="utf-8").strip().splitlines()[-1])
        return {key: found[key] for key in ("n", "macro_f1", "ci95", "auc", "ece", "per_class")}
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}", "check the path")]) from None
    except (ValueError, IndexError, KeyError, TypeError):
        raise ConfigError([Problem(str(path), "holds no figures", "what `harken eval … --json` prints")]) from None


def _lines(
    kind: str,
    version: str,
    labels: Sequence[str],
    languages: Sequence[str],
    origins: Sequence[Origin],
    command: str,
    made_with: str,
    figures: Sequence[tuple[str, Mapping[str, Any]]],
    base: str,
) -> Iterator[str]:
    what = "How the author feels about the brand" if kind == "sentiment" else "What the author wants"
    several = "one label a text" if kind == "sentiment" else "several labels may hold"
    yield from (f"# Model card: {kind}", "")
    yield f"{what}: {', '.join(labels)} ({several}). What each means, with examples: `docs/intents.md` of harken."
    yield "A linear model over words, word pairs, character n-grams and signals of the text; what it reads and how it"
    yield "was chosen: `docs/models.md`."
    yield from ("", "| | |", "| --- | --- |")
    yield f"| version (digest of the content) | `{version}` |"
    yield f"| labels | {', '.join(labels)} |"
    yield f"| languages | {', '.join(languages)} |"
    yield f"| made with | {made_with} |"
    yield f"| made by | `{command}` |"
    if base:
        yield f"| builds on, for what was not trained here | version `{base}` |"
    yield from ("", "## Trained on", "", "| what | examples | languages | digest | licence |")
    yield "| --- | --- | --- | --- | --- |"
    for it in origins:
        spoken = Counter(one.lang for one in it.examples)
        said = ", ".join(
            f"{lang} {count:,}" for lang, count in sorted(spoken.items(), key=lambda one: (-one[1], one[0]))
        )
        yield f"| {it.name}: {it.about} | {len(it.examples):,} | {said} | `{it.digest}` | {it.licence} |"
    yield from ("", "Examples by label, as given:", "", "| label | yes | no |", "| --- | --- | --- |")
    yield from _counted(kind, labels, [one for it in origins for one in it.examples])
    if left := [f"{count:,} of {it.name} ({why})" for it in origins for why, count in it.skipped.items()]:
        yield from ("", f"Left out: {'; '.join(left)}.")
    yield from ("", "## Figures", "")
    if figures:
        yield "On the rows named, which this model has not seen where whoever ran it says so:"
        yield from ("", "| rows | n | macro-F1 (95 %) | AUC | calibration error | F1 by label |")
        yield "| --- | --- | --- | --- | --- | --- |"
        yield from (_figures(name, one) for name, one in figures)
    else:
        yield "None were given. `harken eval` on labelled texts that are not among the above makes some."
    yield from ("", "## Limits", "")
    yield "- It hears words, not the world: second-hand news, irony and allusions are often missed."
    yield "- It is as good as its examples: other industries, registers and dialects are heard less well. Measure it on"
    yield "  texts of your own before you let it decide anything."
    if kind == "sentiment":
        yield "- In a language that is not listed above, sentiment is read from emoji and a review's stars alone."
    else:
        yield "- In a language that is not listed above, a question is heard by its question mark, complaint and praise"
        yield "  by a review's stars, and nothing else."
    yield "- It is for sorting public mentions for people who answer them. It is not for judging persons."


def _counted(kind: str, labels: Sequence[str], examples: Sequence[Example]) -> Iterator[str]:
    for label in labels:
        if kind == "sentiment":
            said = [one.sentiment == label for one in examples if one.sentiment is not None]
        else:
            said = [holds for one in examples if (holds := one.says(label)) is not None]
        if said:
            yield f"| {label} | {sum(said):,} | {len(said) - sum(said):,} |"


def _figures(name: str, one: Mapping[str, Any]) -> str:
    low, high = one["ci95"]
    auc, ece = ("—" if one[key] is None else f"{one[key]:.3f}" for key in ("auc", "ece"))
    each = ", ".join(f"{label} {found['f1']:.3f}" for label, found in one["per_class"].items())
    macro = f"{one['macro_f1']:.3f} ({low:.3f} to {high:.3f})"
    return f"| {name} | {one['n']:,} | {macro} | {auc} | {ece} | {each} |"
