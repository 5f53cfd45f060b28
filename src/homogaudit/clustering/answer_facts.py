"""What an answer asserts, as far as its words show it: numbers with units, negation, names, words that carry meaning.

Written for English; of other languages it knows digits and words alone. It compares nothing.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from homogaudit.clustering.written_numbers import SCALES, SMALL, TENS

_STOP = frozenset(
    """a an the of to in on at by for with from as is are was were be been being it its they them their this that these
    those he she his her him you your we our i my me and or but so because which who whom whose what when where how why
    than then there here has have had do does did will would can could may might must shall should also only just very
    about around approximately roughly nearly almost over some any all each every most such own same another into under
    out up down off again during while if though although usually generally often typically commonly known called s t
    re ve ll d m yes no not never none nor neither cannot""".split()
)
_NEGATIONS = frozenset(
    """not no never none nothing nobody nowhere neither nor cannot without hardly myth false untrue wrong incorrect
    misconception fake dont isnt doesnt cant wont didnt arent wasnt""".split()
)
_OPPOSITES = frozenset(
    frozenset(pair.split("/"))
    for pair in """more/less more/fewer most/least higher/lower high/low increase/decrease increases/decreases rise/fall
    rises/falls hot/cold warm/cool hotter/colder larger/smaller large/small big/small bigger/smaller
    longer/shorter long/short before/after above/below always/never left/right north/south east/west true/false
    safe/dangerous legal/illegal good/bad better/worse best/worst early/late earlier/later first/last
    faster/slower fast/slow heavier/lighter heavy/light older/younger old/young win/lose won/lost open/closed
    inside/outside male/female men/women day/night summer/winter acid/alkaline positive/negative allowed/forbidden
    allowed/banned possible/impossible healthy/harmful helpful/harmful helps/harms attract/repel sink/float
    gains/loses gain/lose expand/contract clockwise/counterclockwise odd/even maximum/minimum import/export
    absorb/emit alive/dead strong/weak""".split()
)
_UN = ("un", "in", "im", "il", "ir", "dis", "non")

_POLAR = frozenset(
    """is are was were am do does did can could may might must shall should will would has have had isn't aren't don't
    doesn't can't""".split()
)
"""A question that begins with one of them asks for yes or no."""

_ONES = SMALL | {"dozen": 12}
_SCALES = {"hundred": 10**2} | SCALES
_PARTS = {"half": 50.0, "quarter": 25.0, "third": 100 / 3, "fifth": 20.0, "tenth": 10.0}
"""Parts of a whole, in percent."""

_UNITS: dict[str, tuple[str, float]] = {
    name: (dimension, factor)
    for dimension, factor, names in (
        ("%", 1, "% percent"),
        ("m", 0.001, "mm millimetre millimetres millimeter millimeters"),
        ("m", 0.01, "cm centimetre centimetres centimeter centimeters"),
        ("m", 1, "m metre metres meter meters"),
        ("m", 1000, "km kilometre kilometres kilometer kilometers"),
        ("m", 0.0254, "inch inches"),
        ("m", 0.3048, "ft foot feet"),
        ("m", 1609.344, "mile miles mi"),
        ("g", 0.001, "mg milligram milligrams"),
        ("g", 1, "g gram grams"),
        ("g", 1000, "kg kilo kilos kilogram kilograms"),
        ("g", 1e6, "tonne tonnes"),
        ("g", 453.59237, "lb lbs pound pounds"),
        ("g", 28.349523125, "oz ounce ounces"),
        ("l", 0.001, "ml millilitre millilitres milliliter milliliters"),
        ("l", 1, "l litre litres liter liters"),
        ("l", 3.785411784, "gallon gallons"),
        ("s", 1, "sec second seconds"),
        ("s", 60, "min minute minutes"),
        ("s", 3600, "h hr hour hours"),
        ("s", 86400, "day days"),
        ("s", 604800, "week weeks"),
        ("months", 1, "month months"),
        ("months", 12, "year years"),
        ("months", 120, "decade decades"),
        ("months", 1200, "century centuries"),
        ("bit", 1, "bit bits"),
        ("bit", 8, "byte bytes"),
        ("turn", 1, "degree degrees °"),
        ("turn", 57.29577951, "radian radians"),
        ("C", 1, "celsius centigrade"),
        ("F", 5 / 9, "fahrenheit"),
        ("K", 1, "kelvin kelvins"),
        ("$", 1, "$ dollar dollars"),
        ("€", 1, "€ euro euros"),
        ("£", 1, "£"),
    )
    for name in names.split()
}
_DEGREES = {"c": "celsius", "f": "fahrenheit", "k": "kelvin"}
_KELVINS = {"C": 273.15, "F": 459.67 * 5 / 9, "K": 0.0}
_ROUNDED = 0.005
"""How far a rounded number may lie from the other, of the larger one."""
_TOKEN = re.compile(
    r"""(?P<number>\d{1,3}(?:[, \u2009\u202f]\d{3})+(?:\.\d+)?(?!\d)|\d+(?:[.,]\d+)?)(?P<ordinal>(?:st|nd|rd|th)\b)?
      | (?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)*) | (?P<sign>[%$€£°,\u2212]) | (?P<stop>[.!?:;])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what it counts.

    Attributes:
        value: As it is written, scale words multiplied out.
        dimension: Of its unit, empty where it has none that is known.
        size: In the base unit of its dimension, to nine digits, so that 1 km and 1000 m are equal.
        digits: Significant ones, as it is written.
    """

    value: float
    dimension: str = ""
    size: float = 0.0
    digits: int = 0

    def agrees(self, other: "Quantity") -> bool:
        """Whether both may be one number, or one the other rounded: in size, or in value where one names no unit."""
        is_sized = bool(self.dimension and other.dimension)
        if is_sized and self.dimension != other.dimension:
            return False
        one, two = (self.size, other.size) if is_sized else (self.value, other.value)
        if one == two:
            return True
        is_year = not is_sized and all(x.is_integer() and 1000 <= x < 3000 for x in (one, two))
        is_converted = is_sized and self.size * other.value != other.size * self.value
        may_be_rounded = is_converted or (self.digits != other.digits and not is_year)
        return may_be_rounded and abs(one - two) <= _ROUNDED * max(abs(one), abs(two))


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What one answer to one question asserts.

    Attributes:
        words: All its words, in lower case.
        content: The stems of those that carry meaning and are not in the question.
        numbers: Its quantities but those of the question.
        chosen: The stems of those that are in the question.
        names: Stems of its capitalised words within a sentence, but those of the question.
        is_negated: Whether a word denies something.
        stance: 1 where it begins with yes, -1 with no; where it begins with neither and the question asks for one of
            them, -1 where its first sentence denies something, else 1; 0 for an answer to another question.
        length: In words, at least 1.
    """

    words: frozenset[str]
    content: frozenset[str]
    chosen: frozenset[str]
    numbers: frozenset[Quantity]
    names: frozenset[str]
    is_negated: bool
    stance: int
    length: int

    @property
    def denies(self) -> bool:
        """Whether it says no, by its first word or by a negation."""
        return self.is_negated or self.stance < 0

    def opposes(self, other: "AnswerFacts") -> bool:
        """Whether a word of one is the opposite of a word that only the other has."""
        mine, theirs = self.words - other.words, other.words - self.words
        if any(frozenset((x, y)) in _OPPOSITES for x in mine for y in theirs):
            return True
        return any(prefix + x in theirs for x in mine for prefix in _UN) or any(
            prefix + y in mine for y in theirs for prefix in _UN
        )


@lru_cache(maxsize=8192)
def answer_facts(question: str, answer: str) -> AnswerFacts:
    """Return what an answer asserts beyond the words of its question."""
    asked = _tokens(question)
    tokens = _tokens(answer)
    words = [token.text for token in tokens if token.is_word]
    known = frozenset(_stem(token.text) for token in asked if token.is_word)
    silent = _STOP | _NEGATIONS
    said = frozenset(_stem(word) for word in words if word not in silent and "'" not in word)
    in_question = _quantities(asked)
    return AnswerFacts(
        words=frozenset(words),
        content=said - known - _ONES.keys() - TENS.keys() - _SCALES.keys(),
        chosen=said & known,
        numbers=frozenset(
            x for x in _quantities(tokens) if not any(x.value == y.value and x.size == y.size for y in in_question)
        ),
        names=frozenset(_stem(x.text) for x in tokens if x.is_name and x.text not in _STOP) - known,
        is_negated=_is_negated(tokens),
        stance=_stance(asked, tokens),
        length=max(1, sum(token.is_word or token.number is not None for token in tokens)),
    )


def _is_negated(tokens: Sequence["_Token"]) -> bool:
    return any(token.text in _NEGATIONS or token.text.endswith("n't") for token in tokens)


def _stance(asked: Sequence["_Token"], tokens: Sequence["_Token"]) -> int:
    first = next((token.text for token in tokens if token.is_word), "")
    if first in ("yes", "no"):
        return 1 if first == "yes" else -1
    if not first or not asked or asked[0].text not in _POLAR:
        return 0
    end = next((place for place, token in enumerate(tokens) if token.text in (".", ";")), len(tokens))
    return -1 if _is_negated(tokens[:end]) else 1


def quantities(text: str) -> frozenset[Quantity]:
    """Return the numbers of a text, in digits or in words, with their units."""
    return frozenset(_quantities(_tokens(text)))


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    number: float | None = None
    is_word: bool = False
    is_name: bool = False


@lru_cache(maxsize=8192)
def _tokens(text: str) -> tuple[_Token, ...]:
    """Return words and signs in lower case and numbers by their value."""
    text = unicodedata.normalize("NFKC", text.replace("\u2044", "/")).replace("\u2019", "'")
    found: list[_Token] = []
    begins = True
    for match in _TOKEN.finditer(text):
        if match["number"]:
            found.append(_Token(match["number"], _value(match["number"])))
            begins = False
        elif word := match["word"]:
            # The first word of a sentence is capitalised whatever it is.
            found.append(_Token(word.lower(), is_word=True, is_name=word[0].isupper() and not begins and word != "I"))
            begins = False
        else:
            found.append(_Token(match["sign"] or match["stop"]))
            begins = begins or bool(match["stop"])
    return tuple(found)


def _value(digits: str) -> float:
    whole = re.sub(r"[, \u2009\u202f](?=\d{3}(?:\D|$))", "", digits)
    return float(whole.replace(",", "."))


def _quantities(tokens: Sequence[_Token]) -> list[Quantity]:
    found: list[Quantity] = []
    place = 0
    while place < len(tokens):
        value, after = _number_at(tokens, place)
        part = _PARTS.get(tokens[place].text) if value is None else None
        if part is not None and (whole := _whole(tokens, place + 1)) is not None:
            unit, factor = whole
            found.append(_quantity(part / 100, unit, factor) if unit else _quantity(part / 100 * factor))
            after = place + 3
        # A bare "third" is a place in a row.
        elif part is not None and tokens[place].text != "third":
            found.append(_quantity(part, "%"))
        elif value is not None:
            share = _PARTS.get(tokens[after].text.removesuffix("s")) if after < len(tokens) else None
            if share is not None and value < 10:
                found.append(_quantity(round(value * share, 6), "%"))
                after += 1
            elif (unit := _unit(tokens, place, after)) is not None:
                found.append(_quantity(value, *unit))
            # A bare "one" is a pronoun more often than a number.
            elif not (tokens[place].text == "one" and after == place + 1):
                found.append(_quantity(value))
        place = max(after, place + 1)
    return found


def _quantity(value: float, dimension: str = "", factor: float = 1.0) -> Quantity:
    size = value * factor
    if dimension in _KELVINS:
        size, dimension = size + _KELVINS[dimension], "temperature"
    digits = f"{abs(value):.12g}".replace(".", "").lstrip("0").rstrip("0")
    return Quantity(value, dimension, float(f"{size:.9g}"), max(1, len(digits)))


def _whole(tokens: Sequence[_Token], place: int) -> tuple[str, float] | None:
    """Return the unit, or the dozen, that a part is a part of: of "half a kilo" the kilo."""
    following = [token.text for token in tokens[place : place + 2]]
    if len(following) < 2 or following[0] not in ("a", "an"):
        return None
    return ("", 12.0) if following[1] == "dozen" else _UNITS.get(following[1])


def _number_at(tokens: Sequence[_Token], place: int) -> tuple[float | None, int]:
    """Return the number that begins at a place and the place after it, `None` where none does."""
    first = tokens[place]
    if first.number is not None:
        is_negative = place > 0 and tokens[place - 1].text in ("minus", "\u2212")
        value, place = -first.number if is_negative else first.number, place + 1
        while place < len(tokens) and tokens[place].text in _SCALES:
            value *= _SCALES[tokens[place].text]
            place += 1
        return value, place
    total = current = 0.0
    begun = False
    while place < len(tokens):
        word = tokens[place].text
        if word in TENS or word in _ONES:
            value = TENS.get(word, 0) + _ONES.get(word, 0)
            # "nineteen fourteen" is a year; "twenty four" is a sum.
            is_year = 10 <= current < 100 and value >= 10
            current = current * 100 + value if is_year else current + value
        elif word == "hundred":
            current = max(current, 1.0) * 100
        elif word in _SCALES:
            total, current = total + max(current, 1.0) * _SCALES[word], 0.0
        elif not (word == "and" and begun and tokens[place - 1].text in _SCALES and _goes_on(tokens, place + 1)):
            break
        begun = True
        place += 1
    return (total + current, place) if begun else (None, place)


def _goes_on(tokens: Sequence[_Token], place: int) -> bool:
    return place < len(tokens) and (tokens[place].text in _ONES or tokens[place].text in TENS)


def _unit(tokens: Sequence[_Token], before: int, after: int) -> tuple[str, float] | None:
    """Return dimension and factor of the unit of the number between two places."""
    if before and (money := _UNITS.get(tokens[before - 1].text)) and tokens[before - 1].text in "$€£":
        return money
    following = [token.text for token in tokens[after : after + 3]]
    if following[:2] == ["per", "cent"]:
        return _UNITS["percent"]
    if len(following) > 1 and following[0] in ("°", "degrees", "degree"):
        scale = _DEGREES.get(following[1], following[1])
        following = [scale] if scale in ("celsius", "centigrade", "fahrenheit", "kelvin") else following
    return _UNITS.get(following[0]) if following else None


_SUFFIXES = ("'s", "ingly", "edly", "ing", "ies", "ied", "ed", "es", "ly", "s")


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    """Return a word without its ending, so that forms of one word are equal; it need not be a word."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)] + ("y" if suffix in ("ies", "ied") else "")
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word
