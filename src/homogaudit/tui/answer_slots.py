"""The answers being written now, each question with its own under it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive

from homogaudit.records import GREEDY
from homogaudit.report.text import plain
from homogaudit.tui.live_state import AnswerGroup, LiveAnswer
from homogaudit.tui.theme import MUTED, Palette, cluster_glyph, state_mark
from homogaudit.tui.widgets.canvas import Figure, fit

_Key = tuple[str, int]

_STAYS = 4
"""Finished answers: a second or two on a laptop."""

_LEAST_LINES = 2
"""A question and one of its answers: less is no block."""


@dataclass(frozen=True, slots=True)
class Block:
    """A question and those of its answers that have room."""

    group: AnswerGroup
    answers: tuple[LiveAnswer, ...]


class BlockPlan:
    """Which questions are on the screen, each with its answers under it.

    The questions started first come first: the running rate waits for them. One that is scored stays until
    `_STAYS` more answers are finished, so that its clusters are seen before another question takes its room.
    """

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._finished: set[_Key] = set()
        self._clock = 0
        self._scored_at: dict[str, int] = {}
        self._lines: dict[str, _Lines] = {}

    def place(self, groups: Sequence[AnswerGroup], height: int) -> list[Block]:
        """Return the blocks that fill at most `height` lines."""
        by_id = {group.question_id: group for group in groups}
        finished = {(x.question_id, a.sample_index) for x in groups for a in x.answers if a.state != "drawing"}
        self._clock += len(finished - self._finished)
        self._finished = finished
        for group in groups:
            if group.is_scored:
                self._scored_at.setdefault(group.question_id, self._clock)
        self._scored_at = {key: when for key, when in self._scored_at.items() if key in by_id}
        self._shown = [key for key in self._shown if key in by_id]
        waiting = [x.question_id for x in groups if not x.is_scored and x.question_id not in self._shown]
        leaving = [key for key in self._shown if self._clock - self._scored_at.get(key, self._clock) >= _STAYS]
        self._shown = [waiting.pop(0) if key in leaving and waiting else key for key in self._shown]
        # Where nothing is drawn any more, what was scored last stays to be looked at.
        rest = [x.question_id for x in reversed(groups) if x.question_id not in self._shown and x.is_scored]
        blocks: list[Block] = []
        free = height
        for key in [*self._shown, *waiting, *rest]:
            if free < _LEAST_LINES:
                break
            group = by_id[key]
            lines = self._lines.setdefault(key, _Lines()).place(group.answers, min(free - 1, len(group.answers)))
            blocks.append(Block(group, tuple(lines)))
            free -= 1 + len(lines)
        self._shown = [block.group.question_id for block in blocks]
        self._lines = {key: self._lines[key] for key in self._shown}
        return blocks


class _Lines:
    """Which answers of one question stand on which line, where it has more answers than lines.

    A line changes hands only when its answer is finished, the one finished first going first, so that text is not
    moved while it is read.
    """

    def __init__(self) -> None:
        self._places: list[int | None] = []
        self._finished: dict[int, int] = {}
        self._clock = 0

    def place(self, answers: Sequence[LiveAnswer], height: int) -> list[LiveAnswer]:
        """Return what stands on each of at most `height` lines."""
        found = {answer.sample_index: answer for answer in answers}
        if len(found) <= height:
            self._places = list(found)
            return list(answers)
        self._clock += 1
        for index, answer in found.items():
            if answer.state != "drawing":
                self._finished.setdefault(index, self._clock)
        kept = sorted(
            (line for line, index in enumerate(self._places) if index in found),
            key=lambda line: (self._places[line] in self._finished, line),
        )[:height]
        self._places = [self._places[line] for line in sorted(kept)]
        self._places += [None] * (height - len(self._places))
        free = [line for line, index in enumerate(self._places) if index is None]
        done = [line for line, index in enumerate(self._places) if index in self._finished]
        done.sort(key=lambda line: self._finished[self._places[line]])  # type: ignore[index]
        others = [index for index in found if index not in self._places]
        # What is being written takes an empty line, else that of the answer finished first; what is finished takes
        # only empty ones, the newest first.
        for index in sorted(others, key=lambda index: (index in self._finished, -self._finished.get(index, 0))):
            lines = free or (done if index not in self._finished else [])
            if lines:
                self._places[lines.pop(0)] = index
        return [found[index] for index in self._places if index is not None]


class AnswerSlots(Figure):
    """The blocks of a `BlockPlan`."""

    groups: reactive[tuple[AnswerGroup, ...]] = reactive((), always_update=False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._plan = BlockPlan()

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the lines."""
        if not self.groups:
            return Content.styled("no answer yet", MUTED)
        lines: list[Content] = []
        for block in self._plan.place(self.groups, height):
            group = block.group
            lines.append(Content.styled(fit(f"{group.position + 1}  {plain(group.text[: 4 * width])}", width), "bold"))
            lines += [_line(answer, width, palette) for answer in block.answers]
        return Content("\n").join(lines[:height])


def _line(answer: LiveAnswer, width: int, palette: Palette) -> Content:
    """Return one line: cluster or state, sample, text."""
    is_writing = answer.state == "drawing"
    mark = state_mark(answer.state)
    if answer.cluster is not None:
        badge: tuple[str, object] = (f" {cluster_glyph(answer.cluster)} ", palette.badge_style(answer.cluster))
    else:
        badge = (f" {mark.glyph} ", mark.style)
    sample = "greedy" if answer.sample_index == GREEDY else f"{answer.sample_index + 1:>6}"
    number = f" {sample}  "
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
