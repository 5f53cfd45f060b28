"""How far the run is, how fast, and on what: a few lines of text."""

from textual.content import Content
from textual.reactive import reactive

from homogaudit.report.numbers import clock, count, decimal, duration, percent
from homogaudit.report.text import plain, shorten
from homogaudit.tui.live_state import LiveState
from homogaudit.tui.theme import MUTED, Palette
from homogaudit.tui.widgets.canvas import Figure

STATUS_WORDS = {
    "starting": "○ starting",
    "loading": "○ loading",
    "generating": "▸ drawing answers",
    "asking": "▸ asking about answers",
    "judging": "▸ judging answers",
    "waiting": "‖ waiting for the server",
    "scoring": "◌ scoring",
    "pausing": "‖ pausing...",
    "paused": "‖ paused",
    "cancelling": "◦ cancelling",
    "cancelled": "◔ cancelled",
    "complete": "✓ complete",
    "unfinished": "◔ unfinished",
    "failed": "! failed",
}
"""Every status has a glyph and a word."""

STATUS_STYLES = {
    "pausing": "$text-warning",
    "paused": "$text-warning",
    "waiting": "$text-warning",
    "cancelling": "$text-warning",
    "cancelled": "$text-warning",
    "unfinished": "$text-warning",
    "complete": "$text-success",
    "failed": "$text-error",
}

_MEGABYTE = 1e6


def shown_status(state: LiveState) -> str:
    """Return the status in words' key; a server that answers nothing is waited for, whatever was drawn before."""
    is_server = state.ready is not None and state.ready.device.startswith("http")
    is_idle = state.progress is not None and not state.progress.slots_in_use and state.progress.seconds_left
    return "waiting" if state.status == "generating" and is_server and is_idle else state.status


class RunPanel(Figure):
    """Progress, status, speed, device and memory; two lines carry what matters, two more the rest."""

    state: reactive[LiveState] = reactive(LiveState())
    serial_speed: reactive[float | None] = reactive(None)
    """Tokens a second of a serial loop on this model, from a stored bench; else the warm-up's stand for it."""

    def draw(self, width: int, height: int, palette: Palette, *, color: bool) -> Content:
        """Return the lines."""
        state = self.state
        lines = [_bar_line(state, width), self._speed_line(state)]
        if height > 2:
            lines.append(_machine_line(state))
        return Content("\n").join(lines[:height])

    def _speed_line(self, state: LiveState) -> Content:
        shown = shown_status(state)
        word = STATUS_WORDS[shown]
        if state.status == "loading":
            word += f" {shorten(state.loading, 40)}"
        status = (word, STATUS_STYLES.get(shown, "$text-primary") + " bold")
        parts: list[str] = []
        progress, left = state.progress, state.ahead.seconds_left
        is_left_known = left is not None and state.is_working and shown != "waiting"
        if is_left_known:
            parts.append(f"{'at most ' if state.ahead.is_most else ''}{clock(left)} left")
        if state.status in ("asking", "judging") and state.asking is not None:
            parts.append(f"{count(state.asking.done)} of {count(state.asking.calls)} calls")
        elif progress is not None and shown != "waiting":
            parts.append(f"{clock(progress.seconds)} gone")
            parts.append(f"{progress.tokens_per_second:,.0f} tokens/s")
            serial = self.serial_speed or (state.ready and state.ready.serial_tokens_per_second)
            if serial and progress.tokens_per_second:
                parts.append(f"{decimal(progress.tokens_per_second / serial, 1)}x serial")
        elif not is_left_known and state.ready is not None and state.ready.seconds_at_most is not None:
            parts.append(f"at most {duration(state.ready.seconds_at_most)} of drawing")
        if not state.is_working and state.status != "complete" and state.failure is None and state.can_resume:
            parts.append("r resumes")
        return Content.assemble(status, "   ", "   ".join(parts))


def _bar_line(state: LiveState, width: int) -> Content:
    done, draws, questions_done = _counts(state)
    if not draws:
        return Content.styled("─" * width, "$foreground 25%")
    share = state.ahead.share if state.is_working and state.ahead.share is not None else done / draws
    text = f" {percent(share):>6}  {count(done)} of {count(draws)} answers"
    if width >= 60:
        text += f"  {count(questions_done)} of {count(len(state.rows))} questions"
    if width >= 70 and state.progress is not None and state.progress.questions_stopped:
        text += f", {count(state.progress.questions_stopped)} stopped early"
    cells = max(4, width - len(text))
    eighths = round(share * cells * 8)
    full, rest = divmod(eighths, 8)
    bar = "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
    empty = cells - len(bar)
    style = STATUS_STYLES.get(state.status, "$primary")
    return Content.assemble((bar, style), ("─" * empty, "$foreground 25%"), text)


def _counts(state: LiveState) -> tuple[int, int, int]:
    """Return the draws that are stored, all draws, and the questions that are done."""
    if state.progress is not None:
        return state.progress.draws_done, state.progress.draws, state.progress.questions_done
    done = sum(row.draws for row in state.rows)
    scored = sum(row.state in ("scored", "stopped", "drawn") for row in state.rows)
    if state.ready is not None:
        return state.ready.draws_done, state.ready.draws, scored
    # Of a recorded run nobody planned how much there is to draw.
    return done, max(done, state.draws_planned), scored


def _machine_line(state: LiveState) -> Content:
    ready = state.ready
    if ready is None:
        return Content("")
    parts = [plain(ready.device)]
    if ready.memory_bytes:
        parts.append(f"about {ready.memory_bytes / _MEGABYTE:,.0f} MB")
    parts.append(f"{ready.mode} prompts")
    if state.status in ("generating", "pausing", "paused", "cancelling"):
        slots = state.progress.slots_in_use if state.progress else 0
        parts.append(f"{slots} of {ready.slots} slots in use")
    return Content.styled("   ".join(parts), MUTED)
