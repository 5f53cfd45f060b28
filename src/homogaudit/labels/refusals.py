"""A rule list for refusals, so that the single-cluster rate can be given without them.

It knows English and Chinese phrases of refusing, and nothing of what was asked. Not knowing is no refusal:
`I don't know` and `I can't say for sure` are answers.
"""

import re
from functools import lru_cache

_OPENING = 300
"""Characters read: a refusal says so at the start, and later mentions quote or advise."""

_UNABLE = (
    r"(?:cannot|can\s?not|can't|am\snot\sable\sto|'m\snot\sable\sto|(?:won't|will\snot)\sbe\sable\sto|am\sunable\sto|'m\sunable\sto|won't|will\snot"
    r"|(?:am|'m)\snot\s(?:allowed|permitted|programmed|designed)\sto)"
)
_COMPLY = (
    r"(?:answer|respond|reply|help(?!\s(?:but|\w+ing)\b)|assist|provide|give|offer|share|discuss|comply|fulfil+|support|generate|create|write"
    r"|engage|participate|comment|do\sthat)"
)
_SPEAKS = r"(?<![\"\u201c\u2018])\b"
"""The answer itself, not somebody whom it quotes."""
_KNOW = r"(?:know|find|recall|remember|confirm|verify|tell|say|see|think|be\s(?:sure|certain))"
_MODEL = r"an?\s(?:ai|artificial\sintelligence|(?:large\s)?language\smodel|virtual\sassistant)\b"
# What a model lacks as a reason not to answer; lacking a body or feelings is an answer to a question about itself.
_LACK = (
    r"(?:don't|do\snot)\s(?:have|hold|possess)\s(?:\w+\s){0,2}?"
    r"(?:opinions?|beliefs?|preferences?|views?|access|ability)\b"
)
_RULES = (
    rf"{_SPEAKS}i\s?{_UNABLE}\s(?:in\sgood\sconscience\s)?(?:\w+\s){{0,2}}?{_COMPLY}\b",
    rf"\b(?:sorry|afraid|apologi[sz]e),?\s(?:but\s)?(?:that\s)?i\s?{_UNABLE}\b(?!\s{_KNOW}\b)",
    r"\bi\s(?:must|have\sto)\s(?:respectfully\s)?(?:decline|refuse)\b",
    r"\bi(?:'m|\sam)\sgoing\sto\s(?:have\sto\s)?(?:decline|refuse)\b",
    r"\bi(?:'m|\sam)\s(?:programmed|designed|instructed|trained|told)\snot\sto\b",
    r"\b(?:inappropriate|not\sappropriate)\sfor\sme\sto\b",
    r"\bi\s(?:respectfully\s)?(?:decline|refuse)\sto\b",
    rf"\b(?:as|i(?:'m|\sam)(?:\sjust|\sonly)?)\s{_MODEL}.{{0,80}}?\bi\s?(?:{_UNABLE}(?!\s{_KNOW}\b)|{_LACK})",
    r"\b(?:your|this|that|the)\s(?:request|question)\s(?:goes\sagainst|violates|is\snot\ssomething\si)\b",
    r"\bi(?:'d|\swould)\s(?:prefer|rather)\snot\s(?:to\s)?(?:answer|say|discuss|comment)\b",
    r"\b(?:that|this|it)(?:'s|\sis)\snot\ssomething\s(?:that\s)?i\s(?:can|could|will|am\sable)\b",
    r"\bi(?:'m\snot|\sam\snot|\s(?:do\snot|don't)\sfeel)\scomfortable\s(?:with\s)?\w+ing\b",
    r"\bmy\s(?:guidelines?|programming|polic(?:y|ies)|instructions|developers)\s(?:\w+\s)?"
    r"(?:do(?:es)?\snot|do(?:es)?n't|prevents?|forbids?|prohibits?)\b",
    r"^no\scomment\b",
    # "I (or: sorry,) ... cannot ... answer, provide, help, assist"
    r"(?:\u6211|\u62b1\u6b49)[^\u3002]{0,12}(?:\u65e0\u6cd5|\u4e0d\u80fd)[^\u3002]{0,6}"
    r"(?:\u56de\u7b54|\u63d0\u4f9b|\u5e2e\u52a9|\u534f\u52a9)",
)
_REFUSAL = re.compile("|".join(f"(?:{rule})" for rule in _RULES))
_ANY = re.compile(
    "n(?:o|')t|unable|decline|refuse|inappropriate|against|violates|prevent|forbid|prohibit|no\\scomment|\u65e0\u6cd5|\u4e0d\u80fd"
)
"""One of these is in whatever a rule finds; most answers hold none, and then no rule need be tried at every place."""
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'", "`": "'"})


@lru_cache(maxsize=1 << 14)
def is_refusal(text: str) -> bool:
    """Whether an answer refuses instead of answering.

    Args:
        text: An answer. An empty one is no refusal: it is counted as empty.
    """
    opening = " ".join(text[: 2 * _OPENING].translate(_APOSTROPHES).lower().split())[:_OPENING].lstrip('"\u201c\u2018')
    return _ANY.search(opening) is not None and _REFUSAL.search(opening) is not None
