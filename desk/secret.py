"""Random secrets: an API token, an invitation, a session's id. Given out once, kept as a digest only.

SHA-256 without a salt is right here, and Argon2 would be wrong: a slow, salted hash makes guessing dear, but nobody
guesses 256 random bits however fast the hash, and these are checked on every request. The digest is what is looked up,
so comparing takes no time that depends on the secret: who sends a guess cannot steer the digest.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256

from pydantic import SecretStr

PREFIX = "harken"
"""Every secret starts so, with its kind, that a scanner of repositories and logs can find one that leaked."""

BYTES = 32
"""256 bits."""

_BODY = re.compile(r"[A-Za-z0-9_-]{43}")


def issue(kind: str) -> SecretStr:
    """A new secret, `harken_KIND_…`; it hides itself in a repr."""
    return SecretStr(f"{PREFIX}_{kind}_{secrets.token_urlsafe(BYTES)}")


def looks_issued(kind: str, text: str) -> bool:
    """Whether this has the form of a secret of this kind, and is worth looking up."""
    start = f"{PREFIX}_{kind}_"
    return text.startswith(start) and _BODY.fullmatch(text, len(start)) is not None


def digest(secret: str) -> str:
    """What is kept of it: SHA-256 in hexadecimal."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
