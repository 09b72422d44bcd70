"""One POST over a connection of its own, and what its answer means.

A redirect is not followed: an address that moved is a thing for the operator to see. The address is the operator's
word, so one on this machine or network is as good as any; it may hold a token, so that only its host is ever shown.
"""

from __future__ import annotations

import httpx2
from pydantic import AnyHttpUrl, SecretStr

from pipeline.posting import drain, refuses, retry_after
from spikes._target import Later, Outcome, Refused, Told

_ANOTHERS_WORD = frozenset({408, 502, 504})
"""Said by something in between, or for want of time: what stands behind may have taken the message."""


def address(url: SecretStr) -> SecretStr:
    """The address, if it can be posted to; raises ValueError without showing it."""
    try:
        host = httpx2.URL(url.get_secret_value()).host  # what will send it must read it too
        parsed = AnyHttpUrl(url.get_secret_value())
    except (httpx2.InvalidURL, ValueError):
        raise ValueError("not an http or https URL such as https://example.org/alerts") from None
    if not host or parsed.username or parsed.password:
        raise ValueError("holds a user name or password; put them into headers, from the environment")
    return url


def post(url: SecretStr, body: bytes, headers: dict[str, str], timeout: float) -> Outcome:
    """Post it. 2xx has it; 400 to 499 refuses it for good, but for 401 and 407 (our credentials are wrong, not the
    message) and 408, 425, 429 (not now); all else is tried again."""
    host = httpx2.URL(url.get_secret_value()).host
    try:
        with (
            httpx2.Client(timeout=timeout, follow_redirects=False) as client,
            client.stream("POST", url.get_secret_value(), content=body, headers=headers) as response,
        ):
            drain(response, timeout)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
        return Later(f"{host} cannot be reached: {type(error).__name__}")
    except httpx2.TimeoutException:
        return Later(f"{host} did not answer in {timeout:g} s", doubtful=True)
    except httpx2.HTTPError as error:
        return Later(f"{host} broke off: {type(error).__name__}", doubtful=True)
    return _meaning(host, response)


def _meaning(host: str, response: httpx2.Response) -> Outcome:
    status = response.status_code
    if 200 <= status < 300:
        return Told()
    if refuses(status):
        return Refused(f"{host} refused it with {status}")
    hint = ""
    if 300 <= status < 400:
        hint = "; redirects are not followed: set url to where it moved"
    elif status in (401, 407):
        hint = "; check its credentials"
    return Later(f"{host} answered {status}{hint}", status in _ANOTHERS_WORD, retry_after(response))
