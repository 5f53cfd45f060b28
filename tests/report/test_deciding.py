"""A run that stops once it is decided: what is counted while it goes on, and what its report says."""

import io
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from homogaudit.comparison.pairing import pair_runs
from homogaudit.errors import UsageError
from homogaudit.events import QuestionScored
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import Interval, Prompting
from homogaudit.report.build import build
from homogaudit.report.deciding import DecisionCounter, deciding_text
from homogaudit.report.gates import Gates, judge_gates
from homogaudit.report.headline import headline
from homogaudit.report.layout import sections
from homogaudit.report.level import LEVEL_STARTS, MILD, SEVERE, bound_starts
from homogaudit.report.model_card import to_model_card
from homogaudit.report.records import Rate, Report, Undefined
from homogaudit.report.run_data import read_run
from homogaudit.report.section import Line
from homogaudit.report.summary import summary
from homogaudit.statistics.decision_sequence import confidence_sequence
from homogaudit.store import RunFile, RunState
from homogaudit.store.recorded import export_run, read_recorded, write_run
from homogaudit.store.until_decided import UntilDecided

from .conftest import JACCARD, RunBuilder

RULE = {"max_scr": None, "seed": 0}
ONE, TWO = (0, 0, 0), (0, 0, 1)


def scored(position: int, clusters: int | None, valid: int = 3) -> QuestionScored:
    found = {} if clusters is None else {"jaccard": clusters}
    return QuestionScored(f"q{position}", position, found, valid, 3, None)


def counted(rule: UntilDecided, events: Sequence[QuestionScored], questions: int = 100) -> DecisionCounter:
    counter = DecisionCounter(rule, questions)
    for event in events:
        counter.take(event)
    return counter


def test_the_bands_begin_where_the_levels_do():
    # 5% is mild and 20% is not severe yet; a bound is kept by what equals it.
    assert LEVEL_STARTS[0] == MILD
    assert math.nextafter(LEVEL_STARTS[1], 0.0) == SEVERE
    assert math.nextafter(bound_starts(0.1)[0], 0.0) == 0.1


def test_questions_count_in_their_order_and_wait_for_the_first_that_is_missing():
    counter = counted(UntilDecided(), [scored(1, 2), scored(2, 1), scored(4, 1)])
    assert counter.questions == 0
    counter.take(scored(0, 2))
    assert counter.questions == 3
    assert counter.told().left == ("none", "mild", "severe")


def test_no_level_is_decided_by_fewer_than_ten_questions_with_all_their_answers():
    counter = counted(UntilDecided(), [scored(x, 1) for x in range(9)])
    # Nine of nine is far above 20%, but no level is given yet.
    assert counter.left == ("severe",)
    assert not counter.is_decided
    counter.take(scored(9, 1, valid=2))
    assert not counter.is_decided
    counter.take(scored(10, 1))
    assert counter.is_decided


def test_a_question_that_is_not_known_counts_against_either_side():
    # Each may have one cluster or several: neither a low rate nor a high one is ever shown.
    counter = counted(UntilDecided(max_scr=0.5), [scored(x, 1, valid=2) for x in range(90)])
    assert counter.left == ("at most 50.0%", "above 50.0%")
    # Two clusters among the answers that are there are two whatever the others would say.
    assert counted(UntilDecided(max_scr=0.5), [scored(x, 2, valid=2) for x in range(90)]).left == ("at most 50.0%",)
    assert counted(UntilDecided(max_scr=0.5), [scored(x, None, valid=1) for x in range(90)]).left == counter.left


def test_a_question_that_is_scored_again_in_another_way_is_counted_anew():
    counter = counted(UntilDecided(), [scored(x, 1) for x in range(8)])
    for x in range(8):
        counter.take(scored(x, 2))
    fresh = counted(UntilDecided(), [scored(x, 2) for x in range(8)])
    assert counter.told() == fresh.told()


def test_it_is_told_early_that_no_verdict_is_to_be_expected():
    # One in twenty has one cluster: on the edge of two bands.
    edge = counted(UntilDecided(), [scored(x, 1 if x % 20 == 0 else 2) for x in range(100)], questions=160).told()
    assert edge.outlook is not None and edge.outlook.chance < 0.05
    assert "; no verdict to be expected: " in deciding_text(edge)
    # With more questions left a verdict may come after all.
    more = counted(UntilDecided(), [scored(x, 1 if x % 20 == 0 else 2) for x in range(100)], questions=2000).told()
    assert more.outlook is not None and more.outlook.chance > 0.3
    assert "no verdict" not in deciding_text(more)
    fewest = float(f"{more.outlook.fewest:.2g}")
    assert f"; {more.outlook.chance:.0%} likely in the other 1,900, needs about {fewest:g} to " in deciding_text(more)


def test_nothing_is_told_of_what_is_ahead_by_few_questions_or_while_answers_are_missing():
    assert counted(UntilDecided(), [scored(x, 2) for x in range(29)]).told().outlook is None
    assert counted(UntilDecided(), [scored(x, 2) for x in range(30)]).told().outlook is not None
    # One band is left, and too few answers are valid for a level.
    missing = counted(UntilDecided(), [scored(x, 2 if x % 2 else None, valid=1) for x in range(30)])
    assert counted(UntilDecided(max_scr=0.9), [scored(x, 2, valid=1) for x in range(40)]).told().outlook is None
    assert not missing.is_decided


@pytest.fixture
def stopped(build_run: Callable[..., RunBuilder]) -> RunFile:
    """Sixteen of forty questions are drawn in order, and one more behind a gap; three of four have one cluster."""
    builder = build_run(40, until_decided=RULE)
    for position in (*range(16), 17):
        builder.draw(position, [f"answer {position} {number}" for number in range(3)])
    builder.cluster({x: TWO if x % 4 == 3 else ONE for x in (*range(16), 17)})
    builder.label({x: "incorrect" if x % 3 else "correct" for x in (*range(16), 17)})
    builder.signal("token_entropy_mean", {x: float(x) for x in (*range(16), 17)})
    return builder.score(JACCARD)


@pytest.fixture
def report(stopped: RunFile) -> Report:
    return build(stopped, draws=50)


def test_the_report_counts_what_comes_before_the_gap_by_the_sequence(stopped: RunFile, report: Report):
    assert stopped.progress().state is RunState.DECIDED_EARLY
    figures = report.homogenization.methods["jaccard"]
    singles = [x % 4 != 3 for x in range(16)]
    expected = confidence_sequence(singles, singles, LEVEL_STARTS)
    assert isinstance(figures.level_rate, Rate)
    assert (figures.level_rate.k, figures.level_rate.n) == (12, 16)
    assert Interval(figures.level_rate.low, figures.level_rate.high) == expected
    # Wider than the exact interval of a fixed number, [47.6%, 92.7%].
    assert figures.level_rate.low < 0.476
    assert figures.level_rate.high > 0.927
    assert figures.is_sequential
    # (0.75 / 0.2)^12 (0.25 / 0.8)^4 is 70,000: far more than the 40 that show a rate above 20%.
    assert report.verdict.level == headline(stopped).level == "severe"
    assert report.run.deciding is not None
    assert (report.run.deciding.questions, report.run.deciding.is_stopped) == (16, True)


def test_every_view_says_that_the_run_stopped_and_which_intervals_are_fixed_n(report: Report):
    short = [part.text for part in summary(report).parts if isinstance(part, Line) and part.label == "Stopped"]
    assert short == [
        "After 16 of 40 questions in random order. This interval holds wherever it stops; AUROCs and all others are "
        "fixed-n, of a stopped run."
    ]
    texts = {x.key: [part.text for part in x.parts if isinstance(part, Line)] for x in sections(report)}
    assert "confidence sequences" in texts["homogenization"][-1]
    for key in ("signals", "labels", "diversity"):
        assert texts[key][-1].startswith("Of a stopped run: intervals are fixed-n")
    assert any("confidence sequence" in text for text in texts["verdict"])
    assert any("decided after 16 of 40 questions" in text for text in report.validity.warnings)
    card = to_model_card(report)
    assert "95% confidence sequence" in card
    assert "16 of 40 questions in random order until it was decided" in card
    assert any("--continue" in command and "the other 24" in command for command in report.verdict.next)


def test_a_gate_that_the_sequence_never_reaches_is_said_to_need_the_whole_file(report: Report):
    # 14 of 16 are single: severe, and what is left below ends at 20% however many questions come.
    (within,) = judge_gates(report, Gates(max_scr=0.5)).gates
    assert (within.state, within.questions_needed) == ("not shown", None)
    assert within.hint is not None and "with `--continue` an interval of the whole file" in within.hint
    (above,) = judge_gates(report, Gates(max_scr=0.95)).gates
    assert above.state == "not shown" and above.hint is not None
    assert above.hint.startswith(f"about {above.questions_needed} questions would decide, in half of such runs")


def test_gates_go_by_the_sequence_alone(report: Report):
    gates = {x.gate: x for x in judge_gates(report, Gates(max_scr=0.2, min_auroc={"token_entropy_mean": 0.1})).gates}
    assert gates["--max-scr 0.2"].state == "failed"
    assert gates["--min-auroc token_entropy_mean=0.1"].state == "cannot be judged"
    (estimate,) = judge_gates(report, Gates(max_scr=0.9, by="estimate")).gates
    assert estimate.state == "cannot be judged"


def test_what_is_exported_of_a_stopped_run_and_read_again_is_no_run_of_a_fixed_number(stopped: RunFile, tmp_path: Path):
    answer_of = partial(split_thinking, prompting=Prompting(), starts_in_thinking=False)
    written = io.StringIO()
    export_run(stopped, written, parse_answer=answer_of)
    file = tmp_path / "answers.jsonl"
    file.write_text(written.getvalue())
    with write_run(read_recorded(file, parse_answer=answer_of), tmp_path / "again.audit") as run:
        data, original = read_run(run), read_run(stopped)
        assert (data.starts, data.is_stopped) == (LEVEL_STARTS, True)
        assert [x.question.id for x in data.finished] == [x.question.id for x in original.finished]
        # A second time it says the same.
        again = io.StringIO()
        export_run(run, again, parse_answer=answer_of)
        assert '"until_decided": {"max_scr": null, "seed": 0}' in again.getvalue().splitlines()[0]


def test_a_stopped_run_is_compared_only_where_that_is_forced(stopped: RunFile):
    data = read_run(stopped)
    with pytest.raises(UsageError, match="stops once it is decided"):
        pair_runs([data, data])
    assert any("stops once it is decided" in text for text in pair_runs([data, data], force=True).forced)


def test_a_continued_run_has_fixed_n_intervals_once_its_whole_file_is_drawn(build_run: Callable[..., RunBuilder]):
    builder = build_run(40, until_decided=RULE)
    for position in range(40):
        builder.draw(position, [f"answer {position} {number}" for number in range(3)])
    builder.cluster({x: TWO if x % 2 else ONE for x in range(40)})
    run = builder.score(JACCARD, judge=None)
    undecided = build(run, draws=50).homogenization.methods["jaccard"]
    assert undecided.is_sequential
    run.continued = True
    found = build(run, draws=50)
    figures = found.homogenization.methods["jaccard"]
    assert not figures.is_sequential
    assert found.run.deciding is None
    assert isinstance(figures.level_rate, Rate)
    # Clopper and Pearson of 20 of 40, from a table.
    assert (figures.level_rate.low, figures.level_rate.high) == pytest.approx((0.338, 0.662), abs=5e-4)


def test_the_missed_errors_have_a_sequence_without_bands(report: Report):
    missed = report.homogenization.methods["jaccard"].missed_rate
    wrong = [x % 4 != 3 for x in range(16) if x % 3]
    assert isinstance(missed, Rate)
    assert Interval(missed.low, missed.high) == confidence_sequence(wrong, wrong)
    assert not isinstance(report.homogenization.methods["jaccard"].level_rate_without_refusals, Undefined)
