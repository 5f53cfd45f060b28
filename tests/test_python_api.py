"""The public names, used as a user would: a real model, a script, an event loop, and hostile names."""

import asyncio
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import homogaudit
from homogaudit.comparison.records import RateChange
from homogaudit.errors import RunFileError, UsageError
from homogaudit.events import Event, QuestionScored
from homogaudit.records import Clustering, ClusteringMethod, Generation, GenerationState, Question
from homogaudit.report.records import Report
from homogaudit.store import RunFile

from .patience import PATIENCE

LINES = "What do bees make?\nWhere is Rome?\nWhat is ice made of?\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOMOGAUDIT_RUNS", str(tmp_path / "runs"))
    (tmp_path / "questions.txt").write_text(LINES)
    return tmp_path


def test_a_model_is_audited_and_its_run_read(folder: Path, demo_model: Path, capfd: pytest.CaptureFixture[str]):
    events: list[Event] = []
    run = homogaudit.audit(
        demo_model,
        folder / "questions.txt",
        samples=2,
        max_tokens=6,
        use_embedder=False,
        threads=1,
        on_event=events.append,
    )
    assert run.path.parent == folder / "runs" and run.is_complete
    assert sum(isinstance(event, QuestionScored) for event in events) == 3
    report = run.report()
    assert isinstance(report, Report)
    assert (report.validity.questions, report.validity.samples) == (3, 6)
    questions = run.questions()
    assert [row.text for row in questions] == LINES.splitlines()
    assert all(len(row.samples) == 2 and isinstance(row, homogaudit.QuestionRow) for row in questions)
    assert isinstance(questions.where("one_cluster")[:1], homogaudit.Questions)
    run.close()
    with homogaudit.open_run() as newest:
        assert newest.path == run.path
        assert newest.report() == report
    assert capfd.readouterr() == ("", "")


def test_it_runs_inside_an_event_loop_as_in_a_notebook(folder: Path, demo_model: Path):
    async def cell() -> int:
        with homogaudit.audit(
            demo_model, folder / "questions.txt", samples=2, max_tokens=3, limit=1, use_embedder=False, threads=1
        ) as run:
            return len(run.questions())

    assert asyncio.run(cell()) == 1


def test_what_is_wrong_is_an_error_with_a_hint_and_leaves_no_run(folder: Path, demo_model: Path):
    with pytest.raises(UsageError, match="`--samples` must lie between 2 and 1000"):
        homogaudit.audit(demo_model, folder / "questions.txt", samples=1)
    with pytest.raises(RunFileError, match="no run `absent`"):
        homogaudit.open_run("absent")
    with pytest.raises(RunFileError, match="is not a run file"):
        homogaudit.open_run(folder / "questions.txt")
    assert not list(folder.glob("runs/*.audit"))


def test_a_closed_run_says_so_and_what_was_read_stays(make_run: Callable[..., RunFile]):
    with make_run() as file:
        path = file.path
    with homogaudit.open_run(path) as run:
        questions = run.questions()
    run.close()
    assert [row.id for row in questions] == ["q0", "q1"]
    with pytest.raises(RunFileError, match="is closed"):
        run.report()
    assert repr(run).endswith("(closed)>") and "(closed)" in run._repr_html_()


def test_runs_are_compared_opened_or_named(make_run: Callable[..., RunFile]):
    paths: list[Path] = []
    for name in ("first", "second"):
        with make_run(name=f"{name}.audit", decoding={"samples": 2}) as file:
            for index, question_id in ((index, x) for x in ("q0", "q1") for index in range(-1, 2)):
                answer = "yes" if question_id == "q0" or name == "first" else f"no {index}"
                file.add_generation(Generation(question_id, index, answer, answer, GenerationState.VALID))
            method = ClusteringMethod("jaccard", "single", 0.4)
            for question_id, assignment in (("q0", (0, 0)), ("q1", (0, 0) if name == "first" else (0, 1))):
                file.add_clusterings([Clustering(question_id, method, assignment)])
            paths.append(file.path)
    with homogaudit.open_run(paths[0]) as run:
        found = homogaudit.compare(run, paths[1])
        assert run.report().run.questions == 2
    rate = found.pairs["second"].rate
    assert isinstance(rate, RateChange)
    assert (rate.baseline.k, rate.run.k, rate.difference.value) == (2, 1, -0.5)
    with pytest.raises(RunFileError, match="no run `absent`"):
        homogaudit.compare(paths[0], "absent")


def test_a_notebook_shows_names_as_text(tmp_path: Path):
    name = "<script>alert(1)</script>&"
    RunFile.create(
        tmp_path / "x.audit", model=name, question_source="<b>", questions=[Question("q", name)], parameters={}
    ).close()
    with homogaudit.open_run(tmp_path / "x.audit") as run:
        shown = run._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in shown and "&lt;b&gt;" in shown
    assert "<script" not in shown and len(shown) < 1000


def test_questions_become_a_data_frame(make_run: Callable[..., RunFile]):
    pytest.importorskip("pandas")
    with make_run() as file:
        path = file.path
    with homogaudit.open_run(path) as run:
        frame = run.questions().to_frame()
    assert list(frame["id"]) == ["q0", "q1"]
    assert not frame["drawn"].any()


def test_no_submodule_hides_a_public_name():
    for module in pkgutil.walk_packages(homogaudit.__path__, "homogaudit."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in homogaudit.__all__:
        assert name == "__version__" or callable(getattr(homogaudit, name)), name
    for call in (homogaudit.audit, homogaudit.compare, homogaudit.open_run, homogaudit.Cascade.load):
        with pytest.raises(TypeError):
            call(no_such_argument=1)  # pyright: ignore[reportCallIssue]
    assert set(dir(homogaudit)) == set(homogaudit.__all__)


def test_the_root_is_light_until_a_name_is_asked_for():
    script = (
        "import sys, homogaudit; assert 'numpy' not in sys.modules; homogaudit.open_run; assert 'numpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE)
