"""Personal data that can be checked is found; what only looks like it is not. Every number here is an example that
its standard or its regulator sets aside for examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk import personal
from desk.personal import find


def found(text: str, region: str | None = None) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find(text, region=region)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ana.b+x@mail.example please", [("email", "ana.b+x@mail.example")]),
        ("your card 4111 1111 1111 1111 was charged", [("card", "4111 1111 1111 1111")]),
        ("card 4111-1111-1111-1111.", [("card", "4111-1111-1111-1111")]),
        ("378282246310005", [("card", "378282246310005")]),
        ("paid to DE89 3704 0044 0532 0130 00 TODAY", [("iban", "DE89 3704 0044 0532 0130 00")]),
        ("GB82WEST12345698765432", [("iban", "GB82WEST12345698765432")]),
        ("NL91ABNA0417164300 and", [("iban", "NL91ABNA0417164300")]),
        ("call +44 20 7946 0958", [("phone", "+44 20 7946 0958")]),
        ("you were born on 12/05/1984?", [("birth_date", "12/05/1984")]),
        ("date of birth: 1984-05-12", [("birth_date", "1984-05-12")]),
        ("DOB 3 May 1984", [("birth_date", "3 May 1984")]),
        ("ana@mail.example, +44 20 7946 0958", [("email", "ana@mail.example"), ("phone", "+44 20 7946 0958")]),
    ],
)
def test_what_can_be_checked_is_found_with_its_span(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "hello @ana@mastodon.example",
        "card 4111 1111 1111 1112",  # the check digit is wrong
        "DE88 3704 0044 0532 0130 00",
        "order 4471982-22, parcel 00340434161094042557",
        "tracking 1Z999AA10123456784",
        "we open on 12/05/2026 at 9:15",
        "https://acme.example/track/4111111111111111?mail=ana@mail.example",
        "call us free on +44 800 123 4567",
        "0000 0000 0000 0000",
        "version 3.11.4, 2026-05-12, 10.000 EUR",
        "born in Leeds, 12 shops",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_number_without_a_country_is_read_in_the_region_given() -> None:
    assert found("ring 020 7946 0958") == []
    assert found("ring 020 7946 0958", "GB") == [("phone", "020 7946 0958")]
    assert found("order 4471982 is due on 12 May", "GB") == []


def test_the_brands_own_contacts_are_not_personal() -> None:
    text = "Write to help@acme.example or ring +44 20 7946 0958"
    assert find(text, ours=["acme.example", "+44 (20) 7946-0958"]) == ()
    assert [one.kind for one in find(text, ours=["help@acme.example"])] == ["phone"]
    assert len(find("ana@notacme.example", ours=["acme.example"])) == 1


@given(st.text(st.sampled_from("0123456789"), min_size=2, max_size=18))
def test_exactly_one_last_digit_satisfies_luhn(digits: str) -> None:
    right = [last for last in "0123456789" if personal.luhn(digits + last)]
    assert len(right) == 1 or (set(digits) == {"0"} and not right)


@given(st.integers(10**17, 10**18 - 1), st.integers(1, 96))
def test_a_wrong_check_number_is_no_iban(account: int, off: int) -> None:
    check = 98 - int(f"{account}131400") % 97
    assert personal.iban(f"DE{check:02d}{account}")
    assert not personal.iban(f"DE{(check + off - 2) % 97 + 2:02d}{account}")


@given(st.text(max_size=80))
def test_spans_lie_in_the_text_and_never_overlap(text: str) -> None:
    ends = [0]
    for one in find(text, region="GB"):
        assert ends[-1] <= one.start < one.end <= len(text)
        ends.append(one.end)
