"""Personal data in a text: e-mail addresses, telephone numbers, payment cards, IBANs and dates of birth.

Only what can be checked is told: a card by its check digit, an IBAN by its country's length and its check digits, a
telephone number by its country's numbering plan, a date only beside words that make it a birthday. Links and handles
are never read as addresses or numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from phonenumbers import Leniency, PhoneNumberMatcher, PhoneNumberType, number_type

Kind = Literal["iban", "card", "email", "birth_date", "phone"]


class Found(NamedTuple):
    """One piece of personal data: its kind and its span in characters, end exclusive."""

    kind: Kind
    start: int
    end: int


_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w@.+-])[A-Z0-9][A-Z0-9._%+-]{0,63}@(?:[A-Z0-9-]{1,63}\.){1,8}[A-Z]{2,24}\b", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w+])(?<!\d[ -])[3-6]\d{3}(?:[ -]?\d){8,15}(?![ -]?\w*\d)")
_IBAN = re.compile(r"(?<!\w)([A-Z]{2})\d{2}(?: ?[A-Z0-9]){11,30}")
_MONTH_DAY = r"\d{1,2}(?:st|nd|rd|th)? \w{3,9},? \d{4}|\w{3,9} \d{1,2},? \d{4}"
_DAY = rf"(?:\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}|\d{{4}}-\d{{2}}-\d{{2}}|{_MONTH_DAY})"
_BIRTH = re.compile(
    rf"\b(?:born|birthday|birth date|date of birth|d\.?o\.?b\.?)\b\W{{0,3}}(?:is |was |on |as )?({_DAY})", re.I
)

# Lengths of an IBAN by country: SWIFT, IBAN Registry (ISO 13616).
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        32: "LC",
    }.items()
    for country in countries.split()
}

_PUBLIC = {
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.UAN,
    PhoneNumberType.VOICEMAIL,
}
"""Numbers that belong to a service, never to a person."""


def find(text: str, *, region: str | None = None, ours: Sequence[str] = ()) -> tuple[Found, ...]:
    """Every piece of personal data, in the text's order, none within another.

    `region` (ISO 3166, `GB`) is where a number without a country code is read; without it only numbers that start
    with `+` are found. `ours` are the brand's own addresses, mail domains and numbers: they are not told.
    """
    hidden = _URL.sub(lambda link: " " * len(link[0]), text)
    mine = {_bare(contact) for contact in ours}
    kept: list[Found] = []
    for found in _candidates(hidden, region):
        bare = _bare(text[found.start : found.end])
        known = bare in mine or bare.rpartition("@")[2] in mine
        if not known and all(found.end <= other.start or found.start >= other.end for other in kept):
            kept.append(found)
    return tuple(sorted(kept, key=lambda found: found.start))


def _bare(contact: str) -> str:
    """A contact without what people write it with: `+44 20 7946 0000` is `442079460000`."""
    return re.sub(r"[^\w@.]", "", contact).lower()


def _candidates(text: str, region: str | None) -> Iterator[Found]:
    """What each kind finds, the more certain kind first: the digits of a card are no telephone number."""
    for match in _IBAN.finditer(text):
        if end := _iban_end(text, match.start(), match[1]):
            yield Found("iban", match.start(), end)
    for match in _CARD.finditer(text):
        if luhn(match[0]):
            yield Found("card", *match.span())
    for match in _EMAIL.finditer(text):
        yield Found("email", *match.span())
    for match in _BIRTH.finditer(text):
        yield Found("birth_date", *match.span(1))
    for phone in PhoneNumberMatcher(text, region, leniency=Leniency.VALID):
        if number_type(phone.number) not in _PUBLIC:
            yield Found("phone", phone.start, phone.end)


def luhn(number: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1, annex B); spaces and hyphens do not count."""
    digits = [int(character) for character in reversed(number) if character.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return len(digits) > 1 and any(digits) and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def iban(number: str) -> bool:
    """Whether the check digits are right (ISO 13616: modulo 97 is 1) and the length is the country's."""
    bare = number.replace(" ", "").upper()
    if not (bare.isascii() and bare.isalnum() and len(bare) == _IBAN_LENGTHS.get(bare[:2])):
        return False
    return int("".join(str(int(character, 36)) for character in bare[4:] + bare[:4])) % 97 == 1


def _iban_end(text: str, start: int, country: str) -> int | None:
    """Where the IBAN that starts here ends, if it is one: words in capitals may follow without a mark between."""
    left = _IBAN_LENGTHS.get(country, 0)
    end = start
    while left and end < len(text):
        left -= text[end] != " "
        end += 1
    whole = end == len(text) or not text[end].isalnum()
    return end if whole and not left and iban(text[start:end]) else None
