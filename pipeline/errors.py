"""Every error harken raises on purpose, grouped by what the caller does about it.

HarkenError
├── Unavailable            retry after a delay; nothing is lost, nothing is wrong with the data
│   ├── BusUnavailable         the broker (or the bus file) does not answer
│   ├── StoreUnavailable       the database does not answer, is locked or its disk is full
│   ├── SourceUnavailable      a platform disconnected, refused or throttled us
│   └── SinkUnavailable        a destination is down
├── Rejected               dead-letter this one item and go on
│   ├── BadItem                a source's item that cannot be read as a mention
│   └── BadRecord              bytes on a topic that cannot be decoded or upgraded
├── ReplyRefused           the platform refused this answer for good: show its words to whoever wrote it
├── Fenced                 this member no longer owns the partitions: drop the batch, poll again
└── Stop                   stop and tell the operator
    ├── ConfigError            the configuration is wrong; carries every problem at once
    ├── SourceRefused          credentials or rules a platform will never accept
    ├── BrokenStage            a stage fails on every mention, or its output is not what it declared
    └── DeadLetterLimit        too large a share of recent records was dead-lettered
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Trouble = Literal["network", "http", "rate_limited", "silent"]
"""How a source failed; each connector states a backoff for each."""


class HarkenError(Exception):
    """The root; its text is one sentence for a person, without secrets or whole payloads."""


class Unavailable(HarkenError):
    """Try again after a delay; the same call may succeed."""


class BusUnavailable(Unavailable):
    """The broker (or the bus file) does not answer."""


class StoreUnavailable(Unavailable):
    """The database does not answer, is locked, or its disk is full."""


class SourceUnavailable(Unavailable):
    """A platform disconnected, refused or throttled us.

    `trouble` picks the connector's documented backoff; `retry_after` (seconds), when the platform
    named a delay, overrides it.
    """

    def __init__(self, message: str, *, trouble: Trouble = "network", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.retry_after = retry_after


class SinkUnavailable(Unavailable):
    """A destination is down; `retry_after` is in seconds when it named a delay."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Rejected(HarkenError):
    """Dead-letter this one item with this reason and go on."""


class BadItem(Rejected):
    """A source's item that cannot be read as a mention."""


class BadRecord(Rejected):
    """Bytes on a topic that cannot be decoded or upgraded."""


class ReplyRefused(HarkenError):
    """The platform refused this answer, or our account's right to give it: sending the same again cannot help.

    `reason` is for whoever wrote the answer: in one sentence, with the platform's own words where it gave any.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Fenced(HarkenError):
    """This member lost its partitions; whoever owns them now redoes the batch."""


class Stop(HarkenError):
    """Stop the process and tell the operator; retrying cannot help."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the configuration: where, what, and what to do about it."""

    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")


class ConfigError(Stop):
    """The configuration is wrong; `problems` lists everything that is, not just the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class SourceRefused(Stop):
    """A platform will not accept these credentials or this request, however often it is sent."""


class BrokenStage(Stop):
    """A stage fails on every mention of a batch, or does not provide what it declared."""


class DeadLetterLimit(Stop):
    """Too large a share of the recent records was dead-lettered: likelier a bad deploy than bad data."""
