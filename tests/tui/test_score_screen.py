"""Scoring a finished run again from the screen: the engine gets what is asked for, and the report is the end."""

from pathlib import Path

import pytest
from textual.widgets import Input, OptionList

from homogaudit.events import Event, Job, Loading, RunFinished, Scoring
from homogaudit.store import RunFile
from homogaudit.tui.app import HomogauditApp
from homogaudit.tui.screens.score import ScoreScreen

from .conftest import ReplayEngine, question_events
from .small_run import make_small_run
from .waiting import until


class Scored:
    """An app over a finished run; its engine replays a scoring and keeps the job that it was given."""

    def __init__(self, folder: Path) -> None:
        self.jobs: list[Job] = []
        self.run = make_small_run(folder)
        self.app = HomogauditApp(run=self.run, make_engine=self._make)
        self.events: list[Event | None] = [Loading("embedder", "toy"), *question_events(0)[-1:], None]

    def _make(self, job: Job, log: Path) -> ReplayEngine:
        self.jobs.append(job)
        self.engine = ReplayEngine([*self.events, RunFinished("complete", 0, 1.0)])
        return self.engine


@pytest.fixture
def scored(runs: Path) -> Scored:
    return Scored(runs)


async def test_a_finished_run_is_scored_again_by_another_judge_and_ends_in_its_report(scored: Scored):
    app = scored.app
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.current_mode == "report")
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, ScoreScreen))
        judge = app.screen.query_one("#score-judge", Input)
        await until(pilot, lambda: judge.placeholder == "exact")
        assert app.screen.query_one("#score-embedder", Input).placeholder == "toy-embedder"
        judge.value = "overlap"
        app.screen.query_one("#score-embedder", Input).value = "none"
        app.screen.query_one("#score-signals", Input).value = "response_length, semantic_entropy_jaccard"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.is_working and app.current_mode == "live")
        (job,) = scored.jobs
        assert (job.run, job.model) == (str(scored.run), None)
        assert (job.scoring.judge, job.scoring.embedder_source) == ("overlap", None)
        assert job.scoring.signals == ("response_length", "semantic_entropy_jaccard")
        scored.engine.finish()
        await until(pilot, lambda: app.current_mode == "report")


async def test_a_field_left_empty_keeps_the_last_scoring_and_an_unknown_name_keeps_the_dialogue(scored: Scored):
    app = scored.app
    with RunFile.open(scored.run) as run:
        before = run.scoring
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.current_mode == "report")
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, ScoreScreen))
        signals = app.screen.query_one("#score-signals", Input)
        signals.value = "entropyy"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any("unknown signal" in x.message for x in app._notifications))  # pyright: ignore
        assert isinstance(app.screen, ScoreScreen)
        signals.value = ""
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.is_working and app.current_mode == "live")
        assert isinstance(before, Scoring) and scored.jobs[0].scoring == before
        scored.engine.finish()
        await until(pilot, lambda: app.current_mode == "report")


async def test_leaving_the_dialogue_starts_nothing(scored: Scored):
    app = scored.app
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.current_mode == "report")
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, ScoreScreen))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, ScoreScreen))
        assert scored.jobs == [] and not app.is_working


async def test_a_run_in_the_list_is_scored_again_without_opening_it_first(scored: Scored):
    app = HomogauditApp(make_engine=scored.app._make_engine)  # pyright: ignore[reportPrivateUsage]
    async with app.run_test(size=(80, 24)) as pilot:
        runs = app.screen.query_one("#runs", OptionList)
        await until(pilot, lambda: runs.highlighted_option and runs.highlighted_option.id == str(scored.run))
        runs.focus()
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, ScoreScreen))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.is_working and app.current_mode == "live")
        assert scored.jobs[0].run == str(scored.run)
        scored.engine.finish()
        await until(pilot, lambda: app.current_mode == "report")
