"""What somebody wrote in a mail, without what they quoted and how they sign.

It is done with care: only what is surely a quotation or a signature goes, and where nothing would be left all stays.
The patterns are the attributions and dividers that common mail programs write.
"""

from __future__ import annotations

import re

_LINES = 2_000
"""So much of a text is looked at."""
_SIGNATURE_LINES = 15
_DIVIDER = re.compile(
    r"^\s*-{2,}\s*(original message|original-nachricht|ursprüngliche nachricht|forwarded message|"
    r"weitergeleitete nachricht|message d'origine|message original|mensaje original|messaggio originale|"
    r"oorspronkelijk bericht|mensagem original)\s*-{2,}\s*$",
    re.IGNORECASE,
)
_ATTRIBUTION = re.compile(
    r"^\s*(?:(?:on|am|le|el|il|op|em|den)\b.{5,300}\b"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev)"
    r"\b.{0,120}:|.{3,200}\b(?:wrote|schrieb|schreef)\s*:)\s*$",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"^\s*\*?(from|von|de|da|van|sent|gesendet|envoyé|enviado|inviato|verzonden|date|datum|to|an|à|para|a|aan|subject|"
    r"betreff|objet|asunto|oggetto|onderwerp|assunto|cc)\s*:\*?\s",
    re.IGNORECASE,
)
_RULE = re.compile(r"^\s*_{10,}\s*$")
_DEVICE = re.compile(
    r"^\s*(sent from (my|outlook|mail for|yahoo|proton)\b.{0,60}|get outlook for \w+.{0,60}|"
    r"(von meine[mr]\b.{0,40} gesendet|gesendet von\b.{0,60})|envoyé de(puis)? mon\b.{0,60}|enviado desde mi\b.{0,60}|"
    r"inviato da\b.{0,60}|verstuurd vanaf\b.{0,60})\s*$",
    re.IGNORECASE,
)
_QUOTED_HTML = re.compile(
    r"<(?:blockquote|div|hr)\b[^>]{0,500}?(?:gmail_quote|gmail_attr|type=[\"']?cite|divRplyFwdMsg|yahoo_quoted|"
    r"moz-cite-prefix|appendonsend|protonmail_quote)",
    re.IGNORECASE,
)


def unquoted_html(html: str) -> str:
    """The HTML up to the first element in which a common mail program puts what is answered."""
    found = _QUOTED_HTML.search(html)
    return html if found is None else html[: found.start()]


def trimmed(text: str, is_reply: bool) -> str:
    """The text without quotation and signature; the text as it is where nothing else is in it.

    Of a mail that is no reply, a line that begins with `>` goes only below an attribution.
    """
    lines = text.split("\n")
    if len(lines) > _LINES:
        return text.strip()
    kept = _without_signature(_without_quotes(_first_part(lines), is_reply))
    return "\n".join(kept).strip() or text.strip()


def _first_part(lines: list[str]) -> list[str]:
    """The lines above the divider or the copied headers below which a mail program puts the mail that is answered."""
    for number, line in enumerate(lines):
        copied = _HEADER.match(line) and sum(bool(_HEADER.match(one)) for one in lines[number : number + 5]) >= 3
        if (_DIVIDER.match(line) or copied) and any(one.strip() for one in lines[:number]):
            above = lines[:number]
            while above and (not above[-1].strip() or _RULE.match(above[-1])):
                above.pop()
            return above or lines
    return lines


def _without_quotes(lines: list[str], is_reply: bool) -> list[str]:
    below = _below(lines)
    kept: list[str] = []
    inside = False
    second = -1
    for number, line in enumerate(lines):
        following = below[number + 1]
        quoted = number == second or (line.startswith(">") and (inside or is_reply))
        if quoted or (_ATTRIBUTION.match(line) and (following.startswith(">") or not following)):
            inside = True
        elif following and _ATTRIBUTION.match(f"{line} {lines[number + 1]}") and below[number + 2].startswith(">"):
            inside, second = True, number + 1  # an attribution that its mail program broke in two
        else:
            inside = inside and not line.strip()
            kept.append(line)
    return kept


def _below(lines: list[str]) -> list[str]:
    """For every place the first line from there on that is not blank; empty where there is none."""
    below = ["", ""]
    for line in reversed(lines):
        below.append(line if line.strip() else below[-1])
    return below[::-1]


def _without_signature(lines: list[str]) -> list[str]:
    for number, line in enumerate(lines):
        below = [one for one in lines[number + 1 :] if one.strip()]
        if line in ("-- ", "--") and len(below) <= _SIGNATURE_LINES:
            lines = lines[:number]
            break
    while lines and (not lines[-1].strip() or _DEVICE.match(lines[-1])):
        lines = lines[:-1]
    return lines
