"""A model on disk: `model.json` says what it is, `weights.safetensors` holds its numbers. Reading runs nothing.

Whatever is read is checked before it is used: sizes, names, types, shapes, finite numbers, and a digest over both
files. The same model is written as the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as tensors

from pipeline.errors import ConfigError, Problem

DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"
FORMAT = 1

_MOST_JSON = 1_000_000
_MOST_WEIGHTS = 64_000_000
"""Bytes; a file that is larger is none of ours."""

_AGAIN = "train it again with harken train, or take the model that ships (leave `model` out)"


class PartNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a part is for, and how its scores become probabilities and decisions."""

    name: str
    languages: tuple[str, ...]
    english: bool
    signals: tuple[str, ...]
    bias: tuple[float, ...]
    slope: tuple[float, ...]
    offset: tuple[float, ...]
    thresholds: tuple[float, ...]


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a model is. `made` says from what and how it was trained, in words and numbers; `base` is the digest of
    the model on whose scores it builds, which is in the folder `base`."""

    format: int
    kind: Literal["sentiment", "intent"]
    labels: tuple[str, ...]
    rows: int
    grams: tuple[int, int]
    parts: tuple[PartNote, ...]
    made: dict[str, str | int | float | dict[str, int | float]] = {}
    base: str = ""
    digest: str = ""


def packed(note: Note, arrays: Mapping[str, NDArray[Any]]) -> tuple[Note, bytes]:
    """The description with its digest, and the bytes of the weights."""
    data = tensors.save(dict(sorted((name, np.ascontiguousarray(array)) for name, array in arrays.items())))
    return msgspec.structs.replace(note, digest=digest(note, data)), data


def write(directory: Path, note: Note, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write both files; the directory is made. ConfigError where it cannot be."""
    note, data = packed(note, arrays)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / WEIGHTS).write_bytes(data)
        (directory / DESCRIPTION).write_bytes(msgspec.json.format(msgspec.json.encode(note), indent=1) + b"\n")
    except OSError as error:
        raise wrong(directory, f"cannot be written: {error.strerror}", "give a folder that may be written to") from None


def read(directory: Path) -> tuple[Note, dict[str, NDArray[Any]]]:
    """Both files, checked; ConfigError with the place and the remedy."""
    raw = _bytes(directory / DESCRIPTION, _MOST_JSON)
    try:
        note = msgspec.json.decode(raw, type=Note)
    except msgspec.MsgspecError as error:
        raise wrong(directory / DESCRIPTION, f"is no description of a model: {error}", _AGAIN) from None
    if note.format != FORMAT:
        raise wrong(directory / DESCRIPTION, f"has the format {note.format}, this version reads {FORMAT}", _AGAIN)
    data = _bytes(directory / WEIGHTS, _MOST_WEIGHTS)
    if digest(note, data) != note.digest:
        raise wrong(directory, "is not as it was written: its digest differs", "copy both of its files again")
    try:
        arrays = tensors.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise wrong(directory / WEIGHTS, f"cannot be read: {error}", "copy it again") from None
    return note, arrays


def digest(note: Note, data: bytes) -> str:
    """A digest over the weights and all that the description says but itself."""
    said = msgspec.json.encode(msgspec.structs.replace(note, digest=""))
    return blake2b(said + b"\0" + data, digest_size=16).hexdigest()


def array(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...], directory: Path
) -> NDArray[np.float64]:
    """One array of this name and shape, of finite numbers."""
    found = arrays.get(name)
    if found is None or found.shape != shape or found.dtype.kind != "f" or not np.isfinite(found).all():
        raise wrong(directory / WEIGHTS, f"has no array {name} of {shape} finite numbers", _AGAIN)
    return found


def wrong(place: Path, message: str, remedy: str = _AGAIN) -> ConfigError:
    """The error for a model that cannot be used."""
    return ConfigError([Problem(str(place), message, remedy)])


def _bytes(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise wrong(path, f"is larger than {most:,} bytes, so it is no model of ours")
        return path.read_bytes()
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}", "give the folder of a model") from None
