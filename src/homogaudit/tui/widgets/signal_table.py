"""The signals of one question: value, rank in the run, and where that rank lies between certain and uncertain."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive

from homogaudit.report.numbers import count, decimal
from homogaudit.report.text import plain
from homogaudit.report.undefined import Undefined
from homogaudit.tui.question_view import RankedSignal
from homogaudit.tui.theme import FAINT, MUTED, Palette
from homogaudit.tui.widgets.canvas import Canvas, Figure, fit, fit_name, wrapped

_TRACK = 12


def _rank(line: RankedSignal) -> str:
    # An equals sign, as in a list of results: others share the place.
    return f"{'=' if line.tied else ''}{count(line.rank)}"


def _value(line: RankedSignal) -> str:
    return decimal(None if isinstance(line.value, Undefined) else line.value)


def _missing(lines: Sequence[RankedSignal], width: int) -> list[tuple[str, str]]:
    """Return the lines on signals without a value: each reason once, then the names that it holds for."""
    names: dict[str, list[str]] = {}
    for line in lines:
        if isinstance(line.value, Undefined):
            names.setdefault(plain(line.value.reason), []).append(plain(line.name))
    shown: list[tuple[str, str]] = []
    for reason, belonging in names.items():
        shown.append(("", ""))
        shown += [(part, "") for part in wrapped(f"{reason}:", max(width, 4))]
        shown += [("  " + part, MUTED) for part in wrapped(", ".join(belonging), max(width - 2, 4))]
    return shown


def table_height(lines: Sequence[RankedSignal], width: int) -> int:
    """Return the lines that the table needs at a width."""
    return 1 + sum(not isinstance(line.value, Undefined) for line in lines) + len(_missing(lines, width))


def draw_signal_table(
    lines: Sequence[RankedSignal], width: int, height: int, *, empty: str = "no signals are stored"
) -> Content:
    """Return a heading, a line for each signal with a value, and the others by the reason why they have none.

    Where the width is short the track goes first, then ends of names.
    """
    canvas = Canvas(width, height)
    if not lines:
        canvas.put(0, 0, fit(empty, width), MUTED)
        return canvas.content()
    valued = [line for line in lines if not isinstance(line.value, Undefined)]
    values = max([5, *(len(_value(line)) for line in valued)])
    ranks = max([5, *(len(_rank(line)) for line in valued)])
    total = max((len(count(line.n)) for line in valued), default=0) + 4
    numbers = 2 + values + 1 + ranks + total
    names = max((cell_len(plain(line.name)) for line in valued), default=6)
    track = _TRACK if width >= min(names, 24) + numbers + 2 + _TRACK else 0
    names = max(min(names, width - numbers - (track + 2 if track else 0)), 6)
    value_end = names + 2 + values
    rank_end = value_end + 1 + ranks
    if valued:
        canvas.put(0, 0, fit("signal", min(names, 6)), MUTED)
        canvas.right(value_end, 0, "value", MUTED)
        canvas.right(rank_end, 0, "rank", MUTED)
        if track:
            canvas.put(rank_end + total + 2, 0, f"unsure{'sure':>{track - 6}}", MUTED)
    for y, line in enumerate(valued, start=1):
        canvas.put(0, y, fit_name(plain(line.name), names))
        canvas.right(value_end, y, _value(line))
        canvas.right(rank_end, y, _rank(line))
        canvas.put(rank_end, y, f"of {count(line.n)}".rjust(total), MUTED)
        if track:
            _draw_track(canvas, rank_end + total + 2, y, line, track)
    for y, (text, style) in enumerate(_missing(lines, width), start=len(valued) + 1):
        canvas.put(0, y, text, style)
    return canvas.content()


def _draw_track(canvas: Canvas, x: int, y: int, line: RankedSignal, cells: int) -> None:
    """Draw where the rank lies: the most uncertain at the left, as in a list of the most uncertain."""
    canvas.put(x, y, "─" * cells, FAINT)
    if line.n > 1:
        # Ties stand in the middle of the places that they share.
        place = (line.rank - 1 + line.tied / 2) / (line.n - 1)
        canvas.put(x + round(place * (cells - 1)), y, "●", "$primary")


class SignalTable(Figure):
    """The signals of one question."""

    DEFAULT_CSS = """
    SignalTable { height: auto; }
    """

    lines: reactive[tuple[RankedSignal, ...]] = reactive((), layout=True)
    empty: reactive[str] = reactive("no signals are stored")

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the whole table."""
        return table_height(self.lines, width)

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the table."""
        return draw_signal_table(self.lines, width, height, empty=self.empty)
