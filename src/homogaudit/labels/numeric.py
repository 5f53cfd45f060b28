"""The `numeric` judge: the number that an answer settles on, against the reference number.

It knows how a number is written and said, not how it was reached.
"""

import re
from decimal import Decimal
from fractions import Fraction

from homogaudit.clustering.final_answer import FoundNumber, marked_number, numbers_of
from homogaudit.clustering.written_numbers import in_digits, other_readings
from homogaudit.labels.verdict import Verdict
from homogaudit.records import Generation, LabelValue, Question

_READ = 2000
"""Characters that are read: from the last `the answer is`, else those at the end."""
_NUMBERS_READ = 200
"""Half of them the first, half the last: what is asked of each is asked against all others."""
_REFERENCE = re.compile(
    r"""
    \[\s?\d+(?:\s?[,-]\s?\d+)*\s?\]                                  # [3]
  | \(\s*(?:see|cf\.?|page|p\.|source|ref\.?|chapter|table|fig(?:ure)?\.?|step|section|eq(?:uation)?\.?)\b[^)]*\)
  | \b(?:sources?|references?|see\salso)\s?:.*$
  | \b(?:page|chapter|table|figure|fig\.|step|section|equation|footnote|example|part|grade|exercise|question)s?\s\d+\b
  | \bconfidence\b.*$
  | \b(?:let\sme\sknow|i\shope|feel\sfree)\b.*$
  | \b\d{1,2}:\d\d(?::\d\d)?\b                                     # a time of day
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""Numbers that point somewhere or count steps, and are no answer."""
_STATED = re.compile(
    r"\b(?:final\s+)?(?:answer|result)\b(?:\s+(?:is|was|would\s+be|must\s+be|equals|comes\s+to)\b|\s*[:=])[\s*_`:=]*",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"(?:\b(?:not|never|cannot|without|hardly|neither|nor)\b|\b\w+n['\u2019]t\b)(?:\s+(?:\w+['\u2019]?\w*)){0,3}\s*$"
    r"|\b(?:rather\s+than|instead\s+of|as\s+opposed\s+to|anything\s+but|far\s+from|other\s+than)\s*$",
    re.IGNORECASE,
)
_NO_DENIAL = re.compile(
    r"\b(?:no|not)\s+(?:fewer|less|more|greater)\s+than\b|\b(?:no|without(?:\s+a)?)\s+doubt\b"
    r"|\bnot\s+(?:only|just|sure|certain)\b|\bno\s+question\b|\bisn['\u2019]t\s+it\b|\bdon['\u2019]t\s+doubt\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"^\W*(?:(?:is|was|are|would\s+be)\s+(?:not\b|wrong|incorrect|false)|(?:isn|wasn|aren)['\u2019]t\b|\?\s*no\b)",
    re.IGNORECASE,
)
_OTHERS_SAY = re.compile(
    r"\b(?:some|many|most|people|others|you|one)\s+(?:\w+\s+){0,2}(?:say|says|think|believe|assume|claim|guess|expect)\b"
    r"|\b(?:although|though|used\s+to\s+be|at\s+first|originally|before)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\b(?:since|because|given\s+that|that\s+is|which\s+(?:is|equals|means))\b|\bie\b|,\s*as\b", re.IGNORECASE
)
_ABBREVIATION = re.compile(r"\b([ie])\.\s?([eg])\.")
_CHECK = re.compile(r"(?:^|[.!?\n])\W*(?:to\s+check|check|explanation)\b", re.IGNORECASE)
_RESULT = re.compile(r"=\s*[$\u20ac\u00a3]?\s?$")
_TURN = re.compile(
    r"\b(?:but|however|so|then|therefore|thus|hence|actually|now|leaves|leaving|makes|gives|equals)\b", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)|\n+")
_ITEMS = re.compile(r"^\s*(?:\*\*)?\d{1,2}[.)]\s(?=.*\d)", re.MULTILINE)
_DATE = re.compile(r"\b(\d{4})-\d\d-\d\d\b")
_CLAUSE = re.compile(r"[,;:()\n]|[.!?](?=\s|$)")
_OPERAND = re.compile(
    r"^\s?(?:[\u00d7*+/x\u00f7^-]|times|plus|minus|divided\s+by|multiplied\s+by)\s?(?=[-(\d])", re.IGNORECASE
)
_OPERATOR_BEFORE = re.compile(
    r"(?:[\d)%]\s?[\u00d7*+/x\u00f7^-]|\b(?:times|plus|minus|divided\s+by|multiplied\s+by))\s?$", re.IGNORECASE
)
_SUM_BEHIND = re.compile(r"=[-+\d.\s*/x\u00d7\u00f7]*[-+*/x\u00d7\u00f7]\s?$")
"""The sum behind its result, as in `36 = 12 * 3`."""
_SCIENTIFIC = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?[*x\u00d7\u00b7]\s?10\^\{?(-?\d{1,2})\}?(?![\w.])")
_NOT_CARRIED_OUT = re.compile(r"\d\s?[*x\u00d7\u00f7/+-]\s?$|\u221a\s?$")
_PART_OF = re.compile(r"\d/\d+ of (?:a |an )?$|(?<![\d.,])\d $")
"""What makes a number part of another: `a quarter of a thousand`, `two fifty`."""
_ALTERNATIVE = re.compile(
    r"^\W{0,3}(?:or|to|and|/|-|\u2013)\W{0,2}(?:maybe\s+|perhaps\s+)?$|^\s?[;/-]\s?$", re.IGNORECASE
)
_LIST = re.compile(r"^\s?,\s?(?:or\s|and\s)?$", re.IGNORECASE)
_SUPERSCRIPTS = tuple("\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
_POWER = re.compile(r"(?<![\w.^])(\d{1,3})(?:\^|\*\*)\s?\{?(\d{1,2})\}?(?![\w.])")


def judge_numeric(question: Question, greedy: Generation) -> Verdict:
    r"""Label an answer by the number that it settles on.

    That is the number behind `####`, in `\boxed{}` or behind `the answer is`, else the last one that is said and is no
    reference, step, aside or operand of a sum. Numbers in words, other separators, signs, fractions and `k` are read;
    18, 18.0 and $18 are one number, and 50% is 50 and a half.

    Equal to a reference: `correct`. Another number: `incorrect`, but `no_match` where the reference stands in the
    answer too and a rule cannot know which one is meant, or where the number can be read in two ways. Several
    alternatives with the reference among them are `ambiguous`. A truncated answer is `no_match`: its last number may be
    one of the way.

    Args:
        question: With `answers`.
        greedy: A valid answer.
    """
    references = {x for answer in question.answers if (x := _reference(answer)) is not None}
    if not references:
        return Verdict(LabelValue.NO_MATCH, "the question has no reference number")
    if greedy.is_truncated:
        return Verdict(LabelValue.NO_MATCH, "the answer was cut at the token limit")
    return _Reading(greedy.answer, references, _are_shares(question.answers)).verdict()


def _reference(text: str) -> Fraction | None:
    text = in_digits(text)
    marked = marked_number(text)
    found = numbers_of(text)
    return Fraction(marked if marked is not None else found[-1].value) if found else None


def _are_shares(answers: tuple[str, ...]) -> bool:
    return all("%" in answer for answer in answers)


class _Reading:
    """One answer read against the reference numbers."""

    def __init__(self, answer: str, references: set[Fraction], are_shares: bool) -> None:
        self._marked = marked_number(in_digits(answer))
        if len(answer) > _READ:
            stated = list(_STATED.finditer(answer))
            answer = answer[stated[-1].start() :][:_READ] if stated else answer[-_READ:]
        self._answer = answer
        self._references = references
        self._are_shares = are_shares
        text = _ABBREVIATION.sub(r"\1\2", in_digits(answer))
        text = _SCIENTIFIC.sub(lambda x: f"{x[1]}e{x[2]}", text)
        self._text = _DATE.sub(r"\1", _POWER.sub(_power, text))
        pointed = [found.span() for found in _REFERENCE.finditer(self._text)]
        items = [found.span() for found in _ITEMS.finditer(self._text)]
        pointed += items if len(items) > 1 else []
        found, half = numbers_of(self._text), _NUMBERS_READ // 2
        self._all = found if len(found) <= 2 * half else [*found[:half], *found[-half:]]
        self._numbers = [x for x in self._all if not any(start <= x.start < end for start, end in pointed)] or self._all

    def verdict(self) -> Verdict:
        """Return the label and its reason."""
        if self._marked is not None:
            return self._compare(Fraction(self._marked), "the final number is")
        if not self._numbers:
            if Fraction(0) in self._references and re.match(r"\W*(?:none|nothing)\b", self._answer, re.IGNORECASE):
                return Verdict(LabelValue.CORRECT, "the answer says none")
            return Verdict(LabelValue.NO_MATCH, "the answer holds no number")
        standing = [x for x in self._numbers if not self._is_denied(x)]
        if not standing:
            denied = [x for x in self._numbers if self._equals(Fraction(x.value))]
            if denied:
                return Verdict(LabelValue.INCORRECT, f"the answer denies {_shown(denied[0].value)}")
            return Verdict(LabelValue.NO_MATCH, "the answer only says which number it is not")
        said = [x for x in standing if not self._is_aside(x, standing)] or standing
        stated = list(_STATED.finditer(self._text))
        behind = [x for x in said if stated and x.start >= stated[-1].end()]
        final = behind[0] if behind else self._last_result(said)
        if final.start != said[-1].start and self._begins_sum(final):
            final = next(x for x in reversed(said) if self._sentence(x.start) == self._sentence(final.start))
        among = self._alternatives(final)
        if len({x.value for x in among}) > 1:
            names = ", ".join(_shown(x.value) for x in among)
            if re.fullmatch(r"\s?-\s?", self._text[among[0].end : among[1].start]) and among[0].value > among[1].value:
                return Verdict(LabelValue.NO_MATCH, "the answer is a sum that is not carried out")
            if any(self._equals(Fraction(x.value)) for x in among):
                return Verdict(LabelValue.AMBIGUOUS, f"the answer names {names} and does not choose")
            return Verdict(LabelValue.INCORRECT, f"the answer names {names}, none of which is {self._expected()}")
        return self._compare(Fraction(final.value), "the final number is", final)

    def _compare(self, value: Fraction, words: str, final: FoundNumber | None = None) -> Verdict:
        name = _shown(value)
        if self._equals(value):
            return Verdict(LabelValue.CORRECT, f"{words} {name}")
        if self._equals_as_share(value, final):
            return Verdict(LabelValue.CORRECT, f"{words} {name}, which is {self._expected()} as a share")
        if self._references & other_readings(self._answer):
            return Verdict(LabelValue.NO_MATCH, f"{words} {name} or {self._expected()}, as one reads it")
        if final is not None and (
            _NOT_CARRIED_OUT.search(self._text[: final.start]) or self._text[final.end : final.end + 1] in _SUPERSCRIPTS
        ):
            return Verdict(LabelValue.NO_MATCH, "the answer is a sum that is not carried out")
        if final is not None and _PART_OF.search(self._text[: final.start]):
            return Verdict(LabelValue.NO_MATCH, f"the answer names a part of {name}")
        if final is not None and self._may_mean_another(final):
            return Verdict(
                LabelValue.NO_MATCH, f"the answer holds {self._expected()} beside {name}, and either may be meant"
            )
        return Verdict(LabelValue.INCORRECT, f"{words} {name}, not {self._expected()}")

    def _equals(self, value: Fraction) -> bool:
        return value in self._references

    def _equals_as_share(self, value: Fraction, final: FoundNumber | None) -> bool:
        """Whether the value is a reference once one of them is read as percent and the other as a share of one."""
        if self._are_shares:
            is_share = value < 1 and (final is None or self._text[final.end : final.end + 1] != "%")
            return is_share and value * 100 in self._references
        is_percent = final is not None and re.match(r"\s?(?:%|percent)", self._text[final.end :]) is not None
        return is_percent and value / 100 in self._references

    def _may_mean_another(self, final: FoundNumber) -> bool:
        """Whether a reference is said too, other than as a step on the way or as what others say."""
        for number in self._numbers:
            if number is final or not self._equals(Fraction(number.value)) or self._is_denied(number):
                continue
            if number.start > final.start:
                return True
            between = self._text[number.end : final.start]
            is_way = _TURN.search(between) or "\n" in between or self._is_operand(number)
            if not is_way and not self._is_said_by_others(number):
                return True
        return False

    def _is_denied(self, number: FoundNumber) -> bool:
        before = _NO_DENIAL.sub(" ", self._text[: number.start])
        clause = _CLAUSE.split(before)[-1]
        return (
            _DENIAL.search(clause) is not None
            and re.search(r"(?<!anything )\bbut\b", clause[-20:], re.IGNORECASE) is None
        ) or _TAKEN_BACK.match(self._text[number.end :]) is not None

    def _is_aside(self, number: FoundNumber, standing: list[FoundNumber]) -> bool:
        """Whether a number stands in brackets, a reason or a check behind another, is an operand, or others say it."""
        earlier = [x for x in standing if x.start < number.start]
        if self._is_said_by_others(number) and len(standing) > 1:
            return True
        if self._is_operand(number):
            return len(standing) > 1
        if not earlier:
            return False
        before = self._text[: number.start]
        opened = before.rfind("(")
        if opened > before.rfind(")") and any(x.start < opened for x in earlier) and before[opened - 1 :].strip():
            return True
        if any(any(x.end <= check.start() + 1 for x in earlier) for check in _CHECK.finditer(before)):
            return True
        begins = self._begin_of_sentence(number.start)
        reasons = list(_REASON.finditer(before, begins))
        if not reasons:
            return False
        follows = any(begins <= x.start < reasons[-1].start() for x in earlier)
        return follows or "," not in before[reasons[-1].end() :]

    def _is_operand(self, number: FoundNumber) -> bool:
        """Whether a number is calculated with, as in `9 * 2 = 18`: all but what follows the equals sign."""
        behind, before = self._text[number.end :], self._text[: number.start]
        if _OPERAND.match(behind) or _SUM_BEHIND.search(before):
            return True
        return (_OPERATOR_BEFORE.search(before) or _PART_OF.search(before)) is not None and re.match(
            r"\W{0,2}(?:=|is\b|equals\b|gives\b|makes\b)", behind, re.IGNORECASE
        ) is not None

    def _is_said_by_others(self, number: FoundNumber) -> bool:
        clause = _CLAUSE.split(self._text[: number.start])[-1]
        return _OTHERS_SAY.search(clause) is not None and re.search(r"\b(?:but|now)\b", clause) is None

    def _last_result(self, said: list[FoundNumber]) -> FoundNumber:
        """Return the last number, but the one behind the last equals sign of its sentence where there is one."""
        begins = self._begin_of_sentence(said[-1].start)
        results = [x for x in said if x.start >= begins and _RESULT.search(self._text[: x.start])]
        return results[-1] if results else said[-1]

    def _begins_sum(self, number: FoundNumber) -> bool:
        return _OPERAND.match(self._text[number.end :]) is not None

    def _begin_of_sentence(self, position: int) -> int:
        return max((found.end() for found in _SENTENCE.finditer(self._text) if found.end() <= position), default=0)

    def _sentence(self, position: int) -> int:
        return sum(found.end() <= position for found in _SENTENCE.finditer(self._text))

    def _alternatives(self, final: FoundNumber) -> list[FoundNumber]:
        """Return the final number with those beside it that are offered in its place: `3, 4 or 5`, `10-12`."""
        numbers = [x for x in self._numbers if self._sentence(x.start) == self._sentence(final.start)]
        place = next(i for i, x in enumerate(numbers) if x.start == final.start)
        first = last = place
        joined_by_word = False
        while first > 0 and (kind := self._joins(numbers[first - 1], numbers[first])):
            joined_by_word |= kind == "word"
            first -= 1
        while last + 1 < len(numbers) and (kind := self._joins(numbers[last], numbers[last + 1])):
            joined_by_word |= kind == "word"
            last += 1
        group = numbers[first : last + 1]
        only_list = not re.search(r"[A-Za-z]", self._text[: group[0].start]) or "possible" in self._text.lower()
        return group if joined_by_word or only_list else [final]

    def _joins(self, one: FoundNumber, other: FoundNumber) -> str:
        between = self._text[one.end : other.start]
        if _LIST.match(between):
            return "word" if re.search("or|and", between) else "list"
        if not _ALTERNATIVE.match(between):
            return ""
        if re.search(r"[a-z]", between, re.IGNORECASE):
            spans = re.search(r"\b(?:between|from)\W*$", self._text[: one.start], re.IGNORECASE) is not None
            is_span = (spans or re.search(r"\bto\b", between) is not None) and one.value < other.value
            return "word" if re.search(r"\bor\b", between) or is_span else ""
        if ";" in between:
            return "list"
        # A minus between two numbers with a result behind them is a sum.
        is_sum = re.match(r"\s?=", self._text[other.end :]) is not None
        return "" if is_sum or self._text[one.end : other.start].strip() == "/" else "word"

    def _expected(self) -> str:
        return " or ".join(_shown(x) for x in sorted(self._references))


def _power(found: re.Match[str]) -> str:
    base, exponent = int(found[1]), int(found[2])
    return str(base**exponent) if exponent <= 12 else found[0]


def _shown(value: Fraction | Decimal) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator) if isinstance(value, Fraction) else value:.12g}"
