"""Where examples come from besides harken's own corpus: the public sets that what ships is trained on, and the
corrections of the desk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from enrich._hearing.corpus import Example, Rows, read_csv
from enrich._hearing.tables import SENTIMENTS, language
from pipeline.errors import ConfigError, Problem

CORRECTED = 5.0
"""How many examples of harken's corpus a correction counts for. Corrections are few, and of the very stream that the
model will hear, which the corpus is not: measured, five is better than one, and ten no better than five. Beside a file
of labels of that stream a correction counts for one: corrections are all errors, and with more weight than texts picked
without regard to errors they teach the contrary of what is usual (measured, five costs three points of macro-F1)."""

MILD = 0.8
"""Of the VADER ratings (-4 to +4, a mean of 20 people): nearer to 0 than this is neutral."""

_QUOTED = re.compile("'(?=[\t\r\n]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
"""What an export puts before a text that a spreadsheet would take for a formula: a handle at the start, say."""


class Source(NamedTuple):
    """A public set: its licence and origin for the model card, and how its rows are read."""

    licence: str
    origin: str
    read: Callable[[str, Path, Rows], Iterator[Example]]


def _xlmt(name: str, path: Path, rows: Rows) -> Iterator[Example]:
    for line, row in rows:
        if row["label"] in SENTIMENTS:
            yield Example(text=row["text"], sentiment=row["label"], lang=language(row["lang"], path, line), source=name)


def _vader_tweets(name: str, path: Path, rows: Rows) -> Iterator[Example]:
    for line, row in rows:
        try:
            rating = float(row["label"])
        except ValueError:
            raise ConfigError([Problem(f"{path}, line {line}", "has no rating", "a number from -4 to 4")]) from None
        mood = "neutral" if abs(rating) <= MILD else "positive" if rating > 0 else "negative"
        yield Example(text=row["text"], sentiment=mood, source=name)


def _purchase_iphonex(name: str, path: Path, rows: Rows) -> Iterator[Example]:
    del path
    for _, row in rows:
        if row["label"] in ("yes", "pi", "no", "undefined"):
            intents = frozenset({"lead"}) if row["label"] in ("yes", "pi") else frozenset[str]()
            yield Example(text=row["text"], intents=intents, known=frozenset({"lead"}), brand="iPhone X", source=name)


SOURCES: Mapping[str, Source] = {
    "xlmt": Source("Apache-2.0", "XLM-T, Barbieri et al. 2022: tweets in eight languages, three-way sentiment", _xlmt),
    "vader_tweets": Source("MIT", "VADER, Hutto and Gilbert 2014: tweets with the mean of 20 ratings", _vader_tweets),
    "purchase_iphonex": Source("MIT", "tweets on the iPhone X, labelled for the wish to buy one", _purchase_iphonex),
}


def public(name: str, path: Path) -> list[Example]:
    """The examples of a public set. Raises ConfigError for one that is not known or has not its columns."""
    source = SOURCES.get(name)
    if source is None:
        raise ConfigError([Problem(f"--source {name}", "is no source that is known", f"one of {', '.join(SOURCES)}")])
    columns, rows = read_csv(path)
    needed = {"text", "label"} | ({"lang"} if name == "xlmt" else set())
    if missing := sorted(needed - set(columns)):
        raise ConfigError([Problem(str(path), f"has no column {missing[0]!r}", f"is it the file of {name}?")])
    return list(source.read(name, path, rows))


def corrections(path: Path, names: tuple[str, ...], weight: float) -> tuple[list[Example], Counter[str]]:
    """What people put right, from `harken corrections export`, each with this weight, and what is of no use here, by
    reason: labels that are not among `names`. Raises ConfigError where it is no such file."""
    columns, rows = read_csv(path)
    if missing := sorted({"text", "language", "brand", "label", "right"} - set(columns)):
        remedy = "what `harken corrections export --out FILE.csv` writes"
        raise ConfigError([Problem(str(path), f"has no column {missing[0]!r}", remedy)])
    found: list[Example] = []
    skipped: Counter[str] = Counter()
    for line, row in rows:
        label, right = row["label"], row["right"]
        if label not in names:
            skipped[f"label {label[:40]!r}"] += 1
            continue
        if right not in (SENTIMENTS if label == "sentiment" else ("yes", "no")):
            remedy = ", ".join(SENTIMENTS) if label == "sentiment" else "yes or no"
            raise ConfigError([Problem(f"{path}, line {line}", f"says {right[:40]!r} of {label}", remedy)])
        text = _QUOTED.sub("", row["text"], count=1) if _QUOTED.match(row["text"]) else row["text"]
        if not text.strip():
            skipped["no text"] += 1
            continue
        lang = row["language"] if row["language"] not in ("", "und") else "en"
        one = Example(text=text, lang=lang, brand=row["brand"], source=path.stem, weight=weight)
        found.append(_corrected(one, label, right))
    return found, skipped


def _corrected(one: Example, label: str, right: str) -> Example:
    from msgspec.structs import replace

    if label == "sentiment":
        return replace(one, sentiment=right)
    return replace(one, intents=frozenset({label} if right == "yes" else ()), known=frozenset({label}))
