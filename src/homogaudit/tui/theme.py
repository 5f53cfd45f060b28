"""Colours and glyphs of what is measured: clusters, states, entropies, similarities.

Every colour has a glyph or a word beside it, so that nothing is lost without colour. The colours of the frame are the
theme's; it knows no widget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from textual.color import Color
from textual.style import Style

MUTED = "$foreground 62%"
"""Text of the second rank. `$text-muted` is "auto", whose alpha text spans lose."""

FAINT = "$foreground 35%"
"""Axes and dotted lines."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHADES = " ·░▒▓█"
"""From nothing to full: the brightness of a cell where there is no colour."""


def cluster_glyph(number: int) -> str:
    """Return the letter of a cluster numbered from 0: `A`, `B`, ..., and `#` past the fifty-second."""
    return _LETTERS[number] if 0 <= number < len(_LETTERS) else "#"


def shade_glyph(share: float) -> str:
    """Return the character whose ink is nearest to `share` in [0, 1]."""
    last = len(_SHADES) - 1
    return _SHADES[round(min(max(share, 0.0), 1.0) * last)]


@dataclass(frozen=True, slots=True)
class StateMark:
    """How a state looks: a glyph of one cell, a word, and a style in terms of the theme."""

    glyph: str
    word: str
    style: str


STATES: Mapping[str, StateMark] = MappingProxyType(
    {
        "waiting": StateMark("·", "waiting", MUTED),
        "drawing": StateMark("▸", "drawing", "$text-primary"),
        "drawn": StateMark("◌", "drawn", "$text-primary"),
        "scored": StateMark("●", "scored", "$foreground"),
        "stopped": StateMark("◑", "stopped", "$foreground"),
        "unfinished": StateMark("◔", "unfinished", "$text-warning"),
        "paused": StateMark("‖", "paused", "$text-warning"),
        "cancelling": StateMark("◦", "cancelling", "$text-warning"),
        "valid": StateMark("•", "valid", "$foreground"),
        "refused": StateMark("⊘", "refused", "$text-warning"),
        "empty": StateMark("∅", "empty", "$text-warning"),
        "truncated": StateMark("⋯", "truncated", "$text-warning"),
        "thinking_unclosed": StateMark("◐", "thinking unclosed", "$text-warning"),
        "error": StateMark("!", "error", "$text-error"),
        "correct": StateMark("✓", "correct", "$text-success"),
        "incorrect": StateMark("✗", "incorrect", "$text-error"),
        "ambiguous": StateMark("≈", "ambiguous", "$text-warning"),
        "no_match": StateMark("?", "no match", MUTED),
    }
)
"""Every state of a question, of a draw and of a label."""


def state_mark(state: str) -> StateMark:
    """Return the mark of a state; one without a mark shows as its own word."""
    return STATES.get(state) or StateMark("•", state.replace("_", " "), "$foreground")


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of clusters and of the two ramps on one kind of background.

    Attributes:
        clusters: After Okabe and Ito's set, mended for the background; the first six stay well apart with the common
            kinds of colour blindness, the others apart.
        heat: From no entropy to much: luminance falls or rises all the way, so that it reads in grey too.
        similarity: The same for similarities.
        ink: The darkest and the lightest text that stands on a ramp.
        background: What tints are mixed with.
    """

    dark: bool
    clusters: tuple[str, ...]
    heat: tuple[str, ...]
    similarity: tuple[str, ...]
    ink: tuple[str, str]
    background: str

    def cluster_color(self, number: int) -> Color:
        """Return the colour of a cluster or a series numbered from 0; they come round again after the last."""
        return Color.parse(self.clusters[number % len(self.clusters)])

    def cluster_style(self, number: int, *, bold: bool = False) -> Style:
        """Return the text style of a cluster or a series."""
        return Style(foreground=self.cluster_color(number), bold=bold or None)

    def badge_style(self, number: int) -> Style:
        """Return the style of a cluster's letter on a field of its colour."""
        return self.on(self.cluster_color(number), bold=True)

    def tint(self, number: int, strength: float = 0.22) -> Color:
        """Return a cluster's colour mixed into the background, for the area of an interval."""
        return self.tint_over(Color.parse(self.background), number, strength)

    def tint_over(self, under: Color, number: int, strength: float = 0.22) -> Color:
        """Return a cluster's colour mixed into another colour."""
        return under.blend(self.cluster_color(number), strength)

    def heat_style(self, share: float) -> Style:
        """Return the field for an entropy at `share` in [0, 1] of the scale, with text that can be read on it."""
        return _ramp_style(self.heat, self.ink, _level(share))

    def similarity_style(self, share: float) -> Style:
        """Return the field for a similarity at `share` in [0, 1] of the scale, with text that can be read on it."""
        return _ramp_style(self.similarity, self.ink, _level(share))

    def on(self, field: Color, *, bold: bool = False) -> Style:
        """Return the style of text on a field, in the ink that is further from it in brightness."""
        return Style(background=field, foreground=_ink(self.ink, field), bold=bold or None)


_LEVELS = 64
"""Steps of a ramp: more than an eye tells apart, few enough to be kept."""


def _level(share: float) -> int:
    return round(min(max(share, 0.0), 1.0) * _LEVELS)


def _ink(inks: tuple[str, str], field: Color) -> Color:
    return max(map(Color.parse, inks), key=lambda ink: abs(ink.brightness - field.brightness))


@lru_cache(maxsize=1024)
def _ramp_style(stops: tuple[str, ...], inks: tuple[str, str], level: int) -> Style:
    place = level / _LEVELS * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    field = Color.parse(stops[index]).blend(Color.parse(stops[index + 1]), place - index)
    return Style(background=field, foreground=_ink(inks, field))


DARK_PALETTE = Palette(
    dark=True,
    clusters=(
        "#56b4e9", "#e69f00", "#2fc59b", "#dd8fbd", "#f0e442", "#f0743e",
        "#7f9bff", "#b8bcc8", "#a8b545", "#c3a6f5", "#f2a6a6", "#86e3dc",
    ),
    heat=("#1b1e2a", "#43352c", "#80551f", "#cf8420", "#ffd677"),
    similarity=("#191c28", "#1f3350", "#28608f", "#45a0c6", "#b2e8ec"),
    ink=("#0c0e14", "#e8ebf4"),
    background="#14161f",
)  # fmt: skip

LIGHT_PALETTE = Palette(
    dark=False,
    clusters=(
        "#0b6de4", "#724a02", "#05806e", "#751260", "#423e16", "#b6503c",
        "#1c26ec", "#4c5a9c", "#777706", "#4224bb", "#b3264e", "#277d96",
    ),
    heat=("#f7f5ef", "#fbe4b4", "#f5ba55", "#d9781f", "#933800"),
    similarity=("#f3f5fa", "#cfe0f2", "#8cb9df", "#3c80bb", "#0c4780"),
    ink=("#15171d", "#ffffff"),
    background="#fbfbfd",
)  # fmt: skip


def palette_of(dark: bool) -> Palette:
    """Return the palette for a dark or a light theme."""
    return DARK_PALETTE if dark else LIGHT_PALETTE
