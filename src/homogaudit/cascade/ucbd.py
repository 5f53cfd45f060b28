"""UCBD on held-out questions: does a cheapest-first cascade of signals work, what does it save, is it recommended.

Normalisation, weights and thresholds are fitted on training folds and every figure comes from the folds held out, in
repeated stratified 5-fold. Each bootstrap draw refits all of it on questions drawn with replacement; the copies of a
question stay in one fold, so that none is fitted and scored at once.

It knows no run files and no prices. `published` reproduces the in-sample protocol, `policy` fits what is deployed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homogaudit.cascade.boundaries import Stage
from homogaudit.cascade.conditions import Recommendation, SingleStage, p_non_inferior, recommend, single_stages
from homogaudit.cascade.costs import StageCosts, expected_cost, saving
from homogaudit.cascade.fits import BANDS, FOLDS, checked_signals, fit_cascades
from homogaudit.cascade.held_out import HeldOutValue, standard_error, with_normal_interval, with_score_interval
from homogaudit.cascade.weighted import weighted_aurocs_of
from homogaudit.statistics.arrays import BoolArray, FloatArray
from homogaudit.statistics.comparisons import MARGIN
from homogaudit.statistics.folds import stratified_folds

REPEATS = 10
"""One split into folds moves an AUROC of 400 questions by about 0.01; the mean over ten by a third of that."""

MOST_DRAWS, FEWEST_DRAWS = 100, 40
"""Bootstrap draws, a multiple of `REPEATS`. Each refits five cascades; 100 give a standard error to 7%, 40 to 11%
(Efron and Tibshirani 1993, section 6.4)."""

DRAWN_QUESTIONS = 100_000
"""Questions drawn in all where that gives fewer draws: an interval of thousands of questions is narrow, and a tenth of
its width matters less than the minutes."""


@dataclass(frozen=True, slots=True)
class CascadeSaving:
    """What the cascade costs a question, in one kind of cost.

    Attributes:
        costs: Of the stages; running all of them costs `costs.full`.
        cost: Expected cost C of the policy fitted on all questions, on new ones.
        saving: 1 - C / sum c_j of the same; `None` where every stage is free.
    """

    costs: StageCosts
    cost: HeldOutValue
    saving: HeldOutValue | None


@dataclass(frozen=True, slots=True)
class CascadePoint:
    """The cascade at a fixed band.

    Attributes:
        band: Share of the questions, by P after all stages, that lies between the thresholds.
        auroc: Held-out.
        cost: Expected, of the kind that decides.
        on_front: Whether no other point costs no more and has a higher AUROC, or costs less and has as high a one.
    """

    band: float
    auroc: HeldOutValue
    cost: HeldOutValue
    on_front: bool


@dataclass(frozen=True, slots=True)
class CascadeEvaluation:
    """A cascade on held-out questions.

    All intervals are about the mean over folds and repeats, except those of savings: they are of the one policy that
    `fit_policy` makes of all questions. Bands vary from fit to fit, so that a saving averaged over folds says little
    of that policy, and where it decides needs no labels: what its own questions show holds for new ones.

    Attributes:
        stages: In their order.
        n: Questions.
        positives: Incorrect answers among them.
        folds: Of each repeat.
        repeats: Of the split into folds.
        draws: Bootstrap draws, refitted.
        auroc: Of the cascade's P(incorrect | signals seen).
        auroc_parallel: Of running every stage.
        difference: The first minus the second.
        margin: Of non-inferiority.
        p_non_inferior: One-sided.
        accuracy: Share of the answers that the cascade rightly flags or accepts.
        accuracy_parallel: The same of running every stage, cut at the share of incorrect answers.
        decided: Share of the questions decided at each stage.
        savings: By kind of cost; the first decides.
        singles: Each stage's signal alone.
        points: One a band, from stopping all at the first stage to running every stage.
        recommendation: The three conditions.
    """

    stages: tuple[Stage, ...]
    n: int
    positives: int
    folds: int
    repeats: int
    draws: int
    auroc: HeldOutValue
    auroc_parallel: HeldOutValue
    difference: HeldOutValue
    margin: float
    p_non_inferior: float
    accuracy: HeldOutValue
    accuracy_parallel: HeldOutValue
    decided: tuple[HeldOutValue, ...]
    savings: tuple[CascadeSaving, ...]
    singles: tuple[SingleStage, ...]
    points: tuple[CascadePoint, ...]
    recommendation: Recommendation


@dataclass(frozen=True, slots=True, eq=False)
class _HeldOut:
    """What each fold of each repeat gave, for the questions as they are (row 0) and for the draws of the repeat.

    Attributes:
        cascade: AUROC, shape (repeats, folds, rows); NaN where a draw has one class.
        parallel: Likewise.
        right: Share rightly flagged or accepted by the cascade, and by running every stage, of shape (repeats, folds,
            rows, 2).
        singles: Shape (repeats, folds, rows, stages).
        reaching: Share of the unseen questions that reach a stage, shape (repeats, folds, rows, stages).
        points: AUROC by band, shape (repeats, folds, rows, bands).
        points_reaching: Shape (repeats, folds, rows, bands, stages).
    """

    cascade: FloatArray
    parallel: FloatArray
    right: FloatArray
    singles: FloatArray
    reaching: FloatArray
    points: FloatArray
    points_reaching: FloatArray

    @classmethod
    def empty(cls, rows: int, stages: int) -> "_HeldOut":
        """Return arrays of NaN."""
        shapes = ((), (), (2,), (stages,), (stages,), (len(BANDS),), (len(BANDS), stages))
        return cls(*(np.full((REPEATS, FOLDS, rows, *shape), np.nan) for shape in shapes))


def evaluate_cascade(
    stages: Sequence[Stage],
    signals: ArrayLike,
    positive: ArrayLike,
    costs: Sequence[StageCosts],
    *,
    draws: int | None = None,
    seed: int = 0,
) -> CascadeEvaluation:
    """Evaluate a cascade on held-out folds and judge whether to recommend it.

    Args:
        stages: k of them, cheapest first.
        signals: Shape (k, n), finite, higher = more uncertain, in the order of the stages.
        positive: Shape (n,), True for an incorrect answer.
        costs: One or more kinds; the first decides condition (c), the others are only shown.
        draws: Bootstrap draws, at least two for each of the repeats; `None` for 100, fewer over many questions.
        seed: Of the folds and the draws.

    Raises:
        UndefinedStatisticError: There are fewer than two stages, a signal is constant or undefined somewhere, or a
            class has fewer than two questions a fold.

    Source:
        arXiv 2603.24124 for the cascade; METHODS, UCBD, for the conditions. Folds that keep copies together: Efron and
        Tibshirani (1997), "Improvements on cross-validation: the .632+ bootstrap method".
    """
    matrix, labels = checked_signals(stages, signals, positive)
    if draws is None:
        draws = min(MOST_DRAWS, max(FEWEST_DRAWS, DRAWN_QUESTIONS // labels.size))
    if draws < 2 * REPEATS:
        raise ValueError(f"expected at least {2 * REPEATS} draws, not {draws}")
    found = _held_out(matrix, labels, draws // REPEATS, np.random.default_rng(seed))
    cascade, parallel = _over_folds(found.cascade), _over_folds(found.parallel)
    alone = _over_folds(found.singles)
    difference = _auroc_figure(cascade - parallel, -1)
    p = p_non_inferior(difference.value, _error(cascade - parallel))
    apart = [alone[..., j] - cascade for j in range(len(stages))]
    singles = single_stages(
        stages,
        [_auroc_figure(alone[..., j]) for j in range(len(stages))],
        [_auroc_figure(x, -1) for x in apart],
        [_error(x) for x in apart],
        costs[0].alone,
    )
    savings = tuple(_saving(x, matrix, labels) for x in costs)
    # The last stage decides all that reach it.
    escalating = np.concatenate([found.reaching[..., 1:], np.zeros_like(found.reaching[..., :1])], axis=-1)
    stopping = found.reaching - escalating
    auroc_parallel = _auroc_figure(parallel)
    return CascadeEvaluation(
        stages=tuple(stages),
        n=labels.size,
        positives=int(np.count_nonzero(labels)),
        folds=FOLDS,
        repeats=REPEATS,
        draws=draws // REPEATS * REPEATS,
        auroc=_auroc_figure(cascade),
        auroc_parallel=auroc_parallel,
        difference=difference,
        margin=MARGIN,
        p_non_inferior=p,
        accuracy=_mean_figure(found.right[..., 0], 1.0),
        accuracy_parallel=_mean_figure(found.right[..., 1], 1.0),
        decided=tuple(_mean_figure(stopping[..., j], 1.0) for j in range(len(stages))),
        savings=savings,
        singles=singles,
        points=_points(found, costs[0]),
        recommendation=recommend(auroc_parallel, difference, savings[0].cost, costs[0].full, singles, labels.size),
    )


def _held_out(signals: FloatArray, labels: BoolArray, draws: int, generator: np.random.Generator) -> _HeldOut:
    """Fit and score every fold of every repeat, `draws` bootstrap draws a repeat beside the questions as they are."""
    n, k = signals.shape
    positive = labels.astype(np.float64)
    found = _HeldOut.empty(draws + 1, k)
    for repeat in range(REPEATS):
        fold = stratified_folds(labels, FOLDS, generator)
        drawn = generator.multinomial(n, np.full(n, 1 / n), size=draws)
        weights = np.concatenate([np.ones((1, n)), drawn.astype(np.float64)])
        for number in range(FOLDS):
            out = fold == number
            _fill(found, (repeat, number), signals, positive, weights, out)
    return found


def _fill(
    found: _HeldOut,
    place: tuple[int, int],
    signals: FloatArray,
    positive: FloatArray,
    weights: FloatArray,
    out: BoolArray,
) -> None:
    """Fit on the questions that are not `out` and write what those held out give."""
    training = weights[:, ~out]
    positives = training @ positive[~out]
    # A draw whose training folds hold one class has no fit; its figures stay NaN.
    fitting = np.flatnonzero((positives > 0) & (positives < training.sum(axis=1)))
    fits = fit_cascades(signals[~out], positive[~out], training[fitting])
    own = weights[np.ix_(fitting, np.flatnonzero(out))]
    won = own * positive[out]
    lost = own - won
    # What a draw left out was not trained on either: on so many questions a share is steady, on a fold it is not.
    unseen = np.where(fitting[:, None] == 0, out, out | (weights[fitting] == 0)).astype(np.float64)
    probabilities = fits.probabilities(signals)
    rows = (*place, fitting)
    chosen = fits.decide(probabilities)
    banded: list[FloatArray] = []
    for band in range(len(BANDS)):
        outcome = fits.decide(probabilities, band)
        found.points_reaching[(*rows, band)] = _reaching(outcome.stage, unseen, signals.shape[1])
        # Of many questions the scores of all bands at once would be most of the memory.
        banded.append(outcome.score[:, out])
    full = probabilities[-1]
    scores = [full, chosen.score, *(np.broadcast_to(signal, full.shape) for signal in signals.T)]
    # All at once: a call a score would take most of the time.
    aurocs = weighted_aurocs_of([*(x[:, out] for x in scores), *banded], won, lost)
    found.parallel[rows], found.cascade[rows] = aurocs[:2]
    found.singles[rows] = aurocs[2 : len(scores)].T
    found.points[rows] = aurocs[len(scores) :].T
    for column, score in enumerate((chosen.score, full)):
        is_right = (score[:, out] >= fits.cut[:, None]) == (positive[out] > 0)
        total = own.sum(axis=1)
        found.right[(*rows, column)] = np.divide(
            (own * is_right).sum(axis=1), total, out=np.full(total.shape, np.nan), where=total > 0
        )
    found.reaching[rows] = _reaching(chosen.stage, unseen, signals.shape[1])


def _reaching(stage: NDArray[np.intp], weights: FloatArray, stages: int) -> FloatArray:
    """Return the share of the questions of some weight that reach each stage, shape (rows, stages)."""
    counts = np.stack([(weights * (stage >= j)).sum(axis=1) for j in range(stages)], axis=1)
    return counts / weights.sum(axis=1, keepdims=True)


def _over_folds(values: FloatArray) -> FloatArray:
    """Return the mean over the folds that have a value, shape (repeats, rows, ...); NaN where none has."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    total = np.where(defined, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _error(by_repeat: FloatArray) -> float:
    return standard_error(by_repeat[:, 1:].ravel())


def _auroc_figure(by_repeat: FloatArray, least: float = 0.0) -> HeldOutValue:
    """Return an AUROC, or a difference of two, from (repeats, rows) means over folds."""
    return with_normal_interval(float(by_repeat[:, 0].mean()), by_repeat[:, 1:].ravel(), least, 1.0)


def _mean_figure(by_fold: FloatArray, most: float) -> HeldOutValue:
    """Return a cost or a share from (repeats, folds, rows)."""
    by_repeat = _over_folds(by_fold)
    return with_normal_interval(float(by_repeat[:, 0].mean()), by_repeat[:, 1:].ravel(), 0.0, most)


def _cost(costs: StageCosts, reaching: FloatArray) -> FloatArray:
    """Return the expected cost from the shares that reach each stage."""
    before, after = reaching[..., :-1], reaching[..., 1:]
    escalating = np.divide(after, before, out=np.zeros(after.shape), where=before != 0)
    return expected_cost(costs.marginal, escalating)


def _saving(costs: StageCosts, signals: FloatArray, labels: BoolArray) -> CascadeSaving:
    """Return what the policy fitted on all questions costs where it decides them."""
    fit = fit_cascades(signals, labels.astype(np.float64), np.ones((1, labels.size)))
    reaching = _reaching(fit.decide(fit.probabilities(signals)).stage, np.ones((1, labels.size)), signals.shape[1])
    cost = float(_cost(costs, reaching)[0])
    if costs.full == 0:
        return CascadeSaving(costs, HeldOutValue(0.0, 0.0, 0.0), None)
    share = with_score_interval(cost / costs.full, labels.size)
    return CascadeSaving(
        costs,
        HeldOutValue(cost, share.low * costs.full, share.high * costs.full),
        HeldOutValue(float(saving(cost, costs.full)), 1 - share.high, 1 - share.low),
    )


def _points(found: _HeldOut, costs: StageCosts) -> tuple[CascadePoint, ...]:
    aurocs = _over_folds(found.points)
    cost = _cost(costs, found.points_reaching)
    places = [
        (_auroc_figure(aurocs[..., band]), _mean_figure(cost[..., band], costs.full)) for band in range(len(BANDS))
    ]
    values = [(auroc.value, spent.value) for auroc, spent in places]
    return tuple(
        CascadePoint(band, auroc, spent, not any(_dominates(other, value) for other in values))
        for band, (auroc, spent), value in zip(BANDS, places, values, strict=True)
    )


def _dominates(other: tuple[float, float], point: tuple[float, float]) -> bool:
    return other != point and other[0] >= point[0] and other[1] <= point[1]
