"""The compared questions one by one, with what each run makes of them side by side. Computes no figure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from homogaudit.comparison.pairing import PairedRun, PairedRuns
from homogaudit.comparison.records import Cluster
from homogaudit.comparison.signals import SignalTable, signal_table
from homogaudit.records import LabelValue, Question

Flipped = Literal["to_one", "from_one", ""]
"""From several clusters in the baseline to one, or back."""


@dataclass(frozen=True, slots=True)
class RunAnswers:
    """What one run says to a question.

    Attributes:
        clusters: Of its samples, the largest first; empty where they are not clustered.
        is_single: Whether they form one cluster; `None` where that is not known.
        label: Of the greedy answer, by the judge of the comparison.
        greedy: The greedy answer, empty where there is none.
    """

    clusters: tuple[Cluster, ...]
    is_single: bool | None
    label: LabelValue | None
    greedy: str


@dataclass(frozen=True, slots=True)
class ComparedQuestion:
    """One question that is compared.

    Attributes:
        runs: By the names of the comparison, in its order.
        flipped: In each of the other runs against the baseline, by name.
    """

    question: Question
    runs: Mapping[str, RunAnswers]
    flipped: Mapping[str, Flipped]

    @property
    def has_other_labels(self) -> bool:
        """Whether the greedy answers are labelled differently, where all are labelled."""
        labels = [run.label for run in self.runs.values()]
        return None not in labels and len(set(labels)) > 1


def compared_questions(paired: PairedRuns) -> tuple[ComparedQuestion, ...]:
    """Return the compared questions: flipped ones first, those to one cluster before those from one, as they stand."""
    tables = {name: signal_table(run, paired.judge) for name, run in paired.runs.items()}
    single = {name: run.outcomes.known_single() for name, run in paired.runs.items()}
    found: list[ComparedQuestion] = []
    for x in paired.question_ids:
        runs = {name: _answers(run, tables[name], single[name].get(x), x) for name, run in paired.runs.items()}
        before = runs[paired.baseline].is_single
        flipped: dict[str, Flipped] = {
            name: _flipped(before, own.is_single) for name, own in runs.items() if name != paired.baseline
        }
        found.append(ComparedQuestion(paired.runs[paired.baseline].sets[x].question, runs, flipped))
    order = ("to_one", "from_one")
    return tuple(sorted(found, key=lambda x: next((n for n, way in enumerate(order) if way in x.flipped.values()), 2)))


def _answers(run: PairedRun, table: SignalTable, is_single: bool | None, question_id: str) -> RunAnswers:
    greedy = run.sets[question_id].greedy
    return RunAnswers(
        clusters_of(run, question_id) if question_id in run.clusters else (),
        is_single,
        table.labels.get(question_id),
        greedy.answer if greedy is not None else "",
    )


def _flipped(before: bool | None, now: bool | None) -> Flipped:
    if before is None or now is None or before == now:
        return ""
    return "to_one" if now else "from_one"


def clusters_of(run: PairedRun, question_id: str) -> tuple[Cluster, ...]:
    """Return the clusters of a question's answers, the largest first; equal ones as they were drawn."""
    texts: dict[int, list[str]] = {}
    answers = [sample.answer for sample in run.sets[question_id].valid_samples]
    for answer, cluster in zip(answers, run.clusters[question_id].assignment, strict=True):
        texts.setdefault(cluster, []).append(answer)
    found = sorted(texts.values(), key=len, reverse=True)
    return tuple(Cluster(Counter(own).most_common(1)[0][0], len(own)) for own in found)
