"""Which groups of a vocabulary stand near each other among the phrases that were found, where that says something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from enrich._cues import Cues, Found, Together, Vocabulary


class Met(NamedTuple):
    """What was found together, by its name, with the phrases."""

    name: str
    together: Together
    hits: tuple[Found, ...]


class Meetings:
    """Finds what the groups of one vocabulary say together."""

    def __init__(self, nlp: Any, vocabulary: Vocabulary) -> None:
        self._late = Cues(nlp, {"": vocabulary.late()})
        self._by_first: dict[str, list[tuple[str, Together]]] = {}
        for name, together in vocabulary.together.items():
            for group in dict.fromkeys(together.of[0]):
                self._by_first.setdefault(group, []).append((name, together))
        self._first = frozenset(self._by_first)

    def find(self, doc: Any, hits: Sequence[Found]) -> Sequence[Met]:
        """Each at most once, by the order in which the first of its phrases stand in `hits`, which are all that were
        found of the vocabulary's early groups; the late ones are looked for here."""
        if not hits or self._first.isdisjoint([hit.cue.group for hit in hits]):
            return ()
        groups: dict[str, list[Found]] = {}
        for hit in chain(hits, self._late.find(doc)):
            groups.setdefault(hit.cue.group, []).append(hit)
        met: dict[str, Met] = {}
        for group, ones in groups.items():
            for name, together in self._by_first.get(group, ()):
                if name in met or (together.unless and any(other in groups for other in together.unless)):
                    continue
                found = _met(ones, together, groups)
                if found:
                    met[name] = Met(name, together, found)
        return tuple(met.values())


def _met(ones: Sequence[Found], together: Together, groups: Mapping[str, Sequence[Found]]) -> tuple[Found, ...]:
    others = [[it for name in names if name in groups for it in groups[name]] for names in together.of[1:]]
    if not all(others):
        return ()
    for one in ones:
        found = [one]
        for several in others:
            near = next((it for it in several if _near(one, it, together.within) and _apart(it, found)), None)
            if near is None:
                break
            found.append(near)
        else:
            return tuple(found)
    return ()


def _near(one: Found, other: Found, within: int) -> bool:
    return max(other.start - one.end, one.start - other.end) <= within


def _apart(one: Found, others: Sequence[Found]) -> bool:
    return all(one.end <= other.start or other.end <= one.start for other in others)
