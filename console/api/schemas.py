"""The shapes that requests share: an unknown field is refused, and everything has a bound."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

V1 = "/api/v1"
"""Where this version of the API is."""

MOST = 500
"""Items of a list at once."""


class Asked(BaseModel):
    """A body, or the parameters after `?`, as `Annotated[Filter, Query()]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(Asked):
    """Which part of a list: at most `limit` items, after the one whose `next` came with the page before."""

    limit: Annotated[int, Field(ge=1, le=MOST)] = 100
    after: Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00-\x1f]*$")] | None = None


Id = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
"""An id in the path."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
"""A name, a reason: one line."""

Secret = Annotated[SecretStr, Field(max_length=1000)]
"""Hides itself in a repr; no error shows it."""
