"""The rows of a run against figures of its report and against cases made by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from homogaudit.errors import UsageError
from homogaudit.records import ClusteringMethod, GenerationState, Label, LabelValue, Question
from homogaudit.report.build import build
from homogaudit.report.question_rows import FILTERS, CommonAnswer, Questions, question_rows
from homogaudit.report.records import Undefined
from homogaudit.report.run_data import read_run
from homogaudit.statistics import Rate
from homogaudit.store import RunFile


def rows_of(run: RunFile, judge: str | None = None) -> Questions:
    return question_rows(read_run(run), judge)


@pytest.fixture
def mixed(build_run: Callable[..., Any]) -> RunFile:
    """Six questions: one cluster and wrong, one cluster and right, two clusters, a failed sample, cut, unfinished."""
    questions = [Question(f"q{n}", f"Question {n}?", "odd" if n % 2 else "even", ("yes",)) for n in range(6)]
    builder = build_run(questions)
    builder.draw(0, ["No.", "no", "No."])
    builder.draw(1, ["a", "b", "c"])
    builder.draw(2, ["x", "y", "y"])
    builder.draw(3, ["x", "", "x"], state=GenerationState.ERROR)
    builder.draw(4, ["I cannot help with that", "I can't answer", "cut"], finish_reason="length")
    builder.draw(5, ["only"], greedy=None)
    builder.cluster({0: (0, 0, 0), 1: (0, 0, 0), 2: (0, 1, 1), 3: (0, 0), 4: (0, 0, 1)})
    builder.label({0: "incorrect", 1: "correct", 2: "incorrect", 3: "incorrect", 4: "no_match"})
    builder.signal("token_entropy_mean", {0: 0.25, 2: float("inf")})
    return builder.score(ClusteringMethod("jaccard", "single", 0.4))


def test_a_row_a_question_says_what_it_enters_and_why_not(mixed: RunFile):
    rows = rows_of(mixed)
    assert [row.id for row in rows] == ["q0", "q1", "q2", "q3", "q4", "q5"]
    assert [row.outside for row in rows] == [
        "",
        "",
        "",
        "1 of 3 samples hold no answer",
        "",
        "unfinished: 1 of 3 samples are drawn",
    ]
    assert [row.is_drawn for row in rows] == [True] * 5 + [False]
    assert [dict(row.clusters) for row in rows] == [{"jaccard": n} for n in (1, 1, 2, 1, 2)] + [{}]
    assert rows[3].clusters_of_samples() == (0, None, 0)
    assert rows[5].clusters_of_samples("jaccard") == (None,)


def test_a_question_whose_greedy_answer_alone_is_missing_is_unfinished(build_run: Callable[..., Any]):
    builder = build_run(1)
    builder.draw(0, ["a", "b", "c"], greedy=None)
    assert rows_of(builder.score(finish=False))[0].outside == "unfinished: no greedy answer"


def test_a_drawn_question_without_clusters_and_a_run_without_samples_say_so(build_run: Callable[..., Any]):
    builder = build_run(1)
    builder.draw(0, ["a", "b", "c"])
    assert rows_of(builder.run)[0].outside == "not clustered yet"
    greedy = build_run(1, samples=0, recorded=True)
    greedy.draw(0, [])
    assert rows_of(greedy.run)[0].outside == "the run holds no samples"


def test_each_filter_keeps_the_questions_that_it_names(mixed: RunFile):
    rows = rows_of(mixed)
    kept = {name: [row.id for row in rows.where(name)] for name in FILTERS}
    assert kept == {
        "one_cluster": ["q0", "q1"],
        "wrong": ["q0", "q2", "q3"],
        "missed": ["q0"],
        "unlabelled": ["q4"],
        "cut": ["q4"],
        "refused": ["q4"],
        "stopped": [],
    }
    assert [row.id for row in rows.where("wrong", category="odd")] == ["q3"]
    assert rows.categories == {"even": 3, "odd": 3}


def test_filters_count_what_the_report_counts(small_run: RunFile):
    report, rows = build(small_run, sweeps=False), rows_of(small_run)
    figures = report.homogenization.methods[str(report.homogenization.primary)]
    assert isinstance(figures.scr, Rate)
    assert len(rows.where("one_cluster")) == figures.scr.k
    assert sum(not row.outside for row in rows) == figures.scr.n
    assert len(rows.where("wrong")) == report.labels.incorrect
    assert not isinstance(figures.wrong_in_single_cluster, Undefined)
    assert len(rows.where("missed")) == figures.wrong_in_single_cluster.k
    assert sum(row.is_refused for row in rows) == report.validity.questions_refused


def test_filters_count_what_the_report_of_recorded_samples_counts(minimax: Callable[..., RunFile]):
    run = minimax(keep_thinking=True)
    report, rows = build(run, sweeps=False), rows_of(run)
    scr = report.homogenization.methods["jaccard"].scr
    assert isinstance(scr, Rate)
    assert (sum(not row.outside for row in rows), len(rows.where("one_cluster"))) == (scr.n, scr.k)
    assert (len(rows), len(rows.where("refused"))) == (scr.n, report.validity.questions_refused)


def test_recorded_answers_cut_within_their_thoughts_enter_no_rate(minimax: Callable[..., RunFile]):
    run = minimax(keep_thinking=False)
    validity, rows = build(run, sweeps=False).validity, rows_of(run)
    missing = [int(row.outside.split(" of 10 samples hold no answer")[0]) for row in rows]
    assert sum(missing) == validity.samples - validity.samples_valid
    assert not rows.where("one_cluster")


def test_filters_count_what_the_report_of_recorded_greedy_answers_counts(qwen_run: RunFile):
    report, rows = build(qwen_run, sweeps=False), rows_of(qwen_run)
    labels = report.labels
    assert (len(rows), len(rows.where("wrong"))) == (report.validity.questions, labels.incorrect)
    assert len(rows.where("unlabelled")) == len(rows) - labels.correct - labels.incorrect
    assert len(rows.where("one_cluster")) == 0
    assert {row.outside for row in rows} == {"the run holds no samples"}


def test_the_common_answer_is_the_largest_clusters_most_frequent_wording(mixed: RunFile):
    rows = rows_of(mixed)
    # "No." twice and "no" once in one cluster of three; "x" alone against "y" twice.
    assert rows[0].common_answer == CommonAnswer("No.", 3)
    assert rows[2].common_answer == CommonAnswer("y", 2)
    # Nothing of the sixth question is clustered: equal texts count.
    assert rows[5].common_answer == CommonAnswer("only", 1)


def test_a_question_without_a_valid_sample_has_no_common_answer(build_run: Callable[..., Any]):
    builder = build_run(1)
    builder.draw(0, ["", "", ""])
    assert rows_of(builder.score())[0].common_answer is None


def test_cut_samples_are_unknown_without_finish_reasons(build_run: Callable[..., Any]):
    builder = build_run(2)
    builder.draw(0, ["a", "b", "c"], finish_reason=None)
    builder.draw(1, ["a", "b", ""], finish_reason="length")
    rows = rows_of(builder.score())
    assert [row.cut_samples for row in rows] == [None, 2]


def test_signals_are_as_stored_and_a_number_that_is_none_is_left_out(mixed: RunFile):
    rows = rows_of(mixed)
    assert [row.signals["token_entropy_mean"] for row in rows] == [0.25, None, None, None, None, None]


def test_signals_where_lower_is_more_uncertain_keep_their_values_and_are_named(build_run: Callable[..., Any]):
    builder = build_run(1, recorded=True, directions={"recorded:density": -1})
    builder.draw(0, ["a", "a", "a"])
    builder.signal("recorded:density", {0: 0.75})
    rows = rows_of(builder.run)
    assert rows[0].signals == {"recorded:density": 0.75}
    assert rows.directions == {"recorded:density": -1}


def test_another_judge_brings_its_labels_and_an_unknown_one_is_refused(mixed: RunFile):
    mixed.add_labels([Label("q0", "recorded", LabelValue.CORRECT)])
    assert [row.id for row in rows_of(mixed, "recorded").where("wrong")] == []
    with pytest.raises(UsageError, match="no labels of judge `nobody`"):
        rows_of(mixed, "nobody")


def test_filters_and_categories_that_do_not_exist_are_refused_with_what_there_is(mixed: RunFile):
    rows = rows_of(mixed)
    with pytest.raises(UsageError, match="unknown filter `wrnog`") as filtered:
        rows.where("wrnog")
    assert filtered.value.hint == "did you mean `wrong`?"
    with pytest.raises(UsageError, match="no question has the category `Z`") as unknown:
        rows.where(category="Z")
    assert unknown.value.hint == "categories: `even`, `odd`"


def test_questions_are_a_sequence_that_keeps_what_it_knows_of_the_run(mixed: RunFile):
    rows = rows_of(mixed)
    assert (len(rows), len(rows[1:3]), rows[-1].id) == (6, 2, "q5")
    assert isinstance(rows[1:3], Questions)
    assert (rows[:0].primary, rows[:0].judge, rows[:0].clusterings) == ("jaccard", "exact", ("jaccard",))
