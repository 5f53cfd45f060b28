from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.dependence import score_dependence
from homogaudit.report.undefined import Undefined


def test_boundaries_are_compared_by_the_signal_with_the_most_values(
    make_inputs: Callable[..., AnalysisInputs],
) -> None:
    rng = np.random.default_rng(9)
    primary = rng.normal(size=120)
    gaps = np.where(np.arange(120) < 20, np.nan, rng.normal(size=120))
    signals = {
        "response_length": rng.normal(size=120),
        "token_entropy_mean": primary,
        "density": gaps,
        "grounding": -primary,
    }
    found = score_dependence(make_inputs(np.arange(120) % 2 == 0, **signals))
    pairs = {x.boundaries: x for x in found.pairs}
    assert set(pairs) == {("B1", "B2"), ("B1", "B5"), ("B2", "B5")}
    assert pairs["B1", "B2"].pair == ("token_entropy_mean", "density")
    assert pairs["B1", "B2"].n == 100
    assert pairs["B1", "B5"].pearson.value == pytest.approx(-1)
    assert pairs["B1", "B5"].distance_correlation.p == 0.01
    expected = pearsonr(primary[20:], gaps[20:]), spearmanr(primary[20:], gaps[20:])
    assert found.signals["density"].pearson.value == pytest.approx(expected[0].statistic)
    assert found.signals["density"].spearman.value == pytest.approx(expected[1].statistic)


def test_a_constant_boundary_forms_no_pair(make_inputs: Callable[..., AnalysisInputs]) -> None:
    signals = {"token_entropy_mean": np.arange(20.0), "freshness": np.zeros(20)}
    found = score_dependence(make_inputs(np.arange(20) % 2 == 0, **signals))
    assert found.pairs == (Undefined("fewer than two boundaries"),)
    assert found.signals["freshness"] == Undefined("all values are equal")
