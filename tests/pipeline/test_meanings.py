"""Scoring with a model of meaning: what is embedded, what the run file keeps, and what a later scoring needs."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.clustering.answer_facts import answer_facts
from homogaudit.clustering.meaning import fitted_embedders, pair_features, shipped_fit
from homogaudit.clustering.methods import methods_of
from homogaudit.events import Job, JobEmbedder, Scoring
from homogaudit.pipeline.scoring import Scorer
from homogaudit.questions.thinking import ParsedAnswer, split_thinking
from homogaudit.records import Prompting, Question
from homogaudit.report.build import build
from homogaudit.report.records import Undefined
from homogaudit.store import RunFile
from homogaudit.store.recorded import ExportOptions, export_run, read_recorded, write_run

KEY = fitted_embedders()[0]
EMBEDDER = JobEmbedder("any", KEY, "somewhere")
QUESTIONS = [Question("q0", "How long does it take?"), Question("q1", "Who was it?")]
ANSWERS = {
    "q0": ("8 minutes", "It takes eight minutes.", "It takes 8 minutes.", "It takes 18 minutes."),
    "q1": ("Ada", "Ada.", "Ada.", ""),
}


class LengthEmbedder:
    """A text is a point on the unit circle near those of other texts; counts what it embeds."""

    name = "any"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        angles = np.asarray([len(text) for text in texts]) / 100
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture
def run(answered_run: Callable[..., RunFile]) -> RunFile:
    return answered_run(QUESTIONS, ANSWERS)


def scored(run: RunFile, *clusterings: str, embedder: JobEmbedder = EMBEDDER, at_once: bool = False) -> list[str]:
    """Score the run and return what was embedded."""
    model = LengthEmbedder()
    scoring = Scoring(embedder_source=embedder)
    job = Job(str(run.path), scoring=replace(scoring, methods=methods_of(scoring, clusterings)))
    scorer = Scorer(run, job, run.questions(), lambda _: model)
    list(scorer.ensure_embedder())
    scorer.store()
    sets = list(run.sample_sets())
    if at_once:
        scorer.embed_answers(sets)
    for sample_set in sets:
        scorer.score(sample_set)
    return model.embedded


def test_answers_are_embedded_alone_and_with_their_question_each_once(run: RunFile) -> None:
    embedded = scored(run)
    assert len(embedded) == len(set(embedded))
    q0 = set(ANSWERS["q0"])
    # Two samples of q1 are one text, so that there is no pair to be told apart.
    assert set(embedded) == q0 | {f"How long does it take? {text}" for text in ANSWERS["q0"][1:]} | {"Ada", "Ada."}


def test_the_similarities_are_those_of_the_shipped_model(run: RunFile) -> None:
    scored(run)
    method = next(x for x in run.clustering_methods() if x.similarity == "meaning")
    fit = shipped_fit(KEY)
    assert fit is not None and method.embedder == fit.key(KEY) and method.threshold == fit.threshold
    answers = ANSWERS["q0"][1:]
    found = run.similarities(fit.key(KEY), "How long does it take?", answers)
    assert found is not None
    one, other = answers[0], answers[2]
    # Angles of texts of 23 and 20 characters, with 22 and a space before them.
    expected = fit.probability(
        pair_features(
            *(answer_facts("How long does it take?", text) for text in (one, other)),
            near=np.cos((len(one) - len(other)) / 100),
            near_alone=np.cos((len(one) - len(other)) / 100),
        )
    )
    assert found[0, 2] == found[2, 0] == pytest.approx(expected, abs=1e-4)
    assert found[0, 1] > fit.threshold > found[0, 2]
    clusterings = run.clusterings(method)
    assert clusterings["q0"].assignment == (0, 0, 1)
    assert clusterings["q1"].assignment == (0, 0)


def test_a_chunk_of_questions_is_embedded_in_one_call_with_the_same_result(run: RunFile) -> None:
    one_by_one = sorted(scored(run))
    method = next(x for x in run.clustering_methods() if x.similarity == "meaning")
    before = {name: x.assignment for name, x in run.clusterings(method).items()}
    with run.transaction():
        run._connection.execute("DELETE FROM pair_scores")
        run._connection.execute("DELETE FROM embeddings")
    assert sorted(scored(run, at_once=True)) == one_by_one
    assert {name: x.assignment for name, x in run.clusterings(method).items()} == before


def test_a_scoring_at_another_threshold_embeds_nothing(run: RunFile) -> None:
    scored(run)
    assert scored(run, "meaning=0.0001") == []
    method = next(x for x in run.clustering_methods() if x.threshold == 0.0001)
    assert run.clusterings(method)["q0"].clusters == 1


def test_what_it_costs_to_embed_the_question_too_is_a_cost_of_its_own(run: RunFile) -> None:
    scored(run)
    costs = {(x.question_id, x.resource) for x in run.costs()}
    assert {("q0", "answer_embeddings"), ("q0", "meaning"), ("q1", "answer_embeddings")} <= costs
    assert ("q1", "meaning") not in costs


def test_vectors_without_an_embedder_know_no_question_so_that_there_is_no_clustering_by_meaning(run: RunFile) -> None:
    scored(run, embedder=replace(EMBEDDER, location=""))
    assert "meaning" not in {x.similarity for x in run.clustering_methods()}


def test_a_run_that_was_begun_with_another_model_of_meaning_is_not_mixed_with_this_one(run: RunFile) -> None:
    scoring = Scoring(embedder_source=EMBEDDER)
    methods = tuple(
        replace(x, embedder=f"{KEY}+meaning:00000000") if x.similarity == "meaning" else x for x in methods_of(scoring)
    )
    scorer = Scorer(run, Job(str(run.path), scoring=replace(scoring, methods=methods)), run.questions(), _embedder)
    list(scorer.ensure_embedder())
    for sample_set in run.sample_sets():
        scorer.score(sample_set)
    assert run.similarities(f"{KEY}+meaning:00000000", "How long does it take?", ANSWERS["q0"][1:]) is None


def test_the_report_goes_by_meaning_and_says_how_well_it_tells_meaning_apart(run: RunFile) -> None:
    scored(run)
    report = build(run, draws=50)
    assert report.homogenization.primary == "meaning"
    found = report.homogenization.methods
    assert found["meaning"].pairs_auroc.value > 0.85
    assert found["embedding"].pairs_auroc.value < 0.55
    assert found["meaning"].scr.n == 1
    in_use, fitted = found["meaning"].threshold, found["meaning"].fitted_threshold
    assert in_use == fitted.value and fitted.low < in_use < fitted.high
    points = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, fitted.low, in_use, fitted.high]
    assert [x.threshold for x in found["meaning"].thresholds] == sorted(points)
    assert isinstance(found["embedding"].fitted_threshold, Undefined)


def test_a_run_that_was_scored_without_meaning_keeps_its_primary_clustering(run: RunFile) -> None:
    scoring = Scoring(embedder_source=EMBEDDER)
    methods = tuple(x for x in methods_of(scoring) if x.similarity != "meaning")
    scorer = Scorer(run, Job(str(run.path), scoring=replace(scoring, methods=methods)), run.questions(), _embedder)
    list(scorer.ensure_embedder())
    scorer.store()
    for sample_set in run.sample_sets():
        scorer.score(sample_set)
    assert build(run, draws=50).homogenization.primary == "embedding"


def _read(text: str) -> ParsedAnswer:
    return split_thinking(text, Prompting(), False)


def _embedder(_: JobEmbedder) -> LengthEmbedder:
    return LengthEmbedder()


def test_similarities_that_came_with_recorded_answers_are_clustered_without_an_embedder(
    run: RunFile, tmp_path: Path
) -> None:
    scored(run)
    exported = io.StringIO()
    export_run(run, exported, parse_answer=_read, options=ExportOptions(embeddings=True))
    file = tmp_path / "answers.jsonl"
    file.write_text(exported.getvalue(), encoding="utf-8")
    assert '"meaning": "float16:' in exported.getvalue()
    with write_run(read_recorded(file, parse_answer=_read), tmp_path / "copy.audit") as copy:
        method = next(x for x in run.clustering_methods() if x.similarity == "meaning")
        ((key, used),) = copy.embedders.items()
        came = JobEmbedder(used.name, key, "", meaning=used.meaning)
        scoring = Scoring(embedder_source=came)
        job = Job(str(copy.path), scoring=replace(scoring, methods=methods_of(scoring)))
        scorer = Scorer(copy, job, copy.questions(), lambda _: pytest.fail("an embedder was loaded"))  # type: ignore[arg-type]
        assert list(scorer.ensure_embedder()) == []
        for sample_set in copy.sample_sets():
            scorer.score(sample_set)
        assert {name: x.assignment for name, x in copy.clusterings(method).items()} == {
            name: x.assignment for name, x in run.clusterings(method).items()
        }


def test_similarities_of_another_version_that_came_with_answers_are_not_clustered(run: RunFile) -> None:
    came = replace(EMBEDDER, location="", meaning=f"{KEY}+meaning:00000000")
    assert "meaning" not in {x.similarity for x in methods_of(Scoring(embedder_source=came))}
