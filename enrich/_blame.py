"""What sentences say of those they name, as English puts it: `X is better than Y`, `left X for Y`, `let down by X`.

Each name becomes one sign, so that a pattern sees no more of it than where it stands: whoever is called what, the
answer is the same. `A` in a pattern is the one blamed, `B` the one excused, `_` some words of the same sentence without
a name (texts are in small letters).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

SAID = 1.5
"""What it weighs to be blamed so, or excused."""

_SIGN = "\ue000"
_GAP = rf"(?:[^.!?;\n{_SIGN}]{{0,45}}?)"

_WORSE_WORDS = (
    r"(?:worse|slower|ruder|pricier|dearer|uglier|costlier|(?:more|far more|way more) "
    r"(?:expensive|annoying|frustrating|useless|confusing|unreliable|rude|difficult|complicated|painful|unhelpful)"
    r"|less (?:reliable|helpful|friendly|useful|good|honest|secure|safe|stable))"
)
_BETTER_WORDS = (
    r"(?:better|cheaper|faster|quicker|nicer|kinder|easier|friendlier|smoother|cleaner|safer|smarter|simpler|stronger"
    r"|superior|(?:more|far more|way more) (?:reliable|helpful|friendly|useful|honest|secure|stable|generous|modern"
    r"|affordable|responsive|professional)|less (?:expensive|annoying|frustrating|painful|hassle|trouble|awful|bad"
    r"|terrible|horrible|rude|slow|confusing|useless|buggy"
    r"|complicated|stressful|shit|crap))"
)
_GO = (
    r"(?:switch(?:ed|ing)?|mov(?:ed?|ing)|went|go(?:ing)?|gone|chang(?:ed?|ing)|migrat(?:ed?|ing)|transferr?(?:ed|ing)?"
    r"|com(?:e|ing)|came|the switch|jump(?:ed|ing)?|port(?:ed|ing)?)"
)
_SWAP = (
    r"(?:left|leav(?:e|ing)|swapp?(?:ed|ing)?|ditch(?:ed|ing)?|trad(?:ed?|ing)|replac(?:ed?|ing)|dump(?:ed|ing)?"
    r"|exchang(?:ed?|ing)|dropp?(?:ed|ing)?|quit(?:ting)?|cancell?(?:ed|ing)?|abandon(?:ed|ing)?|divorc(?:ed|ing))"
)
_HARM = (
    r"(?:let down|ignored|charged|overcharged|lost|stranded|hung up on|robbed|scammed|ripped off|cheated"
    r"|messed (?:about|around)"
    r"|cancelled|fobbed off|delayed|disappointed|insulted|mistreated|treated like \w+|lied to|abandoned|blocked"
    r"|banned"
    r"|billed|bumped|shafted|screwed(?: over)?|broken|ruined|damaged|refused|kept waiting|left waiting|turned away)"
)
_CARE = (
    r"(?:saved|rescued|helped|sorted|refunded|looked after|fixed|found|solved|welcomed|rebooked|treated well"
    r"|picked up"
    r"|cheered up|repaired|replaced|taken care of)"
)
_DONT = r"(?:(?:do|does|did|would|has|have|had|will|is|are|was)(?:n't|nt| not)|won't|wont|never)"
_DID_NOT = (
    rf"(?: (?:has|have|had|did|would|does))? ?{_DONT}(?: once| ever)? (?:did|do|does|had|have|has|lose|lost"
    rf"|charged?|cancel(?:led)?|break"
    r"|broke|delay(?:ed)?|let|fail(?:ed)?|cause[ds]?|treat(?:ed)?|lied|lie|make|made|overcharged?|give me|gave me"
    r"|keep|kept|pull|put)\b"
)

_TWO = (
    (rf"B_\b{_BETTER_WORDS}\b_\bthan\b_A", True),
    (rf"A_\b{_WORSE_WORDS}\b_\bthan\b_B", True),
    (
        r"B (?:\w+ ){0,3}?(?:beats?|outshines?|outclasses|trumps?|destroys?|crush(?:es)?|smash(?:es)?|blows"
        r"|wipes the floor with) A",
        True,
    ),
    (r"B_\b(?:miles|way|streets|light years|years|far|so far|leagues)? ?ahead of_A", True),
    (r"B (?:>+|over) A", True),
    (r"\bprefer(?:red|s)?_B_\b(?:to|over|than)_A", True),
    (r"\brather_B_\bthan_A", True),
    (r"B_\b(?:and )?not A", False),
    (r"A_\b(?:isn't|isnt|is not|are not|aren't|not|nowhere near|never|not half|wasn't)\b_\bas \w+ as_B", False),
    (
        r"A (?:can't|cannot|cant|couldn't|doesn't|does not|won't|will never) (?:even )?(?:compete|compare|match"
        r"|touch|hold a candle)\b_B",
        False,
    ),
    (r"A (?:is|are|was) no B", False),
    (
        r"A_\b(?:could|should|can|needs? to|ought to|must) (?:learn|take lessons|take notes|take a leaf"
        r"|copy)\b_B",
        False,
    ),
    (r"A_\blag(?:s|ging)?_behind_B", False),
    (r"A makes? B look", False),
    (rf"\b{_GO}\b_\bfrom_A_\b(?:to|over to|onto)_B", True),
    (rf"\b{_SWAP}\b_A_\b(?:for|with)_B", True),
    (
        r"\b(?:chose|choosing|choose|picked|picking|bought|buying|took|taking|take|gimme|give me|gives? me"
        r"|pick)_B_\b(?:over|instead of|rather than|before)_A",
        True,
    ),
    (r"B_\b(?:instead of|rather than)_A", True),
    (
        r"(?:why|how come) (?:can't|cant|can|isn't|aren't|won't|don't|doesn't|couldn't)_A_\b(?:like|as|what|the way"
        r"|how)_B",
        False,
    ),
    (
        r"\bafter_\b(?:years?|months?|decades?|ages) (?:with|at|of)_A_\b(?:moved|moving|switched|switching|went"
        r"|going|joined|left)_B",
        False,
    ),
    (r"\b(?:bye|goodbye|farewell|adios|so long|good riddance)\b_A_\b(?:hello|hi|welcome)\b_B", False),
    (r"B never_\b(?:like|as|the way|what) A (?:does|do|did|has|have|is|are)\b", False),
    (
        r"\bunlike_A,? ?(?:the )?B (?:actually|at least|always|really|does|do|can|will|is (?:great|good|lovely"
        r"|quick|kind)"
        r"|answers?|helps?|works?|cares?|listens?|replies|pays?|delivers?)\b",
        False,
    ),
    (r"B_\bupgrade\b_\b(?:from|on|over)_A", False),
    (r"A_\bdowngrade\b_\bfrom_B", False),
    (r"B_\bcosts? (?:\w+ )?less\b_\bthan_A", True),
    (r"A_\bcosts? (?:\w+ )?more\b_\bthan_B", True),
    (r"\bwhy (?:pay|use|choose|bother|buy|go|stay|fly|book)_A_\bwhen_B", False),
    (r"\bwish_A_\b(?:like|as|the way|how|what)_B", False),
    (r"B (?:is|are) (?:\w+ )?(?:what|everything|all) A_\b(?:be|was|were|used|wants?|wishes|tries|claims?)\b", False),
    (r"A (?:has|have|had|got|have got) nothing on B", False),
    (r"\bat least_B_\bunlike_A", False),
    (r"\bif_B_\b(?:can|could|manages?|does|do|offers?)\b_\bwhy_A", False),
    (r"B_\bnever_\b(?:what|like)_A", False),
    (r"\bonly_A_\bbecause_B", False),
    (r"\boff (?:\w+ )?A_\b(?:to|onto|on to)_B", False),
    (r"\b(?:took|takes|had|needed)_B_\bto (?:fix|sort|clear up|clean up|undo|repair|find|get me out)\b_\bA", False),
)
"""Sentences about two, and whether a regret before them, or a `not` within, turns them round."""

_BLAMED = (
    r"\b(?:done|finished|through|over|had it|angry|furious|fed up|annoyed|disappointed|enough) (?:with|at|of"
    r"|by) (?:\w+ )?A",
    r"\b(?:sick|tired|fed up|enough) of (?:\w+ ){0,2}A",
    r"\b(?:angry|mad|furious) at (?:\w+ )?A",
    r"\b(?:hate|hates|hating|loathe|despise|can't stand|cannot stand|blame|blaming|boycott|avoid|screw|damn"
    r"|fuck)\b (?:\w+ ){0,2}A",
    r"\b(?:bye|goodbye|farewell|adios|so long|good riddance|bye bye),? (?:to )?(?:my )?A",
    r"\b(?:leave|left|leaving|quit|quitting|ditched|ditching|dumped|dumping|dropped|dropping|cancelled|canceled"
    r"|cancelling|binned"
    r"|deleted|uninstalled) (?:my |our |with )?(?:\w+ )?A",
    r"\b(?:got|get|getting) rid of (?:my |our )?A",
    r"\b(?:switch|switched|switching|move|moved|moving|back|refugee|away|escaped?|coming|came|save me"
    r"|free) (?:\w+ ){0,3}from (?:\w+ )?A",
    r"\bbetter than (?:with |at |from |my |the |any |what )?A",
    r"\b(?:instead of|misfortune of|disaster at|nightmare with|trouble with|problem with|issues with|warn you about"
    r"|shame on) (?:\w+ ){0,2}A",
    rf"\b{_HARM}(?: \w+){{0,2}} by (?:\w+ )?A",
    r"\b(?:wrong with|matter with|why is|why are|why does|why do) (?:\w+ )?A(?= (?:so|such|always|still|never|keep"
    r"|charge|lie))",
    r"\bmy ex A",
    r"\bwhy (?:can't|cant|won't|wont|don't|doesn't|didn't|isn't) A\W*(?:$|[?!.])",
    r"\bwhy did (?:i|we) (?:ever )?(?:choose|trust|pick|join|leave \w+ for|go with|buy|book|sign up with) (?:\w+ )?A",
    r"\b(?:i was|we were|used to be|i've been|been) (?:a |an |with )(?:loyal )?A customer",
    r"\bafter (?:what|everything|all) A (?:did|has done|have done|put)",
    r"\b(?:nobody|no one|nothing|none|nowhere)_\bworse than (?:the |my )?A",
    r"\bstay away from A",
    r"A,? (?:not so much|not at all|no chance|nope|forget it)\b",
    r"\bso over A",
    r"\bnever (?:\w+ ){1,4}A_\bagain\b",
    r"\bafter (?:[\w-]+ ){1,4}(?:of|with|at|on) A",
    r"\b(?:without|no|lost|missed|late|stuck|stranded|cancelled)\b_\bthanks to A",
    r"A gave (?:my|our)_\baway\b",
    r"\bfriends don't let \w+ \w+ (?:\w+ )?A",
    r"\b(?:not|never|hardly|un) ?(?:impressed|happy|satisfied|pleased|amused) (?:with|by|at) (?:\w+ )?A",
    r"A (?:refuses|refused|refusing|is refusing|are refusing|forgot|forgets|failed|fails) to\b",
    r"\bbecause of A",
    r"\bthanks to A,? (?:i|we|my|our) (?:missed|lost|have no|had no|am|are|can't)",
    r"\bwith A and (?:always|still|it's|its|every)",
    r"\bstill (?:chasing|waiting (?:for|on)|fighting|arguing with|on hold (?:to|with)) A",
    r"A (?:have|has) lost (?:me|us|a customer|my|our)",
    r"A (?:is|are|was|were) (?:the reason|why|the problem)",
    r"A (?:promised|claims?|claimed|took (?:\w+ )?(?:weeks|months|ages|forever|years)|sent (?:me |us )?the wrong"
    r"|gave (?:me|us) the wrong"
    r"|closed my|closed our|blocked|refused|made me|made us|lies|keeps? (?:me )?\w+ing|threw|smashed|forgets"
    r"|puts? up)\b",
    r"A did (?:it|this|that|so)\b(?! (?:right|well|for|in|at once|within|no questions|without|straight|the same))",
    r"^\W*ex A",
    r"A (?:don't|dont|do not|can't|cant|cannot|won't|wont|didn't|doesn't|isn't|aren't|never) ?\?",
    r"A (?:still )?(?:hasn't|haven't|hasnt|havent)\b(?! (?:done|lost|let|charged|cancelled|failed|had))",
    r"A (?:wouldn't|would not) (?:even )?(?:help|answer|reply|listen|refund|fix|let|take|talk|budge|honou?r|pay"
    r"|give|accept)\b",
    r"A (?:have|has|had) (?:had )?(?:their|its|your) (?:last )?chance",
    r"A (?:never|doesn't|don't|does not|won't|will not|refuses? to|can't|cannot|couldn't"
    r"|didn't) (?:even )?(?:answers?|answered|repl(?:y|ies|ied)"
    r"|works?|worked|cares?|cared|helps?|helped|listens?|listened|respond(?:s|ed)?|pick(?:s|ed)? up|call(?:s"
    r"|ed)? back|turn(?:s|ed)? up"
    r"|show(?:s|ed)? up|arrives?|arrived|delivers?|delivered|refund(?:s|ed)?|pays?|paid|fix(?:es|ed)?|deserves?"
    r"|know|bother|manage)\b",
    r"A (?:has |have )?(?:ignored|ignores|lost|lied|overcharged|charged|cancelled|canceled|ruined|broke|failed"
    r"|forgot|scammed|robbed"
    r"|messed|screwed|put (?:me|us) up|let (?:me|us) down|hung up|kept me waiting)\b",
    r"\bwith A (?:i|we) always (?:do|did|wait|have)",
)
"""What is said against one."""

_EXCUSED = (
    r"\b(?:back|over|off|went|going|turn(?:ed)?|run(?:ning)?) to (?:my |the |good old )?B",
    r"\b(?:switch(?:ed|ing)?|mov(?:ed?|ing)|chang(?:ed|ing)|swapp(?:ed|ing)|jump(?:ed|ing)|porting"
    r"|ported) (?:\w+ ){0,3}to (?:\w+ )?B",
    r"\bworse than (?:with |at |my |the )?B",
    r"\b(?:give|sell|get) me (?:a |an |my )?B",
    r"\bunlike (?:with |at |my |the )?B",
    r"\b(?:compared|next|in comparison) (?:to|with) (?:\w+ )?B",
    r"\b(?:joined|joining|join|signed up (?:with|to|for)|signing up (?:with|to|for)|signed with|gone with|go with"
    r"|going with|went with"
    r"|stick with|sticking with|stay with|stayed with|staying with|stuck with|now with|happy with|glad i chose"
    r"|glad i have"
    r"|grateful for|thank god for|thank you|thanks to|love|loved|loving|miss|missing|prefer|trust"
    r"|recommend) (?:\w+ )?B",
    r"\bglad (?:\w+ ){0,3}with B",
    r"\b(?:should(?:'ve| have)?|could(?:'ve| have)?|wish i had|wish i'd|wish we had"
    r"|wish we'd) (?:just )?(?:\w+ ){1,3}?B",
    r"\b(?:try|trying|trialling|next one is a|team|customers? (?:of|at)|also have|i use|we use|use|using) B",
    r"\b(?:had|have|get|happens?|happen|happened) (?:this|that|any|these|it)? ?(?:\w+ ){0,2}(?:with|at|on|from) B",
    r"\b(?:problems?|issues?|trouble) (?:with|at) B(?!\?)",
    r"\bnot (?:even )?mad at B",
    r"\bnot (?:by |with |at |from )?B(?:'s fault)?",
    r"\bthan (?:with|at) B",
    rf"\b{_CARE}(?: \w+){{0,2}} by (?:\w+ )?B",
    r"\bleaf out of B",
    r"\bmore like B",
    r"\bwhat B (?:does|do|did|offers?)\b",
    rf"B{_DID_NOT}",
    r"B never\W*(?:$|[.!\n])",
    r"B (?:it (?:is|was)\b|here i come|got (?:it|this) right|for the win|ftw)",
    r"B (?:is|are|was|were) (?:(?:so much|way|much|far|a lot) )?(?:better|cheaper|faster|nicer|quicker"
    r"|kinder)\b(?! than)",
    r"B (?:\w+ ){0,2}(?:answered|fixed|found|helped|replied|refunded me|sorted|solved|picked up|rescued|saved"
    r"|called me back|called back|rebooked)\b",
    r"B customers? now",
    r"\bdoes B (?:manage|have)\b",
    r"\bwith B (?:i|we) never",
    r"\b(?:with|at) B and (?:never|no|it just|not once)",
    r"\bnow (?:a |an |with |at |i'm with |i am with )?B",
    r"\b(?:i'm|im|i am|we're|we are) (?:now )?(?:with|at|on) B now\b",
    r"B,? (?:you have|you've|you|have|has|just) (?:got |won |gained |earned )+(?:yourself )?an? (?:\w+ )?customer",
    r"B (?:forever|for ever|for good)\b",
    r"\bonly (?:fly|use|shop at|shop with|buy|book|eat at|go to|bank with|trust|order from|stay at) B",
    r"\bthank (?:god|goodness|heavens|the lord)(?: for)? B",
    r"\b(?:tell everyone to use|everyone should use|you should use|just use|go to|go for|choose|use) B",
    r"B (?:is|was|are|were) (?:\w+ )?(?:superior|the (?:better|right|best|smarter|safer|wiser) (?:\w+))\b(?! than)",
    r"B did (?:it|that|this)?_\b(?:no questions|without|at once|straight away|right away|for free|in (?:\w+ )?\w+)\b",
    r"B (?:would|could) have been (?:\w+ )?(?:fine|better|great|cheaper|faster|easier)",
    r"B (?:exists|to the rescue|saved the day|for life)\b",
    r"B (?:would|will) never",
    r"B from now on",
    r"\b(?:next|new|future) [^.!?\n]{0,20}\b(?:will be|is|be) (?:a |an |with |from )?B",
    r"\b(?:maybe|perhaps|please|go|just) ask B",
    r"B (?:gets?|got|has|have|deserves?|earned) (?:my|our) (?:money|business|custom|vote|loyalty)",
    r"\b(?:rebooked|rebooking|reordered|ended up)(?: \w+)? (?:with |at )?B",
)
"""What is said for one."""

_TURN = re.compile(
    r"\b(?:regret\w*|can(?:'t|not|t) believe (?:i|we)(?: ever)?(?! (?:waited|stayed|took))|mistake|wrong to"
    r"|should(?:n't| not| never) have|sorry i|wish i (?:had not|hadn't|never)"
    r"|fool\w* to)\b"
)
SPARED = re.compile(
    r"\b(?:never|no|not|without|zero|nor)\W+"
    r"(?:(?:had|have|has|having|once|any|an?|one|single|the|been|got|gotten)\W+){0,4}$",
    re.I,
)
"""What stands before trouble that there was not: `never had a single`."""

_NOT = re.compile(r"\b(?:not|no|never|hardly|nor)\b|n't\b")


class Name(NamedTuple):
    """Somebody or something named (or meant by `you`), and where, in characters."""

    who: str
    start: int
    end: int


def _compiled(pattern: str) -> re.Pattern[str]:
    named = pattern.replace("A", rf"(?P<blamed>{_SIGN})(?:'s)?").replace("B", rf"(?P<excused>{_SIGN})(?:'s)?")
    return re.compile(named.replace("_", _GAP))


_PAIRS = [(_compiled(pattern), turns) for pattern, turns in _TWO]
_AGAINST = [_compiled(pattern) for pattern in _BLAMED]
_FOR = [_compiled(pattern) for pattern in _EXCUSED]


def compared(text: str, names: Sequence[Name]) -> Mapping[str, float]:
    """What `text` says for (below 0) or against each of `names` (in order, none overlapping), SAID each time. What is
    said of two at once goes before what is said of one, and each place is counted once."""
    line, at = _signed(text, names)
    found: defaultdict[str, float] = defaultdict(float)
    told: set[int] = set()
    for pattern, turns in _PAIRS:
        for match in pattern.finditer(line):
            one, other = at[match.start("blamed")], at[match.start("excused")]
            if names[one].who == names[other].who or told & {one, other}:
                continue
            told |= {one, other}
            if turns and (_TURN.search(line[max(0, match.start() - 30) : match.start()]) is not None) != _denied(match):
                one, other = other, one
            found[names[one].who] += SAID
            found[names[other].who] -= SAID
    for patterns, group, weight in ((_AGAINST, "blamed", SAID), (_FOR, "excused", -SAID)):
        for pattern in patterns:
            for match in pattern.finditer(line):
                one = at[match.start(group)]
                if one not in told:
                    told.add(one)
                    spared = group == "blamed" and SPARED.search(line, max(0, match.start() - 40), match.start())
                    found[names[one].who] += -weight if spared else weight
    return found


def _signed(text: str, names: Sequence[Name]) -> tuple[str, Mapping[int, int]]:
    """The text in small letters with a sign for each name, and which name each sign is."""
    parts: list[str] = []
    at: dict[int, int] = {}
    length = until = 0
    for number, name in enumerate(names):
        between = text[until : name.start].lower().replace("\u2019", "'").replace(_SIGN, " ")
        parts += [between, _SIGN]
        at[length + len(between)] = number
        length += len(between) + 1
        until = name.end
    parts.append(text[until:].lower().replace("\u2019", "'").replace(_SIGN, " "))
    return "".join(parts), at


def _denied(match: re.Match[str]) -> bool:
    """Whether a comparison denies itself: `is no better than`."""
    first, last = sorted((match.start("blamed"), match.start("excused")))
    return _NOT.search(match.string[first:last]) is not None
