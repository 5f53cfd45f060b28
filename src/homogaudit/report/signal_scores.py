"""How well each stored signal tells wrong answers from right ones, and whether one may be recommended.

It scores what is stored and computes no signal. Only questions labelled correct or incorrect enter; a signal that is
undefined for a question leaves that question out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import UndefinedStatisticError
from homogaudit.records import Interval, LabelValue
from homogaudit.report.costs import ResourceCosts, signal_cost
from homogaudit.report.records import Auroc, Estimate, Reading, SignalScore
from homogaudit.report.run_data import RunData
from homogaudit.report.undefined import Undefined, undefined
from homogaudit.signals.registry import SIGNALS
from homogaudit.statistics import (
    auroc,
    bootstrap_auroc,
    bootstrap_auroc_by_category,
    bootstrap_cohens_d,
    cohens_d,
    delong,
    holm,
    p_inverted,
    p_works,
    tells_categories_apart,
)

LEVEL = 0.05
"""Adjusted p below which a signal is said to work (METHODS)."""

_WIDER = 1.25
"""Factor above which the bootstrap over categories is shown beside that over questions (METHODS)."""

_NEARLY_WIDER, _FEW_DRAWS = 1.1, 1000
"""A bootstrap of so many draws gives a width to a few percent: below this factor it need not be repeated with all."""

_RECORDED_BOUNDARIES = {"density": "B2", "density_full_pool": "B2", "association": "B4"}
"""Boundaries of signals that published recordings carry and that METHODS defines."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScores:
    """The oriented signals of the questions labelled correct or incorrect.

    Attributes:
        names: Of the signals, s of them.
        matrix: Shape (s, n), NaN where a signal is undefined for a question.
        incorrect: Shape (n,), the positive class.
        question_ids: Of the n questions.
        categories: Of the n questions.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    incorrect: NDArray[np.bool_]
    question_ids: tuple[str, ...]
    categories: tuple[str | None, ...]

    def part(self, question_ids: frozenset[str]) -> "LabelledScores":
        """Keep only some questions."""
        kept = [column for column, question_id in enumerate(self.question_ids) if question_id in question_ids]
        return LabelledScores(
            self.names,
            self.matrix[:, kept],
            self.incorrect[kept],
            tuple(self.question_ids[column] for column in kept),
            tuple(self.categories[column] for column in kept),
        )


def labelled_scores(data: RunData, labels: Mapping[str, LabelValue]) -> LabelledScores:
    """Collect the stored signals of the labelled scored questions, each turned so that higher is more uncertain.

    Args:
        data: Of the run.
        labels: By question id, of the chosen judge; empty where there are none.
    """
    classes = (LabelValue.CORRECT, LabelValue.INCORRECT)
    columns = [column for column, x in enumerate(data.finished_ids) if labels.get(x) in classes]
    questions = [data.finished[column].question for column in columns]
    return LabelledScores(
        data.signal_names,
        data.signal_matrix[:, columns],
        np.array([labels[question.id] is LabelValue.INCORRECT for question in questions], dtype=np.bool_),
        tuple(question.id for question in questions),
        tuple(question.category for question in questions),
    )


def score_signals(
    data: RunData,
    scores: LabelledScores,
    clusters: Mapping[str, int],
    resources: ResourceCosts,
    *,
    warning: str | None,
    draws: int,
    seed: int,
) -> dict[str, SignalScore]:
    """Return the scores of every stored signal, in the registry's order, recorded ones last.

    Args:
        data: Of the run.
        scores: From `labelled_scores`.
        clusters: D of each question by the primary clustering, for the parts.
        resources: What a question cost, by what signals are computed from.
        warning: Why the labels carry no figure, from `label_warning`; every figure is then undefined for that reason.
        draws: Of the bootstrap.
        seed: Of the bootstrap.
    """
    if warning is None:
        whole = _with_holm(scores, _aurocs(scores, draws=draws, seed=seed, by_category=True))
        single = frozenset(question_id for question_id, count in clusters.items() if count == 1)
        parts = [_aurocs(scores.part(ids), draws=draws, seed=seed) for ids in (single, frozenset(clusters) - single)]
        effects = _effects(scores, draws=draws, seed=seed)
    else:
        whole = effects = [Undefined(warning)] * len(scores.names)
        parts = [whole, whole]
    result: dict[str, SignalScore] = {}
    for row, name in enumerate(scores.names):
        column, places = data.signals[name], data.finished_places
        missing = places[np.isnan(data.signal_matrix[row])]
        reason = (column.commonest_reason(missing) or "not computed") if missing.size else ""
        # What keeps a signal from every question says more than that no scores are left.
        undefined = Undefined(reason) if missing.size == places.size and places.size else None
        seconds = column.seconds[places[~np.isnan(column.numbers[places])]]
        signal = SIGNALS.get(name)
        result[name] = SignalScore(
            boundary=signal.boundary
            if signal
            else _RECORDED_BOUNDARIES.get(name.removeprefix("recorded:"), "recorded"),
            direction=data.directions.get(name, 1),
            definition=signal.definition if signal else "recorded with the answers",
            source=signal.source if signal else "the recorded file",
            cost=signal_cost(name, seconds.tolist(), resources),
            missing=int(missing.size),
            missing_reason=reason,
            auroc=undefined or whole[row],
            auroc_single_cluster=undefined or parts[0][row],
            auroc_multi_cluster=undefined or parts[1][row],
            cohens_d=undefined or effects[row],
        )
    return result


def _aurocs(scores: LabelledScores, *, draws: int, seed: int, by_category: bool = False) -> list[Auroc | Undefined]:
    """Return the AUROC of every signal without its p, on request with the bootstrap over categories."""
    if not scores.question_ids:
        return [Undefined("no question here is labelled correct or incorrect")] * len(scores.names)
    intervals = bootstrap_auroc(scores.matrix, scores.incorrect, draws, seed)
    wider: list[Interval | None] = [None] * len(intervals)
    if by_category:
        wider = _category_intervals(scores, intervals, draws=draws, seed=seed)
    result: list[Auroc | Undefined] = []
    for row, interval, clustered in zip(scores.matrix, intervals, wider, strict=True):
        defined = ~np.isnan(row)
        values, incorrect = row[defined], scores.incorrect[defined]
        try:
            value = auroc(values, incorrect)
        except UndefinedStatisticError as error:
            result.append(undefined(error))
            continue
        constant = bool(np.ptp(values) == 0)
        by_delong = None if constant else delong_interval(values, incorrect)
        interval = _proper(interval)
        result.append(
            Auroc(
                value=value,
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                delong_low=by_delong.low if by_delong else None,
                delong_high=by_delong.high if by_delong else None,
                n=int(values.size),
                positives=int(incorrect.sum()),
                p=None,
                p_holm=None,
                p_inverted_holm=None,
                within_categories=False,
                constant=constant,
                by_category=clustered,
                reading="constant" if constant else "not tested",
            )
        )
    return result


def _proper(interval: Interval | None) -> Interval | None:
    """Drop an interval of no width: classes that do not overlap say nothing about more questions."""
    return None if interval is None or interval.low == interval.high else interval


def delong_interval(values: NDArray[np.float64], incorrect: NDArray[np.bool_]) -> Interval | None:
    """Return DeLong's interval, `None` where it has no width: for constant scores and classes without overlap."""
    try:
        found = delong(values, incorrect)
    except UndefinedStatisticError:
        return None
    return Interval(found.low, found.high) if found.se > 0 else None


def _category_intervals(
    scores: LabelledScores, intervals: Sequence[Interval | None], *, draws: int, seed: int
) -> list[Interval | None]:
    """Return the bootstrap over categories where it is much wider than that over questions."""
    if not any(scores.categories):
        return [None] * len(intervals)
    near = _wider(scores, intervals, range(len(intervals)), _NEARLY_WIDER, draws=min(draws, _FEW_DRAWS), seed=seed)
    found = _wider(scores, intervals, list(near), _WIDER, draws=draws, seed=seed)
    return [found.get(row) for row in range(len(intervals))]


def _wider(
    scores: LabelledScores,
    intervals: Sequence[Interval | None],
    rows: Sequence[int],
    factor: float,
    *,
    draws: int,
    seed: int,
) -> dict[int, Interval]:
    """Return by row the intervals over categories that are wider by a factor than those over questions."""
    by_category = bootstrap_auroc_by_category(scores.matrix[rows], scores.incorrect, scores.categories, draws, seed)
    return {
        row: clustered
        for row, clustered in zip(rows, by_category, strict=True)
        if (plain := intervals[row]) and clustered and _width(clustered) > factor * _width(plain)
    }


def _width(interval: Interval) -> float:
    return interval.high - interval.low


def _with_holm(scores: LabelledScores, aurocs: Sequence[Auroc | Undefined]) -> list[Auroc | Undefined]:
    """Add to each AUROC its p of "works at all" and of "points the wrong way", each adjusted over all that exist."""
    rows = [row for row, found in enumerate(aurocs) if isinstance(found, Auroc)]
    if not rows:
        return list(aurocs)
    matrix = scores.matrix[rows]
    above = p_works(matrix, scores.incorrect, scores.categories)
    below = p_inverted(matrix, scores.incorrect, scores.categories)
    apart = tells_categories_apart(matrix, scores.categories)
    result = list(aurocs)
    for row, p, works, inverted, within in zip(rows, above, holm(above), holm(below), apart, strict=True):
        found = aurocs[row]
        assert isinstance(found, Auroc)
        found = replace(
            found,
            p=float(p),
            p_holm=float(works),
            p_inverted_holm=float(inverted),
            within_categories=bool(within),
        )
        result[row] = replace(found, reading=_reading(found, float(works), float(inverted)))
    return result


def _reading(found: Auroc, works: float, inverted: float) -> Reading:
    """Return what an AUROC says: both ways an adjusted p and the interval must agree, that over categories if wider."""
    if found.constant:
        return "constant"
    low, high = (found.value, found.value) if found.low is None or found.high is None else (found.low, found.high)
    if found.by_category is not None:
        low, high = found.by_category.low, found.by_category.high
    if low > 0.5 and works < LEVEL:
        return "works"
    return "inverted" if high < 0.5 and inverted < LEVEL else "not shown to work"


def _effects(scores: LabelledScores, *, draws: int, seed: int) -> list[Estimate | Undefined]:
    """Return Cohen's d of every signal with its bootstrap interval."""
    if not scores.question_ids:
        return [Undefined("no question here is labelled correct or incorrect")] * len(scores.names)
    intervals = bootstrap_cohens_d(scores.matrix, scores.incorrect, draws, seed)
    result: list[Estimate | Undefined] = []
    for row, interval in zip(scores.matrix, intervals, strict=True):
        defined = ~np.isnan(row)
        try:
            value = cohens_d(row[defined], scores.incorrect[defined])
        except UndefinedStatisticError as error:
            result.append(undefined(error))
            continue
        interval = _proper(interval)
        low, high = (interval.low, interval.high) if interval else (None, None)
        result.append(Estimate(value, low, high, int(defined.sum())))
    return result
