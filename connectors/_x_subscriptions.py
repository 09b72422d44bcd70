"""The webhook and the subscriptions as X holds them, brought to what the settings say.

POST and GET /2/webhooks, PUT /2/webhooks/:id (check the address anew), GET and POST /2/activity/subscriptions
(docs.x.com/x-api/activity): the application's bearer token is enough for what is public. What others subscribed to is
left alone.
"""

from __future__ import annotations

from typing import Any

import structlog

from connectors._x_activity import Activity
from connectors._x_api import Api
from pipeline.errors import SourceUnavailable

_log = structlog.get_logger(__name__)

_TAG = "harken"
_WEBHOOKS = "/2/webhooks"
_SUBSCRIPTIONS = "/2/activity/subscriptions"


def subscribe(api: Api, activity: Activity) -> None:
    """Register the address and subscribe each account to each event, where X does not have it yet; X asks the address
    for its proof meanwhile. Raises SourceRefused or SourceUnavailable."""
    webhook = _webhook(api, str(activity.url))
    present = {
        (one.get("event_type"), (one.get("filter") or {}).get("user_id"))
        for one in _list(api.ask("GET", _SUBSCRIPTIONS))
        if one.get("webhook_id") == webhook
    }
    wanted = [(event, account) for account in activity.accounts for event in activity.events]
    added = [one for one in wanted if one not in present]
    for event, account in added:
        body = {"event_type": event, "filter": {"user_id": account}, "webhook_id": webhook, "tag": _TAG}
        api.ask("POST", _SUBSCRIPTIONS, body)
    if added:
        _log.info("subscribed to X's activity", subscriptions=len(added))


def _webhook(api: Api, url: str) -> str:
    """The id under which X knows the address."""
    known = next((one for one in _list(api.ask("GET", _WEBHOOKS)) if one.get("url") == url), None)
    if known is None:
        made = api.ask("POST", _WEBHOOKS, {"url": url}).get("data")
        known = made if isinstance(made, dict) else {}
    elif known.get("valid") is False:
        api.ask("PUT", f"{_WEBHOOKS}/{_id(known)}")
    return _id(known)


def _id(webhook: dict[str, Any]) -> str:
    id = webhook.get("id")
    if not isinstance(id, str) or not id.isdecimal():
        raise SourceUnavailable("X registered the address without naming its id", trouble="http")
    return id


def _list(answer: dict[str, Any]) -> list[dict[str, Any]]:
    data = answer.get("data")
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
