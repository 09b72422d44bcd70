"""What a stage's version is made of, so that any label can be traced to what produced it."""

from __future__ import annotations

import hashlib
from importlib.metadata import version


def trace(revision: str, *parts: object, packages: tuple[str, ...] = ()) -> str:
    """`REVISION-xxxxxxxx`: the stage's own revision (raised by hand when its code changes its results), and a digest
    of what else decides them: settings, brands, vocabularies (anything with a stable repr), versions of packages."""
    seen = repr((parts, [(name, version(name)) for name in packages]))
    return f"{revision}-{hashlib.blake2b(seen.encode('utf-8', 'backslashreplace'), digest_size=4).hexdigest()}"
