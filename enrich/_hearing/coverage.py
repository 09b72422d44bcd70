"""What harken's own corpus covers, what is wrong in it, and which of its texts are nearly the same.

python -m enrich._hearing.coverage            the report
python -m enrich._hearing.coverage --write    the data sheet, enrich/corpus/DATASHEET.md, made anew
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil
from statistics import median

from enrich._hearing.corpus import FOLDER, LICENCE, Example, files, load

DATASHEET = "DATASHEET.md"
SENTIMENTS = ("negative", "neutral", "positive")
INTENTS = ("complaint", "praise", "lead", "question")
TARGETS = ("brand", "competitor", "other")
_FLAGS = """
sarcasm mixed negation comparison secondhand joke jobad spam giveaway bot thread news own
safety legal outage vulnerable press leaving
"""
FLAGS = frozenset(_FLAGS.split())
STYLES = {
    "plain": "as the median person types: mundane, in common phrases",
    "vivid": "worked out: implicit, ironic, rare situations, dialect, long",
}
NEAR = 0.7
"""The share of common words from which two texts are near duplicates."""

_FEWEST_WORDS = 4
_WORD = re.compile(r"[^\W\d_]+")


def faults(examples: Sequence[Example]) -> Iterator[str]:
    """What is wrong in the corpus, with the text it is wrong of: unknown labels, contradictions, exact copies."""
    seen: set[str] = set()
    for one in examples:
        place = f"{one.source}: {one.text[:60]!r}"
        if not one.text.strip():
            yield f"{one.source}: an empty text"
        if one.text in seen:
            yield f"{place} stands there twice"
        seen.add(one.text)
        if one.sentiment not in (None, *SENTIMENTS):
            yield f"{place} has the sentiment {one.sentiment!r}"
        if unknown := sorted((one.intents or frozenset()) - set(INTENTS)):
            yield f"{place} has the intent {unknown[0]!r}"
        if one.target not in ("", *TARGETS):
            yield f"{place} has the target {one.target!r}"
        if unknown := sorted(one.flags - FLAGS):
            yield f"{place} has the flag {unknown[0]!r}"
        if one.sentiment == "positive" and one.intents == frozenset({"complaint"}):
            yield f"{place} is positive and nothing but a complaint"
        if one.sentiment == "negative" and one.intents == frozenset({"praise"}):
            yield f"{place} is negative and nothing but praise"


def near_duplicates(examples: Sequence[Example]) -> list[tuple[Example, Example]]:
    """Each text that shares most of its words with an earlier one, with that one; texts of three words or fewer are
    nobody's copies. Exact: two sets of which NEAR is common share one of their rarest words, as many as the smaller
    has beyond that share (prefix filtering; Chaudhuri, Ganti & Kaushik, ICDE 2006)."""
    words = [frozenset(_WORD.findall(one.text.lower())) for one in examples]
    common = Counter(word for some in words for word in some)
    holding: dict[str, list[int]] = {}
    found: list[tuple[Example, Example]] = []
    for number, some in enumerate(words):
        if len(some) < _FEWEST_WORDS:
            continue
        rarest = sorted(some, key=lambda word: (common[word], word))[: len(some) - ceil(NEAR * len(some)) + 1]
        candidates = sorted({other for word in rarest for other in holding.get(word, ())})
        twin = next((it for it in candidates if len(some & words[it]) >= NEAR * len(some | words[it])), None)
        if twin is not None:
            found.append((examples[number], examples[twin]))
        for word in rarest:
            holding.setdefault(word, []).append(number)
    return found


def report(examples: Sequence[Example]) -> list[str]:
    """The coverage as Markdown."""
    lines = [f"{len(examples):,} texts in {len(_counted(examples, 'source'))} files, "
             f"{median(len(one.text) for one in examples):.0f} characters in the median."]  # fmt: skip
    lines += ["", "| file | texts | complaint | praise | lead | question | none | negative | neutral | positive |"]
    lines += ["| --- " * 10 + "|"]
    for name in sorted({one.source for one in examples}):
        some = [one for one in examples if one.source == name]
        intents = Counter(intent for one in some for intent in one.intents or ())
        moods = Counter(one.sentiment for one in some)
        cells = [
            *(intents[it] for it in INTENTS),
            sum(not one.intents for one in some),
            *(moods[it] for it in SENTIMENTS),
        ]
        lines.append(f"| {name} | {len(some):,} | " + " | ".join(f"{cell:,}" for cell in cells) + " |")
    for title, counted in (
        ("Languages", _counted(examples, "lang")),
        ("Registers", _counted(examples, "register")),
        ("Industries", Counter(dict(_counted(examples, "industry").most_common(40)))),
        ("Flags", Counter(flag for one in examples for flag in one.flags)),
        ("Targets of what is negative", Counter(one.target for one in examples if one.target)),
        ("Lengths", Counter(_length(one.text) for one in examples)),
        ("Signs", Counter(sign for one in examples for sign in _signs(one.text))),
    ):
        told = ", ".join(f"{name or 'none'} {count:,}" for name, count in counted.most_common())
        lines += ["", f"**{title}:** {told}."]
    brands = _counted(examples, "brand")
    lines += ["", f"**Brands:** {len(brands) - ('' in brands):,} different ones; {brands['']:,} texts are about none."]
    return lines


def datasheet(examples: Sequence[Example]) -> str:
    """The data sheet, whole (after Gebru et al., Datasheets for Datasets, 2021)."""
    near = near_duplicates(examples)
    styles = _styles()
    return "\n".join(
        [
            "# harken's corpus: data sheet",
            "",
            "Made by `python -m enrich._hearing.coverage --write`. Change the corpus, then this.",
            "",
            "**What for.** To train and to check what harken hears in public posts about brands: sentiment towards the "
            "brand, intents, the target of a negative feeling, kinds of urgency and of spam. The labels are defined in "
            "docs/intents.md.",
            "",
            "**Where from.** Every text was written for harken by its authors, as somebody could have posted it, and "
            "labelled as it was written; none is taken or translated from anywhere, none was made by filling slots of "
            "a grammar. No text is about a private person who exists. Companies and products that exist are named, as "
            "people do; what is said of them is invented.",
            "",
            "**What it is not.** A sample: shares of labels, industries and languages are chosen, not found. Invented "
            "posts are tidier than real ones and share the habits of those who wrote them. Each was labelled once, by "
            "who wrote it, so nobody can say how well two people would agree.",
            "",
            "**Style.** " + "; ".join(f"`{it}` ({styles[it]:,} texts) is {what}" for it, what in STYLES.items()) + ".",
            "",
            "**Kept apart.** Texts that share two runs of six words with a text of a public set on which models are "
            "measured were left out.",
            "",
            f"**Licence.** {LICENCE}, like harken.",
            "",
            "## Coverage",
            "",
            *report(examples),
            "",
            f"**Near duplicates** ({NEAR:.0%} of the words): {len(near):,} texts "
            f"({len(near) / len(examples):.1%}).",
            "",
        ]
    )  # fmt: skip


def _styles() -> Counter[str]:
    from enrich._hearing.corpus import read_csv

    return Counter(row["style"] for path in files() for _, row in read_csv(path)[1])


def _counted(examples: Sequence[Example], column: str) -> Counter[str]:
    return Counter(str(getattr(one, column)) for one in examples)


def _length(text: str) -> str:
    for most in (40, 80, 140, 280):
        if len(text) <= most:
            return f"up to {most}"
    return "over 280"


def _signs(text: str) -> Iterator[str]:
    if "@" in text:
        yield "a handle"
    if text.lstrip(" .").startswith("@"):
        yield "begins with a handle"
    if "#" in text:
        yield "a hashtag"
    if "://" in text:
        yield "a link"
    if "?" in text:
        yield "a question mark"
    if any(ord(sign) > 0x2190 for sign in text):
        yield "an emoji or another symbol"
    if text == text.lower():
        yield "no capital letter"


def main(arguments: Sequence[str]) -> int:
    """The report; with `--write` the data sheet. 1 where something is wrong."""
    examples = load()
    wrong = list(faults(examples))
    for line in wrong:
        print(line)  # noqa: T201 - a script
    if "--write" in arguments:
        (FOLDER / DATASHEET).write_text(datasheet(examples), encoding="utf-8")
    else:
        print("\n".join(report(examples)))  # noqa: T201 - a script
        for one, other in near_duplicates(examples):
            print(f"near: {one.source}: {one.text!r}\n      {other.source}: {other.text!r}")  # noqa: T201 - a script
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
