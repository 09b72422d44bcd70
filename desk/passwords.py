"""Passwords: hashed with Argon2id, checked in the same time whether or not there is an account."""

from __future__ import annotations

import unicodedata
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from pipeline.errors import HarkenError

SHORTEST = 12
"""Characters. OWASP's Authentication Cheat Sheet and NIST SP 800-63B ask for length, not for kinds of characters."""

LONGEST = 256
"""Characters; more than the 64 NIST SP 800-63B wants admitted, and little enough to hash without thinking."""

BESIDE_NAME = 8
"""Characters that must be left once the name and the address are taken out."""

AT_ONCE = 2
"""Hashes computed at the same time: each takes 64 MiB, and a flood of sign-ins must not take all memory."""


class WeakPassword(HarkenError):
    """The password is refused; the text says by which rule and never shows it."""


class Passwords:
    """Hashes and checks passwords. Safe to share among threads.

    The parameters are the second recommended option of RFC 9106, section 4 (the one for little memory): Argon2id,
    3 passes, 4 lanes, 64 MiB, 128 bits of salt, 256 bits of hash. A test hands in cheaper ones.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._slots = BoundedSemaphore(AT_ONCE)
        self._nobody: str | None = None

    def hash(self, password: str) -> str:
        """The password as it is stored: parameters, salt and hash in PHC form."""
        with self._slots:
            return self._hasher.hash(_normal(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether this is the password. None, for an account that is not there, costs as much and is never right."""
        against = stored or self._stranger()
        password = password if len(password) <= LONGEST else ""
        try:
            with self._slots:
                self._hasher.verify(against, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
        return bool(stored)

    def outdated(self, stored: str) -> bool:
        """Whether it was made with other parameters than today's, and is to be made again at the next sign-in."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:
            return True

    def warm(self) -> None:
        """Make the hash that strangers are compared with; without this the first stranger would wait longer."""
        self._stranger()

    def _stranger(self) -> str:
        if self._nobody is None:
            self._nobody = self.hash("nobody has this password, and if one had, verify would still say no")
        return self._nobody


def check(password: str, name: str, email: str | None = None) -> None:
    """Raise WeakPassword unless it is long enough and more than the person's own name or address."""
    if len(password) < SHORTEST:
        raise WeakPassword(f"a password has at least {SHORTEST} characters")
    if len(password) > LONGEST:
        raise WeakPassword(f"a password has at most {LONGEST} characters")
    rest = _folded(password)
    for known in sorted({_folded(it) for it in (name, *_pieces(email)) if len(it) >= 3}, key=len, reverse=True):
        rest = rest.replace(known, "")
    if rest != _folded(password) and len(rest) < BESIDE_NAME:
        raise WeakPassword("a password is more than the name or the address with a few characters around it")


def _pieces(email: str | None) -> tuple[str, ...]:
    return (email, email.partition("@")[0]) if email else ()


def _normal(password: str) -> bytes:
    # The same letters typed on another keyboard may arrive composed differently (NIST SP 800-63B; RFC 8265 takes NFC).
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
