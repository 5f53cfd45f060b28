from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.calibration import score_calibration
from homogaudit.report.undefined import Undefined


def test_raw_figures_are_given_of_probabilities_only(make_inputs: Callable[..., AnalysisInputs]) -> None:
    rng = np.random.default_rng(3)
    stated = rng.random(300)
    incorrect = rng.random(300) < stated
    found = score_calibration(make_inputs(incorrect, token_entropy_mean=rng.normal(size=300), p_true=stated))
    raw = found.signals["p_true"].raw
    assert raw.brier == pytest.approx(brier_score_loss(incorrect, stated))
    assert found.signals["token_entropy_mean"].raw == Undefined("the signal is no probability")
    base = incorrect.mean()
    assert found.signals["p_true"].brier_of_base_rate == pytest.approx(brier_score_loss(incorrect, np.full(300, base)))
    # A fit cannot do much worse than probabilities that hold by construction.
    assert found.signals["p_true"].platt.brier == pytest.approx(raw.brier, abs=0.02)
    # Intervals are those of the primary signal; none is recommended here.
    assert raw.brier_interval is None
    assert found.signals["token_entropy_mean"].platt.brier_interval is not None


def test_too_few_questions_of_a_class_leave_no_fit(make_inputs: Callable[..., AnalysisInputs]) -> None:
    incorrect = np.arange(30) < 4
    found = score_calibration(make_inputs(incorrect, token_entropy_mean=np.arange(30.0) % 7))
    assert isinstance(found.signals["token_entropy_mean"].platt, Undefined)
    assert isinstance(found.signals["token_entropy_mean"].isotonic, Undefined)
