"""Numbers as people write them, in one form: digits, a decimal point, no separators.

`twelve hundred`, `1 200`, `1'200`, `1.2k` and `1,200` all become `1200`. It knows English number words only, and where
a form has two meanings (`12.500`, `3,142`) it takes the English one; `other_readings` names the rest.
"""

import re
from fractions import Fraction
from functools import lru_cache

from homogaudit.clustering.final_answer import plain_numbers

SMALL = {
    word: value
    for value, word in enumerate(
        """
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen
        """.split()
    )
}
TENS = {
    word: 10 * (value + 2) for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())
}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SHORT = {"k": 10**3, "mln": 10**6, "bn": 10**9, "dozen": 12}
_ORDINALS = {
    word: value + 1
    for value, word in enumerate(
        """
        first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
        fifteenth sixteenth seventeenth eighteenth nineteenth
        """.split()
    )
} | {"twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "hundredth": 100, "thousandth": 1000}
_PARTS = {"half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4} | {
    word + ending: value for word, value in _ORDINALS.items() if value > 3 for ending in ("", "s")
}

_POINT = r"\d+(?:\.\d+)?"
_APOSTROPHE_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?:['\u2019]\d{3})+(?!\d)")
_SPACE_GROUPS = re.compile(r"(?<![\d.,])(?<![\d.,] )[1-9]\d{0,2}(?: \d{3})+(?![\d/]| \d)")
_COMMA_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_POINT_GROUPS = re.compile(
    r"(?<![\d.,])(\d{1,3}(?:\.\d{3})+),(\d+)(?![\d,])|(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![\d.])"
)
_DECIMAL_COMMA = re.compile(r"(?<![\d,.])(\d+),(\d{1,2}|\d{4,}|(?<=\d{4},)\d{3}|(?<=\b0,)\d{3})(?![\d]|,\d)")
_SCALED = re.compile(rf"(?<![\w.,])({_POINT})\s?(?:(k|dozen|mln|bn)|({'|'.join(SCALES)}))s?\b", re.IGNORECASE)
_PERCENT = re.compile(r"\bper\s?cent\b", re.IGNORECASE)
_MINUS_WORD = re.compile(rf"(?<![\d)%]\s)\b(?:minus|negative)\s+(?={_POINT})", re.IGNORECASE)
_BELOW_ZERO = re.compile(
    rf"(?<![\w.-])({_POINT})(?=(?:\s*(?:\u00b0\s?[cf]?|degrees?(?:\s\w+)?))?\s+below\s+(?:zero|0)\b)", re.IGNORECASE
)
_SPACED_SIGN = re.compile(rf"^\W*-\s+({_POINT})\W*$")
_WORD = re.compile(rf"(?:{_POINT}(?!\w)|[A-Za-z]+)")
_PRONOUN = re.compile(
    r"\b(?:no|the|this|that|which|any|every|each|another|other|only the|the only|last|some)[ -]$", re.IGNORECASE
)
_STARTS = SMALL.keys() | TENS.keys() | {"a", "an", "half", "hundred", "dozen"} | SCALES.keys() | _ORDINALS.keys()
_HINT = re.compile(r"\b(?:" + "|".join(sorted((_STARTS | _PARTS.keys()) - {"a", "an"})) + r")\b", re.IGNORECASE)


@lru_cache(maxsize=1 << 12)
def in_digits(text: str, *, ordinals: bool = False) -> str:
    """Return a text with its numbers in digits: words, scales, separators, percent and minus in their plain form.

    Args:
        text: Any length; all but its numbers stays as it is, and a `one` that counts nothing stays a word.
        ordinals: Whether `third` becomes `3rd` too.
    """
    text = plain_numbers(text)
    for groups, separator in ((_APOSTROPHE_GROUPS, "['\u2019]"), (_SPACE_GROUPS, " "), (_COMMA_GROUPS, ",")):
        text = groups.sub(lambda found, separator=separator: re.sub(separator, "", found[0]), text)
    text = _POINT_GROUPS.sub(lambda x: x[1].replace(".", "") + "." + x[2] if x[1] else x[0].replace(".", ""), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    if _HINT.search(text):
        text = _words_in_digits(text, ordinals)
    text = _SCALED.sub(_multiplied, text)
    text = _PERCENT.sub("percent", text)
    text = _BELOW_ZERO.sub(r"-\1", text)
    return _MINUS_WORD.sub("-", text)


_TWO_WAYS = re.compile(r"(?<![\w.,])(\d{1,3})([.,])(\d{3})(?![\d.,]\d|\d)")
_LISTED = re.compile(r"(?<![\d.,])(\d+),(\d{1,2})(?![\d]|,\d)")
_DOZENS = re.compile(rf"(?<![\w.,])({_POINT}) dozen\b", re.IGNORECASE)
_ONE_IN = re.compile(r"(?<![\w.,])(\d+) (?:in|out of) (\d+)(?![\w.,]\d)")
_MILLIONS = re.compile(rf"(?<![\w.,])({_POINT})(?:M|m|B|bn)\b")


def other_readings(text: str) -> frozenset[Fraction]:
    """Return what numbers of a text mean to a reader of another country or in another field.

    `12.500` and `3,142` are a thousand times as much, or as little; `3,4` may be a list, `1M` a million or a length,
    the dash of `- 7` a bullet or a sign, `1 in 2` a share.

    Args:
        text: As it was written.
    """
    text = plain_numbers(text)
    found: set[Fraction] = set()
    for match in _TWO_WAYS.finditer(text):
        whole = Fraction(match[1] + match[3])
        found.add(whole if match[2] == "." else whole / 1000)
    for match in _LISTED.finditer(text):
        found |= {Fraction(match[1]), Fraction(match[2])}
    for match in _MILLIONS.finditer(text):
        found |= {Fraction(match[1]) * scale for scale in (10**6, 10**9)}
    found |= {Fraction(x[1]) for x in _DOZENS.finditer(text)}
    found |= {Fraction(int(x[1]), int(x[2])) for x in _ONE_IN.finditer(text) if int(x[2])}
    if sign := _SPACED_SIGN.match(text):
        found.add(-Fraction(sign[1]))
    return frozenset(found)


def written(value: Fraction) -> str:
    """Return a value as a decimal number, or as a fraction where no decimal number equals it."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    return f"{value.numerator}" if not places else f"{float(value):.{places}f}"


def _multiplied(found: re.Match[str]) -> str:
    scale = _SHORT.get((found[2] or "").lower()) or SCALES[found[3].lower()]
    return written(Fraction(found[1]) * scale)


def _words_in_digits(text: str, ordinals: bool) -> str:
    """Replace each run of number words by what it says."""
    words = [(found.start(), found.end(), found[0].lower()) for found in _WORD.finditer(text)]
    written_parts: list[str] = []
    done = position = 0
    while position < len(words):
        reader = _Reader(words, position, text)
        said = reader.read() if words[position][2] in _STARTS or words[position][2][0].isdigit() else None
        if said is None or (not ordinals and said[-1].isalpha()):
            position += 1
            continue
        written_parts += [text[done : words[position][0]], said]
        done = words[reader.position - 1][1]
        position = reader.position
    return "".join(written_parts) + text[done:]


class _Reader:
    """Reads one number in words; `position` is that of the word behind it."""

    def __init__(self, words: list[tuple[int, int, str]], position: int, text: str) -> None:
        self._words = words
        self.position = position
        self._start = position
        self._text = text

    def _next(self, offset: int = 0) -> str:
        """Return a word ahead, empty where there is none or something stands between it and the word before."""
        place = self.position + offset
        if place >= len(self._words):
            return ""
        if place > self._start:
            between = self._text[self._words[place - 1][1] : self._words[place][0]]
            if between not in (" ", "-", "\u2010"):
                return ""
        return self._words[place][2]

    def read(self) -> str | None:
        """Return the number in digits, `None` where the words are none."""
        first = self._next()
        if first[0].isdigit():
            return self._mixed(Fraction(first), 1)
        if first == "half" and self._next(1) in ("a", "an") and self._next(2) in (*SCALES, "dozen", "hundred"):
            scale = {"dozen": 12, "hundred": 100}.get(self._next(2)) or SCALES[self._next(2)]
            self.position += 3
            return written(Fraction(scale, 2))
        if first == "half":
            alone = self._next(1) == "of" or self.position == 0
            self.position += 1
            return "1/2" if alone and not self._next().startswith(("brother", "sister", "time")) else None
        if first in _ORDINALS:
            self.position += 1
            return _ordinal(_ORDINALS[first])
        if first in ("a", "an") and self._next(1) in ("half", "third", "quarter", "fifth", "tenth"):
            part = _PARTS[self._next(1)]
            self.position += 2
            return f"1/{part}" if self._next() in ("of", "") else None
        whole = self._whole()
        if whole is None:
            return None
        if (part := self._next()) in _PARTS and (whole == 1 or part.endswith("s") or part == "halves"):
            self.position += 1
            return f"{whole}/{_PARTS[part]}"
        if (part := self._next()) in _ORDINALS and _ORDINALS[part] < 10 and whole % 10 == 0 and whole:
            self.position += 1
            return _ordinal(whole + _ORDINALS[part])
        if self._next() == "point" and self._next(1) in SMALL:
            self.position += 1
            digits = ""
            while self._next() in SMALL and SMALL[self._next()] < 10:
                digits += str(SMALL[self._next()])
                self.position += 1
            return f"{whole}.{digits}"
        is_one = whole == 1 and self.position == self._start + 1
        if is_one and (_PRONOUN.search(self._text, *self._just_before()) or self._next() in ("of", "another")):
            return None
        return self._mixed(Fraction(whole), self.position - self._start)

    def _just_before(self) -> tuple[int, int]:
        """Return where the few words before the number stand."""
        end = self._words[self._start][0]
        return max(end - 20, 0), end

    def _mixed(self, whole: Fraction, length: int) -> str | None:
        """Add what follows a whole number: `and a half`, `and three quarters`, and a scale behind that."""
        self.position = self._start + length
        value = whole
        is_mixed = False
        if self._next() == "and" and self._next(1) in ("a", "an", "one", *SMALL) and self._next(2) in _PARTS:
            top = SMALL.get(self._next(1), 1)
            value += Fraction(top, _PARTS[self._next(2)])
            self.position += 3
            is_mixed = True
            if self._next() in SCALES:
                value *= SCALES[self._next()]
                self.position += 1
        if not is_mixed and self._words[self._start][2][0].isdigit():
            return None
        return written(value)

    def _whole(self) -> int | None:
        """Read a whole number: `two hundred and five`, `twelve hundred`, `a thousand`, `nineteen sixty-nine`."""
        total = 0
        found = False
        while True:
            below = self._below_thousand()
            if below is None:
                return total if found else None
            found = True
            scale = 1
            if self._next() in SCALES:
                scale = SCALES[self._next()]
                self.position += 1
            elif self._next() == "dozen":
                scale = 12
                self.position += 1
            total += below * scale
            if scale < 1000:
                return total
            follows = self._next(1) if self._next() == "and" else self._next()
            if follows not in SMALL and follows not in TENS:
                return total
            if self._next() == "and":
                self.position += 1

    def _below_thousand(self) -> int | None:
        word = self._next()
        if word in ("a", "an"):
            if self._next(1) not in (*SCALES, "hundred", "dozen"):
                return None
            self.position += 1
            value = 1
        elif word in SCALES or word in ("hundred", "dozen"):
            return None
        else:
            value = self._below_hundred()
            if value is None:
                return None
        if self._next() == "hundred":
            self.position += 1
            value *= 100
            skipped = 1 if self._next() == "and" else 0
            if self._next(skipped) in SMALL or self._next(skipped) in TENS:
                self.position += skipped
                value += self._below_hundred() or 0
        elif 10 <= value <= 20 and (self._next() in TENS or SMALL.get(self._next(), 0) >= 10):
            # A year: nineteen sixty-nine.
            value = 100 * value + (self._below_hundred() or 0)
        return value

    def _below_hundred(self) -> int | None:
        word = self._next()
        if word in SMALL:
            self.position += 1
            return SMALL[word]
        if word in TENS:
            self.position += 1
            digit = SMALL.get(self._next(), 0)
            if 1 <= digit <= 9:
                self.position += 1
                return TENS[word] + digit
            return TENS[word]
        return None


def _ordinal(value: int) -> str:
    ending = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"
