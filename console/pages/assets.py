"""The files that pages load: style sheets, scripts, the icon. Their address holds a digest of all of them, so that a
browser keeps them for good and an upgrade is seen at once."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent.parent / "static"

YEAR_SECS = 31_536_000


def _digest() -> str:
    digest = sha256()
    for file in sorted(FOLDER.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


ROOT = f"/static/{_digest()}"
"""Where they are; scripts that import each other find each other below it."""


def asset(name: str) -> str:
    """The address of a file; raises FileNotFoundError where there is none, so that a test of the page fails."""
    if not (FOLDER / name).is_file():
        raise FileNotFoundError(f"console/static has no {name}")
    return f"{ROOT}/{name}"


class Assets(StaticFiles):
    """The folder, never looked at again by who has it."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, or 404."""
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = f"public, max-age={YEAR_SECS}, immutable"
        return response
