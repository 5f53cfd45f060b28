"""The tokens of one answer, each on a field that is the stronger the higher its entropy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive

from homogaudit.report.numbers import decimal
from homogaudit.report.text import plain
from homogaudit.tui.question_view import TokenView
from homogaudit.tui.theme import MUTED, Palette, shade_glyph
from homogaudit.tui.widgets.canvas import Canvas, Figure, draw_ramp

_BARS = "▁▂▃▄▅▆▇█"

CALM = 1.0
"""The scale ends at this many nats at least: an answer without doubt must not look like one with."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a piece of a token stands."""

    x: int
    y: int
    text: str
    token: int


def visible_token(text: str) -> str:
    """Return the text of one token without control characters; a new line shows as `↵`, nothing at all as `▯`.

    Unlike a whole text a token keeps the space that it begins or ends with.
    """
    body = plain(text)
    front = " " if text[:1].isspace() and body else ""
    back = " " if text[-1:].isspace() and body else ""
    line = "↵" if "\n" in text else ""
    return (front + body + back).removesuffix(" " if line else "") + line or (" " if text.isspace() else "▯")


def _places(tokens: Sequence[TokenView], width: int) -> list[_Place]:
    """Return the pieces of all tokens, wrapped at the width; a token that fits no line is cut into pieces."""
    places: list[_Place] = []
    x = y = 0
    for number, token in enumerate(tokens):
        text = " " if token.text is None else visible_token(token.text)
        cells = cell_len(text)
        if x and x + cells > width:
            x, y = 0, y + 1
        if cells <= width:
            places.append(_Place(x, y, text, number))
            x += cells
            continue
        for char in text:
            if x and x + cell_len(char) > width:
                x, y = 0, y + 1
            places.append(_Place(x, y, char, number))
            x += cell_len(char)
    return places


def strip_top(tokens: Sequence[TokenView]) -> float:
    """Return the entropy at the upper end of the scale: the highest there is, and `CALM` at least."""
    return max([CALM, *(token.entropy for token in tokens if math.isfinite(token.entropy))])


def strip_height(tokens: Sequence[TokenView], width: int, *, color: bool) -> int:
    """Return the lines that tokens and legend need at a width."""
    places = _places(tokens, max(width, 1))
    rows = places[-1].y + 1 if places else 1
    bars = not color and any(token.text is not None for token in tokens)
    return rows * (2 if bars else 1) + 1


def draw_token_strip(
    tokens: Sequence[TokenView], width: int, height: int, palette: Palette, *, color: bool = True, empty: str = ""
) -> Content:
    """Return the tokens on `width` x `height` cells, with the legend in the last line from 2 lines on.

    Where their texts are not known a token is one cell. Without colour a bar under each token has its entropy, and a
    token without text is a character of as much ink. Tokens that find no room are counted in the legend.
    """
    canvas = Canvas(width, height)
    if width < 1 or height < 1:
        return canvas.content()
    if not tokens:
        canvas.put(0, 0, empty or "no tokens", MUTED)
        return canvas.content()
    top = strip_top(tokens)
    stride = 2 if not color and any(token.text is not None for token in tokens) else 1
    rows = max((height - (1 if height > 1 else 0)) // stride, 1)
    hidden: set[int] = set()
    for place in _places(tokens, width):
        token = tokens[place.token]
        if place.y >= rows:
            hidden.add(place.token)
            continue
        known = math.isfinite(token.entropy)
        share = token.entropy / top if known else 0.0
        y = place.y * stride
        if color:
            canvas.put(place.x, y, place.text, palette.heat_style(share) if known else MUTED)
        elif token.text is None:
            canvas.put(place.x, y, shade_glyph(share))
        else:
            canvas.put(place.x, y, place.text)
            bar = _BARS[round(share * (len(_BARS) - 1))] if known else " "
            canvas.put(place.x, y + 1, bar * cell_len(place.text), MUTED)
    if height > 1:
        _draw_legend(canvas, tokens, top, len(hidden), palette, color=color)
    return canvas.content()


def _draw_legend(
    canvas: Canvas, tokens: Sequence[TokenView], top: float, hidden: int, palette: Palette, *, color: bool
) -> None:
    y = canvas.height - 1
    entropies = [token.entropy for token in tokens if math.isfinite(token.entropy)]
    if not entropies:
        canvas.put(0, y, "no entropies were recorded", MUTED)
        return
    x = 0
    if canvas.width >= 60:
        canvas.put(0, y, "entropy", MUTED)
        x = 8
    canvas.put(x, y, "0", MUTED)
    x = draw_ramp(canvas, x + 2, y, palette.heat_style, color=color)
    parts = [f"{decimal(top, 2)} nats"]
    if hidden:
        parts.append(f"+{hidden} more")
    mean = sum(entropies) / len(entropies)
    parts.append(f"min {decimal(min(entropies), 2)}, mean {decimal(mean, 2)}, max {decimal(max(entropies), 2)}")
    parts.append(f"{len(tokens)} tokens")
    for part in parts:
        text = part if part is parts[0] else " · " + part
        if x + cell_len(text) > canvas.width:
            break
        canvas.put(x, y, text, MUTED)
        x += cell_len(text)


class TokenStrip(Figure):
    """The tokens of one answer shaded by entropy, with a legend; the token under the mouse says its entropy."""

    DEFAULT_CSS = """
    TokenStrip { height: auto; min-height: 2; }
    """

    tokens: reactive[tuple[TokenView, ...]] = reactive((), layout=True)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say text and entropy of the token under the mouse."""
        stride = 2 if self.app.no_color and any(token.text is not None for token in self.tokens) else 1
        found = None
        for place in _places(self.tokens, max(self.content_size.width, 1)):
            if place.y == event.y // stride and place.x <= event.x < place.x + cell_len(place.text):
                found = place
                break
        if found is None:
            self.tooltip = None
            return
        token = self.tokens[found.token]
        text = "token" if token.text is None else f"`{visible_token(token.text)}`"
        self.tooltip = Content(f"{text} {found.token + 1} of {len(self.tokens)}: {decimal(token.entropy, 3)} nats")

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of all tokens and the legend."""
        return strip_height(self.tokens, width, color=not self.app.no_color)

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the strip."""
        return draw_token_strip(self.tokens, width, height, palette, color=color, empty=self.empty)
