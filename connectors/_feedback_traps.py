"""What keeps machines from a public form, and never a person in silence.

Every form that is shown carries a token, signed and stamped: nobody can post blindly from another site, and it tells
how long the form was open. How often somebody may send is counted by a hash of their address, under a salt that is
thrown away with the counts.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from pydantic import SecretStr

from pipeline.ports import Clock

_NONCE_BYTES = 12
_REFERENCE_BYTES = 10
"""80 bits, 16 letters: two messages of one installation share a reference after about 10^12 of them."""


@dataclass(frozen=True)
class Stamp:
    """What a token says: which showing of the form it was, and when that was."""

    nonce: str
    at: datetime


class Tokens:
    """The tokens of one source's forms."""

    def __init__(self, secret: SecretStr) -> None:
        self._key = secret.get_secret_value().encode()

    def issue(self, form: str, now: datetime) -> str:
        """A token for one showing of the form."""
        said = f"{secrets.token_urlsafe(_NONCE_BYTES)}.{int(now.timestamp() * 1000)}"
        return f"{said}.{self._mac('token', form, said)}"

    def read(self, form: str, token: str) -> Stamp | None:
        """What it says; None where it is none of ours, or of another form."""
        said, _, mac = token.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac("token", form, said).encode()):
            return None
        nonce, _, millis = said.partition(".")
        return Stamp(nonce, datetime.fromtimestamp(int(millis) / 1000, UTC))

    def reference(self, form: str, stamp: Stamp, content: str) -> str:
        """The number of a message: the same content, sent from the same showing again, has the same."""
        digest = hmac.digest(self._key, "\0".join(("reference", form, stamp.nonce, content)).encode(), "sha256")
        letters = b32encode(digest[:_REFERENCE_BYTES]).decode()
        return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))

    def _mac(self, purpose: str, *said: str) -> str:
        return hmac.new(self._key, "\0".join((purpose, *said)).encode(), hashlib.sha256).hexdigest()


class Limits:
    """How often one address, and everybody together, may send through one form within so many minutes."""

    def __init__(self, clock: Clock, per_address: int, per_form: int, minutes: float) -> None:
        self._clock = clock
        self._per_address = per_address
        self._per_form = per_form
        self._span = timedelta(minutes=minutes).total_seconds()
        self._begin()

    def refused(self, form: str, address: str) -> float:
        """0.0 where this one may be sent, which is then counted; else the seconds until it may."""
        left = self._until - self._clock.monotonic()
        if left <= 0:
            self._begin()
            left = self._span
        places = (("form", form, self._per_form), (form, self._hashed(address), self._per_address))
        if any(self._counts.get(place[:2], 0) >= place[2] for place in places):
            return left
        for *place, _ in places:
            key = (place[0], place[1])
            self._counts[key] = self._counts.get(key, 0) + 1
        return 0.0

    def _begin(self) -> None:
        """Forget every count, and the salt: nobody can tell afterwards who sent."""
        self._salt = secrets.token_bytes(16)
        self._counts: dict[tuple[str, str], int] = {}  # no larger than per_form for each form
        self._until = self._clock.monotonic() + self._span

    def _hashed(self, address: str) -> str:
        return hashlib.blake2b(_network(address).encode(), key=self._salt, digest_size=16).hexdigest()


def _network(address: str) -> str:
    """The address; of IPv6 the /64 that one subscriber has (RFC 6177)."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or int(found) >> 64)
    return str(found)
