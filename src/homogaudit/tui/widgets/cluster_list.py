"""Answers in groups: each cluster with its letter, size, share, its representative and then its other members."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content, Span
from textual.geometry import Size
from textual.reactive import reactive
from textual.style import Style

from homogaudit.report.numbers import percent, share
from homogaudit.report.text import plain
from homogaudit.tui.question_view import DrawView
from homogaudit.tui.theme import FAINT, MUTED, Palette, cluster_glyph, state_mark
from homogaudit.tui.widgets.canvas import Figure, wrapped

_SHORT = 400
"""Characters shown of one answer until all of it is asked for."""


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """One cluster, or the answers that have none.

    Attributes:
        share: Of all answers with a cluster.
        total: How many those are.
        answers: The representative first.
    """

    cluster: int | None
    share: float
    total: int
    answers: tuple[DrawView, ...]


class _Lines:
    """Lines of styled pieces on the way to one `Content`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.spans: list[Span] = []
        self._offset = 0

    def add(self, *pieces: tuple[str, Style | str]) -> None:
        text = ""
        for piece, style in pieces:
            if style and piece:
                start = self._offset + len(text)
                self.spans.append(Span(start, start + len(piece), style))
            text += piece
        self.lines.append(text)
        self._offset += len(text) + 1

    def content(self) -> Content:
        return Content("\n".join(self.lines), self.spans)


def draw_cluster_list(
    groups: Sequence[AnswerGroup], width: int, palette: Palette, *, full: bool = False, empty: str = ""
) -> Content:
    """Return the groups, wrapped at `width` cells; equal answers stand once, with how often they were drawn."""
    if not groups:
        return Content.styled(plain(empty) or "no answers", MUTED)
    lines = _Lines()
    sizes = [len(group.answers) for group in groups if group.cluster is not None]
    count_width = max((len(share(size, groups[0].total)) for size in sizes), default=0)
    for number, group in enumerate(groups):
        if number:
            lines.add(("", ""))
        if group.cluster is None:
            style: Style | str = MUTED
            lines.add(("▎", FAINT), (f"in no cluster: {len(group.answers)}", MUTED))
        else:
            style = palette.cluster_style(group.cluster)
            _add_heading(lines, group, group.cluster, count_width, width, palette)
        _add_answers(lines, group, style, max(width - 4, 4), full=full)
    return lines.content()


def _add_heading(
    lines: _Lines, group: AnswerGroup, cluster: int, count_width: int, width: int, palette: Palette
) -> None:
    style = palette.cluster_style(cluster)
    size = share(len(group.answers), group.total).rjust(count_width)
    text = f"  {size}  {percent(group.share):>6}"
    room = min(max(width - cell_len(text) - 6, 0), 30)
    full, half = divmod(round(2 * room * group.share), 2)
    bar = "━" * full + ("╸" if half else "")
    lines.add(
        ("▎", style),
        (f" {cluster_glyph(cluster)} ", palette.badge_style(cluster)),
        (text, ""),
        ("  " + bar if room else "", style),
        ("─" * (room - len(bar)), FAINT),
    )


def _add_answers(lines: _Lines, group: AnswerGroup, style: Style | str, width: int, *, full: bool) -> None:
    for place, (answer, times) in enumerate(Counter(group.answers).items()):
        text = plain(answer.text)
        left_out = 0
        if len(text) > _SHORT and not full:
            left_out = len(text) - _SHORT
            text = text[:_SHORT].rstrip() + "..."
        main = place == 0 and group.cluster is not None
        first = f"{times}x" if times > 1 else "·"
        ink = "" if main else MUTED
        for number, line in enumerate(wrapped(text or "(nothing)", width - 1)):
            lead = f"{first:>3} " if number == 0 else "    "
            lines.add(("▎", style), (lead, MUTED), (line, ink))
        notes = [state_mark(state) for state in answer.states if state != "valid"]
        pieces = [(f"{mark.glyph} {mark.word}  ", mark.style) for mark in notes]
        if left_out:
            pieces.append((f"{left_out:,} more characters: x shows all", MUTED))
        if pieces:
            lines.add(("▎", style), ("    ", ""), *pieces)
        if answer.verdict is not None:
            mark = state_mark(answer.verdict.value.value)
            for line in wrapped(f"{mark.glyph} {mark.word}: {plain(answer.verdict.reason)}", width - 5):
                lines.add(("▎", style), ("    ", ""), (line, mark.style))


class ClusterList(Figure):
    """The clusters of one question as groups of answers."""

    DEFAULT_CSS = """
    ClusterList { height: auto; }
    """

    groups: reactive[tuple[AnswerGroup, ...]] = reactive((), layout=True)
    full: reactive[bool] = reactive(False, layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of all groups."""
        return self.draw(width, 0, self.palette, color=True).plain.count("\n") + 1

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the groups."""
        return draw_cluster_list(self.groups, width, palette, full=self.full, empty=self.empty)
