"""The one spaCy pipeline that all stages share: tokens for matching, and what a text is without its addresses.

spaCy's `Doc`, vocabulary and matchers are used as they are; its rule tokenizer is not. Written for edited prose, it
takes 60 to 220 µs for a post of new words, and leaves `.@acme`, `acme|globex` and unspaced scripts in one piece. The
one here is a single regular expression and takes about 35 µs. It keeps addresses (links, e-mail, `@handle`) whole,
splits `#` and the endings after an apostrophe off, and makes each character of a script written without spaces a
token, so that a term is found in Chinese, Japanese or Thai as well.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import spacy
from spacy.attrs import LOWER, NORM
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

CHARS = 5_000
"""Only so many characters of a text are read, so that a hostile one costs no more than a long one. The longest post
of the platforms we know is shorter, reviews included; a longer article says what it is about at its start."""

VOCABULARY = 60_000
"""spaCy keeps every word it has ever seen. After so many (about 25 MB) the tokenizer goes on with a fresh vocabulary,
and the old one is freed with its last Doc, so that memory does not grow with time. Measured instead:
`Language.memory_zone` still grows its tables by every new word, and a Doc that outlives its zone is undefined."""

_NAMED = (
    r"(?=[hHwW@])(?:(?i:https?://|www\.)\S++"
    # A handle, with its domain on Bluesky (@acme.bsky.social) and its host on Mastodon (@acme@example.social), all of
    # one case: after `@acme.Please` a sentence begins.
    r"|(?<![\w@])@\w++(?:(?:[.-][a-z0-9]++)*\.[a-z]{2,}|(?:[.-][A-Z0-9]++)*\.[A-Z]{2,})?"
    r"(?:@\w[\w.-]*\.(?i:[a-z]++))?)"
)
_MAIL = r"(?<!\w)\w++(?:[.+-]\w++){0,4}+@\w++(?:[.-]\w++)++"
_BARE = r"(?![.+@-])"
"""After a word: it opens no address. Most words are done with there."""

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECE = r"({address}|['\u2019](?i:t|s|re|ve|ll|d|m)\b|{word}|[^\w\s]|\s+)( ?)"


def _pattern(word: str, *, spaced: bool = True) -> re.Pattern[str]:
    address = f"{_NAMED}|{word}{_BARE}|{_MAIL}" if spaced else f"{_NAMED}|{_MAIL}"
    return re.compile(_PIECE.format(address=address, word=word))


def _marks() -> str:
    # Vowel signs and accents that stand as characters of their own, as ranges for a character class. `\w` lacks them.
    codes = [code for code in range(0x300, 0xFE00) if unicodedata.category(chr(code)) in ("Mn", "Mc")]
    ranges = [list(group) for _, group in groupby(enumerate(codes), lambda pair: pair[1] - pair[0])]
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in ranges)


_WORD = rf"(?:\w[{_marks()}]*+)++"
_CHARACTERS = rf"[{_UNSPACED}][{_marks()}]*+|(?:(?![{_UNSPACED}])\w[{_marks()}]*+)++"
_unspaced = re.compile(f"[{_UNSPACED}]")
_ascii_token = _pattern(r"\w++")
_unicode_token = _pattern(_WORD)
_unspaced_token = _pattern(_CHARACTERS, spaced=False)

_SHORT = {
    "u": "you",
    "ur": "your",
    "r": "are",
    "pls": "please",
    "plz": "please",
    "plse": "please",
    "thx": "thanks",
    "tnx": "thanks",
    "thnx": "thanks",
    "ty": "thanks",
    "b4": "before",
    "gr8": "great",
    "luv": "love",
    "hrs": "hours",
    "hr": "hour",
    "mins": "minutes",
    "min": "minute",
    "wks": "weeks",
    "wk": "week",
} | dict.fromkeys(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), "0")


def normal(word: str) -> str:
    """The form in which vocabularies are matched: small letters, any number as `0`, any handle as `@`, any link as
    `://`, a typographic apostrophe as a plain one, and the commonest abbreviations written out."""
    lower = word.lower()
    first = lower[0]
    if first.isdigit():
        return "0" if lower.isdigit() else lower
    if first == "@" and len(lower) > 1:
        return "@"
    if first == "\u2019":
        return "'" + lower[1:]
    if lower.startswith(("http://", "https://", "www.")):
        return "://"
    return _SHORT.get(lower, lower)


class Tokenizer:
    """Text to Doc, of the first CHARS characters. `doc.text` is that text, so offsets are those of the mention.

    `doc.user_data` holds `text` (what was read), `words` (the tokens as written) and `plain` (see below).
    """

    def __init__(self) -> None:
        self._renew()

    def __call__(self, text: str) -> Doc:
        if len(self.vocab) > VOCABULARY:
            self._renew()
        text = text[:CHARS]
        if text.isascii():
            pattern = _ascii_token
        elif _unspaced.search(text):
            pattern = _unspaced_token
        else:
            pattern = _unicode_token
        pairs = pattern.findall(text)
        if not pairs:
            return Doc(self.vocab, user_data={"text": "", "words": [], "plain": ""})
        words = [word for word, _ in pairs]
        known = self._known
        hashes: Any = [known[word] for word in words]
        spaces = [space == " " for _, space in pairs]
        plain = text
        if "://" in text or "www." in text.lower():
            plain = "".join([" " if _is_address(word) else word + space for word, space in pairs])
        elif "@" in text:
            plain = "".join([" " if "@" in word and word != "@" else word + space for word, space in pairs])
        return Doc(self.vocab, words=hashes, spaces=spaces, user_data={"text": text, "words": words, "plain": plain})

    def _renew(self) -> None:
        self.vocab = _vocabulary()
        self._known = _Hashes(self.vocab.strings)


class _Hashes(dict[str, int]):
    """spaCy's hash of each word, remembered: to make a Doc of hashes takes two thirds of the time."""

    def __init__(self, strings: Any) -> None:
        super().__init__()
        self._strings = strings

    def __missing__(self, word: str) -> int:
        found: int = self._strings.add(word)
        self[word] = found
        return found


def build() -> Language:
    """The shared pipeline: no language, no model, two attributes a word (LOWER for brands, NORM for vocabularies).

    A doc's words are in `doc.vocab`, which is not `nlp.vocab`. spaCy's matchers compare hashes of words, which are
    the same in every vocabulary.
    """
    nlp = spacy.blank("xx")
    nlp.tokenizer = Tokenizer()
    nlp.max_length = sys.maxsize  # the tokenizer reads no more than CHARS of it
    return nlp


def _vocabulary() -> Vocab:
    return Vocab(lex_attr_getters={LOWER: str.lower, NORM: normal})


def words(doc: Any) -> Sequence[str]:
    """The tokens as written."""
    found: Sequence[str] = doc.user_data["words"]
    return found


def text(doc: Any) -> str:
    """What was read of the text: its first CHARS characters."""
    found: str = doc.user_data["text"]
    return found


def plain(doc: Any) -> str:
    """The text without links, e-mail addresses and handles: what its author said."""
    found: str = doc.user_data["plain"]
    return found


def _is_address(word: str) -> bool:
    return len(word) > 1 and ("@" in word or "://" in word or word[:4].lower() == "www.")
