from collections.abc import Callable
from typing import Any

import pytest

from homogaudit.errors import UsageError
from homogaudit.records import GenerationState
from homogaudit.report.build import build
from homogaudit.report.records import Report, Undefined

LONG = " ".join(f"word{number}" for number in range(25))


def warned(report: Report, words: str) -> bool:
    return any(words in warning for warning in report.validity.warnings)


def test_every_kind_of_draw_is_counted_apart(build_run: Callable[..., Any]) -> None:
    builder = build_run(4)
    builder.draw(0, ["a", "b", "c"], finish_reason="length")
    builder.draw(1, ["a", "b", ""])
    builder.draw(2, ["a", "", ""], state=GenerationState.THINKING_UNCLOSED)
    builder.draw(3, ["", "", ""], greedy="", state=GenerationState.ERROR)
    validity = build(builder.score(), draws=100).validity
    assert (validity.samples, validity.samples_valid) == (12, 6)
    assert (validity.empty, validity.thinking_unclosed, validity.errors) == (1, 2, 3)
    assert validity.truncated == 3
    assert validity.greedy is not None
    assert (validity.greedy.drawn, validity.greedy.valid, validity.greedy.truncated) == (4, 3, 1)
    assert "6 of 12 samples hold no answer (1 empty, 2 never left their thinking, 3 failed)" in validity.warnings
    # The greedy answer of the last question failed too; a failed draw holds the reason as its text.
    assert "4 of 16 draws failed because of `<think>no end`" in validity.warnings
    assert any("3 of 12 samples were cut at 100 tokens" in warning for warning in validity.warnings)


def test_what_was_not_recorded_is_not_zero(build_run: Callable[..., Any]) -> None:
    builder = build_run(1)
    builder.draw(0, ["a", "b", "c"], finish_reason=None)
    assert isinstance(build(builder.score(), draws=100).validity.truncated, Undefined)


def test_an_unfinished_question_enters_nothing(build_run: Callable[..., Any]) -> None:
    builder = build_run(4)
    builder.draw(0, ["a", "b", "c"])
    builder.draw(1, ["a", "b"])  # a sample is missing
    builder.draw(2, ["a", "b", "c"], greedy=None)  # the greedy answer is missing
    report = build(builder.score(finish=False), draws=100)
    assert (report.validity.questions_drawn, report.validity.questions_unfinished) == (1, 3)
    assert report.validity.questions_scored == 0
    assert report.validity.samples == 3
    assert report.run.status == "started"
    assert warned(report, "3 of 4 questions are unfinished and enter nothing")


def test_without_any_greedy_answer_an_unfinished_run_has_no_scored_question(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"], greedy=None)
    assert build(builder.run, draws=100).validity.questions_scored == 0


def test_recorded_generations_need_no_greedy_answer_and_are_as_many_as_they_are(
    build_run: Callable[..., Any],
) -> None:
    # The header speaks of five samples and of greedy answers; the file holds three and none.
    builder = build_run(2, samples=5, recorded=True)
    builder.draw(0, ["a", "b", "c"], greedy=None)
    builder.draw(1, ["a", "b"], greedy=None)
    report = build(builder.score(), draws=100)
    assert report.run.samples == builder.run.expected_samples() == 3
    assert (report.validity.questions_scored, report.validity.questions_unfinished) == (1, 1)


def test_a_recorded_label_counts_without_the_answer_that_it_was_given_to(build_run: Callable[..., Any]) -> None:
    builder = build_run(13, recorded=True)
    builder.label({position: "incorrect" if position < 5 else "correct" for position in range(12)}, judge="recorded")
    builder.signal("margin", {position: -float(position) for position in range(13)})
    report = build(builder.score(judge="recorded"), draws=100)
    # The last question has a value and no label, so that nothing is known of an answer to it.
    assert (report.validity.questions_scored, report.validity.questions_unfinished) == (12, 1)
    assert (report.labels.correct, report.labels.incorrect) == (7, 5)
    auroc = report.signals["margin"].auroc
    assert not isinstance(auroc, Undefined)
    # Every wrong answer has a higher value than every right one.
    assert (auroc.value, auroc.n, auroc.positives) == (1.0, 12, 5)
    assert "Homogenization is not judged: the run holds labels without answers." in report.verdict.sentences


def test_a_label_of_another_judge_does_not_replace_an_answer(build_run: Callable[..., Any]) -> None:
    builder = build_run(12, recorded=True)
    builder.label(dict.fromkeys(range(12), "correct"), judge="exact")
    assert build(builder.score(), draws=100).validity.questions_scored == 0


@pytest.mark.parametrize(
    ("recorded", "hint"), [(False, "run the same command again"), (True, "run `homogaudit score RUN`")]
)
def test_an_unscored_run_says_what_scores_it(build_run: Callable[..., Any], recorded: bool, hint: str) -> None:
    builder = build_run(1, recorded=recorded)
    builder.draw(0, ["a", "b", "c"])
    report = build(builder.run, draws=100)
    assert warned(report, f"1 of 1 drawn questions are not scored: {hint} to score them")
    assert (report.validity.questions_drawn, report.validity.questions_scored) == (1, 0)


def test_a_run_that_was_scored_in_part_counts_what_is_scored(build_run: Callable[..., Any]) -> None:
    builder = build_run(3)
    for position in range(3):
        builder.draw(position, ["a", "b", "c"])
    builder.run.mark_scored("q1", builder.score(finish=False).scoring.key)
    report = build(builder.run, draws=100)
    assert (report.validity.questions_drawn, report.validity.questions_scored) == (3, 1)
    assert warned(report, "2 of 3 drawn questions are not scored")
    assert report.run.state == "drawn"
    builder.run.mark_scored("q0", "another scoring")
    builder.run.mark_scored("q2", builder.run.scoring.key)
    assert build(builder.run, draws=100).validity.questions_scored == 2


def test_a_run_killed_before_scoring_gives_what_there_is(build_run: Callable[..., Any]) -> None:
    builder = build_run(2)
    builder.draw(0, ["a", "b", "c"])
    report = build(builder.run, draws=100)
    assert report.homogenization.primary is None
    assert report.labels.judge is None
    assert report.signals == {}
    assert report.verdict.level == "not judged"


def test_a_run_with_nothing_drawn_has_a_report(build_run: Callable[..., Any]) -> None:
    report = build(build_run(2).run, draws=100)
    assert report.validity.questions_scored == 0
    assert report.verdict.level == "not judged"


def test_improbable_repeats_are_counted_as_duplicates(build_run: Callable[..., Any]) -> None:
    builder = build_run(3)
    # Three pairs times exp(-40) is far below 1e-6; two of three draws repeat the first.
    builder.draw(0, ["same words"] * 3, logprob=-40.0)
    # exp(-2) a pair is chance.
    builder.draw(1, ["short"] * 3, logprob=-2.0)
    builder.draw(2, ["a", "b", "c"], logprob=-40.0)
    report = build(builder.score(), draws=100)
    assert report.validity.duplicated == 2
    assert warned(report, "2 of 9 samples repeat an earlier one")


def test_chance_is_not_known_for_tempered_draws(build_run: Callable[..., Any]) -> None:
    builder = build_run(1, temperature=0.3)
    builder.draw(0, ["same words"] * 3, logprob=-40.0)
    assert isinstance(build(builder.score(), draws=100).validity.duplicated, Undefined)


def test_long_equal_answers_everywhere_are_duplicates_without_log_probabilities(
    build_run: Callable[..., Any],
) -> None:
    builder = build_run(10)
    for position in range(10):
        builder.draw(position, [f"{LONG} {position}"] * 3)
    report = build(builder.score(), draws=100)
    assert report.validity.duplicated == 20
    # 30 samples, 20 of them copies: fewer than half are answers of their own.
    assert report.verdict.level == "invalid"


def test_one_question_answered_alike_is_no_duplicate(build_run: Callable[..., Any]) -> None:
    builder = build_run(10)
    builder.draw(0, [LONG] * 3)
    for position in range(1, 10):
        builder.draw(position, ["a", "b", "c"])
    assert build(builder.score(), draws=100).validity.duplicated == 0


def test_short_equal_answers_are_agreement_and_no_duplicates(build_run: Callable[..., Any]) -> None:
    builder = build_run(10)
    for position in range(10):
        builder.draw(position, ["Paris"] * 3)
    assert build(builder.score(), draws=100).validity.duplicated == 0


def test_a_language_without_spaces_is_named(build_run: Callable[..., Any]) -> None:
    builder = build_run(2)
    builder.draw(0, ["\u5df4\u9ece\u662f\u6cd5\u56fd\u7684\u9996\u90fd"] * 3)
    builder.draw(1, ["Paris is the capital"] * 3)
    report = build(builder.score(), draws=100)
    assert report.validity.questions_without_word_spaces == 1
    assert warned(report, "1 of 2 questions are answered in a script without spaces")


@pytest.mark.parametrize(
    ("correct", "words"),
    [
        (0, "none of 20 labelled answers is correct"),
        (1, "only 1 of 20 labelled answers is correct"),
        (2, "only 2 of 20 labelled answers are correct"),
        (17, "only 3 of 20 labelled answers are incorrect"),
        (20, "none of 20 labelled answers is incorrect"),
    ],
)
def test_labels_that_carry_no_auroc_are_named(build_run: Callable[..., Any], correct: int, words: str) -> None:
    builder = build_run(20)
    for position in range(20):
        builder.draw(position, ["a", "b", "c"])
    builder.label({position: "correct" if position < correct else "incorrect" for position in range(20)})
    report = build(builder.score(), draws=100)
    assert warned(report, words)
    assert any(words in sentence.lower() for sentence in report.verdict.sentences)


def test_a_small_labelled_share_is_named(build_run: Callable[..., Any]) -> None:
    builder = build_run(30)
    for position in range(30):
        builder.draw(position, ["a", "b", "c"])
    values = {p: "correct" if p < 6 else "incorrect" if p < 12 else "no_match" for p in range(29)}
    builder.label(values)
    report = build(builder.score(), draws=100)
    assert (report.labels.correct, report.labels.incorrect, report.labels.no_match) == (6, 6, 17)
    assert report.labels.unlabelled == 1
    assert warned(report, "only 12 of 30 questions (40.0%) are labelled correct or incorrect")


def test_every_stored_judge_is_counted_and_the_one_asked_for_decides(build_run: Callable[..., Any]) -> None:
    builder = build_run(2)
    for position in range(2):
        builder.draw(position, ["a", "b", "c"])
    builder.label({0: "correct", 1: "correct"})
    builder.label({0: "incorrect", 1: "ambiguous"}, "overlap")
    run = builder.score()
    assert build(run, draws=100).labels.judge == "exact"
    labels = build(run, draws=100, judge="overlap").labels
    assert (labels.judge, labels.incorrect, labels.ambiguous) == ("overlap", 1, 1)
    assert labels.judges["exact"].correct == 2
    with pytest.raises(UsageError, match="no labels of judge `numeric`"):
        build(run, draws=100, judge="numeric")


def test_a_run_scored_without_a_judge_goes_by_no_labels(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    builder.label({position: "incorrect" if position % 2 else "correct" for position in range(12)}, "overlap")
    builder.signal("token_entropy_mean", {position: float(position) for position in range(12)})
    assert build(builder.run, draws=100).labels.judge == "overlap"
    report = build(builder.score(judge=None), draws=100)
    assert (report.labels.judge, report.labels.correct) == (None, 0)
    assert report.labels.reason == "the questions have no reference answers"
    assert report.labels.judges["overlap"].correct == 6
    assert isinstance(report.signals["token_entropy_mean"].auroc, Undefined)
    assert "Signals are not scored: the questions have no reference answers." in report.verdict.sentences
    assert build(builder.run, draws=100, judge="overlap").labels.correct == 6


def test_a_clean_run_has_no_warning(small_run: Any) -> None:
    assert build(small_run, draws=100).validity.warnings == ()


def test_the_first_questions_of_a_file_are_a_caution(build_run: Callable[..., Any]) -> None:
    builder = build_run(12)
    for position in range(12):
        builder.draw(position, ["a", "b", "c"])
    builder.run.question_cut = "the first 12 of 790 questions of the file are asked"
    (warning,) = build(builder.score(), draws=50).validity.warnings
    assert warning.startswith("the first 12 of 790 questions of the file are asked: ")
