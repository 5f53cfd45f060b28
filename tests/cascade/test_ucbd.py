import itertools

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from homogaudit.cascade.boundaries import stage_of
from homogaudit.cascade.costs import unit_costs
from homogaudit.cascade.fits import fit_cascades
from homogaudit.cascade.held_out import with_score_interval
from homogaudit.cascade.policy import Cascade, fit_policy
from homogaudit.cascade.ucbd import CascadeEvaluation, evaluate_cascade
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import wilson

TWO = [stage_of(name) for name in ("token_entropy_mean", "density")]
THREE = [*TWO, stage_of("semantic_entropy_embedding")]


def evaluate(stages, signals, incorrect, draws: int = 40, seed: int = 0) -> CascadeEvaluation:
    return evaluate_cascade(stages, signals, incorrect, [unit_costs(stages)], draws=draws, seed=seed)


@pytest.fixture(scope="module")
def strong(draw_signals) -> CascadeEvaluation:
    return evaluate(THREE, *draw_signals((0.65, 0.75, 0.8), 400, 3))


def test_the_parallel_auroc_is_scikit_learns_cross_validated_one(draw_signals, strong):
    signals, incorrect = draw_signals((0.65, 0.75, 0.8), 400, 3)
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=10, random_state=1)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    known = cross_val_score(model, signals.T, incorrect, cv=folds, scoring="roc_auc").mean()
    # Other folds: over ten repeats the mean moves in the third digit.
    assert strong.auroc_parallel.value == pytest.approx(known, abs=0.005)


def test_single_signals_have_the_auroc_of_held_out_folds(draw_signals, strong):
    signals, incorrect = draw_signals((0.65, 0.75, 0.8), 400, 3)
    for single, row in zip(strong.singles, signals, strict=True):
        assert single.auroc.value == pytest.approx(roc_auc_score(incorrect, row), abs=0.005)
        assert single.auroc.low < single.auroc.value < single.auroc.high


def test_the_widest_band_runs_every_stage_and_the_narrowest_one_only(strong):
    first, last = strong.points[0], strong.points[-1]
    assert (first.band, first.cost.value) == (0, 0)
    assert first.auroc.value == pytest.approx(strong.singles[0].auroc.value, abs=1e-9)
    assert (last.band, last.cost.value) == (1, 2)
    assert last.auroc == strong.auroc_parallel


def test_the_front_holds_what_no_other_point_beats(strong):
    for point in strong.points:
        beaten = any(
            other.cost.value <= point.cost.value
            and other.auroc.value >= point.auroc.value
            and (other.cost.value, other.auroc.value) != (point.cost.value, point.auroc.value)
            for other in strong.points
        )
        assert point.on_front is not beaten
    costs = [point.cost.value for point in strong.points]
    assert all(a < b for a, b in itertools.pairwise(costs))


def test_saving_and_shares_are_those_of_the_decisions(strong):
    shares = [share.value for share in strong.decided]
    assert sum(shares) == pytest.approx(1)
    found = strong.savings[0].saving
    assert found is not None
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(1 - strong.savings[0].cost.value / 2)


def test_the_saving_is_that_of_the_policy_that_would_be_written(draw_signals):
    signals, incorrect = draw_signals((0.65, 0.8), 300, 8)
    evaluation = evaluate(TWO, signals, incorrect, draws=20)
    cascade = Cascade(fit_policy(evaluation, signals, incorrect, model="m"))
    names = [stage.signal for stage in TWO]
    asked = [cascade.decide(dict(zip(names, values, strict=True))).stage == names[1] for values in signals.T]
    found = evaluation.savings[0].saving
    assert found.value == pytest.approx(1 - np.mean(asked))
    # One call or none a question: the interval is that of a rate.
    known = wilson(300 - sum(asked), 300)
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


def test_figures_repeat_with_the_seed(draw_signals):
    signals, incorrect = draw_signals((0.6, 0.7), 80, 1)
    assert evaluate(TWO, signals, incorrect, 20) == evaluate(TWO, signals, incorrect, 20)
    assert evaluate(TWO, signals, incorrect, 20) != evaluate(TWO, signals, incorrect, 20, seed=1)


def test_many_questions_are_drawn_fewer_times(draw_signals):
    found = evaluate_cascade(TWO, *draw_signals((0.7, 0.7), 2000, 2), [unit_costs(TWO)])
    assert found.draws == 50
    assert found.auroc.high - found.auroc.low < 0.1


def test_the_unit_of_a_signal_does_not_matter(draw_signals):
    signals, incorrect = draw_signals((0.6, 0.7), 80, 1)
    scaled = signals * np.array([[1e6], [1e-6]]) + np.array([[5e6], [3.0]])
    a, b = evaluate(TWO, signals, incorrect, 20), evaluate(TWO, scaled, incorrect, 20)
    assert b.auroc.value == pytest.approx(a.auroc.value, abs=1e-9)
    assert b.savings[0].cost.value == pytest.approx(a.savings[0].cost.value, abs=1e-9)


def test_an_inverted_signal_is_not_used_upside_down(draw_signals):
    signals, incorrect = draw_signals((0.2, 0.5), 300, 2)
    found = evaluate(TWO, signals, incorrect)
    # Turned round it would reach 0.8.
    assert found.auroc_parallel.value < 0.56
    assert not found.recommendation.recommended


def test_two_useful_signals_make_a_cascade_that_is_recommended(draw_signals):
    found = evaluate(TWO, *draw_signals((0.75, 0.75), 1500, 4), draws=100)
    assert found.recommendation.recommended, found.recommendation.reason
    assert [condition.letter for condition in found.recommendation.conditions] == ["a", "b", "c"]
    assert found.singles[0].shown_worse
    assert found.p_non_inferior < 0.05


def test_a_free_signal_that_does_as_well_alone_is_preferred(draw_signals):
    found = evaluate(TWO, *draw_signals((0.8, 0.5), 400, 5))
    a, b, c = found.recommendation.conditions
    assert (a.met, b.met, c.met) == (True, True, False)
    assert "`token_entropy_mean` alone" in found.recommendation.reason


def test_free_stages_have_no_saving(draw_signals):
    free = [stage_of("token_entropy_mean"), stage_of("freshness")]
    found = evaluate(free, *draw_signals((0.7, 0.7), 200, 6))
    assert found.savings[0].saving is None
    assert "nothing to save" in found.recommendation.reason


def test_nothing_is_recommended_on_the_recorded_run(recorded):
    found = evaluate(TWO, [recorded.token_entropy_mean, recorded.density], recorded.incorrect, draws=200)
    assert (found.n, found.positives) == (401, 196)
    assert not found.recommendation.recommended
    assert not found.recommendation.conditions[0].met
    assert found.auroc_parallel.low < 0.5 < found.auroc_parallel.high
    assert "not shown to tell wrong from right" in found.recommendation.reason


def test_nothing_is_recommended_on_the_recorded_run_with_association(recorded):
    both = np.isfinite(recorded.association)
    stages = [*TWO, stage_of("recorded:association")]
    signals = np.array([recorded.token_entropy_mean, recorded.density, recorded.association])[:, both]
    assert not evaluate(stages, signals, recorded.incorrect[both], draws=100).recommendation.recommended


def noise_is_recommended(recorded, seed: int) -> bool:
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=recorded.incorrect.size)
    found = evaluate(TWO, [recorded.token_entropy_mean, noise], recorded.incorrect, draws=60, seed=seed)
    return found.recommendation.recommended


@pytest.mark.parametrize("worlds", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_noise_is_not_recommended(recorded, worlds: int):
    assert not any(noise_is_recommended(recorded, seed) for seed in range(worlds))


@pytest.mark.parametrize("worlds", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_intervals_of_the_parallel_auroc_cover_chance(draw_signals, worlds: int):
    # Two null signals: the interval lies above 0.5 in at most 5 of 100 runs, and a cascade is recommended in none.
    found = [evaluate(TWO, *draw_signals((0.5, 0.5), 300, seed), draws=60, seed=seed) for seed in range(worlds)]
    assert sum(x.auroc_parallel.low > 0.5 for x in found) <= worlds / 20
    assert not any(x.recommendation.recommended for x in found)


@pytest.mark.parametrize(
    ("signals", "labels", "reason"),
    [
        (np.arange(40.0).reshape(2, 20), np.ones(20), "`20` incorrect and `0` correct"),
        (np.arange(8.0).reshape(2, 4), [1, 0, 1, 0], "`2` incorrect and `2` correct"),
        (np.array([np.arange(40.0), np.ones(40)]), np.arange(40) % 2, "`density` is the same for every question"),
        (
            np.array([np.arange(40.0), [*range(39), np.nan]]),
            np.arange(40) % 2,
            "`density` is undefined for `1` of `40`",
        ),
        (np.array([np.arange(40.0), [*range(39), np.inf]]), np.arange(40) % 2, "infinite"),
    ],
)
def test_what_cannot_be_evaluated_says_why(signals, labels, reason: str):
    with pytest.raises(UndefinedStatisticError, match=reason):
        evaluate(TWO, signals, labels)


def test_one_stage_is_no_cascade():
    with pytest.raises(UndefinedStatisticError, match="`1` stages"):
        evaluate(TWO[:1], np.arange(40.0)[None], np.arange(40) % 2)


def test_the_fewest_questions_that_can_be_evaluated_are(draw_signals):
    generator = np.random.default_rng(0)
    # Draws in which a class is missing from a fold are left out, not counted as chance.
    found = evaluate(TWO, generator.normal(size=(2, 20)), np.arange(20) < 10, draws=100)
    assert np.isfinite([found.auroc.low, found.auroc.high, found.difference.low]).all()


def test_tied_signals_are_decided_together():
    # Each signal has two values: a tie must not be parted by rounding, so every share is one of few.
    generator = np.random.default_rng(7)
    incorrect = generator.random(200) < 0.5
    signals = (generator.random((2, 200)) < 0.3 + 0.4 * incorrect).astype(float)
    found = evaluate(TWO, signals, incorrect, 20)
    assert found.auroc.value <= found.auroc_parallel.value + 0.05
    assert 0 <= found.savings[0].cost.value <= 1


@pytest.mark.parametrize("n", [60, 100, 399, 400])
def test_a_saving_of_all_or_nothing_ends_exactly_there(n: int):
    assert with_score_interval(1.0, n).high == 1.0
    assert with_score_interval(0.0, n).low == 0.0
    assert with_score_interval(0.0, n).high == pytest.approx(wilson(0, n).high)


@pytest.mark.parametrize("worlds", [40, pytest.param(150, marks=pytest.mark.slow)])
def test_the_interval_of_the_saving_covers_what_the_policy_saves_on_fresh_questions(draw_signals, worlds: int):
    print("\nsaving of a fitted policy: in its sample, on fresh questions, coverage and width of the interval")
    for aurocs in ((0.7, 0.7), (0.65, 0.8), (0.75, 0.6)):
        for n in (100, 400):
            fresh, _ = draw_signals(aurocs, 20_000, 1)
            rows = []
            for seed in range(worlds):
                signals, incorrect = draw_signals(aurocs, n, 1000 + seed)
                fit = fit_cascades(signals.T, incorrect.astype(float), np.ones((1, n)))
                saved, truth = (float((fit.decide(fit.probabilities(x.T)).stage == 0).mean()) for x in (signals, fresh))
                found = with_score_interval(saved, n)
                rows.append((saved, truth, found.low <= truth <= found.high, found.high - found.low))
            means = np.mean(rows, axis=0)
            print(f"  AUROC {aurocs}, {n} questions: ", " ".join(f"{x:.3f}" for x in means))
            # Of 150; of 40 the errors are twice as large.
            assert abs(means[0] - means[1]) < (0.03 if worlds == 150 else 0.06)
            assert means[2] >= (0.88 if worlds == 150 else 0.81)
