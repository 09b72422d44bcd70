"""What Meta sends and shows, as it comes; what it means is in _meta_events.py."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Raw, Struct

Id = str | int


class Event(Struct):
    """One change: of which account, which field, when it was told (seconds since 1970), and its value as sent."""

    account: str
    field: str
    value: Raw
    time: float = 0.0


@dataclass(frozen=True)
class Need:
    """What the Graph API is to be asked for: `path` with these `fields`, as this account."""

    account: str
    path: str
    fields: str


class Change(Struct):
    """A field and what it is now."""

    field: str
    value: Raw


class Entry(Struct):
    """The changes of one account."""

    id: Id
    time: float = 0.0
    changes: list[Change] = []


class Body(Struct):
    """A request: `entry` of pages and Instagram accounts, `values` of Threads."""

    object: str = ""
    entry: list[Entry] = []
    time: float = 0.0
    values: Change | list[Change] | None = None


class Who(Struct, frozen=True):
    """Somebody, as far as it is told who."""

    id: Id = ""
    name: str = ""
    username: str = ""


class Ref(Struct, frozen=True):
    """Something else that is named."""

    id: Id = ""
    owner_id: Id = ""
    permalink_url: str = ""


class Feed(Struct, rename={"by": "from"}):
    """A change in a page's feed, and one that names the page."""

    item: str = ""
    verb: str = "add"
    post_id: Id = ""
    comment_id: Id = ""
    parent_id: Id = ""
    message: str | None = None
    created_time: Id | float | None = None
    by: Who = Who()
    sender_id: Id = ""
    sender_name: str = ""
    link: str = ""
    photo: str = ""
    photos: list[str] = []
    post: Ref = Ref()


class Node(Struct, rename={"by": "from"}):
    """A post or a comment as the Graph API shows it."""

    id: Id
    message: str = ""
    created_time: str = ""
    permalink_url: str = ""
    by: Who = Who()
    parent: Ref | None = None


class Comment(Struct, rename={"by": "from"}):
    """A comment under an Instagram account's post."""

    id: Id
    text: str = ""
    by: Who = Who()
    media: Ref = Ref()
    parent_id: Id = ""


class Named(Struct):
    """Where an Instagram account is named."""

    media_id: Id
    comment_id: Id = ""


class Shown(Struct):
    """A comment or a media object of somebody else's that names the account."""

    id: Id
    text: str = ""
    caption: str = ""
    username: str = ""
    timestamp: str = ""
    permalink: str = ""


class Post(Struct):
    """A post on Threads, or what is left of one."""

    id: Id
    username: str = ""
    text: str = ""
    media_type: str = ""
    media_url: str = ""
    alt_text: str = ""
    permalink: str = ""
    timestamp: str = ""
    replied_to: Ref | None = None
    root_post: Ref | None = None
    is_quote_post: bool = False
