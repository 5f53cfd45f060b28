"""Folders of sweeps whose answers are given, scored as an engine scores them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from homogaudit.clustering.methods import methods_of
from homogaudit.events import Job, Scoring
from homogaudit.launch.sweep import plan_folder
from homogaudit.pipeline.scoring import Scorer
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, Question, ResourceCost
from homogaudit.store import RunFile
from homogaudit.sweep.axes import parse_axes
from homogaudit.sweep.folder import write_manifest

Answers = Mapping[str, Sequence[str]]
"""The greedy answer and the samples of each question, by its id; an answer of `""` is empty."""


def draw_run(path: Path, questions: Sequence[Question], answers: Answers, *, judge: str = "exact") -> None:
    """Write a run file with these answers, clustered by words and judged; it is complete where every question is."""
    samples = max(len(texts) for texts in answers.values()) - 1
    with RunFile.create(
        path,
        model="tiny",
        question_source="tiny.jsonl",
        questions=questions,
        parameters={"decoding": asdict(Decoding(samples=samples))},
    ) as run:
        for name, texts in answers.items():
            for index, text in zip((GREEDY, *range(samples)), texts, strict=True):
                state = GenerationState.VALID if text else GenerationState.EMPTY
                run.add_generation(Generation(name, index, text, text, state, "stop", len(text.split())))
            run.add_costs([ResourceCost(name, "greedy", 0.5, 1), ResourceCost(name, "samples", 1.5, 3)])
        scoring = Scoring(judge=judge)
        job = Job(str(path), scoring=replace(scoring, methods=methods_of(scoring), signals=("response_length",)))
        scorer = Scorer(run, job, run.questions(), lambda _: pytest.fail("no embedder is wanted"))
        scorer.store()
        for sample_set in run.sample_sets(list(answers)):
            scorer.score(sample_set)
        if len(answers) == len(questions):
            scorer.score_run()
            run.finish()


@pytest.fixture
def make_sweep(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes the folder of a sweep over the given texts of `--over`, a run for each answers."""

    def make(over: Sequence[str], questions: Sequence[Question], *runs: Answers, judge: str = "exact") -> Path:
        manifest = plan_folder({"model": "tiny"}, parse_axes(over, "tiny"))
        folder = tmp_path / "sweep"
        write_manifest(folder, manifest)
        for run, answers in zip(manifest.runs, runs, strict=True):
            draw_run(folder / run.file, questions, answers, judge=judge)
        return folder

    return make
