import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from homogaudit.records import ClusteringMethod, GenerationState, Question
from homogaudit.report.build import build
from homogaudit.report.records import Estimate, Report, Undefined
from homogaudit.statistics import Rate
from homogaudit.store.run_file import RunFile

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, "tiny#1a2b3c4d")


def figures(report: Report, name: str = "jaccard") -> Any:
    return report.homogenization.methods[name]


def counts(rate: Any) -> tuple[int, int]:
    assert isinstance(rate, Rate)
    return rate.k, rate.n


def test_a_small_run_has_the_figures_of_a_hand_calculation(small_run: RunFile) -> None:
    jaccard = figures(build(small_run, draws=200))
    # D is 1 for 3 questions, 2 for 4, 3 for 5; the first six answers are wrong.
    assert counts(jaccard.scr) == (3, 12)
    assert counts(jaccard.scr_best_case) == counts(jaccard.scr_worst_case) == (3, 12)
    assert counts(jaccard.wrong_in_single_cluster) == (3, 6)
    assert jaccard.mean_clusters.value == pytest.approx((3 * 1 + 4 * 2 + 5 * 3) / 12)
    assert jaccard.mean_alignment_tax.value == pytest.approx(1 - 26 / 36)
    # SE is 0, then -(2/3 ln 2/3 + 1/3 ln 1/3), then ln 3.
    two = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert jaccard.mean_semantic_entropy.value == pytest.approx((4 * two + 5 * math.log(3)) / 12)
    assert [(x.clusters, x.questions) for x in jaccard.histogram] == [(1, 3), (2, 4), (3, 5)]
    # Wilson for 3 of 12, from the closed form with z = 1.959964.
    assert (jaccard.scr.low, jaccard.scr.high) == pytest.approx((0.088937, 0.532309), abs=1e-5)


def test_the_embedding_clustering_is_primary_wherever_it_stands(small_run: RunFile) -> None:
    report = build(small_run, draws=200)
    assert report.homogenization.primary == "embedding"
    assert counts(figures(report, "embedding").scr) == (0, 12)


def test_semantic_entropy_is_exactly_zero_where_all_samples_are_one_cluster(build_run: Callable[..., Any]) -> None:
    builder = build_run(3)
    for position in range(3):
        builder.draw(position, ["same words", "same words", "same words"])
    builder.cluster(dict.fromkeys(range(3), (0, 0, 0)))
    entropy = figures(build(builder.score(JACCARD), draws=100)).mean_semantic_entropy
    assert entropy == Estimate(0.0, None, None, 3)
    assert math.copysign(1.0, entropy.value) == 1.0


def test_a_question_short_of_samples_counts_only_where_it_is_known_not_to_be_single(
    build_run: Callable[..., Any],
) -> None:
    builder = build_run(5)
    builder.draw(0, ["a", "b", "c"])
    builder.draw(1, ["a", "a", ""])  # one cluster if the third had joined
    builder.draw(2, ["a", "b", ""])  # two clusters in any case
    builder.draw(3, ["a", "", ""])  # too few to cluster: one cluster at worst
    builder.draw(4, ["", "", ""], state=GenerationState.THINKING_UNCLOSED)
    builder.cluster({0: (0, 0, 0), 1: (0, 0), 2: (0, 1)})
    report = build(builder.score(JACCARD), draws=100)
    jaccard = figures(report)
    # The first and, for its two clusters, the third are known.
    assert counts(jaccard.scr) == (1, 2)
    assert counts(jaccard.scr_best_case) == (1, 5)
    assert counts(jaccard.scr_worst_case) == (4, 5)
    assert report.validity.questions_fully_valid == 1
    assert report.validity.questions_unclustered == 2
    assert jaccard.questions_missing == 0


def test_refused_questions_are_left_out_beside_the_rate_with_them(build_run: Callable[..., Any]) -> None:
    refusal = "I'm sorry, but I can't help with that."
    builder = build_run([Question(f"q{number}", "Why?", category) for number, category in enumerate("aabb")])
    builder.draw(0, [refusal] * 4, greedy=refusal)
    builder.draw(1, [refusal, refusal, "Paris", "Rome"])  # half refuse: refused
    builder.draw(2, [refusal, "Paris", "Rome", "Oslo"])
    builder.draw(3, ["Paris"] * 4)
    builder.cluster({0: (0, 0, 0, 0), 1: (0, 0, 1, 2), 2: (0, 1, 2, 3), 3: (0, 0, 0, 0)})
    run = builder.score(JACCARD)
    run.set_meta("parameters", {**run.parameters, "decoding": {"samples": 4}})
    report = build(run, draws=100)
    assert counts(figures(report).scr) == (2, 4)
    assert counts(figures(report).scr_without_refusals) == (1, 2)
    assert report.validity.refusals == 7
    assert report.validity.questions_refused == 2
    # The first and the last have one cluster, and the first is refused.
    assert counts(figures(report).refused_in_single_cluster) == (1, 2)
    found = {name: counts(x.refused_in_single_cluster) for name, x in figures(report).refused_by_category.items()}
    assert found == {"a": (1, 1), "b": (0, 1)}


def test_a_question_that_is_not_clustered_yet_is_counted_as_missing(build_run: Callable[..., Any]) -> None:
    builder = build_run(2)
    builder.draw(0, ["a", "b", "c"])
    builder.draw(1, ["a", "b", "c"])
    builder.cluster({0: (0, 1, 2)})
    jaccard = figures(build(builder.score(JACCARD), draws=100))
    assert jaccard.questions_missing == 1
    assert counts(jaccard.scr) == (0, 1)


def test_sweeps_follow_the_stored_texts_and_embeddings(build_run: Callable[..., Any]) -> None:
    builder = build_run(2)
    # Bigrams of the first three: {ab, bc, cd}, {ab, bc, ce}: Jaccard 2/4 = 0.5.
    builder.draw(0, ["a b c d", "a b c e", "a b c d"])
    builder.draw(1, ["x y z", "x y z", "u v w"])
    builder.cluster({0: (0, 0, 0), 1: (0, 0, 1)})
    builder.cluster({0: (0, 0, 0), 1: (0, 0, 1)}, EMBEDDING)
    cosine = {"a b c d": (1.0, 0.0), "a b c e": (0.8, 0.6), "x y z": (1.0, 0.0), "u v w": (0.0, 1.0)}
    builder.run.add_embeddings("tiny#1a2b3c4d", {text: np.asarray(x, dtype=np.float32) for text, x in cosine.items()})
    report = build(builder.score(JACCARD, EMBEDDING), draws=100)
    by_jaccard = {x.threshold: x.scr.k for x in figures(report).thresholds}
    assert by_jaccard == {0.1: 1, 0.2: 1, 0.3: 1, 0.4: 1, 0.5: 1, 0.6: 0}
    # The mean of the cosines 0.8 (twice) with one of 1 between the equal texts: joined at 0.8, not at 0.85.
    by_embedding = {x.threshold: x.scr.k for x in figures(report, "embedding").thresholds}
    assert (by_embedding[0.75], by_embedding[0.85]) == (1, 0)
    (only,) = figures(report).sample_sizes
    assert only.k == 3
    assert only.first_k.value == only.random_k.value == 0.5


def test_without_sweeps_there_are_none(small_run: RunFile) -> None:
    jaccard = figures(build(small_run, draws=100, sweeps=False))
    assert jaccard.thresholds == jaccard.sample_sizes == ()


def test_two_embedders_get_two_names(build_run: Callable[..., Any]) -> None:
    other = ClusteringMethod("embedding", "average", 0.85, "other#00000000")
    changed = ClusteringMethod("embedding", "average", 0.85, "tiny#ffffffff")
    builder = build_run(1)
    builder.draw(0, ["a", "b", "c"])
    builder.cluster({0: (0, 1, 2)}, EMBEDDING)
    builder.cluster({0: (0, 0, 0)}, other)
    builder.cluster({0: (0, 0, 1)}, changed)
    report = build(builder.score(EMBEDDING, other, changed), draws=100)
    methods = report.homogenization.methods
    assert [x.embedder for x in methods.values()] == ["tiny#1a2b3c4d", "other#00000000", "tiny#ffffffff"]
    # The key is named only where the plain name tells nothing apart.
    assert list(methods) == ["embedding", "embedding_other", "embedding_tiny#ffffffff"]
    assert report.run.embedder == "tiny"


def test_no_fully_valid_question_leaves_the_rate_undefined(build_run: Callable[..., Any]) -> None:
    builder = build_run(1)
    builder.draw(0, ["a", "a", ""])
    builder.cluster({0: (0, 0)})
    jaccard = figures(build(builder.score(JACCARD), draws=100))
    assert jaccard.scr == jaccard.level_rate == Undefined("no question has an answer in each of its samples")
    assert jaccard.level == "not judged"
    assert jaccard.histogram == ()


def test_the_rate_by_threshold_is_over_the_questions_of_the_rate(build_run: Callable[..., Any]) -> None:
    builder = build_run(20)
    for position in range(20):
        # The first ten are whole and single; five of the others hold two answers that share half of their bigrams, and
        # five hold one answer, which may agree with what is missing.
        short = ["a b c d", "a b c e", ""] if position < 15 else ["a b c d", "", ""]
        builder.draw(position, ["a b c d"] * 3 if position < 10 else short)
    builder.cluster({position: (0, 0, 0) if position < 10 else (0, 0) for position in range(15)})
    jaccard = figures(build(builder.score(JACCARD), draws=100))
    by_threshold = {x.threshold: counts(x.scr) for x in jaccard.thresholds}
    # At 0.5 the five may be single still; at 0.6 they are not.
    assert by_threshold == {0.1: (10, 10), 0.2: (10, 10), 0.3: (10, 10), 0.4: (10, 10), 0.5: (10, 10), 0.6: (10, 15)}
    assert by_threshold[0.4] == counts(jaccard.scr)
    # Ten of 20 at best and all of them at worst, or 15 of them at 0.6: [27.2%, 100%] and [27.2%, 91.3%].
    assert [(x.level_rate.low, x.level_rate.high) for x in jaccard.thresholds[-2:]] == [
        pytest.approx((0.271957, 1.0), abs=1e-5),
        pytest.approx((0.271957, 0.913427), abs=1e-5),
    ]
    assert [x.level for x in jaccard.thresholds] == ["severe"] * 6


def test_missed_errors_and_level_are_given_without_refusals_too(build_run: Callable[..., Any]) -> None:
    refusal = "I'm sorry, but I can't help with that."
    builder = build_run(40)
    for position in range(40):
        builder.draw(position, [refusal] * 3 if position < 20 else ["one two", "three four", "five six"])
    builder.cluster({position: (0, 0, 0) if position < 20 else (0, 1, 2) for position in range(40)})
    builder.label({position: "incorrect" if position < 30 else "correct" for position in range(40)})
    jaccard = figures(build(builder.score(JACCARD), draws=100))
    assert (counts(jaccard.wrong_in_single_cluster), counts(jaccard.wrong_without_refusals)) == ((20, 30), (0, 10))
    # 20 of 40 [33.8%, 66.2%], 0 of 20 [0, 16.8%].
    assert (jaccard.level, jaccard.level_without_refusals) == ("severe", "at most mild")
    assert jaccard.level_rate_without_refusals.high == pytest.approx(0.168433, abs=1e-5)


def test_questions_of_a_category_that_resemble_each_other_widen_the_interval(build_run: Callable[..., Any]) -> None:
    questions = [Question(f"q{n}", f"Question {n}?", category=f"category {n // 10}") for n in range(60)]
    builder = build_run(questions)
    for position in range(60):
        builder.draw(position, ["one two"] * 3 if position < 10 else ["one two", "three four", "five six"])
    builder.cluster({position: (0, 0, 0) if position < 10 else (0, 1, 2) for position in range(60)})
    jaccard = figures(build(builder.score(JACCARD), draws=100))
    assert jaccard.level_rate == jaccard.scr_by_category
    # Ten of 60 are [8.3%, 28.5%] were they independent, here one of six categories.
    assert jaccard.level_rate.low < 0.05 and jaccard.level_rate.high > 0.5
    assert (jaccard.level, jaccard.scr.k, jaccard.scr.n) == ("undecided", 10, 60)
