"""Shapes to bytes and back: JSON, because others read our topics too; the schema version is the tag, so that the
current version decodes in one pass and only an older one takes the slow path through `UPGRADES`.

To change a shape incompatibly: raise the number in its tag, and add to `UPGRADES` a function that turns the old
object (plain dicts, lists, strings) into the next version's. Adding a field with a default needs neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

from pipeline.errors import BadRecord
from pipeline.mention import Travelling

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

UPGRADES: dict[str, Upgrade] = {}
"""Old tag -> function returning the object under its next tag. Chained until the tag is current."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Travelling] = msgspec.json.Decoder(Travelling)

encode = _encoder.encode
"""A shape to its bytes on the wire."""


def decode(data: bytes) -> Travelling:
    """Bytes from a topic to a shape of the current version; raises BadRecord with the place of the fault."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _upgraded(data, error)


def _upgraded(data: bytes, fault: Exception) -> Travelling:
    try:
        obj = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRecord(f"not JSON: {error}") from error
    tag = obj.get("schema") if isinstance(obj, dict) else None
    if tag not in UPGRADES:
        raise BadRecord(f"not a record this version reads: {fault}")
    try:
        while (tag := obj["schema"]) in UPGRADES:
            obj = UPGRADES[tag](obj)
        return cast(Travelling, msgspec.convert(obj, Travelling))
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise BadRecord(f"cannot upgrade {tag}: {error}") from error
