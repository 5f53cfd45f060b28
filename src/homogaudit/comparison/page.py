"""The page of a comparison: its sections, and the questions with what every run says to them side by side.

The page itself is that of a report; here is what differs, the list of questions.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from homogaudit.comparison.layout import sections
from homogaudit.comparison.pairing import PairedRun, PairedRuns
from homogaudit.comparison.questions import ComparedQuestion, compared_questions
from homogaudit.comparison.records import FORMAT, Comparison
from homogaudit.comparison.summary import summary
from homogaudit.records import Label
from homogaudit.report.html import page
from homogaudit.report.html.questions import counted_answers, shown_text
from homogaudit.report.numbers import share

_FILTERS: Mapping[str, tuple[str, Callable[[ComparedQuestion], bool]]] = MappingProxyType(
    {
        "to_one": ("Flipped to one", lambda x: "to_one" in x.flipped.values()),
        "from_one": ("Flipped back", lambda x: "from_one" in x.flipped.values()),
        "other_labels": ("Changed label", lambda x: x.has_other_labels),
    }
)


def comparison_page(found: Comparison, paired: PairedRuns) -> Iterator[str]:
    """Return the parts of the page of a full comparison and of the questions that are compared.

    Args:
        found: Of the paired runs.
        paired: With the answers.
    """
    return page(
        (summary(found), *sections(found)),
        paired_question_data(paired),
        what="comparison",
        name=", ".join(paired.runs),
        record=found,
        form=FORMAT,
    )


def paired_question_data(paired: PairedRuns) -> dict[str, Any]:
    """Return everything that the page shows of the compared questions, as JSON values; flipped ones come first."""
    rows = compared_questions(paired)
    holding = [[name for name, (_, holds) in _FILTERS.items() if holds(row)] for row in rows]
    counts = Counter(name for names in holding for name in names)
    numbers = {x: at for at, x in enumerate(paired.question_ids, 1)}
    runs = [(name, run, _Labels(run, paired.judge)) for name, run in paired.runs.items()]
    return {
        "runs": list(paired.runs),
        "baseline": list(paired.runs).index(paired.baseline),
        "filters": {
            name: {"title": title, "count": counts[name]} for name, (title, _) in _FILTERS.items() if counts[name]
        },
        "questions": [
            {
                "id": row.question.id,
                "number": numbers[row.question.id],
                "text": row.question.asked,
                "category": row.question.category,
                "correct": row.question.answers,
                "incorrect": row.question.incorrect_answers,
                "in": names,
                "runs": [_said(row, name, run, labels) for name, run, labels in runs],
            }
            for row, names in zip(rows, holding, strict=True)
        ],
    }


class _Labels:
    """What the judge of a comparison says of the answers of one run."""

    def __init__(self, run: PairedRun, judge: str | None) -> None:
        self.greedy: Mapping[str, Label] = {} if judge is None else run.data.labels[judge]
        self.samples: Mapping[str, Mapping[int, Label]] = {} if judge is None else run.data.run.sample_labels(judge)


def _said(row: ComparedQuestion, name: str, run: PairedRun, labels: _Labels) -> dict[str, Any]:
    """Return what one run says to a question."""
    key = row.question.id
    drawn, label = run.sets[key], labels.greedy.get(key)
    assignment = iter(run.clusters[key].assignment if key in run.clusters else ())
    clusters = [next(assignment, None) if sample.is_valid else None for sample in drawn.samples]
    return {
        "flip": row.flipped.get(name, ""),
        "greedy": None if drawn.greedy is None else shown_text(drawn.greedy),
        "label": None if label is None else label.value.value,
        "reason": None if label is None else label.reason,
        "outside": "" if row.runs[name].is_single is not None else _outside(run, key),
        **counted_answers(drawn.samples, clusters, labels.samples.get(key, {})),
    }


def _outside(run: PairedRun, question_id: str) -> str:
    """Return why a question enters no rate of a run."""
    drawn = run.sets[question_id]
    without = len(drawn.samples) - drawn.valid_count
    return (
        f"enters no rate: {share(without, len(drawn.samples))} samples hold no answer" if without else "not clustered"
    )
