"""The rate of now in large digits, with its interval and what it covers."""

from textual.content import Content
from textual.reactive import reactive

from homogaudit.events import Deciding
from homogaudit.report.deciding import HOPELESS, is_hopeless, left_words, outlook_words
from homogaudit.report.numbers import count, percent, percent_interval
from homogaudit.statistics.running_rate import RunningRates
from homogaudit.tui.theme import MUTED, Palette
from homogaudit.tui.widgets.canvas import Canvas, Figure

_GLYPHS = {
    "0": ("█▀█", "█ █", "▀▀▀"),
    "1": ("▀█ ", " █ ", "▀▀▀"),
    "2": ("▀▀█", "█▀▀", "▀▀▀"),
    "3": ("▀▀█", " ▀█", "▀▀▀"),
    "4": ("█ █", "▀▀█", "  ▀"),
    "5": ("█▀▀", "▀▀█", "▀▀▀"),
    "6": ("█▀▀", "█▀█", "▀▀▀"),
    "7": ("▀▀█", "  █", "  ▀"),
    "8": ("█▀█", "█▀█", "▀▀▀"),
    "9": ("█▀█", "▀▀█", "▀▀▀"),
    ".": (" ", " ", "▀"),
    "%": ("▀ █", "▄▀ ", "▀ ▀"),
    "<": (" ▄▀", "▀▄ ", "  ▀"),
}
"""Every character of a percentage on three lines."""

_DIGIT_LINES = 3
_WIDE = 40
"""From this width on the words stand beside the digits and not under them."""


class RateFigure(Figure):
    """The single-cluster rate of what is scored; dimmed while it is provisional."""

    DEFAULT_CSS = """
    RateFigure { height: 5; }
    """

    running: reactive[RunningRates] = reactive(RunningRates())
    deciding: reactive[Deciding | None] = reactive(None)
    """Of a run that stops once it is decided: its interval stands in the place of that of a fixed number."""

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the lines."""
        canvas = Canvas(width, height)
        running = self.running
        shown = running.primary
        if shown is None or shown.value() is None:
            why = "with enough answers" if shown is None else "audited yet"
            text = f"{running.scored} scored, none {why}" if running.scored else "no question scored yet"
            canvas.put(max(width - len(text), 0) // 2, height // 2, text, MUTED)
            return canvas.content()
        rate = shown.rate
        ink = MUTED if running.note else "$text-primary bold"
        x = 0
        for char in percent(rate.value):
            for y, part in enumerate(_GLYPHS[char]):
                canvas.put(x, y, part, ink)
            x += len(_GLYPHS[char][0]) + 1
        ends, note, ahead = rate, running.note, ""
        if self.deciding is not None:
            ends, note, ahead = self.deciding, left_words(self.deciding), outlook_words(self.deciding)
            if is_hopeless(self.deciding):
                note = f"{note}; {HOPELESS}" if width >= _WIDE else HOPELESS
        interval = percent_interval(ends.low, ends.high)
        counts = f"{count(rate.k)} of {count(rate.n)}"
        if shown.is_two_phase:
            counts, ahead = f"about {counts}", f"{count(shown.audited[-1])} of them audited"
        plain_ink = MUTED if running.note else ""
        if width >= _WIDE:
            canvas.put(x + 2, 0, f"95% {interval}", plain_ink)
            canvas.put(x + 2, 1, f"{counts} questions", plain_ink)
            canvas.put(x + 2, 2, "provisional" if running.note else f"by {shown.method}", MUTED)
            canvas.put(0, _DIGIT_LINES, note, "$text-warning")
            canvas.put(0, _DIGIT_LINES + 1, ahead if len(ahead) <= width else ahead.partition(",")[0], MUTED)
        else:
            wordings = (f"{counts} scored, 95% {interval}", f"{counts}, 95% {interval}", f"{counts} {interval}", counts)
            canvas.put(0, _DIGIT_LINES, next((x for x in wordings if len(x) <= width), counts), plain_ink)
            if self.deciding is None and len(note) > width:
                note = note.partition(", ")[2]
            canvas.put(0, _DIGIT_LINES + 1, note or ahead, "$text-warning" if note else MUTED)
        return canvas.content()
