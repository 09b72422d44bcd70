"""Tests of rules as plain data: what comes in and where it must go, in a file that a care manager can read and write.

    - name: A lost parcel goes to service
      mention: {text: "my parcel never came", author: {followers: 20}}
      tags: {brand: acme, intents: {complaint: 0.8}, sentiment: negative}
      expect: {queue: service, priority: high, first_response_due: 1h}

`mention` and `tags` have the fields of the shapes; what is left out is harmless (English, written at `WRITTEN`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import msgspec.inspect as shapes

from pipeline.errors import ConfigError, Problem
from pipeline.mention import Decision, Mention, Tags
from routing import durations
from routing.documents import nearest, parsed, read
from routing.fields import SIGNALS
from routing.router import Router
from routing.rules import Rules

WRITTEN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""When a mention was written whose example does not say: a Monday morning."""

_T = TypeVar("_T", Mention, Tags)
_KEYS = ("name", "mention", "tags", "now", "expect")
_EXPECT = ("queue", "filtered", "priority", "rule", "first_response_due", "resolution_due")
_MOODS = {"positive": 0.5, "neutral": 0.0, "negative": -0.5}


@dataclass(frozen=True)
class CaseResult:
    """How one example went: `failures` says, a line each, what was expected and what came instead; `why` is the rule
    that fired with its evidence."""

    name: str
    failures: tuple[str, ...]
    decision: Decision

    @property
    def passed(self) -> bool:
        """Whether everything expected came."""
        return not self.failures

    @property
    def why(self) -> str:
        """What decided, in one line."""
        return f"rule {self.decision.rule}: {', '.join(self.decision.evidence)}"


@dataclass(frozen=True)
class _Case:
    name: str
    mention: Mention
    tags: Tags
    now: datetime
    expect: dict[str, Any]


def run_cases(rules: Rules, path: Path) -> list[CaseResult]:
    """Run the examples in `path` against `rules`, in order. Raises ConfigError with every fault in the file; a failed
    example is a result."""
    return _run_all(rules, _cases(read(path), path.name))


def run_text(rules: Rules, text: str, where: str = "examples") -> list[CaseResult]:
    """The same for the examples in a text; one that says nothing holds none."""
    document = parsed(text, where)
    return [] if document is None else _run_all(rules, _cases(document, where))


def _run_all(rules: Rules, cases: list[_Case]) -> list[CaseResult]:
    router = Router(rules)
    return [_run(router, case) for case in cases]


def _run(router: Router, case: _Case) -> CaseResult:
    decision = router.route(case.mention, case.tags, case.now)
    failures = []
    for key, wanted in case.expect.items():
        got = getattr(decision, key)
        if wanted != got:
            written = case.mention.created_at
            failures.append(f"{key}: expected {_shown(wanted, written)}, got {_shown(got, written)}")
    return CaseResult(case.name, tuple(failures), decision)


def _shown(value: Any, written: datetime) -> str:
    if isinstance(value, datetime):
        return f"{durations.text(value - written)} after it was written"
    return "none" if value is None else str(value)


# ------------------------------------------------------------------------ reading the file


def _cases(document: Any, file: str) -> list[_Case]:
    if not isinstance(document, list) or not document:
        raise ConfigError([Problem(file, "holds no examples", "a list of name, mention, tags and expect")])
    problems: list[Problem] = []
    cases = []
    names: set[str] = set()
    for number, one in enumerate(document):
        where = f"{file}: [{number}]"
        if not isinstance(one, dict):
            problems.append(Problem(where, "is not an example", "it has name:, mention:, tags: and expect:"))
            continue
        name = one.get("name")
        if not isinstance(name, str) or not name.strip():
            problems.append(Problem(f"{where}.name", "is missing", "a sentence saying what must happen"))
            name = ""
        elif name in names:
            problems.append(Problem(f"{where}.name", "is the name of another example too", "reword one of them"))
        names.add(name)
        cases.append(_case(number, name, one, where, problems))
    if problems:
        raise ConfigError(problems)
    return [case for case in cases if case is not None]


def _case(number: int, name: str, one: dict[str, Any], where: str, problems: list[Problem]) -> _Case | None:
    before = len(problems)
    _known(one, _KEYS, where, problems)
    mention = _shape(Mention, _mention(one.get("mention"), number), f"{where}.mention", problems)
    tags = _shape(Tags, _tags(one.get("tags")), f"{where}.tags", problems)
    now = _time(one["now"], f"{where}.now", problems) if "now" in one else None
    expect = one.get("expect")
    if not isinstance(expect, dict) or not expect:
        problems.append(Problem(f"{where}.expect", "expects nothing", f"one or more of {', '.join(_EXPECT)}"))
    else:
        _known(expect, _EXPECT, f"{where}.expect", problems)
    if len(problems) > before or mention is None or tags is None or not isinstance(expect, dict):
        return None
    wanted = {
        key: _due(value, mention, f"{where}.expect.{key}", problems) if key.endswith("_due") else value
        for key, value in expect.items()
    }
    return _Case(name, mention, tags, now or mention.created_at, wanted)


def _known(written: dict[Any, Any], known: tuple[str, ...], where: str, problems: list[Problem]) -> None:
    problems += [
        Problem(f"{where}.{key}", "is not known here", nearest(key, known)) for key in written if key not in known
    ]


def _mention(written: Any, number: int) -> Any:
    if not isinstance(written, dict | None):
        return written
    author = (written or {}).get("author", {})
    author = {"id": author} if isinstance(author, str) else author
    return {
        "id": f"case:{number}",
        "source": "case",
        "text": "",
        "created_at": WRITTEN.isoformat(),
        **(written or {}),
        "author": {"id": "somebody", **author} if isinstance(author, dict) else author,
    }


def _tags(written: Any) -> Any:
    """Tags with the short forms written out: a bare score, language or sentiment, and intents as name: score."""
    if not isinstance(written, dict | None):
        return written
    tags = {"language": "en", **(written or {})}
    whole: dict[str, Callable[[Any], Any]] = {
        "language": lambda code: {"code": code, "confidence": 1.0, "by": "detector"},
        "sentiment": lambda label: {"label": label, "score": _MOODS.get(label, 0.0)},
        **dict.fromkeys(SIGNALS, lambda score: {"score": score}),
        "target": lambda of: {"of": of, "score": 1.0},
    }
    for key, expand in whole.items():
        if isinstance(tags.get(key), str | int | float):
            tags[key] = expand(tags[key])
    if isinstance(tags.get("intents"), dict):
        tags["intents"] = [{"name": name, "score": score} for name, score in tags["intents"].items()]
    return tags


def _shape(shape: type[_T], written: Any, where: str, problems: list[Problem]) -> _T | None:
    before = len(problems)
    _unknown(shapes.type_info(shape), written, where, problems)
    if len(problems) > before:
        return None
    try:
        return msgspec.convert(written, shape)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        problems.append(Problem(where + place.rstrip("`"), message, "see docs/routing.md for what may stand here"))
        return None


def _unknown(kind: shapes.Type, written: Any, where: str, problems: list[Problem]) -> None:
    """Report every key that the shape and the shapes inside it do not have."""
    if isinstance(kind, shapes.UnionType):
        kind = kind.types[0]
    if isinstance(kind, shapes.StructType) and isinstance(written, dict):
        parts = {part.name: part.type for part in kind.fields}
        _known(written, tuple(parts), where, problems)
        for key in written.keys() & parts:
            _unknown(parts[key], written[key], f"{where}.{key}", problems)


def _time(written: Any, where: str, problems: list[Problem]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is not None:
            return moment
    except (TypeError, ValueError):
        pass
    problems.append(Problem(where, f"{written!r} is not a time with its zone", "such as 2026-01-31T18:00:00Z"))
    return None


def _due(written: Any, mention: Mention, where: str, problems: list[Problem]) -> datetime | None:
    """A due time as expected: none, so long after the mention (`4h`), or at a time."""
    if written is None:
        return None
    try:
        return durations.due(mention.created_at, durations.parse(written))
    except ValueError:
        return _time(written, where, problems)
