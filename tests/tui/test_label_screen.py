"""Judging whole questions in a terminal that is not there: what is asked, kept, taken back, resumed and stored."""

import json
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static

from homogaudit.launch.cluster_labels import keep_labels, read_cluster_labels
from homogaudit.records import GREEDY, Clustering, ClusteringMethod, Generation, GenerationState, Question
from homogaudit.report.cluster_sample import SampledQuestion, sample_clusters
from homogaudit.report.run_data import read_run
from homogaudit.store import RunFile, Scoring
from homogaudit.tui.screens.label import LabelScreen

METHOD = ClusteringMethod("jaccard", "single", 0.4)


def make_run(path: Path, questions: int) -> Path:
    """Make a run of three samples a question; those of even number form one cluster."""
    asked = [Question(f"q{number}", f"Question {number}?") for number in range(questions)]
    run = RunFile.create(
        path,
        model="test",
        question_source="test.jsonl",
        questions=asked,
        parameters={"decoding": {"samples": 3, "greedy_max_tokens": 9}},
    )
    for number, question in enumerate(asked):
        texts = [f"greedy {number}", f"same {number}", f"same {number}", f"[b]other[/b] {number}"]
        for index, text in enumerate(texts, GREEDY):
            run.add_generation(Generation(question.id, index, text, text, GenerationState.VALID, "stop"))
        run.add_clusterings([Clustering(question.id, METHOD, (0, 0, 0) if number % 2 == 0 else (0, 0, 1))])
    run.scoring = Scoring(methods=(METHOD,))
    run.finish()
    run.close()
    return path


def sample_of(path: Path) -> tuple[SampledQuestion, ...]:
    with RunFile.open(path) as run:
        return sample_clusters(read_run(run))


class LabelApp(App[None]):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.stored: bool | None = None

    def on_mount(self) -> None:
        self.push_screen(LabelScreen(self.path), self.on_closed)

    def on_closed(self, stored: bool | None) -> None:
        self.stored = stored


async def ready(app: App[None], pilot: Pilot[None]) -> None:
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()


def shown(app: App[None], part: str) -> str:
    return str(app.screen.query_one(f"#label-{part}", Static).content)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run.audit", 52)


async def test_each_answer_is_kept_at_once_and_the_last_is_taken_back(path: Path) -> None:
    sample, app = sample_of(path), LabelApp(path)
    file = path.with_name("run.labels.jsonl")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert shown(app, "asked") == sample[0].question
        number = sample[0].id.removeprefix("q")
        # Equal answers stand once; what looks like markup stays text.
        assert shown(app, "texts").split("\n\n") == [
            f"2\N{MULTIPLICATION SIGN} same {number}",
            f"   [b]other[/b] {number}",
        ]
        await pilot.press("y", "n", "n")
        rows: list[Any] = [json.loads(line) for line in file.read_text().splitlines()]
        assert [(row["id"], row["one_meaning"]) for row in rows] == [
            (sample[0].id, True),
            (sample[1].id, False),
            (sample[2].id, False),
        ]
        assert "3 of 52 judged: 1 one meaning, 2 several   kept in run.labels.jsonl" in shown(app, "said")
        await pilot.press("u")
        assert shown(app, "asked") == sample[2].question
        assert len(file.read_text().splitlines()) == 2
        # Too few are judged to be stored.
        await pilot.press("s")
        await ready(app, pilot)
        assert isinstance(app.screen, LabelScreen)
        await pilot.press("escape")
        await ready(app, pilot)
    assert app.stored is False


async def test_it_goes_on_where_it_was_left_and_stores_what_the_file_says(path: Path) -> None:
    sample = sample_of(path)
    keep_labels(path.with_name("run.labels.jsonl"), sample, {x.id: n % 2 == 0 for n, x in enumerate(sample[:49])})
    again = LabelApp(path)
    async with again.run_test(size=(120, 36)) as pilot:
        await ready(again, pilot)
        assert shown(again, "asked") == sample[49].question
        await pilot.press(*"yny")
        assert shown(again, "asked") == "All 52 questions are judged."
        await pilot.press("s")
        await ready(again, pilot)
    assert again.stored is True
    expected = {x.id: place % 2 == 0 if place < 49 else place != 50 for place, x in enumerate(sample)}
    with RunFile.open(path) as run:
        assert run.cluster_labels is not None
        assert run.cluster_labels.one_meaning == expected
        assert read_cluster_labels(path.with_name("run.labels.jsonl"), run) == expected


async def test_a_file_of_other_questions_is_left_alone(path: Path) -> None:
    other = path.with_name("run.labels.jsonl")
    other.write_text(json.dumps({"id": "q0", "question": "Another?", "answers": ["x"], "one_meaning": True}) + "\n")
    before, app = other.read_text(), LabelApp(path)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("y")
        assert "kept in run.labels-2.jsonl" in shown(app, "said")
    assert other.read_text() == before
    assert len(path.with_name("run.labels-2.jsonl").read_text().splitlines()) == 1


async def test_a_run_of_too_few_questions_says_why(tmp_path: Path) -> None:
    app = LabelApp(make_run(tmp_path / "few.audit", 12))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert shown(app, "asked").endswith("few.audit` has `12` clustered questions: a sample needs 50")
        await pilot.press("y", "u", "s")
        assert not app.is_running or isinstance(app.screen, LabelScreen)
    assert not list(tmp_path.glob("*.jsonl"))
