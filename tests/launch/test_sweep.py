"""From what a user asks to the runs of a sweep."""

from dataclasses import replace
from pathlib import Path

import pytest

from homogaudit.errors import HomogauditError, UsageError
from homogaudit.events import Job, JobModel
from homogaudit.launch.plan import Plan
from homogaudit.launch.requests import RunRequest
from homogaudit.launch.server_choice import ServerEstimate
from homogaudit.launch.sweep import SweepPlan, join_estimates, plan_folder, plan_sweep, remove_undrawn, with_share
from homogaudit.store import RunFile
from homogaudit.sweep.axes import parse_axes


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def request_(demo_model: Path) -> RunRequest:
    return RunRequest(model=str(demo_model), questions="factual", limit=2, samples=3, use_embedder=False)


def plan(request: RunRequest, *over: str) -> SweepPlan:
    return plan_sweep(request, over, lambda _: None)


def test_a_run_file_is_named_after_its_setting():
    manifest = plan_folder({}, parse_axes(["temperature=0.3,1.0", "model=/models/Big One.gguf"], "demo"))
    assert [x.file for x in manifest.runs] == [
        "model-demo_temperature-0.3.audit",
        "model-demo_temperature-1.audit",
        "model-Big-One_temperature-0.3.audit",
        "model-Big-One_temperature-1.audit",
    ]


def test_settings_that_look_alike_have_files_of_their_own():
    lines = ["system=Be brief.", "system=Be, brief", "system=../../etc/passwd"]
    names = [x.file for x in plan_folder({}, parse_axes(lines, "demo")).runs]
    assert names == ["system-Be-brief.audit", "system-Be-brief-2.audit", "system-passwd.audit"]


def test_every_setting_is_a_run_of_its_own_and_all_are_one_job(request_: RunRequest):
    found = plan(request_, "temperature=0.5,1.5", "max_tokens=4,8")
    assert [x.setting for x in found.waiting] == [
        "temperature 0.5, max_tokens 4",
        "temperature 0.5, max_tokens 8",
        "temperature 1.5, max_tokens 4",
        "temperature 1.5, max_tokens 8",
    ]
    assert [x.draws for x in found.waiting] == [8, 8, 8, 8]
    job = found.job
    assert [Path(x.run).name for x in (job, *job.then)] == [x.file for x in found.manifest.runs]
    assert all(x.model == job.model and x.machine == job.machine for x in job.then)
    with RunFile.open(Path(job.then[-1].run)) as run:
        decoding = run.parameters["decoding"]
    # The greedy answer is as long as the samples, as in a run.
    assert [decoding[x] for x in ("temperature", "max_tokens", "greedy_max_tokens", "samples")] == [1.5, 8, 8, 3]


def test_sample_sizes_are_drawn_once_at_the_largest(request_: RunRequest):
    found = plan(replace(request_, samples=None), "n=2,7,5")
    (waiting,) = found.waiting
    assert waiting.draws == 2 * 8


def test_models_are_not_mixed_in_the_order_of_drawing(request_: RunRequest, tmp_path: Path, demo_model: Path):
    other = tmp_path / "other.gguf"
    other.write_bytes(demo_model.read_bytes())
    job = plan(request_, "temperature=0.5,1.5", f"model={other}").job
    locations = [x.model.location for x in (job, *job.then) if x.model]
    assert locations == [str(demo_model)] * 2 + [str(other)] * 2


def test_the_same_request_finds_its_folder_and_another_one_makes_its_own(request_: RunRequest):
    first = plan(request_, "temperature=0.5,1.5")
    assert not first.goes_on
    again = plan(replace(request_, judge="exact", threads=1), "temperature=0.5,1.5")
    assert (again.folder, again.goes_on) == (first.folder, True)
    others = [
        plan(replace(request_, seed=1), "temperature=0.5,1.5").folder,
        plan(request_, "temperature=0.5,1.6").folder,
        plan(replace(request_, new=True), "temperature=0.5,1.5").folder,
    ]
    assert len({first.folder, *others}) == 4


def test_a_sweep_with_another_command_in_the_named_folder_is_refused(request_: RunRequest, tmp_path: Path):
    request = replace(request_, output=tmp_path / "mine")
    plan(request, "temperature=0.5,1.5")
    with pytest.raises(UsageError, match="another `seed`"):
        plan(replace(request, seed=3), "temperature=0.5,1.5")


def test_a_setting_that_cannot_be_planned_leaves_nothing_behind(request_: RunRequest, runs: Path):
    with pytest.raises(HomogauditError):
        plan(request_, "model=there-is-no-such-model.gguf")
    assert not runs.exists() or list(runs.iterdir()) == []
    with pytest.raises(UsageError, match="no prompt mode"):
        plan(request_, "mode=chat,chatty")
    assert not runs.exists() or list(runs.iterdir()) == []


def test_what_was_never_drawn_is_removed_and_nothing_else(request_: RunRequest):
    folder = plan(request_, "temperature=0.5,1.5").folder
    (folder / "notes.txt").write_text("mine")
    remove_undrawn(folder)
    assert [x.name for x in folder.iterdir()] == ["notes.txt"]


def test_the_cost_of_a_sweep_is_that_of_its_runs():
    one = ServerEstimate(10, 1_000_000, 500_000, 2.0)
    two = ServerEstimate(10, 1_000_000, 1_500_000, 4.0)
    joined = join_estimates([one, two])
    assert joined is not None
    # 1.5 million at 2, and 2.5 million at 4.
    assert joined.cost == pytest.approx(3.0 + 10.0)
    assert (joined.requests, joined.prompt_tokens, joined.answer_tokens) == (20, 2_000_000, 2_000_000)
    unknown = join_estimates([one, replace(two, price=None)])
    assert unknown is not None and unknown.cost is None
    assert join_estimates([]) is None


def test_each_run_gets_its_share_of_what_the_sweep_may_cost():
    one = ServerEstimate(10, 1_000_000, 500_000, 2.0)
    two = ServerEstimate(10, 1_000_000, 1_500_000, 4.0)
    whole = join_estimates([one, two])
    assert whole is not None

    def budget(estimate: ServerEstimate, max_cost: float | None) -> int | None:
        planned = Plan(Job("run.audit", JobModel("http://localhost:1/v1", "server")), estimate)
        model = with_share(planned, whole, max_cost).job.model
        assert model is not None
        return model.token_budget

    # Of 26, 3 parts of 13 at 2 a million tokens, and 10 parts at 4.
    assert (budget(one, 26.0), budget(two, 26.0)) == (3_000_000, 5_000_000)
    assert budget(one, None) is None
