"""What on Bluesky may concern a brand: its terms (_watch.py says how they are compared), and its accounts.

Frames are decoded first and searched second: JSON may write `AT&T` as `AT\\u0026T`, which a search of the raw bytes
would miss, and decoding the few fields needed costs less than a raw search for many terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from connectors._watch import Terms
from pipeline.ports import Brand


class Watch(Terms):
    """The brands' terms and handles, further terms, and the dids of the brands' accounts (`own`: did to brand)."""

    def __init__(self, brands: Sequence[Brand], terms: Sequence[str] = ()) -> None:
        super().__init__(terms)
        self.own: dict[str, str] = {}
        self.handles: list[str] = []
        for brand in brands:
            accounts = [account.lstrip("@") for account in brand.own_accounts.get("bluesky", ())]
            self.own |= {account: brand.name for account in accounts if account.startswith("did:")}
            self.handles += [account for account in accounts if not account.startswith("did:")]
            for term in (*brand.terms, *brand.handles, *accounts):
                self.add(term)

    def addressed(self, dids: Iterable[str]) -> str | None:
        """The one brand whose own accounts are among `dids`; None where there is none or more than one."""
        brands = {self.own[did] for did in dids if did in self.own}
        return brands.pop() if len(brands) == 1 else None
