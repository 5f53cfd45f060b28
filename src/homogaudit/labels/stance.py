"""Whether an answer stands by a name that it holds: says it, denies it, or only mentions it among others.

It reads the English words around the name and knows nothing of the name itself. What it cannot tell counts as said.
"""

import re
from dataclasses import dataclass
from enum import Enum


class StanceKind(Enum):
    """How an answer stands to what it holds."""

    SAID = "said"
    DENIED = "denied"
    MENTIONED = "mentioned"


@dataclass(frozen=True, slots=True)
class Stance:
    """A stance, and in words what it was seen by; empty for `SAID`."""

    kind: StanceKind
    reason: str = ""


_NEGATION = (
    r"(?:not|never|no|neither|nor|cannot|without|hardly|isnt|arent|wasnt|werent|dont|doesnt|didnt|cant|couldnt|wont"
    r"|wouldnt|hasnt|havent|hadnt|shouldnt|aint)"
)
_NO_NEGATION = re.compile(
    r"\b(?:no|without|without any|not|dont|not in|little|never) doubts?\b(?: that)?|\bno question\b(?! is)"
    r"|\bnever mind\b"
    r"|\bnot (?:only|just|merely|uncommon|unusual|surprising|surprisingly|to mention|until|unlike|bad|sure but)\b"
    r"|\bnone other than\b|\bif im not mistaken\b|\b(?:cant|cannot|couldnt) help but\b|\bwhy not\b|\bno less than\b"
    rf"|\b{_NEGATION}(?: \w+){{0,4}} (?:but|other than|except)(?= @)"
    r"|\bhardly (?:secret|surprise|surprising)\b|\b(?:nowhere|nothing|nobody) else (?:but|than)\b|\bno other than\b"
    r"|\b(?:no|nothing) (?:\w+ )?(?:is|was|are|has) [^,.;]*\bthan(?= @)"
    r"|\bnothing (?:beats|but|else than)\b|\bno wonder\b|\bwho does not know\b"
    r"|\bim not (?:sure|certain)\b(?= [,.]| but)"
)
"""Negations that deny nothing, or take a denial back."""
_DENIED_BEFORE = re.compile(
    rf"\b{_NEGATION}"
    r"(?: (?!but\b|although\b|though\b|however\b|instead\b|only\b|just\b|merely\b|because\b)[^\s,.;:!?()]+){0,5} @$"
)
_TURNED_DOWN = re.compile(
    r"\b(?:rather than|instead of|in place of|as opposed to|unlike|anything but|far from|other than|except|except for"
    r"|confused with|mistaken for|hardly|barely)(?: [^\s,.;:!?()]+)? @$"
)
_CALLED_FALSE = re.compile(
    r"\b(?:false|untrue|incorrect|wrong|myth|misconception|mistake|lie)(?: [^\s,.;:!?()]+){0,5} @$"
)
_DENIED_BEHIND = re.compile(
    r"^@(?: 's(?: \w+)?)?(?: (?:is|are|was|were|has|have|had|does|do|did|will|would|could|can|should|may|must))?"
    r"(?: \w+ly)? (?:not|never|neither|no longer|hardly)\b(?! only| just| far| to be confused)"
    r"|^@ (?:isnt|arent|wasnt|werent|doesnt|didnt|cant|couldnt|wont|wouldnt|hasnt|hadnt|aint)\b"
    r"|^@ (?:is|was|are|were) anything but\b"
    r"|^@ \? (?:no|nope|wrong|not|never)\b"
    r"|^@ (?:is|was|would be|are) (?:\w+ ){0,2}(?:wrong|incorrect|false|untrue|myth|misconception)\b"
)
_DOUBTED = re.compile(r"\b(?:doubts?|doubtful|refuse to believe|hard to believe)\b(?: [^\s,.;:!?()]+){0,5} @$")
_PARENTHESIS = re.compile(rf"\b{_NEGATION} , (?:[^\s,.;:!?()]+ ){{1,6}}, @$")
_OTHERS = (
    r"(?:some|many|most|people|others|everyone|everybody|few|you|one|1|they)"
    r"(?: (?!scien|exper|histor|research|schol)\w+){0,3}"
    r" (?:say|says|said|think|thinks|thought|believe|believes|believed|assume|assumes|assumed|claim|claims|claimed"
    r"|guess|expect|credit|credits|mistake|confuse|heard|hear|suspect)"
)
_SAID_BY_OTHERS = re.compile(
    rf"\b(?:{_OTHERS}|although|though|whereas|despite|even if|in spite of|used to be|was once|formerly|previously"
    r"|(?:replaced|succeeded)(?= @)"
    r"|was until|(?:often|commonly|widely|sometimes|popularly|once|long)"
    r" (?:said|thought|believed|assumed|claimed|considered|called)"
    r"|(?:popularly|often|commonly|widely|wrongly|usually|generally) (?:attributed|credited|ascribed) to"
    r"|mistake|(?:thought|believed|said|assumed|rumou?red) to be)\b[^,;:.!?()]* @$"
)
_TURNED_BEFORE = re.compile(r"\b(?:but|however|actually|in fact|in reality|really)\b[^,;:.!?]* @$")
_SAID_BY_OTHERS_BEHIND = re.compile(
    r"^@ (?:is|was|are|were) (?:often|commonly|sometimes|frequently|widely|once|popular|common|usual|typical|frequent)"
    r"(?: \w+){0,2} (?:named|mistaken|confused|thought|believed|called|answer|mistake|guess|error|choice)\b"
    r"|^@ (?:is|was|were) (?:\w+ ){0,3}(?:once|formerly)\b|^@ (?:claims|was until|until)\b"
)
_OPEN = re.compile(
    r"\b(?:whether|either|one of these|one of following|options|candidates|possibilities"
    r"|not (?:sure|certain) (?:that|if|whether)|dont know (?:that|if|whether))\b[^.!?]* @$"
)
_ITEM = r"(?: , (?!in |which |who |that |is |was |are |where |and |but |so )[^\s,.;:!?()]+(?: [^\s,.;:!?()]+){0,2})"
_ALTERNATIVE = re.compile(
    rf"@{_ITEM}* ,? ?or \S"
    rf"|\bor (?:in |at |maybe |perhaps |possibly |even )?@(?! [a-z]+ly)"
    r"|@ / \w|\w / @|\bbetween @ and \w|\bbetween (?:\w+ ){1,3}and @"
)
_PAIR = re.compile(r"^(?:it is |they are )?(?:(?:\w+ ){1,3}and @|@ and \w+(?: \w+){0,2})(?: \.)?$")
_ROW = re.compile(
    r"^@(?: , \w+(?: \w+)?){2,}(?: \.)?$|^(?:\w+(?: \w+)? , )+@(?: , \w+(?: \w+)?)+(?: \.)?$"
    r"|^(?:\w+(?: \w+)? , ){2,}@(?: \.)?$"
)
_MAYBE = re.compile(r"\b(?:maybe|perhaps|possibly|could be|might be|may be)\b")
_COMPARED = re.compile(r"\bthan(?: in| at)? @$")
_SENTENCE_END = re.compile(r"[.!?\n](?= |$)")


def stance_of(text: str) -> Stance:
    """Return how a text stands to what is written `@` in it.

    Args:
        text: Normalised tokens with one space between them; every reference answer of one kind is an `@`, and the one
            that is asked about is written `@@`.
    """
    place = text.index("@@")
    before, behind = text[:place].rstrip(), text[place + 2 :].lstrip()
    before = re.sub(r"@ (?:or|/|and) $|@ , (?:or )?$", "", before + " ").rstrip()
    ends = [found.end() for found in _SENTENCE_END.finditer(before)]
    begun = f"{before[ends[-1] if ends else 0 :].strip()} @".strip()
    begun = re.sub(r" +", " ", _NO_NEGATION.sub(" ", begun))
    going_on = f"@ {behind}".strip()
    end = _SENTENCE_END.search(going_on, 1)
    sentence = begun[:-1] + going_on[: end.end() if end else None]
    sentence = re.sub(r"@(?: (?:or|/|and|,) @)+", "@", sentence)
    if _OPEN.search(begun):
        return Stance(StanceKind.MENTIONED, "names among others")
    if _DOUBTED.search(begun):
        return Stance(StanceKind.MENTIONED, "doubts")
    if _TURNED_DOWN.search(begun) or _DENIED_BEFORE.search(begun) or _CALLED_FALSE.search(begun):
        return Stance(StanceKind.DENIED, "denies")
    if _DENIED_BEHIND.search(going_on) or _PARENTHESIS.search(begun):
        return Stance(StanceKind.DENIED, "denies")
    by_others = _SAID_BY_OTHERS.search(begun) and not _TURNED_BEFORE.search(begun)
    while_clause = re.search(r"\bwhile\b[^,;:.!?]* @$", begun) and "," in going_on
    if by_others or while_clause or _SAID_BY_OTHERS_BEHIND.search(going_on):
        return Stance(StanceKind.MENTIONED, "leaves to others")
    if (
        _ALTERNATIVE.search(sentence)
        or _PAIR.match(sentence.strip())
        or _ROW.match(sentence.strip())
        or len(_MAYBE.findall(text)) > 1
    ):
        return Stance(StanceKind.MENTIONED, "names among others")
    if _COMPARED.search(begun):
        return Stance(StanceKind.MENTIONED, "only compares with")
    return Stance(StanceKind.SAID)
