"""The answers being written now, each on a line of its own that it keeps until another answer needs it."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive

from homogaudit.records import GREEDY
from homogaudit.report.text import plain
from homogaudit.tui.live_state import AnswerGroup, LiveAnswer
from homogaudit.tui.theme import MUTED, Palette, cluster_glyph, state_mark
from homogaudit.tui.widgets.canvas import Figure, fit

__all__ = ["AnswerSlots", "SlotPlan"]

_Key = tuple[str, int]


class SlotPlan:
    """Which answer stands on which line.

    A line changes hands only when its answer is finished, the one finished first going first, so that text is not
    moved while it is read.
    """

    def __init__(self) -> None:
        self._lines: list[_Key | None] = []
        self._finished: dict[_Key, int] = {}
        self._clock = 0

    def place(self, groups: Sequence[AnswerGroup], height: int) -> list[tuple[AnswerGroup, LiveAnswer] | None]:
        """Return what stands on each of `height` lines."""
        found = {(group.question_id, x.sample_index): (group, x) for group in groups for x in group.answers}
        self._clock += 1
        for key, (_, answer) in found.items():
            if answer.state != "drawing":
                self._finished.setdefault(key, self._clock)
        self._finished = {key: when for key, when in self._finished.items() if key in found}
        self._resize(height, found)
        shown = set(self._lines)
        waiting = [key for key, (_, x) in found.items() if x.state == "drawing" and key not in shown]
        # Where an attach or a resize left lines free, what is finished fills them, the newest first.
        for key in sorted(self._finished, key=lambda key: -self._finished[key]):
            if key not in shown:
                waiting.append(key)
        free = [line for line, key in enumerate(self._lines) if key is None]
        done = [line for line, key in enumerate(self._lines) if key in self._finished]
        done.sort(key=lambda line: self._finished[self._lines[line]])  # type: ignore[index]
        for key in waiting:
            # An empty line, else, for an answer that is being written, that of the answer finished first.
            places = free or (done if key not in self._finished else [])
            if places:
                self._lines[places.pop(0)] = key
        return [found.get(key) if key is not None else None for key in self._lines]

    def _resize(self, height: int, found: dict[_Key, tuple[AnswerGroup, LiveAnswer]]) -> None:
        self._lines = [key if key in found else None for key in self._lines]
        if len(self._lines) > height:
            kept = sorted(
                (line for line, key in enumerate(self._lines) if key is not None),
                key=lambda line: (self._lines[line] in self._finished, line),
            )[:height]
            self._lines = [self._lines[line] for line in sorted(kept)]
        self._lines += [None] * (height - len(self._lines))


class AnswerSlots(Figure):
    """The lines of a `SlotPlan`; above them the question that was started last."""

    groups: reactive[tuple[AnswerGroup, ...]] = reactive((), always_update=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._plan = SlotPlan()

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the lines."""
        if not self.groups:
            return Content.styled("no answer yet", MUTED)
        newest = self.groups[-1]
        digits = len(str(max(group.position for group in self.groups) + 1))
        lines = [Content.styled(fit(f"{newest.position + 1}  {plain(newest.text[: 4 * width])}", width), "bold")]
        for placed in self._plan.place(self.groups, max(0, height - 1)):
            lines.append(Content(" ") if placed is None else _line(*placed, width, digits, palette))
        return Content("\n").join(lines[:height])


def _line(group: AnswerGroup, answer: LiveAnswer, width: int, digits: int, palette: Palette) -> Content:
    """Return one line: cluster or state, question, sample, text."""
    is_writing = answer.state == "drawing"
    mark = state_mark(answer.state)
    if answer.cluster is not None:
        badge: tuple[str, object] = (f" {cluster_glyph(answer.cluster)} ", palette.badge_style(answer.cluster))
    else:
        badge = (f" {mark.glyph} ", mark.style)
    sample = "greedy" if answer.sample_index == GREEDY else f"{answer.sample_index + 1:>6}"
    number = f" {group.position + 1:>{digits}} {sample}  "
    room = max(0, width - 3 - len(number))
    if is_writing:
        text = _tail(plain(answer.text[-4 * max(room, 1) :]), room - 1) + "▌"
    else:
        text = fit(plain(answer.text[: 4 * max(room, 1)]), room)
    style = "" if is_writing else palette.cluster_style(answer.cluster) if answer.cluster is not None else MUTED
    return Content.assemble(badge, (number, MUTED), (text, style))  # type: ignore[arg-type]


def _tail(text: str, width: int) -> str:
    """Return the end of `text` that fits on `width` cells."""
    if cell_len(text) <= width:
        return text
    kept, room = 0, width - 1
    for char in reversed(text):
        room -= cell_len(char)
        if room < 0:
            break
        kept += 1
    return "…" + text[len(text) - kept :] if kept else "…"
