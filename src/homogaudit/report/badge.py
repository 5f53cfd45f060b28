"""Level and rate of a report as a badge, an SVG image of one line for a README."""

from xml.sax.saxutils import escape

from homogaudit.report.layout import LEVEL_TONES
from homogaudit.report.numbers import percent
from homogaudit.report.records import Report
from homogaudit.report.section import Tone
from homogaudit.statistics import Rate

_LABEL = "homogenization"
_COLORS: dict[Tone, str] = {"good": "#2b6e37", "doubtful": "#7d5600", "bad": "#a12424"}
"""Dark enough for white letters: contrast 5.9 and more."""

_LETTER = 6.6
"""Mean width of a letter of 11 pixels; each text is set to the width that this gives, whatever the font is."""

_TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-labelledby="title">
  <title id="title">{label}: {words}</title>
  <rect width="{width}" height="20" rx="3" fill="#444"/>
  <path d="M{left} 0h{inner}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{inner}z" fill="{color}"/>
  <g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" aria-hidden="true">
    <text x="6" y="14" textLength="{label_width}">{label}</text>
    <text x="{words_at}" y="14" textLength="{words_width}">{words}</text>
  </g>
</svg>
"""


def to_badge(report: Report) -> str:
    """Return the badge; without a level it says `invalid` or `not judged`."""
    figures = report.homogenization.methods.get(report.homogenization.primary or "")
    words = report.verdict.level
    if not report.verdict.level_reason and figures is not None and isinstance(figures.scr, Rate):
        words = f"{words}, SCR {percent(figures.scr.value)}"
    label_width, words_width = (round(_LETTER * len(text)) for text in (_LABEL, words))
    left, right = label_width + 12, words_width + 12
    return _TEMPLATE.format(
        width=left + right,
        left=left,
        inner=right - 3,
        label=_LABEL,
        words=escape(words),
        color=_COLORS[LEVEL_TONES[report.verdict.level]],
        label_width=label_width,
        words_at=left + 6,
        words_width=words_width,
    )
