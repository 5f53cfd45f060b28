"""The `exact` judge: whole-word containment of a reference answer that the answer stands by.

It compares normalised words; it knows English wording around a name, and no synonyms.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from homogaudit.clustering.final_answer import is_number
from homogaudit.labels.numeric import judge_numeric
from homogaudit.labels.stance import Stance, StanceKind, stance_of
from homogaudit.labels.verdict import Verdict
from homogaudit.labels.words import ARTICLES, UNITS, Words, normalised
from homogaudit.questions.scripts import has_no_word_spaces
from homogaudit.records import Generation, LabelValue, Question

_STATED = re.compile(r"(?:^|\n|[.!?]\s|\*)\W{0,40}(?:final\s+)?answer\s*(?:is\b|[:=])", re.IGNORECASE)
_KNOWS_NOT = re.compile(
    r"\bi(?: do not| dont| really dont|m not sure| am not sure|m unsure| cannot| cant| have no)\b"
    r"(?: \w+){0,2}(?: know| sure| idea| remember| recall| say| tell| clue)\b|^(?:unknown|no idea|not sure)\b"
)
_TURN = re.compile(
    r"[,;]\s*(?:but|however|yet|whereas|now|today)\b(?:[^.!?]*?\b(?:is|was|are|were|became))?\s+"
    r"(?:(?:actually|really|now|in\s+fact|in\s+truth|called)\s+)*([A-Z]\w+)"
)
_NEAR = 60
"""Words on either side that say how an answer stands to a name."""
_MORE_OF_A_UNIT = frozenset({"/", "per", "squared", "cubed", "2", "3"})
_FUNCTION_OF_NAMES = frozenset({"it", "is", "was", "i", "he", "she", "they", "in", "and", "but"})


@dataclass(frozen=True, slots=True)
class _Found:
    """The longest reference answer that an answer holds, and how the answer stands to it."""

    alias: str
    words: tuple[str, ...]
    stance: Stance
    is_possessive: bool = False

    @property
    def is_said(self) -> bool:
        return self.stance.kind is StanceKind.SAID


def judge_exact(question: Question, greedy: Generation) -> Verdict:
    """Label an answer by the reference answers that it equals or contains as whole words and stands by.

    Case, accents, Unicode form, articles, punctuation, and how numbers and units are written do not count. What an
    answer denies (`not X`, `X is not`, `rather than X`), leaves to others (`some say X, but`) or names among others
    (`X or Y`) is not said. What is found inside a longer reference answer that is also found (`York` in `New York`)
    does not count beside it.

    Only correct answers said: `correct`; both kinds: `ambiguous`; a correct one mentioned and none said: `ambiguous`;
    none at all: `incorrect`, because the correct ones are meant to be complete. An answer that says that it does not
    know, or lacks the unit of the reference, is `no_match`; so is a truncated one without a correct answer, which might
    have come to it.

    Args:
        question: With `answers`, `incorrect_answers` or both.
        greedy: A valid answer.
    """
    text = greedy.answer
    stated = list(_STATED.finditer(text))
    if stated:
        behind = text[stated[-1].end() :]
        if _find(question.answers, behind) or _find(question.incorrect_answers, behind):
            text = behind
    correct = _find(question.answers, text)
    incorrect = _find(question.incorrect_answers, text)
    if correct is not None and incorrect is not None:
        if _is_inside(incorrect, correct):
            incorrect = None
        elif _is_inside(correct, incorrect):
            correct = None
    if correct is not None and incorrect is not None and correct.is_said and incorrect.is_said:
        if correct.is_possessive == incorrect.is_possessive:
            reason = f"holds the correct `{correct.alias}` and the incorrect `{incorrect.alias}`"
            return Verdict(LabelValue.AMBIGUOUS, reason)
        if correct.is_possessive:
            return Verdict(LabelValue.INCORRECT, f"`{incorrect.alias}` is an incorrect answer")
    if correct is not None and correct.is_said:
        if correct.is_possessive and incorrect is None and (other := _other_name(correct, text, question)):
            return Verdict(LabelValue.NO_MATCH, f"holds `{correct.alias}`, and `{other}` as what is its own")
        if incorrect is None and (other := _turned_to(correct, text, question)):
            return Verdict(LabelValue.AMBIGUOUS, f"holds the reference `{correct.alias}`, and turns to `{other}`")
        return Verdict(LabelValue.CORRECT, f"`{correct.alias}` is a reference")
    if incorrect is not None and incorrect.is_said and not greedy.is_truncated:
        return Verdict(LabelValue.INCORRECT, f"`{incorrect.alias}` is an incorrect answer")
    if correct is not None and correct.stance.kind is StanceKind.MENTIONED:
        return Verdict(LabelValue.AMBIGUOUS, f"{correct.stance.reason} the reference `{correct.alias}`")
    if greedy.is_truncated:
        return Verdict(LabelValue.NO_MATCH, "the answer was cut at the token limit before a correct one")
    if correct is not None:
        return Verdict(LabelValue.INCORRECT, f"denies the reference `{correct.alias}`")
    if not question.answers:
        return Verdict(LabelValue.NO_MATCH, "holds none of the incorrect answers, and no correct one is known")
    if _KNOWS_NOT.search(" ".join(normalised(text).tokens)):
        return Verdict(LabelValue.NO_MATCH, "says that it does not know")
    if (alias := _without_unit(question.answers, text)) is not None:
        return Verdict(LabelValue.NO_MATCH, f"holds the number of `{alias}` without its unit")
    if all(map(is_number, question.answers)) and judge_numeric(question, greedy).value is LabelValue.CORRECT:
        return Verdict(LabelValue.NO_MATCH, f"may hold the number `{question.answers[0]}` in another form")
    return Verdict(LabelValue.INCORRECT, "holds none of the correct answers")


def _find(aliases: tuple[str, ...], text: str) -> _Found | None:
    """Return the longest alias that the answer holds and says, else the longest that it holds."""
    return _find_as_written(aliases, text, digraphs=False) or _find_as_written(aliases, text, digraphs=True)


def _find_as_written(aliases: tuple[str, ...], text: str, *, digraphs: bool) -> _Found | None:
    answer = normalised(text, digraphs=digraphs)
    bare_answer = answer.without_articles()
    best: _Found | None = None
    all_wanted = [_wanted(normalised(alias, digraphs=digraphs)) for alias in aliases]
    for alias, wanted in zip(aliases, all_wanted, strict=True):
        if not wanted:
            continue
        keeps_articles = wanted[-1] in ARTICLES
        held = answer if keeps_articles else bare_answer
        found = _held(alias, wanted, held, [other for other in all_wanted if other])
        if found is None:
            continue
        if best is None or (found.is_said, len(found.words)) > (best.is_said, len(best.words)):
            best = found
    return best


def _wanted(alias: Words) -> tuple[str, ...]:
    """Return the words to look for: without articles, but one at the end is a name (`vitamin A`)."""
    words = alias.words
    return words if words and words[-1] in ARTICLES else alias.without_articles().words


def _held(alias: str, wanted: tuple[str, ...], answer: Words, aliases: list[tuple[str, ...]]) -> _Found | None:
    """Return how an answer stands to an alias that it holds: the best of its places; `None` without one."""
    words = answer.words
    if words == wanted:
        return _Found(alias, wanted, Stance(StanceKind.SAID))
    if has_no_word_spaces(wanted):
        return _Found(alias, wanted, Stance(StanceKind.SAID)) if "".join(wanted) in "".join(words) else None
    best: _Found | None = None
    for start in range(len(words) - len(wanted) + 1):
        if words[start : start + len(wanted)] != wanted:
            continue
        first, last = answer.places[start], answer.places[start + len(wanted) - 1]
        behind = answer.tokens[last + 1 : last + 2]
        if wanted[-1] in UNITS.values() and wanted[0][-1].isdigit() and behind and behind[0] in _MORE_OF_A_UNIT:
            continue
        is_possessive = behind == ("'s",)
        skipped = 1 if is_possessive and answer.tokens[last + 2 : last + 3] not in ((), (".",), (",",)) else 0
        found = _Found(alias, wanted, stance_of(_marked(answer, first, last, aliases)), is_possessive and skipped == 1)
        if best is None or (found.is_said, not found.is_possessive) > (best.is_said, not best.is_possessive):
            best = found
    return best


def _marked(answer: Words, first: int, last: int, aliases: list[tuple[str, ...]]) -> str:
    """Write what stands around the alias at `first` to `last`, itself as `@@` and every other alias as `@`."""
    tokens = [*answer.tokens[max(first - _NEAR, 0) : first], "@@", *answer.tokens[last + 1 : last + 1 + _NEAR]]
    text = " ".join(tokens)
    for words in sorted(aliases, key=len, reverse=True):
        text = re.sub(rf"(?<!\S){re.escape(' '.join(words))}(?!\S)", "@", text)
    return text


def _turned_to(found: _Found, text: str, question: Question) -> str | None:
    """Return a name that the answer turns to behind the reference (`Paris is the largest, but the capital is Lyon`)."""
    known = {*normalised(question.text).words, *(word for x in question.answers for word in normalised(x).words)}
    for match in _TURN.finditer(text):
        before = normalised(text[: match.start()]).without_articles().words
        if match[1].casefold() not in known and " ".join(found.words) in " ".join(before):
            return match[1]
    return None


def _other_name(found: _Found, text: str, question: Question) -> str | None:
    """Return a name that the answer gives to something of the reference's own (`Picasso's friend Georges Braque`)."""
    asked = set(normalised(question.text).words)
    for match in re.finditer(r"(?:['\u2019]s|s['\u2019])((?:\s+[a-z-]+){1,3})\s+([A-Z][\w'\u2019-]+)", text):
        if not _FUNCTION_OF_NAMES & set(match[1].split()) and match[2].casefold() not in asked | set(found.words):
            return match[2]
    return None


def _without_unit(aliases: Iterable[str], text: str) -> str | None:
    """Return an alias that is a number with a unit where the answer holds the number and no unit behind it."""
    words = normalised(text).without_articles().words
    for alias in aliases:
        wanted = normalised(alias).words
        if len(wanted) < 2 or not wanted[0][-1].isdigit() or wanted[1] not in UNITS.values():
            continue
        for place, word in enumerate(words):
            unit = words[place + 1 : place + 2]
            is_part = unit == ("\u00b0",) and not {*words[place + 2 : place + 3]} & {"c", "f", "k"}
            if word == wanted[0] and (is_part or not {*unit} & {*UNITS.values()}):
                return alias
    return None


def _is_inside(part: _Found, whole: _Found) -> bool:
    """Whether the words of `part` are a run of the more numerous words of `whole`."""
    return len(part.words) < len(whole.words) and any(
        whole.words[start : start + len(part.words)] == part.words
        for start in range(len(whole.words) - len(part.words) + 1)
    )
