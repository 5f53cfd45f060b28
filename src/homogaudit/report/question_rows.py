"""The questions of a run one by one: what each enters, what its answers are, and which sentence speaks of it.

Page, tables and Python share these records; what "wrong" or "in one cluster" means of a question is said here alone.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self, overload

from homogaudit.config import did_you_mean
from homogaudit.errors import UsageError
from homogaudit.records import Generation, Label, LabelValue, Question, SampleSet
from homogaudit.report.analysis_records import Direction
from homogaudit.report.homogenization import missing_reason, primary_name, run_methods
from homogaudit.report.labels import choose_judge
from homogaudit.report.numbers import share
from homogaudit.report.run_data import RunData
from homogaudit.store.signal_columns import SignalColumn


@dataclass(frozen=True, slots=True)
class CommonAnswer:
    """What most samples of a question say.

    Attributes:
        text: The most frequent wording of the largest cluster; of equal ones the one drawn first.
        count: Samples in that cluster; where nothing is clustered, samples of exactly this text.
    """

    text: str
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class QuestionRow:
    """One question of a run.

    Attributes:
        position: Its place in the question file, from 0.
        sample_set: The question and its draws as far as they are there, without token arrays.
        is_drawn: All its draws are finished; a question that is not enters no figure.
        is_stopped: It is drawn no further than its first samples, which lie apart, as the run is for the rate alone.
        outside: Why the question does not enter the single-cluster rate; empty where it does.
        assignments: Cluster of each valid sample, in the order of the samples, by clustering; numbered from 0 by first
            appearance.
        primary: The clustering that the report goes by, a key of `assignments` where the question is clustered.
        label: What the judge of the report says of the greedy answer.
        sample_labels: What it says of samples, by sample index; empty where it judged greedy answers alone.
        signals: By name, as stored; `None` where a signal is not defined for this question.
        is_refused: At least half of its valid samples decline to answer.
    """

    position: int
    sample_set: SampleSet
    is_drawn: bool
    is_stopped: bool
    outside: str
    assignments: Mapping[str, tuple[int, ...]]
    primary: str | None
    label: Label | None
    sample_labels: Mapping[int, Label]
    signals: Mapping[str, float | None]
    is_refused: bool

    @property
    def question(self) -> Question:
        """What was asked."""
        return self.sample_set.question

    @property
    def id(self) -> str:
        """Of the question, unique in the run."""
        return self.question.id

    @property
    def text(self) -> str:
        """What the model was asked, without context and choices."""
        return self.question.text

    @property
    def category(self) -> str | None:
        """The question file's own grouping."""
        return self.question.category

    @property
    def greedy(self) -> Generation | None:
        """The greedy draw, `None` where there is none."""
        return self.sample_set.greedy

    @property
    def samples(self) -> Sequence[Generation]:
        """All samples, those without an answer too."""
        return self.sample_set.samples

    @property
    def clusters(self) -> Mapping[str, int]:
        """How many clusters the valid samples form, by clustering."""
        return {name: len(set(found)) for name, found in self.assignments.items()}

    def clusters_of_samples(self, clustering: str | None = None) -> tuple[int | None, ...]:
        """Return the cluster of each sample, `None` for one without an answer or where nothing is clustered.

        The clustering is a key of `assignments`, without one the primary.
        """
        found = iter(self.assignments.get(clustering or self.primary or "", ()))
        return tuple(next(found, None) if sample.is_valid else None for sample in self.samples)

    @property
    def is_in_one_cluster(self) -> bool:
        """Whether the question enters the single-cluster rate, and all its samples form one cluster.

        One that has stopped does not; how many such would have come to one cluster is estimated from the audited ones.
        """
        return not self.outside and not self.is_stopped and len(set(self.assignments[self.primary or ""])) == 1

    @property
    def is_wrong(self) -> bool:
        """Whether the question is drawn and its greedy answer labelled incorrect."""
        return self.is_drawn and self.label is not None and self.label.value is LabelValue.INCORRECT

    @property
    def is_missed(self) -> bool:
        """Whether the answer is wrong and all samples agree: an error that no comparison of samples can see."""
        return self.is_wrong and self.is_in_one_cluster

    @property
    def is_unlabelled(self) -> bool:
        """Whether the question is drawn and its greedy answer labelled neither correct nor incorrect."""
        is_labelled = self.label is not None and self.label.value in (LabelValue.CORRECT, LabelValue.INCORRECT)
        return self.is_drawn and not is_labelled

    @property
    def is_cut(self) -> bool:
        """Whether any answer was cut at the limit of tokens."""
        return any(draw.is_valid and draw.is_truncated for draw in (*self.samples, self.greedy) if draw is not None)

    @property
    def cut_samples(self) -> int | None:
        """Valid samples cut at the limit of tokens, `None` where no finish reason was recorded."""
        valid = self.sample_set.valid_samples
        if valid and all(sample.finish_reason is None for sample in valid):
            return None
        return sum(sample.is_truncated for sample in valid)

    @property
    def common_answer(self) -> CommonAnswer | None:
        """What most samples say, `None` where none holds an answer."""
        texts = [sample.answer for sample in self.sample_set.valid_samples]
        # Counters keep the order of first appearance among equals.
        assignment = self.assignments.get(self.primary or "")
        if assignment:
            ((largest, size),) = Counter(assignment).most_common(1)
            ((text, _),) = Counter(x for x, own in zip(texts, assignment, strict=True) if own == largest).most_common(1)
            return CommonAnswer(text, size)
        return CommonAnswer(*Counter(texts).most_common(1)[0]) if texts else None


@dataclass(frozen=True, slots=True, eq=False)
class _RowSignals(Mapping[str, float | None]):
    """The signals of one question, looked up in the columns of all: a table of its own would be most of the row."""

    columns: Mapping[str, SignalColumn]
    place: int

    def __getitem__(self, name: str) -> float | None:
        value = float(self.columns[name].numbers[self.place])
        return value if math.isfinite(value) else None

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


@dataclass(frozen=True, slots=True)
class QuestionFilter:
    """Some questions of a run, by what is known of them."""

    title: str
    holds: Callable[[QuestionRow], bool]


FILTERS: Mapping[str, QuestionFilter] = MappingProxyType(
    {
        "one_cluster": QuestionFilter("In one cluster", lambda row: row.is_in_one_cluster),
        "wrong": QuestionFilter("Wrong", lambda row: row.is_wrong),
        "missed": QuestionFilter("Wrong, and all samples agree", lambda row: row.is_missed),
        "unlabelled": QuestionFilter("Neither correct nor incorrect", lambda row: row.is_unlabelled),
        "cut": QuestionFilter("With cut answers", lambda row: row.is_cut),
        "refused": QuestionFilter("Refused", lambda row: row.is_refused),
        "stopped": QuestionFilter("Stopped early", lambda row: row.is_stopped),
    }
)
"""By the names that sections use for the questions behind a sentence."""


@dataclass(frozen=True, eq=False)
class Questions(Sequence[QuestionRow]):
    """The questions of a run in the order of their file, or some of them.

    Attributes:
        primary: The clustering that the report goes by, `None` where nothing is clustered.
        directions: -1 for signals where lower is more uncertain; of all others higher is.
    """

    rows: tuple[QuestionRow, ...]
    clusterings: tuple[str, ...]
    primary: str | None
    judge: str | None
    signals: tuple[str, ...]
    directions: Mapping[str, Direction]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> QuestionRow: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> QuestionRow | Self:
        return replace(self, rows=self.rows[index]) if isinstance(index, slice) else self.rows[index]

    def __repr__(self) -> str:
        return f"<{len(self):,} questions>"

    @property
    def categories(self) -> Mapping[str, int]:
        """How many questions each category has, by name; those without one are not counted."""
        counts = Counter(row.category for row in self.rows if row.category)
        return dict(sorted(counts.items(), key=lambda item: item[0].casefold()))

    def where(self, *names: str, category: str | None = None) -> Self:
        """Return the questions of which all of these filters hold.

        Args:
            names: Keys of `FILTERS`: `one_cluster`, `wrong`, `missed`, `unlabelled`, `cut`, `refused`, `stopped`.
            category: Exactly this one; `None` for all.

        Raises:
            UsageError: There is no such filter, or no question of such a category.
        """
        for name in names:
            if name not in FILTERS:
                known = ", ".join(f"`{known}`" for known in FILTERS)
                raise UsageError(f"unknown filter `{name}`", did_you_mean(name, FILTERS, f"filters: {known}"))
        if category is not None and category not in self.categories:
            known = list(self.categories)
            told = ", ".join(f"`{name}`" for name in known[:10]) + (", ..." if len(known) > 10 else "")
            hint = f"categories: {told}" if known else "the questions have no categories"
            raise UsageError(f"no question has the category `{category}`", did_you_mean(category, known, hint))
        holds = [FILTERS[name].holds for name in names]
        kept = (row for row in self.rows if category in (None, row.category) and all(test(row) for test in holds))
        return replace(self, rows=tuple(kept))


def question_rows(data: RunData, judge: str | None = None) -> Questions:
    """Return the questions of a run one by one, unfinished ones too, with the labels of a judge or the run's own.

    Raises:
        UsageError: The judge has no stored labels.
    """
    chosen = choose_judge(data.run, judge)
    labels = data.labels[chosen] if chosen is not None else {}
    of_samples = data.run.sample_labels(chosen) if chosen is not None else {}
    methods = run_methods(data.run)
    primary = primary_name(methods)
    clusterings = {name: data.clusterings(method) for name, method in methods.items()}
    drawn = frozenset(x.question.id for x in data.counted)
    fully_valid = data.fully_valid_ids

    def row(position: int, found: SampleSet) -> QuestionRow:
        key = found.question.id
        assignments = {name: stored[key].assignment for name, stored in clusterings.items() if key in stored}
        is_clustered = primary in assignments
        return QuestionRow(
            position=position,
            sample_set=found,
            is_drawn=key in drawn,
            is_stopped=key in data.stopped_ids,
            outside=_outside(data, found, is_drawn=key in drawn, is_clustered=key in fully_valid and is_clustered),
            assignments=assignments,
            primary=primary,
            label=labels.get(key),
            sample_labels=of_samples.get(key, {}),
            signals=_RowSignals(signals, position),
            is_refused=key in data.refused_ids,
        )

    signals = {name: data.signals[name] for name in data.signal_names}
    return Questions(
        rows=tuple(row(position, found) for position, found in enumerate(data.sets)),
        clusterings=tuple(methods),
        primary=primary,
        judge=chosen,
        signals=data.signal_names,
        directions=data.directions,
    )


def _outside(data: RunData, found: SampleSet, *, is_drawn: bool, is_clustered: bool) -> str:
    """Return why a question does not enter the single-cluster rate; empty where it does."""
    drawn, valid = len(found.samples), found.valid_count
    if is_clustered:
        return ""
    if not is_drawn:
        whole = (
            f"{share(drawn, data.sample_count)} samples are drawn" if drawn < data.sample_count else "no greedy answer"
        )
        return f"unfinished: {whole}"
    if valid < drawn:
        return f"{share(drawn - valid, drawn)} samples hold no answer"
    return "not clustered yet" if data.sample_count >= 2 else missing_reason(data)
