"""Every server that the circle is driven through (`test_circle.py`), one file each: real ones where there are any
(mastodon_mock, Dovecot, nginx), else the stand-ins that follow what the platform documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.servers.platforms.discourse import Discourse
from tests.servers.platforms.email import Email
from tests.servers.platforms.mastodon import MastodonSse, MastodonWebSocket
from tests.servers.platforms.reddit import Reddit
from tests.servers.platforms.rss import Feed
from tests.servers.platforms.x import X
from tests.servers.platforms.youtube import YouTube

PLATFORMS: Mapping[str, Any] = {
    each.name: each for each in (MastodonSse, MastodonWebSocket, Email, X, Reddit, YouTube, Discourse, Feed)
}
"""By their names; each has `running(folder)`."""
