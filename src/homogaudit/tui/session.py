"""What the live terminal is about: a run file, and what is drawn and scored in it. It writes none."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from homogaudit.events import QuestionScored
from homogaudit.report.deciding import DecisionCounter
from homogaudit.report.homogenization import run_methods
from homogaudit.report.labels import choose_judge
from homogaudit.store import RunFile, RunState
from homogaudit.tui.live_state import LiveReducer, QuestionRow


@dataclass(frozen=True, slots=True)
class TuiSession:
    """One run on the screen.

    Attributes:
        status: Of the run file when it was opened: `complete` or `started`.
        missing_shards: Numbers of the shards that a merged run lacks; no engine can complete it.
        undrawn: Questions that a complete run left out, or drew no further than their first samples.
        is_rate_only: Whether that is because it was for the rate alone; else it was decided early.
    """

    run: Path
    status: str
    missing_shards: tuple[int, ...]
    undrawn: int = 0
    is_rate_only: bool = False

    @property
    def missing_words(self) -> str:
        """What a merged run lacks, and what to do about it."""
        noun = "shard" if len(self.missing_shards) == 1 else "shards"
        numbers = ", ".join(map(str, self.missing_shards[:5])) + (", ..." if len(self.missing_shards) > 5 else "")
        verb = "is" if len(self.missing_shards) == 1 else "are"
        return f"{noun} {numbers} {verb} missing: `homogaudit merge` this run with the rest"


def read_session(path: Path) -> TuiSession:
    """Return what a run file says of itself.

    Raises:
        RunFileError: It is not there, is none, or is of a newer version.
        StorageError: It cannot be read.
    """
    with RunFile.open(path) as run:
        progress = run.progress()
        undrawn = progress.questions - progress.drawn if progress.state is RunState.DECIDED_EARLY else 0
        is_rate_only = progress.state is RunState.RATE_ONLY
        if is_rate_only:
            undrawn = len(run.stopped_ids())
        return TuiSession(path, run.status, run.missing_shards, undrawn, is_rate_only)


def read_reducer(path: Path, *, scored: bool) -> LiveReducer:
    """Return a reducer that knows the questions of a run and how much of each is drawn.

    What is scored is not folded in where an engine starts: it tells that itself.

    Raises:
        RunFileError: It is not there, is none, or is of a newer version.
        StorageError: It cannot be read.
    """
    with RunFile.open(path) as run:
        counts, states, expected = run.draw_counts(), run.question_states(), run.expected_samples()
        rule = run.rate_rule
        reducer = LiveReducer(
            (
                QuestionRow(
                    question.id,
                    question.text,
                    # What is scored tells so itself, below or by the engine.
                    min(states[question.id], RunState.DRAWN, key=list(RunState).index),
                    counts[question.id].samples + counts[question.id].greedy,
                )
                for question in run.questions()
            ),
            expected + 1,
            0 if rule is None else (expected - rule.first) * len(run.stopped_ids()),
        )
        if scored:
            rule, total = run.stopping_rule, len(counts)
            counter = None if rule is None else DecisionCounter(rule, total)
            for event in _scored(run, expected):
                reducer.apply(event)
                if counter is not None:
                    counter.take(event)
            if counter is not None and counter.questions:
                reducer.apply(counter.told())
    return reducer


def _scored(run: RunFile, expected: int) -> Iterator[QuestionScored]:
    """Yield what is stored of every scored question, in the order of the file."""
    clusterings = {name: run.clusterings(method) for name, method in run_methods(run).items()}
    judge, rule = choose_judge(run, None), run.rate_rule
    labels = run.labels(judge) if judge else {}
    looks, audited = run.first_looks(), frozenset[str]()
    if rule is not None:
        audited = rule.audited(question.id for question in run.questions())
    for position, question in enumerate(run.questions()):
        stored = {name: found[question.id] for name, found in clusterings.items() if question.id in found}
        if not stored and question.id not in labels:
            continue
        label = labels.get(question.id)
        look = looks.get(question.id)
        yield QuestionScored(
            question.id,
            position,
            {name: clustering.clusters for name, clustering in stored.items()},
            max((len(clustering.assignment) for clustering in stored.values()), default=0),
            rule.first if rule is not None and look is not None and look.stops else expected,
            label.value.value if label else None,
            {name: clustering.assignment for name, clustering in stored.items()},
            is_apart=None if rule is None else look is not None and look.is_apart,
            is_audited=question.id in audited,
        )
