"""What a measure is handed, and the figures that several of them divide by."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import texts
from benchmarks.machine import on_one_core
from benchmarks.servers import Servers


@dataclass
class Bench:
    """One run: the texts, the scale, a folder of its own, and what is said while it goes on.

    `tutorial` is the tutorial's loop in messages a second, once it was measured.
    """

    texts: Sequence[str]
    quick: bool
    folder: Path
    say: Callable[[str], None]
    closing: ExitStack
    tutorial: float | None = None

    def scaled(self, full: int, quick: int) -> int:
        """The number for this run's scale."""
        return quick if self.quick else full

    @cached_property
    def servers(self) -> Servers:
        """Kafka and PostgreSQL."""
        servers = Servers(self.folder)
        self.closing.callback(servers.close)
        return servers

    @cached_property
    def sample(self) -> Path:
        """Some thousand texts in a file, as a JSON list."""
        path = self.folder / "sample.json"
        path.write_text(json.dumps(texts.some(5000, self.texts)), encoding="utf-8")
        return path

    def mentions(self, name: str, count: int, per_second: float = 200.0) -> Path:
        """A file of so many mentions."""
        path = self.folder / f"{name}.csv"
        texts.write_mentions(path, texts.some(count, self.texts), per_second)
        return path

    def configuration(self, name: str, **sections: Any) -> Path:
        """A config.yaml with the defaults, brands that the texts name, and these sections."""
        path = self.folder / f"{name}.yaml"
        brands = {brand: {"terms": [brand], "handles": [brand]} for brand in texts.BRANDS}
        # JSON is YAML: nothing to escape.
        path.write_text(json.dumps({"brands": brands, **sections}), encoding="utf-8")
        return path

    def vader(self, runs: int = 1) -> float:
        """VADER alone on one core, texts a second, as the machine is at this moment."""
        found = [on_one_core("benchmarks.vader", str(self.sample)) for _ in range(runs)]
        return float(median(one["texts"] / one["seconds"] for one in found))
