"""The list of runs on the start screen: what it says of each, filtering and deleting."""

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from homogaudit.store.run_lock import RunLock
from homogaudit.tui.app import HomogauditApp
from homogaudit.tui.screens.confirm import ConfirmScreen
from homogaudit.tui.screens.start import StartScreen

from .small_run import make_small_run
from .test_app import MakeJob
from .waiting import until


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_small_run(tmp_path_factory.mktemp("small"))


@pytest.fixture
def two_runs(runs: Path, make_job: MakeJob, small_run: Path) -> Path:
    """A runs folder with a finished run and one that is not drawn yet."""
    make_job(name="later")
    shutil.copy(small_run, runs / "finished.audit")
    return runs


def lines(app: HomogauditApp) -> list[str]:
    return [str(option.prompt) for option in app.screen.query_one("#runs", OptionList).options]


async def listed(app: HomogauditApp, pilot: Pilot[None], number: int) -> OptionList:
    found = app.screen.query_one("#runs", OptionList)
    await until(pilot, lambda: [option.disabled for option in found.options] == [False] * number)
    return found


def point_at(choices: OptionList, name: str) -> None:
    choices.highlighted = next(i for i, x in enumerate(choices.options) if x.id and x.id.endswith(f"{name}.audit"))
    choices.focus()


async def test_a_run_shows_its_question_file_its_rate_and_its_verdict(two_runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await listed(app, pilot, 2)
        await until(pilot, lambda: any("severe" in line for line in lines(app)))
        (finished,) = (line for line in lines(app) if "severe" in line)
        assert "misconceptions" in finished and "41.7%" in finished and "24/24" in finished
        await until(pilot, lambda: any("no rate yet" in line for line in lines(app)))
        (later,) = (line for line in lines(app) if "no rate yet" in line)
        assert "0/12" in later and "%" not in later


async def test_runs_are_filtered_by_what_is_typed(two_runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(120, 36)) as pilot:
        choices = await listed(app, pilot, 2)
        choices.focus()
        await until(pilot, lambda: any("severe" in line for line in lines(app)))
        await pilot.press("slash", *"toy sev")
        await until(pilot, lambda: len(lines(app)) == 1)
        assert "toy-model" in lines(app)[0]
        await pilot.press("x")
        await until(pilot, lambda: lines(app) == ["no run fits"])
        await pilot.press("enter")
        await until(pilot, lambda: choices.has_focus)
        app.screen.query_one("#run-filter", Input).value = ""
        await listed(app, pilot, 2)


async def test_a_run_is_deleted_with_what_stands_beside_it_once_that_is_confirmed(two_runs: Path):
    path = two_runs / "finished.audit"
    beside = [path.with_name(path.name + ending) for ending in ("-wal", "-shm", ".log")]
    app = HomogauditApp()
    async with app.run_test(size=(80, 24)) as pilot:
        point_at(await listed(app, pilot, 2), "finished")
        await app.workers.wait_for_complete()
        for file in beside:
            file.touch()
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        assert path.exists()
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: not path.exists())
        await listed(app, pilot, 1)
        assert not any(file.exists() for file in beside)


async def test_a_run_in_use_is_not_deleted(two_runs: Path):
    path = two_runs / "finished.audit"
    app = HomogauditApp()
    async with app.run_test(size=(80, 24)) as pilot:
        point_at(await listed(app, pilot, 2), "finished")
        with RunLock(path):
            await pilot.press("delete")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await pilot.press("y")
            await until(pilot, lambda: any("in use" in x.message for x in app._notifications))  # pyright: ignore
        assert path.exists()


async def test_the_open_run_is_forgotten_when_it_is_deleted(two_runs: Path):
    app = HomogauditApp(run=two_runs / "later.audit")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.session is not None)
        await pilot.press("1")
        point_at(await listed(app, pilot, 2), "later")
        await pilot.press("delete")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: app.session is None)
        await pilot.press("3")
        await pilot.pause()
        assert "No run yet" in app.export_screenshot().replace("&#160;", " ")


async def test_home_and_end_move_the_cursor_of_the_list(two_runs: Path):
    app = HomogauditApp()
    async with app.run_test(size=(80, 24)) as pilot:
        choices = await listed(app, pilot, 2)
        choices.focus()
        await pilot.press("end")
        assert choices.highlighted == 1
        await pilot.press("home")
        assert choices.highlighted == 0
