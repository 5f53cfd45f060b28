"""Finds time expressions in a question by rules, and the days that they mean. English; quoted text is passed over.

Knows dates, years, decades and what is relative to a day ("current", "last year"); knows nothing of what the question
is about. A present tense without a time expression ("Who is the pope?") is none; the "now" of a story is one.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """One time expression.

    Attributes:
        text: As it stands in the question.
        first: First day that it can mean, `None` where it is relative and the day of asking is not known.
        last: Last such day.
    """

    text: str
    first: date | None
    last: date | None


_Span = tuple[date, date]

_MONTHS = ("january february march april may june july august september october november december").split()
_MONTH = "|".join([*_MONTHS, *(f"{month[:3]}\\.?" for month in _MONTHS), r"sept\.?"])
_DAY = r"(?P<day>[0-3]?[0-9])(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>1[0-9]{3}|20[0-9]{2})"
_END = r"(?![0-9]|[.,:][0-9])"
_SEASONS = {"spring": (3, 5), "summer": (6, 8), "autumn": (9, 11), "fall": (9, 11), "winter": (10, 12)}
"""First and last month in the northern half; a winter is taken to end with its year."""
_PARTS = {
    "early": (1, 4),
    "beginning of": (1, 4),
    "start of": (1, 4),
    "mid": (5, 8),
    "middle of": (5, 8),
    "late": (9, 12),
    "end of": (9, 12),
    "first half of": (1, 6),
    "second half of": (7, 12),
}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_COUNTS: dict[str, int] = {
    **{word: count for count, word in enumerate("one two three four five six seven eight nine ten".split(), 1)},
    **{"a": 1, "an": 1, "a couple of": 2, "a few": 3, "several": 5, "twenty": 20, "fifty": 50, "a hundred": 100},
}
_COUNT = rf"(?P<count>[0-9]{{1,4}}|{'|'.join(sorted(_COUNTS, key=len, reverse=True))})"
_UNIT_DAYS = {"day": 1.0, "week": 7.0, "month": 30.44, "year": 365.25, "decade": 3652.5, "century": 36525.0}
_QUANTITY = (
    r"(?:%|percent|per\s+cent|people|persons?|men|women|soldiers|deaths|dollars|euros|pounds|yen|cents|calories"
    r"|kcal|k?g|grams?|kilograms?|tons?|tonnes|mm|cm|km|m|meters?|metres?|miles?|feet|foot|ft|inches|yards"
    r"|kilomet(?:er|re)s?|liters?|litres?|gallons|hours?|minutes?|seconds?|days|weeks|months|years|times|words|pages"
    r"|points?|votes|watts?|volts?|degrees|bytes|[kmgt]b|mhz|hz|pixels|mah|cc|hp|species|islands|copies|bc|bce)"
)
_NOW = (
    # Not the current of a river or a wire.
    r"(?<!electric )(?<!electrical )(?<!ocean )(?<!alternating )(?<!direct )(?<!eddy )(?<!water )"
    r"current(?=\s+[a-z0-9\u00c0-\u024f])(?!\s+(?:in|of|is|was|flow|flows|flowing|through|from|across|passing|passes"
    r"|between|and|or|to|that|which|density|source|carrying|affairs?)\b)",
    r"currently",
    r"present(?:[\s-]+day|ly)",
    r"at\s+(?:present|the\s+moment|this\s+(?:time|moment|point))",
    r"as\s+of\s+(?:now|today|yet)",
    r"(?:right\s+|just\s+)?now(?!\s+(?:known|called|named|part|a\s+part|lost|extinct)\b)",
    r"nowadays",
    r"these\s+days",
    r"(?<!USA )today",
    r"tonight",
    r"to\s+date(?=\s*(?:[,.?!;)]|$))",
    r"so\s+far(?!\s+(?:from|away|as|apart|north|south|east|west)\b)",
    r"up[\s-]to[\s-]date",
    r"(?<!at the )latest",
    r"newest",
    r"(?:more\s+|most[\s-]+)?recent(?:ly)?(?!\s+common\b)",
    r"incumbent",
    r"ongoing",
    r"(?<!longest )reigning",
    r"sitting\s+(?:president|vice|prime|senator|governor|mayor|member|monarch|king|queen|judge|justice)",
    r"upcoming",
    r"this\s+(?:year|month|week|season|decade|quarter|century|spring|summer|autumn|fall|winter|morning|evening)",
    r"(?:over|in|within|during|for)\s+the\s+(?:last|past|next|coming)\s+(?:few\s+|couple\s+of\s+|several\s+)?"
    r"(?:[0-9]+\s+|(?:two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|hundred)\s+)?"
    r"(?:days?|weeks?|months?|years?|decades?)(?!\s+of\b)",
    r"(?:last|past|next|coming)\s+(?:week|season|weekend|night|quarter|decade|century|spring|summer|autumn|fall|winter"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday)(?!\s+of\b)",
    r"next\s+(?:month|elections?|world\s+cup|olympics|olympic\s+games|president|version|release|generation)(?!\s+of\b)",
    r"still\s+(?:alive|living|in\s+(?:office|power|use|force|service|print|production)|active"
    r"|standing|running|serving|playing|airing)",
)


def time_expressions(text: str, asked: date | None) -> tuple[TimeExpression, ...]:
    """Return the time expressions of a text in their order; where two overlap, the one of the earlier rule.

    Args:
        text: A question.
        asked: The day that "current" means, `None` where it is not known.
    """
    # Blanked, not cut out: what stands at either side of a title is not neighbours.
    text = re.sub('"[^"\n]*"|\u201c[^\u201d\n]*\u201d', lambda match: "#" * len(match[0]), text)
    taken: list[tuple[int, TimeExpression]] = []
    free = text
    for pattern, days in _RULES:
        for match in pattern.finditer(free):
            span = days(match, asked)
            if span is not None:
                first, last = (None, None) if span is _UNKNOWN else span
                taken.append((match.start(), TimeExpression(match[0], first, last)))
                free = free[: match.start()] + "#" * len(match[0]) + free[match.end() :]
    return tuple(expression for _, expression in sorted(taken, key=lambda pair: pair[0]))


_UNKNOWN: _Span = (date.min, date.min)
"""Marks what is relative to an unknown day."""

_Days = Callable[[re.Match[str], date | None], _Span | None]


def _months(year: int, first: int, last: int) -> _Span:
    return date(year, first, 1), date(year, last, monthrange(year, last)[1])


def _month_number(name: str) -> int:
    return next(number for number, month in enumerate(_MONTHS, 1) if month.startswith(name.lower().rstrip(".")[:3]))


def _exact_day(match: re.Match[str], asked: date | None) -> _Span | None:
    month = match["month"]
    try:
        day = date(int(match["year"]), int(month) if month.isdigit() else _month_number(month), int(match["day"]))
    except ValueError:
        return None
    return day, day


def _month_of_year(match: re.Match[str], asked: date | None) -> _Span | None:
    month = _month_number(match["month"])
    return _months(int(match["year"]), month, month)


def _season(match: re.Match[str], asked: date | None) -> _Span | None:
    return _months(int(match["year"]), *_SEASONS[match["season"].lower()])


def _quarter(match: re.Match[str], asked: date | None) -> _Span | None:
    number = int(match["number"]) if match["number"] else _ORDINALS[match["ordinal"].lower()]
    return _months(int(match["year"]), 3 * number - 2, 3 * number)


def _part(match: re.Match[str], asked: date | None) -> _Span | None:
    return _months(int(match["year"]), *_PARTS[" ".join(match["part"].lower().split())])


def _decade(match: re.Match[str], asked: date | None) -> _Span | None:
    # Two digits need their apostrophe: who is "in his 20s" tells no decade.
    year = int(match["decade"].strip("'\u2019"))
    if year < 100:
        year += 2000 if year < 30 else 1900
    return date(year, 1, 1), date(year + (99 if year % 100 == 0 and year < 2000 else 9), 12, 31)


def _century(match: re.Match[str], asked: date | None) -> _Span | None:
    last = int(match["century"]) * 100
    return date(last - 99, 1, 1), date(last, 12, 31)


def _year(match: re.Match[str], asked: date | None) -> _Span | None:
    return _months(int(match["year"]), 1, 12)


def _now(match: re.Match[str], asked: date | None) -> _Span | None:
    return _UNKNOWN if asked is None else (asked, asked)


def _shifted_year(by: int) -> _Days:
    def days(match: re.Match[str], asked: date | None) -> _Span | None:
        return _UNKNOWN if asked is None else _months(asked.year + by, 1, 12)

    return days


def _last_month(match: re.Match[str], asked: date | None) -> _Span | None:
    if asked is None:
        return _UNKNOWN
    last = asked.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


def _shifted_day(by: int) -> _Days:
    def days(match: re.Match[str], asked: date | None) -> _Span | None:
        return _UNKNOWN if asked is None else (asked + timedelta(days=by), asked + timedelta(days=by))

    return days


def _ago(match: re.Match[str], asked: date | None) -> _Span | None:
    if asked is None:
        return _UNKNOWN
    text = " ".join(match["count"].lower().split())
    days = (int(text) if text.isdigit() else _COUNTS[text]) * _UNIT_DAYS[match["unit"].lower()]
    day = date.fromordinal(max(1, asked.toordinal() - round(days)))
    return day, day


def _compiled(pattern: str, days: _Days) -> re.Pattern[str]:
    # A year may end a span ("2019-2024"); a word after a hyphen is another word ("then-current").
    before = r"(?:(?<=[0-9][/\u2013-])|(?<![\w$#\u20ac\u00a3.,:/-]))" if days is _year else r"(?<![\w#.,:/-])"
    return re.compile(rf"{before}(?:{pattern})(?!\w)", re.IGNORECASE)


_ALL: tuple[tuple[str, _Days], ...] = (
    (rf"{_YEAR}-(?P<month>[01][0-9])-(?P<day>[0-3][0-9])", _exact_day),
    (rf"{_DAY}\s+(?:of\s+)?(?P<month>{_MONTH}),?\s+{_YEAR}{_END}", _exact_day),
    (rf"(?P<month>{_MONTH})\s+{_DAY},?\s+{_YEAR}{_END}", _exact_day),
    (rf"(?P<month>{_MONTH}),?\s+(?:of\s+)?{_YEAR}{_END}", _month_of_year),
    (rf"(?P<season>{'|'.join(_SEASONS)})\s+(?:of\s+)?{_YEAR}{_END}", _season),
    (rf"(?:q(?P<number>[1-4])|(?P<ordinal>{'|'.join(_ORDINALS)})\s+quarter)\s+(?:of\s+)?{_YEAR}{_END}", _quarter),
    (rf"(?P<part>{'|'.join(part.replace(' ', '[ ]+') for part in _PARTS)})[\s-]+{_YEAR}{_END}", _part),
    (r"(?:mid-|early\s+|late\s+)?(?P<decade>1[0-9]{2}0|20[0-9]0|['\u2019][0-9]0)['\u2019]?s", _decade),
    (r"(?P<century>1[0-9]|2[01])(?:st|th)[\s-]+century", _century),
    (rf"(?:in\s+)?{_COUNT}\s+(?P<unit>{'|'.join(_UNIT_DAYS)})s?\s+ago", _ago),
    (r"(?<!the )last\s+year(?!\s+of\b)", _shifted_year(-1)),
    (r"next\s+year", _shifted_year(1)),
    (r"last\s+month(?!\s+of\b)", _last_month),
    (r"yesterday", _shifted_day(-1)),
    (r"tomorrow", _shifted_day(1)),
    *((pattern, _now) for pattern in _NOW),
    (rf"{_YEAR}{_END}(?![\s-]*{_QUANTITY}\b)", _year),
)

_RULES = tuple((_compiled(pattern, days), days) for pattern, days in _ALL)
"""In this order: a rule sees only what those before it left over."""
