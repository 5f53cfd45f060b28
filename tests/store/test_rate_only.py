"""The rule of a run for the rate alone, and what a run file keeps of its looks."""

from pathlib import Path

import pytest

from homogaudit.errors import ParametersDifferError
from homogaudit.records import GREEDY, Generation, GenerationState, Question, questions_digest
from homogaudit.store import RunFile, RunState
from homogaudit.store.merge import merge_runs
from homogaudit.store.rate_only import FirstLook, RateOnly
from homogaudit.store.salvage import salvage

IDS = [f"q{number}" for number in range(50)]


def test_the_audited_questions_are_a_share_that_seed_and_ids_choose():
    audited = RateOnly(0.3, seed=1).audited(IDS)
    assert len(audited) == 15
    assert RateOnly(0.3, seed=1).audited(reversed(IDS)) == audited
    assert RateOnly(0.3, seed=2).audited(IDS) != audited
    # A larger share holds the smaller one; there is always one.
    assert RateOnly(0.5, seed=1).audited(IDS) > audited
    assert len(RateOnly(0.01).audited(IDS[:3])) == 1


def test_a_rule_is_what_its_parameters_say():
    rule = RateOnly(0.2, 7)
    assert RateOnly.of_parameters({"rate_only": rule.as_parameter()}) == rule
    assert RateOnly.of_parameters({}) is None


@pytest.fixture
def run(tmp_path: Path) -> RunFile:
    path = tmp_path / "rate.audit"
    parameters = {
        "decoding": {"samples": 5, "greedy_max_tokens": 4},
        "rate_only": RateOnly(0.5).as_parameter(),
    }
    questions = [Question(name, name) for name in ("a", "b")]
    with RunFile.create(path, model="m", question_source="s", questions=questions, parameters=parameters) as created:
        for index in (GREEDY, 0, 1, 2):
            for question in questions:
                created.add_generation(Generation(question.id, index, "x", "x", GenerationState.VALID))
        yield created


def test_a_question_that_stops_is_drawn_and_one_that_goes_on_is_not(run: RunFile):
    assert set(run.question_states().values()) == {RunState.UNFINISHED}
    run.add_first_look("a", FirstLook(is_apart=True, stops=True))
    run.add_first_look("b", FirstLook(is_apart=True, stops=False))
    assert run.question_states() == {"a": RunState.DRAWN, "b": RunState.UNFINISHED}
    assert run.first_looks() == {"a": FirstLook(True, True), "b": FirstLook(True, False)}
    assert run.progress().drawn == 1
    # Drawn to the end after all, it has all its samples to come.
    run.continued = True
    assert set(run.question_states().values()) == {RunState.UNFINISHED}


def test_what_is_salvaged_of_a_run_keeps_its_looks(run: RunFile, tmp_path: Path):
    run.add_first_look("a", FirstLook(is_apart=True, stops=True))
    salvage(run.path, tmp_path / "out.audit")
    with RunFile.open(tmp_path / "out.audit") as found:
        assert found.first_looks() == {"a": FirstLook(True, True)}
        assert found.question_states()["a"] is RunState.DRAWN


def test_unfinished_runs_are_merged_with_their_looks_unless_one_of_them_goes_on(tmp_path: Path):
    questions = [Question(name, name) for name in ("a", "b")]
    parameters = {
        "questions": {"count": 2, "sha256": questions_digest(questions)},
        "decoding": {"samples": 5, "greedy_max_tokens": 4},
        "rate_only": RateOnly(0.5).as_parameter(),
    }
    paths = [tmp_path / f"{question.id}.audit" for question in questions]
    for path, question in zip(paths, questions, strict=True):
        with RunFile.create(path, model="m", question_source="s", questions=questions, parameters=parameters) as part:
            for index in (GREEDY, 0, 1, 2):
                part.add_generation(Generation(question.id, index, "x", "x", GenerationState.VALID))
            part.add_first_look(question.id, FirstLook(is_apart=True, stops=question.id == "a"))
    merge_runs(paths, tmp_path / "both.audit", run_signals=())
    with RunFile.open(tmp_path / "both.audit") as both:
        assert both.first_looks() == {"a": FirstLook(True, True), "b": FirstLook(True, False)}
        assert both.question_states() == {"a": RunState.DRAWN, "b": RunState.UNFINISHED}
    with RunFile.open(paths[0], writable=True) as one:
        one.continued = True
    with pytest.raises(ParametersDifferError, match="`continued` is true and false"):
        merge_runs(paths, tmp_path / "again.audit", run_signals=())
