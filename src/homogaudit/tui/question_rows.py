"""The questions of a run as rows of a list: read in bulk, sorted and filtered by pure functions.

It knows the run file and no widget.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from types import MappingProxyType

from homogaudit.records import ClusteringMethod, LabelValue
from homogaudit.report.analysis_inputs import PRIMARY_SIGNAL
from homogaudit.report.homogenization import primary_name, run_methods
from homogaudit.report.labels import choose_judge
from homogaudit.report.text import plain
from homogaudit.signals.sampling import semantic_entropy
from homogaudit.store import RunFile, RunState
from homogaudit.store.overviews import QuestionOverview


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question in the list.

    Attributes:
        position: Its place in the question file, from 0; also its place among all rows.
        text: One line, made safe for a terminal.
        sizes: Answers in each cluster, by the cluster's number; empty where nothing is clustered.
        is_stopped: Its first samples lie apart, and it is drawn no further.
        is_single: All samples hold an answer and form one cluster; such questions make the SCR.
        entropy: Semantic entropy in nats, `None` where nothing is clustered, or not all samples are drawn.
        search: What a search looks through, in lower case.
        mark: Differs once the question was drawn on or scored again.
    """

    position: int
    id: str
    text: str
    category: str
    state: RunState
    samples: int
    is_stopped: bool
    sizes: tuple[int, ...]
    is_single: bool
    entropy: float | None
    label: LabelValue | None
    signal: float | None
    search: str
    mark: tuple[int, str | None]

    @property
    def clusters(self) -> int | None:
        """D, `None` where nothing is clustered."""
        return len(self.sizes) or None

    @property
    def result(self) -> str:
        """The label where there is one, else the state: a name that has a glyph and a word."""
        if self.state != "scored":
            return self.state
        return self.label.value if self.label is not None else "stopped" if self.is_stopped else "scored"


@dataclass(frozen=True, slots=True)
class RowSource:
    """What the columns of a run's list are read from."""

    method: ClusteringMethod | None
    judge: str | None
    samples: int


def row_source(run: RunFile) -> RowSource:
    """Return what the list of a run goes by; in a run at work it can change."""
    methods = run_methods(run)
    primary = primary_name(methods)
    return RowSource(
        method=None if primary is None else methods[primary],
        judge=choose_judge(run, None),
        samples=run.expected_samples(),
    )


def read_rows(run: RunFile, source: RowSource, positions: Sequence[int] | None = None) -> tuple[QuestionRow, ...]:
    """Return the rows of some questions, in the order of the file; `None` for all."""
    found = run.overviews(method=source.method, judge=source.judge, signal=PRIMARY_SIGNAL, positions=positions)
    return tuple(_row(overview, source) for overview in found)


def changed_positions(run: RunFile, rows: Sequence[QuestionRow]) -> list[int]:
    """Return the places of the rows that are no longer what the run file holds."""
    return [position for position, mark in run.question_marks().items() if rows[position].mark != mark]


def _row(found: QuestionOverview, source: RowSource) -> QuestionRow:
    text, category = plain(found.text), plain(found.category or "")
    sizes = tuple(size for _, size in sorted(Counter(found.assignment or ()).items()))
    valid = sum(sizes)
    return QuestionRow(
        position=found.position,
        id=found.id,
        text=text,
        category=category,
        state=found.state,
        samples=found.drawn.samples,
        is_stopped=found.is_stopped,
        sizes=sizes,
        is_single=len(sizes) == 1 and not found.is_stopped and valid == max(source.samples, found.drawn.samples),
        entropy=semantic_entropy(found.assignment) if found.assignment and not found.is_stopped else None,
        label=found.label,
        signal=found.signal,
        search=f"{text}\n{category}\n{plain(found.id)}".casefold(),
        mark=(found.drawn.samples + found.drawn.greedy, found.scoring),
    )


# What is shown of them, and in which order


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are shown; every part must hold.

    Attributes:
        names: Keys of `TESTS`.
        text: All of its words stand in the question, its category or its id; case does not matter.
        category: Exactly this one; `None` for all.
    """

    names: frozenset[str] = frozenset()
    text: str = ""
    category: str | None = None

    @classmethod
    def by(cls, name: str) -> "Filter":
        """Return the filter by the name by which a sentence of the report names it."""
        return cls(frozenset({"one_cluster", "wrong"} if name == "missed" else {name}))


NO_FILTER = Filter()

_LABELLED = (LabelValue.CORRECT, LabelValue.INCORRECT)

TESTS: Mapping[str, tuple[str, Callable[[QuestionRow], bool]]] = MappingProxyType(
    {
        "one_cluster": ("one cluster", lambda row: row.is_single),
        "wrong": ("answered wrong", lambda row: row.label is LabelValue.INCORRECT),
        "unlabelled": ("unlabelled", lambda row: row.state in ("drawn", "scored") and row.label not in _LABELLED),
        "unfinished": ("unfinished", lambda row: row.state != "scored"),
    }
)
"""What a filter asks of a row, in words and as a function."""


class Column(StrEnum):
    """What rows can be sorted by."""

    POSITION = "#"
    TEXT = "question"
    CATEGORY = "category"
    CLUSTERS = "clusters"
    ENTROPY = "entropy"
    SIGNAL = "signal"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class Sort:
    """An order; rows without a value stand at the end in both directions, equal ones in the order of the file."""

    column: Column = Column.POSITION
    descending: bool = False


_RESULTS = ("incorrect", "ambiguous", "no_match", "correct", "scored", "stopped", "drawn", "unfinished", "waiting")
"""What needs a look comes first."""

_KEYS: Mapping[Column, Callable[[QuestionRow], float | str | None]] = {
    Column.POSITION: lambda row: row.position,
    Column.TEXT: lambda row: row.text.casefold(),
    Column.CATEGORY: lambda row: row.category.casefold() or None,
    Column.CLUSTERS: lambda row: row.clusters,
    Column.ENTROPY: lambda row: row.entropy,
    Column.SIGNAL: lambda row: row.signal,
    Column.RESULT: lambda row: _RESULTS.index(row.result),
}


def select(rows: Sequence[QuestionRow], wanted: Filter = NO_FILTER, order: Sort | None = None) -> list[int]:
    """Return the positions of the rows that are shown, in the order in which they are shown."""
    order = order or Sort()
    # One plain pass a part: with tens of thousands of rows this runs at every key that is typed.
    shown = list(rows)
    for name in wanted.names:
        shown = list(filter(TESTS[name][1], shown))
    if wanted.category is not None:
        shown = [row for row in shown if row.category == wanted.category]
    for word in wanted.text.casefold().split():
        shown = [row for row in shown if word in row.search]
    key = _KEYS[order.column]
    if order.column is not Column.POSITION or order.descending:
        keyed = [(value, row.position) for row in shown if (value := key(row)) is not None]
        without = [row.position for row in shown if key(row) is None]
        # Python's sort keeps equal ones in their order in both directions.
        keyed.sort(key=itemgetter(0), reverse=order.descending)
        return [position for _, position in keyed] + without
    return [row.position for row in shown]


def categories(rows: Sequence[QuestionRow]) -> dict[str, int]:
    """Return how many questions each category has, by name."""
    counts = Counter(row.category for row in rows if row.category)
    return dict(sorted(counts.items(), key=lambda item: item[0].casefold()))
