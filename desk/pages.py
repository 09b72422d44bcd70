"""Pages of a list that goes on: how long one may be, and the word that says where the next begins."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, and_, or_

from desk.refusals import Unfit
from pipeline.store.columns import utc

MOST = 500
"""The most a page holds, whatever was asked for."""

NEWEST: Any = tuple[datetime, str]
"""Where a page of a list by time stands: a time and an id."""


def bounded(limit: int) -> int:
    """How many a page holds where so many were asked for."""
    return max(1, min(limit, MOST))


def word(place: tuple[Any, ...]) -> str:
    """The place of a page's last item, to be given back as it is."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place(word: str, shape: Any, of: str) -> tuple[Any, ...]:
    """The place that a word from outside names, of this shape; raises Unfit, which says what it is no `next` of."""
    try:
        found = msgspec.json.decode(urlsafe_b64decode(word + "=" * (-len(word) % 4)), type=shape)
    except (ValueError, msgspec.MsgspecError):
        raise Unfit("after", f"is not the `next` of {of}") from None
    return tuple(utc(it) if isinstance(it, datetime) else it for it in found)


def older(at: Column[Any], id: Column[Any], place: tuple[Any, ...]) -> ColumnElement[bool]:
    """Whether a row comes after this place in a list by these two, the newest first."""
    then, last = place
    return or_(at < then, and_(at == then, id < last))
