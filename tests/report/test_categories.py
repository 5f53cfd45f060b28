from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from homogaudit.report.analysis_inputs import AnalysisInputs
from homogaudit.report.categories import score_categories
from homogaudit.report.undefined import Undefined


def test_each_category_has_an_auroc_or_a_reason(make_inputs: Callable[..., AnalysisInputs]) -> None:
    rng = np.random.default_rng(5)
    names = ["good"] * 60 + ["bad"] * 60 + ["small"] * 9 + ["one class"] * 12 + ["alone"] + [None] * 3
    incorrect = np.arange(len(names)) % 2 == 0
    incorrect[129:141] = True
    values = rng.normal(size=len(names))
    values[:60] += 3 * incorrect[:60]
    values[60:120] -= 3 * incorrect[60:120]
    found = score_categories(make_inputs(incorrect, categories=names, token_entropy_mean=values))
    signal = found.signals["token_entropy_mean"]
    assert set(signal.categories) == {"good", "bad", "small", "one class", "alone"}
    good, bad = signal.categories["good"], signal.categories["bad"]
    assert good.auroc == pytest.approx(roc_auc_score(incorrect[:60], values[:60]))
    assert (good.n, good.positives) == (60, 30)
    assert (good.zone.zone, bad.zone.zone) == ("effective", "blind")
    assert signal.difference.p < 0.01
    for name, n in (("small", 9), ("one class", 12), ("alone", 1)):
        assert isinstance(signal.categories[name].auroc, Undefined)
        assert isinstance(signal.categories[name].zone, Undefined)
        assert signal.categories[name].n == n


def test_the_recommended_signal_is_shown_beside_the_primary_one(make_inputs: Callable[..., AnalysisInputs]) -> None:
    rng = np.random.default_rng(6)
    signals = {name: rng.normal(size=40) for name in ("token_entropy_mean", "perplexity", "response_length")}
    inputs = make_inputs(np.arange(40) % 2 == 0, categories=["a"] * 40, recommended="perplexity", **signals)
    assert list(score_categories(inputs).signals) == ["token_entropy_mean", "perplexity"]
    # One category differs from no other.
    assert isinstance(score_categories(inputs).signals["perplexity"].difference, Undefined)


def test_questions_without_categories_have_no_such_section(make_inputs: Callable[..., AnalysisInputs]) -> None:
    inputs = make_inputs([True, False] * 10, token_entropy_mean=np.arange(20.0))
    assert score_categories(inputs) == Undefined("the questions have no categories")
