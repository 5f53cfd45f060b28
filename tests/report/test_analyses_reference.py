"""The full report of the recorded Qwen3-14B answers, read back from its JSON, against scikit-learn and SciPy."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from homogaudit.report.build import build
from homogaudit.report.json import dumps, schema
from homogaudit.store.run_file import RunFile

PRIMARY = "token_entropy_mean"


@pytest.fixture(scope="module")
def report(qwen_run: RunFile) -> Any:
    document = json.loads(dumps(build(qwen_run, draws=200, full=True)))
    Draft202012Validator(schema()).validate(document)
    return document


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-5)


def test_signals_are_those_of_the_reference(report: Any, expected: Any, on_log_odds: Any) -> None:
    for name, figures in expected["qwen3-14b"]["signals"].items():
        signal = report["signals"][name]
        assert signal["auroc"]["value"] == near(figures["auroc"])
        delong = (signal["auroc"]["delong_low"], signal["auroc"]["delong_high"])
        assert delong == pytest.approx(on_log_odds(figures), abs=1e-5)
        if figures["auroc"] > 0.5:
            # The reference's is two-sided.
            assert signal["auroc"]["p"] == near(figures["mannwhitney_p"] / 2)
        assert signal["cohens_d"]["value"] == near(figures["cohens_d"])


def test_accuracy_at_coverage_is_that_of_the_reference(report: Any, expected: Any, on_log_odds: Any) -> None:
    found = {str(x["coverage"]): x for x in report["selective"]["signals"][PRIMARY]["accuracy_at"]}
    figures = expected["qwen3-14b"]["accuracy_at_coverage_token_entropy_mean"]
    assert set(found) == set(figures)
    for coverage, accuracy in figures.items():
        # Nothing is tied at these cuts: expectation over ties and stable order are then the same.
        assert found[coverage]["accuracy"] == near(accuracy)
        assert found[coverage]["at_threshold"]["n"] == found[coverage]["accepted"]


def test_aurocs_by_category_are_those_of_the_reference(report: Any, expected: Any, on_log_odds: Any) -> None:
    found = report["categories"]["signals"][PRIMARY]["categories"]
    shown = {name: x for name, x in found.items() if not isinstance(x["auroc"], dict)}
    figures = expected["qwen3-14b"]["categories_token_entropy_mean"]
    assert set(shown) == set(figures)
    for name, category in figures.items():
        assert (shown[name]["n"], shown[name]["auroc"]) == (category["n"], near(category["auroc"]))


def test_correlations_with_the_primary_signal_are_those_of_the_reference(
    report: Any, expected: Any, on_log_odds: Any
) -> None:
    found = report["dependence"]["signals"]
    for name, key in {"recorded:density": "density", "density_full_pool": "density_full_pool"}.items():
        # The reference correlates the values as recorded, the report the values turned so that higher is uncertain.
        direction = report["signals"][name]["direction"]
        assert direction * found[name]["pearson"]["value"] == near(expected["cascade"][f"pearson_b1_{key}"])
    association, figures = found["recorded:association"], expected["association"]
    assert association["pearson"]["n"] == figures["n"]
    assert association["pearson"]["value"] == near(figures["pearson_b1"])
    assert association["spearman"]["value"] == near(figures["spearman_b1"])
    assert report["signals"]["recorded:association"]["auroc"]["value"] == near(figures["auroc"])


def test_one_signal_stands_for_each_boundary(report: Any) -> None:
    assert [x["pair"] for x in report["dependence"]["pairs"]] == [
        [PRIMARY, "recorded:density"],
        [PRIMARY, "recorded:association"],
        ["recorded:density", "recorded:association"],
    ]
    assert all(x["distance_correlation"]["p"] >= 1 / 100 for x in report["dependence"]["pairs"])


def test_no_signal_has_a_threshold_where_none_is_recommended(report: Any) -> None:
    assert report["verdict"]["answer_where"] == {"value": None, "reason": "no signal is recommended"}
    assert not any("Answer only where" in sentence for sentence in report["verdict"]["sentences"])
