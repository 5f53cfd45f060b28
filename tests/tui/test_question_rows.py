"""Rows of the question list: read from a run file, filtered, sorted."""

import math
from collections.abc import Callable

import pytest

from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
    SignalValue,
)
from homogaudit.report.question_rows import question_rows
from homogaudit.report.run_data import read_run
from homogaudit.store import RunFile, Scoring
from homogaudit.store.rate_only import FirstLook, RateOnly
from homogaudit.tui.question_rows import (
    Column,
    Filter,
    QuestionRow,
    Sort,
    categories,
    changed_positions,
    read_rows,
    row_source,
    select,
)
from homogaudit.tui.question_view import load_question

METHOD = ClusteringMethod("jaccard", "single", 0.4)
QUESTIONS = [
    Question("a", "Do bats see?", "animals"),
    Question("b", "Is glass a liquid?", "physics"),
    Question("c", "Ärgert Rot den Stier?\x1b[31m", "animals"),
    Question("d", "Who was taller?"),
    Question("e", "What is left?"),
]


def load_rows(run: RunFile) -> tuple[QuestionRow, ...]:
    return read_rows(run, row_source(run))


def draw(run: RunFile, question: str, samples: int, greedy: bool = True, empty: int = 0) -> None:
    for index in range(GREEDY if greedy else 0, samples):
        state = GenerationState.EMPTY if 0 <= index < empty else GenerationState.VALID
        answer = "" if state is GenerationState.EMPTY else "an answer"
        run.add_generation(Generation(question, index, "an answer", answer, state))


@pytest.fixture
def run(make_run: Callable[..., RunFile]) -> RunFile:
    run = make_run(QUESTIONS, decoding={"samples": 3, "greedy_max_tokens": 9})
    for question in "abc":
        draw(run, question, 3, empty=question == "c")
    draw(run, "d", 1)
    shapes = {"a": (0, 0, 0), "b": (0, 1, 1), "c": (0, 0)}
    run.add_clusterings(Clustering(question, METHOD, shape) for question, shape in shapes.items())
    run.add_labels([Label("a", "exact", LabelValue.INCORRECT), Label("b", "exact", LabelValue.CORRECT)])
    run.add_signals([SignalValue("a", "token_entropy_mean", 0.5), SignalValue("b", "token_entropy_mean", None, "no")])
    run.scoring = Scoring(judge="exact", methods=(METHOD,))
    for question in "abc":
        run.mark_scored(question, run.scoring.key)
    return run


def test_a_question_that_has_stopped_is_told_and_has_no_entropy(make_run: Callable[..., RunFile]) -> None:
    rule = RateOnly(0.2, seed=1)
    run = make_run(QUESTIONS, decoding={"samples": 5, "greedy_max_tokens": 9}, rate_only=rule.as_parameter())
    stopped = next(x.id for x in QUESTIONS if x.id not in rule.audited(y.id for y in QUESTIONS))
    draw(run, stopped, 3)
    run.add_first_look(stopped, FirstLook(is_apart=True, stops=True))
    run.add_clusterings([Clustering(stopped, METHOD, (0, 1, 1))])
    run.scoring = Scoring(judge=None, methods=(METHOD,))
    run.mark_scored(stopped, run.scoring.key)
    row = next(row for row in load_rows(run) if row.id == stopped)
    assert (row.state, row.result, row.is_stopped) == ("scored", "stopped", True)
    assert (row.sizes, row.entropy, row.is_single) == ((1, 2), None, False)
    assert load_question(run, stopped).is_stopped
    # Once it is to be drawn to the end it waits for its other answers.
    run.continued = True
    row = next(row for row in load_rows(run) if row.id == stopped)
    assert (row.result, row.is_stopped) == ("unfinished", False)
    assert not load_question(run, stopped).is_stopped


def ids(rows: tuple[QuestionRow, ...], positions: list[int]) -> str:
    return "".join(rows[position].id for position in positions)


def test_a_row_holds_what_is_stored_of_its_question(run: RunFile) -> None:
    first, second, *_ = load_rows(run)
    assert (first.clusters, first.entropy, first.label, first.signal) == (1, 0.0, LabelValue.INCORRECT, 0.5)
    assert first.is_single
    assert second.sizes == (1, 2)
    # Hand calculation: shares 1/3 and 2/3.
    assert second.entropy == pytest.approx(-(math.log(1 / 3) / 3 + 2 * math.log(2 / 3) / 3))
    assert second.signal is None


def test_a_question_without_an_answer_in_each_sample_is_not_counted_as_one_cluster(run: RunFile) -> None:
    third = load_rows(run)[2]
    assert third.clusters == 1
    assert not third.is_single


def test_states_tell_how_far_a_question_is(run: RunFile) -> None:
    draw(run, "e", 3)
    assert [row.state for row in load_rows(run)] == ["scored", "scored", "scored", "unfinished", "drawn"]


def test_a_question_without_draws_waits(run: RunFile) -> None:
    row = load_rows(run)[4]
    assert (row.state, row.result, row.clusters, row.entropy) == ("waiting", "waiting", None, None)


def test_text_of_others_loses_its_escapes(run: RunFile) -> None:
    assert load_rows(run)[2].text == "Ärgert Rot den Stier?"


def test_a_search_finds_all_its_words_in_any_case(run: RunFile) -> None:
    rows = load_rows(run)
    assert ids(rows, select(rows, Filter(text="STIER ärgert"))) == "c"
    assert ids(rows, select(rows, Filter(text="animals"))) == "ac"
    assert select(rows, Filter(text="stier bats")) == []


def test_filters_hold_together(run: RunFile) -> None:
    rows = load_rows(run)
    assert ids(rows, select(rows, Filter.by("one_cluster"))) == "a"
    assert ids(rows, select(rows, Filter.by("wrong"))) == "a"
    assert ids(rows, select(rows, Filter.by("unfinished"))) == "de"
    assert ids(rows, select(rows, Filter(category="animals"))) == "ac"
    assert select(rows, Filter(frozenset({"one_cluster"}), category="physics")) == []


def test_rows_without_a_value_come_last_in_both_directions(run: RunFile) -> None:
    rows = load_rows(run)
    assert ids(rows, select(rows, order=Sort(Column.ENTROPY))) == "acbde"
    assert ids(rows, select(rows, order=Sort(Column.ENTROPY, descending=True))) == "bacde"
    assert ids(rows, select(rows, order=Sort(Column.SIGNAL, descending=True))) == "abcde"


def test_sorting_by_result_puts_wrong_answers_first(run: RunFile) -> None:
    rows = load_rows(run)
    assert ids(rows, select(rows, order=Sort(Column.RESULT))) == "abcde"
    assert ids(rows, select(rows, order=Sort(Column.POSITION, descending=True))) == "edcba"


def test_only_what_changed_is_read_again(run: RunFile) -> None:
    source = row_source(run)
    rows = load_rows(run)
    assert changed_positions(run, rows) == []
    draw(run, "e", 1)
    assert changed_positions(run, rows) == [4]
    (changed,) = read_rows(run, source, [4])
    assert (changed.id, changed.state) == ("e", "unfinished")


def test_a_scoring_is_a_change(run: RunFile) -> None:
    rows = load_rows(run)
    run.mark_scored("b", "later")
    assert changed_positions(run, rows) == [1]


@pytest.mark.parametrize("name", ["one_cluster", "wrong", "missed", "unlabelled"])
def test_a_filter_of_the_report_shows_the_questions_that_the_report_means(run: RunFile, name: str) -> None:
    meant = [row.position for row in question_rows(read_run(run)).where(name)]
    assert select(load_rows(run), Filter.by(name)) == meant
    assert meant


def test_categories_are_counted(run: RunFile) -> None:
    assert categories(load_rows(run)) == {"animals": 2, "physics": 1}
