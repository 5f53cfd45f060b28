from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from homogaudit.records import ClusteringMethod
from homogaudit.report.build import build
from homogaudit.report.costs import ResourceCosts, signal_cost
from homogaudit.report.records import Auroc, Estimate, Report, Undefined

JACCARD = ClusteringMethod("jaccard", "single", 0.4)


def auroc(report: Report, name: str) -> Auroc:
    found = report.signals[name].auroc
    assert isinstance(found, Auroc)
    return found


def labelled_run(build_run: Callable[..., Any], questions: int, incorrect: int, **options: Any) -> Any:
    builder = build_run(questions, **options)
    for position in range(questions):
        builder.draw(position, ["a", "b", "c"])
    builder.label({position: "incorrect" if position < incorrect else "correct" for position in range(questions)})
    return builder


def test_signals_are_scored_as_scikit_learn_and_scipy_do(build_run: Callable[..., Any]) -> None:
    generator = np.random.default_rng(1)
    incorrect = np.arange(60) < 25
    weak, strong = generator.normal(size=60), generator.normal(size=60) + 1.5 * incorrect
    builder = labelled_run(build_run, 60, 25)
    builder.signal("token_entropy_mean", dict(enumerate(weak.tolist())))
    builder.signal("token_entropy_max", dict(enumerate(strong.tolist())))
    report = build(builder.score(), draws=500)
    tests = [stats.mannwhitneyu(x[incorrect], x[~incorrect], alternative="greater") for x in (weak, strong)]
    adjusted = [float(tests[0].pvalue), min(1.0, 2 * float(tests[1].pvalue))]  # Holm: smallest times two
    for name, scores, p in zip(("token_entropy_mean", "token_entropy_max"), (weak, strong), adjusted, strict=True):
        found = auroc(report, name)
        assert found.value == pytest.approx(roc_auc_score(incorrect, scores))
        assert (found.n, found.positives) == (60, 25)
        assert found.p_holm == pytest.approx(p)
        assert found.low is not None and found.high is not None
        assert found.low < found.value < found.high
    assert auroc(report, "token_entropy_max").reading == "works"


def test_an_interval_that_holds_one_half_is_not_shown_to_work(build_run: Callable[..., Any]) -> None:
    builder = labelled_run(build_run, 40, 20)
    # Ranks alternate between the classes: AUROC is one half.
    builder.signal("token_entropy_mean", {position: float(position % 20) for position in range(40)})
    found = auroc(build(builder.score(), draws=200), "token_entropy_mean")
    assert found.value == 0.5
    assert found.reading == "not shown to work"


def test_a_signal_below_one_half_is_inverted_and_never_recommended(build_run: Callable[..., Any]) -> None:
    builder = labelled_run(build_run, 40, 20)
    # Wrong answers score 0 to 19, right ones 15 to 34: few pairs are won.
    scores = {position: float(position if position < 20 else position - 5) for position in range(40)}
    builder.signal("token_entropy_mean", scores)
    report = build(builder.score(), draws=200)
    assert auroc(report, "token_entropy_mean").reading == "inverted"
    assert report.verdict.signal is None
    assert any(sentence.startswith("Inverted") for sentence in report.verdict.sentences)


def test_of_many_signals_of_noise_none_is_called_inverted(build_run: Callable[..., Any]) -> None:
    names = [f"noise_{number}" for number in range(25)]
    called = by_interval = 0
    for world in range(4):
        builder = labelled_run(build_run, 60, 25)
        rows = np.random.default_rng(world).normal(size=(25, 60))
        for name, row in zip(names, rows, strict=True):
            builder.signal(name, dict(enumerate(row.tolist())))
        signals = build(builder.score(), draws=200).signals
        found = [x.auroc for x in signals.values() if isinstance(x.auroc, Auroc)]
        assert len(found) == 25
        called += any(x.reading == "inverted" for x in found)
        by_interval += any(x.high is not None and x.high < 0.5 for x in found)
        # The adjusted p are Holm's over the 25, each way by itself; SciPy's own tests are the reference.
        incorrect = np.arange(60) < 25
        for tail, adjusted in (("greater", [x.p_holm for x in found]), ("less", [x.p_inverted_holm for x in found])):
            p_values = [stats.mannwhitneyu(x[incorrect], x[~incorrect], alternative=tail).pvalue for x in rows]
            assert min(x for x in adjusted if x is not None) == pytest.approx(min(1.0, 25 * min(p_values)))
    assert (called, by_interval) == (0, 2)


def test_constant_scores_have_one_half_and_no_interval(build_run: Callable[..., Any]) -> None:
    builder = labelled_run(build_run, 20, 10)
    builder.signal("token_entropy_mean", dict.fromkeys(range(20), 2.5))
    report = build(builder.score(), draws=200)
    found = auroc(report, "token_entropy_mean")
    assert (found.value, found.constant, found.reading) == (0.5, True, "constant")
    assert found.low is found.high is found.delong_low is found.delong_high is None
    assert isinstance(report.signals["token_entropy_mean"].cohens_d, Undefined)


def test_separated_classes_have_no_interval_of_no_width(build_run: Callable[..., Any]) -> None:
    builder = labelled_run(build_run, 20, 10)
    builder.signal("token_entropy_mean", {position: float(20 - position) for position in range(20)})
    found = auroc(build(builder.score(), draws=200), "token_entropy_mean")
    assert found.value == 1.0
    assert found.low is found.high is found.delong_low is None


def test_one_class_leaves_the_auroc_undefined_with_its_reason(build_run: Callable[..., Any]) -> None:
    builder = labelled_run(build_run, 12, 12)
    builder.signal("token_entropy_mean", {position: float(position) for position in range(12)})
    signal = build(builder.score(), draws=200).signals["token_entropy_mean"]
    assert isinstance(signal.auroc, Undefined)
    assert "none of 12 labelled answers is correct" in signal.auroc.reason
    assert isinstance(signal.cohens_d, Undefined)


@pytest.mark.parametrize(("correct", "is_scored"), [(4, False), (5, True)])
def test_fewer_than_five_of_a_class_leave_every_figure_undefined(
    build_run: Callable[..., Any], correct: int, is_scored: bool
) -> None:
    builder = labelled_run(build_run, 30, 30 - correct)
    builder.cluster({position: (0, 0, 0) if position % 2 else (0, 1, 2) for position in range(30)})
    builder.signal("token_entropy_mean", {position: float(position % 7) for position in range(30)})
    builder.signal("perplexity", dict.fromkeys(range(30)), reason="log-probabilities were not recorded")
    signals = build(builder.score(JACCARD), draws=200).signals
    signal = signals["token_entropy_mean"]
    found = (signal.auroc, signal.auroc_single_cluster, signal.auroc_multi_cluster, signal.cohens_d)
    reason = "only 4 of 30 labelled answers are correct: an AUROC needs at least 5 of each class to mean anything"
    assert [x == Undefined(reason) for x in found] == [not is_scored] * 4
    # What keeps a signal from every question says more.
    assert signals["perplexity"].auroc == Undefined("log-probabilities were not recorded")


def test_a_signal_without_values_says_why(small_run: Any) -> None:
    signal = build(small_run, draws=200).signals["perplexity"]
    assert signal.auroc == Undefined("log-probabilities were not recorded")
    assert signal.missing == 12


def test_gaps_leave_out_their_questions_only(build_run: Callable[..., Any]) -> None:
    builder = labelled_run(build_run, 20, 10)
    values = {position: float(position % 7) for position in range(20)}
    builder.signal("token_entropy_mean", {**values, 0: None, 19: None}, reason="too short")
    builder.signal("token_entropy_max", {**values, 1: float("inf")})
    report = build(builder.score(), draws=200)
    mean = report.signals["token_entropy_mean"]
    assert (mean.missing, mean.missing_reason) == (2, "too short")
    assert auroc(report, "token_entropy_mean").n == 18
    assert auroc(report, "token_entropy_max").n == 19


def test_only_correct_and_incorrect_answers_enter(build_run: Callable[..., Any]) -> None:
    builder = labelled_run(build_run, 20, 10)
    builder.label({0: "ambiguous", 19: "no_match"})
    builder.signal("token_entropy_mean", {position: float(position % 7) for position in range(20)})
    found = auroc(build(builder.score(), draws=200), "token_entropy_mean")
    assert (found.n, found.positives) == (18, 9)


def test_parts_follow_the_primary_clustering(build_run: Callable[..., Any]) -> None:
    from homogaudit.records import ClusteringMethod

    jaccard = ClusteringMethod("jaccard", "single", 0.4)
    builder = labelled_run(build_run, 24, 12)
    builder.cluster({position: (0, 0, 0) if position % 2 else (0, 1, 2) for position in range(24)})
    scores = np.random.default_rng(3).normal(size=24)
    builder.signal("token_entropy_mean", dict(enumerate(scores.tolist())))
    # A signal of the clusters is constant where they all are one.
    builder.signal("semantic_entropy_jaccard", {p: 0.0 if p % 2 else float(scores[p]) for p in range(24)})
    report = build(builder.score(jaccard), draws=200)
    signal = report.signals["token_entropy_mean"]
    incorrect, odd = np.arange(24) < 12, np.arange(24) % 2 == 1
    for part, mask in ((signal.auroc_single_cluster, odd), (signal.auroc_multi_cluster, ~odd)):
        assert isinstance(part, Auroc)
        assert part.value == pytest.approx(roc_auc_score(incorrect[mask], scores[mask]))
        assert (part.n, part.p_holm) == (12, None)
    single = report.signals["semantic_entropy_jaccard"].auroc_single_cluster
    assert isinstance(single, Auroc)
    assert (single.value, single.constant, single.low) == (0.5, True, None)


def test_a_recorded_signal_is_turned_where_the_file_says_so(build_run: Callable[..., Any]) -> None:
    builder = labelled_run(build_run, 20, 10, directions={"recorded:density": -1})
    scores = {position: float(position % 9) for position in range(20)}
    builder.signal("recorded:density", scores)
    builder.signal("mine", scores)
    report = build(builder.score(), draws=200)
    assert report.signals["recorded:density"].direction == -1
    assert report.signals["recorded:density"].boundary == "B2"
    assert report.signals["mine"].boundary == "recorded"
    assert auroc(report, "recorded:density").value == pytest.approx(1 - auroc(report, "mine").value)
    assert isinstance(report.signals["mine"].cost.seconds_per_question, Undefined)


def test_cost_is_the_mean_of_what_was_measured(small_run: Any) -> None:
    cost = build(small_run, draws=200).signals["token_entropy_mean"].cost
    assert (cost.cost_class, cost.unit, cost.seconds_per_question, cost.tokens_per_question) == ("free", 0, 0.5, 0)


def test_a_signal_pays_for_all_that_it_is_computed_from() -> None:
    taken = [0.2, 0.3]
    resources = ResourceCosts({"samples": 2.0, "answer_embeddings": 0.5}, {"samples": 400, "answer_embeddings": 0}, 3.0)
    cost = signal_cost("sindex", taken, resources)
    # 2 s of drawing, 0.5 of embedding, 0.25 of its own; 400 tokens at 3 a million.
    assert (cost.cost_class, cost.unit, cost.seconds_per_question, cost.own_seconds_per_question) == (
        "samples",
        1,
        2.75,
        0.25,
    )
    assert (cost.tokens_per_question, cost.price_per_question) == (400, pytest.approx(0.0012))
    unmeasured = signal_cost("sindex", taken, ResourceCosts({"samples": 2.0}, {"samples": 400}, 3.0))
    assert unmeasured.seconds_per_question == Undefined("the cost of answer_embeddings was not measured")
    unpriced = signal_cost("sindex", taken, replace(resources, price=None))
    assert unpriced.price_per_question == Undefined("models.toml names no price for this model")


def test_a_strong_signal_is_recommended_with_its_held_out_auroc(build_run: Callable[..., Any]) -> None:
    generator = np.random.default_rng(7)
    builder = labelled_run(build_run, 200, 100)
    strong = generator.normal(size=200) + 1.2 * (np.arange(200) < 100)
    builder.signal("token_entropy_mean", dict(enumerate(strong.tolist())))
    builder.signal("token_entropy_max", dict(enumerate(generator.normal(size=200).tolist())))
    report = build(builder.score(), draws=500)
    assert report.verdict.signal == "token_entropy_mean"
    held_out, whole = report.verdict.signal_auroc, auroc(report, "token_entropy_mean")
    assert isinstance(held_out, Estimate)
    # Always the same signal is chosen, so the held-out mean is near the AUROC of the whole, and so is its interval.
    assert held_out.value == pytest.approx(whole.value, abs=0.02)
    assert held_out.low == pytest.approx(whole.delong_low, abs=0.03)
    assert held_out.high == pytest.approx(whole.delong_high, abs=0.03)


def test_a_choice_among_many_that_fails_on_held_out_questions_is_not_recommended(
    build_run: Callable[..., Any],
) -> None:
    builder = labelled_run(build_run, 20, 10)
    # Nine of each class cannot fill five folds with two of each.
    builder.label({0: "ambiguous", 19: "ambiguous"})
    builder.signal("token_entropy_mean", {position: float(position < 10) + position / 100 for position in range(20)})
    report = build(builder.score(), draws=200)
    assert report.verdict.signal is None
    assert report.verdict.signal_auroc == Undefined("a held-out AUROC needs 10 answers of each class")


def test_the_same_seed_gives_the_same_report(small_run: Any) -> None:
    assert build(small_run, draws=200) == build(small_run, draws=200)


def test_an_interval_over_categories_is_shown_where_it_is_much_wider(build_run: Callable[..., Any]) -> None:
    from homogaudit.records import Question

    generator = np.random.default_rng(5)
    questions = [Question(f"q{number}", f"Question {number}?", category=f"c{number // 12}") for number in range(120)]
    builder = build_run(questions)
    incorrect = (np.arange(120) // 12) % 2 == 0
    # Label and score are those of the category: ten draws of the world and not 120.
    scores = np.repeat(generator.normal(size=10), 12) + 0.01 * generator.normal(size=120)
    for position in range(120):
        builder.draw(position, ["a", "b", "c"])
    builder.label({position: "incorrect" if incorrect[position] else "correct" for position in range(120)})
    builder.signal("token_entropy_mean", dict(enumerate(scores.tolist())))
    found = auroc(build(builder.score(), draws=500), "token_entropy_mean")
    assert found.by_category is not None and found.low is not None and found.high is not None
    assert found.by_category.high - found.by_category.low > 1.25 * (found.high - found.low)
