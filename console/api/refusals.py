"""How the document of the API names the refusals of an endpoint."""

from __future__ import annotations

from typing import Any

from console.api.problems import MEDIA_TYPE

_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

_EVERYWHERE = (400, 401, 403, 413, 421, 422, 500, 503)

_SAID = {
    400: "The request cannot be read.",
    401: "Nobody is known to call.",
    403: "The caller may not do this; `needs` names what is lacking.",
    404: "There is no such thing.",
    409: "Somebody else holds it (`holder`, `until`), or its state does not allow it.",
    413: "The body is too large.",
    421: "The request was sent to a name that is not this server's.",
    422: "Some of the values cannot be used; `errors` names each.",
    500: "Something went wrong here.",
    503: "Something that this needs does not answer; ask again after `Retry-After` seconds.",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=`: the problems every endpoint may answer with, and these."""
    return {status: {"description": _SAID[status], "content": _PROBLEM} for status in sorted({*_EVERYWHERE, *statuses})}
