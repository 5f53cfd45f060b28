"""Figures of diversity: stored once all questions are scored, again where the scoring is another one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from homogaudit.clustering.methods import methods_of
from homogaudit.events import Job, Scoring
from homogaudit.pipeline import diversity
from homogaudit.pipeline.diversity import store_diversity
from homogaudit.pipeline.session import Audit
from homogaudit.records import ClusteringMethod, Question
from homogaudit.store import RunFile

QUESTIONS = [Question("q0", "Where is Rome?"), Question("q1", "Where is Bern?"), Question("q2", "Where is Oslo?")]
ANSWERS = {
    "q0": ("Italy", "in Italy", "in Italy", "in Italy"),
    "q1": ("Bern", "a b", "c d", "e f"),
    "q2": ("Oslo", "Norway", "Norway", ""),
}
JACCARD = ClusteringMethod("jaccard", "single", 0.4)


class GoesOn:
    is_cancelled = is_paused = False

    def wait_while_paused(self) -> None: ...

    def take_snapshot_request(self) -> bool:
        return False


def nothing(*_: object) -> Any:
    raise AssertionError("no model is needed")


@pytest.fixture
def run(answered_run: Callable[..., RunFile]) -> RunFile:
    return answered_run(QUESTIONS, ANSWERS)


def test_scoring_stores_them_for_the_questions_whose_samples_all_hold_an_answer(run: RunFile) -> None:
    scoring = Scoring(judge=None)
    job = Job(str(run.path), scoring=replace(scoring, methods=methods_of(scoring)))
    list(Audit(run, job, GoesOn(), load_generator=nothing, load_embedder=nothing).events())
    found = run.diversity()
    assert run.status == "complete" and run.diversity_of == job.scoring.key
    assert found["distinct_1", ""] == {"q0": 2 / 6, "q1": 1.0}
    assert found["self_bleu", ""] == {"q0": pytest.approx(1), "q1": 0}
    assert found["vendi_score", JACCARD.key] == {"q0": pytest.approx(1), "q1": pytest.approx(3)}
    of_texts = {(name, "") for name in ("distinct_1", "distinct_2", "self_bleu", "compression_ratio")}
    assert found.keys() == {*of_texts, ("vendi_score", JACCARD.key)}


def test_a_run_that_was_complete_without_them_gains_them_when_it_is_scored_again(run: RunFile) -> None:
    scoring = Scoring(judge=None)
    job = Job(str(run.path), scoring=replace(scoring, methods=methods_of(scoring)))
    for _ in range(2):
        list(Audit(run, job, GoesOn(), load_generator=nothing, load_embedder=nothing).events())
        stored = run.diversity()
        run.replace_diversity({})
        run.diversity_of = None
    assert stored["distinct_1", ""] == {"q0": 2 / 6, "q1": 1.0}


def test_another_scoring_takes_the_place_of_what_was_stored(run: RunFile) -> None:
    run.scoring = Scoring(methods=(JACCARD,))
    store_diversity(run, "one")
    run.scoring = Scoring(methods=(replace(JACCARD, threshold=0.5),))
    store_diversity(run, "one")
    assert ("vendi_score", JACCARD.key) in run.diversity()
    store_diversity(run, "other")
    assert [key for name, key in run.diversity() if name == "vendi_score"] == [replace(JACCARD, threshold=0.5).key]


def test_self_bleu_is_of_some_questions_drawn_by_seed(run: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diversity, "MOST_QUESTIONS", 1)
    drawn: list[list[str]] = []
    for scoring in ("one", "other"):
        store_diversity(run, scoring)
        drawn.append(list(run.diversity()["self_bleu", ""]))
    assert drawn[0] == drawn[1] and len(drawn[0]) == 1
    assert len(run.diversity()["distinct_1", ""]) == 2
