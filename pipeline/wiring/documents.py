"""What is edited at the desk, over the configuration: which text stands for which setting, how each is checked, and
which role must start again when one changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.config import Config, File, validated
from pipeline.errors import ConfigError, Problem
from pipeline.wiring import models
from pipeline.wiring.base import Base, problems_of

if TYPE_CHECKING:
    from desk.documents import Documents
    from desk.macros import Macros

SECTIONS = {
    "calendars": ("desk", "calendars"),
    "service_levels": ("desk", "service_levels"),
    "brands": ("brands",),
    "retention": ("retention",),
}
"""The kinds that stand for a part of config.yaml, and where that is; the others stand for a file it names."""

USED_BY: dict[str, frozenset[str]] = {
    "collect": frozenset({"brands"}),
    "enrich": frozenset({"brands", "models"}),
    "route": frozenset({"rules"}),
    "spikes": frozenset({"brands", "playbooks"}),
    "deliver": frozenset({"retention"}),
    "desk": frozenset({"rules", "calendars", "service_levels", "macros", "brands"}),
    "serve": frozenset({"rules", "calendars", "service_levels", "macros", "brands", "playbooks", "retention"}),
}
"""What each process must have as it is in force; a change of anything else does not disturb it."""

MADE_OF_DOCUMENTS = ("rules", "router", "desk", "playbooks", "terms")
"""Parts that are made anew when other documents are in force."""

NO_MACROS = "# Answers written once: docs/answering.md says how.\nmacros: []\n"
NO_EXAMPLES = '# Examples of where a mention must go: docs/routing.md, "Testing rules".\n'


class DocumentParts(Base):
    """The configuration with the documents in force over it."""

    @cached_property
    def documents(self) -> Documents:
        """What is edited at the desk."""
        from desk.documents import KINDS, Documents, Kind

        kinds = {kind: Kind(partial(self._given, kind), partial(self._check, kind)) for kind in KINDS}
        return Documents(self.database, self.clock, kinds)

    def prepare(self) -> None:
        """Bring the store up to date, and put over the configuration what was saved at the desk. To be called before
        anything is made that depends on it."""
        self.store.upgrade()
        saved = self.documents.in_force()
        self.config = overlaid(self.configured, {it.kind: it.body for it in saved if it.body is not None})
        self.in_force = {it.kind: it.version for it in saved}
        for part in MADE_OF_DOCUMENTS:
            self.__dict__.pop(part, None)

    def outdated(self, roles: Iterable[str]) -> dict[str, int]:
        """The documents that these roles use of which another version is in force by now."""
        used = frozenset[str]().union(*(USED_BY.get(role, frozenset()) for role in roles))
        now = self.documents.numbers()
        return {kind: version for kind, version in now.items() if kind in used and version != self.in_force.get(kind)}

    def problems(self) -> list[Problem]:
        """What is wrong with everything that is edited at the desk, as it stands together."""
        return problems_of(partial(getattr, self, part) for part in ("rules", "desk", "playbooks"))

    def _given(self, kind: str) -> str:
        """The text that says what the configuration says."""
        file = self.configured.file
        if section := SECTIONS.get(kind):
            whole = kind == "retention"  # so that whoever edits it sees what there is to set
            dumped: Any = file.model_dump(mode="json", exclude_unset=not whole)
            for step in section:
                dumped = dumped.get(step, {})
            written: str = yaml.safe_dump(_plain(dumped), allow_unicode=True, sort_keys=False) if dumped else ""
            return written
        if kind == "models":
            return models.given(self.configured).text()
        from routing.rules import DEFAULT, DEFAULT_CASES
        from spikes.playbooks import DEFAULT as PLAYBOOKS

        rules = file.routing.rules
        path = {
            "rules": rules or DEFAULT,
            "rule_tests": None if rules else DEFAULT_CASES,
            "macros": file.desk.macros,
            "playbooks": file.alerts.playbooks or PLAYBOOKS,
        }[kind]
        if path is None:
            return NO_MACROS if kind == "macros" else NO_EXAMPLES
        return _text(path)

    def _check(self, kind: str, body: str) -> None:
        """Raise ConfigError with what is wrong with this text, alone and with everything else that is in force."""
        if kind == "rule_tests":
            from routing.cases import run_text

            run_text(self.rules, body)
            return
        if kind == "models":
            models.verify(models.read(body))
            return
        self._refuse_files(kind, body)
        saved = {it.kind: it.body for it in self.documents.in_force() if it.body is not None}
        # What is wrong already, and elsewhere, must not keep anybody from mending this.
        others = {name: text for name, text in saved.items() if name != kind and self._can_be_read(name, text)}
        after = type(self)(overlaid(self.configured, others | {kind: body}), self.clock).problems()
        if not after:
            return
        before = type(self)(overlaid(self.configured, others), self.clock).problems()
        if caused := [problem for problem in after if problem not in before or _about(kind, problem)]:
            raise ConfigError(caused)

    def _can_be_read(self, kind: str, body: str) -> bool:
        try:
            overlaid(self.configured, {kind: body})
        except ConfigError:
            return False
        return True

    def _refuse_files(self, kind: str, body: str) -> None:
        """Whoever edits a calendar may name the files that the operator named, and no other of this machine."""
        if kind != "calendars":
            return
        named = _files(self.configured.file.desk.calendars)
        written = _mapping(body, kind)
        if strange := sorted(_files(written) - named):
            remedy = "import its days as holidays, or have the operator name it in config.yaml"
            raise ConfigError(
                [Problem("calendars", f"the file {name!r} may not be named here", remedy) for name in strange]
            )


def overlaid(config: Config, texts: Mapping[str, str]) -> Config:
    """The configuration with these documents in place of what it says itself. Raises ConfigError where one that stands
    for a part of config.yaml is none."""
    file = config.file
    for kind, body in texts.items():
        if kind not in SECTIONS:
            continue
        *outer, last = SECTIONS[kind]
        tree: Any = _mapping(body, kind)
        for step in (last, *reversed(outer)):
            tree = {step: tree}
        made = validated(File, tree, "")
        if outer:
            desk = file.desk.model_copy(update={last: getattr(made.desk, last)})
            file = file.model_copy(update={"desk": desk})
        else:
            file = file.model_copy(update={last: getattr(made, last)})
    whole = replace(config, file=file, texts={kind: text for kind, text in texts.items() if kind not in SECTIONS})
    return models.put(whole, texts["models"]) if "models" in texts else whole


def macros_of(config: Config) -> Macros | None:
    """The macros that were saved at the desk; None where the configuration's own are in force."""
    from desk.macros import read

    text = config.texts.get("macros")
    return None if text is None else read(text, "macros")


def _mapping(body: str, kind: str) -> dict[str, Any]:
    from routing.documents import parsed

    tree = parsed(body, kind)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError([Problem(kind, "is not a mapping of names", "NAME: and below it, further in, what it is")])
    return tree


def _about(kind: str, problem: Problem) -> bool:
    place = ".".join(SECTIONS.get(kind, (kind,)))
    return problem.path.startswith(place)


def _files(calendars: Mapping[str, Any]) -> set[str]:
    return {
        str(name)
        for calendar in calendars.values()
        if isinstance(calendar, Mapping) and isinstance(calendar.get("ical"), list)
        for name in calendar["ical"]
    }


def _plain(value: Any) -> Any:
    """Without the kind of string that came from the environment, which YAML does not know."""
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return "".join(value) if isinstance(value, str) else value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error}", "check the path")]) from None
