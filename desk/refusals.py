"""Why the desk does not do what it was asked: what the caller did wrong, or who was there first.

Refusal
├── Conflict     somebody else holds it, or its state does not allow it: 409
├── NoSuchCase   404
│   └── NoSuchDraft
└── Unfit        one of the values given cannot be used: 422
"""

from __future__ import annotations

from datetime import datetime

from pipeline.errors import HarkenError


class Refusal(HarkenError):
    """Nothing was changed; the text says why, for the person who asked."""


class Conflict(Refusal):
    """Who holds the case (None where nobody does, and its state or a lost lease is the reason), and until when."""

    def __init__(self, message: str, *, holder: str | None = None, until: datetime | None = None) -> None:
        super().__init__(message)
        self.holder = holder
        self.until = until


class NoSuchCase(Refusal):
    """No case has this id."""


class NoSuchDraft(NoSuchCase):
    """No draft has this id."""


class Unfit(Refusal):
    """The value of `field` cannot be used."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
