"""Python's garbage collector, as a process needs it that makes many thousand objects a batch."""

from __future__ import annotations

import gc


def spare_the_collector() -> None:
    """What was loaded by now (models, vocabularies, modules) lives as long as the process, and a batch makes many
    thousand objects that die with it: looking for cycles among either after every 700 is an eighth of the work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
