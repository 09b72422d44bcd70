"""How often a password may be tried: per account and per network address, kept in the store.

Every attempt counts as failed before the password is looked at and is taken back when it was right, so that a thousand
attempts at once get no further than a thousand in a row. After some free ones each failure doubles the wait.

Failures are kept per bucket, not per name: a keyed hash below 65,536. So the table is bounded whatever is tried, names
that do not exist are treated like those that do, and no address, and no password typed into the wrong field, is kept.
The key is random, so nobody can choose an address that shares another's bucket.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address

from sqlalchemy import case, delete, literal, select, update

from pipeline.store.account_tables import desk_keys, throttles
from pipeline.store.database import Transaction

SIGN_INS = 0x6861726E
"""Advisory lock: attempts are counted one after the other."""

FREE = {"account": 5, "address": 20}
"""Failures before the first wait; an office behind one address has more of them."""

LONGEST = timedelta(minutes=15)
"""The longest wait: about 100 attempts a day on one account, and whoever is kept out by a stranger gets in today."""

FORGET = timedelta(days=1)
"""After so long without a failure the count starts anew."""

_KEY = "throttle"
_MOST = 1000  # counting further changes nothing


@dataclass(frozen=True)
class Charge:
    """An attempt that was counted: bucket and its count, to take back if the password is right."""

    counts: tuple[tuple[str, int], ...]


def wait(failures: int, free: int) -> timedelta:
    """How long to wait after so many failures: nothing, then 1 s, 2 s, 4 s, … up to LONGEST."""
    if failures < free:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(failures - free, 20)), LONGEST)


def charge(transaction: Transaction, now: datetime, name: str, address: str | None) -> Charge | timedelta:
    """Count an attempt; or, where one has to wait, count nothing and say how long."""
    transaction.lock(SIGN_INS)
    buckets = _buckets(transaction, name, address)
    found = transaction.run(select(throttles).where(transaction.among(throttles.c.bucket, buckets))).all()
    if until := max((row.blocked_until for row in found if row.blocked_until > now), default=None):
        return timedelta(seconds=(until - now).total_seconds())
    before = {row.bucket: row.failures for row in found if now - row.failed_at < FORGET}
    counts = tuple((bucket, min(before.get(bucket, 0) + 1, _MOST)) for bucket in buckets)
    rows = [
        {
            "bucket": bucket,
            "failures": count,
            "failed_at": now,
            "blocked_until": now + wait(count, FREE[bucket.partition(":")[0]]),
        }
        for bucket, count in counts
    ]
    transaction.insert(throttles, rows, "bucket", update=["failures", "failed_at", "blocked_until"])
    return Charge(counts)


def take_back(transaction: Transaction, now: datetime, charge: Charge) -> None:
    """The password was right: the account starts anew, the address gets this one attempt back."""
    transaction.lock(SIGN_INS)
    for bucket, count in charge.counts:
        row = throttles.c.bucket == bucket
        if bucket.startswith("account:"):
            transaction.run(delete(throttles).where(row))
            continue
        # A later failure's wait stays; this one's own goes.
        held = throttles.c.blocked_until
        until = case((throttles.c.failures <= count, literal(now, held.type)), else_=held)
        failures = case((throttles.c.failures > 0, throttles.c.failures - 1), else_=0)
        transaction.run(update(throttles).where(row).values(failures=failures, blocked_until=until))


def _buckets(transaction: Transaction, name: str, address: str | None) -> Sequence[str]:
    key = _key(transaction)
    given = {"account": name} | ({"address": _network(address)} if address is not None else {})
    return [f"{kind}:{_bucket(key, kind, value)}" for kind, value in given.items()]


def _bucket(key: bytes, kind: str, value: str) -> int:
    person = kind.encode()  # at most 16 bytes
    hashed = blake2b(value.encode("utf-8", "surrogatepass"), key=key, person=person, digest_size=2).digest()
    return int.from_bytes(hashed, "big")


def _key(transaction: Transaction) -> bytes:
    query = select(desk_keys.c.key).where(desk_keys.c.name == _KEY)
    key = transaction.run(query).scalar()
    if key is None:
        transaction.insert(desk_keys, [{"name": _KEY, "key": secrets.token_bytes(32)}], "name")
        key = transaction.run(query).scalar_one()
    return bytes(key)


def _network(address: str) -> str:
    """An IPv4 address; of an IPv6 address the /64, which one household has to itself (RFC 6177)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return f"{int(parsed) >> 64:x}"
    return str(parsed)
