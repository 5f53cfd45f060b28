"""The questions as the page's script reads them: answers by cluster, label, signals, and the filters that hold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from homogaudit.records import Generation, Label, LabelValue
from homogaudit.report.question_rows import FILTERS, Questions

_DIGITS = 6
"""Of a signal's value; the run file and `report --questions` have all of them."""

_LABELS = (LabelValue.INCORRECT, LabelValue.AMBIGUOUS, LabelValue.NO_MATCH, LabelValue.CORRECT)
"""What needs a look comes first."""


def question_data(questions: Questions) -> dict[str, Any]:
    """Return everything that the page shows of the questions, as JSON values; the questions themselves one by one."""
    holding = [[name for name, x in FILTERS.items() if x.holds(row)] for row in questions]
    counts = Counter(name for names in holding for name in names)
    # The clustering that the report goes by comes first; its clusters are those that are shown.
    clusterings = sorted(questions.clusterings, key=lambda name: name != questions.primary)
    return {
        "labels": [value.value for value in _LABELS],
        "clusterings": clusterings,
        "signals": questions.signals,
        "directions": [questions.directions.get(name, 1) for name in questions.signals],
        "filters": {name: {"title": x.title, "count": counts[name]} for name, x in FILTERS.items() if counts[name]},
        "questions": (
            {
                "id": row.id,
                "number": row.position + 1,
                "text": row.question.asked,
                "category": row.category,
                "correct": row.question.answers,
                "incorrect": row.question.incorrect_answers,
                "label": None if row.label is None else row.label.value.value,
                "reason": None if row.label is None else row.label.reason,
                "outside": f"stopped after {len(row.samples)} samples, which lie apart"
                if row.is_stopped
                else row.outside,
                "greedy": None if row.greedy is None else shown_text(row.greedy),
                "counts": [row.clusters.get(name) for name in clusterings],
                "signals": [_rounded(row.signals[name]) for name in questions.signals],
                "in": names,
                **counted_answers(row.samples, row.clusters_of_samples(), row.sample_labels),
            }
            for row, names in zip(questions, holding, strict=True)
        ),
    }


def counted_answers(
    samples: Sequence[Generation], assignment: Sequence[int | None], sample_labels: Mapping[int, Label]
) -> dict[str, Any]:
    """Return the answers of each cluster, the largest first, equal ones once; others stand without a cluster.

    Args:
        samples: Of one question.
        assignment: The cluster of each of them.
        sample_labels: By sample index.
    """
    clusters: dict[int, list[str]] = {}
    without: list[str] = []
    for sample, cluster in zip(samples, assignment, strict=True):
        (without if cluster is None else clusters.setdefault(cluster, [])).append(shown_text(sample))
    labels = {shown_text(x): found for x in samples if (found := sample_labels.get(x.sample_index)) is not None}
    return {
        "clusters": [_counted(texts, labels) for texts in sorted(clusters.values(), key=len, reverse=True)],
        "without": _counted(without, labels),
    }


def shown_text(draw: Generation) -> str:
    """Return the answer, or what was drawn in its place."""
    return draw.answer if draw.is_valid else draw.text


def _counted(texts: Sequence[str], labels: Mapping[str, Label]) -> list[list[Any]]:
    """Return each text with how often it stands there, and its label with the reason where it has one."""
    return [
        [text, times, *((label.value.value, label.reason) if (label := labels.get(text)) is not None else ())]
        for text, times in Counter(texts).most_common()
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
