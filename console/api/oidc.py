"""Sign-in through an OpenID Connect provider: authorization code with PKCE (RFC 7636), state and nonce, by Authlib.

The provider says who somebody is; whether they may come in is said here: their verified e-mail address must be that of
one account. None is ever made.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Annotated, Any

import httpx2
import structlog
from anyio.to_thread import run_sync
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # it ships no types
from authlib.integrations.starlette_client import OAuth  # type: ignore[import-untyped]
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from joserfc.errors import JoseError
from pydantic import BaseModel, ConfigDict, SecretStr

from console.api.auth import cookie_name
from console.api.problems import Refused
from console.api.schemas import V1
from console.api.services import Given, Services
from console.api.session import set_session

log = structlog.get_logger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures of an id_token that are believed: by a key that the provider alone has."""

TIMEOUT_SECS = 10.0
UNDER_WAY_SECS = 600
"""How long signing in at the provider may take."""

AFTERWARDS = "/"
"""Where the browser goes when it is signed in."""

router = APIRouter(prefix=f"{V1}/oidc", tags=["session"])


@dataclass
class Provider:
    """Who says who somebody is. `public_url` is how browsers reach us: the provider sends them back there."""

    issuer: str
    client_id: str
    client_secret: SecretStr
    public_url: str
    _client: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._client = OAuth().register(
            "provider",
            client_id=self.client_id,
            client_secret=self.client_secret.get_secret_value(),
            server_metadata_url=f"{self.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid email", "code_challenge_method": "S256", "timeout": TIMEOUT_SECS},
        )

    @property
    def callback(self) -> str:
        """Where the provider sends the browser back to; to be registered there."""
        return f"{self.public_url}{V1}/oidc/callback"

    async def begin(self) -> tuple[str, UnderWay]:
        """The provider's address to send the browser to, and what the browser is to bring back."""
        await self._metadata()
        made = await self._client.create_authorization_url(self.callback)
        return made["url"], UnderWay(state=made["state"], nonce=made["nonce"], verifier=made["code_verifier"])

    async def finish(self, code: str, under_way: UnderWay) -> str | None:
        """The verified e-mail address of who signed in; None where the provider has none for them."""
        metadata = await self._metadata()
        token = await self._client.fetch_access_token(self.callback, code=code, code_verifier=under_way.verifier)
        expected = {
            "iss": {"essential": True, "value": metadata["issuer"]},
            "aud": {"essential": True, "value": self.client_id},
        }
        claims = await self._client.parse_id_token(token, under_way.nonce, claims_options=expected)
        if claims is None:
            raise Refused(401, "the provider sent no proof of who signed in")
        if "email" not in claims:
            told = await self._client.userinfo(token=token)
            claims = told if told.get("sub") == claims["sub"] else {}
        email = claims.get("email")
        return email if isinstance(email, str) and claims.get("email_verified") in (True, "true") else None

    async def _metadata(self) -> Any:
        metadata = await self._client.load_server_metadata()
        if str(metadata.get("issuer", "")).rstrip("/") != self.issuer.rstrip("/"):
            metadata.pop("_loaded_at", None)  # ask again next time
            raise Refused(503, "the provider is not the one that is configured")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [it for it in offered if it in ALGORITHMS] or ["RS256"]
        return metadata


class UnderWay(BaseModel):
    """A sign-in that has begun, kept in a cookie of the browser that began it, which ties the two halves together. It
    needs no signature: who can plant it could as well plant one that we signed for them."""

    model_config = ConfigDict(extra="forbid")

    state: str
    nonce: str
    verifier: str


@router.get("/sign-in", response_class=RedirectResponse, status_code=303)
async def begin(given: Given) -> RedirectResponse:
    """Send the browser to the provider."""
    try:
        address, under_way = await _provider(given).begin()
    except (httpx2.HTTPError, ValueError) as error:
        raise _silent(error) from None
    answer = RedirectResponse(address, 303)
    value = urlsafe_b64encode(under_way.model_dump_json().encode()).decode()
    answer.set_cookie(
        _cookie(given), value, UNDER_WAY_SECS, path="/", secure=given.https, httponly=True, samesite="lax"
    )
    return answer


@router.get("/callback", response_class=RedirectResponse, status_code=303)
async def finish(
    request: Request,
    given: Given,
    state: Annotated[str, Query(max_length=500)],
    code: Annotated[str | None, Query(max_length=4000)] = None,
) -> RedirectResponse:
    """The browser is back: begin a session for the account with the address that the provider vouches for."""
    under_way = _under_way(request.cookies.get(_cookie(given)))
    if under_way is None or not compare_digest(under_way.state.encode(), state.encode()):
        raise Refused(400, "this sign-in was not begun here, or took too long: begin again")
    if code is None:
        raise Refused(401, "the provider did not sign you in")
    try:
        email = await _provider(given).finish(code, under_way)
    except httpx2.HTTPError as error:
        raise _silent(error) from None
    except (AuthlibBaseError, JoseError, ValueError, KeyError) as error:
        log.warning("a sign-in through the provider was refused", reason=type(error).__name__)
        raise Refused(401, "what the provider sent cannot be believed: begin again") from None
    previous = request.cookies.get(cookie_name(given.https))
    signed_in = await run_sync(given.accounts.sign_in_vouched, email, "oidc", previous) if email else None
    if signed_in is None:
        log.info("a sign-in through the provider was refused", reason="no account with a verified address")
        raise Refused(403, "nobody here has the e-mail address that the provider vouches for")
    request.scope["harken.call"].user = signed_in.user.id
    answer = RedirectResponse(AFTERWARDS, 303)
    set_session(answer, given, signed_in)
    answer.delete_cookie(_cookie(given), path="/", secure=given.https, httponly=True, samesite="lax")
    return answer


def _provider(given: Services) -> Provider:
    if given.provider is None:
        raise Refused(404, "sign-in through a provider is not set up")
    return given.provider


def _cookie(given: Services) -> str:
    return cookie_name(given.https).replace("session", "sign_in")


def _under_way(cookie: str | None) -> UnderWay | None:
    try:
        return UnderWay.model_validate(json.loads(urlsafe_b64decode(cookie or "")))
    except (NotBase64, ValueError):
        return None


def _silent(error: Exception) -> Refused:
    log.warning("the provider of sign-ins does not answer", reason=type(error).__name__)
    return Refused(503, "the provider does not answer: try again", {"Retry-After": "5"})
