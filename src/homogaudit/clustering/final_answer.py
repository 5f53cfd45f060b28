r"""The final number of an answer, for the `answer` clustering and the `numeric` judge.

A marked answer (`#### 42`, `\boxed{42}`) is preferred; otherwise the last number of the text counts. It knows English
scale words and the decimal point; a decimal comma (`3,14`) reads as two numbers.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

_CURRENCY = r"$€£¥₹"
_SCALES = {
    "thousand": Decimal(10**3),
    "million": Decimal(10**6),
    "billion": Decimal(10**9),
    "trillion": Decimal(10**12),
}
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_NUMBER = re.compile(
    rf"""
    (?<![A-Za-z0-9_^]) (?<!\^{{)              # not inside a word or version (Q3, m2), not an exponent (m^2)
    (?P<sign>-?) (?:[{_CURRENCY}]\ ?)? (?P<inner_sign>-?)
    (?:
        (?<![0-9]/)(?P<whole>[0-9]+)\ (?P<mixed_top>[0-9]+)/(?P<mixed_bottom>[0-9]+)(?![0-9]|\ ?/\ ?[0-9])
      | (?<![0-9]/)(?P<top>{_DIGITS})\ ?/\ ?(?P<bottom>{_DIGITS})(?![0-9]|\ ?/\ ?[0-9])
      | (?P<plain>{_DIGITS}) (?P<exponent>[eE][+-]?[0-9]{{1,3}}(?![A-Za-z0-9]))?
    )
    (?:\ ?(?P<scale>{"|".join(_SCALES)})\b)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MARKER = re.compile(rf"####[ \t]*(?=-?[{_CURRENCY}]?[ ]?-?\.?[0-9])")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_BOXED = re.compile(r"\\boxed\s*\{")
_SEPARATORS = str.maketrans(
    {
        "\u2212": "-",  # minus sign
        "\u2013": "-",  # en dash
        "\u2044": "/",  # fraction slash
        "\u00a0": " ",  # no-break space
        "\u2009": None,  # thin spaces group thousands
        "\u202f": None,
    }
)
_VULGAR_FRACTION = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_UNITS_OF_A_PLAIN_NUMBER = re.compile(r"[\s.%°*" + _CURRENCY + r"]*")


@dataclass(frozen=True, slots=True)
class FoundNumber:
    """A number of a text and where it stands there."""

    value: Decimal
    start: int
    end: int


def numbers_of(text: str) -> list[FoundNumber]:
    """Return every number of a text in its order.

    Args:
        text: As `plain_numbers` writes it.
    """
    return [FoundNumber(_value(found, text), found.start(), found.end()) for found in _NUMBER.finditer(text)]


def final_number(text: str) -> Decimal | None:
    r"""Return the number that an answer ends with, `None` where it holds none.

    Thousands separators, currency, percent signs, units and trailing dots are dropped. The number after the last
    `####`, else that of the last `\boxed{}`, is preferred to the last number of the text. Fractions (`3/4`,
    `\frac{3}{4}`, `1 1/2`) are divided; `1.5 million` is multiplied out. A minus sign counts where no number stands
    before it.

    Args:
        text: An answer, any length.
    """
    text = plain_numbers(text)
    marked = marked_number(text)
    return _last_number(text) if marked is None else marked


def marked_number(text: str) -> Decimal | None:
    r"""Return the number behind the last `####`, else that of the last `\boxed{}`, `None` without one.

    Args:
        text: As `plain_numbers` writes it.
    """
    markers = list(_MARKER.finditer(text))
    if markers:
        found = _NUMBER.search(text, markers[-1].end())
        if found is not None:
            return _value(found, text)
    boxed = _last_boxed(text)
    return None if boxed is None else _last_number(boxed)


def is_number(text: str) -> bool:
    """Whether a text is a number and nothing else but a sign, a currency, a percent sign or a final dot.

    Args:
        text: A reference answer; `42`, `$1,200`, `3/4` and `15%` are numbers, `5 km` and `June 5` are not.
    """
    text = plain_numbers(text).strip()
    marker = _MARKER.match(text)
    if marker is not None:
        text = text[marker.end() :]
    found = _NUMBER.match(text)
    return found is not None and _UNITS_OF_A_PLAIN_NUMBER.fullmatch(text, found.end()) is not None


def plain_numbers(text: str) -> str:
    """Write digits, signs, spaces and LaTeX in the one form that the number pattern knows.

    Args:
        text: An answer, any length.
    """
    if not text.isascii():
        text = _VULGAR_FRACTION.sub(lambda found: " " + unicodedata.normalize("NFKC", found[0]), text)
        text = "".join(str(int(char)) if char.isdecimal() else char for char in text).translate(_SEPARATORS)
    if "\\" in text or "{,}" in text:
        text = text.replace("{,}", ",").replace(r"\,", "").replace(r"\!", "")
        text = text.replace(r"\$", "$").replace(r"\%", "%")
        text = _FRACTION.sub(_written_fraction, text)
    return text


def _written_fraction(found: re.Match[str]) -> str:
    """Write a LaTeX fraction with a slash, set apart from a whole number before it."""
    before = found.string[found.start() - 1 : found.start()]
    return (" " if before.isdigit() else "") + f"{found[1].strip()}/{found[2].strip()}"


def _last_boxed(text: str) -> str | None:
    r"""Return what the last `\boxed{...}` holds, to the matching brace or the end of the text."""
    start = None
    for opening in _BOXED.finditer(text):
        start = opening.end()
    if start is None:
        return None
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return text[start:]


def _last_number(text: str) -> Decimal | None:
    last = None
    for found in _NUMBER.finditer(text):
        last = found
    return None if last is None else _value(last, text)


def _value(found: re.Match[str], text: str) -> Decimal:
    """Return the value of one match of the number pattern."""
    value = _fraction(found["mixed_top"], found["mixed_bottom"])
    if value is not None:
        value += Decimal(found["whole"])
    else:
        value = _fraction(found["top"], found["bottom"])
    if value is None:
        # A division by zero is no fraction: what stands behind its slash is the last number.
        digits = found["plain"] or found["bottom"] or found["mixed_bottom"]
        value = Decimal(digits.replace(",", "") + (found["exponent"] or ""))
    if found["scale"]:
        value *= _SCALES[found["scale"].lower()]
    negative = bool(found["inner_sign"]) or (bool(found["sign"]) and not _is_operator(found.start(), text))
    return -value if negative else value


def _fraction(top: str | None, bottom: str | None) -> Decimal | None:
    if top is None or bottom is None:
        return None
    divisor = Decimal(bottom.replace(",", ""))
    return Decimal(top.replace(",", "")) / divisor if divisor else None


def _is_operator(position: int, text: str) -> bool:
    """Whether the minus at `position` subtracts from something: a number or a closing bracket before it."""
    before = text[:position].rstrip(" ")[-1:]
    return before.isdigit() or before in (")", "%", "]") if before else False
