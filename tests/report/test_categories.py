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


def test_every_signal_is_scored_where_the_primary_one_works_and_where_it_is_turned_round(
    make_inputs: Callable[..., AnalysisInputs],
) -> None:
    rng = np.random.default_rng(7)
    incorrect = np.arange(160) % 2 == 0
    primary, other = rng.normal(size=(2, 160))
    primary += np.where(np.arange(160) < 80, 3, -3) * incorrect
    other += 3 * incorrect
    other[0] = np.nan
    names = ["good"] * 80 + ["bad"] * 80
    inputs = make_inputs(incorrect, categories=names, token_entropy_mean=primary, perplexity=other)
    zones = score_categories(inputs).zones
    assert zones.held_out_zones["token_entropy_mean"].effective.low > 0.9
    assert zones.held_out_zones["token_entropy_mean"].blind.high < 0.1
    # The other signal works where the primary one is blind.
    assert zones.held_out_zones["perplexity"].blind.low > 0.9
    whole = roc_auc_score(incorrect[80:], other[80:])
    assert zones.in_sample_zones["perplexity"].blind.value == pytest.approx(whole)
    assert (zones.in_sample_zones["perplexity"].effective.n, zones.in_sample_zones["perplexity"].blind.n) == (79, 80)


def test_without_enough_of_each_class_there_are_no_zones(make_inputs: Callable[..., AnalysisInputs]) -> None:
    rng = np.random.default_rng(8)
    inputs = make_inputs(np.arange(30) % 15 == 0, categories=["a"] * 30, token_entropy_mean=rng.normal(size=30))
    assert score_categories(inputs).zones == Undefined("no category has three wrong and three right answers")


def test_questions_without_categories_have_no_such_section(make_inputs: Callable[..., AnalysisInputs]) -> None:
    inputs = make_inputs([True, False] * 10, token_entropy_mean=np.arange(20.0))
    assert score_categories(inputs) == Undefined("the questions have no categories")
