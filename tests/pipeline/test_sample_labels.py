"""Labels of samples: by rules and by meaning as of the greedy answer, never by a model that must be asked."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.clustering.methods import methods_of
from homogaudit.errors import UsageError
from homogaudit.events import Job, JobEmbedder, JobJudge, Scoring
from homogaudit.launch.requests import ScoreRequest
from homogaudit.launch.score import plan_score
from homogaudit.pipeline.scoring import Scorer
from homogaudit.records import Question
from homogaudit.report.build import build
from homogaudit.report.question_rows import question_rows
from homogaudit.report.question_table import write_csv
from homogaudit.report.run_data import read_run
from homogaudit.store import RunFile

QUESTIONS = [
    Question("q0", "Where is Rome?", None, ("It lies in Italy.",), ("It lies in France.",)),
    Question("q1", "Where is Bern?", None, ("It lies in Switzerland.",), ("It lies in Austria.",)),
]
ANSWERS = {
    "q0": ("It is in Italy.", "It is in Italy.", "It is in France.", ""),
    "q1": ("It is in Austria.", "It is in Austria.", "It is in Austria.", "It is in Switzerland."),
}
MINILM = JobEmbedder("all-minilm-l6-v2", "m#1", "somewhere")


class CountryEmbedder:
    """One direction a country, and one for all texts."""

    name = "countries"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        names = ("Italy", "France", "Switzerland", "Austria")
        rows = np.array([[1.0, *(2.0 * (name in text) for name in names)] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def run(answered_run: Callable[..., RunFile]) -> RunFile:
    return answered_run(QUESTIONS, ANSWERS)


def scored(run: RunFile, scoring: Scoring) -> None:
    job = Job(str(run.path), scoring=replace(scoring, methods=methods_of(scoring)))
    scorer = Scorer(run, job, run.questions(), lambda _: CountryEmbedder())
    list(scorer.ensure_embedder())
    scorer.store()
    for sample_set in run.sample_sets():
        scorer.score(sample_set)
    scorer.score_run()


def of_samples(run: RunFile, judge: str) -> dict[str, dict[int, str]]:
    return {
        name: {index: x.value.value for index, x in found.items()} for name, found in run.sample_labels(judge).items()
    }


def test_each_valid_sample_has_a_label_and_a_reason(run: RunFile) -> None:
    scored(run, Scoring(judge="overlap"))
    assert of_samples(run, "overlap") == {
        "q0": {0: "correct", 1: "incorrect"},
        "q1": {0: "incorrect", 1: "incorrect", 2: "correct"},
    }
    streamed = {
        name: {index: x.value for index, x in found.items()} for name, found in run.sample_label_values("overlap")
    }
    assert streamed == of_samples(run, "overlap")
    assert all(label.reason for found in run.sample_labels("overlap").values() for label in found.values())
    assert {name: label.value.value for name, label in run.labels("overlap").items()} == {
        "q0": "correct",
        "q1": "incorrect",
    }


def test_the_judge_by_meaning_embeds_the_references_and_labels_samples_too(run: RunFile) -> None:
    scored(run, Scoring(judge="nearest", embedder_source=MINILM))
    assert of_samples(run, "nearest") == {
        "q0": {0: "correct", 1: "incorrect"},
        "q1": {0: "incorrect", 1: "incorrect", 2: "correct"},
    }
    assert run.embeddings("m#1", ["It lies in Austria."]).keys() == {"It lies in Austria."}


def test_a_model_that_judges_is_not_asked_about_samples(run: RunFile) -> None:
    judge = JobJudge("model:x", "model:x#1", "gguf", "x", "{{ question }}{{ answer }}", "0" * 64, 0, {})
    scored(run, Scoring(judge=judge.key, judge_source=judge))
    assert run.sample_labels(judge.key) == {}


def test_the_report_has_the_share_of_correct_samples_as_a_mean_over_questions(run: RunFile) -> None:
    scored(run, Scoring(judge="overlap"))
    found = build(run).labels.sample_accuracy
    # Of q0 one of two labelled samples is correct, of q1 one of three.
    assert found.value == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found.n == 2
    table = io.StringIO()
    write_csv(question_rows(read_run(run)), table)
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(table.getvalue()))}
    assert [(rows[x]["samples_correct"], rows[x]["samples_incorrect"]) for x in ("q0", "q1")] == [
        ("1", "1"),
        ("1", "2"),
    ]


def test_the_judge_by_meaning_is_refused_without_the_embedder_that_it_was_fitted_for(run: RunFile) -> None:
    run.close()
    request = ScoreRequest(run=run.path, judge="nearest", use_embedder=False)
    with pytest.raises(UsageError, match="needs an embedder that it was fitted for, and there is none"):
        plan_score(request, lambda _: None)
