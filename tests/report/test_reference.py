"""The reports of the recorded runs, against figures that SciPy and scikit-learn gave."""

from collections.abc import Callable
from typing import Any

import pytest

from homogaudit.report.build import build
from homogaudit.report.records import Auroc, Estimate, Undefined
from homogaudit.statistics import Rate
from homogaudit.store.run_file import RunFile

TOKEN_SIGNALS = (
    "token_entropy_mean",
    "token_entropy_max",
    "token_entropy_std",
    "high_entropy_ratio",
    "response_length",
)


@pytest.fixture(scope="module")
def qwen(qwen_run: RunFile) -> Any:
    return build(qwen_run, draws=2000)


def test_label_counts_and_accuracy_of_qwen_are_those_recorded(qwen: Any, expected: Any) -> None:
    figures = expected["qwen3-14b"]
    assert qwen.labels.judge == "recorded"
    for value, count in figures["labels"].items():
        assert getattr(qwen.labels, value) == count
    assert qwen.labels.accuracy.n == figures["n"]
    assert qwen.labels.accuracy.value == pytest.approx(figures["accuracy"], abs=1e-6)
    assert qwen.labels.labelled_share.n == figures["questions"]


@pytest.mark.parametrize("name", TOKEN_SIGNALS)
def test_token_signals_of_qwen_score_as_in_scipy(qwen: Any, expected: Any, on_log_odds: Any, name: str) -> None:
    figures, signal = expected["qwen3-14b"]["signals"][name], qwen.signals[name]
    assert signal.auroc.value == pytest.approx(figures["auroc"], abs=1e-5)
    assert (signal.auroc.delong_low, signal.auroc.delong_high) == pytest.approx(on_log_odds(figures), abs=1e-5)
    assert signal.cohens_d.value == pytest.approx(figures["cohens_d"], abs=1e-4)
    assert (signal.auroc.n, signal.auroc.positives) == (401, 196)
    # Both intervals estimate the same thing.
    assert signal.auroc.low == pytest.approx(figures["delong_low"], abs=0.01)
    assert signal.auroc.high == pytest.approx(figures["delong_high"], abs=0.01)


def test_a_recorded_signal_is_turned_and_scored_like_ours(qwen: Any, expected: Any) -> None:
    density, association = qwen.signals["recorded:density"], qwen.signals["recorded:association"]
    assert density.direction == -1
    assert density.boundary == "B2"
    assert density.auroc.value == pytest.approx(expected["cascade"]["auroc_b2"], abs=1e-6)
    assert association.direction == 1
    assert association.boundary == "B4"
    assert association.auroc.value == pytest.approx(expected["association"]["auroc"], abs=1e-6)
    assert association.auroc.n == expected["association"]["n"]


def test_no_signal_is_recommended_on_qwen(qwen: Any) -> None:
    assert qwen.verdict.signal is None
    assert isinstance(qwen.verdict.signal_auroc, Undefined)
    assert any("No signal shown to work" in sentence for sentence in qwen.verdict.sentences)
    assert "works" not in {signal.auroc.reading for signal in qwen.signals.values()}


def test_a_run_without_samples_is_not_judged_for_homogenization(qwen: Any) -> None:
    assert qwen.run.samples == 0
    assert qwen.verdict.level == "not judged"
    assert qwen.verdict.level_reason == "the run holds greedy answers only"
    assert qwen.homogenization.primary is None
    assert qwen.validity.questions_scored == 790


def test_minimax_with_its_thinking_shows_no_single_cluster(minimax: Callable[..., RunFile], expected: Any) -> None:
    report = build(minimax(keep_thinking=True), draws=500)
    jaccard = report.homogenization.methods["jaccard"]
    assert isinstance(jaccard.scr, Rate)
    assert isinstance(jaccard.mean_clusters, Estimate)
    assert (jaccard.scr.k, jaccard.scr.n) == (0, 50)
    assert jaccard.mean_clusters.value == pytest.approx(8.94)
    # No single cluster in 50 questions: the upper end is 1 - 0.025^(1/50) = 0.071; 72 questions bring it below 0.05.
    assert report.verdict.level == "at most mild"
    assert report.verdict.questions_needed == 72
    for point in jaccard.thresholds:
        figures = expected["minimax-m2.7"]["raw_text"][str(point.threshold)]["single"]
        assert point.scr.value == pytest.approx(figures["scr"])
        assert point.mean_clusters == pytest.approx(figures["mean_clusters"])


def test_first_k_samples_of_minimax_reproduce_the_published_sweep(
    minimax: Callable[..., RunFile], expected: Any
) -> None:
    report = build(minimax(keep_thinking=True, threshold=0.2), draws=500)
    found = {str(x.k): x.first_k.value for x in report.homogenization.methods["jaccard"].sample_sizes}
    assert found == pytest.approx(expected["minimax-m2.7"]["raw_text_first_k_single_0.2"])


def test_minimax_without_its_thinking_is_invalid(minimax: Callable[..., RunFile], expected: Any) -> None:
    report = build(minimax(keep_thinking=False), draws=500)
    answers = expected["minimax-m2.7"]["answers"]
    assert report.verdict.level == report.homogenization.level == "invalid"
    assert report.validity.samples == answers["samples"] == 500
    assert report.validity.samples_valid == answers["with_answer"] == 26
    assert report.validity.empty == 474
    assert report.validity.questions - report.validity.questions_unclustered == answers["questions_with_two"]
    assert "only 26 of 500 samples hold an answer" in report.verdict.sentences[0]
    jaccard = report.homogenization.methods["jaccard"]
    # No question is whole; the five with two answers show two clusters each, which is no level.
    assert (jaccard.scr.k, jaccard.scr.n, jaccard.level) == (0, answers["questions_with_two"], "not judged")


def test_every_auroc_of_a_recorded_run_has_an_adjusted_p(qwen: Any) -> None:
    scored = [signal.auroc for signal in qwen.signals.values()]
    assert all(isinstance(auroc, Auroc) and auroc.p_holm is not None for auroc in scored)
