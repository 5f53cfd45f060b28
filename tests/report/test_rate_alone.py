"""The report of a run for the rate alone: what its rate counts, and what all else rests on."""

import json
from collections.abc import Callable, Iterator
from io import StringIO

import pytest

from homogaudit.comparison.pairing import pair_runs
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import Clustering, Generation, GenerationState, Prompting
from homogaudit.report.build import build
from homogaudit.report.headline import headline
from homogaudit.report.html.questions import question_data
from homogaudit.report.layout import sections
from homogaudit.report.model_card import to_model_card
from homogaudit.report.question_rows import question_rows
from homogaudit.report.question_table import columns
from homogaudit.report.records import MethodFigures, Report
from homogaudit.report.run_data import read_run
from homogaudit.report.summary import summary
from homogaudit.report.undefined import Undefined
from homogaudit.statistics import Rate
from homogaudit.statistics.two_phase_rate import two_phase_rate
from homogaudit.store import RunFile
from homogaudit.store.rate_only import FirstLook, RateOnly
from homogaudit.store.recorded import export_run

from .conftest import JACCARD, RunBuilder

RULE = RateOnly(0.3, seed=3)
N = 40
AUDITED = RULE.audited(f"q{number}" for number in range(N))
"""12 of them."""


def fill(builder: RunBuilder) -> None:
    """Eight questions stay open and are single, four stay open and are not; the others lie apart at first.

    One audited question of those comes round. Of four samples the first three are looked at.
    """
    shapes: dict[int, tuple[int, ...]] = {}
    has_reversed = False
    for position in range(N):
        is_audited = f"q{position}" in AUDITED
        if position < 12:
            shapes[position] = (0, 0, 0, 0, 0) if position < 8 else (0, 0, 0, 1, 1)
        elif is_audited:
            shapes[position] = (0, 1, 2, 0, 1) if has_reversed else (0, 0, 0, 0, 0)
            has_reversed = True
        else:
            shapes[position] = (0, 1, 2)
        look = FirstLook(is_apart=position >= 12, stops=position >= 12 and not is_audited)
        builder.draw(position, [f"answer {position} {number}" for number in range(len(shapes[position]))])
        builder.run.add_first_look(f"q{position}", look)
    builder.cluster(shapes)
    builder.label({position: "incorrect" if position % 2 else "correct" for position in range(N)})


@pytest.fixture
def builder(build_run: Callable[..., RunBuilder]) -> RunBuilder:
    made = build_run(N, samples=5, rate_only=RULE.as_parameter())
    fill(made)
    return made


@pytest.fixture
def run(builder: RunBuilder) -> Iterator[RunFile]:
    yield builder.score(JACCARD)


def figures(report: Report) -> MethodFigures:
    return report.homogenization.methods["jaccard"]


def test_the_rate_and_its_level_count_every_question_and_reversals_for_those_not_drawn(run: RunFile):
    found = figures(build(run, draws=50))
    # 8 of 40 stayed open and are single, and 1 of 12 audited ones came round.
    assert found.scr == two_phase_rate(8, N, 1, 12)
    assert found.level_rate == found.scr_best_case == found.scr_worst_case == found.scr
    assert isinstance(found.scr, Rate) and found.scr.value == pytest.approx(8 / 40 + 1 / 12)
    assert isinstance(found.reversals, Rate)
    apart = sum(f"q{position}" in AUDITED for position in range(12, N))
    assert (found.reversals.k, found.reversals.n) == (1, apart)
    assert headline(run).scr == found.scr


def test_all_other_figures_rest_on_the_audited_questions(run: RunFile):
    report = build(run, draws=50)
    assert [x.questions for x in figures(report).histogram] and sum(
        x.questions for x in figures(report).histogram
    ) == 12
    assert report.labels.correct + report.labels.incorrect == 12
    alone = report.run.rate_alone
    assert alone is not None
    stopped = sum(f"q{position}" not in AUDITED for position in range(12, N))
    assert (alone.questions, alone.questions_audited, alone.questions_stopped) == (N, 12, stopped)
    assert (alone.answers_drawn, alone.answers_of_all) == (N * 6 - 2 * stopped, N * 6)


def test_a_stopped_question_is_not_missing(run: RunFile):
    report = build(run, draws=50)
    assert report.run.state == "rate only"
    assert (report.validity.questions_unfinished, report.validity.questions_scored) == (0, N)
    assert not any("unfinished" in x or "fewer valid" in x for x in report.validity.warnings)
    rows = question_rows(read_run(run)).rows
    assert all(row.is_drawn and not row.outside for row in rows)


def test_a_stopped_question_is_shown_as_such_and_never_as_one_cluster(run: RunFile):
    stopped = [f"q{position}" for position in range(12, N) if f"q{position}" not in AUDITED]
    questions = question_rows(read_run(run))
    assert [row.id for row in questions.where("stopped")] == stopped
    # Under another clustering its first samples may be one cluster: what the others would be is not known.
    method = run.clustering_methods()[0]
    run.add_clusterings(Clustering(question_id, method, (0, 0, 0)) for question_id in stopped)
    questions = question_rows(read_run(run))
    assert not {row.id for row in questions.where("one_cluster")} & set(stopped)
    (flag,) = [column for column in columns(questions) if column.name == "stopped"]
    assert [row.id for row in questions if flag.of(row)] == stopped
    told = {row["id"]: row["outside"] for row in question_data(questions)["questions"]}
    assert {name for name, text in told.items() if text == "stopped after 3 samples, which lie apart"} == set(stopped)


def test_runs_are_compared_by_the_audited_questions(run: RunFile):
    data = read_run(run)
    paired = pair_runs([data, data])
    assert set(paired.question_ids) == AUDITED
    assert all(set(one.fully_valid) == AUDITED for one in paired.runs.values())
    assert {(len(x.question_ids), x.reason.partition(" for")[0]) for x in paired.left_out} == {
        (N - len(AUDITED), "not drawn to the end")
    }


def test_only_the_audited_questions_are_exported_until_all_is_drawn(builder: RunBuilder):
    run = builder.score(JACCARD)
    stream = StringIO()
    assert export_run(run, stream, parse_answer=lambda text: split_thinking(text, Prompting(), False)) == len(AUDITED)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()[1:]]
    assert {line["id"] for line in lines} == AUDITED
    assert all(len(line["samples"]) == 5 for line in lines)
    run.continued = True
    assert run.audited_alone() == AUDITED
    for position in range(12, N):
        if f"q{position}" not in AUDITED:
            for index in (3, 4):
                run.add_generation(Generation(f"q{position}", index, "more", "more", GenerationState.VALID))
    assert run.audited_alone() is None


def test_it_is_said_wherever_the_figures_are(run: RunFile):
    report = build(run, draws=50, full=True)
    stopped = report.run.rate_alone
    assert stopped is not None
    words = f"{stopped.questions_stopped} of 40 questions"
    assert any(words in line.text for line in summary(report).lines())
    verdict = " ".join(report.verdict.sentences)
    assert f"{words} were drawn no further than 3 samples" in verdict
    assert "that lay apart at first forms one cluster all the same" in verdict
    assert "the command that drew it, with `--continue`" in " ".join(report.verdict.next)
    assert words in to_model_card(report)
    told = {x.key: " ".join(y.text for y in x.lines()) for x in sections(report)}
    assert "estimate over 40 questions" in told["homogenization"]
    assert "12 audited questions" in told["labels"] and "12 audited questions" not in told["run"]


def test_a_run_that_is_being_continued_counts_as_before_until_all_is_drawn(builder: RunBuilder):
    run = builder.score(JACCARD, finish=False)
    before = figures(build(run, draws=50)).scr
    run.continued = True
    assert figures(build(run, draws=50)).scr == before
    for position in range(12, N):
        if f"q{position}" not in AUDITED:
            for index in (3, 4):
                run.add_generation(Generation(f"q{position}", index, "more", "more", GenerationState.VALID))
    assert read_run(run).short is None
    assert len(read_run(run).finished) == N


def test_of_an_unfinished_run_the_questions_before_the_first_missing_one_count(builder: RunBuilder):
    # A question that stops is there sooner than one that goes on: what is there is no random part.
    run = builder.score(JACCARD, finish=False)
    run._connection.execute("DELETE FROM first_looks WHERE position = 30")  # pyright: ignore[reportPrivateUsage]
    data = read_run(run)
    assert [x.question.id for x in data.counted] == [f"q{position}" for position in range(30)]
    assert {x.question.id for x in data.finished} == {x for x in AUDITED if int(x[1:]) < 30}


def test_a_question_that_is_not_clustered_counts_as_not_known(builder: RunBuilder):
    run = builder.score(JACCARD)
    run._connection.execute("DELETE FROM clusterings WHERE position = 0")  # pyright: ignore[reportPrivateUsage]
    found = figures(build(run, draws=50))
    assert found.scr_best_case == two_phase_rate(7, N, 1, 12)
    assert found.scr_worst_case == two_phase_rate(8, N, 1, 12)
    run._connection.execute("DELETE FROM clusterings")  # pyright: ignore[reportPrivateUsage]
    assert isinstance(figures(build(run, draws=50)).scr, Undefined)
