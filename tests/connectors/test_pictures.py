"""Pictures for a reply: what is taken, what is refused and what is tried again."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from connectors._pictures import Bounds, Picture, fetched
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Media
from tests.fixtures.pictures import GIF, JPEG, PNG, WEBP, Gallery
from tests.fixtures.stand_in import Told

HERE = Bounds(most=4, size=10_000, alt=100, timeout_secs=5, allow_private=True)


@pytest.fixture
def gallery() -> Iterator[Gallery]:
    with Gallery().running() as gallery:
        yield gallery


def get(*media: Media, bounds: Bounds = HERE) -> tuple[Picture, ...]:
    return fetched(media, bounds, ManualClock())


def test_pictures_come_in_their_order_with_their_descriptions_and_the_type_of_their_content(gallery: Gallery) -> None:
    contents = (PNG, JPEG, GIF, WEBP)
    for number, content in enumerate(contents):
        gallery.hang_up(f"/{number}.txt", content, "text/html")
    found = get(*(Media(url=f"{gallery.url}/{number}.txt", alt=f"No. {number}") for number in range(4)))
    assert [one.content for one in found] == list(contents)
    assert [one.type for one in found] == ["image/png", "image/jpeg", "image/gif", "image/webp"]
    assert [one.alt for one in found] == ["No. 0", "No. 1", "No. 2", "No. 3"]
    assert [one.name for one in found] == ["picture-1.png", "picture-2.jpg", "picture-3.gif", "picture-4.webp"]


def test_none_asks_for_nothing(gallery: Gallery) -> None:
    assert get() == ()
    assert gallery.asked == []


def test_what_only_calls_itself_a_picture_is_refused(gallery: Gallery) -> None:
    for content in (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"", b"RIFF....WAVE"):
        gallery.hang_up("/a.png", content, "image/png")
        with pytest.raises(ReplyRefused, match="is no picture"):
            get(Media(url=f"{gallery.url}/a.png"))


def test_an_address_within_the_private_network_is_not_asked(gallery: Gallery) -> None:
    gallery.hang_up("/a.png", PNG)
    with pytest.raises(ReplyRefused, match="private address"):
        get(Media(url=f"{gallery.url}/a.png"), bounds=Bounds(most=4, size=10_000))
    assert gallery.asked == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/a.png", "picture.png", "http://"])
def test_only_the_web_is_asked(url: str) -> None:
    with pytest.raises(ReplyRefused):
        get(Media(url=url))


def test_one_that_is_too_large_is_refused(gallery: Gallery) -> None:
    gallery.hang_up("/a.png", PNG + bytes(10_000))
    with pytest.raises(ReplyRefused, match="over 10,000 bytes"):
        get(Media(url=f"{gallery.url}/a.png"))


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_one_that_is_not_there_is_refused(gallery: Gallery, status: int) -> None:
    gallery.fail("/a.png", Told(status))
    with pytest.raises(ReplyRefused, match=f"answers {status}"):
        get(Media(url=f"{gallery.url}/a.png"))


def test_one_that_cannot_be_had_now_is_tried_again_when_its_server_says(gallery: Gallery) -> None:
    gallery.fail("/a.png", Told(429, b"", {"Retry-After": "7"}))
    with pytest.raises(SourceUnavailable) as trouble:
        get(Media(url=f"{gallery.url}/a.png"))
    assert trouble.value.retry_after == 7
    gallery.fail("/a.png", Told(503))
    with pytest.raises(SourceUnavailable, match="503"):
        get(Media(url=f"{gallery.url}/a.png"))


def test_a_server_that_hangs_is_left_in_time(gallery: Gallery) -> None:
    gallery.hang("/a.png")
    with pytest.raises(SourceUnavailable, match="no whole answer"):
        get(Media(url=f"{gallery.url}/a.png"), bounds=Bounds(most=1, size=99, timeout_secs=0.2, allow_private=True))


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(SourceUnavailable, match="cannot be fetched now"):
        get(Media(url="http://127.0.0.1:9/a.png"))


def test_too_many_pictures_and_too_long_descriptions_are_refused_before_anything_is_asked(gallery: Gallery) -> None:
    one = Media(url=f"{gallery.url}/a.png")
    with pytest.raises(ReplyRefused, match="can carry 4 pictures here, not 5"):
        get(*[one] * 5)
    with pytest.raises(ReplyRefused, match="no picture here"):
        get(one, bounds=Bounds(most=0, size=1))
    with pytest.raises(ReplyRefused, match="picture 1 has 101 characters; 100"):
        get(Media(url=one.url, alt="a" * 101))
    assert gallery.asked == []


def test_no_key_in_an_address_shows_in_an_error(gallery: Gallery) -> None:
    with pytest.raises(ReplyRefused) as refused:
        get(Media(url=f"{gallery.url}/a.png?token=geheim"))
    assert "geheim" not in str(refused.value)


def test_nothing_stays_open(gallery: Gallery) -> None:
    gallery.hang_up("/a.png", PNG)
    before = len(os.listdir("/dev/fd")), threading.active_count()
    get(Media(url=f"{gallery.url}/a.png"))
    assert len(os.listdir("/dev/fd")) <= before[0]
