from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from homogaudit.clustering.meaning import fitted_embedders
from homogaudit.clustering.methods import choose_methods
from homogaudit.records import ClusteringMethod
from homogaudit.report.build import build
from homogaudit.report.records import Report
from homogaudit.report.summary import summary

JACCARD = ClusteringMethod("jaccard", "single", 0.4)
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, "tiny#1a2b3c4d")


def clustered(
    build_run: Callable[..., Any], questions: int, single: int, single_by_embedding: int | None = None
) -> Report:
    """Build the report of a run in which the first `single` questions have one cluster."""
    builder = build_run(questions, samples=2)
    for position in range(questions):
        builder.draw(position, ["some words", "other words"])
    builder.cluster({position: (0, 0) if position < single else (0, 1) for position in range(questions)})
    methods = [JACCARD]
    if single_by_embedding is not None:
        shapes = {position: (0, 0) if position < single_by_embedding else (0, 1) for position in range(questions)}
        builder.cluster(shapes, EMBEDDING)
        methods.append(EMBEDDING)
    return build(builder.score(*methods), draws=100, sweeps=False)


@pytest.mark.parametrize(
    ("questions", "single", "level"),
    [
        (72, 0, "none"),
        (71, 0, "at most mild"),
        (50, 2, "at most mild"),
        (50, 10, "at least mild"),
        (200, 24, "mild"),
        (50, 25, "severe"),
        (20, 3, "undecided"),
        (9, 9, "not judged"),
    ],
)
def test_the_level_is_read_from_the_primary_clustering(
    build_run: Callable[..., Any], questions: int, single: int, level: str
) -> None:
    report = clustered(build_run, questions, single)
    assert report.verdict.level == report.homogenization.level == level


def test_a_level_of_several_bands_says_how_many_questions_would_decide(build_run: Callable[..., Any]) -> None:
    verdict = clustered(build_run, 20, 0).verdict
    assert verdict.questions_needed == 72
    assert (
        "About 72 questions would decide, with a probability of 80% if the true rate is 0%; 20 are scored."
        in verdict.sentences
    )
    assert clustered(build_run, 200, 24).verdict.questions_needed is None


def test_a_rate_that_equals_a_bound_is_never_decided(build_run: Callable[..., Any]) -> None:
    verdict = clustered(build_run, 20, 1).verdict
    assert verdict.questions_needed is None
    assert any("no practicable number of questions" in sentence for sentence in verdict.sentences)


@pytest.mark.parametrize(
    ("questions", "single", "said"),
    [
        (72, 0, "No homogenization: 0 of 72 questions"),
        (60, 18, "At least mild homogenization: 18 of 60 questions get one and the same answer (single-cluster rate "),
        (200, 24, "Mild homogenization: 24 of 200"),
        (20, 3, "Undecided: 3 of 20"),
    ],
)
def test_the_first_sentence_says_level_count_and_interval(
    build_run: Callable[..., Any], questions: int, single: int, said: str
) -> None:
    first = clustered(build_run, questions, single).verdict.sentences[0]
    assert first.startswith(said)
    ends = binomtest(single, questions).proportion_ci(0.95, method="exact")
    low, high = (f"{100 * end:.1f}%" if end else "0%" for end in (ends.low, ends.high))
    assert f"its 95% interval [{low}, {high}] " in first


def test_another_clustering_that_says_something_else_is_named(build_run: Callable[..., Any]) -> None:
    verdict = clustered(build_run, 80, 0, single_by_embedding=60).verdict
    assert verdict.level == "severe"
    assert verdict.other_levels == {"jaccard": "none"}
    assert any("`jaccard` would say none" in sentence for sentence in verdict.sentences)


def test_clusterings_that_agree_are_not_named(build_run: Callable[..., Any]) -> None:
    assert clustered(build_run, 80, 60, single_by_embedding=60).verdict.other_levels == {}


@pytest.mark.parametrize(
    ("cosine", "single_by_words", "robustness"),
    [
        # Two of three answers are the same text; the third is that similar to it, on average linkage too.
        (0.0, 0, "robust"),
        (0.8, 0, "depends on the threshold"),
        (0.0, 40, "depends on the clustering"),
        (0.8, 40, "depends on the threshold and the clustering"),
    ],
)
def test_a_level_says_what_it_depends_on(
    build_run: Callable[..., Any], cosine: float, single_by_words: int, robustness: str
) -> None:
    builder = build_run(80)
    for position in range(80):
        builder.draw(position, ["x y z", "u v w", "x y z"])
    builder.cluster({n: (0, 0, 0) if n < single_by_words else (0, 1, 0) for n in range(80)})
    builder.cluster(dict.fromkeys(range(80), (0, 1, 0)), EMBEDDING)
    vectors = {"x y z": (1.0, 0.0), "u v w": (cosine, (1 - cosine**2) ** 0.5)}
    builder.run.add_embeddings("tiny#1a2b3c4d", {x: np.asarray(y, dtype=np.float32) for x, y in vectors.items()})
    report = build(builder.score(JACCARD, EMBEDDING), draws=100)
    assert (report.verdict.level, report.verdict.robustness) == ("none", robustness)
    assert summary(report).title == f"Homogenization: none at 0.85, {robustness}"


@pytest.mark.parametrize(
    ("similarity", "robustness", "ends"),
    [
        # Labelled pairs put the threshold of 0.544 between 0.498 and 0.596.
        (0.62, "robust", "Yes: 100% at 0.498 and 100% at 0.596, between which labelled pairs put the threshold"),
        (0.58, "depends on the threshold", "No: 100% at 0.498 and 0% at 0.596, between which"),
    ],
)
def test_a_level_by_meaning_is_robust_where_it_holds_wherever_labelled_pairs_may_put_the_threshold(
    build_run: Callable[..., Any], similarity: float, robustness: str, ends: str
) -> None:
    methods = choose_methods(embedder=fitted_embedders()[0], numeric=False)
    method = next(x for x in methods if x.similarity == "meaning")
    builder = build_run(20, samples=2)
    matrix = np.asarray([[1.0, similarity], [similarity, 1.0]])
    for position in range(20):
        builder.draw(position, ["some words", "other words"])
        builder.run.add_similarities(method.embedder, f"Question {position}?", ["some words", "other words"], matrix)
    builder.cluster(dict.fromkeys(range(20), (0, 0)), method)
    report = build(builder.score(method), draws=50)
    # The curve reaches further in both cases.
    rates = {x.threshold: x.scr.value for x in report.homogenization.methods["meaning"].thresholds}
    assert (rates[0.3], rates[0.7]) == (1.0, 0.0)
    assert report.verdict.robustness == robustness
    (line,) = [x for x in summary(report).lines() if x.label == "Robust?"]
    assert line.text.startswith(ends)


def test_too_few_answers_make_the_audit_invalid(build_run: Callable[..., Any]) -> None:
    builder = build_run(20, samples=2)
    for position in range(20):
        builder.draw(position, ["a", "b"] if position < 9 else ["", ""])
    builder.cluster({position: (0, 1) for position in range(9)})
    verdict = build(builder.score(JACCARD), draws=100).verdict
    assert verdict.level == "invalid"
    assert "only 18 of 40 samples hold an answer" in verdict.sentences[0]


def test_half_of_the_answers_are_enough(build_run: Callable[..., Any]) -> None:
    builder = build_run(20, samples=2)
    for position in range(20):
        builder.draw(position, ["a", "b"] if position < 10 else ["", ""])
    builder.cluster({position: (0, 1) for position in range(10)})
    verdict = build(builder.score(JACCARD), draws=100).verdict
    # None of the ten that are known is single; each of the other ten may be: 0 of 20 to 10 of 20.
    assert (verdict.level, verdict.questions_needed) == ("undecided", None)
    assert verdict.sentences[1] == (
        "The interval covers both cases of missing answers. The single-cluster rate is 0% at best (each missing answer "
        "a cluster of its own) and 50.0% at worst (each agreeing with the others), of 20 questions."
    )


def test_a_handful_of_fully_answered_questions_gives_no_level(build_run: Callable[..., Any]) -> None:
    builder = build_run(100)
    for position in range(100):
        builder.draw(position, ["same words", "same words", "same words" if position < 3 else ""])
    builder.cluster({position: (0, 0, 0) if position < 3 else (0, 0) for position in range(100)})
    report = build(builder.score(JACCARD), draws=100)
    # 3 of 3 by itself would be severe. The other 97 may each hide a second cluster.
    assert report.verdict.level == report.homogenization.methods["jaccard"].level == "not judged"
    assert report.verdict.questions_needed is None and report.verdict.robustness is None
    reason = "only 3 of 100 scored questions have an answer in each of the samples, 10 are needed"
    assert report.verdict.level_reason == reason
    assert report.verdict.sentences[:2] == (
        f"Homogenization is not judged: {reason}.",
        "The single-cluster rate is 3.0% at best (each missing answer a cluster of its own) and 100% at worst (each "
        "agreeing with the others), of 100 questions.",
    )


def test_a_handful_of_clustered_questions_is_told_from_a_handful_of_answered_ones(
    build_run: Callable[..., Any],
) -> None:
    builder = build_run(20)
    for position in range(20):
        builder.draw(position, ["a", "b", "c"])
    builder.cluster(dict.fromkeys(range(4), (0, 0, 0)))
    verdict = build(builder.score(JACCARD), draws=100).verdict
    assert verdict.level_reason == "only 4 questions are clustered, 10 are needed"


def test_the_first_sentence_says_where_refusals_change_the_level(build_run: Callable[..., Any]) -> None:
    refusal = "I'm sorry, but I can't help with that."
    builder = build_run(40)
    for position in range(40):
        builder.draw(position, [refusal] * 3 if position < 20 else ["one two", "three four", "five six"])
    builder.cluster({position: (0, 0, 0) if position < 20 else (0, 1, 2) for position in range(40)})
    builder.label({position: "incorrect" if position < 30 else "correct" for position in range(40)})
    report = build(builder.score(JACCARD), draws=100)
    assert report.verdict.level_without_refusals == "at most mild"
    first, second = report.verdict.sentences[:2]
    assert first.startswith("Severe homogenization, at most mild without refusals: 20 of 40 questions")
    assert second == "Without refusals it is at most mild: 0 of 20 questions, 0% [0%, 16.8%]."
    assert any(
        "20 of 30 wrong answers (66.7%" in x and "without refusals 0 of 10" in x for x in report.verdict.sentences
    )
    assert summary(report).title == "Homogenization: severe at 0.4, at most mild without refusals, robust"


def test_refusals_that_change_no_level_are_not_spoken_of(build_run: Callable[..., Any]) -> None:
    verdict = clustered(build_run, 80, 60).verdict
    assert verdict.level_without_refusals is None
    assert not any("refusals" in sentence for sentence in verdict.sentences)


def test_a_constant_signal_never_comes_closest(build_run: Callable[..., Any]) -> None:
    builder = build_run(20)
    for position in range(20):
        builder.draw(position, ["a", "b", "c"])
    builder.label({position: "incorrect" if position % 2 else "correct" for position in range(20)})
    builder.signal("response_length", dict.fromkeys(range(20), 7.0))
    only_constant = build(builder.run, draws=100).verdict.sentences
    assert "No signal shown to work: every scored one is constant or inverted." in only_constant
    # Ranks alternate; the right answers are a little higher, so that 0.5 of the constant one would be the best.
    builder.signal("token_entropy_mean", {position: -float(position) for position in range(20)})
    sentences = build(builder.score(), draws=100).verdict.sentences
    assert any("`token_entropy_mean` comes closest" in sentence for sentence in sentences)


def test_an_interval_that_does_not_exist_is_said_in_words(build_run: Callable[..., Any]) -> None:
    builder = build_run(11)
    for position in range(11):
        builder.draw(position, ["a", "b", "c"])
    builder.label({position: "incorrect" if position < 6 else "correct" for position in range(11)})
    # Separated classes have no interval, and so many signals that none is shown to work: (5! 6!) / 11! = 1 / 462,
    # 0.004 by the normal approximation, times twenty.
    values = {position: float(11 - position) for position in range(11)}
    for number in range(20):
        builder.signal(f"signal_{number}", values)
    sentences = build(builder.score(), draws=100).verdict.sentences
    closest = next(sentence for sentence in sentences if "comes closest" in sentence)
    assert "AUROC 1.000 (no interval), adjusted p 0." in closest


def test_errors_that_sampling_cannot_see_are_counted(small_run: Any) -> None:
    sentences = build(small_run, draws=100).verdict.sentences
    assert any("all samples agree by `embedding`: 0 of 6 wrong answers" in sentence for sentence in sentences)


def test_the_verdict_speaks_only_of_its_questions(small_run: Any) -> None:
    last = build(small_run, draws=100).verdict.sentences[-1]
    assert last == "The figures are about the questions of `questions.jsonl`; they say nothing about others."


def test_next_to_nothing_right_is_said_in_words(build_run: Callable[..., Any]) -> None:
    builder = build_run(60, samples=2)
    for position in range(60):
        builder.draw(position, ["12", "13"])
    builder.label({position: "correct" if position < 2 else "incorrect" for position in range(60)}, "numeric")
    builder.signal("token_entropy_mean", {position: float(position) for position in range(60)})
    verdict = build(builder.score(judge="numeric"), draws=100).verdict
    assert verdict.signal is None
    assert any(sentence.startswith("2 of 60 labelled answers are correct") for sentence in verdict.sentences)
    assert any(
        "Only 2 of 60 labelled answers are correct: an AUROC needs at least 5 of each class" in x
        for x in verdict.sentences
    )


def strong_run(build_run: Callable[..., Any], *, single: int = 0, directions: dict[str, int] | None = None) -> Any:
    """Return a run of 200 questions, half of them wrong, the first `single` with one cluster each."""
    builder = build_run(200, directions=directions)
    for position in range(200):
        builder.draw(position, ["a", "b", "c"])
    builder.cluster({position: (0, 0, 0) if position < single else (0, 1, position % 3) for position in range(200)})
    builder.label({position: "incorrect" if position % 2 else "correct" for position in range(200)})
    return builder


def test_the_recommended_signal_comes_with_a_threshold_and_what_it_gives(build_run: Callable[..., Any]) -> None:
    builder = strong_run(build_run)
    # Right answers have 0 to 198, wrong ones 80 more: of the hundred lowest, those below 140 are 70 right and 30 wrong.
    builder.signal("token_entropy_mean", {p: float(p - 1 + 80 if p % 2 else p) + 0.5 * (p % 2) for p in range(200)})
    verdict = build(builder.score(JACCARD), draws=100).verdict
    assert verdict.signal == "token_entropy_mean"
    # On held-out folds thresholds move a little: about half is accepted, and as many of it right as of the hundred.
    where = verdict.answer_where
    assert where.threshold == 138.5
    assert (where.coverage, where.accuracy.value) == (pytest.approx(0.5, abs=0.02), pytest.approx(0.7, abs=0.02))
    assert where.accuracy.n == round(200 * where.coverage)
    assert any(
        sentence.startswith("Answer only where `token_entropy_mean` is at most 138.5: on held-out questions ")
        for sentence in verdict.sentences
    )


def test_the_threshold_of_a_turned_signal_is_the_recorded_value(build_run: Callable[..., Any]) -> None:
    builder = strong_run(build_run, directions={"sure": -1})
    builder.signal("sure", {p: float(p - 120 if p % 2 else p) for p in range(200)})
    verdict = build(builder.score(JACCARD), draws=100).verdict
    assert (verdict.signal, verdict.answer_where.direction) == ("sure", -1)
    assert any("Answer only where `sure` is at least" in sentence for sentence in verdict.sentences)


def test_signals_that_are_blind_constant_or_inverted_are_named(build_run: Callable[..., Any]) -> None:
    builder = strong_run(build_run, single=120)
    spread = {p: 0.0 if p < 120 else float((p * 37) % 80) for p in range(200)}
    builder.signal("semantic_entropy_jaccard", spread)
    builder.signal("response_length", dict.fromkeys(range(200), 7.0))
    builder.signal("perplexity", {p: float(p if p % 2 else p + 150) for p in range(200)})
    verdict = build(builder.score(JACCARD), draws=100).verdict
    assert verdict.level == "severe"
    assert verdict.not_to_trust == {
        "semantic_entropy_jaccard": "blind",
        "response_length": "constant",
        "perplexity": "inverted",
    }
    text = " ".join(verdict.sentences)
    assert "`semantic_entropy_jaccard`; blind on 120 of 200 questions, whose samples form one cluster." in text
    assert "Constant, never recommended: `response_length`" in text
    assert "Inverted, never recommended: `perplexity` (higher where the answer is right)." in text


def test_sampling_is_not_called_blind_where_there_is_no_homogenization(build_run: Callable[..., Any]) -> None:
    builder = strong_run(build_run, single=2)
    builder.signal("semantic_entropy_jaccard", {p: float((p * 37) % 80) for p in range(200)})
    assert build(builder.score(JACCARD), draws=100).verdict.not_to_trust == {}
