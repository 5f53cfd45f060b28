"""The named entities of a question by rules: quoted titles and spans of capitalised words. English.

It knows no names: a text without capitals has no entity but its quotes, and a first word counts unless it is one that
opens questions. `RunInputs.extract_entities` takes a better extractor.
"""

import re

_QUOTED = re.compile(
    '"([^"]{2,200})"|\u201c([^\u201d]{2,200})\u201d|\u00ab([^\u00bb]{2,200})\u00bb'
    "|(?<!\\w)['\u2018]([^'\u2018\u2019]{2,200})['\u2019](?!\\w)"
)
_PIECE = re.compile(r"\S+")
_OPENING = "([{<*_-\u2013\u2014\"'\u2018\u201c"
_CLOSING = ")]}>*_,;:!?\"'\u2019\u201d\u2026"
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]?\.?")
_POSSESSIVE = re.compile(r"['\u2019]s?$", re.IGNORECASE)
_INSIDE = frozenset(
    {"of", "de", "del", "della", "der", "di", "da", "do", "du", "von", "van", "la", "le", "el", "al", "&"}
)
_ARTICLES = frozenset({"the", "den", "des", "las", "los"})
"""What may stand inside a name between two capitalised words; an article only after one of the others."""
_NO_NAME = frozenset(
    """
    a about above according across after again against all also am among an and any are as associated assuming at
    be because been before below besides between both but by can compared complete consider could describe despite
    did do does during each either every everyone explain for from generally give given had has have he hence her
    here his how however i i'd i'll i'm i've if in indeed inside is it its just let list many may me might most mr
    mrs ms must my name never no no-one nobody none nor not now of often on once one only or other our out over
    please roughly shall she should since so some someone sometimes still suppose tell than that the their them
    then there these they this those though through to today under until upon us was we were what what's whatever
    when whenever where where's wherever whether which whichever while who who's whoever whom whose why will with
    within without would write yes yesterday you your
    january february march april june july august september october november december monday
    tuesday wednesday thursday friday saturday sunday
    """.split()
)
"""Words that are no name however they are written: they open sentences, or tell a date."""
_SHOUTING = 0.7
"""Share of capitalised words from which capitals tell nothing, in a text of at least five words."""
_FEW_WORDS = 5


def entities(text: str) -> tuple[str, ...]:
    """Return the distinct entities of a text in the order of their first mention.

    Quoted spans are one entity each. Outside quotes, neighbouring capitalised words form one, with particles such as
    "of the" between them and numbers after them ("Apollo 11"); words that open questions, months and days are no
    names. A shorter mention of an entity that is there in full ("Revere" beside "Paul Revere") is dropped.

    Args:
        text: A question.
    """
    found: list[tuple[int, str]] = []
    for match in _QUOTED.finditer(text):
        found.append((match.start(), next(group for group in match.groups() if group is not None).strip(" .,?!")))
    outside = _QUOTED.sub(lambda match: "," * len(match[0]), text)
    if not _is_shouting(outside):
        found += _capitalised(outside)
    distinct: dict[str, str] = {}
    for _, entity in sorted(found):
        if entity:
            distinct.setdefault(entity.casefold(), entity)
    return tuple(entity for key, entity in distinct.items() if not any(_is_part(key, other) for other in distinct))


def _capitalised(text: str) -> list[tuple[int, str]]:
    """Return the spans of capitalised words with where they begin."""
    spans: list[tuple[int, list[str]]] = []
    span: list[str] = []  # the last of `spans` while it is open, else empty
    waiting: list[str] = []
    for piece in _PIECE.finditer(text):
        bare = piece[0].lstrip(_OPENING)
        word = bare.rstrip(_CLOSING)
        ends = word != bare
        if not _INITIALS.fullmatch(word) and word.endswith("."):
            word, ends = word.rstrip("."), True
        name = _POSSESSIVE.sub("", word)
        if bare != piece[0]:
            span, waiting = [], []
        if name and _is_name(name):
            if span:
                span += [*waiting, name]
            else:
                span = [name]
                spans.append((piece.start(), span))
            waiting = []
            ends = ends or name != word
        elif span and word.isdigit():
            span.append(word)
            ends = True
        elif span and (word in _INSIDE or (waiting and word in _ARTICLES)):
            waiting.append(word)
        else:
            ends = True
        if ends:
            span, waiting = [], []
    return [(start, " ".join(words)) for start, words in spans]


def _is_name(word: str) -> bool:
    if len(word) > 1 and word.isupper():
        return True  # "US" is not "us"
    return word[0].isupper() and word.casefold().replace("\u2019", "'") not in _NO_NAME


def _is_shouting(text: str) -> bool:
    words = [word for word in text.split() if word[0].isalpha()]
    return len(words) >= _FEW_WORDS and sum(word[0].isupper() for word in words) >= _SHOUTING * len(words)


def _is_part(entity: str, other: str) -> bool:
    return entity != other and f" {entity} " in f" {other} "
