"""Scoring with an NLI model: clusterings, signals, and the scores that the run file keeps."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.clustering.methods import methods_of
from homogaudit.events import Job, JobNli, Scoring
from homogaudit.pipeline.scoring import Scorer
from homogaudit.records import Question
from homogaudit.store import RunFile

NLI = JobNli("words", "words#1", "words")
QUESTIONS = [
    Question("q0", "Where is Rome?", passages=("Rome is in Italy. It is old.",)),
    Question("q1", "Where is Bern?"),
]
ANSWERS = {
    "q0": ("Italy", "in Italy", "not France", "Italy"),
    "q1": ("no idea", "Bern is in Spain", "", "Spain"),
}


class WordEntailment:
    """A text entails another one where it holds its last word; `not` contradicts. Counts what it is asked."""

    name = "words"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        self.asked += pairs
        rows = []
        for premise, hypothesis in pairs:
            entailed = 0.75 if hypothesis.rstrip(".").split()[-1] in premise else 0.125
            contradicted = 0.5 if "not" in premise.split() else 0.0
            rows.append((entailed, 1 - entailed - min(contradicted, 1 - entailed), min(contradicted, 1 - entailed)))
        return np.asarray(rows, dtype=np.float32)


@pytest.fixture
def run(answered_run: Callable[..., RunFile]) -> RunFile:
    return answered_run(QUESTIONS, ANSWERS)


def scored(run: RunFile, nli: JobNli | None = NLI, clusterings: tuple[str, ...] = ()) -> WordEntailment:
    model = WordEntailment()
    scoring = Scoring(nli_source=nli)
    job = Job(str(run.path), scoring=replace(scoring, methods=methods_of(scoring, clusterings)))
    scorer = Scorer(run, job, run.questions(), lambda _: pytest.fail("no embedder"), lambda _: model)  # type: ignore[arg-type]
    list(scorer.ensure_embedder())
    scorer.store()
    for sample_set in run.sample_sets():
        scorer.score(sample_set)
    scorer.score_run()
    return model


def test_answers_are_clustered_by_entailment_under_the_key_of_the_model(run: RunFile) -> None:
    scored(run)
    method = next(method for method in run.clustering_methods() if method.similarity == "entailment")
    assert (method.embedder, method.threshold, method.linkage) == ("words#1", 0.5, "single")
    found = run.clusterings(method)
    # Of q1 two samples hold an answer, and both say Spain.
    assert {name: clustering.assignment for name, clustering in found.items()} == {"q0": (0, 1, 0), "q1": (0, 0)}
    assert run.scoring.nli_source.name == "words"


def test_the_signals_read_the_scores_of_the_pairs(run: RunFile) -> None:
    scored(run)
    signals = run.signals()
    # One of three clusters holds one of three samples.
    share = np.array([2 / 3, 1 / 3])
    assert signals["semantic_entropy_entailment"]["q0"].value == pytest.approx(-(share * np.log(share)).sum())
    # `not France` contradicts `Italy` with probability 1/2, the others with 0.
    assert signals["selfcheck_nli"]["q0"].value == pytest.approx(0.5 / 3)
    assert signals["selfcheck_nli"]["q1"].value is None
    assert signals["grounding"]["q0"].value == pytest.approx(0.25)
    assert signals["grounding"]["q1"].reason == "the question has no passages"


def test_no_pair_is_asked_twice_not_even_by_a_later_scoring(run: RunFile) -> None:
    asked = scored(run).asked
    assert len(asked) == len(set(asked))
    before = run.signals()["selfcheck_nli"]
    assert scored(run, clusterings=("entailment=0.6",)).asked == []
    assert {x: v.value for x, v in run.signals()["selfcheck_nli"].items()} == {x: v.value for x, v in before.items()}


def test_another_model_has_scores_and_clusters_of_its_own(run: RunFile) -> None:
    first = scored(run).asked
    assert scored(run, JobNli("other", "other#2", "other")).asked == first
    methods = [method for method in run.clustering_methods() if method.similarity == "entailment"]
    assert {method.embedder for method in methods} == {"words#1", "other#2"}


def test_the_question_stands_before_both_answers_where_asked_and_not_before_passages(run: RunFile) -> None:
    model = scored(run, JobNli("words", "words#1", "words", question_first=True))
    with_question = [pair for pair in model.asked if pair[0].startswith("Where is")]
    assert all(a.startswith("Where is") and b.startswith("Where is") for a, b in with_question)
    assert [pair for pair in model.asked if pair not in with_question] == [
        ("Rome is in Italy.", "Italy"),
        ("It is old.", "Italy"),
    ]
    methods = [method for method in run.clustering_methods() if method.similarity == "entailment"]
    assert [method.embedder for method in methods] == ["words#1+question"]


def test_without_an_nli_model_nothing_is_asked_and_the_signals_say_why(run: RunFile) -> None:
    assert scored(run, None).asked == []
    assert run.signals()["selfcheck_nli"]["q0"].reason == "there is no NLI model"
    assert run.signals()["semantic_entropy_entailment"]["q0"].reason == "there is no `entailment` clustering"


def test_what_the_model_costs_is_kept_once(run: RunFile) -> None:
    scored(run)
    assert sum(cost.resource == "pair_scores" for cost in run.costs()) == 2
