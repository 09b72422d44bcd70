"""The text of an HTML fragment, as a reader would see it: for sources whose content is HTML.

A tokenizer, not a parser: no tree is needed for text, and this takes time in proportion to the length whatever the
input (the standard library's parser takes minutes on a few kilobytes of broken attributes). Nothing is rendered.
"""

from __future__ import annotations

import re
from html import unescape

_BLOCKS = {
    *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer"),
    *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section"),
    *("table", "td", "th", "tr", "ul"),
}
# As browsers do (HTML standard, 13.2.5): what is opened and never closed reaches to the end. So every alternative
# either matches or is refused at its second character, and nothing is scanned twice.
_MARKUP = re.compile(
    r"<!--(?:.*?-->|.*+)"
    r"|<(script|style|template|noscript|iframe|object|svg|head|title)(?=[\s/>])(?:.*?</\1\s*>|.*+)"
    r"|</?([a-z][a-z0-9]*+)(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+(?:>|.*+)"
    r"|<[!?/](?:[^>]*+>|.*+)",
    re.DOTALL | re.IGNORECASE,
)
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n[ \n]*")


def text_of(html: str) -> str:
    """The visible text: no markup, entities resolved, blocks on lines of their own, spaces collapsed."""
    text = unescape(_MARKUP.sub(_break, html.replace("\n", " ")))
    return _BREAKS.sub("\n", _SPACES.sub(" ", text)).strip()


def _break(markup: re.Match[str]) -> str:
    return "\n" if (markup[2] or "").lower() in _BLOCKS else ""
