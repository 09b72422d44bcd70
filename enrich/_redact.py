"""A text without what says who somebody is, for somebody else's machine to read.

Taken out are links, e-mail addresses, `@handles`, telephone numbers (those that Google's libphonenumber finds possible,
with or without a country) and what looks like a card, an account or an order: six digits and more, or letters and
digits mixed. Names of people stay: no rule finds them all. Each is replaced by what it was, so that the text can still
be understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from phonenumbers import Leniency, PhoneNumberMatcher

_LINK = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:[a-z]{2,12})/\S*", re.I)
_MAIL = re.compile(r"\b[\w.+%-]+@[\w-]+(?:\.[\w-]+)+\b")
_HANDLE = re.compile(r"(?<![\w@])@\w+(?:[.-]\w+)*(?:@[\w.-]+)?")
_CODE = re.compile(r"\b(?=[a-z0-9-]*[a-z])(?=[a-z-]*\d[a-z-]*\d[a-z-]*\d)[a-z0-9][a-z0-9-]{4,}\b", re.I)
_NUMBER = re.compile(r"\b\d(?:[ .\-/]?\d){5,}\b")


def redacted(text: str, known: Mapping[str, str]) -> str:
    """The text without personal data. `known` are handles (in small letters, with `@`) that stand for a company, and
    the company's name: they are named, anybody else's becomes `@person`."""
    text = _LINK.sub("[link]", text)
    text = _HANDLE.sub(lambda match: known.get(match.group().lower(), "@person"), text)
    text = _MAIL.sub("[mail]", text)
    text = _CODE.sub("[number]", text)
    for found in reversed(list(PhoneNumberMatcher(text, "US", leniency=Leniency.POSSIBLE))):
        text = f"{text[: found.start]}[phone]{text[found.end :]}"
    return _NUMBER.sub("[number]", text)
