"""Topics that nobody has named yet: what texts without a topic have in common.

The words of a group of texts that tell it from the others are found by class-based TF-IDF (M. Grootendorst, "BERTopic:
Neural topic modeling with a class-based TF-IDF procedure", arXiv:2203.05794, equation 2): the weight of a term in a
class is `tf * log(1 + A / f)`, with its frequency in the class, the average number of terms of a class, and its
frequency in all of them.

The groups are found without a model of language: the term that sets the texts without a topic apart from all others
the most gathers those that say it, the next one gathers from the rest, and so on, as long as enough people are left.
Counted are people, not texts: a campaign of one is no topic.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

Term = tuple[str, ...]

EXAMPLES = 5
WORDS = 8
"""So many of each are told of a candidate at most."""

_APART = 0.5
"""A term is a candidate's own if it has at least this share of its people in common with the first."""


class Said(NamedTuple):
    """One text: its mention's id, who said it, which copies it is among (its own id where it has none), its terms."""

    id: str
    author: str
    copies: str
    terms: frozenset[Term]


class Candidate(NamedTuple):
    """What may be a topic: its words, the clearest first, with their weights; how many texts and people; some ids."""

    words: tuple[tuple[str, float], ...]
    mentions: int
    people: int
    examples: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it may be called: its clearest word."""
        return self.words[0][0]


def candidates(
    without: Sequence[Said], others: Sequence[Said], fewest: int = 5, most: int = 10
) -> tuple[Candidate, ...]:
    """What `fewest` people and more have in common in texts `without` a topic, of at most `most` candidates; `others`
    are texts to compare with."""
    left = _once(without)
    background = Counter(term for said in _once(others) for term in said.terms)
    groups: list[tuple[Term, list[Said]]] = []
    while len(groups) < most:
        counts = Counter(term for said in left for term in said.terms)
        average = (counts.total() + background.total()) / 2
        people = _people(left)
        weights = {term: count * math.log1p(average / (count + background[term])) for term, count in counts.items()}
        anchor = max(
            (term for term in weights if len(people[term]) >= fewest),
            key=lambda term: (weights[term], term),
            default=None,
        )
        if anchor is None:
            break
        groups.append((anchor, [said for said in left if anchor in said.terms]))
        left = [said for said in left if anchor not in said.terms]
    return _described(groups, background)


def _described(groups: Sequence[tuple[Term, list[Said]]], background: Counter[Term]) -> tuple[Candidate, ...]:
    every = Counter(background)
    for _, group in groups:
        every.update(term for said in group for term in said.terms)
    average = every.total() / (len(groups) + 1)
    found = []
    for anchor, group in groups:
        counts = Counter(term for said in group for term in said.terms)
        people = _people(group)
        weights = {
            term: count * math.log1p(average / every[term])
            for term, count in counts.items()
            if len(people[term]) > 1 and (term == anchor or len(people[term]) >= _APART * len(people[anchor]))
        }
        rest = sorted((term for term in weights if term != anchor), key=lambda term: (-weights[term], term))
        words = tuple((" ".join(term), round(weights[term], 1)) for term in (anchor, *rest)[:WORDS])
        ids = tuple(said.id for said in group[:EXAMPLES])
        found.append(Candidate(words, len(group), len({said.author for said in group}), ids))
    return tuple(sorted(found, key=lambda it: (-it.people, it.name)))


def _once(texts: Sequence[Said]) -> list[Said]:
    # Copies count once: the first of them.
    return list({said.copies: said for said in reversed(texts)}.values())[::-1]


def _people(texts: Sequence[Said]) -> dict[Term, set[str]]:
    found: defaultdict[Term, set[str]] = defaultdict(set)
    for said in texts:
        for term in said.terms:
            found[term].add(said.author)
    return found
