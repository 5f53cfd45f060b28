"""Runs in Python: make one, open one, read its report and its questions. Nothing is printed.

Everything here is what the commands do, without a terminal; `homogaudit` hands it out under the names without `api`.
"""

import html
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from homogaudit.comparison.build import compare as compare_runs
from homogaudit.comparison.records import Comparison
from homogaudit.errors import RunFileError, UsageError
from homogaudit.events import Event
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.run import plan_run
from homogaudit.launch.run_choice import remove_if_empty
from homogaudit.launch.run_paths import find_run, runs_folder
from homogaudit.launch.work import work
from homogaudit.report.build import SEED, build
from homogaudit.report.question_rows import Questions as QuestionRows
from homogaudit.report.question_rows import question_rows
from homogaudit.report.question_table import to_frame
from homogaudit.report.records import Report
from homogaudit.report.run_data import RunData, read_run
from homogaudit.statistics import MARGIN
from homogaudit.store import RunFile

if TYPE_CHECKING:
    import pandas


class Questions(QuestionRows):
    """The questions of a run, a sequence of `QuestionRow`; slices and `where` give fewer of them."""

    def to_frame(self) -> "pandas.DataFrame":
        """Return a pandas data frame with the columns that `report --questions` writes, a row a question.

        Raises:
            UsageError: pandas is not installed.
        """
        return to_frame(self)


class Run:
    """A run, open for reading; what `open_run` and `audit` return. It is also a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: RunFile | None = RunFile.open(path)

    def _opened(self) -> RunFile:
        if self._file is None:
            raise RunFileError(f"`{self.path}` is closed", "open it again with `homogaudit.open_run`")
        return self._file

    def read(self) -> RunData:
        """Return what of the run enters the figures, read anew: a run that another process draws grows meanwhile.

        Raises:
            RunFileError: The run is closed or damaged.
        """
        return read_run(self._opened())

    @property
    def is_complete(self) -> bool:
        """Whether everything is drawn and scored, or as much as the run was to draw.

        Raises:
            RunFileError: The run is closed.
        """
        return self._opened().status == "complete"

    def report(self, *, judge: str | None = None, full: bool = False, seed: int = SEED) -> Report:
        """Build the report, in seconds for a thousand questions; of an unfinished run as far as it got.

        Args:
            judge: Whose labels to go by; `None` for the run's own.
            full: Whether to add what only the full report has; without it such a part is undefined and says so.
            seed: Of everything random; the same seed gives the same report.

        Raises:
            UsageError: The judge has no stored labels.
            RunFileError: The run is closed or damaged.
        """
        with self._opened().telling_damage():
            return build(self.read(), judge=judge, full=full, seed=seed)

    def questions(self, *, judge: str | None = None) -> Questions:
        """Return the questions with answers, clusters, labels and signals, in the order of the file.

        Args:
            judge: Whose labels; `None` for the run's own.

        Raises:
            UsageError: The judge has no stored labels.
            RunFileError: The run is closed or damaged.
        """
        with self._opened().telling_damage():
            found = question_rows(self.read(), judge)
        return Questions(found.rows, found.clusterings, found.primary, found.judge, found.signals, found.directions)

    def close(self) -> None:
        """Close the file; reports and questions that were read stay usable."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Not there where the file could not be opened.
        if getattr(self, "_file", None) is not None:
            self.close()

    def __repr__(self) -> str:
        return f"<homogaudit run {str(self.path)!r}{' (closed)' if self._file is None else ''}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: what was audited and how far it is."""
        if self._file is None:
            return f"<code>{html.escape(repr(self))}</code>"
        facts = {
            "model": self._file.model,
            "questions": self._file.question_source,
            "state": self._file.progress().text,
            "file": str(self.path),
        }
        rows = "".join(
            f'<tr><th style="text-align:left">{name}</th><td>{html.escape(value)}</td></tr>'
            for name, value in facts.items()
        )
        return f"<table>{rows}</table>"


def open_run(path: str | Path | None = None) -> Run:
    """Open a run for reading.

    Args:
        path: A run file, or the name of a run in the runs folder; `None` for the newest run.

    Raises:
        RunFileError: There is none, or the file is no run file or of a newer version.
    """
    return Run(find_run(None if path is None else str(path), runs_folder()))


def compare(
    *runs: "Run | str | Path",
    baseline: int = 0,
    clustering: str | None = None,
    judge: str | None = None,
    margin: float = MARGIN,
    force: bool = False,
    full: bool = False,
    across: bool = False,
    seed: int = SEED,
) -> Comparison:
    """Compare runs on the questions that all of them have.

    Args:
        runs: Two or more, opened or named as `open_run` takes them.
        baseline: The place of the one that the others are compared with.
        clustering: Name of the clustering to compare by; `None` for the one that reports go by.
        judge: Whose labels to compare; `None` for the baseline's own, if every run has them.
        margin: The largest difference that does not matter, of rates and of AUROCs.
        force: Compare also runs that ask or cluster differently; the result says so.
        full: Whether to add the means of all signals; without it they are undefined and say so.
        across: Whether to compare the answers of the models with each other too.
        seed: Of everything random; the same seed gives the same comparison.

    Raises:
        UsageError: The runs are not comparable.
        RunFileError: There is no such run, or it is closed or damaged.
    """
    with ExitStack() as stack:
        opened = [run if isinstance(run, Run) else stack.enter_context(open_run(run)) for run in runs]
        return compare_runs(
            [run.read() for run in opened],
            baseline=baseline,
            clustering=clustering,
            judge=judge,
            margin=margin,
            force=force,
            full=full,
            across=across,
            seed=seed,
        )


def audit(
    model: str | Path,
    questions: str | Path | None = None,
    *,
    samples: int | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    seed: int = 0,
    limit: int | None = None,
    preset: str | None = None,
    judge: str | None = None,
    embedder: str | None = None,
    use_embedder: bool = True,
    signals: tuple[str, ...] = (),
    system: str | None = None,
    threads: int | None = None,
    until_decided: bool | None = None,
    max_scr: float | None = None,
    rate_only: bool | None = None,
    audit_share: float | None = None,
    output: str | Path | None = None,
    new: bool = False,
    max_cost: float | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Run:
    """Audit a model in a process of its own, and return the run; also inside a running event loop, as in a notebook.

    An unfinished run of the same parameters is continued. What stops nothing is told as a Python warning. What is
    left out is that of the settings, else of the preset.

    Args:
        model: A GGUF file, a Hugging Face folder or id, a name of models.toml, `demo`, or the URL of a server.
        questions: A question file, or the name of a packaged sample; `None` for the misconceptions.
        samples: N, samples a question, at least 2.
        temperature: Of the samples.
        max_tokens: Longest answer.
        seed: Of the random draws.
        limit: Ask only the first so many questions.
        preset: `quick`, `standard` or `paper`.
        judge: Who labels the greedy answers, as `--judge` takes it.
        embedder: What compares answers by meaning, as `--embedder` takes it.
        use_embedder: Whether to compare by meaning at all.
        signals: Names or cost classes of the signals to compute; empty for all.
        system: System prompt; empty for none.
        threads: Of the engine.
        until_decided: Whether to ask in random order and to stop once the level is decided.
        max_scr: Stop once it is decided whether the single-cluster rate is at most this, in place of the level; for
            `until_decided` alone.
        rate_only: Whether to draw a question no further once its first samples lie apart, for the single-cluster rate
            alone.
        audit_share: Of the questions that are drawn to the end all the same; for `rate_only` alone.
        output: The run file; `None` for a new one in the runs folder.
        new: Start anew even where an unfinished run could go on.
        max_cost: What servers may cost at most; needed where one has a price.
        on_event: Called with each event of the engine, such as `QuestionScored`; under an event loop from another
            thread.

    Raises:
        UsageError: An argument is wrong, or a server costs money and no limit is given.
        ModelError: The model cannot be used.
        InterruptedRunError: Ctrl+C; what was finished is in the run file.
        HomogauditError: Anything else that fails, as `homogaudit.errors` draws it.
    """
    arguments = dict(locals())
    request = RunRequest.of(
        arguments,
        model=str(model),
        questions=None if questions is None else str(questions),
        output=None if output is None else Path(output),
    )
    plan = plan_run(request, lambda message: warnings.warn(message, stacklevel=3), note=lambda _: None)
    try:
        if plan.estimate is not None and plan.estimate.known_cost and max_cost is None:
            raise UsageError(f"the run may cost {plan.estimate.cost_text}", "set a limit with `max_cost`")
        work(plan.job, on_event or (lambda _: None))
    except BaseException:
        remove_if_empty(plan.path)
        raise
    return Run(plan.path)
