"""How far a run is: each state on its way, from nothing drawn to complete, by hand."""

from collections.abc import Callable

import pytest

from homogaudit.records import GREEDY, ClusteringMethod, Generation, GenerationState, ModelCall
from homogaudit.report.glossary import TERMS
from homogaudit.store import RunFile, RunState, Scoring

SCORING = Scoring(judge="exact", methods=(ClusteringMethod("jaccard", "single", 0.4),))


def draw(run: RunFile, question: str, samples: int = 2, state: GenerationState = GenerationState.VALID) -> None:
    for index in range(GREEDY, samples):
        run.add_generation(Generation(question, index, "text", "text", state))


def counts(run: RunFile) -> tuple[int, int, int, int, str]:
    found = run.progress()
    assert (found.questions, found.samples) == (2, 2)
    return found.begun, found.drawn, found.asked, found.scored, found.state


@pytest.fixture
def run(make_run: Callable[..., RunFile]) -> RunFile:
    run = make_run(decoding={"samples": 2, "greedy_max_tokens": 9})
    run.scoring = SCORING
    return run


def test_a_run_goes_from_waiting_to_complete(run: RunFile) -> None:
    assert counts(run) == (0, 0, 0, 0, "waiting")
    run.add_generation(Generation("q0", 0, "text", "text", GenerationState.VALID))
    run.add_generation(Generation("q0", 1, "text", "text", GenerationState.VALID))
    # The greedy answer is missing.
    assert counts(run) == (1, 0, 0, 0, "unfinished")
    assert list(run.question_states().values()) == ["unfinished", "waiting"]
    run.add_generation(Generation("q0", GREEDY, "text", "text", GenerationState.VALID))
    assert counts(run) == (1, 1, 1, 0, "unfinished")
    run.mark_scored("q0", SCORING.key)
    draw(run, "q1")
    assert counts(run) == (2, 2, 2, 1, "drawn")
    assert run.progress().text == "all 2 questions are drawn, 1 of them scored"
    assert list(run.question_states().values()) == ["scored", "drawn"]
    run.mark_scored("q1", SCORING.key)
    assert counts(run) == (2, 2, 2, 2, "scored")
    run.finish()
    assert counts(run) == (2, 2, 2, 2, "complete")


def test_a_question_is_asked_about_when_every_call_about_its_valid_answer_is_stored(run: RunFile) -> None:
    draw(run, "q0")
    draw(run, "q1", state=GenerationState.EMPTY)
    run.wanted_calls = ["p_true", "verbalized"]
    # Nobody asks about an answer that is none.
    assert run.progress().asked == 1
    run.add_calls([ModelCall("q0", "p_true", 0.5)])
    assert run.progress().asked == 1
    run.add_calls([ModelCall("q0", "verbalized", None, "no number")])
    assert run.progress().asked == 2


def test_what_another_scoring_has_scored_is_drawn(run: RunFile) -> None:
    for question in ("q0", "q1"):
        draw(run, question)
        run.mark_scored(question, SCORING.key)
    other = Scoring(judge="overlap", methods=SCORING.methods)
    assert set(run.question_states(other.key).values()) == {RunState.DRAWN}
    run.scoring = other
    assert counts(run) == (2, 2, 2, 0, "drawn")
    run.mark_scored("q1", other.key)
    assert counts(run) == (2, 2, 2, 1, "drawn")


def test_a_merged_run_that_lacks_shards_is_partial_once_it_is_scored(run: RunFile) -> None:
    run.missing_shards = (2,)
    for question in ("q0", "q1"):
        draw(run, question)
    assert counts(run)[-1] == "drawn"
    for question in ("q0", "q1"):
        run.mark_scored(question, SCORING.key)
    assert counts(run)[-1] == "partial"


def test_recorded_answers_are_drawn_as_they_came(make_run: Callable[..., RunFile]) -> None:
    with make_run(recorded=True, decoding={"samples": 5, "greedy_max_tokens": 9}) as run:
        run.add_generation(Generation("q0", 0, "text", "text", GenerationState.VALID))
        run.add_generation(Generation("q0", 1, "text", "text", GenerationState.VALID))
        assert counts(run) == (2, 2, 2, 0, "drawn")


def test_a_complete_run_is_scored_whatever_its_questions_are_marked_with(run: RunFile) -> None:
    for question in ("q0", "q1"):
        draw(run, question)
    run.finish()
    assert counts(run) == (2, 2, 2, 2, "complete")


def test_every_state_is_explained() -> None:
    assert set(RunState) <= TERMS.keys()
