"""Which words and phrases set some texts apart from others.

The log-odds ratio with an informative Dirichlet prior, as a z-score: B. Monroe, M. Colaresi, K. Quinn, "Fightin' Words:
Lexical Feature Selection and Evaluation for Identifying the Content of Political Conflict", Political Analysis 16:4
(2008), equations 15, 16, 20 and 22. The prior is what both say together, worth `PRIOR` words, or half of what is said
now where that is less: a word that is rare in both must be said by several before it counts.

Counted are people, not uses: a term counts once for each author and day, so that neither one angry person nor a text
that one account repeats stands for a crowd; and a term fewer than `FEWEST` people used is nobody's business.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import NamedTuple

from pipeline.mention import Enriched
from spikes._words import DULL, Words

PRIOR = 500.0
"""The weight of the prior, in words."""

FEWEST = 3
"""People who must have used a term."""

SURE = 2.58
"""The z-score from which a term counts: by chance, one in two hundred would."""

COMPARABLE = 30
"""Mentions from before that suffice to compare with. With fewer, on a brand's first day, the terms that most people use
are told, with a z-score of 0."""

COMMON = 0.15
"""The share of the people who must use such a term."""

INSIDE = 0.6
"""A term is left out if it shares a word with one that is shown and so much of its people with it…"""

TOGETHER = 0.8
"""…or if, sharing none, it comes from the same people so nearly (Jaccard): they copied one sentence."""


class Term(NamedTuple):
    """A word or phrase, its z-score, how many authors used it now, and on how many days of authors before."""

    text: str
    z: float
    authors: int
    before: int


def terms(
    now: Sequence[Enriched], before: Sequence[Enriched], ours: Collection[str] = (), most: int = 8
) -> tuple[Term, ...]:
    """The terms that set `now` apart from `before`, the clearest first; `ours` are the brand's own words."""
    words = Words(ours)
    handles = {it.mention.author.handle.lower().lstrip("@") for it in now} - {""}
    used, use_before = _uses(now, words), _uses(before, words)
    total, total_before = sum(map(len, used.values())), sum(map(len, use_before.values()))
    weight = min(PRIOR, total / 2)
    people = {term: {author for author, _ in uses} for term, uses in used.items() if len(uses) >= FEWEST}
    compared = len(before) >= COMPARABLE
    everybody = {(it.mention.source, it.mention.author.id) for it in now}
    found: list[tuple[float, tuple[str, ...]]] = []
    for term in people:
        uses = used[term]
        if len(people[term]) < FEWEST or handles.intersection(term):
            continue
        if not compared:
            if len(people[term]) >= COMMON * len(everybody):
                found.append((float(len(people[term])), term))
            continue
        earlier = len(use_before.get(term, ()))
        prior = weight * (len(uses) + earlier) / (total + total_before)
        z = _z(len(uses), total, earlier, total_before, prior, weight)
        if z >= SURE:
            found.append((z, term))
    found.sort(key=lambda it: (-_worth(*it), it[1]))
    shown: list[tuple[float, tuple[str, ...]]] = []
    for z, term in found:
        if len(shown) == most:
            break
        if not any(_same(people[term], people[other], term, other) for _, other in shown):
            shown.append((z, term))
    return tuple(
        Term(" ".join(term), round(z, 1) if compared else 0.0, len(people[term]), len(use_before.get(term, ())))
        for z, term in shown
    )


def _z(count: int, total: int, earlier: int, total_before: int, prior: float, weight: float) -> float:
    now = math.log((count + prior) / max(1.0, total + weight - count - prior))
    then = math.log((earlier + prior) / max(1.0, total_before + weight - earlier - prior))
    return (now - then) / math.sqrt(1 / (count + prior) + 1 / (earlier + prior))


def _worth(z: float, term: tuple[str, ...]) -> float:
    """A phrase says more than its words, and is rarer than each of them: it may be a little less sure. What is in
    between says nothing."""
    dull = sum(word in DULL for word in term)
    return z * (1 + 0.25 * (len(term) - dull - 1) - 0.1 * dull)


def _uses(group: Iterable[Enriched], words: Words) -> dict[tuple[str, ...], set[tuple[str, date]]]:
    found: dict[tuple[str, ...], set[tuple[str, date]]] = {}
    for it in group:
        use = (f"{it.mention.source}:{it.mention.author.id}", it.mention.created_at.date())
        for term in words.terms(it.mention.text):
            found.setdefault(term, set()).add(use)
    return found


def _same(who: set[str], others: set[str], term: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one says what the other says."""
    both = len(who & others)
    if set(term) & set(other):
        return both >= INSIDE * min(len(who), len(others))
    return both >= TOGETHER * len(who | others)
