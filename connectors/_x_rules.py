"""Brands as rules of the filtered stream, and what to change so that X holds exactly ours.

Limits and operators: docs.x.com/x-api/posts/filtered-stream (1,000 rules of 1,024 characters, OR within parentheses).
A rule is ours by its tag, `harken:<brand>:<n>`; rules without our prefix are never touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.errors import SourceRefused
from pipeline.ports import Brand

PREFIX = "harken:"
MAX_CHARS = 1_024
MAX_RULES = 1_000
_OPERATOR = re.compile(r"[#$]\w+")
_HANDLE = re.compile(r"\w{1,15}", re.ASCII)


@dataclass(frozen=True)
class Rule:
    """A rule and its tag; `id` is X's, empty before X has it."""

    value: str
    tag: str
    id: str = ""


def rules_for(
    brands: Sequence[Brand],
    extra: Sequence[str],
    *,
    langs: Sequence[str],
    reposts: bool,
    narrow: str,
    most: int = MAX_CHARS,
) -> list[Rule]:
    """The rules for these brands, as few as `most` characters for each allow, and the extra ones as they stand. Raises
    SourceRefused where a rule cannot be made short enough or there are too many.

    A brand's excluded phrases are left to enrichment: `-"apple pie"` would drop a post that names the brand as well.
    Its context words narrow its terms, not its handles; its languages count where `langs` names none, and a post in a
    language that X cannot tell is taken.
    """
    rules = []
    for brand in brands:
        suffix = "" if reposts else " -is:retweet"
        spoken = langs or ((*brand.languages, "und") if brand.languages else ())
        if spoken:
            suffix += " (" + " OR ".join(f"lang:{lang}" for lang in spoken) + ")"
        suffix += f" {narrow}" if narrow else ""
        values = _values(brand, suffix, most)
        rules += [Rule(value, f"{PREFIX}{brand.name}:{number}") for number, value in enumerate(values, 1)]
    rules += [Rule(value, f"{PREFIX}extra:{number}") for number, value in enumerate(extra, 1)]
    for rule in rules:
        if len(rule.value) > MAX_CHARS:
            raise SourceRefused(f"X takes rules of {MAX_CHARS} characters, this one is longer: {rule.value[:80]}…")
    if len(rules) > MAX_RULES:
        raise SourceRefused(f"X takes {MAX_RULES} rules, the brands need {len(rules)}: shorten their terms")
    return list({rule.value: rule for rule in rules}.values())


def difference(wanted: Iterable[Rule], present: Sequence[Rule]) -> tuple[list[Rule], list[Rule]]:
    """What to add and which of ours to delete. A rule that somebody else already has is not added: X refuses to hold
    a rule twice and sends what matches it anyway."""
    target = {(rule.value, rule.tag) for rule in wanted}
    stale = [rule for rule in present if rule.tag.startswith(PREFIX) and (rule.value, rule.tag) not in target]
    kept = {rule.value for rule in present if rule not in stale}
    return [rule for rule in wanted if rule.value not in kept], stale


def _values(brand: Brand, suffix: str, most: int) -> list[str]:
    terms = list(dict.fromkeys(_quoted(term) for term in brand.terms if term.strip()))
    accounts: dict[str, None] = {}
    for name in (*brand.handles, *brand.own_accounts.get("x", ())):
        account = name.lstrip("@")
        if account.isdecimal():
            accounts[f"to:{account}"] = None
        elif _HANDLE.fullmatch(account):
            accounts[f"@{account}"] = None
    if not brand.context:
        return _joined([*terms, *accounts], suffix, most)
    beside = " (" + " OR ".join(map(_quoted, brand.context)) + ")"
    return _joined(terms, beside + suffix, most) + _joined(list(accounts), suffix, most)


def _quoted(term: str) -> str:
    # Always quoted, so that no word of a term is read as an operator; quotes cannot be escaped.
    term = " ".join(term.replace('"', " ").split())
    return term if _OPERATOR.fullmatch(term) else f'"{term}"'


def _joined(clauses: Sequence[str], suffix: str, most: int) -> list[str]:
    values: list[str] = []
    for clause in clauses:
        longer = f"{values[-1]} OR {clause}" if values else ""
        if longer and len(f"({longer}){suffix}") <= most:
            values[-1] = longer
        else:
            values.append(clause)
    return [f"({value}){suffix}" for value in values]
