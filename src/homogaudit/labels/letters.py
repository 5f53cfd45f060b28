"""Answers that name a choice by its letter, and references that name one where the choices are not known.

It reads letters as people and models write them (`B`, `(B)`, `B. Mercury`, `the answer is B`), and never the `a` of a
sentence. It knows English words around them only.
"""

import re
from collections.abc import Mapping, Sequence

from homogaudit.labels.verdict import Verdict
from homogaudit.questions.choices import lettered_options
from homogaudit.records import CHOICE_LETTERS, Generation, LabelValue, Question

_MARKS = r"[\s*_`\"'\[>#]*"
_ALONE = re.compile(rf"{_MARKS}\(?([A-Za-z])[).:\]]?[\s*_`\"'.!\]]*")
_LISTED = re.compile(rf"{_MARKS}\(?[A-Z]\)?(?:(?:\s*[,;/&]\s*|\s+)(?:and\s+)?\(?[A-Z]\)?)+[\s*_`\"'.!]*")
_LEADING = re.compile(
    rf"{_MARKS}(?:\(([A-Za-z])\)|([a-z])\)|([A-Z])(?:[).:]|[*_]+|\s+[-\u2013\u2014]))(?=[\s*_]|$)"
    r"(?!(?:(?!\b(?:because|since|as)\b)[^.!?\n])*(?:\b(?:is|are)\s+(?:wrong|incorrect|false|not)\b|,\s*no\b))"
    r"(?!.*[.,]\s+(?:[Nn]o|[Ww]ait|[Aa]ctually),)"
)
_ANNOUNCED = re.compile(
    r"\b(?i:(?:answer|choice|option|letter|select|choose|pick)\b(?:\s+(?:is|would\s+be|should\s+be|choice|option|letter))*)"
    r"[\s:*_`\"'(\[]*([A-Z])(?=[)\].,:;*_`\"']|$|\s+(?:because|since|as|and|which|for|\(|[-\u2013\u2014])|(?<![AI])\s)"
    r"(?!['\u2019]\w)(?![)\]*_]*\s+(?:is|are)\s+(?:wrong|incorrect|false|not))"
)
_CALLED_RIGHT = re.compile(
    r"(?<![\w'\u2019])\(?([A-Z])\)?\s+(?:is|would\s+be|must\s+be)\s+(?:definitely\s+|clearly\s+)?(?:the\s+)?"
    r"(?:most\s+)?(?:correct|right|best)\b"
)
_CALLED_IT = re.compile(r"\b(?:[Ii]t|[Tt]hat|[Tt]his)(?:\s+(?:is|must\s+be)|['\u2019]s)\s+\(?([B-HJ-Z])\)?(?=[.!,;]|$)")
_SMALL = re.compile(r"\b(?:answer|option|choice|letter)(?:\s+is)?[\s:]*\(?([b-hj-z])\)?(?=[.,;!]|\s*$)", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:not|never|cannot|doubt|hard|difficult|wrong|neither|anything\s+but|\w+n['\u2019]t)\b"
    r"(?:(?![.;:!?,\n]|\b(?:but|so|because|therefore)\b).)*$"
)
"""Words before a letter, in its clause, that take back what is said of it."""
_TAG = re.compile(r"</?[A-Za-z]+>")
_MENTIONED = re.compile(r"(?<![A-Za-z0-9_'\u2019.])([A-Z])(?!['\u2019]?[A-Za-z0-9_]|\.\w)")

_BRACKETED = re.compile(r"\(([A-Z])\)|\\(?:boxed|text)\{\(?([A-Z])\)?\}")

_INDEX_OR_LETTER = re.compile(r"\(?[A-Ja-j][).:]?|[0-9]")
_ASKS_NUMBER = re.compile(
    r"[0-9]|\b(?:how\s+(?:many|much|old|far|long|often)|number|count|digits?|sum|product|value|solve|total|equals?"
    r"|plus|minus|times|year|grade|score|rating|page|chapter|level)\b",
    re.IGNORECASE,
)
_ASKS_LETTER = re.compile(
    r"\b(?:letter|vitamin|grade|blood|note|key|clef|chord|initial|drive|element|symbol)\b", re.IGNORECASE
)
"""Questions whose answer may be a number or a letter itself."""


def with_letters(question: Question, greedy: Generation, verdict: Verdict) -> Verdict:
    """Return the verdict by texts, corrected by the letter that an answer names among the choices it was asked.

    Args:
        question: With `choices`, or with lettered options in its text; else the verdict stands.
        greedy: A valid answer.
        verdict: Of a judge that compares texts.
    """
    options = _options(question)
    if len(options) < 2:
        return verdict
    right = _right_letters(question, options)
    letters = "".join(options)
    named = named_letters(greedy.answer, letters)
    if len(named) > 1 and _LISTED.fullmatch(greedy.answer) and set(named) in (right, set(named) - right):
        is_right = set(named) == right
        reason = f"names the choices {', '.join(named)}, {'the' if is_right else 'no'} correct ones"
        return Verdict(LabelValue.CORRECT if is_right else LabelValue.INCORRECT, reason)
    if right and len(named) != 1 and verdict.value is LabelValue.INCORRECT and _mentions(greedy.answer, letters):
        return Verdict(LabelValue.NO_MATCH, f"speaks of choices by their letters, and {verdict.reason}")
    if not right or len(named) != 1:
        return verdict
    letter = named[0]
    is_right = letter in right
    agrees = LabelValue.CORRECT if is_right else LabelValue.INCORRECT
    opposite = LabelValue.INCORRECT if is_right else LabelValue.CORRECT
    if verdict.value is opposite and _holds_text(question, greedy, options, letter, is_right=is_right):
        return Verdict(LabelValue.AMBIGUOUS, f"names the choice {letter}, and {verdict.reason}")
    return Verdict(agrees, f"names the choice {letter}, which is {'a' if is_right else 'no'} correct one")


def named_letters(answer: str, letters: str = CHOICE_LETTERS) -> tuple[str, ...]:
    """Return the letters by which an answer names choices: the one that it begins with, else all that it names.

    Args:
        answer: The text.
        letters: Of the choices; capitals.
    """
    answer = _TAG.sub(" ", answer).strip()
    if (match := _ALONE.fullmatch(answer)) and match[1].upper() in letters:
        return (match[1].upper(),)
    # Who begins with the first choice and goes on with the others repeats what was asked.
    is_list = len(lettered_options(answer)) > 1
    leading = None if is_list else _LEADING.match(answer)
    if leading is None and _LISTED.fullmatch(answer):
        return tuple(dict.fromkeys(letter for letter in re.findall("[A-Z]", answer) if letter in letters))
    found = [] if leading is None else [(0, leading[1] or leading[2] or leading[3])]
    found += [
        (match.start(1), match[1])
        for pattern in (_ANNOUNCED, _CALLED_RIGHT, _CALLED_IT, _SMALL)
        for match in pattern.finditer(answer)
        if not _DENIED.search(answer, 0, match.start(1))
    ]
    found = found or [
        (match.start(), match[1] or match[2])
        for match in _BRACKETED.finditer(answer)
        if not _DENIED.search(answer, 0, match.start())
    ]
    return tuple(dict.fromkeys(letter.upper() for _, letter in sorted(found) if letter.upper() in letters))


def _mentions(answer: str, letters: str) -> bool:
    """Whether an answer names some choice by its letter; an `A` or `I` with a word behind it is none."""
    return any(
        match[1] in letters
        and (match[1] not in "AI" or not re.match(r"\s+(?!and\b|or\b|is\b)\w", answer[match.end() :]))
        for match in _MENTIONED.finditer(answer)
    )


def names_unknown_choice(question: Question) -> bool:
    """Whether the references are indexes or letters of choices that nobody knows, rather than answers."""
    if not question.answers or question.choices or len(_options(question)) > 1:
        return False
    if not all(_INDEX_OR_LETTER.fullmatch(answer.strip()) for answer in question.answers):
        return False
    asks = _ASKS_NUMBER if question.answers[0].strip().isdecimal() else _ASKS_LETTER
    return asks.search(question.text) is None


def nameless_choices_warning(questions: Sequence[Question]) -> str | None:
    """Return what to say of references that are indexes or letters without choices, `None` where there are none."""
    number = sum(map(names_unknown_choice, questions))
    if not number:
        return None
    have = "has an index or a letter as its reference" if number == 1 else "have an index or a letter as reference"
    return (
        f"{number} of {len(questions)} questions {have} and no choices to find it among: an answer in words "
        "gets no label there"
    )


def judge_unknown_choice(question: Question, greedy: Generation) -> Verdict:
    """Label an answer where the reference is an index or a letter of choices that are not known.

    An answer that names the letter, or is the number, is `correct`, one that names another `incorrect`; one in words
    cannot be compared.

    Args:
        question: For which `names_unknown_choice`.
        greedy: A valid answer.
    """
    wanted = {answer.strip(" ().:").upper() for answer in question.answers}
    answer = greedy.answer.strip()
    named = set(named_letters(answer)) or {answer.strip(" ().:").upper()}
    if named <= wanted:
        return Verdict(LabelValue.CORRECT, f"names `{next(iter(named))}`")
    if len(named) == 1 and all(_INDEX_OR_LETTER.fullmatch(name) for name in named):
        return Verdict(LabelValue.INCORRECT, f"names `{next(iter(named))}`")
    reason = f"the reference `{question.answers[0]}` is an index or a letter, and the choices are not known"
    return Verdict(LabelValue.NO_MATCH, reason)


def _options(question: Question) -> Mapping[str, str]:
    """Return the choices by letter: those that are asked, or those that the question's own text lists."""
    if question.choices:
        return dict(zip(CHOICE_LETTERS, question.choices, strict=False))
    return lettered_options(question.text)


def _right_letters(question: Question, options: Mapping[str, str]) -> set[str]:
    answers = {_plain(answer) for answer in question.answers}
    return {
        letter
        for letter, text in options.items()
        if answers & {_plain(text), letter.casefold(), f"({letter.casefold()})"}
    }


def _holds_text(
    question: Question, greedy: Generation, options: Mapping[str, str], letter: str, *, is_right: bool
) -> bool:
    """Whether an answer also says the text of a choice on the other side than its letter."""
    answer = _plain(greedy.answer)
    right = _right_letters(question, options)
    others = [text for each, text in options.items() if (each in right) is not is_right and each != letter]
    own = _plain(options[letter])
    return own not in answer and any(_plain(text) in answer for text in others)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
