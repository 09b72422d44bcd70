"""Fetching what an operator's configuration or a server's redirect names, safely: only http and https, never a
private address unless allowed, bounded in time, size and redirects.

The address that was checked is the address connected to, so that a name that resolves differently the second time
(DNS rebinding) gains nothing. Proxies of the environment are not used: behind one, that could not be promised.
"""

from __future__ import annotations

import asyncio
import ipaddress
import queue
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Generic, TypeVar

import httpx2

from pipeline.errors import SourceUnavailable

_REDIRECTS = 5
_PERMANENT = (301, 308)
_TEMPORARY = (302, 303, 307)
_LONGEST_WAIT = 24 * 3600.0

Found = TypeVar("Found")


@dataclass(frozen=True)
class Fetched:
    """An answer. `moved` is where only permanent redirects led, `url` where all of them did."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    moved: str | None = None


@dataclass(frozen=True)
class Limits:
    """What a fetch may cost and where it may go. `timeout` is for all of it, in seconds; `size` in bytes, unpacked."""

    timeout: float
    size: int
    allow_private: bool = False


async def fetch(url: str, headers: Mapping[str, str], limits: Limits, trust: ssl.SSLContext) -> Fetched:
    """GET `url`, following redirects; raises SourceUnavailable (`network`: no answer; `http`: one not to be taken)."""
    try:
        async with asyncio.timeout(limits.timeout):
            moved: str | None = None
            permanent = True
            for _ in range(_REDIRECTS + 1):
                fetched = await _get(url, headers, limits, trust)
                target = fetched.headers.get("location")
                if fetched.status not in (*_PERMANENT, *_TEMPORARY) or not target:
                    return Fetched(fetched.status, url, fetched.headers, fetched.body, moved)
                url = str(httpx2.URL(url).join(target))
                permanent = permanent and fetched.status in _PERMANENT
                moved = url if permanent else moved
            raise SourceUnavailable(f"more than {_REDIRECTS} redirects", trouble="http")
    except TimeoutError as error:
        raise SourceUnavailable(f"no whole answer within {limits.timeout:g} seconds") from error
    except httpx2.InvalidURL as error:
        raise SourceUnavailable(f"the address is not valid: {error}", trouble="http") from error
    except (httpx2.HTTPError, OSError) as error:
        raise SourceUnavailable(f"no answer: {str(error) or type(error).__name__}") from error


async def _get(url: str, headers: Mapping[str, str], limits: Limits, trust: ssl.SSLContext) -> Fetched:
    parts = httpx2.URL(url)
    if parts.scheme not in ("http", "https") or not parts.host:
        raise SourceUnavailable(f"{parts.scheme or 'no scheme'} is not fetched, only http and https", trouble="http")
    addresses = await resolved(parts, limits.allow_private)
    for address in addresses[:-1]:
        try:
            return await _get_from(address, parts, headers, limits, trust)
        except httpx2.ConnectError:
            continue  # the host has another address, perhaps of the IP version that works here
    return await _get_from(addresses[-1], parts, headers, limits, trust)


async def _get_from(
    address: str, parts: httpx2.URL, headers: Mapping[str, str], limits: Limits, trust: ssl.SSLContext
) -> Fetched:
    # One client a request: a pool is keyed by address, and would mix up two names that share one.
    async with httpx2.AsyncClient(verify=trust, trust_env=False, timeout=limits.timeout) as client:
        request = client.build_request(
            "GET",
            parts.copy_with(host=address, username=None, password=None),
            headers={**headers, "Host": parts.netloc.decode(), "Accept-Encoding": "gzip"},
            extensions={"sni_hostname": parts.raw_host.decode()},
        )
        response = await client.send(request, stream=True)
        try:
            body = await _body(response, limits.size) if response.status_code == 200 else b""
        finally:
            await response.aclose()
    return Fetched(response.status_code, str(parts), response.headers, body)


async def resolved(url: httpx2.URL, allow_private: bool) -> list[str]:
    """The first three addresses of the URL's host: connect to one of them, or the check is worth nothing. Raises
    SourceUnavailable (`network`: the name is not known; `http`: one is private and that is not allowed)."""
    port = url.port or (443 if url.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.raw_host.decode().strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceUnavailable(f"the name {url.host} is not known") from error
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not allow_private and not all(map(_public, addresses)):
        raise SourceUnavailable(
            f"{url.host} is a private address: not fetched unless allow_private is set", trouble="http"
        )
    return addresses[:3]


def _public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def _body(response: httpx2.Response, limit: int) -> bytes:
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", ""):
        raise SourceUnavailable(f"the encoding {coding[:40]!r} was not asked for", trouble="http")
    unpack = zlib.decompressobj(wbits=31) if coding.endswith("gzip") else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            # One byte over the limit is enough to know: a small answer may unpack to gigabytes.
            body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
        except zlib.error as error:
            raise SourceUnavailable(f"the answer cannot be unpacked: {error}", trouble="http") from error
        if len(body) > limit:
            raise SourceUnavailable(f"the answer is over {limit:,} bytes", trouble="http")
    if unpack and not unpack.eof:
        raise SourceUnavailable("the packed answer breaks off")
    return bytes(body)


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, section 10.2.3: seconds or a date), at most a day; None
    where it says nothing that can be read."""
    if re.fullmatch(r"\d{1,9}", value.strip(), re.ASCII):
        return min(float(value), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max(0.0, (moment - now).total_seconds()), _LONGEST_WAIT)


def shown(url: str) -> str:
    """The address as it may be logged: without user, password and query, which may hold a key."""
    try:
        parts = httpx2.URL(url)
        return f"{parts.scheme}://{parts.host}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except httpx2.InvalidURL:
        return "an invalid address"


@dataclass
class Fetcher(Generic[Found]):
    """Fetches side by side, at most `parallel` at once, on an event loop of its own; a context manager, at whose end
    whatever is under way is abandoned at once. `digest` reads an answer, given its key, in a thread of its own."""

    limits: Limits
    digest: Callable[[str, Fetched], Found]
    parallel: int = 4
    _done: queue.Queue[tuple[str, Found | SourceUnavailable]] = field(default_factory=queue.Queue)
    _works: set[asyncio.Task[None]] = field(default_factory=set)

    def __enter__(self) -> Fetcher[Found]:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fetcher", daemon=True)
        self._helpers = ThreadPoolExecutor(thread_name_prefix="fetcher-helper")
        self._loop.set_default_executor(self._helpers)
        self._turns = asyncio.Semaphore(self.parallel)
        self._trust = ssl.create_default_context()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._abandon(), self._loop).result(timeout=2)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=2)
        self._loop.close()
        # The threads that digest and look up names would end some time later; one still at work is not waited for long.
        ending = threading.Thread(target=self._helpers.shutdown, kwargs={"cancel_futures": True}, daemon=True)
        ending.start()
        ending.join(timeout=2)

    def start(self, key: str, url: str, headers: Mapping[str, str]) -> None:
        """Begin one fetch; its result comes out of `next` under `key`."""
        self._loop.call_soon_threadsafe(self._begin, key, url, headers)

    def next(self, timeout: float) -> tuple[str, Found | SourceUnavailable] | None:
        """The next result, or None when there was none for `timeout` seconds."""
        try:
            return self._done.get(timeout=timeout)
        except queue.Empty:
            return None

    def _begin(self, key: str, url: str, headers: Mapping[str, str]) -> None:
        work = self._loop.create_task(self._work(key, url, headers))
        self._works.add(work)
        work.add_done_callback(self._works.discard)

    async def _work(self, key: str, url: str, headers: Mapping[str, str]) -> None:
        async with self._turns:
            try:
                fetched = await fetch(url, headers, self.limits, self._trust)
                self._done.put((key, await self._loop.run_in_executor(None, self.digest, key, fetched)))
            except SourceUnavailable as error:
                self._done.put((key, error))
            except Exception as error:  # whatever a hostile answer sets off, the other fetches go on
                self._done.put((key, SourceUnavailable(f"fetching failed: {type(error).__name__}")))

    async def _abandon(self) -> None:
        # Only our own: the tasks that these made are theirs to cancel, in the order that they bear.
        works = list(self._works)
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
