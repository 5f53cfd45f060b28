from collections.abc import Callable

import numpy as np
import pytest

from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.selective import default_target_risk, score_selective
from homogaudit.report.undefined import WITH_FULL, Undefined


def test_accuracy_and_threshold_at_a_coverage_are_those_counted_by_hand(
    make_inputs: Callable[..., AnalysisInputs],
) -> None:
    # Ten questions by rising score; wrong: the 3rd, 6th, 8th, 9th, 10th.
    incorrect = np.isin(np.arange(10), [2, 5, 7, 8, 9])
    found = score_selective(make_inputs(incorrect, token_entropy_mean=np.arange(10) / 10), full=False)
    third, half, most = found.signals["token_entropy_mean"].accuracy_at
    assert [x.accepted for x in (third, half, most)] == [3, 5, 8]
    assert [x.accuracy for x in (third, half, most)] == [pytest.approx(x) for x in (2 / 3, 4 / 5, 5 / 8)]
    assert [x.threshold for x in (third, half, most)] == [pytest.approx(x) for x in (0.2, 0.4, 0.7)]
    assert (half.at_threshold.k, half.at_threshold.n) == (4, 5)


def test_a_threshold_is_in_the_values_as_stored_and_ties_with_it_are_accepted(
    make_inputs: Callable[..., AnalysisInputs],
) -> None:
    # Stored 0 to 9, lower is more uncertain: the surest half is 5 and above.
    turned = make_inputs(np.arange(10) < 5, directions={"odd": -1}, odd=-np.arange(10.0))
    half = score_selective(turned, full=False).signals["odd"].accuracy_at[1]
    assert (half.threshold, half.at_threshold.k, half.at_threshold.n) == (5.0, 5, 5)
    scores = np.array([0.0, 1, 1, 1, 1, 1, 1, 1, 2, 3])
    tied = make_inputs(np.arange(10) % 2 == 0, token_entropy_mean=scores)
    half = score_selective(tied, full=False).signals["token_entropy_mean"].accuracy_at[1]
    assert (half.threshold, half.at_threshold.k, half.at_threshold.n) == (1.0, 4, 8)


def test_only_leading_signals_have_intervals_and_curves(make_inputs: Callable[..., AnalysisInputs]) -> None:
    rng = np.random.default_rng(7)
    incorrect = rng.random(300) < 0.4
    signals = {f"s{number}": rng.normal(size=300) + incorrect * number / 4 for number in range(1, 6)}
    found = score_selective(
        make_inputs(incorrect, token_entropy_mean=rng.normal(size=300), recommended="s1", **signals), full=True
    )
    assert found.leading == ("token_entropy_mean", "s1", "s5", "s4")
    assert found.signals["s2"].prr_interval is None
    assert isinstance(found.signals["s2"].curve, Undefined)
    best = found.signals["s5"]
    assert best.prr_interval.low < best.prr < best.prr_interval.high
    assert len(best.curve) == 100
    assert (best.curve[-1].coverage, best.curve[-1].risk) == (1.0, pytest.approx(incorrect.mean()))
    coverages = [point.coverage for point in best.curve]
    assert coverages == sorted(set(coverages))


def test_a_risk_bound_is_found_for_a_good_signal_and_not_for_noise(make_inputs: Callable[..., AnalysisInputs]) -> None:
    rng = np.random.default_rng(8)
    incorrect = rng.random(800) < 0.4
    inputs = make_inputs(incorrect, token_entropy_mean=rng.normal(size=800), good=incorrect * 3 + rng.normal(size=800))
    found = score_selective(inputs, full=True, target_risk=0.1)
    assert isinstance(found.signals["token_entropy_mean"].risk_bound, Undefined)
    bound = found.signals["good"].risk_bound
    assert bound.calibration.value < 0.1
    assert bound.held_out.value < 0.15
    assert score_selective(inputs, full=False).signals["good"].risk_bound == WITH_FULL


@pytest.mark.parametrize(("wrong", "target"), [(196, 0.37), (40, 0.07), (2, 0.01)])
def test_the_target_is_three_quarters_of_the_share_of_errors(wrong: int, target: float) -> None:
    assert default_target_risk(np.arange(401) < wrong) == target


def test_three_questions_accept_none_at_thirty_percent(make_inputs: Callable[..., AnalysisInputs]) -> None:
    found = score_selective(make_inputs([True, False, True], token_entropy_mean=[1.0, 2, 3]), full=True)
    assert isinstance(found.signals["token_entropy_mean"].accuracy_at[0], Undefined)
