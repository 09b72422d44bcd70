"""A person as something to look for: which words in any bytes would tell of them.

An id, a handle or a word given by hand of five characters or more is found where it stands by itself (`@ana_k`,
`x:ana_k`, but not `joana_k2`), in any case. A shorter one is found only where it is a whole value: a string in quotes,
a cell of a table. A name of two words counts like a handle, one of a single word like a short one. Of a text the first
80 characters are looked for, where it has 16 or more. Escaped forms of JSON are found too. RE2 finds them all in one
pass, in time linear in the bytes, whatever stands there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2  # type: ignore[import-untyped,unused-ignore]  # ships no types

from desk.handles import handle_key
from pipeline.codec import decode
from pipeline.errors import BadRecord
from pipeline.mention import Author, Enriched, Mention, Removal, Routed
from pipeline.store.columns import fit

SHORT = 5
"""A word with fewer characters is looked for as a whole value only."""

TEXT_MIN, TEXT_CHARS = 16, 80
"""A text shorter than the first says nothing about who wrote it; of a longer one so many characters are enough."""

TEXTS = 500
"""So many of their texts, the newest, are looked for."""

STRUCK = b"[erased]"
"""What stands where they were named."""

MEMORY = 256 << 20
"""Bytes RE2 may use for its automaton."""


@dataclass(frozen=True)
class Person:
    """Somebody to look for. `author` is `source:author_id`; `words` are handles and what the operator named."""

    author: str
    words: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The network they speak on."""
        return self.author.partition(":")[0]

    @property
    def id(self) -> str:
        """Their id there."""
        return self.author.partition(":")[2]

    @cached_property
    def accounts(self) -> frozenset[str]:
        """Everything that our tables may name their account by: `source:author_id`, `source:@handle`."""
        return frozenset((fit(self.author), *(handle_key(self.source, word) for word in self.words)))

    def told_by(self, data: bytes) -> bool:
        """Whether the bytes hold an id, a handle, a text or a given word: enough to say that they are about them."""
        return self._strong.search(data) is not None

    def in_bytes(self, data: bytes) -> bool:
        """The same, or their name."""
        return self._any.search(data) is not None

    def in_id(self, id: str) -> bool:
        """Whether the id of a mention on their network tells who wrote it; a short word there could mean anything."""
        pattern = self._in_ids
        return id.startswith(self.source + ":") and pattern is not None and pattern.search(id.encode()) is not None

    @property
    def fragments(self) -> tuple[str, ...]:
        """The words that could stand in such an id."""
        return tuple(word for word in (self.id, *self.words) if len(word) >= SHORT)

    def without(self, text: str) -> str:
        """A text of somebody else's with everything struck out of it that names them."""
        data = text.encode("utf-8", "surrogatepass")
        if not self.in_bytes(data):
            return text
        for word in self.all_words:
            start = 0
            while found := self._strike[word].search(data, start):
                first, last = found.span(1)
                data = data[:first] + STRUCK + data[last:]
                start = first + len(STRUCK)
        return data.decode("utf-8", "surrogatepass")

    def wrote(self, shape: object) -> bool:
        """Whether a record is theirs, or takes back something of theirs."""
        if isinstance(shape, Removal):
            return shape.author == self.author or (shape.mention is not None and self.in_id(shape.mention))
        if isinstance(shape, Enriched | Routed):
            shape = shape.mention
        return isinstance(shape, Mention) and f"{shape.source}:{shape.author.id}" == self.author

    def wrote_bytes(self, data: bytes) -> bool:
        """The same of a record on the wire; one that cannot be read is theirs where it tells of them."""
        if not self.in_bytes(data) and self.id.encode() not in data:
            return False  # most are settled here, without decoding
        try:
            return self.wrote(decode(data))
        except BadRecord:
            return self.told_by(data)

    def residue(self, without: Iterable[str] = ()) -> Any:
        """A pattern for raw bytes of a file, in which nothing says who wrote what: every word of theirs but those
        that are too short to mean them, or that stand in other people's words (`without`)."""
        skipped = set(without)
        words = [it for it in self.all_words if it not in skipped and len(it) >= SHORT and it not in self.names]
        return _compiled([self._pattern_of(it) for it in words]) if words else None

    @cached_property
    def all_words(self) -> tuple[str, ...]:
        """Everything that is looked for."""
        return tuple(dict.fromkeys((self.id, *self.words, *self.names, *self.texts)))

    def words_in(self, data: bytes, without: frozenset[str] = frozenset()) -> set[str]:
        """Which of the words, leaving some out, the bytes hold."""
        left = [word for word in self.all_words if word not in without]
        if without not in self._rest:
            self._rest[without] = _compiled([self._pattern_of(word) for word in left]) if left else None
        rest = self._rest[without]
        if rest is None or rest.search(data) is None:
            return set()
        return {word for word in left if self._one[word].search(data)}

    def _pattern_of(self, word: str, group: bytes = b"(?:") -> bytes:
        return _pattern(word, text=word in self.texts, name=word in self.names, group=group)

    @cached_property
    def _rest(self) -> dict[frozenset[str], Any]:
        return {}

    @cached_property
    def _in_ids(self) -> Any:
        return _compiled([_pattern(word) for word in self.fragments]) if self.fragments else None

    @cached_property
    def _one(self) -> dict[str, Any]:
        return {word: _compiled([self._pattern_of(word)]) for word in self.all_words}

    @cached_property
    def _strike(self) -> dict[str, Any]:
        return {word: _compiled([self._pattern_of(word, b"(")]) for word in self.all_words}

    @cached_property
    def _strong(self) -> Any:
        return _compiled(
            [_pattern(it) for it in (self.id, *self.words)] + [_pattern(it, text=True) for it in self.texts]
        )

    @cached_property
    def _any(self) -> Any:
        return _compiled([self._pattern_of(it) for it in self.all_words])


def person(author: str, authors: Iterable[Author], texts: Iterable[str], also: Iterable[str] = ()) -> Person:
    """A person from what they said (texts oldest first) and as whom; `also` are words the operator adds."""
    words: dict[str, None] = dict.fromkeys(word.strip() for word in also)
    names: dict[str, None] = {}
    for one in authors:
        words[one.handle.removeprefix("@")] = None
        names[one.name.strip()] = None
    own = author.partition(":")[2]
    for given in (words, names):
        given.pop("", None)
        given.pop(own, None)
    long = [text.strip()[:TEXT_CHARS] for text in texts if len(text.strip()) >= TEXT_MIN]
    newest = tuple(dict.fromkeys(reversed(long)))[:TEXTS]
    return Person(author, tuple(words), tuple(name for name in names if name not in words), newest)


def _pattern(word: str, *, text: bool = False, name: bool = False, group: bytes = b"(?:") -> bytes:
    plain = word.encode("utf-8", "surrogatepass")
    escaped = json.dumps(word, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
    ascii_only = json.dumps(word)[1:-1].encode()
    forms = group + b"|".join(re2.escape(form) for form in dict.fromkeys((plain, escaped, ascii_only))) + b")"
    if text:
        return forms
    if len(word) < SHORT or (name and " " not in word):
        return b"(?:^|[\"',;\\t\\n])" + forms + b"(?:[\"',;\\t\\r\\n]|$)"
    return b"(?:^|[^0-9A-Za-z_])" + forms + b"(?:[^0-9A-Za-z_]|$)"


def _compiled(patterns: list[bytes]) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1  # bytes, whatever they mean
    options.max_mem = MEMORY
    return re2.compile(b"|".join(patterns), options)
