"""Texts as words and phrases that may be shown to others: no handles, links, addresses or numbers among them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from pipeline.mention import Enriched

LONGEST = 3
"""Words in the longest phrase."""

_OUT = re.compile(
    r"https?://\S+|www\.\S+"  # links
    r"|\S+@\S+\.\w+"  # addresses
    r"|[@\uff20][\w.\-]+"  # handles
    r"|&\w+;"  # HTML's names for characters
    r"|(?:^|(?<=\s))(?:rt|via)(?=\s)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019\-][^\W\d_]+)*")
_BREAK = re.compile(r"[.!?,;:()\"\u201c\u201d\u2026|\n\r]+|\s[-\u2013\u2014]\s|\d[\d.,:]*")
"""A phrase does not go on across these."""

_DULL = """
    a about after again all also am an and any are as at back be because been before being but by can can't cannot
    could day did didn't do does doesn't doing don't even every for from get gets getting go going gone got had has
    have haven't having he her here hers him his how i i'd i'll i'm i've if im in into is isn't it it's its ive just
    know like ll lol made make makes me more most much my need no nor not now of off ok okay on one only or other our
    out over own people please pls really s said same say says see she should so some still such t than thank thanks
    that that's the their them then there there's these they thing things think this those time to today too try trying
    u up us use used ve very want was wasn't way we well went were what what's when where which while who why will
    with without won't work would yes yet you you're your yours dont cant doesnt didnt isnt wont thats whats hi hey
    hello guys anyone someone something anything everything nothing first last new day days week year lot bit
"""
DULL = frozenset(_DULL.split())
"""Words that say nothing by themselves; a phrase neither begins nor ends with one."""


class Words:
    """Cuts texts into terms, leaving out a brand's own words: everybody who speaks of it says them."""

    def __init__(self, ours: Collection[str] = ()) -> None:
        self._ours = frozenset(word for term in ours for word in _WORD.findall(term.lower()))

    def runs(self, text: str) -> Iterator[list[str]]:
        """The words of each stretch of a text that no break cuts, in lower case."""
        for stretch in _BREAK.split(_OUT.sub(" \n ", text)):
            if words := [word.replace("\u2019", "'") for word in _WORD.findall(stretch.lower())]:
                yield words

    def terms(self, text: str) -> set[tuple[str, ...]]:
        """Every word and phrase of up to three words that says something, once."""
        found: set[tuple[str, ...]] = set()
        for words in self.runs(text):
            edges = [word not in DULL and word.removesuffix("'s") not in self._ours for word in words]
            for start, begins in enumerate(edges):
                if begins:
                    for end in range(start + 1, min(start + LONGEST, len(words)) + 1):
                        if edges[end - 1] and (end > start + 1 or len(words[start]) > 2):
                            found.add(tuple(words[start:end]))
        return found

    def frequent(self, group: Iterable[Enriched], most: int) -> set[str]:
        """The words that most of the authors of these use."""
        seen = {(it.mention.author.id, term) for it in group for term in self.terms(it.mention.text) if len(term) == 1}
        counts = Counter(term[0] for _, term in seen)
        return {word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]}
