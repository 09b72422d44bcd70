"""Every error is a problem document (RFC 9457), the framework's own included, and none says more than its caller may
know: no value that was sent, no text of a message, no stack trace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from console.api.services import Services
from console.listening import Busy
from desk.accounts import TooManyAttempts, WrongCredentials
from desk.passwords import WeakPassword
from desk.refusals import Conflict, NoSuchCase, Refusal, Unfit
from desk.users import AccountError
from pipeline.errors import HarkenError, StoreUnavailable, Unavailable

MEDIA_TYPE = "application/problem+json"

RETRY_SECS = 5
"""When to ask again while the store does not answer."""


class Holder(BaseModel):
    """Who has it: a user's id, or `system:WHAT`, and the name they sign in with (None where they have no account)."""

    id: str
    name: str | None = None


class FieldError(BaseModel):
    """What is wrong with one of the values sent; `field` is its path, `add.0` for example."""

    field: str
    message: str


class Problem(BaseModel):
    """Why it was not done. `title` is the status in words, `detail` for a person. With 403 `needs` are the actions that
    are asked for; with 409 `holder` has the case until `until`; with 422 `errors` names every field."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    needs: list[str] | None = None
    holder: Holder | None = None
    until: datetime | None = None
    errors: list[FieldError] | None = None


class Refused(HarkenError):
    """An answer with this status and these members of the problem, for what the desk has no error of its own for."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self.members = members


def missing(what: str) -> Refused:
    """404: there is no such thing. `missing("user")`."""
    return Refused(404, f"there is no such {what}")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """The answer with this status; `members` as Problem has them."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, **members)
    return Response(body.model_dump_json(exclude_none=True), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have this application answer errors so. What is not listed here is a fault of ours: `guard.py` answers 500."""
    for error, answer in ANSWERS.items():
        app.add_exception_handler(error, answer)


def _refused(_request: Request, error: Any) -> Response:
    return problem(error.status, str(error), error.headers, **error.members)


def _framework(request: Request, error: Any) -> Response:
    headers = error.headers
    if error.status_code == 405 and (allowed := _allowed(request)):
        headers = {"Allow": allowed}
    return problem(error.status_code, _SAID.get(error.status_code, "the request cannot be answered"), headers)


def _allowed(request: Request) -> str:
    """Every method of this path (RFC 9110, 15.5.6): the framework names those of the first endpoint alone."""
    path = getattr(request.scope.get("route"), "path_format", "")
    return ", ".join(sorted(it.upper() for it in request.app.openapi()["paths"].get(path, ())))


_SAID = {
    400: "the request cannot be read",
    404: "there is nothing at this address",
    405: "this address does not take this method",
    413: "the body is too large",
}


def _invalid(_request: Request, error: Any) -> Response:
    # The messages of pydantic say what is wrong; what was sent (`input`, `ctx`) may be a password and stays out.
    errors = [FieldError(field=_field(it), message=_message(it)) for it in error.errors()]
    return problem(422, "some of the values cannot be used", errors=errors)


def _field(it: Mapping[str, Any]) -> str:
    names = [str(name) for name in it["loc"]]
    if it["type"] == "json_invalid":
        return "body"
    if names[0] in ("body", "query", "path", "header", "cookie"):
        names = names[1:]
    return ".".join(names)[:200] or "body"


def _message(it: Mapping[str, Any]) -> str:
    if it["type"] == "json_invalid":
        return "is not JSON"
    if it["type"] == "extra_forbidden":
        return "there is no such field"
    return str(it["msg"])[:300]


def _unfit(_request: Request, error: Any) -> Response:
    said = str(error).removeprefix(f"{error.field}: ")
    return problem(422, str(error), errors=[FieldError(field=error.field, message=said)])


def _weak(_request: Request, error: Any) -> Response:
    return problem(422, str(error), errors=[FieldError(field="password", message=str(error))])


def _account(_request: Request, error: Any) -> Response:
    return problem(422, str(error))


def _conflict(request: Request, error: Any) -> Response:
    holder = _holder(request.app.state.services, error.holder) if error.holder else None
    return problem(409, str(error), holder=holder, until=error.until)


def _holder(services: Services, actor: str) -> Holder:
    id = actor.removeprefix("user:")
    try:
        user = services.accounts.user(id)
    except StoreUnavailable:
        user = None
    return Holder(id=id, name=user.name if user else None)


def _refusal(_request: Request, error: Any) -> Response:
    return problem(409, str(error))


def _missing_case(_request: Request, error: Any) -> Response:
    return problem(404, str(error))


def _credentials(_request: Request, error: Any) -> Response:
    return problem(401, str(error), {"WWW-Authenticate": "Bearer"})


def _attempts(_request: Request, error: Any) -> Response:
    return problem(429, str(error), {"Retry-After": str(error.retry_after)})


def _busy(_request: Request, error: Any) -> Response:
    return problem(503, f"{error}: try again in a moment", {"Retry-After": str(RETRY_SECS)})


def _unavailable(_request: Request, _error: Any) -> Response:
    return problem(503, "something that this needs does not answer: try again", {"Retry-After": str(RETRY_SECS)})


ANSWERS: dict[type[Exception], Any] = {
    HTTPException: _framework,
    RequestValidationError: _invalid,
    Refused: _refused,
    Unfit: _unfit,
    WeakPassword: _weak,
    AccountError: _account,
    NoSuchCase: _missing_case,
    Conflict: _conflict,
    Refusal: _refusal,
    WrongCredentials: _credentials,
    TooManyAttempts: _attempts,
    Busy: _busy,
    Unavailable: _unavailable,
}
"""Each error, and what makes its answer."""
