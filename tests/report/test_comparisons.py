"""Differences and agreement, against DeLong by hand on the arrays and counts made by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest

from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.comparisons import compare_flags, compare_signals
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import auroc, delong_paired, holm


def test_every_signal_is_tested_on_its_own_questions_in_common_with_the_primary_one(
    make_inputs: Callable[..., AnalysisInputs],
) -> None:
    rng = np.random.default_rng(1)
    incorrect = rng.random(200) < 0.4
    good = incorrect + rng.normal(size=200)
    gaps = np.where(np.arange(200) % 3 == 0, np.nan, rng.normal(size=200))
    primary = rng.normal(size=200)
    found = compare_signals(make_inputs(incorrect, token_entropy_mean=primary, good=good, gaps=gaps, same=primary * 2))
    assert not isinstance(found, Undefined)
    both = ~np.isnan(gaps)
    by_hand = [
        delong_paired(good, primary, incorrect),
        delong_paired(gaps[both], primary[both], incorrect[both]),
        delong_paired(primary, primary, incorrect),
    ]
    adjusted = holm([x.p for x in by_hand])
    for name, expected, p_holm in zip(("good", "gaps", "same"), by_hand, adjusted, strict=True):
        x = found.signals[name]
        assert not isinstance(x, Undefined)
        assert (x.delta, x.low, x.high, x.p) == (expected.delta, expected.low, expected.high, expected.p)
        assert x.p_holm == pytest.approx(p_holm)
    assert found.signals["good"].delta == pytest.approx(auroc(good, incorrect) - auroc(primary, incorrect))
    assert found.signals["good"].reading == "higher"
    assert found.signals["gaps"].n == int(both.sum())
    # The same ranking: no difference, without any error.
    assert (found.signals["same"].delta, found.signals["same"].reading) == (0.0, "equivalent")


def test_a_constant_signal_is_compared_with_nothing_and_costs_no_correction(
    make_inputs: Callable[..., AnalysisInputs],
) -> None:
    rng = np.random.default_rng(2)
    incorrect = rng.random(100) < 0.5
    primary, other = rng.normal(size=100), rng.normal(size=100)
    found = compare_signals(make_inputs(incorrect, token_entropy_mean=primary, other=other, flat=np.ones(100)))
    assert found.signals["flat"] == Undefined("all values are equal")
    assert found.signals["other"].p_holm == found.signals["other"].p


def test_flags_are_counted_and_mcnemar_is_of_being_right(make_inputs: Callable[..., AnalysisInputs]) -> None:
    # Ten questions, the first five wrong. The primary flags 0 to 4: all right. The other flags 3 to 7.
    incorrect = np.arange(10) < 5
    primary = np.where(incorrect, 1.0, 0.0) + np.arange(10) / 100
    other = np.isin(np.arange(10), range(3, 8)) + np.arange(10) / 100
    found = compare_flags(make_inputs(incorrect, token_entropy_mean=primary, other=other))
    x = found.signals["other"]
    assert (x.n, x.flagged, x.both, x.only_one, x.neither, x.tied) == (10, 5, 2, 3, 2, 0)
    # Right: 3, 4 flagged and wrong; 8, 9 not flagged and right.
    assert (x.right, x.right_primary) == (0.4, 1.0)
    assert x.p == x.p_holm == pytest.approx(binomtest(0, 6).pvalue)
    # Observed agreement 0.4, expected 0.5.
    assert x.kappa.value == pytest.approx(-0.2)
