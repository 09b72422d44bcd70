"""What is read of Reddit: listings, newest first, and how far one has to be read back.

From www.reddit.com/dev/api (listings): 100 things a page, `after` goes on behind a thing, and no listing shows more
than its newest 1,000. So what came since the last look is read back to the first thing known; a listing that has turned
over, in which none is left, has lost what lay between. praw's own streams ask for what stands `before` the last thing
seen instead, which is nothing for ever once that one thing was deleted.

Search (`/search`, `q` of at most 512 characters) finds submissions, not comments, and shows some 250 of them at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.errors import SourceRefused
from pipeline.ports import Brand, Query

PAGE = 100
DEEPEST = 1_000
"""Things of a listing that Reddit shows."""
_QUERY_CHARS = 512
_NEARLY = 0.9
"""Deleted things leave holes in pages: a listing that ended after so much of what it may show has ended there."""
_SEARCH_SHOWS = 250


@dataclass(frozen=True)
class Listing:
    """A listing by its path and parameters; `shows` is how many things it holds at most."""

    name: str
    path: str
    params: dict[str, str | int] = field(default_factory=dict)
    shows: int = DEEPEST

    @property
    def key(self) -> str:
        """Short and the same as long as the same is asked."""
        asked = repr((self.path, sorted(self.params.items())))
        return hashlib.blake2b(asked.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()

    def whole(self, things: int) -> bool:
        """Whether so many things are all that Reddit shows, and not all there are."""
        return things >= _NEARLY * self.shows


def listings(subreddits: Sequence[str], queries: Sequence[Query], inbox: bool) -> list[Listing]:
    """New comments and submissions of all the subreddits at once, one search for each query, and the account's
    inbox."""
    found = []
    if subreddits:
        joined = "+".join(subreddits)
        found.append(Listing(f"comments of r/{joined}", f"r/{joined}/comments"))
        found.append(Listing(f"submissions of r/{joined}", f"r/{joined}/new"))
    for query in queries:
        params: dict[str, str | int] = {"q": query.text, "sort": "new", "t": "all", "type": "link"}
        found.append(Listing(f"the search for {query.text}", "search", params, _SEARCH_SHOWS))
    if inbox:
        found.append(Listing("the account's inbox", "message/inbox", {"mark": "false"}))
    return found


def searches(brands: Sequence[Brand]) -> list[Query]:
    """The brands' terms and handles as searches over all of Reddit, as few as 512 characters allow. Raises
    SourceRefused where a term is too long.

    Excluded phrases are left to the brand stage: `NOT "apple pie"` would lose a submission that names the brand as
    well. Languages are as well: Reddit knows none.
    """
    found = []
    for brand in brands:
        terms = list(dict.fromkeys(_quoted(term) for term in brand.terms if term.strip()))
        names = (*brand.handles, *brand.own_accounts.get("reddit", ()))
        handles = list(dict.fromkeys(_quoted(name.lstrip("@")) for name in names if name.strip("@ ")))
        left = [what for what, given in (("exclusions", brand.exclude), ("languages", brand.languages)) if given]
        note = f"finds submissions, no comments{'; left to the brand stage: ' if left else ''}{', '.join(left)}"
        beside = f" AND ({' OR '.join(map(_quoted, brand.context))})" if brand.context else ""
        texts = _joined(terms, beside) + _joined(handles, "") if beside else _joined([*terms, *handles], "")
        found += [Query(text, brand.name, "all of Reddit", note) for text in texts]
    return found


def _quoted(term: str) -> str:
    # Quoted, so that no word of a term is read as an operator; quotes cannot be escaped.
    return f'"{" ".join(term.replace(chr(34), " ").split())}"'


def _joined(clauses: Sequence[str], suffix: str) -> list[str]:
    values: list[str] = []
    for clause in clauses:
        longer = f"{values[-1]} OR {clause}" if values else ""
        if longer and len(f"({longer}){suffix}") <= _QUERY_CHARS:
            values[-1] = longer
        else:
            values.append(clause)
    queries = [f"({value}){suffix}" for value in values]
    for query in queries:
        if len(query) > _QUERY_CHARS:
            raise SourceRefused(f"Reddit searches for {_QUERY_CHARS} characters, this is longer: {query[:80]}…")
    return queries
