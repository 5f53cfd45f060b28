"""From the engine's events to what the live screen shows: a pure reducer and its frozen snapshot.

It knows neither screens nor processes nor the clock: the same events give the same snapshot.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from homogaudit.clustering.methods import primary_of
from homogaudit.events import (
    Asking,
    Cancelling,
    Deciding,
    EngineFailed,
    EngineReady,
    Event,
    GenerationFailed,
    GenerationFinished,
    Loading,
    Paused,
    Progress,
    QuestionScored,
    QuestionStarted,
    Resumed,
    RunFinished,
    Snapshot,
    TextDelta,
    Warning,
)
from homogaudit.launch.forecast import Ahead
from homogaudit.records import GREEDY
from homogaudit.signals.sampling import semantic_entropy
from homogaudit.statistics.running_rate import RateCounter, RunningRates

_TEXT_KEPT = 2000
"""Characters of an answer that are kept: more does not fit on the screen, and every delta copies them."""

_GROUPS_KEPT = 4
"""Scored questions whose answers stay on the screen with their clusters."""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question in the list.

    Attributes:
        state: that of a `RunState`, or `drawing`.
        draws: Stored draws, the greedy one included.
        clusters: D by clustering name.
        entropy: Semantic entropy under the primary clustering, in nats.
    """

    question_id: str
    text: str
    state: str = "waiting"
    draws: int = 0
    clusters: Mapping[str, int] = field(default_factory=dict[str, int])
    entropy: float | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """One answer on the screen.

    Attributes:
        state: `drawing`, or that of the finished generation.
        cluster: Number in the primary clustering; `None` until it is known, and for the greedy answer.
    """

    sample_index: int
    text: str = ""
    state: str = "drawing"
    cluster: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """The answers of one question that were drawn in this session."""

    question_id: str
    position: int
    text: str
    answers: tuple[LiveAnswer, ...]
    is_scored: bool = False


@dataclass(frozen=True, slots=True)
class LiveState:
    """What the live screen shows at one moment.

    Attributes:
        status: `starting`, `loading`, `generating`, `asking`, `judging`, `scoring`, `pausing`, `paused`,
            `cancelling`, `cancelled`, `complete`, `unfinished` (the engine is done and the run is not) or `failed`.
        ahead: How much of all phases is done, and how long the rest takes.
        deciding: What is left to decide in a run that stops then; `None` in another.
        latest: Question id and sample index of the answer finished last.
        draws_planned: Draws of the whole run, the greedy ones included.
        can_resume: Whether an engine could complete the run.
    """

    status: str = "starting"
    loading: str = ""
    ready: EngineReady | None = None
    progress: Progress | None = None
    asking: Asking | None = None
    ahead: Ahead = field(default_factory=Ahead)
    rows: tuple[QuestionRow, ...] = ()
    groups: tuple[AnswerGroup, ...] = ()
    running: RunningRates = field(default_factory=RunningRates)
    deciding: Deciding | None = None
    latest: tuple[str, int] | None = None
    draws_planned: int = 0
    warnings: tuple[str, ...] = ()
    failure: EngineFailed | None = None
    finished: RunFinished | None = None
    can_resume: bool = True

    @property
    def is_working(self) -> bool:
        """Whether an engine is at work."""
        return self.failure is None and self.finished is None

    @property
    def scored(self) -> int:
        """Questions that are scored."""
        return self.running.scored

    @property
    def primary(self) -> str | None:
        """The clustering that clusters and entropies on the screen are of."""
        return self.running.primary.method if self.running.primary else None


class LiveReducer:
    """Folds events over all questions in the order of their start.

    Args:
        rows: Of the questions.
        draws: Of each, with the greedy one.
        spared: Draws that are not made, of questions that have stopped.
    """

    def __init__(self, rows: Iterable[QuestionRow], draws: int, spared: int = 0) -> None:
        self._rows = list(rows)
        self._draws = draws
        self._positions = {row.question_id: position for position, row in enumerate(self._rows)}
        self._stored_before = {row.question_id for row in self._rows if row.draws}
        self._groups: dict[str, dict[int, LiveAnswer]] = {}
        self._scored_groups: list[str] = []
        self._rates = RateCounter()
        self._state = LiveState(draws_planned=draws * len(self._rows) - spared)
        self._before_pause = "generating"

    def apply(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Progress():
                self._progress(event)
            case GenerationFinished():
                self._finish(event.question_id, event.sample_index, event.answer, event.state)
            case GenerationFailed():
                self._finish(event.question_id, event.sample_index, event.message, "error")
            case QuestionStarted():
                self._start(event.question_id)
            case QuestionScored():
                self._score(event)
            case Deciding():
                self._update(deciding=event)
            case Loading():
                self._work_on("loading", loading=f"{event.part} {event.name}")
            case EngineReady():
                self._work_on("generating", loading="", ready=event)
            case Asking():
                self._work_on("asking" if event.who == "model" else "judging", asking=event)
            case Paused():
                self._stand_still("paused")
            case Resumed():
                self._update(status=self._before_pause)
            case Cancelling():
                self._update(status="cancelling")
            case Warning():
                self.warn(event.message)
            case Snapshot():
                self._attach(event)
            case RunFinished():
                self._end(event)
            case EngineFailed():
                self._update(status="failed", failure=event)
                self._leave_unfinished()
            case _:
                pass

    def pausing(self) -> None:
        """Note that the user has asked for a pause, before the engine says that it heard."""
        if self._state.is_working:
            self._stand_still("pausing")

    def going_on(self) -> None:
        """Note that the user has changed their mind before the engine heard of the pause."""
        if self._state.status == "pausing":
            self._update(status=self._before_pause)

    def cancelling(self) -> None:
        """Note that the user has asked for a cancel, before the engine says that it heard."""
        if self._state.is_working:
            self._update(status="cancelling")

    def warn(self, message: str) -> None:
        """Take a warning that came before there was an engine."""
        self._update(warnings=(*self._state.warnings, message))

    def standing(self, status: str, *, can_resume: bool = True) -> LiveState:
        """Return the state of a run that no engine works on, and whether one could go on."""
        draws = sum(row.draws for row in self._rows)
        self._update(status=status, finished=RunFinished(status, draws, 0.0), can_resume=can_resume)
        return self.snapshot()

    def snapshot(self, ahead: Ahead | None = None) -> LiveState:
        """Return the state as it is now, and where the session stands."""
        return replace(
            self._state,
            ahead=ahead or Ahead(),
            rows=tuple(self._rows),
            groups=tuple(self._group(question_id) for question_id in self._groups),
            running=self._rates.shown(),
        )

    def _work_on(self, status: str, **changes: object) -> None:
        """Note what the engine does now; one that has not heard yet of a cancel or a pause stays at that."""
        if self._state.status == "cancelling":
            status = "cancelling"
        elif self._state.status == "pausing":
            self._before_pause, status = status, "pausing"
        self._update(status=status, **changes)

    def _stand_still(self, status: str) -> None:
        if self._state.status not in ("pausing", "paused"):
            self._before_pause = self._state.status
        self._update(status=status)

    def _update(self, **changes: object) -> None:
        self._state = replace(self._state, **changes)  # type: ignore[arg-type]

    # Drawing

    def _start(self, question_id: str) -> None:
        self._groups.setdefault(question_id, {})
        self._set_row(question_id, state="drawing")
        while len(self._scored_groups) > _GROUPS_KEPT:
            self._groups.pop(self._scored_groups.pop(0), None)

    def _progress(self, event: Progress) -> None:
        for delta in event.deltas:
            self._append(delta)
        status = self._state.status
        if status in ("starting", "loading"):
            status = "generating"
        self._update(status=status, progress=replace(event, deltas=()))

    def _append(self, delta: TextDelta) -> None:
        answers = self._answers(delta.question_id)
        answer = answers.get(delta.sample_index)
        if answer is None:
            answers[delta.sample_index] = LiveAnswer(delta.sample_index, delta.text[-_TEXT_KEPT:])
        elif answer.state == "drawing":
            answers[delta.sample_index] = replace(answer, text=(answer.text + delta.text)[-_TEXT_KEPT:])

    def _answers(self, question_id: str) -> dict[int, LiveAnswer]:
        if question_id not in self._groups:
            self._start(question_id)
        return self._groups[question_id]

    def _finish(self, question_id: str, sample_index: int, text: str, state: str) -> None:
        self._answers(question_id)[sample_index] = LiveAnswer(sample_index, text[:_TEXT_KEPT], state)
        position = self._positions.get(question_id)
        if position is not None:
            draws = self._rows[position].draws + 1
            self._set_row(question_id, draws=draws, state="drawn" if draws >= self._draws else "drawing")
        self._update(latest=(question_id, sample_index))

    def _attach(self, event: Snapshot) -> None:
        """Begin in the middle: the texts of what is being written stand in the snapshot in full."""
        for live in event.live:
            self._answers(live.question_id)[live.sample_index] = LiveAnswer(live.sample_index, live.text[-_TEXT_KEPT:])
        changes: dict[str, object] = {}
        if event.progress is not None:
            changes["progress"] = event.progress
        if self._state.status in ("starting", "loading", "generating", "scoring", "pausing", "paused"):
            changes["status"] = event.state
        self._update(**changes)

    # Scoring

    def _score(self, event: QuestionScored) -> None:
        primary = primary_of(event.assignments)
        # The entropy of the first samples alone does not compare with that of all.
        entropy = semantic_entropy(event.assignments[primary]) if primary and not event.is_stopped else None
        state = "stopped" if event.is_stopped else "scored"
        self._set_row(event.question_id, state=state, clusters=dict(event.clusters), entropy=entropy, label=event.label)
        self._show_clusters(event, primary)
        self._rates.add(event)
        if self._state.status in ("starting", "loading"):
            self._update(status="scoring")

    def _show_clusters(self, event: QuestionScored, primary: str | None) -> None:
        answers = self._groups.get(event.question_id)
        if answers is None:
            return
        self._scored_groups.append(event.question_id)
        if primary is None:
            return
        if event.valid_samples == event.samples:
            valid = list(range(event.samples))
        elif event.question_id in self._stored_before:
            # Which of the earlier draws are valid is not known here, so neither is whose cluster is whose.
            return
        else:
            valid = sorted(index for index, x in answers.items() if index != GREEDY and x.state == "valid")
        if len(valid) != len(event.assignments[primary]):
            return
        for index, cluster in zip(valid, event.assignments[primary], strict=True):
            if index in answers:
                answers[index] = replace(answers[index], cluster=cluster)

    def _end(self, event: RunFinished) -> None:
        was_cancelled = self._state.status == "cancelling" and event.status != "complete"
        status = "complete" if event.status == "complete" else "cancelled" if was_cancelled else "unfinished"
        self._update(status=status, finished=event)
        self._leave_unfinished()

    def _leave_unfinished(self) -> None:
        for row in self._rows:
            if row.state == "drawing":
                self._set_row(row.question_id, state="unfinished")

    def _set_row(self, question_id: str, **changes: object) -> None:
        position = self._positions.get(question_id)
        if position is not None:
            self._rows[position] = replace(self._rows[position], **changes)  # type: ignore[arg-type]

    def _group(self, question_id: str) -> AnswerGroup:
        position = self._positions.get(question_id, 0)
        row = self._rows[position] if self._rows else QuestionRow(question_id, "")
        answers = self._groups[question_id]
        return AnswerGroup(
            question_id,
            position,
            row.text,
            tuple(answers[index] for index in sorted(answers)),
            row.state in ("scored", "stopped"),
        )
