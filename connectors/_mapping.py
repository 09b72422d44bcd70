"""Columns of a table or keys of an object to a mention: one set of field names for every source whose shape the
operator describes (`map`), and our own wire shapes (`"schema": "mention/1"`) for who can write those.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace
from pydantic import AfterValidator

from connectors._times import in_utc, parse_time
from pipeline.errors import BadItem
from pipeline.mention import Author, Item, Kind, Mention, Metrics, Removal

FIELDS = (
    *("id", "text", "author", "author_name", "handle", "followers", "verified", "created_at", "edited_at", "kind"),
    *("conversation", "parent", "lang", "url", "title", "rating", "likes", "reposts", "replies", "views", "brand"),
)
"""Every field a column can be mapped to."""

MAX_TEXT = 100_000
"""Characters of the longest text taken: more than twice the longest a platform allows (Reddit's 40,000), and small
enough that a mention with its tags stays under Kafka's 1 MB a record."""

MAX_ID = 512
"""Characters of the longest id."""

MAX_PAYLOAD = 65_536
"""Bytes a Rejection keeps; a longer item is cut there and cannot be read again."""

_ESCAPED = re.compile("&(amp|lt|gt|quot|#39);")
_UNESCAPED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "#39": "'"}
_FLOAT = re.compile(r"(\d+)\.0+", re.ASCII)
_WHOLE = re.compile(r"(\d{1,18})(?:\.0+)?", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_CORE = frozenset(["id", "text", "created_at", "kind", "parent", "conversation", "brand", "author", "handle"])
_PLAIN_AUTHOR = frozenset(FIELDS) - {"author_name", "followers", "verified"}
_NOTHING: dict[str, Any] = {}
_COUNTS = ("likes", "reposts", "replies", "views")


def nearest(name: str, names: Iterable[str]) -> str:
    """` (did you mean 'NAME'?)` where a name is near, else nothing."""
    found = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _checked_map(columns: dict[str, str]) -> dict[str, str]:
    for field in columns:
        if field not in FIELDS:
            raise ValueError(f"no field {field!r}{nearest(field, FIELDS)}; the fields are {', '.join(FIELDS)}")
    missing = [field for field in ("id", "text") if columns and field not in columns]
    if missing:
        raise ValueError(f"a map needs id and text: {' and '.join(missing)} missing")
    return columns


def _checked_source(source: str) -> str:
    if not source or ":" in source or any(character.isspace() for character in source):
        raise ValueError("a source is one word without a colon: it becomes the front of every id")
    return source


Thread = Callable[[str, str | None], str]
"""(mention id, parent id or None) -> the id of their conversation; empty where the mention starts one."""

FieldMap = Annotated[dict[str, str], AfterValidator(_checked_map)]
"""A setting that maps our field names to a source's columns or keys; empty: the source uses our names."""

SourceName = Annotated[str, AfterValidator(_checked_source)]
"""A setting that names a source: the front of its ids."""


class Mapper:
    """Reads one source's items as mentions; every method raises BadItem with a reason a person understands.

    source   front of the ids, where an item is not in a wire shape (those carry their own)
    columns  our field -> their key (`user.id` reaches into nested objects); empty: they use our field names
    via      the configured name of the connector
    brand    given to every mention, over what the item says
    when     the time of items that have none, for a source that was mapped without `created_at`; None refuses them
    thread   finds the conversation of items that do not say theirs; without it, it is the parent
    """

    def __init__(
        self,
        source: str,
        columns: Mapping[str, str],
        *,
        via: str,
        brand: str | None = None,
        rating_max: float = 1.0,
        when: datetime | None = None,
        thread: Thread | None = None,
    ) -> None:
        self.source = source
        self.columns = columns
        self.via = via
        self.brand = brand
        self.rating_max = rating_max
        self.when = when if columns and "created_at" not in columns else None
        self._thread = thread
        self._prefix = f"{source}:"

    def item(self, raw: bytes, collected_at: datetime) -> Item:
        """One JSON object: a wire shape or a mapped object."""
        try:
            found = msgspec.json.decode(raw)
            nul = b"\\u0000" in raw and _holds_nul(found)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadItem(f"not JSON: {error}") from error
        except RecursionError as error:
            raise BadItem("JSON nested too deeply") from error
        if nul:
            raise BadItem("holds a NUL character")
        if not isinstance(found, dict):
            raise BadItem("not a JSON object")
        if "schema" in found and not self.columns:
            return self._wire(found, collected_at)
        return self.mention(self._fields(found), collected_at)

    def mention(self, fields: Mapping[str, str], collected_at: datetime) -> Mention:
        """A mention from our field names and their values as text; a missing value is absent or empty."""
        native = _native(fields.get("id", ""))
        text = fields.get("text", "")
        if not native:
            raise BadItem("no id")
        _check_text(text)
        id = self._reference(native)
        parent = self._linked(fields, "parent")
        if parent == id:
            parent = None
        conversation = self._linked(fields, "conversation")
        if conversation is None:
            conversation = self._thread(id, parent) if self._thread else parent or ""
        return Mention(
            id=id,
            source=self.source,
            text=_unescaped(text),
            author=self._author(fields, native),
            created_at=self._time("created_at", fields.get("created_at", "")),
            kind=_kind(fields["kind"]) if fields.get("kind") else Kind.REPLY if parent else Kind.POST,
            parent=parent,
            conversation=conversation,
            brand=self.brand or fields.get("brand") or None,
            via=self.via,
            collected_at=collected_at,
            **(_NOTHING if _CORE.issuperset(fields) else self._more(fields)),
        )

    def _more(self, fields: Mapping[str, str]) -> dict[str, Any]:
        given = {field: value for field, value in fields.items() if value}
        more: dict[str, Any] = {field: given[field] for field in ("lang", "url") if field in given}
        if "title" in given:
            more["title"] = _unescaped(given["title"])
        if "edited_at" in given:
            more["edited_at"] = self._time("edited_at", given["edited_at"])
        if "rating" in given:
            more["rating"] = _rating(given["rating"], self.rating_max)
        counts = {name: _count(name, given[name]) for name in _COUNTS if name in given}
        if counts:
            more["metrics"] = Metrics(**counts)
        return more

    def _fields(self, found: dict[str, Any]) -> dict[str, str]:
        if self.columns:
            values = {field: _reach(found, key) for field, key in self.columns.items()}
        else:
            values = {**_flat(found.get("metrics")), **found, **_author_fields(found.get("author"))}
            values = {field: values[field] for field in FIELDS if field in values}
        return {field: _as_text(field, value) for field, value in values.items() if value is not None}

    def _wire(self, found: dict[str, Any], collected_at: datetime) -> Item:
        try:
            item: Item = msgspec.convert(found, Mention | Removal)
        except msgspec.ValidationError as error:
            raise BadItem(f"not a mention or removal of a known version: {error}") from error
        if isinstance(item, Removal):
            named = [id for id in (item.mention, item.author) if id is not None]
            if len(named) != 1:
                raise BadItem("a removal names exactly one of mention and author")
            _check_ids(item.source, named[0], item.conversation)
            return replace(item, noticed_at=_utc(item.noticed_at), via=self.via)
        _check_ids(item.source, item.id, item.conversation, item.parent or "", item.author.id)
        _check_text(item.text)
        if item.rating is not None and not 0 <= item.rating <= 1:
            raise BadItem("rating is not in 0..1")
        counts = (item.author.followers, *msgspec.structs.astuple(item.metrics))
        if any(count is not None and not 0 <= count < 10**18 for count in counts):
            raise BadItem("a count is negative or has more than 18 digits")
        joined = item.author.created_at
        return replace(
            item,
            author=replace(item.author, created_at=_utc(joined)) if joined else item.author,
            created_at=_utc(item.created_at),
            edited_at=_utc(item.edited_at) if item.edited_at else None,
            brand=self.brand or item.brand,
            via=self.via,
            collected_at=collected_at,
        )

    def _linked(self, fields: Mapping[str, str], field: str) -> str | None:
        native = _native(fields[field]) if field in fields else ""
        return self._reference(native) if native else None

    def _reference(self, native: str) -> str:
        if len(native) > MAX_ID:
            raise BadItem(f"an id has {len(native):,} characters, over the limit of {MAX_ID}")
        return native if native.startswith(self._prefix) else self._prefix + native

    def _time(self, field: str, value: str) -> datetime:
        if not value:
            if self.when is None:
                raise BadItem(f"no {field}")
            return self.when
        try:
            return parse_time(value)
        except ValueError as error:
            raise BadItem(f"{field}: {error}") from error

    def _author(self, fields: Mapping[str, str], native: str) -> Author:
        handle = fields.get("handle", "").strip().removeprefix("@")
        # Two people without a name are not one person: a mention's own id tells them apart.
        id = _native(fields.get("author", "")) or handle or f"anonymous-{native}"
        if len(id) > MAX_ID:
            raise BadItem(f"author has {len(id):,} characters, over the limit of {MAX_ID}")
        if _PLAIN_AUTHOR.issuperset(fields):
            return Author(id=id, handle=handle)
        followers, verified = fields.get("followers"), fields.get("verified")
        return Author(
            id=id,
            handle=handle,
            name=fields.get("author_name", ""),
            followers=_count("followers", followers) if followers else None,
            verified=_boolean("verified", verified) if verified else False,
        )


def _reach(found: dict[str, Any], key: str) -> Any:
    if key in found:
        return found[key]
    value: Any = found
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _flat(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _author_fields(author: Any) -> dict[str, Any]:
    if not isinstance(author, dict):
        return {}
    named = {"author": author.get("id"), "author_name": author.get("name")}
    return named | {key: author[key] for key in ("handle", "followers", "verified") if key in author}


def _as_text(field: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise BadItem(f"{field} is {'a list' if isinstance(value, list) else 'an object'}, not a text or a number")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\x00" in value


def _native(value: str) -> str:
    value = value.strip()
    # A table tool that saw an empty cell in the column writes whole ids as floats: 848.0.
    if value.endswith("0") and (match := _FLOAT.fullmatch(value)):
        return match[1]
    return value


def _unescaped(text: str) -> str:
    # Only what X escapes in its texts; html.unescape would also turn a link's `&copy=1` into a sign.
    return _ESCAPED.sub(lambda match: _UNESCAPED[match[1]], text) if "&" in text else text


def _check_text(text: str) -> None:
    if not text or text.isspace():
        raise BadItem("no text")
    if len(text) > MAX_TEXT:
        raise BadItem(f"text has {len(text):,} characters, over the limit of {MAX_TEXT:,}")


def _check_ids(source: str, id: str, *others: str) -> None:
    if not source or not id.startswith(f"{source}:") or len(id) == len(source) + 1:
        raise BadItem(f"the id {id[:60]!r} is not its source ({source[:60]!r}), a colon and the platform's own id")
    if max(map(len, (id, *others))) > MAX_ID:
        raise BadItem(f"an id is over the limit of {MAX_ID} characters")


def _utc(moment: datetime) -> datetime:
    try:
        return in_utc(moment)
    except ValueError as error:
        raise BadItem(str(error)) from error


def _kind(value: str) -> Kind:
    try:
        return Kind(value.strip().lower())
    except ValueError as error:
        raise BadItem(f"kind {value[:40]!r} is not one of {', '.join(Kind)}") from error


def _count(field: str, value: str) -> int:
    match = _WHOLE.fullmatch(value.strip())
    if match is None:
        raise BadItem(f"{field} {value[:40]!r} is not a whole number")
    return int(match[1])


def _boolean(field: str, value: str) -> bool:
    found = _BOOLEANS.get(value.strip().lower())
    if found is None:
        raise BadItem(f"{field} {value[:40]!r} is neither true nor false")
    return found


def _rating(value: str, best: float) -> float:
    got, slash, of = value.partition("/")
    try:
        rating = float(got) / (float(of) if slash else best)
    except (ValueError, ZeroDivisionError) as error:
        raise BadItem(f"rating {value[:40]!r} is not a number") from error
    if not 0 <= rating <= 1:
        raise BadItem(f"rating {value[:40]!r} is over the best, {best:g} (set rating_max, or write it as 4/5)")
    return rating
