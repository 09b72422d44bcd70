"""What people call the values that the code knows by a word: states, kinds, intents, roles."""

from __future__ import annotations

from jinja2 import pass_context
from jinja2.runtime import Context

from console.pages.language import marked as _

NAMES = {
    "open": _("open"),
    "new": _("new"),
    "claimed": _("claimed"),
    "snoozed": _("snoozed"),
    "waiting": _("waits for the customer"),
    "replied": _("answered"),
    "withdrawn": _("taken back"),
    "resolved": _("resolved"),
    "closed": _("closed"),
    "acknowledged": _("acknowledged"),
    "statement_out": _("statement out"),
    "calming": _("calming"),
    "reopened": _("open again"),
    "firestorm": _("firestorm"),
    "repost_storm": _("repost storm"),
    "single_author": _("one author"),
    "bot_flood": _("bot flood"),
    "praise": _("praise"),
    "silence": _("silence"),
    "complaint": _("complaint"),
    "lead": _("lead"),
    "question": _("question"),
    "sentiment": _("sentiment"),
    "minor": _("minor"),
    "major": _("major"),
    "critical": _("critical"),
    "agent": _("agent"),
    "marketer": _("marketer"),
    "operator": _("operator"),
    "admin": _("admin"),
    "draft_only": _("drafts only"),
    "rules": _("rules"),
    "rule_tests": _("examples of the rules"),
    "macros": _("macros"),
    "calendars": _("calendars"),
    "service_levels": _("service levels"),
    "brands": _("brands"),
    "playbooks": _("playbooks"),
    "retention": _("retention"),
}


@pass_context
def named(context: Context, value: object) -> str:
    """A value as the reader's language has it; one that is nobody's word but its own stays as it is."""
    word = str(getattr(value, "value", value))
    translated: str = context["page"]._(NAMES[word]) if word in NAMES else word.replace("_", " ")
    return translated
