"""Texts as the `exact` judge compares them: words without case, accents and punctuation, numbers and units in one form.

It knows English articles, units and abbreviations; it does not know what a text says.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from homogaudit.clustering.written_numbers import in_digits

ARTICLES = frozenset({"a", "an", "the"})
_LETTERS = str.maketrans(
    {
        "\u00f8": "o",
        "\u0142": "l",
        "\u0111": "d",
        "\u00f0": "d",
        "\u00fe": "th",
        "\u00e6": "ae",
        "\u0153": "oe",
        "\u0131": "i",
    }
)
"""Letters that Unicode does not take apart into a plain one and an accent."""
_DIGRAPH = re.compile(r"([aou])e")

_POINTED = re.compile(
    r"\[\s?\d+(?:\s?[,-]\s?\d+)*\s?\]|\((?:see|cf\.?|source)\b[^)]*\)|\b(?:sources?|references?|see\s+also)\s?:.*$"
    r"|(?<=[A-Za-z*])\^\d+",
    re.IGNORECASE | re.MULTILINE,
)
_APOSTROPHES = re.compile(r"['\u2019\u02bc`]")
_POSSESSIVE = re.compile(r"(?<=\w)'s\b|(?<=s)'(?=\s)")
_ACRONYM = re.compile(r"\b(?:[^\W\d_]\.){2,}")
_SIGN_FIRST = re.compile(r"([$\u20ac\u00a3\u00a5])\s?(-?\d[\d.]*)|\b(usd|eur|gbp)\s(-?\d[\d.]*)")
_TAG = re.compile(r"</?[A-Za-z]\w*>")
_ROMAN = re.compile(r"\b(?=[IVX]{2})(X{0,3})(IX|IV|V?I{0,3})\b")
_ROMAN_DIGITS = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_EXPONENT = re.compile(r"(?<=[a-z])\^(?=\d)")
_TOKEN = re.compile(
    r"\d+(?:st|nd|rd|th)\b|(?<![\w)])-?\d+(?:\.\d+)?(?:/\d+)?|\d+(?:\.\d+)?(?:/\d+)?|[^\W\d_]\w*"
    r"|[\u00b0%$\u20ac\u00a3\u00a5]|[,.;:!?()/\n]|[\u2013\u2014]"
)
PUNCTUATION = frozenset(",.;:!?()/\n\u2013\u2014")

_CURRENCIES = {"usd": "$", "eur": "\u20ac", "gbp": "\u00a3"}
UNITS = {
    name: unit
    for unit, names in {
        "km": "kilometer kilometre kilometers kilometres kms",
        "m": "meter metre meters metres",
        "cm": "centimeter centimetre centimeters centimetres",
        "mm": "millimeter millimetre millimeters millimetres",
        "mi": "mile miles",
        "ft": "foot feet",
        "in": "inch inches",
        "kg": "kilogram kilograms kilo kilos kgs",
        "g": "gram grams gramme grammes",
        "t": "ton tons tonne tonnes",
        "lb": "pound pounds lbs",
        "l": "liter litre liters litres",
        "ml": "milliliter millilitre milliliters millilitres",
        "h": "hour hours hr hrs",
        "min": "minute minutes mins",
        "s": "2nd second seconds sec secs",
        "y": "year years yr yrs",
        "d": "day days",
        "mph": "mph",
        "v": "volt volts",
        "w": "watt watts",
        "hz": "hertz",
        "kwh": "kwh",
        "\u00b0": "degree degrees deg",
        "%": "percent",
        "$": "dollar dollars bucks",
        "\u20ac": "euro euros",
        "\u00a3": "quid",
        "\u00a5": "yen",
    }.items()
    for name in (unit, *names.split())
}
"""The short form of units, behind a number."""
_DEGREES = {"celsius": "c", "centigrade": "c", "fahrenheit": "f", "kelvin": "k"}
_ABBREVIATIONS = {"mt": "mount", "st": "saint", "dr": "doctor", "jr": "junior"}


@dataclass(frozen=True, slots=True)
class Words:
    """Normalised tokens of a text.

    Attributes:
        tokens: Words and the punctuation between them.
        places: Where in `tokens` the words stand.
    """

    tokens: tuple[str, ...]
    places: tuple[int, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens that are words, numbers or units."""
        return tuple(self.tokens[place] for place in self.places)

    def without_articles(self) -> "Words":
        """Return the same without `a`, `an` and `the`."""
        return _words([token for token in self.tokens if token not in ARTICLES])


@lru_cache(maxsize=1 << 12)
def normalised(text: str, *, digraphs: bool = False) -> Words:
    """Return the words of a text.

    Args:
        text: An answer or a reference answer.
        digraphs: Whether `ae`, `oe` and `ue` count as the umlauts that they stand for (`Mueller`).
    """
    text = unicodedata.normalize("NFKC", in_digits(_plain(text), ordinals=True)).casefold()
    text = _APOSTROPHES.sub("'", text)
    if not text.isascii():
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
        text = text.translate(_LETTERS)
    if digraphs:
        text = _DIGRAPH.sub(r"\1", text)
    text = _POSSESSIVE.sub(" 's ", text)
    text = _SIGN_FIRST.sub(lambda x: f"{x[2] or x[4]} {x[1] or _CURRENCIES[x[3]]} ", text)
    text = _EXPONENT.sub("", _ACRONYM.sub(lambda found: found[0].replace(".", ""), text))
    tokens: list[str] = []
    for part in re.split(r" ('s) ", text):
        tokens += [part] if part == "'s" else _TOKEN.findall(part.replace("'", ""))
    return _words(_with_short_units(tokens))


def _plain(text: str) -> str:
    """Leave out what only points somewhere or marks the text up, and write the numbers of kings and wars in digits."""
    text = _TAG.sub(" ", _POINTED.sub(" ", text))
    return _ROMAN.sub(lambda found: str(10 * len(found[1]) + _ROMAN_DIGITS.index(found[2])), text)


def _with_short_units(tokens: list[str]) -> list[str]:
    short: list[str] = []
    for token in tokens:
        before = short[-1] if short else ""
        behind_number = before[-1:].isdigit() and before.lstrip("-")[0].isdigit()
        if behind_number or (before == "/" and len(short) > 1 and short[-2] in UNITS.values()):
            short.append(UNITS.get(token, _DEGREES.get(token, token)))
        elif before == "\u00b0":
            short.append(_DEGREES.get(token, token))
        elif token == "per" and before in UNITS.values():
            short.append("/")
        else:
            short.append(_ABBREVIATIONS.get(token, token))
    return short


def _words(tokens: list[str]) -> Words:
    return Words(
        tuple(tokens), tuple(i for i, token in enumerate(tokens) if token not in PUNCTUATION and token != "'s")
    )
