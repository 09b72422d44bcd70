"""Whether two texts say the same: for finding an answer of ours again on a platform that tidies up what it is given."""

from __future__ import annotations

import unicodedata


def comparable(text: str) -> str:
    """The words alone: platforms trim and collapse spaces, drop control characters and compose letters (NFC)."""
    text = unicodedata.normalize("NFC", text)
    return " ".join("".join(sign for sign in text if sign.isspace() or unicodedata.category(sign) != "Cc").split())
