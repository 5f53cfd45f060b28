"""The `exact` judge: whole-word containment of a reference answer, not when negated.

It compares normalised words; it knows English articles and negations only, and no synonyms.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from homogaudit.labels.verdict import Verdict
from homogaudit.questions.scripts import has_no_word_spaces
from homogaudit.records import Generation, LabelValue, Question

__all__ = ["judge_exact"]

_ARTICLES = frozenset({"a", "an", "the"})
_NEGATIONS = frozenset(
    """
    not never no neither nor cannot without isnt arent wasnt werent dont doesnt didnt cant couldnt wont wouldnt hasnt
    havent hadnt shouldnt aint
    """.split()
)
_END_OF_NEGATION = frozenset({"but", "although", "though", "however", "instead", "only", "just", "merely"})
"""Words between a negation and an alias that take the alias out of its reach: `not X but Y`, `not only X`."""
_REACH = 3
"""A negation governs the few words after it."""

_APOSTROPHES = re.compile(r"['\u2019\u02bc`]")
_ACRONYM = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_TOKEN = re.compile(r"\d+(?:\.\d+)?\w*|\w+|[,.;:!?()\n]|[\u2013\u2014]")
_CLAUSE_ENDS = frozenset(",.;:!?()\n\u2013\u2014")


@dataclass(frozen=True, slots=True)
class _Words:
    """Normalised words of a text, each with the number of the clause that it stands in."""

    words: tuple[str, ...]
    clauses: tuple[int, ...]

    def without_articles(self) -> "_Words":
        kept = [number for number, word in enumerate(self.words) if word not in _ARTICLES]
        return _Words(tuple(self.words[i] for i in kept), tuple(self.clauses[i] for i in kept))


@dataclass(frozen=True, slots=True)
class _Found:
    """Where the longest un-negated reference answer was found: its words, or none."""

    alias: str
    words: tuple[str, ...]


def judge_exact(question: Question, greedy: Generation) -> Verdict:
    """Label an answer by the reference answers that it equals or contains as whole words.

    Case, Unicode form, articles and punctuation do not count. A reference answer within three words after a negation of
    the same clause (`not X`, `isn't X`, `never X`) is not found; `not X but Y` finds Y. What is found inside a longer
    reference answer that is also found (`York` in `New York`) does not count beside it.

    Only correct answers found: `correct`; both kinds: `ambiguous`; no correct one: `incorrect`, because the correct
    ones are meant to be complete. A truncated answer without a correct one is `no_match`: it might have come to it.

    Args:
        question: With `answers`, `incorrect_answers` or both.
        greedy: A valid answer.
    """
    answer = _normalised(greedy.answer)
    correct = _longest_found(question.answers, answer)
    incorrect = _longest_found(question.incorrect_answers, answer)
    if correct is not None and incorrect is not None:
        if _is_inside(incorrect, correct):
            incorrect = None
        elif _is_inside(correct, incorrect):
            correct = None
    if correct is not None and incorrect is not None:
        reason = f"holds the correct `{correct.alias}` and the incorrect `{incorrect.alias}`"
        return Verdict(LabelValue.AMBIGUOUS, reason)
    if correct is not None:
        return Verdict(LabelValue.CORRECT, f"holds `{correct.alias}`")
    if greedy.is_truncated:
        return Verdict(LabelValue.NO_MATCH, "the answer was cut at the token limit before a correct one")
    if incorrect is not None:
        return Verdict(LabelValue.INCORRECT, f"holds the incorrect `{incorrect.alias}`")
    if not question.answers:
        return Verdict(LabelValue.NO_MATCH, "holds none of the incorrect answers, and no correct one is known")
    return Verdict(LabelValue.INCORRECT, "holds none of the correct answers")


def _normalised(text: str) -> _Words:
    text = unicodedata.normalize("NFKC", text).casefold()
    text = _APOSTROPHES.sub("", text)
    text = _ACRONYM.sub(lambda found: found[0].replace(".", ""), text)
    text = _THOUSANDS.sub("", text)
    words: list[str] = []
    clauses: list[int] = []
    clause = 0
    for token in _TOKEN.findall(text):
        if token in _CLAUSE_ENDS:
            clause += 1
        else:
            words.append(token)
            clauses.append(clause)
    return _Words(tuple(words), tuple(clauses))


def _longest_found(aliases: Iterable[str], answer: _Words) -> _Found | None:
    """Return the longest alias that the answer holds un-negated, the first of those of one length."""
    bare_answer = answer.without_articles()
    best: _Found | None = None
    for alias in aliases:
        words = _normalised(alias)
        # An article at the end is a name (`vitamin A`), and an alias of articles alone has nothing else.
        keeps_articles = bool(words.words) and words.words[-1] in _ARTICLES
        wanted = words.words if keeps_articles else words.without_articles().words
        if not wanted or (best is not None and len(wanted) <= len(best.words)):
            continue
        if _is_held(wanted, answer if keeps_articles else bare_answer):
            best = _Found(alias, wanted)
    return best


def _is_held(wanted: tuple[str, ...], answer: _Words) -> bool:
    if answer.words == wanted:
        return True
    if has_no_word_spaces(wanted):
        return "".join(wanted) in "".join(answer.words)
    length = len(wanted)
    return any(
        answer.words[start : start + length] == wanted and not _is_negated(start, answer)
        for start in range(len(answer.words) - length + 1)
    )


def _is_negated(start: int, answer: _Words) -> bool:
    """Whether one of the few words before `start`, in its clause, negates it."""
    for position in range(start - 1, max(start - 1 - _REACH, -1), -1):
        if answer.clauses[position] != answer.clauses[start] or answer.words[position] in _END_OF_NEGATION:
            return False
        if answer.words[position] in _NEGATIONS:
            return True
    return False


def _is_inside(part: _Found, whole: _Found) -> bool:
    """Whether the words of `part` are a run of the more numerous words of `whole`."""
    return len(part.words) < len(whole.words) and any(
        whole.words[start : start + len(part.words)] == part.words
        for start in range(len(whole.words) - len(part.words) + 1)
    )
